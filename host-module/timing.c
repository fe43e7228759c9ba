// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/kernel.h>

#include "kvm_heartbeat.h"
#include "timing.h"

/**
 * kvmhb_timing_make - check a configuration and fill in what follows from it
 * @timing: where to store the result, untouched on error
 * @interval_ns: time between two beats, ns
 * @timeout_ns: silence that makes a guest unresponsive, ns, or 0 for twice
 *	@interval_ns
 *
 * Return: 0; -ERANGE if one value is out of its range; -EINVAL if the timeout
 * is not above the interval.
 */
int kvmhb_timing_make(struct kvmhb_timing *timing, u64 interval_ns, u64 timeout_ns)
{
	if (interval_ns < KVM_HEARTBEAT_INTERVAL_MIN_NS ||
	    interval_ns > KVM_HEARTBEAT_INTERVAL_MAX_NS ||
	    timeout_ns > KVMHB_TIMEOUT_MAX_NS)
		return -ERANGE;
	if (!timeout_ns)
		timeout_ns = 2 * interval_ns;
	if (timeout_ns <= interval_ns)
		return -EINVAL;

	timing->interval_ns = interval_ns;
	timing->timeout_ns = timeout_ns;
	return 0;
}

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
struct kvmhb_timing kvmhb_timing_patient(const struct kvmhb_timing *a,
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
struct kvmhb_timing kvmhb_timing_resolved(const struct kvmhb_timing *timing, u64 resolution_ns)
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
u64 kvmhb_late_ns(const struct kvmhb_timing *timing)
{
	u64 spare_ns = timing->timeout_ns - timing->interval_ns;

	return timing->interval_ns + min(timing->interval_ns, spare_ns) / 2;
}
