/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When to look at a guest. A guest that beats as it should is looked at by a patrol, with
 * many others; one that is silent has a timer of its own. Whoever is to look is told by one
 * callback, and nothing here knows what a look is.
 */
#ifndef KVMHB_PATROL_H
#define KVMHB_PATROL_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/workqueue.h>

#include "tally.h"

struct kvmhb_patrol;
struct kvmhb_turn;
struct mutex;

/**
 * enum kvmhb_looker - who makes a look
 * @KVMHB_LOOKER_WORKER: a worker, which may wait
 * @KVMHB_LOOKER_LANE: the fast lane, behind which others wait
 * @KVMHB_LOOKER_PATROL: a patrol, likewise. It looks only where there is nothing to say
 */
enum kvmhb_looker {
	KVMHB_LOOKER_WORKER,
	KVMHB_LOOKER_LANE,
	KVMHB_LOOKER_PATROL,
};

/**
 * typedef kvmhb_look_fn - make a look, and set the next turn
 * @turn: whose turn it is
 * @by: who looks
 * @asked_at_ns: when a timer asked for it, ns of CLOCK_MONOTONIC; 0 if @turn knows better
 *
 * Return: false if the look is left to a worker, as it has to wait or something is to be
 * said; never if @by is a worker.
 */
typedef bool kvmhb_look_fn(struct kvmhb_turn *turn, enum kvmhb_looker by, u64 asked_at_ns);

/**
 * struct kvmhb_turn - when it is a guest's turn to be looked at
 * @look: looks; never changes
 * @tally: the guest's beats, by which it may be due; never changes
 * @lock: of the owner, who holds it whenever a turn is set; never changes
 *
 * Under @lock, and read without it by patrols:
 * @due_at_ns: when the next look is to be made, ns of CLOCK_MONOTONIC; 0: never
 * @beat_due_ns: if there is nothing to be seen of the guest but its beats: so long
 *	after the last one the look is due, if that comes first, ns; 0 otherwise
 * @early_ns: how early a patrol may come, ns
 *
 * Under @lock:
 * @asked_at_ns: when a timer asked for the look that is due, ns of CLOCK_MONOTONIC; 0 if
 *	none has yet. Written without @lock too, by @timer
 * @patrol: who sees to it, or NULL while @timer does
 * @entry: entry of @patrol's list, under its lock
 * @timer: when to look at a guest again that is silent
 * @work: looks, and may wait. Queued by anybody
 */
struct kvmhb_turn {
	kvmhb_look_fn *look;
	const struct kvmhb_tally *tally;
	struct mutex *lock;	/* of all below */

	u64 due_at_ns;
	u64 beat_due_ns;
	u64 early_ns;

	u64 asked_at_ns;
	struct kvmhb_patrol *patrol;
	struct list_head entry;
	struct hrtimer timer;
	struct work_struct work;
};

/**
 * kvmhb_patrol_early_ns - how early a patrol may come
 * @interval_ns: how often a guest has to beat, ns
 *
 * Return: ns: a guest that is looked at so much before it would be late has had the
 * time to beat.
 */
static inline u64 kvmhb_patrol_early_ns(u64 interval_ns)
{
	return interval_ns / 2;
}

/**
 * kvmhb_turn_due_by_ns - when the next look is to be made
 * @turn: whose
 * @beat_due_ns: its &kvmhb_turn.beat_due_ns
 *
 * Return: ns of CLOCK_MONOTONIC; 0: never. Context: any; what it reads without the
 * lock may be out of date.
 */
static inline u64 kvmhb_turn_due_by_ns(const struct kvmhb_turn *turn, u64 beat_due_ns)
{
	u64 due_at_ns = READ_ONCE(turn->due_at_ns);

	if (!beat_due_ns)
		return due_at_ns;
	return min(due_at_ns, kvmhb_tally_last_beat_at_ns(turn->tally) + beat_due_ns);
}

/**
 * kvmhb_turn_due_at_ns - likewise, of a turn as it is now
 * @turn: whose
 *
 * Return: as kvmhb_turn_due_by_ns(). Context: any.
 */
static inline u64 kvmhb_turn_due_at_ns(const struct kvmhb_turn *turn)
{
	return kvmhb_turn_due_by_ns(turn, READ_ONCE(turn->beat_due_ns));
}

int kvmhb_turns_init(void);
void kvmhb_turns_exit(void);

void kvmhb_turn_init(struct kvmhb_turn *turn, const struct kvmhb_tally *tally,
		     struct mutex *lock, kvmhb_look_fn *look);
void kvmhb_turn_uninit(struct kvmhb_turn *turn);
void kvmhb_turn_on_patrol(struct kvmhb_turn *turn, u64 interval_ns, u64 due_at_ns, u64 beat_due_ns);
void kvmhb_turn_on_timer(struct kvmhb_turn *turn, u64 due_at_ns);
void kvmhb_turn_never(struct kvmhb_turn *turn);
void kvmhb_turn_bring_forward(struct kvmhb_turn *turn, u64 due_at_ns);
void kvmhb_turn_now(struct kvmhb_turn *turn);
void kvmhb_turn_flush(struct kvmhb_turn *turn);

#endif /* KVMHB_PATROL_H */
