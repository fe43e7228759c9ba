// SPDX-License-Identifier: GPL-2.0
/* Ages of a guest that is paused or moves, and how its time on a monitor ends. */
#include "moved.h"

/* An outage does not last while the VM is paused, however it ends. */
static void ages_of_an_outage_that_ends_paused(struct kunit *test)
{
	static void (* const ends[])(struct kvmhb_monitor *mon) = {
		kvmhb_monitor_reset, kvmhb_monitor_detach,
	};
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_readings before, r;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		bring_into(m, KVMHB_UNRESPONSIVE);
		before = read_of(m);
		kvmhb_monitor_pause(&m->mon);
		time_passes(m, 10 * HOUR);
		ends[i](&m->mon);
		r = read_of(m);
		expect_goes_on(test, r.downtime_ns, before.downtime_ns, i ? "detached" : "reset");
		KUNIT_EXPECT_EQ(test, r.missed, before.missed);
		if (ends[i] != kvmhb_monitor_detach)
			kvmhb_monitor_detach(&m->mon);
	}
}

/* A beat that comes in the pause ends the outage as soon as the VM runs again. */
static void ages_of_an_outage_that_a_beat_ends(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_readings before, r;

	bring_into(m, KVMHB_UNRESPONSIVE);
	before = read_of(m);
	kvmhb_monitor_pause(&m->mon);
	beat(m);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "paused");
	time_passes(m, 10 * HOUR);
	kvmhb_monitor_resume(&m->mon);
	flush_work(&m->mon.turn.work);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "resumed");
	r = read_of(m);
	expect_goes_on(test, r.downtime_ns, before.downtime_ns, "downtime");
	KUNIT_EXPECT_EQ(test, r.outages, before.outages);
}

/* A VM that runs again, or whose device is reset, has not moved: its end is what it is then. */
static void ages_of_a_move_that_is_taken_back(struct kunit *test)
{
	static const struct {
		enum kvmhb_state state;
		enum kvmhb_cause end;
	} rows[] = {
		{ KVMHB_WAITING, KVMHB_CAUSE_VMM_GONE },
		{ KVMHB_ALIVE, KVMHB_CAUSE_VMM_GONE },
		{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_VMM_GONE },
		{ KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND },
		{ KVMHB_PANICKED, KVMHB_CAUSE_PANIC },
	};
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const char *what = kvmhb_state_word(rows[i / 2].state);
		struct monitor_test *m = patient_monitor(test);

		bring_into(m, rows[i / 2].state);
		kvmhb_monitor_pause(&m->mon);
		kvmhb_monitor_moves(&m->mon);
		if (i & 1)
			kvmhb_monitor_resume(&m->mon);
		else
			kvmhb_monitor_reset(&m->mon);
		kvmhb_monitor_detach(&m->mon);
		expect_verdict(test, m, KVMHB_DETACHED, rows[i / 2].end, what);
		kunit_release_action(test, monitor_test_exit, m);
	}
}

/* What came after the last look counts as it did, and so does what was excused before. */
static void ages_since_the_last_look(struct kunit *test)
{
	struct monitor_test *from = patient_monitor(test);
	struct monitor_test *to = target_monitor(test);
	struct kvmhb_readings before, r;

	attach_and_arm(from);
	silent_for(from, 2 * HOUR);
	from->mon.watch.host.sleeps--;
	silent_for(from, 3 * HOUR);
	silent_for(from, 21 * HOUR / 5);
	expect_verdict(test, from, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent");
	time_passes(from, 3 * HOUR);
	kvmhb_monitor_pause(&from->mon);
	before = read_of(from);
	KUNIT_EXPECT_EQ(test, before.missed, 8);	/* of 12.2 hours, 3 of them excused */
	unpack(to, pack(test, from));
	r = read_of(to);
	KUNIT_EXPECT_EQ(test, r.missed, before.missed);
	KUNIT_EXPECT_EQ(test, r.last_beat_ns, before.last_beat_ns);
	KUNIT_EXPECT_EQ(test, r.suspicion_milli, before.suspicion_milli);
	KUNIT_EXPECT_EQ(test, r.downtime_ns, before.downtime_ns);
}

/* A guest may have been silent for longer than its new host has run. */
static void ages_beyond_the_boot(struct kunit *test)
{
	struct monitor_test *from = patient_monitor(test);
	struct kvmhb_readings before, r;
	struct monitor_test *to;
	struct luggage *bag;
	int i;

	bring_into(from, KVMHB_UNRESPONSIVE);
	time_passes(from, 1000 * HOUR);
	kvmhb_monitor_pause(&from->mon);
	before = read_of(from);
	bag = pack(test, from);
	kvmhb_monitor_detach(&from->mon);
	for (i = 0; i < 2; i++) {
		WRITE_ONCE(test_ahead_ns, 0);
		to = target_monitor(test);
		unpack(to, bag);
		r = read_of(to);
		KUNIT_EXPECT_EQ(test, r.last_beat_ns, before.last_beat_ns);
		KUNIT_EXPECT_EQ(test, r.downtime_ns, before.downtime_ns);
		KUNIT_EXPECT_EQ(test, r.missed, before.missed);
		KUNIT_EXPECT_EQ(test, r.suspicion_milli, before.suspicion_milli);
		kvmhb_monitor_resume(&to->mon);
		look_now(to);
		expect_verdict(test, to, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "still");
		time_passes(to, HOUR);
		if (i == 0)
			beat(to);
		else
			kvmhb_monitor_reset(&to->mon);
		expect_verdict(test, to, i == 0 ? KVMHB_ALIVE : KVMHB_WAITING, KVMHB_CAUSE_NONE,
			       "ended");
		r = read_of(to);
		expect_goes_on(test, r.downtime_ns, before.downtime_ns + HOUR, "downtime");
		KUNIT_EXPECT_EQ(test, r.missed, before.missed + 1);
		kunit_release_action(test, monitor_test_exit, to);
	}
}

/* What a guest left behind that beats no more: its last beat is as old as the VM has run since. */
static void ages_of_the_last_beat(struct kunit *test)
{
	static const enum kvmhb_state states[] = { KVMHB_STOPPED, KVMHB_PANICKED };
	struct kvmhb_readings before, r;
	int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct monitor_test *from = patient_monitor(test);
		struct monitor_test *to = target_monitor(test);

		bring_into(from, states[i]);
		time_passes(from, HOUR);
		kvmhb_monitor_pause(&from->mon);
		before = read_of(from);
		KUNIT_EXPECT_GE(test, before.last_beat_ns, HOUR);
		unpack(to, pack(test, from));
		r = read_of(to);
		KUNIT_EXPECT_TRUE(test, r.has_beaten);
		KUNIT_EXPECT_EQ(test, r.last_beat_ns, before.last_beat_ns);

		time_passes(to, 10 * HOUR);
		kvmhb_monitor_resume(&from->mon);
		kvmhb_monitor_resume(&to->mon);
		r = read_of(from);
		expect_goes_on(test, r.last_beat_ns, before.last_beat_ns, "here");
		r = read_of(to);
		expect_goes_on(test, r.last_beat_ns, before.last_beat_ns, "there");
		kunit_release_action(test, monitor_test_exit, to);
		kunit_release_action(test, monitor_test_exit, from);
	}

	/* One that stops before it ever armed has none. */
	{
		struct monitor_test *from = patient_monitor(test);
		struct monitor_test *to = target_monitor(test);

		attach(from);
		say(from, KVM_HEARTBEAT_PANIC);
		kvmhb_monitor_pause(&from->mon);
		unpack(to, pack(test, from));
		expect_verdict(test, to, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "early");
		r = read_of(to);
		KUNIT_EXPECT_FALSE(test, r.has_beaten);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(ages_of_an_outage_that_ends_paused),
	KUNIT_CASE(ages_of_an_outage_that_a_beat_ends),
	KUNIT_CASE(ages_of_a_move_that_is_taken_back),
	KUNIT_CASE(ages_since_the_last_look),
	KUNIT_CASE(ages_beyond_the_boot),
	KUNIT_CASE(ages_of_the_last_beat),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_move_ages",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
