// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what the host module decides without a clock, a lock or a
 * device. The tested files are included, as they export nothing.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/kvm.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/suspend.h>

/* A host whose memory is in pieces, if a test says so. */
static bool fragmented;

static void *alloc_row(size_t size, gfp_t gfp)
{
	return fragmented && size > PAGE_SIZE ? NULL : alloc_pages_exact(size, gfp);
}

#undef alloc_pages_exact
#define alloc_pages_exact alloc_row

/* The scheduler's clock, if a test says so. */
static u64 clock_ns;

static u64 sched_clock_ns(void)
{
	return clock_ns ?: local_clock();
}

#define local_clock sched_clock_ns

/* A host whose CPUs answer at once, as those do that have gone offline. */
static int answer_at_once(int cpu, call_single_data_t *question)
{
	return -ENXIO;
}

#define smp_call_function_single_async answer_at_once

#include "config_space.c"
#include "evidence.c"
#include "host.c"
#include "layers.c"
#include "outage.c"
#include "words.c"
#include "pulse.c"
#include "suspicion.c"
#include "timing.c"
#include "vcpu.c"
#include "verdict.c"
#include "watch.c"

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

static void timing_resolved(struct kunit *test)
{
	static const struct {
		struct kvmhb_timing timing;
		u64 resolution_ns, interval_ns, timeout_ns;
	} rows[] = {
		{ { 1 * MS, 2 * MS }, 0, 1 * MS, 2 * MS },
		{ { 1 * MS, 2 * MS }, 2 * MS, 1 * MS, 2 * MS },
		{ { 1 * MS, 2 * MS }, 10 * MS, 5 * MS, 10 * MS },
		{ { 9 * MS, 9 * MS + 1 }, 10 * MS, 9 * MS, 10 * MS },
		{ { 1 * MS, 1 * SEC }, 10 * MS, 5 * MS, 1 * SEC },
		{ { 2 * SEC, 4 * SEC }, 200 * MS, 2 * SEC, 4 * SEC },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_timing t = kvmhb_timing_resolved(&rows[i].timing,
							      rows[i].resolution_ns);

		KUNIT_EXPECT_EQ_MSG(test, t.interval_ns, rows[i].interval_ns, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, t.timeout_ns, rows[i].timeout_ns, "row %d", i);
		KUNIT_EXPECT_GT_MSG(test, t.timeout_ns, t.interval_ns, "row %d", i);
	}
}

/* What looks were late of late, for as long as that is. */
static void resolution_of_the_host(struct kunit *test)
{
	lateness.now_ns = 0;
	lateness.before_ns = 0;
	lateness.end = jiffies + HZ;
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 2 * TICK_NSEC);
	kvmhb_host_late(30 * MS);
	kvmhb_host_late(20 * MS);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 60 * MS);

	lateness.end = jiffies - 1;
	kvmhb_host_late(25 * MS);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 60 * MS);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 50 * MS);
	kvmhb_host_late(HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 200 * MS);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 2 * TICK_NSEC);
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
		{ { KVMHB_WAITING }, KVMHB_CAUSE_PANIC },
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
	int state;

	for (state = 0; state < KVMHB_NR_STATES; state++) {
		bool beats = state == KVMHB_ALIVE || state == KVMHB_DEGRADED;

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_state_beats(state), beats, "state %d", state);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_state_is_armed(state),
				    beats || state == KVMHB_LATE ||
				    state == KVMHB_UNRESPONSIVE || state == KVMHB_PAUSED,
				    "state %d", state);
	}
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
		"detached", "waiting", "alive", "degraded", "late", "unresponsive", "paused",
		"stopped", "panicked",
	};
	static const char * const causes[] = {
		"none", "hung", "halted", "beat-lost", "kvm-error", "partial", "softlockup",
		"userspace", "paused", "starved", "vmm-stuck", "host-blocked", "host-degraded",
		"shutdown", "reboot", "suspend", "unload", "panic", "triple-fault", "vmm-gone",
		"unknown",
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

static void pulse_pages(struct kunit *test)
{
	static const struct {
		unsigned long first, nr;
		bool there;
	} rows[] = {
		{ 0, 1, true },
		{ 0, 2, true },
		{ 1, 1, true },
		{ 0, 3, false },
		{ 1, 2, false },
		{ 2, 1, false },
		{ 3, 1, false },
		{ 0, ULONG_MAX, false },
		{ 1, ULONG_MAX, false },
		{ ULONG_MAX, 1, false },
		{ ULONG_MAX, 3, false },
	};
	const struct kvmhb_pulse pulse = { .size = 2 * PAGE_SIZE };
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_has_pages(&pulse, rows[i].first, rows[i].nr),
				    rows[i].there, "row %d", i);
}

/* Many CPUs, and no pages in a row for them. */
static void pulse_of_pieces(struct kunit *test)
{
	const struct kvmhb_timing timing = { 2 * SEC, 4 * SEC };
	struct kvmhb_pulse pulse;
	unsigned long nr;
	int pieces;

	for (pieces = 0; pieces < 2; pieces++) {
		fragmented = pieces;
		KUNIT_EXPECT_EQ(test, kvmhb_pulse_init(&pulse, 1022), 0);
		fragmented = false;
		KUNIT_ASSERT_NOT_NULL(test, pulse.header);
		KUNIT_EXPECT_EQ(test, is_vmalloc_addr(pulse.header), pieces);
		KUNIT_EXPECT_EQ(test, pulse.size, SZ_64K);
		KUNIT_EXPECT_NULL(test, memchr_inv(pulse.header, 0, pulse.size));
		kvmhb_pulse_reset(&pulse, &timing);

		/* What is mapped for the guest is what the host reads. */
		for (nr = 0; nr < SZ_64K / PAGE_SIZE; nr++) {
			u8 *page = page_address(kvmhb_pulse_page(&pulse, nr));

			page[PAGE_SIZE - 1] = nr + 1;
			KUNIT_EXPECT_EQ(test, ((u8 *)pulse.header)[(nr + 1) * PAGE_SIZE - 1],
					nr + 1);
		}
		kvmhb_pulse_uninit(&pulse);
	}
}

static struct kvm_heartbeat_slot *slots_of(const struct kvmhb_pulse *pulse)
{
	return (struct kvm_heartbeat_slot *)(pulse->header + 1);
}

static void pulse_slots(struct kunit *test)
{
	static const struct {
		u32 flags;
		bool online;
	} rows[] = {
		{ 0, false },
		{ KVM_HEARTBEAT_SLOT_ONLINE, true },
		{ ~KVM_HEARTBEAT_SLOT_ONLINE, false },
		{ U32_MAX, true },
	};
	struct kvm_heartbeat_slot *last;
	struct kvmhb_pulse pulse;
	struct kvmhb_slot seen;
	int i;

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 63), 0);
	last = slots_of(&pulse) + pulse.nr_slots - 1;
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)(last + 1), (u8 *)pulse.header + pulse.size);

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		last->flags = cpu_to_le32(rows[i].flags);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_slot(&pulse, 125).online, rows[i].online,
				    "row %d", i);
	}
	last->pulses = cpu_to_le64(0x0123456789abcdefULL);
	last->sched_age_ms = cpu_to_le32(1500);
	seen = kvmhb_pulse_slot(&pulse, 125);
	KUNIT_EXPECT_EQ(test, seen.pulses, 0x0123456789abcdefULL);
	KUNIT_EXPECT_EQ(test, seen.sched_age_ns, 1500 * MS);
	last->sched_age_ms = cpu_to_le32(U32_MAX);
	KUNIT_EXPECT_EQ(test, kvmhb_pulse_slot(&pulse, 125).sched_age_ns, U32_MAX * MS);

	/* Its neighbour is another's. */
	seen = kvmhb_pulse_slot(&pulse, 124);
	KUNIT_EXPECT_FALSE(test, seen.online);
	KUNIT_EXPECT_EQ(test, seen.pulses, 0);
	KUNIT_EXPECT_EQ(test, seen.sched_age_ns, 0);
	kvmhb_pulse_uninit(&pulse);
}

static void pulse_userspace(struct kunit *test)
{
	static const struct {
		u32 timeout_ms, age_ms;
		bool stale;
	} rows[] = {
		{ 0, 0, false },
		{ 0, U32_MAX, false },	/* nobody has opened the watchdog */
		{ 1000, 0, false },
		{ 1000, 999, false },
		{ 1000, 1000, true },
		{ 1000, U32_MAX, true },
		{ U32_MAX, U32_MAX - 1, false },
		{ U32_MAX, U32_MAX, true },
	};
	struct kvmhb_pulse pulse;
	int i;

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		pulse.header->user_timeout_ms = cpu_to_le32(rows[i].timeout_ms);
		pulse.header->user_age_ms = cpu_to_le32(rows[i].age_ms);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_user_stale(&pulse), rows[i].stale,
				    "row %d", i);
	}
	kvmhb_pulse_uninit(&pulse);
}

/* What the scheduler and KVM counted of a second that a vCPU was in KVM_RUN. */
static void run_clock_sums(struct kunit *test)
{
	static const struct {
		const char *what;
		s64 exec_ms, halted_ms, run_delay_ms, queued_ms;
		u64 waited_ms, denied_ms;
	} rows[] = {
		{ "spins", 1000, 0, 0, 0, 0, 0 },
		{ "halted", 0, 1000, 0, 0, 0, 0 },
		{ "works and halts", 400, 600, 0, 0, 0, 0 },
		{ "starved", 50, 0, 950, 0, 950, 950 },
		{ "still starved", 50, 0, 0, 950, 950, 950 },
		{ "starved, and waits again", 50, 0, 550, 400, 950, 950 },
		{ "its wait has ended", 500, 0, 1500, -1000, 500, 500 },
		{ "woken from its halt, but it waits", 0, 1000, 0, 400, 400, 400 },
		{ "stopped, or asleep in the host", 0, 0, 0, 0, 0, 1000 },
		{ "blocked for a while", 700, 0, 0, 0, 0, 300 },
		{ "the CPU time goes back", -5, 0, 0, 0, 0, 1000 },
		{ "the halted time goes back", 1000, -5, 0, 0, 0, 0 },
		{ "the wait goes back", 1000, 0, -5, 0, 0, 0 },
		{ "ran for longer than that", 1700, 0, 0, 0, 0, 0 },
		{ "waited for longer than that", 0, 0, 1700, 0, 1700, 1000 },
	};
	const struct kvmhb_vcpu then = {
		.pid = 7, .task = 'R', .running = true, .exec_ns = 10 * SEC,
		.halted_ns = 10 * SEC, .run_delay_ns = 10 * SEC, .queued_ns = SEC,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_vcpu now = then;

		now.exec_ns += rows[i].exec_ms * (s64)MS;
		now.halted_ns += rows[i].halted_ms * (s64)MS;
		now.run_delay_ns += rows[i].run_delay_ms * (s64)MS;
		now.queued_ns += rows[i].queued_ms * (s64)MS;
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_waited_ns(&then, &now), rows[i].waited_ms * MS,
				    "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_denied_ns(&then, &now, SEC),
				    rows[i].denied_ms * MS, "%s", rows[i].what);
	}
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &then, 0), 0);
}

/* Where a vCPU was, in a second through all of which its thread executed. */
static void run_clock_places(struct kunit *test)
{
	static const struct {
		const char *what;
		struct kvmhb_vcpu then, now;
		u64 denied_ms;
	} rows[] = {
		{ "in KVM_RUN", { .pid = 7, .running = true }, { .pid = 7, .running = true }, 0 },
		{ "outside", { .pid = 7 }, { .pid = 7 }, 1000 },
		{ "outside, but it came and went", { .pid = 7 }, { .pid = 7, .exits = 1 }, 0 },
		{ "in the host's kernel", { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true, .kernel = true }, 1000 },
		{ "there again", { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true, .kernel = true, .exits = 1 }, 0 },
		{ "there before", { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true }, 0 },
		{ "there since", { .pid = 7, .running = true },
		  { .pid = 7, .running = true, .kernel = true }, 0 },
		{ "there, but it halted for half of it",
		  { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true, .kernel = true, .halted_ns = 500 * MS }, 500 },
		{ "it left", { .pid = 7, .running = true }, { .pid = 7 }, 0 },
		{ "it came", { .pid = 7 }, { .pid = 7, .running = true }, 0 },
		{ "halted by the VMM", { .pid = 7 }, { .pid = 7, .halted = true }, 0 },
		{ "step by step", { .pid = 7, .exits = 1, .stepped = true },
		  { .pid = 7, .running = true, .exits = 9, .stepped = true }, 1000 },
		{ "stepped now", { .pid = 7, .running = true },
		  { .pid = 7, .exits = 9, .stepped = true }, 1000 },
		{ "stepped before", { .pid = 7, .exits = 1, .stepped = true },
		  { .pid = 7, .running = true, .exits = 9 }, 1000 },
		{ "another thread", { .pid = 7, .running = true }, { .pid = 8, .running = true },
		  1000 },
		{ "its first thread", {}, { .pid = 7, .running = true }, 1000 },
		{ "its thread has ended", { .pid = 7, .running = true }, {}, 0 },
		{ "no thread yet", {}, {}, 0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_vcpu now = rows[i].now;

		now.exec_ns = rows[i].then.exec_ns + SEC;
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_denied_ns(&rows[i].then, &now, SEC),
				    rows[i].denied_ms * MS, "%s", rows[i].what);
	}
}

/*
 * Where a vCPU is: executing or about to, busy in the host's kernel, at the VMM, or halted by
 * KVM or by the VMM.
 */
enum place { RUN, KERNEL, OUT, HALT, VMM_HALT };

static struct kvmhb_vcpu vcpu_at(enum place place)
{
	return (struct kvmhb_vcpu) {
		.pid = 7,
		.task = place == RUN || place == KERNEL ? 'R' : 'S',
		.running = place == RUN || place == KERNEL || place == HALT,
		.kernel = place == KERNEL || place == HALT,
		.halted = place == HALT || place == VMM_HALT,
		.exec_ns = 10 * SEC,
	};
}

/* What wakes a halted vCPU for nothing makes its halt seem to begin anew. */
static void run_clock_halts(struct kunit *test)
{
	struct kvmhb_vcpu then = vcpu_at(HALT), now = vcpu_at(HALT), out = vcpu_at(OUT);

	then.halted_ns = 9 * SEC;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), 0);
	now.queued_ns = 300 * MS;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), 300 * MS);
	now.queued_ns = 2 * SEC;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), SEC);
	now.queued_ns = 0;

	/* It may have been paused, or have run, in between. */
	now.signals++;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), SEC);
	now.signals--;
	now.exits++;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), SEC);
	now.exits--;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&out, &now, SEC), SEC);
}

/* What the scheduler says of the thread of a vCPU, a look a second. */
static void run_clock_stints(struct kunit *test)
{
	static const struct {
		const char *what;
		enum place place;
		bool on_cpu;
		/* When it got the CPU, and what it had executed, as far as it is counted. */
		u64 arrived_ms, picked_ms, exec_ms;
		u64 halts_ms;	/* that have ended */
		u64 denied_ms;
	} rows[] = {
		{ "executes", RUN, true, 900, 4900, 5000, 0, 1000 },	/* nobody knows */
		{ "goes on, the last ms not counted yet", RUN, true, 900, 4900, 5999, 0, 0 },
		{ "halts after 300 ms", HALT, false, 900, 4900, 6300, 0, 0 },
		{ "goes on", HALT, false, 900, 4900, 6300, 0, 0 },
		{ "200 ms more, stopped for 700, runs for 50, halts", HALT, false,
		  4900, 6300, 6350, 1900, 700 },
		{ "100 ms more, stopped for 500, runs for 300, halts", HALT, false,
		  5600, 6350, 6650, 2050, 500 },
		{ "has run since 200 ms ago, the last one not counted yet", RUN, true, 6800, 6650,
		  6849, 2950, 0 },
		{ "waits for a CPU after 600 ms", RUN, false, 6800, 6650, 7450, 2950, 400 },
		{ "has run for a second, but 700 ms of it were stolen", RUN, true, 8000, 7450, 7750,
		  2950, 700 - 2 * TICK_NSEC / MS },
	};
	struct task_struct *task = kunit_kzalloc(test, sizeof(*task), GFP_KERNEL);
	static const int prios[] = { DEFAULT_PRIO, 0, -1 };
	int p, i;

	KUNIT_ASSERT_NOT_NULL(test, task);
	task->signal = kunit_kzalloc(test, sizeof(*task->signal), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, task->signal);
	task->pid = 7;
	for (p = 0; p < ARRAY_SIZE(prios); p++) {
		struct kvmhb_vcpu then = {};

		task->prio = prios[p];
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			struct kvmhb_vcpu now = vcpu_at(rows[i].place);

			now.exits = rows[i].arrived_ms;
			now.halted_ns = rows[i].halts_ms * MS;
			task->on_cpu = rows[i].on_cpu;
			task->sched_info.last_arrival = rows[i].arrived_ms * MS;
			task->se.sum_exec_runtime = rows[i].exec_ms * MS;
			if (prios[p] >= MAX_RT_PRIO)
				task->se.prev_sum_exec_runtime = rows[i].picked_ms * MS;
			clock_ns = (i + 1) * SEC;
			evidence_read_task(task, &then, &now);
			clock_ns = 0;
			KUNIT_EXPECT_EQ_MSG(test, kvmhb_denied_ns(&then, &now, SEC),
					    rows[i].denied_ms * MS, "prio %d: %s", prios[p],
					    rows[i].what);
			then = now;
		}
	}
}

/* Killed, and nobody has told the thread yet. */
static void evidence_of_ending(struct kunit *test)
{
	struct task_struct *task = kunit_kzalloc(test, sizeof(*task), GFP_KERNEL);
	struct kvmhb_vcpu seen = vcpu_at(RUN);

	KUNIT_ASSERT_NOT_NULL(test, task);
	task->signal = kunit_kzalloc(test, sizeof(*task->signal), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, task->signal);
	task->pid = 7;

	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'R');
	sigaddset(&task->pending.signal, SIGUSR1);
	set_tsk_thread_flag(task, TIF_SIGPENDING);
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'R');

	sigaddset(&task->pending.signal, SIGKILL);
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'X');
	KUNIT_EXPECT_EQ(test, kvmhb_doing(&seen, &seen, &seen, SEC), KVMHB_ABSENT);
	sigdelset(&task->pending.signal, SIGKILL);
	task->signal->flags = SIGNAL_GROUP_EXIT;
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'X');
	task->signal->flags = 0;
	task->flags = PF_EXITING;
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'X');
}

#ifdef CONFIG_X86
/* A VM of one vCPU, which is run by the test's own thread. */
static struct kvm_vcpu *make_vcpu(struct kunit *test, struct kvm **kvm)
{
	struct kvm_vcpu *vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);

	*kvm = kunit_kzalloc(test, sizeof(**kvm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, *kvm);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->run = kunit_kzalloc(test, sizeof(*vcpu->run), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu->run);
	vcpu->wants_to_run = true;
#ifdef KVMHB_HAVE_VCPU_PID_LOCK
	rwlock_init(&vcpu->pid_lock);
	vcpu->pid = task_pid(current);
#else
	rcu_assign_pointer(vcpu->pid, task_pid(current));
#endif
	xa_init(&(*kvm)->vcpu_array);
	KUNIT_ASSERT_FALSE(test, xa_is_err(xa_store(&(*kvm)->vcpu_array, 0, vcpu, GFP_KERNEL)));
	atomic_set(&(*kvm)->online_vcpus, 1);
	return vcpu;
}

/* A CPU that the guest has not started, or has put down by INIT, is none. */
static void evidence_of_unstarted(struct kunit *test)
{
	static const struct {
		unsigned int state;
		bool there;
	} rows[] = {
		{ KVM_MP_STATE_RUNNABLE, true },
		{ KVM_MP_STATE_UNINITIALIZED, false },
		{ KVM_MP_STATE_INIT_RECEIVED, false },
		{ KVM_MP_STATE_HALTED, true },
	};
	struct kvmhb_vcpu seen;
	struct kvm *kvm;
	struct kvm_vcpu *vcpu = make_vcpu(test, &kvm);
	int i;

	vcpu->stat.generic.blocking = true;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		vcpu->arch.mp_state = rows[i].state;
		KUNIT_EXPECT_TRUE(test, kvmhb_evidence_vcpu(kvm, 0, NULL, &seen));
		KUNIT_EXPECT_EQ_MSG(test, seen.pid, rows[i].there ? current->pid : 0, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_doing(&seen, &seen, &seen, SEC),
				    rows[i].there ? KVMHB_HALTING : KVMHB_ABSENT, "row %d", i);
	}
	/* However long it waits, it stops no clock. */
	vcpu->arch.mp_state = KVM_MP_STATE_INIT_RECEIVED;
	KUNIT_EXPECT_TRUE(test, kvmhb_evidence_vcpu(kvm, 0, &seen, &seen));
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&seen, &seen, SEC), 0);
	xa_destroy(&kvm->vcpu_array);
}

/* The VMM's debugger has it: in an instruction, or between two. */
static void evidence_of_steps(struct kunit *test)
{
	static const struct {
		const char *what;
		bool running;
		u32 exit;
		unsigned long debug;
		bool held;
	} rows[] = {
		{ "runs", true },
		{ "runs up to a breakpoint", true, 0,
		  KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP },
		{ "left for the debugger, some time ago", true, KVM_EXIT_DEBUG },
		{ "in a step", true, 0, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, true },
		{ "after a step", false, KVM_EXIT_DEBUG, 0, true },
		{ "before a step", false, KVM_EXIT_INTR,
		  KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, true },
		{ "left for a signal", false, KVM_EXIT_INTR },
	};
	struct kvmhb_vcpu seen;
	struct kvm *kvm;
	struct kvm_vcpu *vcpu = make_vcpu(test, &kvm);
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		vcpu->wants_to_run = rows[i].running;
		vcpu->run->exit_reason = rows[i].exit;
		vcpu->guest_debug = rows[i].debug;
		KUNIT_EXPECT_TRUE(test, kvmhb_evidence_vcpu(kvm, 0, NULL, &seen));
		KUNIT_EXPECT_EQ_MSG(test, seen.stepped, rows[i].held, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, seen.task == 't', rows[i].held, "%s", rows[i].what);
	}
	xa_destroy(&kvm->vcpu_array);
}
#endif

/* In the order in which what applies first is returned. */
static void doing_rows(struct kunit *test)
{
	static const struct {
		const char *what;
		enum place first, then, now;
		char task;	/* if it is not what the place implies */
		u32 exit;
		/* What changed in the second from first to now, or from first to then. */
		u64 exits, irqs, exec_ms;
		bool before;
		u64 queued_ms, delay_ms;	/* at now, and from then to now */
		enum kvmhb_doing doing;
	} rows[] = {
		{ "triple fault", RUN, OUT, OUT, .exit = KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "triple fault, just so", RUN, RUN, OUT, .exit = KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "triple fault, and stopped", RUN, OUT, OUT, 'T', KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "triple fault, and the VMM is gone", RUN, OUT, OUT, '-', KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "a word of old", RUN, RUN, RUN, .exit = KVM_EXIT_SHUTDOWN, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },

		{ "KVM fails", RUN, OUT, OUT, .exit = KVM_EXIT_INTERNAL_ERROR,
		  .doing = KVMHB_FAILED },
		{ "no entry", RUN, RUN, OUT, .exit = KVM_EXIT_FAIL_ENTRY, .doing = KVMHB_FAILED },
		{ "no entry, and stopped", RUN, OUT, OUT, 't', KVM_EXIT_FAIL_ENTRY,
		  .doing = KVMHB_FAILED },
		{ "failed once", RUN, RUN, RUN, .exit = KVM_EXIT_INTERNAL_ERROR, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "no entry once", HALT, HALT, HALT, .exit = KVM_EXIT_FAIL_ENTRY,
		  .doing = KVMHB_HALTING },

		{ "no thread", OUT, OUT, OUT, '-', .doing = KVMHB_ABSENT },
		{ "a zombie", RUN, RUN, RUN, 'Z', .doing = KVMHB_ABSENT },
		{ "dying", RUN, RUN, OUT, 'X', .doing = KVMHB_ABSENT },

		{ "signal", RUN, RUN, RUN, 'T', .doing = KVMHB_STOPPED_BY_HOST },
		{ "debugger", RUN, RUN, RUN, 't', .doing = KVMHB_STOPPED_BY_HOST },
		{ "freezer", HALT, HALT, HALT, 'F', .irqs = 1, .doing = KVMHB_STOPPED_BY_HOST },
		{ "signal at the VMM", RUN, OUT, OUT, 'T', KVM_EXIT_IO,
		  .doing = KVMHB_STOPPED_BY_HOST },

		{ "left", RUN, RUN, OUT, .doing = KVMHB_LEAVING },
		{ "left for I/O", RUN, RUN, OUT, .exit = KVM_EXIT_IO, .doing = KVMHB_LEAVING },
		{ "left a halt", HALT, HALT, OUT, .irqs = 1, .doing = KVMHB_LEAVING },
		{ "left a halt of the VMM", VMM_HALT, VMM_HALT, OUT, .doing = KVMHB_LEAVING },
		{ "asked to leave, and back in time", RUN, OUT, RUN, .exit = KVM_EXIT_IO,
		  .exec_ms = 900, .doing = KVMHB_SPINNING },

		{ "asks the VMM", RUN, OUT, OUT, .exit = KVM_EXIT_MMIO, .doing = KVMHB_IN_VMM },
		{ "asks, and the VMM works", RUN, OUT, OUT, 'R', KVM_EXIT_IO, .exec_ms = 900,
		  .doing = KVMHB_IN_VMM },
		{ "would go on, had it a CPU", RUN, OUT, OUT, 'R', KVM_EXIT_INTR, .queued_ms = 1,
		  .doing = KVMHB_QUEUED },
		{ "and would answer", RUN, OUT, OUT, 'R', KVM_EXIT_IO, .queued_ms = 900,
		  .doing = KVMHB_QUEUED },
		{ "has a CPU, now and then", RUN, OUT, OUT, 'R', KVM_EXIT_IO, .exec_ms = 49,
		  .delay_ms = 50, .doing = KVMHB_QUEUED },
		{ "has a CPU, more often than not", RUN, OUT, OUT, 'R', KVM_EXIT_IO,
		  .exec_ms = 51, .delay_ms = 50, .doing = KVMHB_IN_VMM },
		{ "sleeps in the host's kernel", RUN, OUT, OUT, 'D', KVM_EXIT_INTR,
		  .doing = KVMHB_BLOCKED },
		{ "kept by the VMM", RUN, OUT, OUT, .exit = KVM_EXIT_INTR, .doing = KVMHB_AWAY },
		{ "kept after some life", RUN, OUT, OUT, .exit = KVM_EXIT_INTR, .exits = 9,
		  .irqs = 9, .exec_ms = 900, .before = true, .doing = KVMHB_AWAY },
		{ "comes and goes", OUT, OUT, OUT, .exit = KVM_EXIT_IO, .exits = 1,
		  .doing = KVMHB_UNCLEAR },
		{ "comes and goes, and spins", OUT, OUT, OUT, .exit = KVM_EXIT_IO, .exits = 1,
		  .exec_ms = 900, .doing = KVMHB_SPINNING },

		{ "waits for memory", RUN, RUN, RUN, 'D', .doing = KVMHB_BLOCKED },
		{ "waits for userfaultfd", RUN, RUN, RUN, 'S', .irqs = 1, .doing = KVMHB_BLOCKED },
		{ "waits after it ran", RUN, RUN, RUN, 'D', .exec_ms = 900, .before = true,
		  .doing = KVMHB_BLOCKED },
		{ "waits now and then", RUN, RUN, RUN, 'D', .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "waits for a CPU", RUN, RUN, RUN, .doing = KVMHB_UNCLEAR },
		{ "clears pages", RUN, KERNEL, KERNEL, .irqs = 1, .exec_ms = 900,
		  .doing = KVMHB_BLOCKED },
		{ "would do so, but waits for a CPU", RUN, KERNEL, KERNEL, .exec_ms = 40,
		  .delay_ms = 50, .doing = KVMHB_UNCLEAR },
		{ "waits for a CPU there", RUN, KERNEL, KERNEL, .queued_ms = 900,
		  .doing = KVMHB_UNCLEAR },
		{ "exits all the time", RUN, KERNEL, KERNEL, .exits = 1, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "just came from the guest", RUN, RUN, KERNEL, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "just goes there", RUN, KERNEL, RUN, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },

		{ "takes interrupts", RUN, RUN, RUN, .irqs = 1, .exec_ms = 900,
		  .doing = KVMHB_LIVING },
		{ "halted, with interrupts", HALT, HALT, HALT, .irqs = 1, .doing = KVMHB_LIVING },
		{ "halted anew", HALT, HALT, HALT, .exits = 1, .doing = KVMHB_LIVING },
		{ "halted since", RUN, HALT, HALT, .exits = 1, .before = true,
		  .doing = KVMHB_LIVING },
		{ "exits alone", RUN, RUN, RUN, .exits = 20000, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },

		{ "halted", HALT, HALT, HALT, .doing = KVMHB_HALTING },
		{ "halted by the VMM", VMM_HALT, VMM_HALT, VMM_HALT, .exit = KVM_EXIT_HLT,
		  .doing = KVMHB_HALTED_OUT },
		{ "halted anew by the VMM", VMM_HALT, VMM_HALT, VMM_HALT, .exit = KVM_EXIT_HLT,
		  .exits = 1, .doing = KVMHB_LIVING },
		{ "halted now", RUN, HALT, HALT, .doing = KVMHB_UNCLEAR },
		{ "halted once", HALT, RUN, RUN, .doing = KVMHB_UNCLEAR },

		{ "spins", RUN, RUN, RUN, .exec_ms = 501, .doing = KVMHB_SPINNING },
		{ "half of it", RUN, RUN, RUN, .exec_ms = 500, .doing = KVMHB_UNCLEAR },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_vcpu first = vcpu_at(rows[i].first);
		struct kvmhb_vcpu then = vcpu_at(rows[i].then);
		struct kvmhb_vcpu now = vcpu_at(rows[i].now);

		if (rows[i].task)
			now.task = rows[i].task;
		if (now.task == '-')
			now.pid = 0;
		now.exit = rows[i].exit;
		now.exits += rows[i].exits;
		now.irqs += rows[i].irqs;
		now.exec_ns += rows[i].exec_ms * MS;
		now.queued_ns = rows[i].queued_ms * MS;
		now.run_delay_ns += rows[i].delay_ms * MS;
		if (rows[i].before) {
			then.exits = now.exits;
			then.irqs = now.irqs;
			then.exec_ns = now.exec_ns;
		}
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_doing(&first, &then, &now, SEC), rows[i].doing,
				    "%s", rows[i].what);
	}
}

/*
 * All different: late after 5200 ms, unresponsive after 6400 ms, half of which is
 * 3200 ms; a slot that lives has moved after 6000 ms. The host is late after 640 ms,
 * and does not look twice within 100 ms.
 */
static const struct kvmhb_timing rule_timing = { 4000 * MS, 6400 * MS };

#define NEVER U64_MAX
/* After as long as the silence, at least a timeout and at most a minute. */
#define RARELY (U64_MAX - 1)

struct rule_row {
	const char *what;
	struct kvmhb_verdict so_far;
	u64 silence_ms, denied_ms;
	struct kvmhb_case c;	/* what else there is to it; the window is the silence */
	struct kvmhb_verdict verdict;
	u64 look_ms;
};

static struct kvmhb_case rule_case(const struct rule_row *row)
{
	struct kvmhb_case c = row->c;
	int doing;

	c.timing = rule_timing;
	c.so_far = row->so_far;
	c.silence_ns = row->silence_ms * MS;
	c.denied_ns = row->denied_ms * MS;
	c.run_ns = c.silence_ns - c.denied_ns;
	/* Where a row does not say otherwise, no look is sooner than a 64th of the timeout. */
	c.just_denied_ns = c.just_denied_ns ?: HOUR;
	c.window_ns = c.window_ns ?: c.silence_ns;
	c.stale_in_ns = c.stale_in_ns ?: U64_MAX;
	for (doing = 0; doing < KVMHB_NR_DOINGS; doing++)
		c.nr_vcpus += c.vcpus[doing];
	return c;
}

static void expect_rulings(struct kunit *test, const struct rule_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct kvmhb_case c = rule_case(&rows[i]);
		struct kvmhb_ruling ruling = kvmhb_rule(&c);
		u64 look_ns = rows[i].look_ms * MS;

		if (rows[i].look_ms == NEVER)
			look_ns = KVMHB_NO_DEADLINE;
		if (rows[i].look_ms == RARELY)
			look_ns = clamp(c.silence_ns, rule_timing.timeout_ns, 60 * SEC);

		KUNIT_EXPECT_STREQ_MSG(test, kvmhb_state_word(ruling.verdict.state),
				       kvmhb_state_word(rows[i].verdict.state),
				       "%s", rows[i].what);
		KUNIT_EXPECT_STREQ_MSG(test, kvmhb_cause_word(ruling.verdict.cause),
				       kvmhb_cause_word(rows[i].verdict.cause),
				       "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, ruling.look_in_ns, look_ns, "%s", rows[i].what);
	}
}

static void rules_of_a_guest_that_beats(struct kunit *test)
{
	static const struct rule_row rows[] = {
		{ "it beats", { KVMHB_ALIVE }, 0, 0, {}, { KVMHB_ALIVE }, 5200 },
		{ "just in time", { KVMHB_ALIVE }, 5199, 0, {}, { KVMHB_ALIVE }, 100 },
		{ "a CPU is stale soon", { KVMHB_ALIVE }, 1000, 0, { .stale_in_ns = 700 * MS },
		  { KVMHB_ALIVE }, 700 },
		{ "at once", { KVMHB_ALIVE }, 1000, 0, { .stale_in_ns = 1 },
		  { KVMHB_ALIVE }, 100 },
		{ "not before it is late", { KVMHB_ALIVE }, 1000, 0, { .stale_in_ns = HOUR },
		  { KVMHB_ALIVE }, 4200 },
		{ "a host in trouble accuses nobody", { KVMHB_ALIVE }, 1000, 1000,
		  { .host_late = true, .dead = true, .vcpus[KVMHB_AWAY] = 1 },
		  { KVMHB_ALIVE }, 4200 },

		{ "a host CPU has yet to answer", { KVMHB_ALIVE }, 0, 0,
		  { .partial = true, .host_asked = true }, { KVMHB_ALIVE }, 1 },
		{ "likewise, after a silence", { KVMHB_LATE }, 0, 0,
		  { .beaten = true, .partial = true, .host_asked = true }, { KVMHB_ALIVE }, 1 },
		{ "it has answered", { KVMHB_ALIVE }, 0, 0, { .partial = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "it was degraded before", { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 0, 0,
		  { .partial = true, .host_asked = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "late, and it beats", { KVMHB_LATE }, 1000, 0, { .beaten = true },
		  { KVMHB_ALIVE }, 4200 },
		{ "unresponsive, and it beats", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 0, 0,
		  { .beaten = true }, { KVMHB_ALIVE }, 5200 },
		{ "paused, and it beats", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 0, 0,
		  { .beaten = true }, { KVMHB_ALIVE }, 5200 },
		{ "it beat once, long ago", { KVMHB_LATE }, 90000, 0, { .beaten = true },
		  { KVMHB_ALIVE }, 100 },
		{ "the interval was raised", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 5000, 0,
		  {}, { KVMHB_ALIVE }, 200 },

		/* Rule 1. The lowest stale layer names the fault. */
		{ "CPU", { KVMHB_ALIVE }, 0, 0, { .partial = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "scheduler", { KVMHB_ALIVE }, 0, 0, { .softlockup = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP }, 5200 },
		{ "userspace", { KVMHB_ALIVE }, 0, 0, { .userspace = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, 5200 },
		{ "all", { KVMHB_ALIVE }, 0, 0,
		  { .partial = true, .softlockup = true, .userspace = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "the upper two", { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 0, 0,
		  { .softlockup = true, .userspace = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP }, 5200 },
		{ "well again", { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, 0, 0, {},
		  { KVMHB_ALIVE }, 5200 },
		{ "back, but not all of it", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 0, 0,
		  { .beaten = true, .partial = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

static void rules_of_silence(struct kunit *test)
{
	static const struct rule_row rows[] = {
		{ "late", { KVMHB_ALIVE }, 5200, 0, {}, { KVMHB_LATE }, 1200 },
		{ "late while degraded", { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200, 0,
		  { .partial = true }, { KVMHB_LATE }, 1200 },
		{ "silent for as long, but it was denied some", { KVMHB_ALIVE }, 5200, 1, {},
		  { KVMHB_ALIVE }, 100 },
		{ "more of it", { KVMHB_ALIVE }, 5200, 2000, {}, { KVMHB_ALIVE }, 2000 },
		{ "all of it", { KVMHB_ALIVE }, 5200, 5200, {}, { KVMHB_ALIVE }, 4000 },
		{ "late is late", { KVMHB_LATE }, 6400, 1500, {}, { KVMHB_LATE }, 300 },
		{ "nearly too much", { KVMHB_LATE }, 6399, 0, {}, { KVMHB_LATE }, 100 },

		/* However long the silence, late comes first. */
		{ "not yet late", { KVMHB_ALIVE }, 90000, 0, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE }, 100 },
		{ "nor while degraded", { KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP }, 90000, 0,
		  { .vcpus[KVMHB_HALTING] = 1 }, { KVMHB_LATE }, 100 },
		{ "nor when paused", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 0,
		  { .vcpus[KVMHB_SPINNING] = 1 }, { KVMHB_LATE }, 100 },

		/* Rule 8d. */
		{ "halted", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_HALTING] = 2 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
		{ "the one there is has halted", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTING] = 1, .vcpus[KVMHB_ABSENT] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },

		/* Rule 8b, for which a CPU that lives must have had its time. */
		{ "interrupts", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_LIVING] = 1, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST }, RARELY },
		{ "interrupts, too short to tell", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_LIVING] = 1, .window_ns = 5500 * MS }, { KVMHB_LATE }, 500 },
		{ "much too short", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_LIVING] = 1, .window_ns = 1 * MS }, { KVMHB_LATE }, 4000 },
		{ "a slot moves", { KVMHB_LATE }, 6400, 0,
		  { .pulsing = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_BEAT_LOST }, 4000 },
		{ "it moves again", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .pulsing = true }, { KVMHB_LATE, KVMHB_CAUSE_BEAT_LOST }, 4000 },
		{ "it moves, and is not yet late", { KVMHB_ALIVE }, 90000, 0, { .pulsing = true },
		  { KVMHB_LATE }, 100 },

		/* Rule 8c. */
		{ "hung", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "hung among halted ones", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_SPINNING] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "hung, late for another reason", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 90000,
		  80000, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },

		/* Rule 8e. */
		{ "nothing is known", { KVMHB_LATE }, 6400, 0, {},
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, RARELY },
		{ "nobody is left", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_ABSENT] = 2 },
		  { KVMHB_LATE }, 4000 },
		{ "nobody is left since just now", { KVMHB_ALIVE }, 6399, 0,
		  { .vcpus[KVMHB_ABSENT] = 2 }, { KVMHB_ALIVE }, 4000 },
		{ "nobody is left for long", { KVMHB_ALIVE }, 6400, 0,
		  { .vcpus[KVMHB_ABSENT] = 2 }, { KVMHB_LATE }, 4000 },
		{ "nothing will be known", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 90000, 0,
		  {}, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, RARELY },
		{ "unclear", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 3200 },
		{ "halted and unclear", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTING] = 1, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 3200 },
		{ "half a timeout is not over", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 9599,
		  0, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 3200 },
		{ "still unclear", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 9600, 0,
		  { .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "it halts", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 9600, 0,
		  { .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
		{ "it had halted", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, 90000, 0,
		  { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },

		/* Rule 2. */
		{ "triple fault", { KVMHB_ALIVE }, 5200, 5200,
		  { .vcpus[KVMHB_SHUT_DOWN] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT }, NEVER },
		{ "before all else", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 1000, 1000,
		  { .vcpus[KVMHB_SHUT_DOWN] = 1, .dead = true, .host_late = true },
		  { KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT }, NEVER },

		/* Rule 3: no opportunity will come. */
		{ "KVM has failed", { KVMHB_ALIVE }, 5200, 5200, { .vcpus[KVMHB_FAILED] = 1 },
		  { KVMHB_LATE }, 1200 },
		{ "and late is first here too", { KVMHB_ALIVE }, 90000, 90000, { .dead = true },
		  { KVMHB_LATE }, 100 },
		{ "for a timeout", { KVMHB_LATE }, 6400, 6400, { .vcpus[KVMHB_FAILED] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR }, NEVER },
		{ "all of the VM, paused or not", { KVMHB_LATE }, 6400, 6400,
		  { .dead = true, .vcpus[KVMHB_AWAY] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR }, NEVER },

		/* The timeout was raised in the middle of an outage. */
		{ "late again", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 6000, 0,
		  { .vcpus[KVMHB_SPINNING] = 1 }, { KVMHB_LATE }, 400 },
		{ "not even late on the run clock", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN },
		  6000, 1000, {}, { KVMHB_LATE }, 200 },
		{ "nor with a dead KVM", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR }, 6000, 0,
		  { .dead = true }, { KVMHB_LATE }, 400 },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

static void rules_of_excuses(struct kunit *test)
{
	static const struct rule_row rows[] = {
		/* Rule 6. */
		{ "the host is late", { KVMHB_LATE }, 6400, 0,
		  { .host_late = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_DEGRADED }, 640 },
		{ "not worth a word", { KVMHB_ALIVE }, 6399, 0, { .host_late = true },
		  { KVMHB_ALIVE }, 640 },
		{ "it hung, and now it takes interrupts", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST }, RARELY },
		{ "not watched for long enough", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .window_ns = 5999 * MS, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "nothing is seen any more", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, 90000, 0,
		  { .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
		{ "late after the event", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .host_late = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },

		/* Rule 7. A word only if half a timeout was denied, and a whole one is over. */
		{ "the VMM waits for a CPU", { KVMHB_ALIVE }, 6400, 3200,
		  { .vcpus[KVMHB_QUEUED] = 1, .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 2000 },
		{ "it did, most of the time", { KVMHB_ALIVE }, 6400, 3200,
		  { .waited_ns = 1601 * MS, .vcpus[KVMHB_IN_VMM] = 1, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 2000 },
		{ "stuck", { KVMHB_ALIVE }, 6400, 3200, { .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 1200 },
		{ "not for long", { KVMHB_ALIVE }, 6400, 3199, { .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_ALIVE }, 1200 },
		{ "nor so silent", { KVMHB_ALIVE }, 6000, 6000, { .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_ALIVE }, 400 },
		{ "all there are", { KVMHB_LATE }, 90000, 85000,
		  { .vcpus[KVMHB_IN_VMM] = 1, .vcpus[KVMHB_ABSENT] = 3 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 1200 },
		{ "one of many", { KVMHB_ALIVE }, 6400, 3200,
		  { .vcpus[KVMHB_IN_VMM] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 2000 },
		{ "one is kept", { KVMHB_ALIVE }, 6400, 3200,
		  { .vcpus[KVMHB_AWAY] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 2000 },

		/* Rule 7: starved. */
		{ "starved", { KVMHB_ALIVE }, 6400, 6000,
		  { .waited_ns = 6000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4000 },
		{ "for half of it", { KVMHB_ALIVE }, 6400, 4000,
		  { .waited_ns = 2000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 }, { KVMHB_ALIVE }, 2800 },
		{ "12 timeouts", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 76800, 70401,
		  { .waited_ns = 70401 * MS, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 100 },
		{ "for little more", { KVMHB_LATE }, 6410, 11, { .just_denied_ns = 1 },
		  { KVMHB_LATE }, 1 },
		{ "and just so", { KVMHB_LATE }, 6410, 11, { .just_denied_ns = 10 * MS },
		  { KVMHB_LATE }, 15 },
		{ "and hung", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 76800, 70400,
		  { .waited_ns = 70400 * MS, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "no more", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 6300, 3000, {},
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 1900 },
		{ "unresponsive, with a longer timeout",
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 9000, 8000,
		  { .waited_ns = 8000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4000 },

		/* Rule 7: the host. */
		{ "blocked", { KVMHB_ALIVE }, 6400, 6400, { .vcpus[KVMHB_BLOCKED] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_BLOCKED }, 4000 },
		{ "blocked, starved too", { KVMHB_ALIVE }, 6400, 6400,
		  { .waited_ns = 6400 * MS, .vcpus[KVMHB_BLOCKED] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_BLOCKED }, 4000 },
		{ "blocked, with a stuck one", { KVMHB_ALIVE }, 6400, 6400,
		  { .vcpus[KVMHB_BLOCKED] = 1, .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 4000 },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

/* Rule 5. */
static void rules_of_pauses(struct kunit *test)
{
	static const struct rule_row rows[] = {
		{ "stopped", { KVMHB_ALIVE }, 5200, 5200, { .vcpus[KVMHB_STOPPED_BY_HOST] = 2 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "kept by the VMM", { KVMHB_LATE }, 5200, 0,
		  { .vcpus[KVMHB_AWAY] = 1, .vcpus[KVMHB_ABSENT] = 1 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "one had asked for something", { KVMHB_LATE }, 5200, 0,
		  { .vcpus[KVMHB_AWAY] = 1, .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "for ever", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 0,
		  { .vcpus[KVMHB_AWAY] = 1 }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "the host is late too", { KVMHB_ALIVE }, 6400, 6400,
		  { .vcpus[KVMHB_AWAY] = 1, .host_late = true },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "not all of it", { KVMHB_ALIVE }, 6400, 6400,
		  { .vcpus[KVMHB_STOPPED_BY_HOST] = 1, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_PAUSED }, 4000 },

		{ "seen once", { KVMHB_ALIVE }, 5200, 0, { .vcpus[KVMHB_LEAVING] = 1 },
		  { KVMHB_ALIVE }, 600 },
		{ "seen once, though stopped", { KVMHB_LATE }, 90000, 0,
		  { .vcpus[KVMHB_LEAVING] = 1, .vcpus[KVMHB_STOPPED_BY_HOST] = 1 },
		  { KVMHB_LATE }, 600 },

		/* Whoever is resumed has all of its time again. */
		{ "resumed", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 90000,
		  { .vcpus[KVMHB_UNCLEAR] = 1 }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "for a while", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 84801,
		  { .vcpus[KVMHB_HALTING] = 1 }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 100 },
		{ "and silent", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 84800,
		  { .vcpus[KVMHB_HALTING] = 1 }, { KVMHB_LATE }, 1200 },
		{ "and starved", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 90000,
		  { .waited_ns = 50000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4000 },

		{ "what is said is said", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .vcpus[KVMHB_AWAY] = 1 }, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "but one that is not yet explained may still be",
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 90000, 80000,
		  { .vcpus[KVMHB_AWAY] = 1 }, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 4000 },

		/* The VMM halts its CPUs itself: that looks the same. */
		{ "halted, all out", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_HALTED_OUT] = 2 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "halted or kept", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTED_OUT] = 1, .vcpus[KVMHB_AWAY] = 1 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "one runs, so there is no pause", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTED_OUT] = 1, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "one halts in KVM", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTED_OUT] = 1, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

/* The next digit of a number each of whose digits has its own base. */
static unsigned int digit(unsigned int *number, unsigned int base)
{
	unsigned int value = *number % base;

	*number /= base;
	return value;
}

/* Whatever is known, and in whatever combination. */
static void rules_without_exception(struct kunit *test)
{
	static const struct kvmhb_timing timings[] = {
		{ 1 * MS, 2 * MS }, { 2 * SEC, 4 * SEC }, { HOUR, 24 * HOUR }, { SEC, HOUR },
	};
	static const struct kvmhb_verdict states[] = {
		{ KVMHB_ALIVE }, { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, { KVMHB_LATE },
		{ KVMHB_LATE, KVMHB_CAUSE_STARVED }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED },
		{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN },
		{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
	};
	static const struct kvmhb_case facts[] = {
		{}, { .host_late = true }, { .host_asked = true },
		{ .pulsing = true }, { .dead = true }, { .beaten = true },
	};
	static const int others[] = {
		-1, KVMHB_SPINNING, KVMHB_QUEUED, KVMHB_AWAY, KVMHB_LEAVING, KVMHB_ABSENT,
	};
	enum { MOMENTS = 6 };
	const unsigned int total = ARRAY_SIZE(timings) * MOMENTS * MOMENTS * ARRAY_SIZE(states) *
				   ARRAY_SIZE(facts) * KVMHB_NR_DOINGS * ARRAY_SIZE(others);
	unsigned int n;

	for (n = 0; n < total; n++) {
		unsigned int rest = n, rounds = 0;
		const struct kvmhb_timing *t = &timings[digit(&rest, ARRAY_SIZE(timings))];
		const u64 late_ns = kvmhb_late_ns(t), timeout_ns = t->timeout_ns;
		const u64 moments[MOMENTS] = {
			0, late_ns - 1, late_ns, timeout_ns - 1, timeout_ns, 12 * timeout_ns,
		};
		const u64 max_ns = timeout_ns / 64 < t->interval_ns ?
				   max(timeout_ns / 64, 1 * MS) : 1 * MS;
		struct kvmhb_case c = facts[digit(&rest, ARRAY_SIZE(facts))];
		struct kvmhb_verdict so_far = states[digit(&rest, ARRAY_SIZE(states))];
		struct kvmhb_ruling ruling;
		bool beats, was_late;
		int other;

		c.timing = *t;
		c.so_far = so_far;
		c.silence_ns = moments[digit(&rest, MOMENTS)];
		c.run_ns = moments[digit(&rest, MOMENTS)];
		c.stale_in_ns = U64_MAX;
		c.vcpus[digit(&rest, KVMHB_NR_DOINGS)]++;
		c.nr_vcpus++;
		other = others[digit(&rest, ARRAY_SIZE(others))];
		if (other >= 0) {
			c.vcpus[other]++;
			c.nr_vcpus++;
		}
		if (c.run_ns > c.silence_ns)
			continue;
		c.denied_ns = c.silence_ns - c.run_ns;
		c.just_denied_ns = c.denied_ns;

		ruling = kvmhb_rule(&c);
		beats = kvmhb_state_beats(ruling.verdict.state);
		was_late = so_far.state == KVMHB_LATE || so_far.state == KVMHB_UNRESPONSIVE;

		/* Opportunity comes before accusation, and late before unresponsive. */
		if (ruling.verdict.state == KVMHB_UNRESPONSIVE) {
			KUNIT_ASSERT_TRUE_MSG(test, c.run_ns >= timeout_ns || c.dead ||
					      c.vcpus[KVMHB_FAILED] ||
					      so_far.state == KVMHB_UNRESPONSIVE, "case %u", n);
			KUNIT_ASSERT_TRUE_MSG(test, was_late, "case %u", n);
		}

		/* Only the worst is looked at no more; of the rest, nothing is overlooked. */
		if (ruling.look_in_ns == KVMHB_NO_DEADLINE) {
			KUNIT_ASSERT_TRUE_MSG(test, ruling.verdict.state == KVMHB_UNRESPONSIVE ||
					      ruling.verdict.state == KVMHB_PANICKED, "case %u", n);
		} else {
			KUNIT_ASSERT_GE_MSG(test, ruling.look_in_ns,
					    min(max(c.denied_ns * 3 / 2, MS / 40),
						c.host_asked ? 1 * MS : max_ns),
					    "case %u", n);
			KUNIT_ASSERT_LE_MSG(test, ruling.look_in_ns,
					    beats ? late_ns : ruling.new_window ?
					    max(60 * SEC, timeout_ns) : t->interval_ns,
					    "case %u", n);
		}

		/* Nobody is accused, or accused anew, while a host CPU may be dead. */
		if (c.host_asked && ruling.verdict.state == KVMHB_UNRESPONSIVE)
			KUNIT_ASSERT_TRUE_MSG(test, so_far.state == KVMHB_UNRESPONSIVE ||
					      c.dead || c.vcpus[KVMHB_FAILED], "case %u", n);

		/* Whoever asks again until nothing is new is done soon. */
		while (ruling.verdict.state != KVMHB_PANICKED &&
		       (ruling.verdict.state != c.so_far.state ||
			ruling.verdict.cause != c.so_far.cause)) {
			KUNIT_ASSERT_LT_MSG(test, rounds++, 4, "case %u", n);
			c.so_far = ruling.verdict;
			c.beaten = false;
			ruling = kvmhb_rule(&c);
		}
	}
}

static void lateness_of_the_host(struct kunit *test)
{
	static const struct {
		u64 timeout_ns, lateness_ns;
	} rows[] = {
		{ 2 * MS, 20 * MS },
		{ 200 * MS, 20 * MS },
		{ 4 * SEC, 400 * MS },
		{ 24 * HOUR, 24 * HOUR / 10 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct kvmhb_timing t = { 1 * MS, rows[i].timeout_ns };

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_lateness_max_ns(&t), rows[i].lateness_ns,
				    "row %d", i);
	}
}

/* A watch over a guest whose VMM runs without KVM: what is seen of it is its pulse page. */
struct watch_test {
	struct kvmhb_timing timing;
	struct kvmhb_pulse pulse;
	struct kvmhb_watch watch;
	struct kvmhb_case seen;
	struct kvm_heartbeat_slot *slots;
};

static void watch_test_exit(void *data)
{
	struct watch_test *w = data;

	kvmhb_watch_uninit(&w->watch);
	kvmhb_pulse_uninit(&w->pulse);
}

/* Four CPUs, of which the last is offline. Hours, so that nobody's delay counts. */
static struct watch_test *watch_test_init(struct kunit *test)
{
	struct watch_test *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->timing = (struct kvmhb_timing) { HOUR, 4 * HOUR };
	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&w->pulse, 4), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, watch_test_exit, w), 0);
	w->slots = slots_of(&w->pulse);
	for (i = 0; i < 3; i++)
		w->slots[i].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	kvmhb_watch_restart(&w->watch, NULL, &w->pulse);
	return w;
}

static void move_slot(struct watch_test *w, unsigned int nr)
{
	le64_add_cpu(&w->slots[nr].pulses, 1);
}

/* A look, so much time after the last. */
static void look_after(struct watch_test *w, u64 ns, u64 last_beat_ns)
{
	const struct kvmhb_look look = {
		.pulse = &w->pulse,
		.timing = w->timing,
		.last_beat_ns = last_beat_ns,
	};

	w->watch.seen_ns -= ns;
	kvmhb_watch_look(&w->watch, &look, &w->seen);
}

static unsigned int stale_cpus(struct watch_test *w)
{
	DECLARE_BITMAP(cpus, KVMHB_PULSE_MAX_SLOTS);

	kvmhb_watch_stale(&w->watch, cpus);
	return bitmap_weight(cpus, KVMHB_PULSE_MAX_SLOTS);
}

static void watch_slots(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	int hour;

	look_after(w, 0, 0);
	for (hour = 1; hour < 4; hour++) {
		move_slot(w, 0);
		look_after(w, HOUR, 0);
		KUNIT_EXPECT_FALSE(test, watch->layers.partial);
		KUNIT_EXPECT_LE(test, watch->layers.stale_in_ns, (4 - hour) * HOUR);
		KUNIT_EXPECT_GT(test, watch->layers.stale_in_ns, (3 - hour) * HOUR);
	}

	move_slot(w, 0);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 2);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&w->watch.layers, 1));
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&w->watch.layers, 2));
	/* Who is stale is so already: the next is the one that moved. */
	KUNIT_EXPECT_EQ(test, watch->layers.stale_in_ns, 4 * HOUR);

	/* One moves, the other goes; one that comes has all of its time. */
	move_slot(w, 1);
	w->slots[2].flags = 0;
	w->slots[3].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	look_after(w, 2 * HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);

	/* A CPU of the host that was dead answers: what it owed to slots is about to come. */
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	cpumask_set_cpu(1, &round.unheard);
	round.asked_ns = ktime_get_ns() - HOUR;
	round.asking = true;
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->deaf);
	host_heard(1);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);

	/* A new incarnation is not judged by what the old one left. */
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 3);
	kvmhb_watch_restart(watch, NULL, &w->pulse);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_FALSE(test, watch->pulsing);
}

/* A VM with two vCPUs that have not run yet, and a CPU plugged in with a gap in the numbers. */
static void watch_gap_in_the_numbers(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	struct kvm *kvm = kunit_kzalloc(test, sizeof(*kvm), GFP_KERNEL);
	const struct kvmhb_look look = { .kvm = kvm, .pulse = &w->pulse, .timing = w->timing };
	int looks;

	KUNIT_ASSERT_NOT_NULL(test, kvm);
	xa_init(&kvm->vcpu_array);
	atomic_set(&kvm->online_vcpus, 2);
	kvmhb_watch_uninit(watch);

	/* When the guest arms, all are looked at; after that each has its turn. */
	w->slots[2].flags = 0;
	w->slots[7].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	kvmhb_watch_restart(watch, kvm, &w->pulse);
	KUNIT_EXPECT_EQ(test, watch->layers.nr_slots, 8);
	w->slots[w->pulse.nr_slots - 1].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	for (looks = 0; looks < LOOKS_FOR_ALL; looks++) {
		watch->seen_ns = ktime_get_ns();
		kvmhb_watch_look(watch, &look, &w->seen);
	}
	KUNIT_EXPECT_EQ(test, watch->layers.nr_slots, w->pulse.nr_slots);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);

	/* Neither they nor any other moves. */
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 4);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&watch->layers, 7));
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&watch->layers, w->pulse.nr_slots - 1));
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&watch->layers, 2));
}

/* What moves when a beat is due and does not come is a sign of life, for a while. */
static void watch_pulsing(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);

	look_after(w, 0, 0);
	move_slot(w, 0);
	look_after(w, HOUR, 0);
	look_after(w, 12 * HOUR, 0);
	KUNIT_EXPECT_FALSE(test, w->watch.pulsing);

	move_slot(w, 0);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, w->watch.pulsing);
	look_after(w, 12 * HOUR, 0);
	KUNIT_EXPECT_FALSE(test, w->watch.pulsing);
}

/* When a guest comes back, the CPU that rings is the first to. */
static void watch_comes_back(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);

	look_after(w, 0, 0);
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, w->watch.layers.partial);
	move_slot(w, 0);
	look_after(w, 2 * HOUR, 1);
	KUNIT_EXPECT_FALSE(test, w->watch.layers.partial);
	move_slot(w, 0);
	look_after(w, 4 * HOUR, 2);
	KUNIT_EXPECT_TRUE(test, w->watch.layers.partial);
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&w->watch.layers, 0));
}

/* A beat that came while the guest was looked at, and is known at the next look. */
static void watch_beat_at_a_look(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	u64 beat_ns;

	look_after(w, HOUR, 0);
	beat_ns = w->watch.seen_ns - 1;
	look_after(w, 0, beat_ns);
	KUNIT_EXPECT_LE(test, w->watch.run_ns, w->watch.seen_ns - beat_ns);
}

/* A look, so much time after the last, at a guest whose CPUs all pulse. */
static void look_at_living(struct watch_test *w, u64 ns)
{
	unsigned int nr;

	for (nr = 0; nr < w->pulse.nr_slots; nr++)
		move_slot(w, nr);
	look_after(w, ns, 0);
}

static void watch_layers(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;

	/* An age counts if it is a timeout, and the CPU had that. */
	w->slots[2].sched_age_ms = cpu_to_le32(4 * 3600 * 1000 - 1);
	w->slots[3].sched_age_ms = cpu_to_le32(U32_MAX);
	look_at_living(w, 5 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);
	w->slots[2].sched_age_ms = cpu_to_le32(4 * 3600 * 1000);
	look_at_living(w, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 1);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&w->watch.layers, 2));
	KUNIT_EXPECT_FALSE(test, watch->layers.userspace);
	w->slots[2].sched_age_ms = 0;
	look_at_living(w, 5 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	w->slots[2].sched_age_ms = cpu_to_le32(U32_MAX);
	look_at_living(w, 3 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	look_at_living(w, HOUR);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);

	/* Below two seconds it says nothing, however short the timeout is. */
	w->timing = (struct kvmhb_timing) { 10 * MS, 20 * MS };
	w->slots[2].sched_age_ms = 0;
	look_at_living(w, 20 * MS);
	w->slots[2].sched_age_ms = cpu_to_le32(1999);
	look_at_living(w, HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	w->slots[2].sched_age_ms = cpu_to_le32(2000);
	look_at_living(w, 20 * MS);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	w->timing = (struct kvmhb_timing) { HOUR, 4 * HOUR };

	/* One CPU waits for another that is dead, and has a moment when that is back. */
	w->slots[2].sched_age_ms = cpu_to_le32(U32_MAX);
	move_slot(w, 0);
	move_slot(w, 2);
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	look_at_living(w, HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);
	look_at_living(w, 4 * HOUR);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);

	/* A page full of nonsense: every CPU is there, and each has an old scheduler. */
	memset(w->pulse.header, 0xff, w->pulse.size);
	look_at_living(w, 0);
	look_at_living(w, 4 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	KUNIT_EXPECT_TRUE(test, watch->layers.userspace);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 62);

	/* The lower layer names the CPUs. */
	look_after(w, 2 * HOUR, 0);
	move_slot(w, 5);
	look_after(w, 2 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 61);
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&w->watch.layers, 5));
}

static void watch_run_clock(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	struct kvmhb_look look = { .pulse = &w->pulse };
	u64 run_ns;

	look_after(w, HOUR, 0);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_GE(test, watch->run_ns, 2 * HOUR);
	KUNIT_EXPECT_LT(test, watch->run_ns, 3 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->host_late);
	KUNIT_EXPECT_EQ(test, w->seen.run_ns, watch->run_ns);
	KUNIT_EXPECT_EQ(test, w->seen.nr_vcpus, 0);

	/* Asleep for an hour, or for none: nobody knows. */
	run_ns = watch->run_ns;
	host_pm_event(NULL, PM_SUSPEND_PREPARE, NULL);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_EQ(test, watch->run_ns, run_ns);
	host_pm_event(NULL, PM_POST_SUSPEND, NULL);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_EQ(test, watch->run_ns, run_ns);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_GE(test, watch->run_ns, run_ns + HOUR);

	/* Time was stolen from the host; how much is not known from one look to the next. */
	watch->steal_ns -= 1000 * HOUR;
	look_after(w, 3 * TICK_NSEC, 0);
	KUNIT_EXPECT_FALSE(test, watch->host_late);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->host_late);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->host_late);

	/* A CPU of the host does not answer, and then it does: what it owed is to come. */
	run_ns = watch->run_ns;
	cpumask_set_cpu(1, &round.unheard);
	round.asked_ns = watch->seen_ns - HOUR;
	round.asking = true;
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_LT(test, watch->run_ns, run_ns + HOUR);
	KUNIT_EXPECT_TRUE(test, watch->host_late);
	KUNIT_EXPECT_TRUE(test, watch->deaf);
	KUNIT_EXPECT_EQ(test, watch->deaf_cpu, 1);
	host_heard(1);
	KUNIT_EXPECT_FALSE(test, round.asking);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->host_late);
	KUNIT_EXPECT_EQ(test, watch->run_ns, 0);

	/* A beat, since the last look. */
	look_after(w, HOUR, U64_MAX);
	KUNIT_EXPECT_EQ(test, watch->run_ns, 0);

	/* The look was due a nanosecond after the last one: all but that is the host's. */
	w->timing = (struct kvmhb_timing) { 1 * MS, 2 * MS };
	watch->seen_ns = 0;
	look.timing = w->timing;
	look.due_ns = 1;
	look.asked_ns = 1;	/* without vCPUs nothing else is known of the host's CPUs */
	kvmhb_watch_look(watch, &look, &w->seen);
	KUNIT_EXPECT_TRUE(test, watch->host_late);
	KUNIT_EXPECT_EQ(test, watch->run_ns, 1);
}

/* The vCPUs of a VM had their time, whatever the look waited for; but not if the timer did. */
static void watch_late_looks(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 at_ns, asked_ns;	/* with the look before at 0 */
		bool denied;
	} rows[] = {
		{ "no timer", 0, 0, false },
		{ "the timer in time", 1, 1, false },
		{ "the timer has not come", 1, 0, true },
		{ "the timer after the look", 1, U64_MAX, true },
	};
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	struct kvm *kvm = kunit_kzalloc(test, sizeof(*kvm), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, kvm);
	xa_init(&kvm->vcpu_array);
	atomic_set(&kvm->online_vcpus, 1);
	w->timing = (struct kvmhb_timing) { 1 * MS, 2 * MS };
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct kvmhb_look look = {
			.kvm = kvm,
			.pulse = &w->pulse,
			.timing = w->timing,
			.due_ns = rows[i].at_ns,
			.asked_ns = rows[i].asked_ns,
		};

		kvmhb_watch_restart(watch, kvm, &w->pulse);
		watch->seen_ns = 0;
		kvmhb_watch_look(watch, &look, &w->seen);
		KUNIT_EXPECT_EQ_MSG(test, watch->denied_ns > 1, rows[i].denied, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, watch->host_late, !!rows[i].at_ns, "%s", rows[i].what);
	}
	kvmhb_watch_uninit(watch);
}

static void outage_downtime(struct kunit *test)
{
	static const struct {
		const char *what;
		enum kvmhb_state old, new;
		u64 last_beat, now;
		u64 gone, count, downtime, downtime_later;	/* later: a second after now */
	} rows[] = {
		{ "falls silent", KVMHB_ALIVE, KVMHB_LATE, 10, 13, 0, 0, 0, 0 },
		{ "too long", KVMHB_LATE, KVMHB_UNRESPONSIVE, 10, 14, 4, 1, 0, 5 },
		{ "other cause", KVMHB_UNRESPONSIVE, KVMHB_UNRESPONSIVE, 10, 20, 10, 1, 0, 11 },
		{ "beats, late again", KVMHB_UNRESPONSIVE, KVMHB_LATE, 30, 33, 20, 1, 20, 20 },
		{ "beats", KVMHB_LATE, KVMHB_ALIVE, 34, 34, 24, 1, 20, 20 },
		{ "silent again", KVMHB_ALIVE, KVMHB_LATE, 40, 43, 0, 1, 20, 20 },
		{ "too long again", KVMHB_LATE, KVMHB_UNRESPONSIVE, 40, 44, 4, 2, 20, 25 },
		{ "is given longer", KVMHB_UNRESPONSIVE, KVMHB_LATE, 40, 50, 10, 2, 30, 30 },
		{ "and not long enough", KVMHB_LATE, KVMHB_UNRESPONSIVE, 40, 60, 20, 3, 30, 41 },
		{ "is reset", KVMHB_UNRESPONSIVE, KVMHB_WAITING, 0, 70, 30, 3, 50, 50 },
	};
	struct kvmhb_outages outages = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 gone_ns = kvmhb_outages_change(&outages, rows[i].old, rows[i].new,
						   rows[i].last_beat * SEC, rows[i].now * SEC);

		if (!kvmhb_state_beats(rows[i].old))
			KUNIT_EXPECT_EQ_MSG(test, gone_ns, rows[i].gone * SEC, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, outages.count, rows[i].count, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, outages.downtime_ns, rows[i].downtime * SEC, "%s",
				    rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_outages_downtime_ns(&outages, rows[i].new,
								    (rows[i].now + 1) * SEC),
				    rows[i].downtime_later * SEC, "%s", rows[i].what);
	}
}

static void outage_missing(struct kunit *test)
{
	const struct kvmhb_outages outages = { .silent_since_ns = 10 * SEC };
	static const struct {
		enum kvmhb_state state;
		u64 excused, now, missing;
	} rows[] = {
		{ KVMHB_LATE, 0, 14, 3 },
		{ KVMHB_UNRESPONSIVE, 1, 14, 2 },
		{ KVMHB_LATE, 9, 14, 0 },
		{ KVMHB_LATE, 0, 9, 0 },
		{ KVMHB_PAUSED, 0, 14, 0 },
		{ KVMHB_ALIVE, 0, 14, 0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_outages_missing(&outages, rows[i].state, SEC,
								rows[i].excused * SEC,
								rows[i].now * SEC),
				    rows[i].missing, "row %d", i);
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
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_2), 0xffff000c);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_3), 0xffffffff);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_ROM_ADDRESS), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00810005);

	/* And back to zero, with what is hard-wired left as it is. */
	kvmhb_config_space_write(space, 0, zeros, sizeof(zeros));
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_VENDOR_ID), 0x48421234);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_COMMAND), 0x00100000);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_2), 0x0000000c);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_3), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00800005);

	/* A single byte in the middle of a BAR. */
	kvmhb_config_space_init(space, SZ_4K, SZ_64K);
	kvmhb_config_space_write(space, PCI_BASE_ADDRESS_0 + 3, ones, 1);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_0), 0xff000000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(timing_bounds),
	KUNIT_CASE(timing_patient),
	KUNIT_CASE(timing_resolved),
	KUNIT_CASE(resolution_of_the_host),
	KUNIT_CASE(late_is_between),
	KUNIT_CASE(lifecycle_words),
	KUNIT_CASE(goodbye_lasts_until_the_guest_arms),
	KUNIT_CASE(armed_states),
	KUNIT_CASE(missed_beats),
	KUNIT_CASE(gap_statistics),
	KUNIT_CASE(gap_statistics_of_a_steady_guest),
	KUNIT_CASE(phi_vectors),
	KUNIT_CASE(phi_never_falls),
	KUNIT_CASE(suspicion_of_a_guest),
	KUNIT_CASE(names_are_the_documented_words),
	KUNIT_CASE(list_of_cpus_leaves_room),
	KUNIT_CASE(pulse_page),
	KUNIT_CASE(pulse_pages),
	KUNIT_CASE(pulse_of_pieces),
	KUNIT_CASE(pulse_slots),
	KUNIT_CASE(pulse_userspace),
	KUNIT_CASE(run_clock_sums),
	KUNIT_CASE(run_clock_places),
	KUNIT_CASE(run_clock_halts),
	KUNIT_CASE(run_clock_stints),
	KUNIT_CASE(evidence_of_ending),
#ifdef CONFIG_X86
	KUNIT_CASE(evidence_of_unstarted),
	KUNIT_CASE(evidence_of_steps),
#endif
	KUNIT_CASE(doing_rows),
	KUNIT_CASE(rules_of_a_guest_that_beats),
	KUNIT_CASE(rules_of_silence),
	KUNIT_CASE(rules_of_excuses),
	KUNIT_CASE(rules_of_pauses),
	KUNIT_CASE(rules_without_exception),
	KUNIT_CASE(lateness_of_the_host),
	KUNIT_CASE(watch_slots),
	KUNIT_CASE(watch_gap_in_the_numbers),
	KUNIT_CASE(watch_pulsing),
	KUNIT_CASE(watch_comes_back),
	KUNIT_CASE(watch_beat_at_a_look),
	KUNIT_CASE(watch_layers),
	KUNIT_CASE(watch_run_clock),
	KUNIT_CASE(watch_late_looks),
	KUNIT_CASE(outage_downtime),
	KUNIT_CASE(outage_missing),
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
