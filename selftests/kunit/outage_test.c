// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "outage.c"

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
		{ "does not boot", KVMHB_WAITING, KVMHB_UNRESPONSIVE, 0, 80, 40, 4, 50, 51 },
		{ "boots", KVMHB_UNRESPONSIVE, KVMHB_ALIVE, 90, 90, 10, 4, 60, 60 },
		{ "reboots", KVMHB_ALIVE, KVMHB_STOPPED, 100, 101, 0, 4, 60, 60 },
		{ "does not boot", KVMHB_STOPPED, KVMHB_UNRESPONSIVE, 100, 110, 10, 5, 60, 61 },
		{ "is reset", KVMHB_UNRESPONSIVE, KVMHB_WAITING, 0, 115, 5, 5, 65, 65 },
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

static struct kunit_case cases[] = {
	KUNIT_CASE(outage_downtime),
	KUNIT_CASE(outage_missing),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_outage",
	.test_cases = cases,
};

kunit_test_suite(suite);
