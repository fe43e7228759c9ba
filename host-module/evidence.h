/* SPDX-License-Identifier: GPL-2.0 */
/* What KVM knows of a VM. The one part that looks into its structures. */
#ifndef KVMHB_EVIDENCE_H
#define KVMHB_EVIDENCE_H

#include <linux/types.h>

struct kvm;

/**
 * struct kvmhb_vcpu - what is known of a vCPU at one moment
 * @pid: the thread that runs it; 0 if none ever has, if it has ended, or if the guest
 *	has yet to start this vCPU
 * @task: the thread's state, as ps(1) shows it; 'F' if the freezer holds it, 't' also if
 *	the VMM's debugger holds the vCPU, 'X' if it is ending or has been killed, '-' if
 *	@pid is 0
 * @running: the VMM has it in KVM_RUN. Guest code, exits that KVM handles, and
 *	halts count; userspace does not
 * @kernel: while @running: its thread is in the host's kernel, and not in the guest
 * @halted: it waits for an interrupt, by its own wish
 * @stepped: the VMM has it execute one instruction at a time, or it has left for the VMM's
 *	debugger
 * @exit: why it last left for the VMM, KVM_EXIT_*. The VMM can write it: a hint
 * @exits: how often it left the guest, any reason
 * @irqs: how often an interrupt was delivered to it; 0 where KVM does not count
 * @signals: how often a signal took it out of KVM_RUN; likewise
 * @exec_ns: what the thread got of host CPUs, ns
 * @halted_ns: how long it was halted, ns, a halt that lasts included. Time in
 *	which the thread waits to be run after a halt counts here too
 * @run_delay_ns: how long the thread waited for a host CPU, ns, up to the last
 *	time it got one
 * @queued_ns: how long it has been waiting since then, ns; 0 unless it waits
 * @arrived_at_ns: when the thread last got a host CPU, by the scheduler's clock, ns
 * @picked_ns: what it had got of host CPUs by then, or a little less, ns
 */
struct kvmhb_vcpu {
	pid_t pid;
	char task;
	bool running;
	bool kernel;
	bool halted;
	bool stepped;
	u32 exit;
	u64 exits;
	u64 irqs;
	u64 signals;
	u64 exec_ns;
	u64 halted_ns;
	u64 run_delay_ns;
	u64 queued_ns;
	u64 arrived_at_ns;
	u64 picked_ns;
};

/*
 * What users see of it, in trace and sysfs: type, name, format, value. That is ABI: add at the
 * end, never rename.
 */
#define KVMHB_VCPU_SHOWN(field, seen)							\
	field(pid_t, pid, "%d", (seen)->pid)						\
	field(char, task, "%c", (seen)->task ?: '-')					\
	field(bool, running, "%d", (seen)->running)					\
	field(bool, halted, "%d", (seen)->halted)					\
	field(u32, exit, "%u", (seen)->exit)						\
	field(u64, exits, "%llu", (seen)->exits)					\
	field(u64, irqs, "%llu", (seen)->irqs)						\
	field(u64, signals, "%llu", (seen)->signals)					\
	field(u64, exec_ns, "%llu", (seen)->exec_ns)					\
	field(u64, halted_ns, "%llu", (seen)->halted_ns)				\
	field(u64, run_delay_ns, "%llu", (seen)->run_delay_ns)				\
	field(u64, queued_ns, "%llu", (seen)->queued_ns)

#define KVMHB_SHOWN_FORMAT(type, name, format, value)	" " #name "=" format

bool kvmhb_evidence_get(struct kvm *kvm);
void kvmhb_evidence_put(struct kvm *kvm);
unsigned int kvmhb_evidence_nr_vcpus(struct kvm *kvm);
bool kvmhb_evidence_dead(struct kvm *kvm);
bool kvmhb_evidence_vcpu(struct kvm *kvm, unsigned int nr, const struct kvmhb_vcpu *then,
			 struct kvmhb_vcpu *evidence);
bool kvmhb_evidence_has_shut_down(struct kvm *kvm);
u64 kvmhb_evidence_steal_ns(void);

#endif /* KVMHB_EVIDENCE_H */
