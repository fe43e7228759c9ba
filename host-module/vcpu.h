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

struct kvmhb_vcpu;

/**
 * enum kvmhb_doing - what a vCPU did while its guest was silent
 * @KVMHB_ABSENT: nothing: it has no thread
 * @KVMHB_SHUT_DOWN: a triple fault shut it down
 * @KVMHB_FAILED: KVM could not run it
 * @KVMHB_STOPPED_BY_HOST: a signal, the freezer or a debugger stopped it
 * @KVMHB_QUEUED: it was outside KVM_RUN, at two looks, and its thread waited for a host
 *	CPU
 * @KVMHB_AWAY: it was outside KVM_RUN, at two looks
 * @KVMHB_IN_VMM: likewise, since it asked the VMM for something
 * @KVMHB_LEAVING: it is outside KVM_RUN, as far as one look can tell
 * @KVMHB_HALTED_OUT: it was halted outside KVM_RUN, where the VMM keeps it when it
 *	halts CPUs itself, and likewise when it pauses them
 * @KVMHB_BLOCKED: it is asleep in the host's kernel: in KVM_RUN, or outside it at two
 *	looks and not to be interrupted; or it was busy there, in KVM_RUN at two looks
 * @KVMHB_LIVING: it takes interrupts
 * @KVMHB_HALTING: it was halted all the time
 * @KVMHB_SPINNING: it executed most of the time
 * @KVMHB_UNCLEAR: none of these
 * @KVMHB_NR_DOINGS: number of them
 */
enum kvmhb_doing {
	KVMHB_ABSENT,
	KVMHB_SHUT_DOWN,
	KVMHB_FAILED,
	KVMHB_STOPPED_BY_HOST,
	KVMHB_QUEUED,
	KVMHB_AWAY,
	KVMHB_IN_VMM,
	KVMHB_LEAVING,
	KVMHB_HALTED_OUT,
	KVMHB_BLOCKED,
	KVMHB_LIVING,
	KVMHB_HALTING,
	KVMHB_SPINNING,
	KVMHB_UNCLEAR,
	KVMHB_NR_DOINGS
};

u64 kvmhb_waited_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now);
u64 kvmhb_denied_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now, u64 elapsed_ns);
bool kvmhb_has_shut_down(const struct kvmhb_vcpu *now);
enum kvmhb_doing kvmhb_doing(const struct kvmhb_vcpu *first, const struct kvmhb_vcpu *then,
			     const struct kvmhb_vcpu *now, u64 window_ns);

#endif /* KVMHB_VCPU_H */
