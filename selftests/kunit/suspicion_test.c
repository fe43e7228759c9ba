// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "suspicion.c"

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
		/* A little early; and all that is known is one gap. */
		{ 900, 1000, 100, 75 }, { 7, 7, 0, 301 },
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
	KUNIT_EXPECT_EQ(test, kvmhb_suspicion_milli(&gaps, SEC, 5 * SEC),
			kvmhb_phi_milli(5 * SEC, 1250 * MS, 500 * MS * 321 / 256));
	KUNIT_EXPECT_LT(test, kvmhb_suspicion_milli(&gaps, SEC, 1400 * MS), 600);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(gap_statistics),
	KUNIT_CASE(gap_statistics_of_a_steady_guest),
	KUNIT_CASE(phi_vectors),
	KUNIT_CASE(phi_never_falls),
	KUNIT_CASE(suspicion_of_a_guest),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_suspicion",
	.test_cases = cases,
};

kunit_test_suite(suite);
