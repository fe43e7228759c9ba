/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a vCPU did between two looks, and how much of the time it could not have run. From the
 * latter follows the run clock: a guest's silence is measured in opportunity, not in time. It
 * goes while the guest could have beaten, and stands still while it could not. Pure functions,
 * tested by selftests/kunit.
 */
#ifndef KVMHB_VCPU_H
#define KVMHB_VCPU_H

#include <linux/types.h>

#include "evidence.h"
#include "timing.h"

/* What a vCPU did while its guest was silent: the first that applies. */
enum kvmhb_doing {
	KVMHB_ABSENT,		/* nothing: it has no thread */
	KVMHB_SHUT_DOWN,	/* a triple fault shut it down */
	KVMHB_FAILED,		/* KVM could not run it */
	KVMHB_STOPPED_BY_HOST,	/* a signal, the freezer or a debugger stopped it */
	KVMHB_QUEUED,		/* as in AWAY, and its thread waited for a host CPU */
	KVMHB_AWAY,		/* it was outside KVM_RUN, at two looks */
	KVMHB_IN_VMM,		/* likewise, since it asked the VMM for something */
	KVMHB_LEAVING,		/* it is outside KVM_RUN, as far as one look can tell */
	/* Halted outside KVM_RUN, where a VMM keeps it that halts CPUs itself, or pauses them. */
	KVMHB_HALTED_OUT,
	/*
	 * Asleep in the host's kernel: in KVM_RUN, or outside it at two looks and not to be
	 * interrupted; or busy there, in KVM_RUN at two looks.
	 */
	KVMHB_BLOCKED,
	KVMHB_LIVING,		/* it takes interrupts */
	KVMHB_HALTING,		/* it was halted all the time */
	KVMHB_SPINNING,		/* it executed most of the time */
	KVMHB_UNCLEAR,		/* none of these */
	KVMHB_NR_DOINGS
};

u64 kvmhb_denied_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now, u64 elapsed_ns);
bool kvmhb_has_shut_down(const struct kvmhb_vcpu *now);
enum kvmhb_doing kvmhb_doing(const struct kvmhb_vcpu *first, const struct kvmhb_vcpu *then,
			     const struct kvmhb_vcpu *now, u64 window_ns);

/* What every look asks is inline: a call would be a good part of its cost. */

/**
 * kvmhb_waited_ns - how long a vCPU waited for a host CPU
 * @then: what was known of it
 * @now: and what is known of it now
 *
 * Return: ns, of the time between the two.
 */
static inline u64 kvmhb_waited_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now)
{
	return kvmhb_minus(now->run_delay_ns + now->queued_ns,
			   then->run_delay_ns + then->queued_ns);
}

#endif /* KVMHB_VCPU_H */
