/* SPDX-License-Identifier: GPL-2.0 */
/* What KVM knows of a VM. The one part that looks into its structures. */
#ifndef KVMHB_EVIDENCE_H
#define KVMHB_EVIDENCE_H

#include <linux/types.h>

struct kvm;

/**
 * struct kvmhb_vcpu - what is known of a vCPU at one moment
 * @pid: the thread that runs it; 0 if none ever has
 * @task: the thread's state, as ps(1) shows it; '-' if there is no thread
 * @running: the VMM has it in KVM_RUN. Guest code, exits that KVM handles, and
 *	halts count; userspace does not
 * @halted: it waits for an interrupt
 * @exits: how often it left the guest, any reason
 * @exec_ns: what the thread got of host CPUs, ns
 * @run_delay_ns: how long the thread waited for a host CPU, ns, up to the last
 *	time it got one
 * @queued_ns: how long it has been waiting since then, ns; 0 unless it waits
 */
struct kvmhb_vcpu {
	pid_t pid;
	char task;
	bool running;
	bool halted;
	u64 exits;
	u64 exec_ns;
	u64 run_delay_ns;
	u64 queued_ns;
};

bool kvmhb_evidence_get(struct kvm *kvm);
void kvmhb_evidence_put(struct kvm *kvm);
unsigned int kvmhb_evidence_nr_vcpus(struct kvm *kvm);
bool kvmhb_evidence_vcpu(struct kvm *kvm, unsigned int nr, struct kvmhb_vcpu *evidence);

#endif /* KVMHB_EVIDENCE_H */
