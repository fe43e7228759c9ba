// SPDX-License-Identifier: GPL-2.0
#include "looked.h"

#include <linux/sched.h>

#include "patrol.c"

static struct kvmhb_patrol *patrol_of(u64 interval_ns)
{
	return &patrols[ilog2(interval_ns) - PATROL_FIRST];
}

static void on_patrol(struct looked *l, u64 interval_ns, u64 due_at_ns, u64 beat_due_ns)
{
	mutex_lock(&l->mutex);
	kvmhb_turn_on_patrol(&l->turn, interval_ns, due_at_ns, beat_due_ns);
	mutex_unlock(&l->mutex);
}

static void on_timer(struct looked *l, u64 due_at_ns)
{
	mutex_lock(&l->mutex);
	kvmhb_turn_on_timer(&l->turn, due_at_ns);
	mutex_unlock(&l->mutex);
}

static void never(struct looked *l)
{
	mutex_lock(&l->mutex);
	kvmhb_turn_never(&l->turn);
	mutex_unlock(&l->mutex);
}

static void bring_forward(struct looked *l, u64 due_at_ns)
{
	mutex_lock(&l->mutex);
	kvmhb_turn_bring_forward(&l->turn, due_at_ns);
	mutex_unlock(&l->mutex);
}

/* A walk of a patrol, as if its timer had expired. When it returns, it is over. */
static void walk(u64 interval_ns)
{
	queue_work(patrol_wq, &patrol_of(interval_ns)->work);
	flush_work(&patrol_of(interval_ns)->work);
}

static void patrol_comes_by(struct kunit *test)
{
	struct looked *l = looked_init(test);
	u64 due_at_ns = ktime_get_ns() + 30 * MS;

	on_patrol(l, 10 * MS, due_at_ns, 0);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), due_at_ns);
	ASSERT_LOOKED(test, l);
	KUNIT_EXPECT_EQ(test, l->looks[0].by, KVMHB_LOOKER_PATROL);
	KUNIT_EXPECT_GE(test, l->looks[0].asked_at_ns, due_at_ns);
	KUNIT_EXPECT_GE(test, l->looks[0].at_ns, l->looks[0].asked_at_ns);

	/* It has not said when it is due again, and nobody comes to see. */
	flush_work(&patrol_of(10 * MS)->work);
	KUNIT_EXPECT_EQ(test, patrol_of(10 * MS)->next_at_ns, U64_MAX);
	KUNIT_EXPECT_EQ(test, looks_of(l), 1);
	due_at_ns = ktime_get_ns() + 10 * MS;
	on_patrol(l, 10 * MS, due_at_ns, 0);
	ASSERT_LOOKED(test, l);
	KUNIT_EXPECT_GE(test, l->looks[1].at_ns, due_at_ns);
}

static void patrol_leaves_to_a_worker(struct kunit *test)
{
	struct looked *l = looked_init(test);

	l->leaves = true;
	on_patrol(l, 10 * MS, ktime_get_ns() + MS, 0);
	ASSERT_LOOKED(test, l);
	ASSERT_LOOKED(test, l);
	KUNIT_EXPECT_EQ(test, l->looks[0].by, KVMHB_LOOKER_PATROL);
	KUNIT_EXPECT_EQ(test, l->looks[1].by, KVMHB_LOOKER_WORKER);
	KUNIT_EXPECT_EQ(test, l->looks[1].asked_at_ns, 0);
}

/* Who is due half an interval later is looked at with the first, if the interval is alike. */
static void patrol_is_shared(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 interval, due;
		bool with_the_first;
	} rows[] = {
		{ "the first", HOUR, 0, true },
		{ "soon due", HOUR, HOUR / 3, true },
		{ "due later", HOUR, HOUR * 2 / 3, false },
		{ "an interval alike", HOUR * 2 / 3, HOUR / 4, true },
		{ "an interval of its own", HOUR / 2, HOUR / 5, false },
	};
	struct looked *l[ARRAY_SIZE(rows)];
	u64 due_at_ns = ktime_get_ns() + 20 * MS;
	int i;

	walk(HOUR);	/* forgets those of other tests */
	for (i = ARRAY_SIZE(rows) - 1; i >= 0; i--) {
		l[i] = looked_init(test);
		on_patrol(l[i], rows[i].interval, due_at_ns + rows[i].due, 0);
	}
	ASSERT_LOOKED(test, l[0]);
	flush_work(&patrol_of(HOUR)->work);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		KUNIT_EXPECT_EQ_MSG(test, looks_of(l[i]), rows[i].with_the_first, "%s",
				    rows[i].what);
		KUNIT_EXPECT_TRUE_MSG(test, l[i]->turn.patrol == patrol_of(rows[i].interval),
				      "%s", rows[i].what);
	}
	KUNIT_EXPECT_GE(test, l[0]->looks[0].at_ns, due_at_ns);
	/* It comes again for who is left; others are to say when they are due. */
	KUNIT_EXPECT_EQ(test, patrol_of(HOUR)->next_at_ns, l[2]->turn.due_at_ns);

	/* One that is due sooner has it come sooner, one that is due later does not. */
	on_patrol(l[0], HOUR, due_at_ns + HOUR / 2, 0);
	KUNIT_EXPECT_EQ(test, patrol_of(HOUR)->next_at_ns, due_at_ns + HOUR / 2);
	on_patrol(l[1], HOUR, due_at_ns + HOUR, 0);
	KUNIT_EXPECT_EQ(test, patrol_of(HOUR)->next_at_ns, due_at_ns + HOUR / 2);
}

/* A walk that lets others have its CPU now and then passes each once. */
static void patrol_walks_in_stretches(struct kunit *test)
{
	const unsigned int nr = 2 * PATROL_STRETCH + 2;
	struct looked **l = kunit_kcalloc(test, nr, sizeof(*l), GFP_KERNEL);
	u64 now_ns = ktime_get_ns();
	unsigned int i, round;

	KUNIT_ASSERT_NOT_NULL(test, l);
	walk(HOUR);	/* forgets those of other tests */
	for (i = 0; i < nr; i++) {
		l[i] = looked_init(test);
		on_patrol(l[i], HOUR, now_ns + (i % 2 ? 2 * HOUR + i : HOUR / 4), 0);
	}
	for (round = 1; round < 3; round++) {
		walk(HOUR);
		for (i = 0; i < nr; i++)
			if (looks_of(l[i]) != (i % 2 ? 0 : round))
				break;
		KUNIT_EXPECT_EQ(test, i, nr);
		/* It comes again for the first of those that are left. */
		if (round == 1)
			KUNIT_EXPECT_EQ(test, patrol_of(HOUR)->next_at_ns, now_ns + 2 * HOUR + 1);
	}
}

/* If beats are all that there is to see, the look is due so long after the last. */
static void patrol_by_beats(struct kunit *test)
{
	struct looked *l = looked_init(test);
	struct kvmhb_pulse pulse;
	u64 now_ns = ktime_get_ns();

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	walk(HOUR);	/* forgets those of other tests */
	l->tally.pulse = &pulse;
	atomic64_set(&l->tally.last_beat_at_ns, now_ns);
	on_patrol(l, HOUR, now_ns + 9 * HOUR, 2 * HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), now_ns + 2 * HOUR);
	atomic64_set(&l->tally.last_beat_at_ns, now_ns + HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), now_ns + 3 * HOUR);
	atomic64_set(&l->tally.last_beat_at_ns, now_ns + 8 * HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), now_ns + 9 * HOUR);

	/* The patrol comes for the beat of then, and again for the one of now. */
	atomic64_set(&l->tally.last_beat_at_ns, now_ns + HOUR);
	KUNIT_EXPECT_EQ(test, patrol_of(HOUR)->next_at_ns, now_ns + 2 * HOUR);
	walk(HOUR);
	KUNIT_EXPECT_EQ(test, looks_of(l), 0);
	KUNIT_EXPECT_EQ(test, patrol_of(HOUR)->next_at_ns, now_ns + 3 * HOUR);
	atomic64_set(&l->tally.last_beat_at_ns, now_ns - 2 * HOUR);
	walk(HOUR);
	KUNIT_EXPECT_EQ(test, looks_of(l), 1);

	/* There is more to see: a CPU pulses. */
	atomic64_set(&l->tally.last_beat_at_ns, now_ns + HOUR);
	walk(HOUR);
	KUNIT_EXPECT_EQ(test, looks_of(l), 1);
	slots_of(&pulse)->flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	walk(HOUR);
	KUNIT_EXPECT_EQ(test, looks_of(l), 2);
	on_patrol(l, HOUR, now_ns + 9 * HOUR, 0);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), now_ns + 9 * HOUR);
	walk(HOUR);
	KUNIT_EXPECT_EQ(test, looks_of(l), 2);
	never(l);
	kvmhb_pulse_uninit(&pulse);
}

/* The lane looks, or a worker if it is busy; here it may be so with what was before. */
static void turn_by_timer(struct kunit *test)
{
	struct looked *l = looked_init(test);
	unsigned int by_lane = 0, i;
	u64 due_at_ns, asked_at_ns;

	for (i = 0; i < 8; i++) {
		due_at_ns = ktime_get_ns() + 20 * MS;
		on_timer(l, due_at_ns);
		KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), due_at_ns);
		ASSERT_LOOKED(test, l);
		asked_at_ns = READ_ONCE(l->turn.asked_at_ns);
		KUNIT_EXPECT_NE(test, l->looks[0].by, KVMHB_LOOKER_PATROL);
		KUNIT_EXPECT_EQ(test, l->looks[0].asked_at_ns, 0);
		KUNIT_EXPECT_GE(test, asked_at_ns, due_at_ns);
		KUNIT_EXPECT_GE(test, l->looks[0].at_ns, asked_at_ns);
		by_lane += l->looks[0].by == KVMHB_LOOKER_LANE;
		/* A worker looks as well if the lane was slow. */
		kvmhb_turn_flush(&l->turn);
		l->nr = 0;
		reinit_completion(&l->looked);
	}
	KUNIT_EXPECT_GT(test, by_lane, 0);

	/* What is set anew has not been asked for. */
	on_timer(l, ktime_get_ns() + HOUR);
	KUNIT_EXPECT_EQ(test, l->turn.asked_at_ns, 0);
}

/* A turn is on one patrol, or has a timer, or neither. */
static void turn_moves(struct kunit *test)
{
	struct looked *l = looked_init(test);
	u64 due_at_ns = ktime_get_ns() + HOUR;

	on_timer(l, due_at_ns);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&l->turn.timer));
	on_patrol(l, HOUR, due_at_ns, 2 * HOUR);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&l->turn.timer));
	KUNIT_EXPECT_FALSE(test, list_empty(&patrol_of(HOUR)->turns));
	on_patrol(l, MS, due_at_ns, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&patrol_of(HOUR)->turns));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&patrol_of(MS)->turns));
	KUNIT_EXPECT_EQ(test, l->turn.early_ns, MS / 2);
	on_patrol(l, MS, due_at_ns, 2 * HOUR);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&patrol_of(MS)->turns));
	on_timer(l, due_at_ns);
	KUNIT_EXPECT_TRUE(test, list_empty(&patrol_of(MS)->turns));
	KUNIT_EXPECT_NULL(test, l->turn.patrol);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), due_at_ns);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&l->turn.timer));
	never(l);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&l->turn.timer));
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&l->turn), 0);
	KUNIT_EXPECT_EQ(test, looks_of(l), 0);
}

/* Others are looked at after one whose turn was to be before theirs, and does not come. */
static void turn_never(struct kunit *test)
{
	struct looked *patrolled = looked_init(test), *timed = looked_init(test);
	struct looked *after = looked_init(test), *long_after = looked_init(test);
	u64 due_at_ns = ktime_get_ns() + 100 * MS;
	unsigned int nr_patrolled, nr_timed;

	on_patrol(patrolled, 20 * MS, due_at_ns, 0);
	on_timer(timed, due_at_ns);
	never(patrolled);
	never(timed);
	KUNIT_EXPECT_NULL(test, patrolled->turn.patrol);
	kvmhb_turn_flush(&patrolled->turn);
	kvmhb_turn_flush(&timed->turn);
	/* None, unless never was said too late. */
	nr_patrolled = looks_of(patrolled);
	nr_timed = looks_of(timed);
	on_patrol(after, 20 * MS, due_at_ns, 0);
	on_timer(long_after, due_at_ns + 20 * MS);
	ASSERT_LOOKED(test, after);
	ASSERT_LOOKED(test, long_after);
	KUNIT_EXPECT_EQ(test, looks_of(patrolled), nr_patrolled);
	KUNIT_EXPECT_EQ(test, looks_of(timed), nr_timed);
}

static void turn_is_brought_forward(struct kunit *test)
{
	struct looked *l = looked_init(test);
	u64 due_at_ns = ktime_get_ns() + 4 * HOUR;

	/* On patrol: whoever comes next finds it. */
	on_patrol(l, HOUR, due_at_ns, 0);
	bring_forward(l, 0);
	KUNIT_EXPECT_EQ(test, l->turn.due_at_ns, due_at_ns);
	walk(HOUR);
	bring_forward(l, due_at_ns - 4 * HOUR);
	KUNIT_EXPECT_EQ(test, l->turn.due_at_ns, due_at_ns - 4 * HOUR);
	flush_work(&l->turn.work);
	KUNIT_EXPECT_EQ(test, looks_of(l), 0);
	walk(HOUR);
	KUNIT_EXPECT_EQ(test, looks_of(l), 1);
	KUNIT_EXPECT_EQ(test, l->looks[0].by, KVMHB_LOOKER_PATROL);

	/* Otherwise a worker looks at once. The look is not late, but for a timer's time. */
	on_timer(l, due_at_ns);
	bring_forward(l, 0);
	flush_work(&l->turn.work);
	KUNIT_EXPECT_EQ(test, looks_of(l), 2);
	KUNIT_EXPECT_EQ(test, l->looks[1].by, KVMHB_LOOKER_WORKER);
	KUNIT_EXPECT_EQ(test, l->turn.due_at_ns, due_at_ns);
	bring_forward(l, due_at_ns - 4 * HOUR);
	flush_work(&l->turn.work);
	KUNIT_EXPECT_EQ(test, looks_of(l), 3);
	KUNIT_EXPECT_EQ(test, l->turn.due_at_ns, 0);
	never(l);
	kvmhb_turn_now(&l->turn);
	flush_work(&l->turn.work);
	KUNIT_EXPECT_EQ(test, looks_of(l), 4);
	KUNIT_EXPECT_EQ(test, l->looks[3].by, KVMHB_LOOKER_WORKER);
	KUNIT_EXPECT_EQ(test, l->looks[3].asked_at_ns, 0);
}

/* Somebody else who waits for a look to end. */
struct waiter {
	struct work_struct work;
	struct looked *l;
	void (*wait)(struct kvmhb_turn *turn);
	struct completion over;
	unsigned int ended;
};

static void wait_for_look(struct work_struct *work)
{
	struct waiter *w = container_of(work, struct waiter, work);

	w->wait(&w->l->turn);
	w->ended = ended_of(w->l);
	complete(&w->over);
}

static void turn_is_waited_for(struct kunit *test)
{
	static const struct {
		const char *what;
		enum kvmhb_looker by;
		void (*wait)(struct kvmhb_turn *turn);
	} rows[] = {
		{ "flush, a worker looks", KVMHB_LOOKER_WORKER, kvmhb_turn_flush },
		{ "flush, the lane looks", KVMHB_LOOKER_LANE, kvmhb_turn_flush },
		{ "uninit, a worker looks", KVMHB_LOOKER_WORKER, kvmhb_turn_uninit },
		{ "uninit, a patrol looks", KVMHB_LOOKER_PATROL, kvmhb_turn_uninit },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct looked *l = looked_init(test), *other = looked_init(test);
		struct waiter w = { .l = l, .wait = rows[i].wait };

		INIT_WORK_ONSTACK(&w.work, wait_for_look);
		init_completion(&w.over);
		l->holds = rows[i].by;
		if (rows[i].by == KVMHB_LOOKER_PATROL)
			on_patrol(l, 10 * MS, ktime_get_ns(), 0);
		else if (rows[i].by == KVMHB_LOOKER_WORKER)
			kvmhb_turn_now(&l->turn);
		else
			while (!kvmhb_lane_take(&l->turn))	/* paid for what was before */
				cond_resched();
		ASSERT_LOOKED(test, l);
		KUNIT_EXPECT_EQ_MSG(test, l->looks[0].by, rows[i].by, "%s", rows[i].what);
		never(l);

		/* Not for others. */
		rows[i].wait(&other->turn);
		queue_work(system_unbound_wq, &w.work);
		KUNIT_EXPECT_FALSE_MSG(test, wait_for_completion_timeout(&w.over, NOT_SO_SOON),
				       "%s", rows[i].what);
		complete_all(&l->go);
		wait_for_completion(&w.over);
		destroy_work_on_stack(&w.work);
		/* A patrol or the lane may have been given a worker's help. */
		KUNIT_EXPECT_GE_MSG(test, w.ended, 1, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, w.ended, looks_of(l), "%s", rows[i].what);
	}
}

static int patrol_suite_init(struct kunit_suite *suite)
{
	return kvmhb_turns_init();
}

static void patrol_suite_exit(struct kunit_suite *suite)
{
	kvmhb_turns_exit();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(patrol_comes_by),
	KUNIT_CASE(patrol_leaves_to_a_worker),
	KUNIT_CASE(patrol_is_shared),
	KUNIT_CASE(patrol_walks_in_stretches),
	KUNIT_CASE(patrol_by_beats),
	KUNIT_CASE(turn_by_timer),
	KUNIT_CASE(turn_moves),
	KUNIT_CASE(turn_never),
	KUNIT_CASE(turn_is_brought_forward),
	KUNIT_CASE(turn_is_waited_for),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_patrol",
	.suite_init = patrol_suite_init,
	.suite_exit = patrol_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
