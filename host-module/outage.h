/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arithmetic of silence: when it began, how many outages it made, how long they were.
 * Pure functions, tested by selftests/kunit.
 */
#ifndef KVMHB_OUTAGE_H
#define KVMHB_OUTAGE_H

#include "words.h"

/**
 * struct kvmhb_outages - silences and outages of a guest
 * @silent_since_ns: in late, unresponsive and paused: the last beat before, or when the deadline
 *	of a guest passed that was not armed, ns of CLOCK_MONOTONIC
 * @count: how often the guest became unresponsive
 * @downtime_ns: how long it was, summed over the outages that ended, ns
 * @down_until_ns: end of the last of them, ns of CLOCK_MONOTONIC
 */
struct kvmhb_outages {
	u64 silent_since_ns;
	u64 count;
	u64 downtime_ns;
	u64 down_until_ns;
};

u64 kvmhb_outages_change(struct kvmhb_outages *outages, enum kvmhb_state old,
			 enum kvmhb_state new, u64 last_beat_at_ns, u64 now_ns);
u64 kvmhb_outages_downtime_ns(const struct kvmhb_outages *outages, enum kvmhb_state state,
			      u64 now_ns);
u64 kvmhb_outages_missing(const struct kvmhb_outages *outages, enum kvmhb_state state,
			  u64 interval_ns, u64 excused_ns, u64 now_ns);

#endif /* KVMHB_OUTAGE_H */
