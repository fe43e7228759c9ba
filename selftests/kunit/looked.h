/* SPDX-License-Identifier: GPL-2.0 */
/* A guest that is looked at, and remembers each look: what tests of patrol.c and lane.c share. */
#ifndef KVMHB_LOOKED_H
#define KVMHB_LOOKED_H

#include "test.h"

#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "patrol.h"

/* On a host that is busy, and emulated. Nobody waits for so long who does not fail. */
#define PATIENCE	(60 * HZ)

/* For what is not to happen: it has the time, should it be about to. */
#define NOT_SO_SOON	(HZ / 10)

/**
 * struct look - one look that was made
 * @by: who made it
 * @asked_at_ns: when a timer asked for it, as the looker says
 * @at_ns: when it began
 */
struct look {
	enum kvmhb_looker by;
	u64 asked_at_ns;
	u64 at_ns;
};

/**
 * struct looked - whose turn it is
 * @turn: the turn
 * @tally: its beats
 * @mutex: the owner's lock
 * @leaves: everybody but a worker leaves the look to one
 * @holds: who is kept in the look until @go, or -1 for nobody
 * @go: lets it go on
 * @lock: protects all below
 * @looks: the looks
 * @nr: their number, those beyond @looks included
 * @ended: how many of them have ended
 * @looked: one completion for each that begins
 */
struct looked {
	struct kvmhb_turn turn;
	struct kvmhb_tally tally;
	struct mutex mutex;	/* the owner's, of the turn */
	bool leaves;
	int holds;
	struct completion go;
	spinlock_t lock;	/* of all below */
	struct look looks[8];
	unsigned int nr;
	unsigned int ended;
	struct completion looked;
};

static inline bool remember_look(struct kvmhb_turn *turn, enum kvmhb_looker by, u64 asked_at_ns)
{
	struct looked *l = container_of(turn, struct looked, turn);

	spin_lock(&l->lock);
	if (l->nr < ARRAY_SIZE(l->looks))
		l->looks[l->nr] = (struct look) { by, asked_at_ns, ktime_get_ns() };
	l->nr++;
	spin_unlock(&l->lock);
	complete(&l->looked);
	if (l->holds == (int)by)
		wait_for_completion_timeout(&l->go, PATIENCE);
	spin_lock(&l->lock);
	l->ended++;
	spin_unlock(&l->lock);
	return by == KVMHB_LOOKER_WORKER || !l->leaves;
}

static inline unsigned int looks_of(struct looked *l)
{
	unsigned int nr;

	spin_lock(&l->lock);
	nr = l->nr;
	spin_unlock(&l->lock);
	return nr;
}

static inline unsigned int ended_of(struct looked *l)
{
	unsigned int ended;

	spin_lock(&l->lock);
	ended = l->ended;
	spin_unlock(&l->lock);
	return ended;
}

static inline void looked_exit(void *data)
{
	struct looked *l = data;

	complete_all(&l->go);
	mutex_lock(&l->mutex);
	kvmhb_turn_never(&l->turn);
	mutex_unlock(&l->mutex);
	kvmhb_turn_flush(&l->turn);
	kvmhb_turn_uninit(&l->turn);
	mutex_destroy(&l->mutex);
}

static inline struct looked *looked_init(struct kunit *test)
{
	struct looked *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, l);
	mutex_init(&l->mutex);
	spin_lock_init(&l->lock);
	init_completion(&l->looked);
	init_completion(&l->go);
	l->holds = -1;
	kvmhb_turn_init(&l->turn, &l->tally, &l->mutex, remember_look);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, looked_exit, l), 0);
	return l;
}

/* Waits until the next look has begun. */
#define ASSERT_LOOKED(test, l) \
	KUNIT_ASSERT_TRUE(test, wait_for_completion_timeout(&(l)->looked, PATIENCE))

#endif /* KVMHB_LOOKED_H */
