/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often a guest began and ended: one that panics and is reset time and again shows by that.
 * Pure functions, tested by selftests/kunit.
 */
#ifndef KVMHB_LIFE_H
#define KVMHB_LIFE_H

#include "words.h"

/**
 * struct kvmhb_life - what was counted since a VM was attached
 * @boots: kernels that have armed
 * @panics: how often the guest became panicked
 * @resets: resets of the device whose guest had said a word since the one before
 */
struct kvmhb_life {
	u32 boots;
	u32 panics;
	u32 resets;
};

void kvmhb_life_word(struct kvmhb_life *life, u32 word, enum kvmhb_state state,
		     enum kvmhb_cause goodbye);
void kvmhb_life_change(struct kvmhb_life *life, enum kvmhb_state old, enum kvmhb_state new);
void kvmhb_life_reset(struct kvmhb_life *life, u32 lifecycle);

#endif /* KVMHB_LIFE_H */
