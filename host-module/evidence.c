// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/kvm_host.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>

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

/* What the scheduler knows. Read without its locks: each number by itself is whole. */
static void read_task(struct task_struct *task, struct kvmhb_vcpu *evidence)
{
	u64 queued = READ_ONCE(task->sched_info.last_queued);
	u64 now = local_clock();

	evidence->pid = task_pid_nr(task);
	evidence->task = task_state_to_char(task);
	evidence->exec_ns = READ_ONCE(task->se.sum_exec_runtime);
	evidence->run_delay_ns = READ_ONCE(task->sched_info.run_delay);
	/* Another CPU's clock may be ahead of ours. */
	evidence->queued_ns = queued && queued < now ? now - queued : 0;
}

/**
 * kvmhb_evidence_vcpu - what is known of a vCPU now
 * @kvm: the VM or NULL
 * @nr: its number, counted from 0
 * @evidence: where to store it
 *
 * Nothing stops meanwhile: what belongs to a moment may be a moment apart.
 * The scheduler brings @exec_ns up to date once a tick.
 *
 * Return: false if there is no such vCPU. Context: process.
 */
bool kvmhb_evidence_vcpu(struct kvm *kvm, unsigned int nr, struct kvmhb_vcpu *evidence)
{
	struct kvm_vcpu *vcpu;
	struct task_struct *task;

	if (nr >= kvmhb_evidence_nr_vcpus(kvm))
		return false;
	vcpu = kvm_get_vcpu(kvm, nr);
	if (!vcpu)
		return false;

	*evidence = (struct kvmhb_vcpu) {
		.task = '-',
		.running = READ_ONCE(vcpu->wants_to_run),
		.halted = READ_ONCE(vcpu->stat.generic.blocking),
		.exits = READ_ONCE(vcpu->stat.exits),
	};
	rcu_read_lock();
	task = pid_task(rcu_dereference(vcpu->pid), PIDTYPE_PID);
	if (task)
		read_task(task, evidence);
	rcu_read_unlock();
	return true;
}
