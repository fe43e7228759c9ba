/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The run clock: a guest's silence is measured in opportunity, not in time. It
 * goes while the guest could have beaten, and stands still while it could not.
 */
#ifndef KVMHB_RUNCLOCK_H
#define KVMHB_RUNCLOCK_H

#include <linux/types.h>

struct kvmhb_vcpu;

bool kvmhb_is_kept(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now);
u64 kvmhb_waited_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now);
u64 kvmhb_denied_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now, u64 elapsed_ns);

#endif /* KVMHB_RUNCLOCK_H */
