// SPDX-License-Identifier: GPL-2.0
/*
 * The fast lane. Workers are ordinary tasks, among the vCPUs that they judge: on a host
 * whose CPUs are busy with guests that spin, a look waits behind them. So when a deadline
 * has come, a real-time thread looks, if it is free: one look at a time, and no more than a
 * tenth of a CPU for all, or a millisecond in a row: a guest that falls silent is looked at
 * more than once. Whoever finds it busy leaves the look to the workers, where nobody waits
 * behind another. If the thread does not get to run, as on a CPU that is dead, a timer of
 * the lane's own gives the look to the workers: that of the turn belongs to who holds its
 * lock.
 */
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "compat.h"
#include "lane.h"
#include "patrol.h"

#define LANE_SHARE		10
#define LANE_AHEAD_NS		(LANE_SHARE * NSEC_PER_MSEC)
#define LANE_PATIENCE_NS	(20 * NSEC_PER_MSEC)

static struct workqueue_struct *lane_wq;
static struct task_struct *lane_thread;
static unsigned long lane_taken;	/* bit 0: by who is about to be looked at, or is */
static struct kvmhb_turn *lane_turn;	/* whose turn that is; waited for as a variable */
static u64 lane_paid_until_ns;		/* its share pays for looks until then, CLOCK_MONOTONIC */
static struct hrtimer lane_timer;	/* started and cancelled by who has taken the lane */

static int lane_run(void *unused)
{
	struct kvmhb_turn *turn;
	u64 begin_at_ns, end_at_ns;

	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		/* Acquire: pairs with the release in kvmhb_lane_take(). */
		turn = smp_load_acquire(&lane_turn);
		if (!turn) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);

		begin_at_ns = ktime_get_ns();
		if (!turn->look(turn, KVMHB_LOOKER_LANE, 0))
			queue_work(lane_wq, &turn->work);
		end_at_ns = ktime_get_ns();
		WRITE_ONCE(lane_paid_until_ns, max(lane_paid_until_ns, begin_at_ns) +
					       LANE_SHARE * (end_at_ns - begin_at_ns));
		/* Waits for its callback: once the lane is free, the turn may be gone. */
		hrtimer_cancel(&lane_timer);
		/* Pairs with the acquire in kvmhb_lane_forget(). */
		store_release_wake_up(&lane_turn, NULL);
		clear_bit_unlock(0, &lane_taken);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static enum hrtimer_restart lane_stuck(struct hrtimer *timer)
{
	/* Acquire: pairs with the release in kvmhb_lane_take(). */
	struct kvmhb_turn *turn = smp_load_acquire(&lane_turn);

	if (turn)
		queue_work(lane_wq, &turn->work);
	return HRTIMER_NORESTART;
}

/**
 * kvmhb_lane_take - have the lane look, if it is free
 * @turn: whose turn it is
 *
 * Return: false if it is not. Context: any.
 */
bool kvmhb_lane_take(struct kvmhb_turn *turn)
{
	if (READ_ONCE(lane_paid_until_ns) > ktime_get_ns() + LANE_AHEAD_NS ||
	    test_and_set_bit_lock(0, &lane_taken))
		return false;
	/* Pinned: an idle CPU leaves its timers to a busy one, which may be the dead one. */
	hrtimer_start(&lane_timer, ns_to_ktime(LANE_PATIENCE_NS), HRTIMER_MODE_REL_PINNED_HARD);
	/* Pairs with the acquire in lane_run(), kvmhb_lane_forget() and lane_stuck(). */
	smp_store_release(&lane_turn, turn);
	wake_up_process(lane_thread);
	return true;
}

/**
 * kvmhb_lane_forget - wait until the lane does not touch a turn any more
 * @turn: whose turn will not come any more
 *
 * Context: process; the lock that its looks take is not held.
 */
void kvmhb_lane_forget(const struct kvmhb_turn *turn)
{
	/* Acquire: pairs with the release in lane_run(). */
	wait_var_event(&lane_turn, smp_load_acquire(&lane_turn) != turn);
}

/**
 * kvmhb_lane_init - open the lane
 * @wq: where looks are left to workers
 *
 * Return: 0 or a negative errno.
 */
int kvmhb_lane_init(struct workqueue_struct *wq)
{
	lane_wq = wq;
	hrtimer_setup(&lane_timer, lane_stuck, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	lane_thread = kthread_run(lane_run, NULL, "kvm_heartbeat");
	if (IS_ERR(lane_thread))
		return PTR_ERR(lane_thread);
	sched_set_fifo_low(lane_thread);
	return 0;
}

/**
 * kvmhb_lane_exit - undo kvmhb_lane_init()
 *
 * Nobody's turn comes any more.
 */
void kvmhb_lane_exit(void)
{
	kthread_stop(lane_thread);
}
