// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "words.c"

static void lifecycle_words(struct kunit *test)
{
	static const struct {
		u32 word;
		struct kvmhb_verdict verdict;
	} rows[] = {
		{ KVM_HEARTBEAT_ARM, { KVMHB_ALIVE, KVMHB_CAUSE_NONE } },
		{ KVM_HEARTBEAT_SHUTDOWN, { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN } },
		{ KVM_HEARTBEAT_REBOOT, { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT } },
		{ KVM_HEARTBEAT_SUSPEND, { KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND } },
		{ KVM_HEARTBEAT_UNLOAD, { KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD } },
		{ KVM_HEARTBEAT_PANIC, { KVMHB_PANICKED, KVMHB_CAUSE_PANIC } },
		{ KVM_HEARTBEAT_DUMPING, { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING } },
	};
	static const u32 nonsense[] = { KVM_HEARTBEAT_NONE, 9, 0x100, 0x80000001, U32_MAX };
	struct kvmhb_verdict v;
	int i, state;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (state = KVMHB_WAITING; state < KVMHB_PANICKED; state++) {
			v = (struct kvmhb_verdict) { state, KVMHB_CAUSE_NONE };
			KUNIT_EXPECT_TRUE(test, kvmhb_lifecycle(&v, rows[i].word));
			KUNIT_EXPECT_EQ(test, v.state, rows[i].verdict.state);
			KUNIT_EXPECT_EQ(test, v.cause, rows[i].verdict.cause);
		}

		/* Only arming takes a panic back. */
		v = (struct kvmhb_verdict) { KVMHB_PANICKED, KVMHB_CAUSE_PANIC };
		KUNIT_EXPECT_EQ(test, kvmhb_lifecycle(&v, rows[i].word),
				rows[i].word == KVM_HEARTBEAT_ARM ||
				rows[i].word == KVM_HEARTBEAT_DUMPING);
		KUNIT_EXPECT_EQ(test, v.state, rows[i].word == KVM_HEARTBEAT_ARM ?
				KVMHB_ALIVE : KVMHB_PANICKED);

		/* A crash kernel may panic, too. */
		v = (struct kvmhb_verdict) { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING };
		KUNIT_EXPECT_EQ(test, kvmhb_lifecycle(&v, rows[i].word),
				rows[i].word == KVM_HEARTBEAT_ARM ||
				rows[i].word >= KVM_HEARTBEAT_PANIC);
		KUNIT_EXPECT_EQ(test, v.cause, rows[i].word == KVM_HEARTBEAT_ARM ?
				KVMHB_CAUSE_NONE : rows[i].word == KVM_HEARTBEAT_PANIC ?
				KVMHB_CAUSE_PANIC : KVMHB_CAUSE_DUMPING);
	}

	/* An oops is heard of those that beat, and changes nothing yet. */
	for (state = 0; state < KVMHB_NR_STATES; state++) {
		v = (struct kvmhb_verdict) { state, KVMHB_CAUSE_UNKNOWN };
		KUNIT_EXPECT_EQ(test, kvmhb_lifecycle(&v, KVM_HEARTBEAT_OOPS),
				kvmhb_state_is_armed(state));
		KUNIT_EXPECT_EQ(test, v.state, state);
		KUNIT_EXPECT_EQ(test, v.cause, KVMHB_CAUSE_UNKNOWN);
	}

	for (i = 0; i < ARRAY_SIZE(nonsense); i++) {
		v = (struct kvmhb_verdict) { KVMHB_LATE, KVMHB_CAUSE_UNKNOWN };
		KUNIT_EXPECT_FALSE(test, kvmhb_lifecycle(&v, nonsense[i]));
		KUNIT_EXPECT_EQ(test, v.state, KVMHB_LATE);
		KUNIT_EXPECT_EQ(test, v.cause, KVMHB_CAUSE_UNKNOWN);
	}
}

static void goodbye_lasts_until_the_guest_arms(struct kunit *test)
{
	static const struct {
		struct kvmhb_verdict verdict;
		enum kvmhb_cause goodbye;
	} rows[] = {
		{ { KVMHB_WAITING }, KVMHB_CAUSE_NONE },
		{ { KVMHB_ALIVE }, KVMHB_CAUSE_NONE },
		{ { KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD }, KVMHB_CAUSE_UNLOAD },
		{ { KVMHB_WAITING }, KVMHB_CAUSE_UNLOAD },	/* the device was reset */
		{ { KVMHB_WAITING }, KVMHB_CAUSE_UNLOAD },
		{ { KVMHB_ALIVE }, KVMHB_CAUSE_NONE },
		{ { KVMHB_WAITING }, KVMHB_CAUSE_NONE },
		{ { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN }, KVMHB_CAUSE_SHUTDOWN },
		{ { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, KVMHB_CAUSE_PANIC },
		{ { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING }, KVMHB_CAUSE_PANIC },
		{ { KVMHB_WAITING }, KVMHB_CAUSE_PANIC },
		{ { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_NO_BOOT }, KVMHB_CAUSE_PANIC },
		{ { KVMHB_ALIVE }, KVMHB_CAUSE_NONE },
		{ { KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT }, KVMHB_CAUSE_TRIPLE_FAULT },
		{ { KVMHB_WAITING }, KVMHB_CAUSE_TRIPLE_FAULT },
		{ { KVMHB_DETACHED, KVMHB_CAUSE_TRIPLE_FAULT }, KVMHB_CAUSE_TRIPLE_FAULT },
		{ { KVMHB_ALIVE }, KVMHB_CAUSE_NONE },
		{ { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, KVMHB_CAUSE_NONE },
		{ { KVMHB_LATE, KVMHB_CAUSE_STARVED }, KVMHB_CAUSE_NONE },
		{ { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, KVMHB_CAUSE_NONE },
		{ { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, KVMHB_CAUSE_NONE },
	};
	enum kvmhb_cause goodbye = KVMHB_CAUSE_NONE;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		goodbye = kvmhb_goodbye(goodbye, &rows[i].verdict);
		KUNIT_EXPECT_EQ_MSG(test, goodbye, rows[i].goodbye, "row %d", i);
	}
}

static void armed_states(struct kunit *test)
{
	struct kvmhb_verdict verdict = { KVMHB_UNRESPONSIVE };
	int state;

	for (state = 0; state < KVMHB_NR_STATES; state++) {
		bool beats = state == KVMHB_ALIVE || state == KVMHB_DEGRADED;

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_state_beats(state), beats, "state %d", state);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_state_is_armed(state),
				    beats || state == KVMHB_LATE ||
				    state == KVMHB_UNRESPONSIVE || state == KVMHB_PAUSED,
				    "state %d", state);
	}

	/* But for one that was not armed, and is not for being dead. */
	for (; verdict.cause < KVMHB_NR_CAUSES; verdict.cause++) {
		bool overdue = verdict.cause == KVMHB_CAUSE_NO_BOOT ||
			       verdict.cause == KVMHB_CAUSE_NO_SHUTDOWN;

		KUNIT_EXPECT_EQ(test, kvmhb_verdict_is_overdue(&verdict), overdue);
		KUNIT_EXPECT_EQ(test, kvmhb_verdict_is_armed(&verdict), !overdue);
		KUNIT_EXPECT_EQ(test, kvmhb_verdict_beat_state(&verdict),
				overdue ? KVMHB_STOPPED : KVMHB_UNRESPONSIVE);
	}
}

static void states_of_the_dead(struct kunit *test)
{
	enum kvmhb_state state;

	for (state = 0; state < KVMHB_NR_STATES; state++) {
		const char *word = kvmhb_state_word(state);

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_state_is_outage(state),
				    !strcmp(word, "unresponsive") || !strcmp(word, "panicked"),
				    "%s", word);
	}
}

/* Who is taken for dead, or for dumping, by conclusion alone. */
static void beats_of_the_dead(struct kunit *test)
{
	struct kvmhb_verdict verdict;
	u32 word;

	for (verdict.state = 0; verdict.state < KVMHB_NR_STATES; verdict.state++) {
		for (verdict.cause = 0; verdict.cause < KVMHB_NR_CAUSES; verdict.cause++) {
			bool panicked = verdict.state == KVMHB_PANICKED &&
					verdict.cause == KVMHB_CAUSE_PANIC;

			for (word = 0; word <= KVM_HEARTBEAT_OOPS; word++)
				KUNIT_EXPECT_EQ(test, kvmhb_may_revive(&verdict, word),
						panicked && (word == KVM_HEARTBEAT_DUMPING ||
							     word == KVM_HEARTBEAT_OOPS));
			KUNIT_EXPECT_EQ(test, kvmhb_verdict_beats(&verdict),
					verdict.state == KVMHB_ALIVE ||
					verdict.state == KVMHB_DEGRADED ||
					verdict.cause == KVMHB_CAUSE_DUMPING);
		}
	}
}

/* Streams carry their numbers: what is new is at the end. */
static void names_are_the_documented_words(struct kunit *test)
{
	static const char * const states[] = {
		"detached", "waiting", "alive", "degraded", "late", "unresponsive", "paused",
		"stopped", "panicked",
	};
	static const char * const causes[] = {
		"none", "hung", "halted", "beat-lost", "kvm-error", "partial", "softlockup",
		"userspace", "paused", "starved", "vmm-stuck", "host-blocked", "host-degraded",
		"shutdown", "reboot", "suspend", "unload", "panic", "triple-fault", "vmm-gone",
		"unknown", "migrated", "blocked", "no-boot", "no-shutdown", "dumping",
	};
	int i;

	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(states), KVMHB_NR_STATES);
	for (i = 0; i < KVMHB_NR_STATES; i++)
		KUNIT_EXPECT_STREQ(test, kvmhb_state_word(i), states[i]);
	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(causes), KVMHB_NR_CAUSES);
	for (i = 0; i < KVMHB_NR_CAUSES; i++)
		KUNIT_EXPECT_STREQ(test, kvmhb_cause_word(i), causes[i]);
}

static void list_of_cpus_leaves_room(struct kunit *test)
{
	DECLARE_BITMAP(cpus, KVMHB_PULSE_MAX_SLOTS) = {};
	char buf[KVMHB_CPU_LIST_LEN];
	unsigned int cpu;

	__set_bit(1, cpus);
	kvmhb_cpu_list(buf, cpus);
	KUNIT_EXPECT_STREQ(test, buf, "1");
	bitmap_set(cpus, 3, 3);
	kvmhb_cpu_list(buf, cpus);
	KUNIT_EXPECT_STREQ(test, buf, "1,3-5");
	bitmap_fill(cpus, KVMHB_PULSE_MAX_SLOTS);
	kvmhb_cpu_list(buf, cpus);
	KUNIT_EXPECT_STREQ(test, buf, "0-1021");

	/* 132 characters fit, and one more does not. */
	bitmap_zero(cpus, KVMHB_PULSE_MAX_SLOTS);
	for (cpu = 100; cpu <= 160; cpu += 2)
		__set_bit(cpu, cpus);
	for (cpu = 10; cpu <= 14; cpu += 2)
		__set_bit(cpu, cpus);
	kvmhb_cpu_list(buf, cpus);
	KUNIT_EXPECT_EQ(test, strlen(buf), 3 * 3 + 31 * 4 - 1);
	KUNIT_EXPECT_STREQ(test, buf + 3 * 3 + 29 * 4, "158,160");
	bitmap_zero(cpus, KVMHB_PULSE_MAX_SLOTS);
	for (cpu = 100; cpu <= 164; cpu += 2)
		__set_bit(cpu, cpus);
	__set_bit(1, cpus);
	kvmhb_cpu_list(buf, cpus);
	KUNIT_EXPECT_STREQ(test, buf + 2 + 30 * 4, "160,...");

	/* One by one, until there are too many. */
	bitmap_zero(cpus, KVMHB_PULSE_MAX_SLOTS);
	for (cpu = 100; cpu <= 164; cpu += 2)
		__set_bit(cpu, cpus);
	kvmhb_cpu_list(buf, cpus);
	KUNIT_EXPECT_EQ(test, strlen(buf), 33 * 4 - 1);
	KUNIT_EXPECT_STREQ(test, buf + 31 * 4, "162,164");
	for (; cpu < KVMHB_PULSE_MAX_SLOTS; cpu += 2) {
		__set_bit(cpu, cpus);
		kvmhb_cpu_list(buf, cpus);
		KUNIT_EXPECT_EQ(test, strlen(buf), 32 * 4 + 3);
		KUNIT_EXPECT_STREQ(test, buf + 31 * 4, "162,...");
	}

	/* No number is cut, wherever the end is. */
	__set_bit(0, cpus);
	kvmhb_cpu_list(buf, cpus);
	KUNIT_EXPECT_STREQ(test, buf + 31 * 4 - 2, "160,...");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(lifecycle_words),
	KUNIT_CASE(goodbye_lasts_until_the_guest_arms),
	KUNIT_CASE(armed_states),
	KUNIT_CASE(states_of_the_dead),
	KUNIT_CASE(beats_of_the_dead),
	KUNIT_CASE(names_are_the_documented_words),
	KUNIT_CASE(list_of_cpus_leaves_room),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_words",
	.test_cases = cases,
};

kunit_test_suite(suite);
