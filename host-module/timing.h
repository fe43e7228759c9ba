/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often a guest has to beat, and what follows from it: pure functions, tested by
 * selftests/kunit.
 *
 * Three rules hold in all files. Where kernel-doc names no context, a function is called in
 * process context, and a pure one in any. What wants a lock held asserts it; what has no lock
 * is serialised by the caller. An instant is called now_ns or ends in _at_ns, _since_ns,
 * _from_ns or _until_ns, and is of CLOCK_MONOTONIC; all else that ends in _ns is a duration.
 */
#ifndef KVMHB_TIMING_H
#define KVMHB_TIMING_H

#include <linux/compiler.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/types.h>

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

int kvmhb_timing_make(struct kvmhb_timing *timing, u64 interval_ns, u64 timeout_ns);

/**
 * kvmhb_is_after - the order of two times
 * @a: an instant, or a sum that grows
 * @b: another one
 *
 * A guest may have fallen silent elsewhere before this host was booted: that instant is below
 * 0, and as a number without sign above all others.
 *
 * Return: whether @a is the later one, or the greater.
 */
static inline bool kvmhb_is_after(u64 a, u64 b)
{
	return (s64)(a - b) > 0;
}

/**
 * kvmhb_minus - a difference that does not go below 0
 * @a: a time, or a sum that grows
 * @b: what is taken from it. Sums that are read while they change may seem to go back
 *
 * Return: @a - @b, or 0.
 */
static inline u64 kvmhb_minus(u64 a, u64 b)
{
	return kvmhb_is_after(a, b) ? a - b : 0;
}

/* What every beat or look asks is inline: a call would be a good part of its cost. */

/**
 * kvmhb_timing_patient - the more patient of two configurations
 * @a: one
 * @b: the other
 *
 * Between a change of configuration and the guest's word that it has seen it,
 * the guest may beat by either.
 *
 * Return: the longer of both intervals and of both timeouts.
 */
static inline struct kvmhb_timing kvmhb_timing_patient(const struct kvmhb_timing *a,
						       const struct kvmhb_timing *b)
{
	return (struct kvmhb_timing) {
		.interval_ns = max(a->interval_ns, b->interval_ns),
		.timeout_ns = max(a->timeout_ns, b->timeout_ns),
	};
}

/**
 * kvmhb_timing_resolved - a configuration by which a host can judge
 * @timing: what the guest has to keep
 * @resolution_ns: how much silence says nothing on this host, ns
 *
 * Return: @timing, but no timeout below @resolution_ns, and no interval below half of that.
 */
static inline struct kvmhb_timing kvmhb_timing_resolved(const struct kvmhb_timing *timing,
							u64 resolution_ns)
{
	const struct kvmhb_timing finest = { resolution_ns / 2, resolution_ns };

	return kvmhb_timing_patient(timing, &finest);
}

/**
 * kvmhb_late_ns - the silence that makes a guest late
 * @timing: how often the guest has to beat
 *
 * A beat is overdue half an interval after it was due, or half way from there
 * to the timeout if that comes first: jitter is not yet lateness.
 *
 * Return: ns, above the interval or equal to it, below the timeout.
 */
static inline u64 kvmhb_late_ns(const struct kvmhb_timing *timing)
{
	u64 spare_ns = timing->timeout_ns - timing->interval_ns;

	return timing->interval_ns + min(timing->interval_ns, spare_ns) / 2;
}

/**
 * kvmhb_missed - how many beats did not come in a gap
 * @gap_ns: time from one beat to the next, or to now, ns
 * @interval_ns: time that should have been between them, ns
 *
 * Return: the number of whole intervals beyond the first, to the nearest: a
 * beat half an interval late was late, not missed.
 */
static inline u64 kvmhb_missed(u64 gap_ns, u64 interval_ns)
{
	if (likely(gap_ns < interval_ns + interval_ns / 2))
		return 0;
	return div64_u64(gap_ns + interval_ns / 2, interval_ns) - 1;
}

#endif /* KVMHB_TIMING_H */
