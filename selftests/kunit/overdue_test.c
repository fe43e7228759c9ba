// SPDX-License-Identifier: GPL-2.0
/* A monitor whose guest does not boot, or does not end, by its deadline. */
#include "moved.h"

static const u64 hour_ns = HOUR;

static void set_deadlines(struct kunit *test, struct monitor_test *m, u64 boot_ns,
			  u64 shutdown_ns)
{
	KUNIT_ASSERT_EQ(test, kvmhb_monitor_set_deadlines(&m->mon, &boot_ns, &shutdown_ns), 0);
	look_now(m);
}

/* A guest that has an hour to boot, and is attached. */
static struct monitor_test *booting_monitor(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	set_deadlines(test, m, HOUR, 0);
	attach(m);
	return m;
}

static void expect_waiting(struct kunit *test, struct monitor_test *m, const char *when)
{
	expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, when);
}

static void expect_no_boot(struct kunit *test, struct monitor_test *m, const char *when)
{
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_NO_BOOT, when);
}

/* A guest whose driver does not come in time, and then comes. */
static void deadline_no_boot(struct kunit *test)
{
	struct monitor_test *m = booting_monitor(test);
	struct kvmhb_readings r;

	silent_for(m, HOUR / 2);
	expect_waiting(test, m, "half an hour");
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);
	silent_for(m, HOUR / 2 - MINUTE);
	expect_waiting(test, m, "not yet");
	silent_for(m, 2 * MINUTE);
	expect_no_boot(test, m, "too long");
	KUNIT_EXPECT_EQ(test, m->mon.turn.due_at_ns, 0);
	KUNIT_EXPECT_EQ(test, m->mon.watch.judged.verdict.cause, KVMHB_CAUSE_NO_BOOT);
	KUNIT_EXPECT_GE(test, m->mon.watch.judged.run_ns, HOUR);
	KUNIT_EXPECT_LE(test, m->mon.watch.judged.run_ns, m->mon.watch.judged.silence_ns);
	KUNIT_EXPECT_LE(test, m->mon.watch.judged.silence_ns, HOUR + 2 * MINUTE);

	/* No beat counts, and none is missed. The outage began when the deadline passed. */
	beat(m);
	silent_for(m, HOUR);
	expect_no_boot(test, m, "still");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.beats, 0);
	KUNIT_EXPECT_EQ(test, r.missed, 0);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_FALSE(test, r.has_beaten);
	expect_goes_on(test, r.downtime_ns, HOUR, "downtime");

	say(m, KVM_HEARTBEAT_ARM);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "at last");
	beat(m);
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.beats, 1);
	KUNIT_EXPECT_EQ(test, r.missed, 0);
	KUNIT_EXPECT_EQ(test, r.life.boots, 1);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	expect_goes_on(test, r.downtime_ns, HOUR, "downtime");

	/* And is then a guest like any other. */
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	silent_for(m, 11 * HOUR / 5);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent");
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	KUNIT_EXPECT_EQ(test, read_of(m).outages, 2);
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 3);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_VMM_GONE, "gone");
}

/* One that boots in time, and one of which nobody wants to know. */
static void deadline_in_time(struct kunit *test)
{
	struct monitor_test *m = booting_monitor(test);

	silent_for(m, HOUR - MINUTE);
	say(m, KVM_HEARTBEAT_ARM);
	silent_for(m, HOUR);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "in time");
	KUNIT_EXPECT_EQ(test, read_of(m).outages, 0);
	kunit_release_action(test, monitor_test_exit, m);

	m = patient_monitor(test);
	attach(m);
	silent_for(m, 100 * HOUR);
	expect_waiting(test, m, "off by default");
	KUNIT_EXPECT_NULL(test, m->mon.deadlines);
	set_deadlines(test, m, 0, HOUR);
	KUNIT_EXPECT_EQ(test, m->mon.turn.due_at_ns, 0);
	silent_for(m, 100 * HOUR);
	expect_waiting(test, m, "off");
}

/* Time in which the VMM has paused the VM is nobody's. */
static void deadline_in_a_pause(struct kunit *test)
{
	struct monitor_test *m = booting_monitor(test);
	u64 downtime_ns;

	silent_for(m, HOUR / 4);
	time_passes(m, HOUR / 4);
	kvmhb_monitor_pause(&m->mon);
	time_passes(m, 10 * HOUR);
	look_now(m);
	kvmhb_monitor_resume(&m->mon);
	look_now(m);
	expect_waiting(test, m, "resumed");
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);
	silent_for(m, HOUR / 2 - MINUTE);
	expect_waiting(test, m, "not yet");
	/* Of the time before the pause none is lost. */
	silent_for(m, 2 * MINUTE);
	expect_no_boot(test, m, "too long");

	silent_for(m, HOUR);
	kvmhb_monitor_pause(&m->mon);
	expect_no_boot(test, m, "paused");
	downtime_ns = read_of(m).downtime_ns;
	expect_goes_on(test, downtime_ns, HOUR, "downtime");
	time_passes(m, 10 * HOUR);
	KUNIT_EXPECT_EQ(test, read_of(m).downtime_ns, downtime_ns);
	kvmhb_monitor_resume(&m->mon);
	look_now(m);
	expect_no_boot(test, m, "resumed");
	expect_goes_on(test, read_of(m).downtime_ns, downtime_ns, "downtime");
	say(m, KVM_HEARTBEAT_ARM);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "at last");
	expect_goes_on(test, read_of(m).downtime_ns, downtime_ns, "downtime");
}

/* Each reset is a new boot, and so is each reboot. */
static void deadline_of_each_boot(struct kunit *test)
{
	struct monitor_test *m = booting_monitor(test);
	struct kvmhb_readings r;

	silent_for(m, 3 * HOUR / 4);
	kvmhb_monitor_reset(&m->mon);
	silent_for(m, 3 * HOUR / 4);
	expect_waiting(test, m, "reset");
	silent_for(m, HOUR / 4 + MINUTE);
	expect_no_boot(test, m, "the second one");
	kvmhb_monitor_reset(&m->mon);
	expect_waiting(test, m, "reset again");
	silent_for(m, 3 * HOUR / 4);
	expect_waiting(test, m, "the third one");

	say(m, KVM_HEARTBEAT_ARM);
	say(m, KVM_HEARTBEAT_REBOOT);
	silent_for(m, 3 * HOUR / 4);
	expect_verdict(test, m, KVMHB_STOPPED, KVMHB_CAUSE_REBOOT, "reboots");
	silent_for(m, HOUR / 4 + MINUTE);
	expect_no_boot(test, m, "does not come back");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.lifecycle, KVM_HEARTBEAT_REBOOT);
	KUNIT_EXPECT_TRUE(test, r.has_beaten);
	expect_goes_on(test, r.last_beat_ns, HOUR + MINUTE, "last beat");
	KUNIT_EXPECT_EQ(test, r.missed, 0);
	KUNIT_EXPECT_EQ(test, r.outages, 2);
	KUNIT_EXPECT_LE(test, r.downtime_ns, MINUTE);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_REBOOT, "ended");
}

/* A driver under which the device was reset rings on: it is found, however late. */
static void deadline_of_a_lost_guest(struct kunit *test)
{
	struct monitor_test *m = booting_monitor(test);

	say(m, KVM_HEARTBEAT_ARM);
	kvmhb_monitor_reset(&m->mon);
	silent_for(m, HOUR + MINUTE);
	expect_no_boot(test, m, "lost");
	beat(m);
	time_passes(m, HOUR / 2);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "found");
}

/* A guest that says it ends, and does not. */
static void deadline_no_shutdown(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	set_deadlines(test, m, 0, HOUR);
	attach_and_arm(m);
	say(m, KVM_HEARTBEAT_SHUTDOWN);
	silent_for(m, HOUR - MINUTE);
	expect_verdict(test, m, KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN, "may still end");
	/* As often as it says so: that is no excuse. */
	say(m, KVM_HEARTBEAT_SHUTDOWN);
	silent_for(m, 2 * MINUTE);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_NO_SHUTDOWN, "hangs");
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 0);
	say(m, KVM_HEARTBEAT_PANIC);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "panics");
	kvmhb_monitor_reset(&m->mon);
	silent_for(m, 10 * HOUR);
	expect_waiting(test, m, "boots for as long as it likes");

	say(m, KVM_HEARTBEAT_SHUTDOWN);
	silent_for(m, HOUR + MINUTE);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_NO_SHUTDOWN, "never armed");
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_SHUTDOWN, "ended");
	KUNIT_EXPECT_EQ(test, read_of(m).outages, 2);
}

/* A guest that may be silent for as long as it likes. */
static void deadline_of_nobody_else(struct kunit *test)
{
	static const u32 words[] = {
		KVM_HEARTBEAT_SUSPEND, KVM_HEARTBEAT_UNLOAD, KVM_HEARTBEAT_PANIC,
	};
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_verdict verdict;
	unsigned int i;

	set_deadlines(test, m, HOUR, HOUR);
	attach(m);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		say(m, KVM_HEARTBEAT_ARM);
		say(m, words[i]);
		verdict = read_of(m).verdict;
		silent_for(m, 10 * HOUR);
		expect_verdict(test, m, verdict.state, verdict.cause, "says no more");
	}
}

static void deadline_is_changed(struct kunit *test)
{
	struct monitor_test *m = booting_monitor(test);

	silent_for(m, HOUR / 2);
	set_deadlines(test, m, 2 * HOUR, 0);
	silent_for(m, HOUR);
	expect_waiting(test, m, "longer");
	set_deadlines(test, m, HOUR, 0);
	expect_no_boot(test, m, "shorter");

	/* What is said is said. */
	set_deadlines(test, m, 10 * HOUR, 0);
	expect_no_boot(test, m, "longer");
	set_deadlines(test, m, 0, 0);
	expect_no_boot(test, m, "none");
	kvmhb_monitor_reset(&m->mon);
	silent_for(m, 10 * HOUR);
	expect_waiting(test, m, "none");

	/* What nobody has watched does not count. */
	set_deadlines(test, m, HOUR, 0);
	silent_for(m, HOUR - MINUTE);
	expect_waiting(test, m, "set while it waits");
	silent_for(m, 2 * MINUTE);
	expect_no_boot(test, m, "set while it waits");
}

static void deadline_settings(struct kunit *test)
{
	const u64 day_ns = 24 * HOUR, too_long_ns = 24 * HOUR + 1;
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_monitor *mon = &m->mon;
	struct kvmhb_readings r = read_of(m);

	KUNIT_EXPECT_EQ(test, r.boot_timeout_ns, 0);
	KUNIT_EXPECT_EQ(test, r.shutdown_timeout_ns, 0);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_set_deadlines(mon, &day_ns, NULL), 0);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_set_deadlines(mon, NULL, &hour_ns), 0);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_set_deadlines(mon, &too_long_ns, NULL), -ERANGE);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_set_deadlines(mon, &hour_ns, &too_long_ns), -ERANGE);
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.boot_timeout_ns, 24 * HOUR);
	KUNIT_EXPECT_EQ(test, r.shutdown_timeout_ns, HOUR);

	/* They outlast the VM. */
	attach(m);
	kvmhb_monitor_detach(mon);
	KUNIT_EXPECT_EQ(test, read_of(m).boot_timeout_ns, 24 * HOUR);
}

/* Something is done about a guest that does not boot, as about any that is dead. */
static void deadline_and_reactions(struct kunit *test)
{
	struct monitor_test *m = booting_monitor(test);
	struct kvmhb_plan plan;
	const struct kvmhb_policy_change change = {
		.on_unresponsive = &plan,
		.delay_ns = &hour_ns,
	};

	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&plan, "backtrace pause"), 0);
	KUNIT_ASSERT_EQ(test, kvmhb_react_configure(&m->mon, &change), 0);
	silent_for(m, HOUR - MINUTE);
	flush_work(&m->mon.reactions->work);
	KUNIT_EXPECT_EQ(test, m->mon.reactions->actions, 0);
	silent_for(m, 2 * MINUTE);
	flush_work(&m->mon.reactions->work);
	look_now(m);
	expect_no_boot(test, m, "too long");
	KUNIT_EXPECT_EQ(test, m->mon.reactions->actions, 1);
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);

	/* The delay of the next step goes on after a pause. */
	silent_for(m, HOUR / 2);
	kvmhb_monitor_pause(&m->mon);
	time_passes(m, 10 * HOUR);
	kvmhb_monitor_resume(&m->mon);
	look_now(m);
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);
	silent_for(m, HOUR / 2 - MINUTE);
	flush_work(&m->mon.reactions->work);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	silent_for(m, 2 * MINUTE);
	flush_work(&m->mon.reactions->work);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* An outage goes on elsewhere, and begins and ends there as here. */
static void deadline_moves(struct kunit *test)
{
	static const struct {
		const char *what;
		bool arms;
		u32 word;
		enum kvmhb_cause cause, goodbye;
	} rows[] = {
		{ "attached", false, KVM_HEARTBEAT_NONE, KVMHB_CAUSE_NO_BOOT,
		  KVMHB_CAUSE_VMM_GONE },
		{ "reboots", true, KVM_HEARTBEAT_REBOOT, KVMHB_CAUSE_NO_BOOT,
		  KVMHB_CAUSE_REBOOT },
		{ "ends", true, KVM_HEARTBEAT_SHUTDOWN, KVMHB_CAUSE_NO_SHUTDOWN,
		  KVMHB_CAUSE_SHUTDOWN },
		{ "ends, and never armed", false, KVM_HEARTBEAT_SHUTDOWN, KVMHB_CAUSE_NO_SHUTDOWN,
		  KVMHB_CAUSE_SHUTDOWN },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *what = rows[i].what;
		struct monitor_test *from = booting_monitor(test);
		struct monitor_test *to = target_monitor(test);
		struct kvmhb_readings before, r;

		set_deadlines(test, from, HOUR, HOUR);
		if (rows[i].arms)
			say(from, KVM_HEARTBEAT_ARM);
		say(from, rows[i].word);
		silent_for(from, HOUR + MINUTE);
		expect_verdict(test, from, KVMHB_UNRESPONSIVE, rows[i].cause, what);
		time_passes(from, 2 * HOUR);
		kvmhb_monitor_pause(&from->mon);
		before = read_of(from);
		unpack(to, pack(test, from));
		expect_verdict(test, to, KVMHB_UNRESPONSIVE, rows[i].cause, what);
		time_passes(to, 10 * HOUR);
		kvmhb_monitor_resume(&to->mon);
		look_now(to);
		expect_verdict(test, to, KVMHB_UNRESPONSIVE, rows[i].cause, what);
		r = read_of(to);
		expect_same_counts(test, &r, &before, what);
		KUNIT_EXPECT_EQ_MSG(test, r.has_beaten, rows[i].arms, "%s", what);
		if (rows[i].arms)
			expect_goes_on(test, r.last_beat_ns, before.last_beat_ns, what);
		KUNIT_EXPECT_EQ_MSG(test, to->mon.goodbye ?: KVMHB_CAUSE_VMM_GONE,
				    rows[i].goodbye, "%s", what);
		/* Its deadlines are another host's. */
		KUNIT_EXPECT_EQ_MSG(test, r.boot_timeout_ns, 0, "%s", what);

		time_passes(to, HOUR);
		say(to, KVM_HEARTBEAT_ARM);
		expect_verdict(test, to, KVMHB_ALIVE, KVMHB_CAUSE_NONE, what);
		r = read_of(to);
		expect_goes_on(test, r.downtime_ns, before.downtime_ns + HOUR, what);
		KUNIT_EXPECT_EQ_MSG(test, r.outages, 1, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, r.missed, 0, "%s", what);
		kunit_release_action(test, monitor_test_exit, to);
		kunit_release_action(test, monitor_test_exit, from);
	}
}

/* Where a guest goes that boots, its deadline begins anew. */
static void deadline_begins_anew_elsewhere(struct kunit *test)
{
	struct monitor_test *from = booting_monitor(test);
	struct monitor_test *to;
	struct luggage *bag;

	silent_for(from, HOUR - MINUTE);
	kvmhb_monitor_pause(&from->mon);
	bag = pack(test, from);
	to = target_monitor(test);
	set_deadlines(test, to, HOUR, 0);
	silent_for(to, HOUR / 2);
	unpack(to, bag);
	time_passes(to, 10 * HOUR);
	kvmhb_monitor_resume(&to->mon);
	look_now(to);
	silent_for(to, HOUR - MINUTE);
	expect_waiting(test, to, "anew");
	silent_for(to, 2 * MINUTE);
	expect_no_boot(test, to, "over there, too");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(deadline_no_boot),
	KUNIT_CASE(deadline_in_time),
	KUNIT_CASE(deadline_in_a_pause),
	KUNIT_CASE(deadline_of_each_boot),
	KUNIT_CASE(deadline_of_a_lost_guest),
	KUNIT_CASE(deadline_no_shutdown),
	KUNIT_CASE(deadline_of_nobody_else),
	KUNIT_CASE(deadline_is_changed),
	KUNIT_CASE(deadline_settings),
	KUNIT_CASE(deadline_and_reactions),
	KUNIT_CASE(deadline_moves),
	KUNIT_CASE(deadline_begins_anew_elsewhere),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_overdue",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
