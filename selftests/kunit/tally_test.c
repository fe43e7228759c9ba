// SPDX-License-Identifier: GPL-2.0
#include "test.h"

/* The time, if a test says so. */
static u64 clock_ns;

static u64 beat_clock_ns(void)
{
	return clock_ns ?: test_clock_ns();
}

#define ktime_get_ns beat_clock_ns

#include "tally.c"

#define INTERVAL	(100 * MS)

struct tally_test {
	struct kvmhb_tally tally;
	struct kvmhb_pulse pulse;
	int wakes;
};

static void count_wake(struct kvmhb_tally *tally)
{
	container_of(tally, struct tally_test, tally)->wakes++;
}

static void tally_test_exit(void *data)
{
	struct tally_test *t = data;

	clock_ns = 0;
	kvmhb_pulse_uninit(&t->pulse);
}

/* A guest that has armed at 1000 s. */
static struct tally_test *tally_test_init(struct kunit *test)
{
	const struct kvmhb_timing timing = { INTERVAL, 2 * INTERVAL };
	struct tally_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&t->pulse, 1), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, tally_test_exit, t), 0);
	kvmhb_pulse_reset(&t->pulse, &timing);
	t->tally.wake = count_wake;
	t->tally.interval_ns = INTERVAL;
	kvmhb_tally_attach(&t->tally, &t->pulse);
	clock_ns = 1000 * SEC;
	kvmhb_tally_arm(&t->tally);
	t->tally.state = KVMHB_ALIVE;
	return t;
}

static void beat_after(struct tally_test *t, u64 ns)
{
	clock_ns += ns;
	kvmhb_tally_beat(&t->tally, 0);
}

static u64 beats_of(struct tally_test *t)
{
	return atomic64_read(&t->tally.beats);
}

static u64 missed_of(struct tally_test *t)
{
	return atomic64_read(&t->tally.missed);
}

/* The numbers of RFC 6298, with a first gap of 8 ms. */
static void tally_gap_statistics(struct kunit *test)
{
	static const struct {
		u64 gap, sum, min, max;
		s64 mean8, dev4;
	} rows[] = {
		{ 8, 8, 8, 8, 64, 16 },
		{ 8, 16, 8, 8, 64, 12 },
		{ 16, 32, 8, 16, 72, 17 },
		{ 1, 33, 1, 16, 64, 21 },
	};
	struct kvmhb_gaps gaps = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		kvmhb_gaps_add(&gaps, rows[i].gap);
		KUNIT_EXPECT_EQ_MSG(test, gaps.n, i + 1, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, gaps.sum_ns, rows[i].sum, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, gaps.min_ns, rows[i].min, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, gaps.max_ns, rows[i].max, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, gaps.mean8_ns, rows[i].mean8, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, gaps.dev4_ns, rows[i].dev4, "row %d", i);
	}
}

/* Beats in a row, each with what is known after it. */
static void tally_beats(struct kunit *test)
{
	static const struct {
		const char *what;
		enum kvmhb_state state;
		u64 gap_ms, excused_ms;
		u64 beats, missed, gaps, sum_ms;
	} rows[] = {
		{ "the first gap began with the arming", KVMHB_ALIVE, 60, 0, 1, 0, 0, 0 },
		{ "in time", KVMHB_ALIVE, 100, 0, 2, 0, 1, 100 },
		{ "nearly half an interval late", KVMHB_DEGRADED, 149, 0, 3, 0, 2, 249 },
		{ "half an interval late", KVMHB_ALIVE, 150, 0, 4, 1, 3, 399 },
		{ "late", KVMHB_LATE, 350, 0, 5, 4, 4, 749 },
		{ "late, but not by its fault", KVMHB_LATE, 350, 300, 6, 4, 5, 799 },
		{ "partly by its fault", KVMHB_LATE, 350, 150, 7, 5, 6, 999 },
		{ "excused from more than there was", KVMHB_LATE, 350, 400, 8, 5, 7, 999 },
		{ "ends an outage", KVMHB_UNRESPONSIVE, 1000, 0, 9, 14, 7, 999 },
		{ "ends a pause", KVMHB_PAUSED, 1000, 1000, 10, 14, 7, 999 },
		{ "in time again", KVMHB_ALIVE, 100, 0, 11, 14, 8, 1099 },
		{ "stopped", KVMHB_STOPPED, 100, 0, 11, 14, 8, 1099 },
		{ "waiting", KVMHB_WAITING, 100, 0, 11, 14, 8, 1099 },
	};
	struct tally_test *t = tally_test_init(test);
	struct kvmhb_gaps gaps;
	u64 last_at_ns;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		last_at_ns = kvmhb_tally_last_beat_at_ns(&t->tally);
		t->tally.state = rows[i].state;
		t->tally.attention = !kvmhb_state_beats(rows[i].state);
		kvmhb_tally_excuse(&t->tally, last_at_ns, rows[i].excused_ms * MS);
		beat_after(t, rows[i].gap_ms * MS);
		gaps = kvmhb_tally_gaps(&t->tally);
		KUNIT_EXPECT_EQ_MSG(test, beats_of(t), rows[i].beats, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, missed_of(t), rows[i].missed, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, gaps.n, rows[i].gaps, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, gaps.sum_ns, rows[i].sum_ms * MS, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_tally_last_beat_at_ns(&t->tally),
				    kvmhb_state_is_armed(rows[i].state) ? clock_ns : last_at_ns,
				    "%s", rows[i].what);
	}
	/* In late, unresponsive and paused. */
	KUNIT_EXPECT_EQ(test, t->wakes, 6);
}

/* An excuse is that of one silence. */
static void tally_excuse(struct kunit *test)
{
	struct tally_test *t = tally_test_init(test);
	u64 last_at_ns = kvmhb_tally_last_beat_at_ns(&t->tally);

	kvmhb_tally_excuse(&t->tally, last_at_ns, 7 * SEC);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_excused_ns(&t->tally, last_at_ns), 7 * SEC);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_excused_ns(&t->tally, last_at_ns + 1), 0);
	beat_after(t, 10 * INTERVAL);
	KUNIT_EXPECT_EQ(test, missed_of(t), 0);
	beat_after(t, 10 * INTERVAL);
	KUNIT_EXPECT_EQ(test, missed_of(t), 9);
}

/* Whoever asks is woken by each beat, until nobody asks any more. */
static void tally_wakes(struct kunit *test)
{
	struct tally_test *t = tally_test_init(test);

	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, t->wakes, 0);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_ask(&t->tally), clock_ns);
	KUNIT_EXPECT_TRUE(test, t->tally.attention);
	KUNIT_EXPECT_EQ(test, t->wakes, 0);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, t->wakes, 1);
	t->tally.attention = false;
	beat_after(t, INTERVAL);
	beat_after(t, 10 * INTERVAL);
	KUNIT_EXPECT_EQ(test, t->wakes, 1);
	KUNIT_EXPECT_EQ(test, beats_of(t), 4);
}

/* A beat acknowledges, in the page, by which configuration it came. */
static void tally_retunes(struct kunit *test)
{
	const struct kvmhb_timing fast = { INTERVAL / 2, INTERVAL };
	struct tally_test *t = tally_test_init(test);

	t->pulse.header->config_ack = t->pulse.header->config_seq;
	beat_after(t, INTERVAL);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 1);

	kvmhb_pulse_publish(&t->pulse, &fast);
	kvmhb_tally_retune(&t->tally, INTERVAL, true);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_FALSE(test, kvmhb_tally_has_acked(&t->tally));
	KUNIT_EXPECT_EQ(test, t->wakes, 0);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 2);

	/* What is in the page is not said before a beat says it. */
	t->pulse.header->config_ack = t->pulse.header->config_seq;
	KUNIT_EXPECT_FALSE(test, kvmhb_tally_has_acked(&t->tally));
	beat_after(t, INTERVAL / 2);
	KUNIT_EXPECT_TRUE(test, kvmhb_tally_has_acked(&t->tally));
	KUNIT_EXPECT_EQ(test, t->wakes, 1);

	/* A new rhythm, and the next gap still began in the old one. */
	kvmhb_tally_retune(&t->tally, INTERVAL / 2, false);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 0);
	beat_after(t, INTERVAL / 2);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 0);
	KUNIT_EXPECT_EQ(test, t->wakes, 1);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 1);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).sum_ns, INTERVAL);
	KUNIT_EXPECT_EQ(test, missed_of(t), 1);

	/* It was not retuning: the rhythm goes on. */
	kvmhb_tally_retune(&t->tally, INTERVAL, false);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 1);
}

/* The device is reset under a guest that goes on beating. */
static void tally_lost_and_found(struct kunit *test)
{
	struct tally_test *t = tally_test_init(test);

	beat_after(t, INTERVAL);
	t->tally.state = KVMHB_WAITING;
	atomic64_set(&t->tally.last_beat_at_ns, 0);
	kvmhb_tally_lose(&t->tally, true);

	/* The first may have been under way, and half an interval is too short. */
	beat_after(t, INTERVAL);
	beat_after(t, INTERVAL / 2 - 1);
	KUNIT_EXPECT_FALSE(test, kvmhb_tally_is_found(&t->tally));
	KUNIT_EXPECT_EQ(test, t->wakes, 0);
	beat_after(t, 1);
	KUNIT_EXPECT_TRUE(test, kvmhb_tally_is_found(&t->tally));
	KUNIT_EXPECT_EQ(test, t->wakes, 1);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, t->wakes, 1);
	KUNIT_EXPECT_EQ(test, beats_of(t), 1);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_last_beat_at_ns(&t->tally), 0);

	/* Reset again: what came before it says nothing. */
	kvmhb_tally_lose(&t->tally, true);
	KUNIT_EXPECT_FALSE(test, kvmhb_tally_is_found(&t->tally));
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_FALSE(test, kvmhb_tally_is_found(&t->tally));
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_TRUE(test, kvmhb_tally_is_found(&t->tally));

	/* It has said something meanwhile, or there was nobody to lose. */
	t->tally.lost = false;
	KUNIT_EXPECT_FALSE(test, kvmhb_tally_is_found(&t->tally));
	kvmhb_tally_lose(&t->tally, false);
	beat_after(t, INTERVAL);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_FALSE(test, kvmhb_tally_is_found(&t->tally));
	KUNIT_EXPECT_EQ(test, t->wakes, 2);
}

/* Another VM; what the one before has left, and a beat of it that comes late, do not count. */
static void tally_begins_anew(struct kunit *test)
{
	struct tally_test *t = tally_test_init(test);

	beat_after(t, INTERVAL);
	beat_after(t, 10 * INTERVAL);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 2);
	KUNIT_EXPECT_EQ(test, missed_of(t), 9);
	t->tally.lost = true;
	t->tally.pulse = NULL;
	kvmhb_tally_attach(&t->tally, &t->pulse);
	KUNIT_EXPECT_PTR_EQ(test, t->tally.pulse, &t->pulse);
	KUNIT_EXPECT_EQ(test, beats_of(t), 0);
	KUNIT_EXPECT_EQ(test, missed_of(t), 0);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 0);
	KUNIT_EXPECT_FALSE(test, t->tally.lost);

	/* One that saw the guest armed, after the device was reset. */
	atomic64_set(&t->tally.last_beat_at_ns, 0);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_last_beat_at_ns(&t->tally), 0);
	KUNIT_EXPECT_EQ(test, beats_of(t), 0);

	/* What it wrote over the statistics is gone with the first beat of the new one. */
	kvmhb_gaps_add(&t->tally.gaps, 77 * SEC);
	clock_ns += INTERVAL;
	kvmhb_tally_arm(&t->tally);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_last_beat_at_ns(&t->tally), clock_ns);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 0);
	beat_after(t, INTERVAL);
	KUNIT_EXPECT_EQ(test, beats_of(t), 2);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).n, 1);
	KUNIT_EXPECT_EQ(test, kvmhb_tally_gaps(&t->tally).max_ns, INTERVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(tally_gap_statistics),
	KUNIT_CASE(tally_beats),
	KUNIT_CASE(tally_excuse),
	KUNIT_CASE(tally_wakes),
	KUNIT_CASE(tally_retunes),
	KUNIT_CASE(tally_lost_and_found),
	KUNIT_CASE(tally_begins_anew),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_tally",
	.test_cases = cases,
};

kunit_test_suite(suite);
