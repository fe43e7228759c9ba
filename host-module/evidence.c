// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/kvm_host.h>

#include "evidence.h"

/**
 * kvmhb_evidence_get - hold on to a VM
 * @kvm: the VM, as VFIO names it; NULL if the VMM runs without KVM
 *
 * Newer kernels hold the VM for an open device themselves, 6.1 does not.
 *
 * Return: false if the VM is already being destroyed. Context: any.
 */
bool kvmhb_evidence_get(struct kvm *kvm)
{
	return !kvm || kvm_get_kvm_safe(kvm);
}

/**
 * kvmhb_evidence_put - let go of a VM
 * @kvm: what kvmhb_evidence_get() got, or NULL
 *
 * Context: process, no locks held: the VM may end here.
 */
void kvmhb_evidence_put(struct kvm *kvm)
{
	if (kvm)
		kvm_put_kvm(kvm);
}

/**
 * kvmhb_evidence_nr_vcpus - how many vCPUs a VM has now
 * @kvm: the VM or NULL
 *
 * Return: the number, 0 without KVM. Context: any.
 */
unsigned int kvmhb_evidence_nr_vcpus(struct kvm *kvm)
{
	return kvm ? atomic_read(&kvm->online_vcpus) : 0;
}
