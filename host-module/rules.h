/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules by which a guest is judged: pure functions of their arguments, with
 * no clock, lock or device behind them, tested by selftests/kunit.
 */
#ifndef KVMHB_RULES_H
#define KVMHB_RULES_H

#include <linux/types.h>

#include "names.h"

/* An explicit timeout may be longer than any interval, but not without end. */
#define KVMHB_TIMEOUT_MAX_NS	(24ULL * 3600 * 1000000000)	/* 24 h */

/* Instead of a time to look again, if only a beat can change anything. */
#define KVMHB_NO_DEADLINE	U64_MAX

/**
 * struct kvmhb_timing - how often a guest has to beat
 * @interval_ns: time between two beats, ns
 * @timeout_ns: silence that makes a guest unresponsive, ns, above @interval_ns
 */
struct kvmhb_timing {
	u64 interval_ns;
	u64 timeout_ns;
};

/**
 * struct kvmhb_verdict - a state and why
 * @state: the state
 * @cause: the cause
 */
struct kvmhb_verdict {
	enum kvmhb_state state;
	enum kvmhb_cause cause;
};

/**
 * struct kvmhb_gaps - statistics of the time between beats
 * @n: number of gaps seen
 * @sum_ns: their sum, ns
 * @min_ns: the shortest, ns
 * @max_ns: the longest, ns
 * @mean8_ns: moving average times 8, ns (RFC 6298's SRTT, alpha = 1/8)
 * @dev4_ns: moving mean deviation times 4, ns (RFC 6298's RTTVAR, beta = 1/4)
 */
struct kvmhb_gaps {
	u64 n;
	u64 sum_ns;
	u64 min_ns;
	u64 max_ns;
	s64 mean8_ns;
	s64 dev4_ns;
};

int kvmhb_timing_make(struct kvmhb_timing *timing, u64 interval_ns, u64 timeout_ns);
struct kvmhb_timing kvmhb_timing_patient(const struct kvmhb_timing *a,
					 const struct kvmhb_timing *b);
u64 kvmhb_late_ns(const struct kvmhb_timing *timing);
bool kvmhb_state_is_armed(enum kvmhb_state state);
bool kvmhb_state_beats(enum kvmhb_state state);
bool kvmhb_lifecycle(struct kvmhb_verdict *verdict, u32 word);
struct kvmhb_verdict kvmhb_closed(const struct kvmhb_verdict *verdict);
u64 kvmhb_missed(u64 gap_ns, u64 interval_ns);
void kvmhb_gaps_add(struct kvmhb_gaps *gaps, u64 gap_ns);

#endif /* KVMHB_RULES_H */
