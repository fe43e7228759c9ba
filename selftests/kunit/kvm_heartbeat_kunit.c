// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what the host module decides without a clock, a lock or a
 * device. The tested files are included, as they export nothing.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "config_space.c"
#include "names.c"
#include "pulse.c"
#include "rules.c"
#include "suspicion.c"

#include "kvm_heartbeat.h"

#define MS	1000000ULL
#define SEC	(1000 * MS)
#define HOUR	(3600 * SEC)

static void timing_bounds(struct kunit *test)
{
	static const struct {
		u64 interval_ns, timeout_ns;
		int ret;
		u64 effective_ns;
	} rows[] = {
		{ 2 * SEC, 0, 0, 4 * SEC },
		{ 2 * SEC, 5 * SEC, 0, 5 * SEC },
		{ 2 * SEC, 2 * SEC + 1, 0, 2 * SEC + 1 },
		{ 2 * SEC, 2 * SEC, -EINVAL },
		{ 2 * SEC, 1, -EINVAL },
		{ 1 * MS, 0, 0, 2 * MS },
		{ 1 * MS - 1, 0, -ERANGE },
		{ 0, 0, -ERANGE },
		{ HOUR, 0, 0, 2 * HOUR },
		{ HOUR + 1, 0, -ERANGE },
		{ U64_MAX, 0, -ERANGE },
		{ HOUR, 24 * HOUR, 0, 24 * HOUR },
		{ HOUR, 24 * HOUR + 1, -ERANGE },
		{ HOUR, U64_MAX, -ERANGE },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_timing t = { 7, 9 };

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_timing_make(&t, rows[i].interval_ns,
							    rows[i].timeout_ns),
				    rows[i].ret, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, t.interval_ns,
				    rows[i].ret ? 7 : rows[i].interval_ns, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, t.timeout_ns,
				    rows[i].ret ? 9 : rows[i].effective_ns, "row %d", i);
	}
}

static void timing_patient(struct kunit *test)
{
	const struct kvmhb_timing slow = { 2 * SEC, 4 * SEC };
	const struct kvmhb_timing fast = { 200 * MS, 10 * SEC };
	struct kvmhb_timing t;

	t = kvmhb_timing_patient(&slow, &fast);
	KUNIT_EXPECT_EQ(test, t.interval_ns, 2 * SEC);
	KUNIT_EXPECT_EQ(test, t.timeout_ns, 10 * SEC);
	t = kvmhb_timing_patient(&fast, &slow);
	KUNIT_EXPECT_EQ(test, t.interval_ns, 2 * SEC);
	KUNIT_EXPECT_EQ(test, t.timeout_ns, 10 * SEC);
}

static void late_is_between(struct kunit *test)
{
	static const struct {
		struct kvmhb_timing t;
		u64 late_ns;
	} rows[] = {
		{ { 2 * SEC, 4 * SEC }, 3 * SEC },
		{ { 2 * SEC, 60 * SEC }, 3 * SEC },
		{ { 2 * SEC, 3 * SEC }, 2500 * MS },
		{ { 2 * SEC, 2 * SEC + 1 }, 2 * SEC },
		{ { HOUR, 24 * HOUR }, HOUR + HOUR / 2 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_late_ns(&rows[i].t), rows[i].late_ns,
				    "row %d", i);
}

static void judge_rows(struct kunit *test)
{
	const struct kvmhb_timing t = { 2 * SEC, 4 * SEC };
	static const struct {
		enum kvmhb_state old;
		u64 silence_ns;
		enum kvmhb_state new;
		u64 deadline_ns;
	} rows[] = {
		{ KVMHB_ALIVE, 0, KVMHB_ALIVE, 3 * SEC },
		{ KVMHB_ALIVE, 3 * SEC - 1, KVMHB_ALIVE, 3 * SEC },
		{ KVMHB_ALIVE, 3 * SEC, KVMHB_LATE, 4 * SEC },
		/* However long the silence, late comes first. */
		{ KVMHB_ALIVE, 4 * SEC, KVMHB_LATE, 4 * SEC },
		{ KVMHB_ALIVE, HOUR, KVMHB_LATE, 4 * SEC },
		{ KVMHB_LATE, 0, KVMHB_ALIVE, 3 * SEC },
		{ KVMHB_LATE, 4 * SEC - 1, KVMHB_LATE, 4 * SEC },
		{ KVMHB_LATE, 4 * SEC, KVMHB_UNRESPONSIVE, KVMHB_NO_DEADLINE },
		{ KVMHB_UNRESPONSIVE, HOUR, KVMHB_UNRESPONSIVE, KVMHB_NO_DEADLINE },
		{ KVMHB_UNRESPONSIVE, 1, KVMHB_ALIVE, 3 * SEC },
		/* The timeout was raised in the middle of an outage. */
		{ KVMHB_UNRESPONSIVE, 3500 * MS, KVMHB_LATE, 4 * SEC },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 deadline_ns = 0;

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_judge(&t, rows[i].old, rows[i].silence_ns,
						      &deadline_ns),
				    rows[i].new, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, deadline_ns, rows[i].deadline_ns, "row %d", i);
	}
}

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
	};
	static const u32 nonsense[] = { KVM_HEARTBEAT_NONE, 7, 0x100, 0x80000001, U32_MAX };
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
				rows[i].word == KVM_HEARTBEAT_ARM);
		KUNIT_EXPECT_EQ(test, v.state, rows[i].word == KVM_HEARTBEAT_ARM ?
				KVMHB_ALIVE : KVMHB_PANICKED);
	}

	for (i = 0; i < ARRAY_SIZE(nonsense); i++) {
		v = (struct kvmhb_verdict) { KVMHB_LATE, KVMHB_CAUSE_UNKNOWN };
		KUNIT_EXPECT_FALSE(test, kvmhb_lifecycle(&v, nonsense[i]));
		KUNIT_EXPECT_EQ(test, v.state, KVMHB_LATE);
		KUNIT_EXPECT_EQ(test, v.cause, KVMHB_CAUSE_UNKNOWN);
	}
}

static void closed_keeps_what_was_said(struct kunit *test)
{
	static const struct {
		struct kvmhb_verdict before;
		enum kvmhb_cause cause;
	} rows[] = {
		{ { KVMHB_WAITING, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ { KVMHB_LATE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, KVMHB_CAUSE_VMM_GONE },
		{ { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN }, KVMHB_CAUSE_SHUTDOWN },
		{ { KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD }, KVMHB_CAUSE_UNLOAD },
		{ { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, KVMHB_CAUSE_PANIC },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_verdict v = kvmhb_closed(&rows[i].before);

		KUNIT_EXPECT_EQ_MSG(test, v.state, KVMHB_DETACHED, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, v.cause, rows[i].cause, "row %d", i);
	}
}

static void armed_states(struct kunit *test)
{
	int state;

	for (state = 0; state < KVMHB_NR_STATES; state++)
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_state_is_armed(state),
				    state == KVMHB_ALIVE || state == KVMHB_LATE ||
				    state == KVMHB_UNRESPONSIVE, "state %d", state);
}

static void missed_beats(struct kunit *test)
{
	static const struct {
		u64 gap_ns, interval_ns, missed;
	} rows[] = {
		{ 0, SEC, 0 },
		{ SEC, SEC, 0 },
		{ 1500 * MS - 1, SEC, 0 },
		{ 1500 * MS, SEC, 1 },
		{ 2 * SEC, SEC, 1 },
		{ 2500 * MS - 1, SEC, 1 },
		{ 2500 * MS, SEC, 2 },
		{ 24 * HOUR, MS, 24 * 3600 * 1000 - 1 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_missed(rows[i].gap_ns, rows[i].interval_ns),
				    rows[i].missed, "row %d", i);
}

static void gap_statistics(struct kunit *test)
{
	static const u64 ms[] = { 100, 200, 125, 340, 130 };
	struct kvmhb_gaps gaps = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(ms); i++)
		kvmhb_gaps_add(&gaps, ms[i] * MS);

	KUNIT_EXPECT_EQ(test, gaps.n, 5);
	KUNIT_EXPECT_EQ(test, gaps.sum_ns, 895 * MS);
	KUNIT_EXPECT_EQ(test, gaps.min_ns, 100 * MS);
	KUNIT_EXPECT_EQ(test, gaps.max_ns, 340 * MS);
	/* By hand: mean 100, 112.5, 114.0625, 142.3046875, 140.7666015625 ms */
	KUNIT_EXPECT_EQ(test, gaps.mean8_ns, 1126132813LL);
	/* By hand: dev 50, 62.5, 50, 93.984375, 73.564453125 ms */
	KUNIT_EXPECT_EQ(test, gaps.dev4_ns, 294257812LL);
}

static void gap_statistics_of_a_steady_guest(struct kunit *test)
{
	struct kvmhb_gaps gaps = {};
	int i;

	for (i = 0; i < 1000; i++)
		kvmhb_gaps_add(&gaps, 2 * SEC);
	KUNIT_EXPECT_EQ(test, gaps.mean8_ns >> 3, (s64)(2 * SEC));
	KUNIT_EXPECT_EQ(test, gaps.dev4_ns >> 2, 0LL);
}

static void phi_vectors(struct kunit *test)
{
	/* Akka's specification asks for the same to a tenth, its start for three of them. */
	static const struct {
		u64 silence, mean, sd, milli;
	} rows[] = {
		{ 0, 1000, 100, 0 }, { 500, 1000, 100, 0 }, { 1000, 1000, 100, 301 },
		{ 1200, 1000, 100, 1643 }, { 1400, 1000, 100, 4737 },
		{ 1600, 1000, 100, 10783 }, { 1700, 1000, 100, 15369 },
		{ 0, 0, 10, 301 }, { 6, 0, 10, 562 }, { 15, 0, 10, 1174 },
		{ 20, 0, 10, 1643 }, { 25, 0, 10, 2216 }, { 35, 0, 10, 3742 },
		{ 40, 0, 10, 4737 }, { 10, 0, 1, 37587 }, { 0, 25, 1, 0 },
		{ 22, 20, 3, 598 }, { 1000, 1000, 250, 301 },
		{ 2000, 1000, 250, 4737 }, { 3000, 1000, 250, 21243 },
		/* The ends of the world. */
		{ 64, 0, 1, 8078852 }, { 65, 0, 1, 8078852 },
		{ U64_MAX, 0, 0, 8078852 }, { 0, U64_MAX, 1, 0 },
		{ U64_MAX, 0, U64_MAX, 800 }, { HOUR, HOUR, HOUR, 301 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, rows[i].milli,
				    kvmhb_phi_milli(rows[i].silence, rows[i].mean, rows[i].sd),
				    "row %d", i);
}

static void phi_never_falls(struct kunit *test)
{
	u64 silence_ns, milli, before = 0;

	for (silence_ns = 0; silence_ns < 10 * SEC; silence_ns += 123457) {
		milli = kvmhb_phi_milli(silence_ns, 2 * SEC, 100 * MS);
		KUNIT_ASSERT_GE(test, milli, before);
		before = milli;
	}
	KUNIT_EXPECT_EQ(test, before, 8078852);
}

static void suspicion_of_a_guest(struct kunit *test)
{
	struct kvmhb_gaps gaps = {};
	int i;

	/* Nothing is known: a quarter of the interval, as with Akka's start. */
	KUNIT_EXPECT_EQ(test, kvmhb_suspicion_milli(&gaps, SEC, 0), 0);
	KUNIT_EXPECT_EQ(test, kvmhb_suspicion_milli(&gaps, SEC, SEC), 301);
	KUNIT_EXPECT_EQ(test, kvmhb_suspicion_milli(&gaps, SEC, 2 * SEC), 4737);

	/* As regular as can be: a tenth. */
	for (i = 0; i < 100; i++)
		kvmhb_gaps_add(&gaps, SEC);
	KUNIT_EXPECT_EQ(test, kvmhb_suspicion_milli(&gaps, SEC, SEC), 301);
	KUNIT_EXPECT_EQ(test, kvmhb_suspicion_milli(&gaps, SEC, 1400 * MS), 4737);

	/* It begins to vary: the same silence is less suspicious. */
	kvmhb_gaps_add(&gaps, 3 * SEC);
	KUNIT_EXPECT_EQ(test, gaps.mean8_ns >> 3, (s64)(1250 * MS));
	KUNIT_EXPECT_EQ(test, gaps.dev4_ns >> 2, (s64)(500 * MS));
	KUNIT_EXPECT_EQ(test, kvmhb_suspicion_milli(&gaps, SEC, 1400 * MS),
			kvmhb_phi_milli(1400 * MS, 1250 * MS, 500 * MS * 321 / 256));
	KUNIT_EXPECT_LT(test, kvmhb_suspicion_milli(&gaps, SEC, 1400 * MS), 600);
}

static void names_are_the_documented_words(struct kunit *test)
{
	static const char * const states[] = {
		"detached", "waiting", "alive", "late", "unresponsive", "stopped", "panicked",
	};
	static const char * const causes[] = {
		"none", "shutdown", "reboot", "suspend", "unload", "panic", "vmm-gone", "unknown",
	};
	int i;

	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(states), KVMHB_NR_STATES);
	for (i = 0; i < KVMHB_NR_STATES; i++)
		KUNIT_EXPECT_STREQ(test, kvmhb_state_name(i), states[i]);
	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(causes), KVMHB_NR_CAUSES);
	for (i = 0; i < KVMHB_NR_CAUSES; i++)
		KUNIT_EXPECT_STREQ(test, kvmhb_cause_name(i), causes[i]);
}

static void pulse_page(struct kunit *test)
{
	const struct kvmhb_timing slow = { 2 * SEC, 4 * SEC };
	const struct kvmhb_timing fast = { 200 * MS, 400 * MS };
	static const struct {
		unsigned int nr_vcpus;
		size_t size;
		u32 nr_slots;
	} sizes[] = {
		{ 0, SZ_4K, 62 },
		{ 62, SZ_4K, 62 },
		{ 63, SZ_8K, 126 },
		{ 1022, SZ_64K, 1022 },
		{ 1023, SZ_64K, 1022 },
		{ UINT_MAX, SZ_64K, 1022 },
	};
	struct kvmhb_pulse pulse;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, sizes[i].nr_vcpus), 0);
		KUNIT_EXPECT_EQ(test, pulse.size, sizes[i].size);
		KUNIT_EXPECT_EQ(test, pulse.nr_slots, sizes[i].nr_slots);
		kvmhb_pulse_uninit(&pulse);
	}

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	kvmhb_pulse_reset(&pulse, &slow);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->magic), KVM_HEARTBEAT_MAGIC);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->nr_slots), 62);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 2);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pulse.header->interval_ns), 2 * SEC);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pulse.header->timeout_ns), 4 * SEC);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);

	pulse.header->config_ack = pulse.header->config_seq;
	KUNIT_EXPECT_EQ(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);

	kvmhb_pulse_publish(&pulse, &fast);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 4);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pulse.header->interval_ns), 200 * MS);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);

	/* What the guest scribbles over the host's words does not come back. */
	memset(pulse.header, 0xff, pulse.size);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);
	kvmhb_pulse_publish(&pulse, &slow);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 6);
	KUNIT_EXPECT_EQ(test, pulse.nr_slots, 62);

	/* An acknowledgment from before a reset is none after it. */
	pulse.header->config_ack = pulse.header->config_seq;
	kvmhb_pulse_reset(&pulse, &slow);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_ack), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 8);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);
	kvmhb_pulse_uninit(&pulse);
}

static u32 config_long(const struct kvmhb_config_space *space, unsigned int at)
{
	return space->value[at] | space->value[at + 1] << 8 |
	       space->value[at + 2] << 16 | (u32)space->value[at + 3] << 24;
}

static void config_space(struct kunit *test)
{
	struct kvmhb_config_space *space;
	static u8 ones[PCI_CFG_SPACE_SIZE];
	static const u8 zeros[PCI_CFG_SPACE_SIZE];

	space = kunit_kzalloc(test, sizeof(*space), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, space);
	memset(ones, 0xff, sizeof(ones));

	kvmhb_config_space_init(space, SZ_4K, SZ_64K);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_VENDOR_ID), 0x48421234);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_CLASS_REVISION), 0x08800001);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00800005);

	/* All ones everywhere: the sizing of the BARs, and nothing else moves. */
	kvmhb_config_space_write(space, 0, ones, sizeof(ones));
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_VENDOR_ID), 0x48421234);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_COMMAND), 0x00100406);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_CLASS_REVISION), 0x08800001);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_0), 0xfffff000);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_1), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_2), 0xffff0008);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_3), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_ROM_ADDRESS), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00810005);

	/* And back to zero, with what is hard-wired left as it is. */
	kvmhb_config_space_write(space, 0, zeros, sizeof(zeros));
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_VENDOR_ID), 0x48421234);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_COMMAND), 0x00100000);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_2), 0x00000008);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00800005);

	/* A single byte in the middle of a BAR. */
	kvmhb_config_space_init(space, SZ_4K, SZ_64K);
	kvmhb_config_space_write(space, PCI_BASE_ADDRESS_0 + 3, ones, 1);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_0), 0xff000000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(timing_bounds),
	KUNIT_CASE(timing_patient),
	KUNIT_CASE(late_is_between),
	KUNIT_CASE(judge_rows),
	KUNIT_CASE(lifecycle_words),
	KUNIT_CASE(closed_keeps_what_was_said),
	KUNIT_CASE(armed_states),
	KUNIT_CASE(missed_beats),
	KUNIT_CASE(gap_statistics),
	KUNIT_CASE(gap_statistics_of_a_steady_guest),
	KUNIT_CASE(phi_vectors),
	KUNIT_CASE(phi_never_falls),
	KUNIT_CASE(suspicion_of_a_guest),
	KUNIT_CASE(names_are_the_documented_words),
	KUNIT_CASE(pulse_page),
	KUNIT_CASE(config_space),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of the heartbeat monitor");
MODULE_AUTHOR("The kvm-heartbeat authors");
MODULE_LICENSE("GPL");
