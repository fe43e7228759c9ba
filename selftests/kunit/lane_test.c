// SPDX-License-Identifier: GPL-2.0
#include "looked.h"

#include "lane.c"

/* Has the lane look, once it is free, and owes nobody anything. */
static bool take_lane(struct looked *l)
{
	while (test_bit(0, &lane_taken))
		cond_resched();
	WRITE_ONCE(lane_paid_until_ns, 0);
	return kvmhb_lane_take(&l->turn);
}

static void lane_looks(struct kunit *test)
{
	struct looked *l = looked_init(test);
	u64 before_ns = ktime_get_ns();

	KUNIT_EXPECT_EQ(test, lane_thread->policy, SCHED_FIFO);
	KUNIT_ASSERT_TRUE(test, take_lane(l));
	ASSERT_LOOKED(test, l);
	kvmhb_lane_forget(&l->turn);
	KUNIT_EXPECT_EQ(test, l->looks[0].by, KVMHB_LOOKER_LANE);
	KUNIT_EXPECT_EQ(test, l->looks[0].asked_at_ns, 0);
	KUNIT_EXPECT_GE(test, l->looks[0].at_ns, before_ns);
	KUNIT_EXPECT_EQ(test, ended_of(l), 1);

	/* Once more, and for another. */
	KUNIT_ASSERT_TRUE(test, take_lane(l));
	ASSERT_LOOKED(test, l);
	KUNIT_EXPECT_EQ(test, looks_of(l), 2);
}

static void lane_leaves_to_a_worker(struct kunit *test)
{
	struct looked *l = looked_init(test);

	l->leaves = true;
	KUNIT_ASSERT_TRUE(test, take_lane(l));
	ASSERT_LOOKED(test, l);
	ASSERT_LOOKED(test, l);
	KUNIT_EXPECT_EQ(test, l->looks[0].by, KVMHB_LOOKER_LANE);
	KUNIT_EXPECT_EQ(test, l->looks[1].by, KVMHB_LOOKER_WORKER);
}

struct forgetting {
	struct work_struct work;
	struct looked *l;
	struct completion forgotten;
	unsigned int ended;
};

static void forget(struct work_struct *work)
{
	struct forgetting *f = container_of(work, struct forgetting, work);

	kvmhb_lane_forget(&f->l->turn);
	f->ended = ended_of(f->l);
	complete(&f->forgotten);
}

/* Who is in the lane keeps the others out, and has to pay for it. */
static void lane_is_busy(struct kunit *test)
{
	struct looked *l = looked_init(test), *other = looked_init(test);
	struct forgetting f = { .l = l };
	u64 look_ns;

	l->holds = KVMHB_LOOKER_LANE;
	INIT_WORK_ONSTACK(&f.work, forget);
	init_completion(&f.forgotten);
	KUNIT_ASSERT_TRUE(test, take_lane(l));
	ASSERT_LOOKED(test, l);
	KUNIT_EXPECT_FALSE(test, kvmhb_lane_take(&other->turn));

	/* The thread does not get on: before long a worker looks, at that one. */
	ASSERT_LOOKED(test, l);
	KUNIT_EXPECT_EQ(test, l->looks[1].by, KVMHB_LOOKER_WORKER);

	/* Another is not waited for, this one is. */
	kvmhb_lane_forget(&other->turn);
	queue_work(system_unbound_wq, &f.work);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&f.forgotten, NOT_SO_SOON));
	look_ns = ktime_get_ns() - l->looks[0].at_ns;
	complete_all(&l->go);
	wait_for_completion(&f.forgotten);
	destroy_work_on_stack(&f.work);
	KUNIT_EXPECT_EQ(test, f.ended, 2);
	KUNIT_EXPECT_EQ(test, looks_of(other), 0);

	/* A tenth of a CPU: after a look so long the lane is closed nine times as long. */
	while (test_bit(0, &lane_taken))
		cond_resched();
	KUNIT_EXPECT_GE(test, READ_ONCE(lane_paid_until_ns),
			l->looks[0].at_ns + LANE_SHARE * look_ns - look_ns / 2);
	WRITE_ONCE(lane_paid_until_ns, U64_MAX);
	KUNIT_EXPECT_FALSE(test, kvmhb_lane_take(&other->turn));
	KUNIT_EXPECT_FALSE(test, test_bit(0, &lane_taken));
	KUNIT_EXPECT_TRUE(test, take_lane(other));
	ASSERT_LOOKED(test, other);
	KUNIT_EXPECT_EQ(test, other->looks[0].by, KVMHB_LOOKER_LANE);
}

static int lane_suite_init(struct kunit_suite *suite)
{
	return kvmhb_turns_init();
}

static void lane_suite_exit(struct kunit_suite *suite)
{
	kvmhb_turns_exit();
	lane_paid_until_ns = 0;
}

static struct kunit_case cases[] = {
	KUNIT_CASE(lane_looks),
	KUNIT_CASE(lane_leaves_to_a_worker),
	KUNIT_CASE(lane_is_busy),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_lane",
	.suite_init = lane_suite_init,
	.suite_exit = lane_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
