// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "timing.c"

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

/* Of instants, of which some may be below 0. */
static void order_of_times(struct kunit *test)
{
	const u64 before_0 = 0ULL - HOUR;

	KUNIT_EXPECT_FALSE(test, kvmhb_is_after(5, 5));
	KUNIT_EXPECT_TRUE(test, kvmhb_is_after(6, 5));
	KUNIT_EXPECT_FALSE(test, kvmhb_is_after(5, 6));
	KUNIT_EXPECT_TRUE(test, kvmhb_is_after(5, before_0));
	KUNIT_EXPECT_FALSE(test, kvmhb_is_after(before_0, 5));
	KUNIT_EXPECT_EQ(test, kvmhb_minus(5, before_0), HOUR + 5);
	KUNIT_EXPECT_EQ(test, kvmhb_minus(before_0, 5), 0);

	/* No time is as late, and none is taken for it. */
	KUNIT_EXPECT_GT(test, KVMHB_NO_DEADLINE, 60 * KVMHB_TIMEOUT_MAX_NS);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(timing_bounds),
	KUNIT_CASE(timing_patient),
	KUNIT_CASE(timing_resolved),
	KUNIT_CASE(late_is_between),
	KUNIT_CASE(missed_beats),
	KUNIT_CASE(order_of_times),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_timing",
	.test_cases = cases,
};

kunit_test_suite(suite);
