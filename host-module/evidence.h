/* SPDX-License-Identifier: GPL-2.0 */
/* What KVM knows of a VM. The one part that looks into its structures. */
#ifndef KVMHB_EVIDENCE_H
#define KVMHB_EVIDENCE_H

#include <linux/types.h>

struct kvm;

bool kvmhb_evidence_get(struct kvm *kvm);
void kvmhb_evidence_put(struct kvm *kvm);
unsigned int kvmhb_evidence_nr_vcpus(struct kvm *kvm);

#endif /* KVMHB_EVIDENCE_H */
