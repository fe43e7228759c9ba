// SPDX-License-Identifier: GPL-2.0
#include "moved.h"

#include "move.c"

/* In which state a guest is paused, and in which it goes on. */
static const struct pause_row {
	struct kvmhb_verdict before, paused, after;
} pause_rows[] = {
#define PAUSED	{ KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }
	{ { KVMHB_WAITING }, { KVMHB_WAITING }, { KVMHB_WAITING } },
	{ { KVMHB_ALIVE }, PAUSED, { KVMHB_ALIVE } },
	{ { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, PAUSED,
	  { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE } },
	{ { KVMHB_LATE }, PAUSED, { KVMHB_ALIVE } },
	{ { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN },
	  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN } },
	{ { KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND }, { KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND },
	  { KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND } },
	{ { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, { KVMHB_PANICKED, KVMHB_CAUSE_PANIC },
	  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC } },
#undef PAUSED
};

/* A guest that goes on: its next beat ends no gap, and it is judged as if it had just beaten. */
static void expect_lives_on(struct kunit *test, struct monitor_test *m, const char *what)
{
	struct kvmhb_readings before, r;
	unsigned int i;

	before = read_of(m);
	KUNIT_EXPECT_LE_MSG(test, before.last_beat_ns, MINUTE, "%s", what);
	silent_for(m, 7 * HOUR / 5);
	KUNIT_EXPECT_TRUE_MSG(test, kvmhb_state_beats(m->mon.verdict.state), "%s", what);
	beat(m);
	r = read_of(m);
	KUNIT_EXPECT_EQ_MSG(test, r.beats, before.beats + 1, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(&r.gaps, &before.gaps, sizeof(r.gaps)), 0, "%s", what);
	time_passes(m, HOUR);
	beat(m);
	r = read_of(m);
	KUNIT_EXPECT_EQ_MSG(test, r.gaps.n, before.gaps.n + 1, "%s", what);
	KUNIT_EXPECT_LE_MSG(test, r.gaps.max_ns, HOUR + MINUTE, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, r.missed, before.missed, "%s", what);
	silent_for(m, 8 * HOUR / 5);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, what);
	for (i = 0; i + 1 < m->nr_said; i++)
		KUNIT_EXPECT_NE_MSG(test, m->said[i].old == KVMHB_PAUSED &&
				    m->said[i].new.state == KVMHB_LATE, true, "%s", what);
}

/* The outage goes on, and ends with a beat. */
static void expect_outage_ends(struct kunit *test, struct monitor_test *m,
			       const struct kvmhb_readings *before)
{
	struct kvmhb_readings r = read_of(m);

	expect_goes_on(test, r.last_beat_ns, before->last_beat_ns, "the silence");
	time_passes(m, HOUR);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	r = read_of(m);
	expect_goes_on(test, r.downtime_ns, before->downtime_ns + HOUR, "downtime");
	KUNIT_EXPECT_EQ(test, r.outages, before->outages);
	KUNIT_EXPECT_EQ(test, r.missed, before->missed + 1);
	KUNIT_EXPECT_EQ(test, memcmp(&r.gaps, &before->gaps, sizeof(r.gaps)), 0);
}

static void move_pause_and_resume(struct kunit *test)
{
	const struct pause_row *row;

	for (row = pause_rows; row < pause_rows + ARRAY_SIZE(pause_rows); row++) {
		const char *what = kvmhb_state_word(row->before.state);
		struct monitor_test *m = patient_monitor(test);
		struct kvmhb_readings before, r;
		unsigned int said;

		bring_into(m, row->before.state);
		expect_verdict(test, m, row->before.state, row->before.cause, what);
		said = m->nr_said;
		before = read_of(m);
		kvmhb_monitor_pause(&m->mon);
		expect_verdict(test, m, row->paused.state, row->paused.cause, what);
		KUNIT_EXPECT_EQ_MSG(test, m->nr_said - said, row->paused.state == KVMHB_PAUSED,
				    "%s", what);
		r = read_of(m);
		expect_same_counts(test, &r, &before, what);

		/* Its clocks stand still, whoever looks. */
		before = r;
		time_passes(m, 10 * HOUR);
		look_now(m);
		kvmhb_monitor_pause(&m->mon);
		look_now(m);
		expect_verdict(test, m, row->paused.state, row->paused.cause, what);
		r = read_of(m);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(&r, &before, sizeof(r)), 0, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, m->mon.turn.due_at_ns, 0, "%s", what);

		kvmhb_monitor_resume(&m->mon);
		expect_verdict(test, m, row->after.state, row->after.cause, what);
		look_now(m);
		expect_verdict(test, m, row->after.state, row->after.cause, what);
		kvmhb_monitor_resume(&m->mon);
		r = read_of(m);
		expect_same_counts(test, &r, &before, what);
		KUNIT_EXPECT_EQ_MSG(test, !!m->mon.turn.due_at_ns,
				    kvmhb_state_is_armed(row->after.state), "%s", what);
		if (kvmhb_state_beats(row->after.state))
			expect_lives_on(test, m, what);
		else if (row->after.state == KVMHB_UNRESPONSIVE)
			expect_outage_ends(test, m, &before);
		kunit_release_action(test, monitor_test_exit, m);
	}
}

static void move_to_another(struct kunit *test)
{
	const struct pause_row *row;

	for (row = pause_rows; row < pause_rows + ARRAY_SIZE(pause_rows); row++) {
		const char *what = kvmhb_state_word(row->before.state);
		struct monitor_test *from = patient_monitor(test);
		struct monitor_test *to = target_monitor(test);
		struct kvmhb_readings before, r;
		struct luggage *bag;

		bring_into(from, row->before.state);
		from->mon.life.resets = 3;	/* of before */
		kvmhb_monitor_pause(&from->mon);
		before = read_of(from);
		bag = pack(test, from);
		kvmhb_monitor_moves(&from->mon);
		kvmhb_monitor_detach(&from->mon);
		expect_verdict(test, from, KVMHB_DETACHED, KVMHB_CAUSE_MIGRATED, what);

		/* An hour later. */
		time_passes(to, HOUR);
		unpack(to, bag);
		expect_verdict(test, to, row->paused.state, row->paused.cause, what);
		r = read_of(to);
		expect_same_counts(test, &r, &before, what);
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(to->pulse.header->interval_ns), HOUR, "%s",
				    what);
		KUNIT_EXPECT_EQ_MSG(test, le32_to_cpu(to->pulse.header->config_seq),
				    to->pulse.config_seq, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_ack(&to->pulse),
				    kvmhb_pulse_ack(&from->pulse), "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, to->mon.watch.judged.verdict.state,
				    from->mon.watch.judged.verdict.state, "%s", what);

		time_passes(to, HOUR);
		kvmhb_monitor_resume(&to->mon);
		look_now(to);
		expect_verdict(test, to, row->after.state, row->after.cause, what);
		r = read_of(to);
		expect_same_counts(test, &r, &before, what);
		if (kvmhb_state_beats(row->after.state))
			expect_lives_on(test, to, what);
		else if (row->after.state == KVMHB_UNRESPONSIVE)
			expect_outage_ends(test, to, &before);
		kvmhb_monitor_detach(&to->mon);
		expect_verdict(test, to, KVMHB_DETACHED,
			       kvmhb_state_is_armed(row->after.state) ||
			       row->after.state == KVMHB_WAITING ?
			       KVMHB_CAUSE_VMM_GONE : row->after.cause, what);
		kunit_release_action(test, monitor_test_exit, to);
		kunit_release_action(test, monitor_test_exit, from);
	}
}

/* What the guest has yet to acknowledge it may acknowledge where it goes. */
static void move_while_retuning(struct kunit *test)
{
	struct monitor_test *from = patient_monitor(test);
	struct monitor_test *to = target_monitor(test);
	const u64 interval_ns = HOUR / 2;

	bring_into(from, KVMHB_ALIVE);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&from->mon, &interval_ns, NULL), 0);
	KUNIT_EXPECT_TRUE(test, from->mon.retuning);
	kvmhb_monitor_pause(&from->mon);
	unpack(to, pack(test, from));
	kvmhb_monitor_resume(&to->mon);
	look_now(to);
	KUNIT_EXPECT_EQ(test, to->pulse.config_seq, from->pulse.config_seq);
	KUNIT_EXPECT_TRUE(test, to->mon.retuning);
	KUNIT_EXPECT_EQ(test, to->mon.timing.interval_ns, HOUR);
	KUNIT_EXPECT_EQ(test, read_of(to).timing.interval_ns, HOUR / 2);

	/* By the older interval it is not late. */
	silent_for(to, 7 * HOUR / 5);
	expect_verdict(test, to, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "not yet");
	beat(to);
	look_now(to);
	KUNIT_EXPECT_TRUE(test, to->mon.retuning);
	to->pulse.header->config_ack = to->pulse.header->config_seq;
	beat(to);
	look_now(to);
	KUNIT_EXPECT_FALSE(test, to->mon.retuning);
	KUNIT_EXPECT_EQ(test, to->mon.timing.interval_ns, HOUR / 2);
	silent_for(to, 4 * HOUR / 5);
	expect_verdict(test, to, KVMHB_LATE, KVMHB_CAUSE_NONE, "by the new one");
}

/* CPUs that stand still do so where they go, and are known by their numbers. */
static void move_stale_cpus(struct kunit *test)
{
	struct monitor_test *from = patient_monitor(test);
	struct monitor_test *to = target_monitor(test);
	DECLARE_BITMAP(cpus, KVMHB_PULSE_MAX_SLOTS);
	unsigned int hour;

	bring_into(from, KVMHB_ALIVE);
	slots_of(&from->pulse)[2].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	for (hour = 0; hour < 5; hour++) {
		time_passes(from, HOUR);
		beat(from);
		look_now(from);
	}
	expect_verdict(test, from, KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, "CPU 2");
	kvmhb_monitor_pause(&from->mon);
	unpack(to, pack(test, from));
	kvmhb_monitor_resume(&to->mon);
	look_now(to);
	expect_verdict(test, to, KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, "CPU 2 there");
	kvmhb_monitor_stale(&to->mon, cpus);
	KUNIT_EXPECT_EQ(test, cpus[0], 4);
	le64_add_cpu(&slots_of(&to->pulse)[2].pulses, 1);
	beat(to);
	look_now(to);
	expect_verdict(test, to, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "it pulses");
}

/* A snapshot is loaded by the monitor that it is of, and of which the guest was older since. */
static void move_back_in_time(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	const u64 interval_ns = HOUR / 2;
	struct kvmhb_readings before, r;
	struct luggage *bag;
	u32 seq;

	bring_into(m, KVMHB_ALIVE);
	kvmhb_monitor_pause(&m->mon);
	before = read_of(m);
	bag = pack(test, m);
	kvmhb_monitor_resume(&m->mon);

	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, &interval_ns, NULL), 0);
	m->pulse.header->config_ack = m->pulse.header->config_seq;
	beat(m);
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 5);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "since then");
	seq = m->pulse.config_seq;
	unpack(m, bag);
	expect_verdict(test, m, KVMHB_PAUSED, KVMHB_CAUSE_PAUSED, "loaded");
	r = read_of(m);
	expect_same_counts(test, &r, &before, "loaded");

	/* The guest reads its interval anew: that generation was never seen. */
	KUNIT_EXPECT_GT(test, (s32)(m->pulse.config_seq - seq), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(m->pulse.header->config_seq), m->pulse.config_seq);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(m->pulse.header->interval_ns), HOUR);
	KUNIT_EXPECT_FALSE(test, m->mon.retuning);
	kvmhb_monitor_resume(&m->mon);
	look_now(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "goes on");
	expect_lives_on(test, m, "goes on");
}

/* The VMM may do with its device what it likes while its VM is paused. */
static void move_ends_early(struct kunit *test)
{
	const struct pause_row *row;

	for (row = pause_rows; row < pause_rows + ARRAY_SIZE(pause_rows); row++) {
		const char *what = kvmhb_state_word(row->before.state);
		struct monitor_test *m = patient_monitor(test);

		bring_into(m, row->before.state);
		kvmhb_monitor_pause(&m->mon);
		kvmhb_monitor_reset(&m->mon);
		expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, what);
		say(m, KVM_HEARTBEAT_ARM);
		expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, what);
		silent_for(m, 2 * HOUR);
		expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, what);

		kvmhb_monitor_pause(&m->mon);
		kvmhb_monitor_detach(&m->mon);
		expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_VMM_GONE, what);
		KUNIT_EXPECT_EQ_MSG(test, m->mon.turn.due_at_ns, 0, "%s", what);
		attach(m);
		say(m, KVM_HEARTBEAT_ARM);
		silent_for(m, 2 * HOUR);
		expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, what);
		kunit_release_action(test, monitor_test_exit, m);
	}
}

/* A guest that is degraded, and whose silence was noticed first, goes on as degraded. */
static void move_degraded_and_silent(struct kunit *test)
{
	static const struct kvmhb_verdict silent[] = {
		{ KVMHB_LATE, KVMHB_CAUSE_STARVED },
		{ KVMHB_PAUSED, KVMHB_CAUSE_PAUSED },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(silent); i++) {
		const char *what = kvmhb_state_word(silent[i].state);
		struct monitor_test *from = patient_monitor(test);
		struct monitor_test *to = target_monitor(test);

		bring_into(from, KVMHB_DEGRADED);
		mutex_lock(&from->mon.lock);
		kvmhb_monitor_change(&from->mon, silent[i].state, silent[i].cause);
		mutex_unlock(&from->mon.lock);
		kvmhb_monitor_pause(&from->mon);
		expect_verdict(test, from, KVMHB_PAUSED, KVMHB_CAUSE_PAUSED, what);

		unpack(to, pack(test, from));
		kvmhb_monitor_resume(&to->mon);
		expect_verdict(test, to, KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE, what);
		kvmhb_monitor_resume(&from->mon);
		expect_verdict(test, from, KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE, what);
		kunit_release_action(test, monitor_test_exit, to);
		kunit_release_action(test, monitor_test_exit, from);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(move_pause_and_resume),
	KUNIT_CASE(move_to_another),
	KUNIT_CASE(move_while_retuning),
	KUNIT_CASE(move_stale_cpus),
	KUNIT_CASE(move_degraded_and_silent),
	KUNIT_CASE(move_back_in_time),
	KUNIT_CASE(move_ends_early),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_move",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
