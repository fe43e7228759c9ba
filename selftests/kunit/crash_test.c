// SPDX-License-Identifier: GPL-2.0
/* A kernel crashes without a last word: its oops, its crash kernel, and who is taken for dead. */
#include "moved.h"

static struct monitor_test *armed_monitor(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	attach_and_arm(m);
	time_passes(m, HOUR);
	beat(m);
	time_passes(m, HOUR);
	beat(m);
	return m;
}

/* Not inline, as each call would have readings of its own on the caller's stack. */
static noinline u64 beats_of(struct monitor_test *m)
{
	return read_of(m).beats;
}

static noinline u64 missed_of(struct monitor_test *m)
{
	return read_of(m).missed;
}

static noinline u64 downtime_ns_of(struct monitor_test *m)
{
	return read_of(m).downtime_ns;
}

static noinline u32 lifecycle_of(struct monitor_test *m)
{
	return read_of(m).lifecycle;
}

static noinline u32 panics_of(struct monitor_test *m)
{
	return read_of(m).life.panics;
}

static void expect_counts(struct kunit *test, struct monitor_test *m, u64 outages, u32 boots,
			  u32 panics, const char *when)
{
	struct kvmhb_readings r = read_of(m);

	KUNIT_EXPECT_EQ_MSG(test, r.outages, outages, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, r.life.boots, boots, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, r.life.panics, panics, "%s", when);
}

/* A crash kernel has to beat as any other; what it is said to be is only whether it does. */
static void crash_kernel_beats(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);
	u64 beats = beats_of(m);
	int wakes;

	say(m, KVM_HEARTBEAT_PANIC);
	beat(m);
	KUNIT_EXPECT_EQ(test, beats_of(m), beats);
	time_passes(m, 10 * HOUR);
	say(m, KVM_HEARTBEAT_DUMPING);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "it says so");
	KUNIT_EXPECT_NE_MSG(test, m->mon.turn.due_at_ns, 0, "it is looked at");
	expect_counts(test, m, 0, 1, 1, "it says so");

	wakes = m->wakes;
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "silent, not for long");
	beat(m);
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "since its beat");
	KUNIT_EXPECT_EQ_MSG(test, m->wakes, wakes, "as long as it beats, no beat is news");
	KUNIT_EXPECT_EQ(test, beats_of(m), beats + 1);
	KUNIT_EXPECT_NE_MSG(test, m->mon.turn.due_at_ns, 0, "it is looked at");

	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "for a timeout");
	silent_for(m, 20 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "and long after");
	beat(m);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "it was slow");
	KUNIT_EXPECT_GT(test, m->wakes, wakes);
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "slow, and not for long");
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "silent again");
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "nobody has beaten");
	expect_counts(test, m, 0, 1, 1, "silent again");
	KUNIT_EXPECT_EQ(test, downtime_ns_of(m), 0);

	say(m, KVM_HEARTBEAT_ARM);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "another kernel");
	expect_counts(test, m, 0, 2, 1, "another kernel");
}

/* What a crash kernel may be told after, and what may be told after it. */
static void crash_kernel_words(struct kunit *test)
{
	static const enum kvmhb_state states[] = {
		KVMHB_WAITING, KVMHB_ALIVE, KVMHB_DEGRADED, KVMHB_LATE, KVMHB_UNRESPONSIVE,
		KVMHB_STOPPED, KVMHB_PANICKED,
	};
	static const u32 refused[] = {
		KVM_HEARTBEAT_SHUTDOWN, KVM_HEARTBEAT_REBOOT, KVM_HEARTBEAT_SUSPEND,
		KVM_HEARTBEAT_UNLOAD, KVM_HEARTBEAT_OOPS,
	};
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		const char *what = kvmhb_state_word(states[i]);
		struct monitor_test *m = patient_monitor(test);
		u64 downtime_ns, beats;

		bring_into(m, states[i]);
		say(m, KVM_HEARTBEAT_DUMPING);
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, what);
		KUNIT_EXPECT_EQ_MSG(test, panics_of(m), 1, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, m->mon.outages.count, states[i] == KVMHB_UNRESPONSIVE,
				    "%s", what);
		downtime_ns = downtime_ns_of(m);
		beats = beats_of(m);
		time_passes(m, HOUR);
		KUNIT_EXPECT_EQ_MSG(test, downtime_ns_of(m), downtime_ns, "%s", what);

		for (n = 0; n < ARRAY_SIZE(refused); n++) {
			say(m, refused[n]);
			expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, what);
			KUNIT_EXPECT_EQ(test, lifecycle_of(m), KVM_HEARTBEAT_DUMPING);
		}
		say(m, KVM_HEARTBEAT_PANIC);
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, what);
		beat(m);
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, what);
		KUNIT_EXPECT_EQ_MSG(test, beats_of(m), beats, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, panics_of(m), 1, "%s", what);
		kunit_release_action(test, monitor_test_exit, m);
	}
}

/* A VM that ends in the midst of its dump has panicked, and so has one that is reset. */
static void crash_kernel_ends(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);

	say(m, KVM_HEARTBEAT_DUMPING);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_PANIC, "ends");

	attach_and_arm(m);
	say(m, KVM_HEARTBEAT_DUMPING);
	beat(m);
	kvmhb_monitor_reset(&m->mon);
	expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "is reset");
	silent_for(m, 10 * HOUR);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_PANIC, "ends then");
}

/* Its device alone is reset: its driver says so again, or has not noticed and beats on. */
static void crash_kernel_is_lost(struct kunit *test)
{
	unsigned int notices;

	for (notices = 0; notices < 2; notices++) {
		struct monitor_test *m = armed_monitor(test);

		say(m, KVM_HEARTBEAT_DUMPING);
		kvmhb_monitor_reset(&m->mon);
		expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "reset");
		if (notices) {
			say(m, KVM_HEARTBEAT_DUMPING);
		} else {
			beat(m);
			time_passes(m, HOUR);
			beat(m);
		}
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "dumps on");
		/* Nobody knows that it is not one that crashed once more, in its boot. */
		expect_counts(test, m, 0, 1, 2, "dumps on");
		silent_for(m, 3 * HOUR);
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "not for long");
		silent_for(m, 2 * HOUR);
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "silent");
		kunit_release_action(test, monitor_test_exit, m);
	}

	/* Whoever has panicked and is reset is another kernel when it rings. */
	{
		struct monitor_test *m = armed_monitor(test);

		say(m, KVM_HEARTBEAT_PANIC);
		kvmhb_monitor_reset(&m->mon);
		beat(m);
		time_passes(m, HOUR);
		beat(m);
		expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "panicked, and reset");
	}
}

/* What was concluded the guest says itself: that stays. */
static void crash_is_confirmed(struct kunit *test)
{
	static const u32 words[] = { KVM_HEARTBEAT_OOPS, KVM_HEARTBEAT_DUMPING };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		struct monitor_test *m = armed_monitor(test);
		u64 missed;

		say(m, words[i]);
		silent_for(m, 3 * HOUR);
		silent_for(m, 2 * HOUR);
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "silent");
		missed = missed_of(m);
		KUNIT_EXPECT_EQ(test, missed, 4);
		say(m, KVM_HEARTBEAT_PANIC);
		KUNIT_EXPECT_EQ(test, lifecycle_of(m), KVM_HEARTBEAT_PANIC);
		KUNIT_EXPECT_EQ(test, m->mon.tally.state, KVMHB_PANICKED);
		time_passes(m, HOUR);
		beat(m);
		expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "it rings");
		KUNIT_EXPECT_EQ(test, missed_of(m), missed);
		KUNIT_EXPECT_EQ(test, panics_of(m), 1);
		kunit_release_action(test, monitor_test_exit, m);
	}
}

/* A dump that is taken for dead is given more time. */
static void crash_kernel_is_slow(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);
	const u64 timeout_ns = 10 * HOUR;

	say(m, KVM_HEARTBEAT_DUMPING);
	silent_for(m, 5 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "silent");
	KUNIT_ASSERT_EQ(test, kvmhb_monitor_configure(&m->mon, NULL, &timeout_ns), 0);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "not for so long");
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);
	silent_for(m, 6 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "now for so long");
}

/* A word that says nothing new does not make the host look. */
static void crash_kernel_repeats_itself(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);
	u64 due_at_ns, seen_at_ns;

	say(m, KVM_HEARTBEAT_DUMPING);
	due_at_ns = m->mon.turn.due_at_ns;
	seen_at_ns = m->mon.watch.seen_at_ns;
	kvmhb_monitor_lifecycle(&m->mon, KVM_HEARTBEAT_DUMPING);
	KUNIT_EXPECT_FALSE(test, work_busy(&m->mon.turn.work));
	KUNIT_EXPECT_EQ(test, m->mon.turn.due_at_ns, due_at_ns);
	KUNIT_EXPECT_GE(test, m->mon.watch.seen_at_ns, seen_at_ns);
}

/* An oops that is followed by silence was the end; a beat shows that it was not. */
static void crash_oops(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);
	struct kvmhb_gaps gaps;
	u64 missed;

	say(m, KVM_HEARTBEAT_OOPS);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "it may survive");
	KUNIT_EXPECT_EQ(test, lifecycle_of(m), KVM_HEARTBEAT_OOPS);
	memcpy(&gaps, &m->mon.tally.gaps, sizeof(gaps));
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "silent");
	missed = missed_of(m);
	KUNIT_EXPECT_EQ(test, missed, 1);
	silent_for(m, 2 * HOUR + MINUTE);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "for a timeout");
	expect_counts(test, m, 0, 1, 1, "for a timeout");
	KUNIT_EXPECT_EQ_MSG(test, missed_of(m), 3, "no counter goes back");
	silent_for(m, 6 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "and long after");

	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "it was slow");
	KUNIT_EXPECT_EQ_MSG(test, missed_of(m), 9, "each is missed once");
	KUNIT_EXPECT_EQ(test, memcmp(&m->mon.tally.gaps, &gaps, sizeof(gaps)), 0);
	silent_for(m, HOUR);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "and lives on");
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);
}

/* The CPUs of a guest that is back have their time, whoever has looked since. */
static void crash_oops_and_its_cpus(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvm_heartbeat_slot *slots = slots_of(&m->pulse);
	const u64 delay_ns = 20 * HOUR;
	struct kvmhb_plan plan;
	const struct kvmhb_policy_change change = { .on_panicked = &plan, .delay_ns = &delay_ns };

	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&plan, "pause"), 0);
	KUNIT_ASSERT_EQ(test, kvmhb_react_configure(&m->mon, &change), 0);
	attach(m);
	slots[0].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	slots[1].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	say(m, KVM_HEARTBEAT_ARM);
	say(m, KVM_HEARTBEAT_OOPS);
	silent_for(m, 3 * HOUR);
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "silent");
	time_passes(m, 5 * HOUR);
	slots[0].pulses = cpu_to_le64(1);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	silent_for(m, HOUR);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "the other CPU has its time");
}

/* How long an oops is the reason for a silence: two beats. */
static void crash_oops_survived(struct kunit *test)
{
	unsigned int beats;

	for (beats = 0; beats < 4; beats++) {
		struct monitor_test *m = armed_monitor(test);
		bool survived = beats > 2;
		unsigned int i;

		say(m, KVM_HEARTBEAT_OOPS);
		for (i = 0; i < beats; i++) {
			time_passes(m, HOUR);
			beat(m);
		}
		silent_for(m, 2 * HOUR);
		silent_for(m, 3 * HOUR);
		expect_verdict(test, m, survived ? KVMHB_UNRESPONSIVE : KVMHB_PANICKED,
			       survived ? KVMHB_CAUSE_UNKNOWN : KVMHB_CAUSE_PANIC, "silent");
		expect_counts(test, m, survived, 1, !survived, "silent");
		kunit_release_action(test, monitor_test_exit, m);
	}
}

/* A guest that is accused may still say why. */
static void crash_oops_in_an_outage(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);
	u64 downtime_ns;

	silent_for(m, 2 * HOUR);
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent");
	say(m, KVM_HEARTBEAT_OOPS);	/* and a look */
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "that is why");
	downtime_ns = downtime_ns_of(m);
	expect_goes_on(test, downtime_ns, 5 * HOUR, "the outage ends with that");
	time_passes(m, HOUR);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	KUNIT_EXPECT_EQ(test, downtime_ns_of(m), downtime_ns);
	expect_counts(test, m, 1, 1, 1, "back");
}

/* Who does not beat has nothing to say about it. */
static void crash_oops_unarmed(struct kunit *test)
{
	static const enum kvmhb_state states[] = { KVMHB_WAITING, KVMHB_STOPPED, KVMHB_PANICKED };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct monitor_test *m = patient_monitor(test);
		u32 lifecycle;

		bring_into(m, states[i]);
		lifecycle = lifecycle_of(m);
		say(m, KVM_HEARTBEAT_OOPS);
		KUNIT_EXPECT_EQ(test, lifecycle_of(m), lifecycle);
		silent_for(m, 10 * HOUR);
		KUNIT_EXPECT_EQ(test, read_of(m).verdict.state, states[i]);
		beat(m);
		KUNIT_EXPECT_EQ(test, read_of(m).verdict.state, states[i]);
		kunit_release_action(test, monitor_test_exit, m);
	}
}

/* What a guest is in the midst of when its VM is paused, or goes elsewhere. */
static const struct crash_row {
	const char *what;
	u32 word;
	u64 silence_ns;		/* since then */
	struct kvmhb_verdict verdict;
	struct kvmhb_verdict beats;		/* when it beats then */
	struct kvmhb_verdict silent;		/* or does not, for a timeout */
} crash_rows[] = {
	{ "dumping", KVM_HEARTBEAT_DUMPING, HOUR, { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING },
	  { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING }, { KVMHB_PANICKED, KVMHB_CAUSE_PANIC } },
	{ "dump fallen silent", KVM_HEARTBEAT_DUMPING, 5 * HOUR,
	  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC },
	  { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING }, { KVMHB_PANICKED, KVMHB_CAUSE_PANIC } },
	{ "ended by an oops", KVM_HEARTBEAT_OOPS, 5 * HOUR, { KVMHB_PANICKED, KVMHB_CAUSE_PANIC },
	  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, { KVMHB_PANICKED, KVMHB_CAUSE_PANIC } },
};

static void bring_into_crash(struct monitor_test *m, const struct crash_row *row)
{
	bring_into(m, KVMHB_ALIVE);
	say(m, row->word);
	silent_for(m, row->silence_ns / 2);
	silent_for(m, row->silence_ns / 2);
}

static void expect_crash_goes_on(struct kunit *test, struct monitor_test *m,
				 const struct crash_row *row, bool beats, u64 missed)
{
	const struct kvmhb_verdict *then = beats ? &row->beats : &row->silent;

	KUNIT_EXPECT_EQ_MSG(test, missed_of(m), missed, "%s", row->what);
	kvmhb_monitor_resume(&m->mon);
	look_now(m);
	expect_verdict(test, m, row->verdict.state, row->verdict.cause, row->what);
	KUNIT_EXPECT_EQ_MSG(test, missed_of(m), missed, "%s", row->what);
	if (beats)
		beat(m);
	else
		silent_for(m, 4 * HOUR + MINUTE);
	expect_verdict(test, m, then->state, then->cause, row->what);
	KUNIT_EXPECT_EQ_MSG(test, panics_of(m), 1, "%s", row->what);
	if (!beats)
		return;
	KUNIT_EXPECT_EQ_MSG(test, missed_of(m), missed, "%s", row->what);
	silent_for(m, HOUR);
	expect_verdict(test, m, then->state, then->cause, row->what);
}

static void crash_paused(struct kunit *test)
{
	unsigned int i, beats;

	for (i = 0; i < ARRAY_SIZE(crash_rows); i++) {
		for (beats = 0; beats < 2; beats++) {
			const struct crash_row *row = &crash_rows[i];
			struct monitor_test *m = patient_monitor(test);
			u64 missed;

			bring_into_crash(m, row);
			expect_verdict(test, m, row->verdict.state, row->verdict.cause, row->what);
			missed = missed_of(m);
			kvmhb_monitor_pause(&m->mon);
			time_passes(m, 10 * HOUR);
			look_now(m);
			expect_verdict(test, m, row->verdict.state, row->verdict.cause, row->what);
			expect_crash_goes_on(test, m, row, beats, missed);
			kunit_release_action(test, monitor_test_exit, m);
		}
	}
}

static void crash_moves(struct kunit *test)
{
	unsigned int i, beats;

	for (i = 0; i < ARRAY_SIZE(crash_rows); i++) {
		for (beats = 0; beats < 2; beats++) {
			const struct crash_row *row = &crash_rows[i];
			struct monitor_test *from = patient_monitor(test);
			struct monitor_test *to = target_monitor(test);
			struct luggage *bag;

			bring_into_crash(from, row);
			kvmhb_monitor_pause(&from->mon);
			bag = pack(test, from);
			time_passes(to, HOUR);
			unpack(to, bag);
			expect_verdict(test, to, row->verdict.state, row->verdict.cause, row->what);
			KUNIT_EXPECT_EQ(test, lifecycle_of(to), row->word);
			expect_crash_goes_on(test, to, row, beats, missed_of(from));
			kunit_release_action(test, monitor_test_exit, to);
			kunit_release_action(test, monitor_test_exit, from);
		}
	}
}

/* An oops that a guest has survived is not held against it elsewhere. */
static void crash_survived_moves(struct kunit *test)
{
	unsigned int beats;

	for (beats = 2; beats < 4; beats++) {
		struct monitor_test *from = armed_monitor(test);
		struct monitor_test *to = target_monitor(test);
		unsigned int i;

		from->pulse.header->config_ack = from->pulse.header->config_seq;
		say(from, KVM_HEARTBEAT_OOPS);
		for (i = 0; i < beats; i++) {
			time_passes(from, HOUR);
			beat(from);
		}
		kvmhb_monitor_pause(&from->mon);
		unpack(to, pack(test, from));
		KUNIT_EXPECT_EQ(test, lifecycle_of(to),
				beats > 2 ? KVM_HEARTBEAT_ARM : KVM_HEARTBEAT_OOPS);
		kvmhb_monitor_resume(&to->mon);
		silent_for(to, 2 * HOUR);
		silent_for(to, 3 * HOUR);
		KUNIT_EXPECT_EQ(test, read_of(to).verdict.state,
				beats > 2 ? KVMHB_UNRESPONSIVE : KVMHB_PANICKED);
		kunit_release_action(test, monitor_test_exit, to);
		kunit_release_action(test, monitor_test_exit, from);
	}
}

/* A beat that comes in a pause: the guest moves all the same, and is back when it is resumed. */
static void crash_beats_in_a_pause(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);
	unsigned int i;

	say(m, KVM_HEARTBEAT_OOPS);
	for (i = 0; i < 2; i++) {
		time_passes(m, HOUR);
		beat(m);
	}
	silent_for(m, 3 * HOUR);
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "silent");
	kvmhb_monitor_pause(&m->mon);
	time_passes(m, HOUR);
	beat(m);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "paused");
	pack(test, m);
	time_passes(m, HOUR);
	kvmhb_monitor_resume(&m->mon);
	flush_work(&m->mon.turn.work);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	kunit_release_action(test, monitor_test_exit, m);

	m = armed_monitor(test);
	say(m, KVM_HEARTBEAT_DUMPING);
	kvmhb_monitor_pause(&m->mon);
	time_passes(m, HOUR);
	beat(m);
	time_passes(m, 2 * HOUR);
	kvmhb_monitor_resume(&m->mon);
	expect_goes_on(test, read_of(m).last_beat_ns, 2 * HOUR, "the beat is where it was");
}

/* What the host denied to a crash kernel it has not missed. */
static void crash_kernel_is_starved(struct kunit *test)
{
	struct monitor_test *m = armed_monitor(test);
	u64 missed;

	say(m, KVM_HEARTBEAT_DUMPING);
	missed = missed_of(m);
	time_passes(m, 3 * HOUR);
	mutex_lock(&m->mon.lock);
	m->mon.turn.due_at_ns = ktime_get_ns() - 2 * HOUR;	/* the host is late */
	mutex_unlock(&m->mon.lock);
	look_now(m);
	beat(m);
	KUNIT_EXPECT_EQ(test, missed_of(m), missed);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "starved");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(crash_kernel_beats),
	KUNIT_CASE(crash_kernel_words),
	KUNIT_CASE(crash_kernel_ends),
	KUNIT_CASE(crash_kernel_is_lost),
	KUNIT_CASE(crash_is_confirmed),
	KUNIT_CASE(crash_kernel_is_slow),
	KUNIT_CASE(crash_kernel_repeats_itself),
	KUNIT_CASE(crash_oops),
	KUNIT_CASE(crash_oops_and_its_cpus),
	KUNIT_CASE(crash_oops_survived),
	KUNIT_CASE(crash_oops_in_an_outage),
	KUNIT_CASE(crash_oops_unarmed),
	KUNIT_CASE(crash_paused),
	KUNIT_CASE(crash_moves),
	KUNIT_CASE(crash_survived_moves),
	KUNIT_CASE(crash_beats_in_a_pause),
	KUNIT_CASE(crash_kernel_is_starved),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_crash",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
