/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules by which a guest is judged: pure functions of their arguments, with
 * no clock, lock or device behind them, tested by selftests/kunit.
 */
#ifndef KVMHB_RULES_H
#define KVMHB_RULES_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/types.h>

#include "words.h"

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
struct kvmhb_timing kvmhb_timing_resolved(const struct kvmhb_timing *timing, u64 resolution_ns);
u64 kvmhb_late_ns(const struct kvmhb_timing *timing);
bool kvmhb_lifecycle(struct kvmhb_verdict *verdict, u32 word);
enum kvmhb_cause kvmhb_goodbye(enum kvmhb_cause said, const struct kvmhb_verdict *verdict);

/* What every beat asks is inline: calls would be a good part of its cost. */

/**
 * kvmhb_state_beats - whether a guest beats as it should in a state
 * @state: the state
 *
 * Return: true if the guest is not silent. Context: any.
 */
static inline bool kvmhb_state_beats(enum kvmhb_state state)
{
	return state == KVMHB_ALIVE || state == KVMHB_DEGRADED;
}

/**
 * kvmhb_state_is_armed - whether beats count in a state
 * @state: the state
 *
 * Return: true between the guest's arming and its goodbye. Context: any.
 */
static inline bool kvmhb_state_is_armed(enum kvmhb_state state)
{
	return BIT(state) & (BIT(KVMHB_ALIVE) | BIT(KVMHB_DEGRADED) | BIT(KVMHB_LATE) |
			     BIT(KVMHB_UNRESPONSIVE) | BIT(KVMHB_PAUSED));
}

/**
 * kvmhb_missed - how many beats did not come in a gap
 * @gap_ns: time from one beat to the next, or to now, ns
 * @interval_ns: time that should have been between them, ns
 *
 * Return: the number of whole intervals beyond the first, to the nearest: a
 * beat half an interval late was late, not missed. Context: any.
 */
static inline u64 kvmhb_missed(u64 gap_ns, u64 interval_ns)
{
	if (likely(gap_ns < interval_ns + interval_ns / 2))
		return 0;
	return div64_u64(gap_ns + interval_ns / 2, interval_ns) - 1;
}

/**
 * kvmhb_gaps_add - count one more gap between beats
 * @gaps: the statistics, all zero at first
 * @gap_ns: time between two beats, ns
 *
 * Only a guest that rings two doorbells at once gets here twice at a time; it
 * then loses some of its own samples, hence no lock. Readers see each value
 * whole. Context: any.
 */
static inline void kvmhb_gaps_add(struct kvmhb_gaps *gaps, u64 gap_ns)
{
	s64 mean8_ns = READ_ONCE(gaps->mean8_ns);
	s64 dev4_ns = READ_ONCE(gaps->dev4_ns);
	u64 n = READ_ONCE(gaps->n);
	s64 error_ns;

	if (unlikely(!n)) {
		mean8_ns = gap_ns << 3;
		dev4_ns = gap_ns << 1;	/* half of it, as RFC 6298 begins */
	} else {
		error_ns = gap_ns - (mean8_ns >> 3);
		mean8_ns += error_ns;
		dev4_ns += abs(error_ns) - (dev4_ns >> 2);
	}

	if (!n || gap_ns < READ_ONCE(gaps->min_ns))
		WRITE_ONCE(gaps->min_ns, gap_ns);
	if (gap_ns > READ_ONCE(gaps->max_ns))
		WRITE_ONCE(gaps->max_ns, gap_ns);
	WRITE_ONCE(gaps->mean8_ns, mean8_ns);
	WRITE_ONCE(gaps->dev4_ns, dev4_ns);
	WRITE_ONCE(gaps->sum_ns, READ_ONCE(gaps->sum_ns) + gap_ns);
	WRITE_ONCE(gaps->n, n + 1);
}

#endif /* KVMHB_RULES_H */
