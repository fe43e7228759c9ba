/* SPDX-License-Identifier: GPL-2.0 */
/* What beats leave behind. */
#ifndef KVMHB_TALLY_H
#define KVMHB_TALLY_H

#include <linux/compiler.h>
#include <linux/math.h>
#include <linux/types.h>

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

/**
 * kvmhb_gaps_add - count one more gap between beats
 * @gaps: the statistics, all zero at first
 * @gap_ns: time between two beats, ns
 *
 * Only a guest that rings two doorbells at once gets here twice at a time; it
 * then loses some of its own samples, hence no lock. Readers see each value
 * whole. Inline, as a call would be a good part of what a beat costs. Context: any.
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

#endif /* KVMHB_TALLY_H */
