// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that beats has to be looked at about once an interval, but not at any
 * exact moment. So guests with intervals alike share one timer: when it expires for
 * the first of them, all that would be due soon are looked at as well. With few guests that
 * is as good as a timer for each; with thousands, one interrupt and one walk through
 * a list serve them all.
 *
 * Timers of this module expire in the hard interrupt, on PREEMPT_RT too. Else a thread of low
 * real-time priority would run them there, on the CPU where they were started; as a rule
 * that is where a guest has said a word, and a vCPU of higher priority that spins on it
 * would keep its own silence from being noticed. Callbacks may wake threads and queue work,
 * for which the kernel takes raw locks alone, and take no other lock of ours.
 */
#include <linux/log2.h>
#include <linux/wait_bit.h>

#include "compat.h"
#include "kvm_heartbeat.h"
#include "lane.h"
#include "patrol.h"
#include "pulse.h"

/* Intervals of one patrol differ by less than a factor of two. */
#define PATROL_FIRST	ilog2(KVM_HEARTBEAT_INTERVAL_MIN_NS)
#define PATROL_LAST	ilog2(KVM_HEARTBEAT_INTERVAL_MAX_NS)

/**
 * struct kvmhb_patrol - the guests that are looked at together
 * @lock: protects all of it; taken with the lock of a turn held. Threads of all VMMs take it, and
 *	a VMM may starve its own: who has this lock keeps its CPU
 * @turns: their &kvmhb_turn.entry
 * @due: those of them that a walk has found due, and not yet looked at
 * @looking_at: the one that is being looked at without @lock, or NULL; waited for as a
 *	variable
 * @next_at_ns: when @timer expires, ns of CLOCK_MONOTONIC; U64_MAX if it does not
 * @asked_at_ns: when it did so last, likewise; written without @lock
 * @timer: queues @work
 * @work: walks through @turns
 */
struct kvmhb_patrol {
	raw_spinlock_t lock;	/* of all below */
	struct list_head turns;
	struct list_head due;
	const struct kvmhb_turn *looking_at;
	u64 next_at_ns;
	u64 asked_at_ns;
	struct hrtimer timer;
	struct work_struct work;
};

static struct kvmhb_patrol patrols[PATROL_LAST - PATROL_FIRST + 1];

/*
 * Judging and reporting must not wait for a CPU that a guest has to itself, nor
 * behind other work, nor for memory.
 */
static struct workqueue_struct *patrol_wq;

static void patrol_come_by(struct kvmhb_patrol *patrol, u64 at_ns)
{
	lockdep_assert_held(&patrol->lock);

	if (at_ns >= patrol->next_at_ns)
		return;
	patrol->next_at_ns = at_ns;
	hrtimer_start(&patrol->timer, ns_to_ktime(at_ns), HRTIMER_MODE_ABS_HARD);
}

/* Whether a guest is to be looked at now that the patrol is here. */
static bool patrol_is_due(const struct kvmhb_turn *turn, u64 beat_due_ns, u64 due_at_ns, u64 now_ns)
{
	return due_at_ns <= now_ns + READ_ONCE(turn->early_ns) ||
	       (beat_due_ns && kvmhb_pulse_is_online(turn->tally->pulse, 0));
}

/*
 * To wake a worker costs more than to look. But nobody is to wait behind another, for a
 * lock that its VMM may hold, or while it is said that guest by guest falls silent: that
 * is the workers' part.
 */
static void patrol_look_at(struct kvmhb_patrol *patrol, struct kvmhb_turn *turn)
	__must_hold(&patrol->lock)
{
	lockdep_assert_held(&patrol->lock);

	/* Until we say so, the turn is not freed. */
	WRITE_ONCE(patrol->looking_at, turn);
	raw_spin_unlock(&patrol->lock);
	if (!turn->look(turn, KVMHB_LOOKER_PATROL, READ_ONCE(patrol->asked_at_ns)))
		queue_work(patrol_wq, &turn->work);
	/* Pairs with the acquire in kvmhb_turn_uninit(). */
	store_release_wake_up(&patrol->looking_at, NULL);
	raw_spin_lock(&patrol->lock);
}

/* How many guests a walk passes before it lets others have its CPU. */
#define PATROL_STRETCH	256

/* Finds out who is due, and when the others will be. */
static u64 patrol_pass(struct kvmhb_patrol *patrol)
	__must_hold(&patrol->lock)
{
	u64 now_ns = ktime_get_ns();
	u64 next_at_ns = U64_MAX;
	struct kvmhb_turn *turn, *next;
	unsigned int nr = 0;
	LIST_HEAD(place);

	lockdep_assert_held(&patrol->lock);

	list_for_each_entry_safe(turn, next, &patrol->turns, entry) {
		/* Once: with thousands of guests, most of the walk is this. */
		u64 beat_due_ns = READ_ONCE(turn->beat_due_ns);
		u64 due_at_ns = kvmhb_turn_due_by_ns(turn, beat_due_ns);

		if (patrol_is_due(turn, beat_due_ns, due_at_ns, now_ns))
			list_move_tail(&turn->entry, &patrol->due);
		else
			next_at_ns = min(next_at_ns, due_at_ns);
		if (++nr % PATROL_STRETCH)
			continue;
		/* Who is next may leave meanwhile, its place does not. Nobody else walks. */
		list_add_tail(&place, &next->entry);
		raw_spin_unlock(&patrol->lock);
		cond_resched();
		raw_spin_lock(&patrol->lock);
		next = list_entry(place.next, struct kvmhb_turn, entry);
		list_del(&place);
	}
	return next_at_ns;
}

static void patrol_walk(struct work_struct *work)
{
	struct kvmhb_patrol *patrol = container_of(work, struct kvmhb_patrol, work);
	struct kvmhb_turn *turn;

	raw_spin_lock(&patrol->lock);
	/* Who joins from here on may have it come by earlier. */
	patrol->next_at_ns = U64_MAX;
	patrol_come_by(patrol, patrol_pass(patrol));

	/* Having been looked at, each says itself when it is due again. */
	while (!list_empty(&patrol->due)) {
		turn = list_first_entry(&patrol->due, struct kvmhb_turn, entry);
		list_move_tail(&turn->entry, &patrol->turns);
		patrol_look_at(patrol, turn);
	}
	raw_spin_unlock(&patrol->lock);
}

static enum hrtimer_restart patrol_expired(struct hrtimer *timer)
{
	struct kvmhb_patrol *patrol = container_of(timer, struct kvmhb_patrol, timer);

	WRITE_ONCE(patrol->asked_at_ns, ktime_get_ns());
	queue_work(patrol_wq, &patrol->work);
	return HRTIMER_NORESTART;
}

static void patrol_join(struct kvmhb_patrol *patrol, struct kvmhb_turn *turn)
{
	raw_spin_lock(&patrol->lock);
	if (!turn->patrol) {
		turn->patrol = patrol;
		list_add_tail(&turn->entry, &patrol->turns);
	}
	patrol_come_by(patrol, kvmhb_turn_due_at_ns(turn));
	raw_spin_unlock(&patrol->lock);
}

static void patrol_leave(struct kvmhb_turn *turn)
{
	if (!turn->patrol)
		return;
	raw_spin_lock(&turn->patrol->lock);
	list_del(&turn->entry);
	raw_spin_unlock(&turn->patrol->lock);
	turn->patrol = NULL;
}

static void turn_set(struct kvmhb_turn *turn, u64 due_at_ns, u64 beat_due_ns)
{
	ASSERT_EXCLUSIVE_WRITER(turn->due_at_ns);
	WRITE_ONCE(turn->beat_due_ns, beat_due_ns);
	WRITE_ONCE(turn->due_at_ns, due_at_ns);
	WRITE_ONCE(turn->asked_at_ns, 0);
}

static enum hrtimer_restart turn_expired(struct hrtimer *timer)
{
	struct kvmhb_turn *turn = container_of(timer, struct kvmhb_turn, timer);

	WRITE_ONCE(turn->asked_at_ns, ktime_get_ns());
	if (!kvmhb_lane_take(turn))
		queue_work(patrol_wq, &turn->work);
	return HRTIMER_NORESTART;
}

static void turn_work(struct work_struct *work)
{
	struct kvmhb_turn *turn = container_of(work, struct kvmhb_turn, work);

	turn->look(turn, KVMHB_LOOKER_WORKER, 0);
}

/**
 * kvmhb_turn_on_patrol - have a guest looked at when it is due, or earlier
 * @turn: whose turn it is
 * @interval_ns: how often the guest has to beat, ns
 * @due_at_ns: when the look is to be made, ns of CLOCK_MONOTONIC
 * @beat_due_ns: how long after a beat, if that comes first, ns; or 0
 */
void kvmhb_turn_on_patrol(struct kvmhb_turn *turn, u64 interval_ns, u64 due_at_ns, u64 beat_due_ns)
{
	struct kvmhb_patrol *patrol = &patrols[ilog2(interval_ns) - PATROL_FIRST];

	lockdep_assert_held(turn->lock);

	if (!turn->patrol)	/* or else it is not set */
		hrtimer_cancel(&turn->timer);
	turn_set(turn, due_at_ns, beat_due_ns);
	WRITE_ONCE(turn->early_ns, kvmhb_patrol_early_ns(interval_ns));
	if (turn->patrol != patrol)
		patrol_leave(turn);
	patrol_join(patrol, turn);
}

/**
 * kvmhb_turn_on_timer - have a guest looked at when it is due
 * @turn: whose turn it is
 * @due_at_ns: when the look is to be made, ns of CLOCK_MONOTONIC
 */
void kvmhb_turn_on_timer(struct kvmhb_turn *turn, u64 due_at_ns)
{
	lockdep_assert_held(turn->lock);

	patrol_leave(turn);
	turn_set(turn, due_at_ns, 0);
	hrtimer_start(&turn->timer, ns_to_ktime(due_at_ns), HRTIMER_MODE_ABS_HARD);
}

/**
 * kvmhb_turn_never - no longer have a guest looked at
 * @turn: whose turn it was
 *
 * When it returns, no patrol begins to look, or reads the pulse page. What is under way, or
 * queued, will still look once.
 */
void kvmhb_turn_never(struct kvmhb_turn *turn)
{
	lockdep_assert_held(turn->lock);

	patrol_leave(turn);
	hrtimer_cancel(&turn->timer);
	WRITE_ONCE(turn->due_at_ns, 0);
}

/**
 * kvmhb_turn_bring_forward - have a guest looked at soon that has said a word
 * @turn: whose turn it is
 * @due_at_ns: when the look is to be made, ns of CLOCK_MONOTONIC; 0: when it was to be
 *
 * Words come at any rate, and a turn on patrol is not moved, as that takes a lock of
 * others: it is found by a walk that was to come in any case.
 */
void kvmhb_turn_bring_forward(struct kvmhb_turn *turn, u64 due_at_ns)
{
	lockdep_assert_held(turn->lock);

	if (turn->patrol) {
		if (due_at_ns)
			WRITE_ONCE(turn->due_at_ns, due_at_ns);
		return;
	}
	/* A look that no timer was to ask for is not late. */
	if (due_at_ns)
		WRITE_ONCE(turn->due_at_ns, 0);
	kvmhb_turn_now(turn);
}

/**
 * kvmhb_turn_now - have a worker look
 * @turn: whose turn it is
 *
 * Context: any.
 */
void kvmhb_turn_now(struct kvmhb_turn *turn)
{
	queue_work(patrol_wq, &turn->work);
}

/**
 * kvmhb_turn_flush - wait for the last look
 * @turn: whose turn will not come any more, see kvmhb_turn_never()
 *
 * A patrol may still be letting go of it. Context: process; @turn->lock is not held.
 */
void kvmhb_turn_flush(struct kvmhb_turn *turn)
{
	kvmhb_lane_forget(turn);
	cancel_work_sync(&turn->work);
}

/**
 * kvmhb_turn_init - prepare a turn
 * @turn: what to initialise
 * @tally: the guest's beats
 * @lock: what the caller holds when it sets the turn
 * @look: looks
 */
void kvmhb_turn_init(struct kvmhb_turn *turn, const struct kvmhb_tally *tally,
		     struct mutex *lock, kvmhb_look_fn *look)
{
	turn->look = look;
	turn->tally = tally;
	turn->lock = lock;
	INIT_WORK(&turn->work, turn_work);
	hrtimer_setup(&turn->timer, turn_expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
}

/**
 * kvmhb_turn_uninit - wait until nobody touches a turn any more
 * @turn: whose turn does not come any more, see kvmhb_turn_never()
 *
 * Waits for a look at this guest at the most, not for those at others.
 */
void kvmhb_turn_uninit(struct kvmhb_turn *turn)
{
	struct kvmhb_patrol *patrol;

	for (patrol = patrols; patrol < patrols + ARRAY_SIZE(patrols); patrol++) {
		/* Acquire: pairs with the release in patrol_look_at(). */
		wait_var_event(&patrol->looking_at, smp_load_acquire(&patrol->looking_at) != turn);
	}
	/* A patrol may have left its look to a worker. */
	cancel_work_sync(&turn->work);
}

/**
 * kvmhb_turns_init - prepare all patrols, the fast lane and the workers
 *
 * Return: 0 or a negative errno.
 */
int kvmhb_turns_init(void)
{
	unsigned int i;
	int ret;

	patrol_wq = alloc_workqueue("kvm_heartbeat", WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	if (!patrol_wq)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(patrols); i++) {
		raw_spin_lock_init(&patrols[i].lock);
		INIT_LIST_HEAD(&patrols[i].turns);
		INIT_LIST_HEAD(&patrols[i].due);
		patrols[i].next_at_ns = U64_MAX;
		INIT_WORK(&patrols[i].work, patrol_walk);
		hrtimer_setup(&patrols[i].timer, patrol_expired, CLOCK_MONOTONIC,
			      HRTIMER_MODE_ABS_HARD);
	}
	ret = kvmhb_lane_init(patrol_wq);
	if (ret)
		destroy_workqueue(patrol_wq);
	return ret;
}

/**
 * kvmhb_turns_exit - undo kvmhb_turns_init()
 *
 * Nobody's turn comes any more.
 */
void kvmhb_turns_exit(void)
{
	unsigned int i;

	kvmhb_lane_exit();
	for (i = 0; i < ARRAY_SIZE(patrols); i++) {
		/* Nobody is left whom a walk could wait for. */
		hrtimer_cancel(&patrols[i].timer);
		cancel_work_sync(&patrols[i].work);
		WARN_ON(!list_empty(&patrols[i].turns));
	}
	destroy_workqueue(patrol_wq);
}
