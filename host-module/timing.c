// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>

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
