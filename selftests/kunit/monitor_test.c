// SPDX-License-Identifier: GPL-2.0
#include "monitored.h"

#include <linux/bitmap.h>

#include "verdict.h"

static void hear_report(struct kvmhb_reporter *reporter, const struct kvmhb_transition *t)
{
	struct monitor_test *m = container_of(reporter, struct monitor_test, mon.reporter);

	spin_lock(&m->lock);
	if (m->nr_said < ARRAY_SIZE(m->said))
		m->said[m->nr_said++] = (struct said) {
			.old = t->old,
			.new = t->new,
			.vmm_pid = t->vmm_pid,
			.last_beat_ns = t->last_beat_ns,
			.gone_ns = t->gone_ns,
			.stale = bitmap_weight(t->stale, KVMHB_PULSE_MAX_SLOTS),
			.at_ns = ktime_get_ns(),
			.outages = m->mon.outages.count,
			.downtime_ns = m->mon.outages.downtime_ns,
		};
	spin_unlock(&m->lock);
	kvmhb_report(reporter, t);
	wake_up_all(&m->heard);
}

#define kvmhb_report hear_report

/* A guest that beats while it is being looked at, or its deadline is ruled on. */
static struct monitor_test *beats_meanwhile;

static struct kvmhb_ruling rule_slowly(const struct kvmhb_case *c, u64 deadline_ns)
{
	if (beats_meanwhile)
		kvmhb_tally_beat(&beats_meanwhile->mon.tally, 0);
	return kvmhb_deadline_rule(c, deadline_ns);
}

#define kvmhb_deadline_rule rule_slowly

/* A host with a CPU that has yet to answer. */
static bool host_owes;

/* A guest with a vCPU of which it cannot be said what it does. */
static bool vcpu_is_unclear;

static void look_with_host(struct kvmhb_watch *watch, const struct kvmhb_look *look,
			   struct kvmhb_case *c)
{
	kvmhb_watch_look(watch, look, c);
	c->host_asked |= host_owes;
	if (vcpu_is_unclear) {
		c->nr_vcpus = 1;
		c->vcpus[KVMHB_UNCLEAR] = 1;
	}
	if (beats_meanwhile && kvmhb_verdict_is_armed(&look->so_far))
		kvmhb_tally_beat(&beats_meanwhile->mon.tally, 0);
}

#define kvmhb_watch_look look_with_host

#include "monitor.c"

/* The guest's words, one after the other, and what is left of them when its VM ends. */
static void monitor_words(struct kunit *test)
{
	static const struct {
		const char *what;
		u32 word;		/* or RESET */
		u32 lifecycle;		/* the last one accepted */
		struct kvmhb_verdict verdict;
		enum kvmhb_cause goodbye;
		struct kvmhb_life life;
	} rows[] = {
#define RESET	U32_MAX
		{ "nothing said", KVM_HEARTBEAT_NONE, KVM_HEARTBEAT_NONE,
		  { KVMHB_WAITING, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE, { 0, 0, 0 } },
		{ "no word", 9, KVM_HEARTBEAT_NONE,
		  { KVMHB_WAITING, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE, { 0, 0, 0 } },
		{ "arms", KVM_HEARTBEAT_ARM, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE, { 1, 0, 0 } },
		{ "no word again", U32_MAX - 1, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE, { 1, 0, 0 } },
		{ "suspends", KVM_HEARTBEAT_SUSPEND, KVM_HEARTBEAT_SUSPEND,
		  { KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND }, KVMHB_CAUSE_SUSPEND, { 1, 0, 0 } },
		{ "resumes", KVM_HEARTBEAT_ARM, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE, { 1, 0, 0 } },
		{ "unloads", KVM_HEARTBEAT_UNLOAD, KVM_HEARTBEAT_UNLOAD,
		  { KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD }, KVMHB_CAUSE_UNLOAD, { 1, 0, 0 } },
		{ "reboots", KVM_HEARTBEAT_REBOOT, KVM_HEARTBEAT_REBOOT,
		  { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT }, KVMHB_CAUSE_REBOOT, { 1, 0, 0 } },
		{ "is reset", RESET, KVM_HEARTBEAT_NONE,
		  { KVMHB_WAITING, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_REBOOT, { 1, 0, 1 } },
		{ "panics before it arms", KVM_HEARTBEAT_PANIC, KVM_HEARTBEAT_PANIC,
		  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, KVMHB_CAUSE_PANIC, { 1, 1, 1 } },
		{ "and reboots", KVM_HEARTBEAT_REBOOT, KVM_HEARTBEAT_PANIC,
		  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, KVMHB_CAUSE_PANIC, { 1, 1, 1 } },
		{ "arms once more", KVM_HEARTBEAT_ARM, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE, { 2, 1, 1 } },
		{ "shuts down", KVM_HEARTBEAT_SHUTDOWN, KVM_HEARTBEAT_SHUTDOWN,
		  { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN }, KVMHB_CAUSE_SHUTDOWN, { 2, 1, 1 } },
	};
	struct kvmhb_life life;
	struct monitor_test *m;
	int last, i;

	for (last = 0; last < ARRAY_SIZE(rows); last++) {
		m = patient_monitor(test);
		expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_NONE, "before");
		attach(m);
		expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "at first");
		for (i = 0; i <= last; i++) {
			if (rows[i].word == RESET)
				kvmhb_monitor_reset(&m->mon);
			else
				say(m, rows[i].word);
			expect_verdict(test, m, rows[i].verdict.state, rows[i].verdict.cause,
				       rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, read_of(m).lifecycle, rows[i].lifecycle, "%s",
					    rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, !!m->mon.turn.due_at_ns,
					    rows[i].verdict.state == KVMHB_ALIVE, "%s",
					    rows[i].what);
			life = read_of(m).life;
			KUNIT_EXPECT_EQ_MSG(test, memcmp(&life, &rows[i].life, sizeof(life)), 0,
					    "%s: %u boots, %u panics, %u resets",
					    rows[i].what, life.boots, life.panics, life.resets);
		}
		kvmhb_monitor_detach(&m->mon);
		expect_verdict(test, m, KVMHB_DETACHED, rows[last].goodbye, rows[last].what);
		KUNIT_EXPECT_EQ_MSG(test, m->mon.turn.due_at_ns, 0, "%s", rows[last].what);
		KUNIT_EXPECT_NULL(test, m->mon.turn.patrol);
		KUNIT_EXPECT_NULL(test, m->mon.tally.pulse);
		KUNIT_EXPECT_NULL(test, m->mon.vm.pulse);
		KUNIT_EXPECT_FALSE(test, work_busy(&m->mon.turn.work));
		/* There is one device of that name at a time. */
		kunit_release_action(test, monitor_test_exit, m);
	}
#undef RESET
}

static bool has_said(struct monitor_test *m, enum kvmhb_state state, unsigned int *at)
{
	bool has;

	spin_lock(&m->lock);
	while (*at < m->nr_said && m->said[*at].new.state != state)
		(*at)++;
	has = *at < m->nr_said;
	spin_unlock(&m->lock);
	return has;
}

/* Waits until that state is reported, beginning with the report @at, and moves @at to it. */
static void await_report(struct kunit *test, struct monitor_test *m, enum kvmhb_state state,
			 unsigned int *at)
{
	KUNIT_ASSERT_TRUE_MSG(test, wait_event_timeout(m->heard, has_said(m, state, at), PATIENCE),
			      "%s", kvmhb_state_word(state));
}

/* By the time of the host: no look is asked for here. */
static void monitor_in_time(struct kunit *test)
{
	struct monitor_test *m = monitor_test_init(test, 20 * MS, 40 * MS);
	unsigned int at = 0;
	u64 armed_at_ns;

	attach(m);
	kvmhb_monitor_lifecycle(&m->mon, KVM_HEARTBEAT_ARM);
	armed_at_ns = kvmhb_tally_last_beat_at_ns(&m->mon.tally);
	await_report(test, m, KVMHB_ALIVE, &at);
	await_report(test, m, KVMHB_LATE, &at);
	KUNIT_EXPECT_EQ(test, m->said[at].old, KVMHB_ALIVE);
	KUNIT_EXPECT_GE(test, m->said[at].at_ns, armed_at_ns + 30 * MS);
	KUNIT_EXPECT_GE(test, m->said[at].last_beat_ns, 30 * MS);
	await_report(test, m, KVMHB_UNRESPONSIVE, &at);
	KUNIT_EXPECT_EQ(test, m->said[at].old, KVMHB_LATE);
	KUNIT_EXPECT_EQ(test, m->said[at].new.cause, KVMHB_CAUSE_UNKNOWN);
	KUNIT_EXPECT_GE(test, m->said[at].at_ns, armed_at_ns + 40 * MS);
	KUNIT_EXPECT_EQ(test, m->said[at].outages, 1);

	/* It wakes who is to see it. */
	kvmhb_tally_beat(&m->mon.tally, 0);
	await_report(test, m, KVMHB_ALIVE, &at);
	KUNIT_EXPECT_EQ(test, m->said[at].old, KVMHB_UNRESPONSIVE);
	KUNIT_EXPECT_GE(test, m->said[at].gone_ns, 40 * MS);
	KUNIT_EXPECT_EQ(test, m->said[at].outages, 1);
	KUNIT_EXPECT_EQ(test, m->said[at].downtime_ns, m->said[at].gone_ns);

	/* And falls silent again. */
	await_report(test, m, KVMHB_LATE, &at);
	say(m, KVM_HEARTBEAT_SHUTDOWN);
	expect_verdict(test, m, KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN, "at last");
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&m->mon.turn.timer));
}

/* Whoever may lose his CPU with the lock keeps all looks waiting. */
static bool loses_cpu;

static int show_silence(const struct kvmhb_judgement *judged, char *buf)
{
	loses_cpu = preemptible();
	*(u64 *)buf = judged->silence_ns;
	return judged->verdict.cause;
}

/* What a silence leaves behind. */
static void monitor_counts_silence(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_readings r;
	u64 silence_ns;

	attach_and_arm(m);
	beat(m);
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 0);
	silent_for(m, 7 * HOUR / 5);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "not yet late");
	silent_for(m, HOUR / 5);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 1);
	silent_for(m, 11 * HOUR / 5);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "not yet too late");
	silent_for(m, 2 * HOUR / 5);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent");

	/* So far 4.2 hours: 3 beats did not come. */
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.beats, 2);
	KUNIT_EXPECT_EQ(test, r.missed, 3);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_GE(test, r.last_beat_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_GT(test, r.suspicion_milli, 5000);
	KUNIT_EXPECT_EQ(test, atomic64_read(&m->mon.tally.missed), 0);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_show_judgement(&m->mon, (char *)&silence_ns,
							   show_silence), KVMHB_CAUSE_UNKNOWN);
	KUNIT_EXPECT_FALSE(test, loses_cpu);
	KUNIT_EXPECT_GE(test, silence_ns, 21 * HOUR / 5);

	/* The first beat wakes, once, and is counted with what it ends. */
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 1);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	KUNIT_EXPECT_FALSE(test, m->mon.tally.attention);
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 1);
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.beats, 4);
	KUNIT_EXPECT_EQ(test, r.missed, 3);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_EQ(test, r.downtime_ns, m->said[m->nr_said - 1].gone_ns);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_LT(test, r.last_beat_ns, HOUR);
	KUNIT_EXPECT_EQ(test, r.gaps.n, 2);
	KUNIT_EXPECT_LT(test, r.suspicion_milli, 1000);

	/* A word ends a silence as well. */
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 5);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent again");
	say(m, KVM_HEARTBEAT_ARM);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "armed again");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.missed, 6);
	KUNIT_EXPECT_EQ(test, r.outages, 2);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 42 * HOUR / 5);
	KUNIT_EXPECT_LT(test, r.last_beat_ns, HOUR);
}

/* A time that the guest did not have is not held against it. */
static void monitor_excuses(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	attach_and_arm(m);
	beat(m);
	beat(m);
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	m->mon.watch.host.sleeps--;
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "the host slept");
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 1);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 1);
	KUNIT_EXPECT_EQ(test, read_of(m).outages, 0);
	KUNIT_EXPECT_EQ(test, read_of(m).downtime_ns, 0);
}

/* Who looks when, by what there is to see. */
static void monitor_looks_again(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_monitor *mon = &m->mon;

	attach(m);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&mon->turn), 0);
	say(m, KVM_HEARTBEAT_ARM);
	KUNIT_EXPECT_NOT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_EQ(test, mon->turn.due_at_ns,
			mon->watch.seen_at_ns + MONITOR_BLIND_INTERVALS * HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&mon->turn),
			kvmhb_tally_last_beat_at_ns(&mon->tally) + 3 * HOUR / 2);

	/* A little later it may be late: that is exact. So is a silence. */
	silent_for(m, HOUR + HOUR / 5);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "not yet late");
	KUNIT_EXPECT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&mon->turn.timer));
	silent_for(m, HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	KUNIT_EXPECT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_TRUE(test, mon->tally.attention);

	/* Its CPUs pulse: that is to be seen once an interval. */
	slots_of(&m->pulse)->flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	say(m, KVM_HEARTBEAT_ARM);
	KUNIT_EXPECT_NOT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_EQ(test, mon->turn.beat_due_ns, 0);
	KUNIT_EXPECT_LE(test, mon->turn.due_at_ns, mon->watch.seen_at_ns + 3 * HOUR / 2);
	KUNIT_EXPECT_GT(test, mon->turn.due_at_ns, mon->watch.seen_at_ns + HOUR);

	/* A goodbye is heard at once, and nobody looks from the next look on. */
	kvmhb_monitor_lifecycle(mon, KVM_HEARTBEAT_REBOOT);
	expect_verdict(test, m, KVMHB_STOPPED, KVMHB_CAUSE_REBOOT, "stopped");
	look_now(m);
	KUNIT_EXPECT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_EQ(test, mon->turn.due_at_ns, 0);
}

/* A guest that arms anew by a shorter interval is not looked at by the longer one. */
static void monitor_arms_by_another_interval(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	const u64 interval_ns = SEC, timeout_ns = MINUTE;

	attach_and_arm(m);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, &interval_ns, &timeout_ns), 0);
	KUNIT_EXPECT_TRUE(test, m->mon.retuning);
	m->pulse.header->config_ack = m->pulse.header->config_seq;
	kvmhb_monitor_lifecycle(&m->mon, KVM_HEARTBEAT_ARM);
	flush_work(&m->mon.turn.work);
	KUNIT_EXPECT_FALSE(test, m->mon.retuning);
	KUNIT_EXPECT_LT(test, kvmhb_turn_due_at_ns(&m->mon.turn), ktime_get_ns() + MINUTE);
}

/* What a patrol or the lane may do itself, and what it leaves to a worker. */
static void monitor_takes_turns(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_monitor *mon = &m->mon;

	attach_and_arm(m);
	mutex_lock(&mon->lock);
	KUNIT_EXPECT_FALSE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_LANE, 0));
	KUNIT_EXPECT_FALSE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_PATROL, 1));
	KUNIT_EXPECT_EQ(test, mon->turn.asked_at_ns, 0);
	mutex_unlock(&mon->lock);

	/* Nothing is to be said of it. */
	time_passes(m, HOUR);
	KUNIT_EXPECT_TRUE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_PATROL, 1));
	KUNIT_EXPECT_LT(test, ktime_get_ns() - mon->watch.seen_at_ns, HOUR);

	/* There is, but not by a patrol. */
	time_passes(m, HOUR);
	KUNIT_EXPECT_FALSE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_PATROL, 1));
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "for a worker");
	KUNIT_EXPECT_EQ(test, mon->turn.asked_at_ns, 1);
	KUNIT_EXPECT_TRUE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_LANE, 0));
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "by the lane");
}

/* An hour in which the guest beats, and those of its first CPUs pulse. */
static void living_hour(struct monitor_test *m, unsigned int cpus)
{
	unsigned int nr;

	for (nr = 0; nr < cpus; nr++)
		le64_add_cpu(&slots_of(&m->pulse)[nr].pulses, 1);
	time_passes(m, HOUR);
	beat(m);
	look_now(m);
}

/* A guest with three CPUs that are online. */
static void monitor_stale_cpus(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	DECLARE_BITMAP(cpus, KVMHB_PULSE_MAX_SLOTS);
	unsigned int nr, hour;

	attach(m);
	for (nr = 0; nr < 3; nr++)
		slots_of(&m->pulse)[nr].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	say(m, KVM_HEARTBEAT_ARM);
	for (hour = 0; hour < 3; hour++)
		living_hour(m, 1);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "not yet");
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(cpus, KVMHB_PULSE_MAX_SLOTS));
	living_hour(m, 1);
	expect_verdict(test, m, KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, "two of three");
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_EQ(test, cpus[0], 6);
	KUNIT_EXPECT_EQ(test, m->said[m->nr_said - 1].stale, 2);

	/* Nothing is said twice; other CPUs are. */
	nr = m->nr_said;
	living_hour(m, 1);
	KUNIT_EXPECT_EQ(test, m->nr_said, nr);
	/* Not while a CPU of the host may be why. */
	host_owes = true;
	living_hour(m, 2);
	KUNIT_EXPECT_EQ(test, m->nr_said, nr);
	host_owes = false;
	look_now(m);
	expect_verdict(test, m, KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, "one of three");
	KUNIT_EXPECT_EQ(test, m->nr_said, nr + 1);
	KUNIT_EXPECT_EQ(test, m->said[m->nr_said - 1].stale, 1);
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_EQ(test, cpus[0], 4);
	living_hour(m, 3);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "none of three");
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(cpus, KVMHB_PULSE_MAX_SLOTS));
}

/* A CPU that pulsed as often as it had to is not stale because it has to pulse more often now. */
static void monitor_retunes_who_pulses(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	const u64 interval_ns = 6 * MINUTE, timeout_ns = 12 * MINUTE;
	unsigned int nr;

	attach(m);
	for (nr = 0; nr < 2; nr++)
		slots_of(&m->pulse)[nr].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	say(m, KVM_HEARTBEAT_ARM);
	living_hour(m, 2);
	silent_for(m, HOUR / 2);
	/* The other one is about to pulse. */
	time_passes(m, HOUR / 2);
	le64_add_cpu(&slots_of(&m->pulse)[0].pulses, 1);
	beat(m);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, &interval_ns, &timeout_ns), 0);
	m->pulse.header->config_ack = m->pulse.header->config_seq;
	le64_add_cpu(&slots_of(&m->pulse)[0].pulses, 1);
	beat(m);
	for (nr = 0; nr < 2; nr++) {
		look_now(m);
		expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "by the new one");
	}
	KUNIT_EXPECT_FALSE(test, m->mon.retuning);
	for (nr = 0; nr < 3; nr++) {
		le64_add_cpu(&slots_of(&m->pulse)[0].pulses, 1);
		time_passes(m, 5 * MINUTE);
		beat(m);
		look_now(m);
	}
	expect_verdict(test, m, KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, "it never did");
}

static void pulse_in(struct monitor_test *m, u64 ns)
{
	time_passes(m, ns);
	le64_add_cpu(&slots_of(&m->pulse)[0].pulses, 1);
	look_now(m);
}

/* A guest that comes back pulses before it beats. It is not accused of that. */
static void monitor_stirs(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	unsigned int nr;

	attach(m);
	slots_of(&m->pulse)[0].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	say(m, KVM_HEARTBEAT_ARM);
	silent_for(m, 2 * HOUR);
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "dead");
	nr = m->nr_said;
	pulse_in(m, 2 * HOUR);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	KUNIT_EXPECT_EQ(test, m->nr_said, nr + 1);

	silent_for(m, 2 * HOUR);
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "dead again");
	/* One interrupt is no life, */
	pulse_in(m, 2 * HOUR);
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "dead all the same");
	/* but what goes on is, however often somebody looks meanwhile. */
	pulse_in(m, 2 * HOUR);
	pulse_in(m, HOUR);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "too early to tell");
	pulse_in(m, HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_BEAT_LOST, "it does not beat");
}

/* A crash kernel that beats in the midst of the look that would take it for dead is not. */
static void monitor_judges_by_what_it_asked(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	attach_and_arm(m);
	say(m, KVM_HEARTBEAT_DUMPING);
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "not for long");
	time_passes(m, 2 * HOUR);
	beats_meanwhile = m;
	look_now(m);
	beats_meanwhile = NULL;
	look_now(m);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "it has beaten");
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);
}

/* A guest that beats while the look lasts by which it would be unresponsive never was. */
static void monitor_sees_a_beat_meanwhile(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	unsigned int nr;

	attach_and_arm(m);
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	nr = m->nr_said;
	time_passes(m, 3 * HOUR);
	beats_meanwhile = m;
	look_now(m);
	beats_meanwhile = NULL;
	look_now(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "it has beaten");
	KUNIT_EXPECT_EQ(test, m->nr_said, nr + 1);
}

/* Of a guest whose VM is paused, and which rings all the same, nobody is woken. */
static void monitor_sleeps_through_a_pause(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	attach_and_arm(m);
	kvmhb_monitor_pause(&m->mon);
	beat(m);
	look_now(m);
	beat(m);
	say(m, KVM_HEARTBEAT_DUMPING);
	beat(m);
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 0);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "paused");
	say(m, KVM_HEARTBEAT_ARM);
	silent_for(m, 2 * HOUR);
	kvmhb_monitor_resume(&m->mon);
	look_now(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "goes on");
	KUNIT_EXPECT_EQ(test, m->wakes, 0);
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 1);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
}

/* What a guest does after it was accused says why, whatever it did before. */
static void monitor_sees_why_from_then_on(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	u64 accused_at_ns;

	attach_and_arm(m);
	silent_for(m, 2 * HOUR);
	vcpu_is_unclear = true;
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "unclear");
	accused_at_ns = m->mon.watch.seen_at_ns;
	KUNIT_EXPECT_EQ(test, m->mon.watch.first_at_ns, accused_at_ns);
	silent_for(m, HOUR / 2);
	vcpu_is_unclear = false;
	KUNIT_EXPECT_EQ(test, m->mon.watch.first_at_ns, accused_at_ns);
	KUNIT_EXPECT_GE(test, m->mon.watch.seen_at_ns, accused_at_ns + HOUR / 2);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(monitor_words),
	KUNIT_CASE(monitor_in_time),
	KUNIT_CASE(monitor_counts_silence),
	KUNIT_CASE(monitor_excuses),
	KUNIT_CASE(monitor_looks_again),
	KUNIT_CASE(monitor_arms_by_another_interval),
	KUNIT_CASE(monitor_takes_turns),
	KUNIT_CASE(monitor_judges_by_what_it_asked),
	KUNIT_CASE(monitor_sees_a_beat_meanwhile),
	KUNIT_CASE(monitor_stale_cpus),
	KUNIT_CASE(monitor_retunes_who_pulses),
	KUNIT_CASE(monitor_stirs),
	KUNIT_CASE(monitor_sees_why_from_then_on),
	KUNIT_CASE(monitor_sleeps_through_a_pause),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_monitor",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
