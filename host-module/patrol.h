/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking at guests that beat as they should, many at a time. Whoever is silent has
 * a timer of its own.
 */
#ifndef KVMHB_PATROL_H
#define KVMHB_PATROL_H

#include <linux/types.h>

struct kvmhb_monitor;
struct workqueue_struct;

/**
 * kvmhb_patrol_early_ns - how early a patrol may come
 * @interval_ns: how often a guest has to beat, ns
 *
 * Return: ns: a guest that is looked at so much before it would be late has had the
 * time to beat. Context: any.
 */
static inline u64 kvmhb_patrol_early_ns(u64 interval_ns)
{
	return interval_ns / 2;
}

void kvmhb_patrol_join(struct kvmhb_monitor *mon);
void kvmhb_patrol_leave(struct kvmhb_monitor *mon);
void kvmhb_patrols_forget(const struct kvmhb_monitor *mon);
void kvmhb_patrols_init(struct workqueue_struct *wq);
void kvmhb_patrols_exit(void);

#endif /* KVMHB_PATROL_H */
