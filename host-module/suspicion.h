/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Suspicion: how unlikely a silence is for a guest that beats as it has so far.
 * A second opinion beside the timeout, for people; nothing is decided by it.
 */
#ifndef KVMHB_SUSPICION_H
#define KVMHB_SUSPICION_H

#include "tally.h"

u64 kvmhb_phi_milli(u64 silence_ns, u64 mean_ns, u64 sd_ns);
u64 kvmhb_suspicion_milli(const struct kvmhb_gaps *gaps, u64 interval_ns, u64 silence_ns);

#endif /* KVMHB_SUSPICION_H */
