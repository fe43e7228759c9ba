/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_KVM_HOST_H
#define SHIM_LINUX_KVM_HOST_H

#include <linux/atomic.h>

struct kvmhb_vcpu;

/* As much of it as tests set, and what evidence.c would read. */
struct kvm {
	int vcpu_array;
	atomic_t online_vcpus;
	const struct kvmhb_vcpu *seen;	/* of each vCPU, or NULL: nothing of any */
};

#define xa_init(array)	(*(array) = 0)

#endif /* SHIM_LINUX_KVM_HOST_H */
