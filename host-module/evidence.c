// SPDX-License-Identifier: GPL-2.0
#include <linux/jiffies.h>
#include <linux/kernel_stat.h>
#include <linux/kvm_host.h>
#include <linux/pid.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/tick.h>

#include "evidence.h"
#include "timing.h"
#include "vcpu.h"

/*
 * KVM and the scheduler write what is read here by plain stores, under locks that we do not take,
 * or on the CPU that the thread has: these races are meant. What is out of date now is read anew
 * at the next look.
 */
#define evidence_peek(field)	data_race(READ_ONCE(field))

/**
 * kvmhb_evidence_get - hold on to a VM
 * @kvm: the VM, as VFIO names it; NULL if the VMM runs without KVM
 *
 * 6.1 does not hold the VM for an open device. Newer kernels do, but let go of it when somebody
 * tries to bind another file of that device.
 *
 * Return: false if the VM is already being destroyed.
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
 * Return: the number, 0 without KVM.
 */
unsigned int kvmhb_evidence_nr_vcpus(struct kvm *kvm)
{
	return kvm ? atomic_read(&kvm->online_vcpus) : 0;
}

/**
 * kvmhb_evidence_dead - whether KVM has given a VM up
 * @kvm: the VM or NULL
 *
 * Return: true if KVM found a fault of its own, after which no vCPU of the VM
 * can run.
 */
bool kvmhb_evidence_dead(struct kvm *kvm)
{
	return kvm && evidence_peek(kvm->vm_dead);
}

static bool evidence_is_frozen(struct task_struct *task)
{
	if (evidence_peek(task->__state) & TASK_FROZEN)
		return true;
#ifdef CONFIG_CGROUPS
	return data_race(!!task->frozen);	/* likewise */
#else
	return false;
#endif
}

/* For good: it will not run the guest again, but may take long to find out. */
static bool evidence_is_ending(struct task_struct *task)
{
	/* Likewise: the list of signals is another's. */
	return evidence_peek(task->flags) & PF_EXITING || data_race(fatal_signal_pending(task)) ||
	       evidence_peek(task->signal->flags) & SIGNAL_GROUP_EXIT;
}

/*
 * What a thread had executed when it last got a CPU. That is kept for the fair class alone, and
 * not by sched_ext, whose tasks have the same priorities: what it says is then too little to be
 * true. Of the others it is found out by looking. It stays the same until the thread arrives at a
 * CPU again; who did so since the last look had at least what it had then, and has not
 * executed for longer than it has been there.
 */
static u64 evidence_picked_ns(struct task_struct *task, const struct kvmhb_vcpu *then, u64 exec,
			      u64 arrived, u64 now)
{
	u64 least = kvmhb_minus(exec + arrived, now);
	u64 kept = evidence_peek(task->se.prev_sum_exec_runtime);

	if (evidence_peek(task->prio) >= MAX_RT_PRIO && !kvmhb_is_after(least, kept))
		return kept;
	if (!then || then->pid != task_pid_nr(task))
		return least;
	return max(least, then->arrived_at_ns == arrived ? then->picked_ns : then->exec_ns);
}

/*
 * What a thread has executed and the scheduler has yet to count, of the time for which it has
 * had its CPU: as much as there is between two ticks, or two of the rare ones of a full dynticks
 * CPU, and one of them may be late. The rest was taken from the CPU, by another hypervisor or by
 * interrupts, which the scheduler leaves out if the kernel can tell
 * (CONFIG_PARAVIRT_TIME_ACCOUNTING and CONFIG_IRQ_TIME_ACCOUNTING).
 */
static u64 evidence_uncounted_ns(struct task_struct *task, u64 ns)
{
	u64 most = tick_nohz_full_cpu(task_cpu(task)) ? NSEC_PER_SEC : TICK_NSEC;

	return min(ns, 2 * most);
}

/*
 * What the scheduler knows. Read without its locks: each number by itself is
 * whole, and those of a thread that does not move belong together.
 */
static void evidence_read_task(struct task_struct *task, const struct kvmhb_vcpu *then,
			       struct kvmhb_vcpu *evidence)
{
	u64 queued = evidence_peek(task->sched_info.last_queued);
	u64 arrived = evidence_peek(task->sched_info.last_arrival);
	u64 exec = evidence_peek(task->se.sum_exec_runtime);
	u64 now = local_clock();
	u64 picked = evidence_picked_ns(task, then, exec, arrived, now);
	/* How long it ran since it last got a CPU. */
	u64 stint = kvmhb_minus(exec, picked);

	evidence->pid = task_pid_nr(task);
	evidence->task = data_race(task_state_to_char(task));	/* likewise */
	/*
	 * Who sleeps waits for no CPU. Since 6.12 it may be left on the run queue until it was its
	 * turn, and if it is moved to another CPU's meanwhile, it is queued there for ever, as far
	 * as sched_info goes.
	 */
	if (evidence->task != 'R')
		queued = 0;
	/* Who is stopped counts as frozen too, for the cgroup. */
	if (evidence->task != 'T' && evidence->task != 't' && evidence_is_frozen(task))
		evidence->task = 'F';
	if (evidence_is_ending(task))
		evidence->task = 'X';
	evidence->exec_ns = exec;
	evidence->run_delay_ns = evidence_peek(task->sched_info.run_delay);
	/* In all differences: another CPU's clock may be ahead of ours. */
	evidence->queued_ns = queued ? kvmhb_minus(now, queued) : 0;
	evidence->arrived_at_ns = arrived;
	evidence->picked_ns = picked;

	if (arrived + stint >= now)
		return;
	if (evidence_peek(task->on_cpu))
		evidence->exec_ns += evidence_uncounted_ns(task, now - arrived - stint);
	else if (evidence->halted)
		evidence->halted_ns += now - arrived - stint;
}

/*
 * The thread that last ran a vCPU. RCU protects a vCPU's pid until 6.12; after that a lock
 * of its own does, which may not be taken in a hard interrupt, and RCU the task alone.
 */
static struct task_struct *evidence_vcpu_task(struct kvm_vcpu *vcpu)
{
	struct task_struct *task;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "the task may be freed");
#ifdef KVMHB_HAVE_VCPU_PID_LOCK
	read_lock(&vcpu->pid_lock);
	task = pid_task(vcpu->pid, PIDTYPE_PID);
	read_unlock(&vcpu->pid_lock);
#else
	task = pid_task(rcu_dereference(vcpu->pid), PIDTYPE_PID);
#endif
	return task;
}

/*
 * It waits for the guest to start it, and is nothing to the guest until then. What KVM
 * counts of a halt it does not count of this wait.
 */
static bool evidence_is_unstarted(struct kvm_vcpu *vcpu)
{
#ifdef CONFIG_X86
	unsigned int state = evidence_peek(vcpu->arch.mp_state);

	return state == KVM_MP_STATE_UNINITIALIZED || state == KVM_MP_STATE_INIT_RECEIVED;
#else
	return false;
#endif
}

/**
 * kvmhb_evidence_vcpu - what is known of a vCPU now
 * @kvm: the VM or NULL
 * @nr: its number, counted from 0
 * @then: what was known of it at the look before, all zero at the first; or NULL
 * @evidence: where to store it, another place
 *
 * Nothing stops meanwhile: what belongs to a moment may be a moment apart.
 *
 * Return: false if there is no such vCPU.
 */
bool kvmhb_evidence_vcpu(struct kvm *kvm, unsigned int nr, const struct kvmhb_vcpu *then,
			 struct kvmhb_vcpu *evidence)
{
	struct task_struct *task;
	struct kvm_vcpu *vcpu;
	bool running;
	u32 exit;
	int mode;

	if (nr >= kvmhb_evidence_nr_vcpus(kvm))
		return false;
	vcpu = kvm_get_vcpu(kvm, nr);
	if (!vcpu)
		return false;

	running = evidence_peek(vcpu->wants_to_run);
	exit = evidence_peek(vcpu->run->exit_reason);
	mode = evidence_peek(vcpu->mode);
	*evidence = (struct kvmhb_vcpu) {
		.task = '-',
		.running = running,
		.kernel = running && mode != IN_GUEST_MODE && mode != EXITING_GUEST_MODE,
		/* Without KVM's interrupt controller, it is the VMM that halts. */
		.halted = running ? evidence_peek(vcpu->stat.generic.blocking) :
				    exit == KVM_EXIT_HLT,
		.stepped = (!running && exit == KVM_EXIT_DEBUG) ||
			   evidence_peek(vcpu->guest_debug) & KVM_GUESTDBG_SINGLESTEP,
		.exit = exit,
#ifdef CONFIG_X86
		.irqs = evidence_peek(vcpu->stat.irq_injections),
		.signals = evidence_peek(vcpu->stat.signal_exits),
#endif
		.halted_ns = evidence_peek(vcpu->stat.generic.halt_wait_ns),
	};
	rcu_read_lock();
	task = evidence_is_unstarted(vcpu) ? NULL : evidence_vcpu_task(vcpu);
	if (task)
		evidence_read_task(task, then, evidence);
	rcu_read_unlock();
	/* Its thread comes and goes; it is the vCPU that is held. */
	if (evidence->stepped && !strchr("XZ-", evidence->task))
		evidence->task = 't';
	/* Last: who was outside the guest before, and still has as many, was so all along. */
	evidence->exits = evidence_peek(vcpu->stat.exits);
	return true;
}

/**
 * kvmhb_evidence_has_shut_down - whether a triple fault has shut a vCPU down
 * @kvm: the VM or NULL
 *
 * Return: true if any of them is.
 */
bool kvmhb_evidence_has_shut_down(struct kvm *kvm)
{
	struct kvmhb_vcpu vcpu;
	unsigned int nr;

	for (nr = 0; kvmhb_evidence_vcpu(kvm, nr, NULL, &vcpu); nr++)
		if (kvmhb_has_shut_down(&vcpu))
			return true;
	return false;
}

/* Who has walked through all CPUs last, and what came of it. */
static DEFINE_SPINLOCK(steal_lock);	/* of the other two */
static unsigned long steal_summed_at = INITIAL_JIFFIES;
static u64 steal_sum_ns;

static u64 evidence_sum_steal_ns(void)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += evidence_peek(kcpustat_cpu(cpu).cpustat[CPUTIME_STEAL]);
	return sum;
}

/**
 * kvmhb_evidence_steal_ns - what another hypervisor took from this host
 *
 * The kernel itself counts it once a tick, so more than one walk through all CPUs a
 * tick would find nothing new, however many guests ask.
 *
 * Return: the time stolen from all CPUs, summed, ns; 0 for ever on a host that
 * is no VM.
 */
u64 kvmhb_evidence_steal_ns(void)
{
	u64 sum;

	/* Nobody waits here for another, whose CPU may be stolen at this moment. */
	if (!spin_trylock(&steal_lock))
		return evidence_sum_steal_ns();
	if (time_after(jiffies, steal_summed_at)) {
		steal_summed_at = jiffies;
		steal_sum_ns = evidence_sum_steal_ns();
	}
	sum = steal_sum_ns;
	spin_unlock(&steal_lock);
	return sum;
}
