/* SPDX-License-Identifier: GPL-2.0 */
/* The fast lane: a real-time thread that looks at one guest when its deadline has come. */
#ifndef KVMHB_LANE_H
#define KVMHB_LANE_H

#include <linux/types.h>

struct kvmhb_turn;
struct workqueue_struct;

int kvmhb_lane_init(struct workqueue_struct *wq);
void kvmhb_lane_exit(void);
bool kvmhb_lane_take(struct kvmhb_turn *turn);
void kvmhb_lane_forget(const struct kvmhb_turn *turn);

#endif /* KVMHB_LANE_H */
