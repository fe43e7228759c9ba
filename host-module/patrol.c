// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that beats has to be looked at about once an interval, but not at any
 * exact moment. So monitors with intervals alike share one timer: when it expires for
 * the first of them, all that would be due soon are looked at as well. With few guests that
 * is as good as a timer for each; with thousands, one interrupt and one walk through
 * a list serve them all.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "kvm_heartbeat.h"
#include "monitor.h"
#include "patrol.h"
#include "pulse.h"

/* Intervals of one patrol differ by less than a factor of two. */
#define FIRST	ilog2(KVM_HEARTBEAT_INTERVAL_MIN_NS)
#define LAST	ilog2(KVM_HEARTBEAT_INTERVAL_MAX_NS)

/**
 * struct kvmhb_patrol - the monitors that are looked at together
 * @lock: protects all of it; taken with a monitor's lock held
 * @monitors: their &kvmhb_monitor.patrol_entry
 * @due: those of them that a walk has found due, and not yet looked at
 * @looking_at: the one that is being looked at without @lock, or NULL; waited for as a
 *	variable
 * @next_ns: when @timer expires, ns of CLOCK_MONOTONIC; U64_MAX if it does not
 * @asked_ns: when it did so last, likewise; written without @lock
 * @timer: queues @work
 * @work: walks through @monitors
 */
struct kvmhb_patrol {
	struct mutex lock;	/* of all below */
	struct list_head monitors;
	struct list_head due;
	const struct kvmhb_monitor *looking_at;
	u64 next_ns;
	u64 asked_ns;
	struct hrtimer timer;
	struct work_struct work;
};

static struct kvmhb_patrol patrols[LAST - FIRST + 1];
static struct workqueue_struct *patrols_wq;

static struct kvmhb_patrol *patrol_of(u64 interval_ns)
{
	return &patrols[ilog2(interval_ns) - FIRST];
}

static void come_by(struct kvmhb_patrol *patrol, u64 when_ns)
{
	lockdep_assert_held(&patrol->lock);

	if (when_ns >= patrol->next_ns)
		return;
	patrol->next_ns = when_ns;
	hrtimer_start(&patrol->timer, ns_to_ktime(when_ns), HRTIMER_MODE_ABS_HARD);
}

/* Whether a monitor is to be looked at now that the patrol is here. */
static bool is_due(const struct kvmhb_monitor *mon, u64 due_ns, u64 now_ns)
{
	return due_ns <= now_ns + kvmhb_patrol_early_ns(READ_ONCE(mon->judging.interval_ns)) ||
	       (READ_ONCE(mon->beat_due_ns) && kvmhb_pulse_is_online(mon->pulse, 0));
}

/* Whether a beat is overdue, and there will be something to say about it. */
static bool is_silent(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	return kvmhb_tally_last_beat_ns(&mon->tally) + kvmhb_late_ns(&mon->judging) <=
	       ktime_get_ns();
}

/*
 * To wake a worker costs more than to look. But nobody is to wait behind another, for a
 * lock that its VMM may hold, or while it is said that guest by guest falls silent: that
 * is the workers' part.
 */
static void look_at(struct kvmhb_patrol *patrol, struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&patrol->lock);

	if (!mutex_trylock(&mon->lock)) {
		queue_work(patrols_wq, &mon->work);
		return;
	}
	/* While we have its lock it is not detached, and until we say so it is not freed. */
	WRITE_ONCE(patrol->looking_at, mon);
	WRITE_ONCE(mon->asked_ns, READ_ONCE(patrol->asked_ns));
	mutex_unlock(&patrol->lock);
	if (is_silent(mon))
		queue_work(patrols_wq, &mon->work);
	else
		kvmhb_monitor_look(mon);
	mutex_unlock(&mon->lock);
	/* Pairs with the acquire in kvmhb_patrols_forget(). */
	store_release_wake_up(&patrol->looking_at, NULL);
	mutex_lock(&patrol->lock);
}

static void walk(struct work_struct *work)
{
	struct kvmhb_patrol *patrol = container_of(work, struct kvmhb_patrol, work);
	struct kvmhb_monitor *mon, *next;
	u64 next_ns = U64_MAX;
	u64 now_ns;

	mutex_lock(&patrol->lock);
	now_ns = ktime_get_ns();
	list_for_each_entry_safe(mon, next, &patrol->monitors, patrol_entry) {
		u64 due_ns = kvmhb_monitor_due_ns(mon);

		if (is_due(mon, due_ns, now_ns))
			list_move_tail(&mon->patrol_entry, &patrol->due);
		else
			next_ns = min(next_ns, due_ns);
	}
	patrol->next_ns = U64_MAX;
	come_by(patrol, next_ns);

	/* Having been looked at, each says itself when it is due again. */
	while (!list_empty(&patrol->due)) {
		mon = list_first_entry(&patrol->due, struct kvmhb_monitor, patrol_entry);
		list_move_tail(&mon->patrol_entry, &patrol->monitors);
		look_at(patrol, mon);
	}
	mutex_unlock(&patrol->lock);
}

/* In the hard interrupt even on PREEMPT_RT, as all callbacks of ours: see monitor.c. */
static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct kvmhb_patrol *patrol = container_of(timer, struct kvmhb_patrol, timer);

	WRITE_ONCE(patrol->asked_ns, ktime_get_ns());
	queue_work(patrols_wq, &patrol->work);
	return HRTIMER_NORESTART;
}

/**
 * kvmhb_patrol_join - have a monitor looked at when it is due, or earlier
 * @mon: the monitor; may be on patrol already
 *
 * Context: process; @mon->lock is held.
 */
void kvmhb_patrol_join(struct kvmhb_monitor *mon)
{
	struct kvmhb_patrol *patrol = patrol_of(mon->judging.interval_ns);

	lockdep_assert_held(&mon->lock);

	if (mon->patrol != patrol)
		kvmhb_patrol_leave(mon);
	mutex_lock(&patrol->lock);
	if (!mon->patrol) {
		mon->patrol = patrol;
		list_add_tail(&mon->patrol_entry, &patrol->monitors);
	}
	come_by(patrol, kvmhb_monitor_due_ns(mon));
	mutex_unlock(&patrol->lock);
}

/**
 * kvmhb_patrol_leave - no longer have a monitor looked at
 * @mon: the monitor, on patrol or not
 *
 * When it returns, no patrol will look at it or queue its work. Context: process;
 * @mon->lock is held.
 */
void kvmhb_patrol_leave(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	if (!mon->patrol)
		return;
	mutex_lock(&mon->patrol->lock);
	list_del(&mon->patrol_entry);
	mutex_unlock(&mon->patrol->lock);
	mon->patrol = NULL;
}

static bool is_looking_at(const struct kvmhb_patrol *patrol, const struct kvmhb_monitor *mon)
{
	/* Acquire: pairs with the release in look_at(). */
	return smp_load_acquire(&patrol->looking_at) == mon;
}

/**
 * kvmhb_patrols_forget - wait until no patrol touches a monitor any more
 * @mon: the monitor, on no patrol
 *
 * Waits for a look at this monitor at the most, not for those at others. Context: process.
 */
void kvmhb_patrols_forget(const struct kvmhb_monitor *mon)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patrols); i++)
		wait_var_event(&patrols[i].looking_at, !is_looking_at(&patrols[i], mon));
}

/**
 * kvmhb_patrols_init - prepare all patrols
 * @wq: where they and the monitors work
 *
 * Context: process.
 */
void kvmhb_patrols_init(struct workqueue_struct *wq)
{
	unsigned int i;

	patrols_wq = wq;
	for (i = 0; i < ARRAY_SIZE(patrols); i++) {
		mutex_init(&patrols[i].lock);
		INIT_LIST_HEAD(&patrols[i].monitors);
		INIT_LIST_HEAD(&patrols[i].due);
		patrols[i].next_ns = U64_MAX;
		INIT_WORK(&patrols[i].work, walk);
		hrtimer_setup(&patrols[i].timer, expired, CLOCK_MONOTONIC,
			      HRTIMER_MODE_ABS_HARD);
	}
}

/**
 * kvmhb_patrols_exit - undo kvmhb_patrols_init()
 *
 * No monitor is on patrol. Context: process.
 */
void kvmhb_patrols_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patrols); i++) {
		/* Nobody is left whom a walk could wait for. */
		hrtimer_cancel(&patrols[i].timer);
		cancel_work_sync(&patrols[i].work);
		WARN_ON(!list_empty(&patrols[i].monitors));
		mutex_destroy(&patrols[i].lock);
	}
}
