// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include <linux/kvm.h>
#include <linux/kvm_host.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

/* The scheduler's clock, if a test says so. */
static u64 clock_ns;

static u64 sched_clock_ns(void)
{
	return clock_ns ?: local_clock();
}

#define local_clock sched_clock_ns

#include "evidence.c"

#include "vcpu.h"

/* What the scheduler says of the thread of a vCPU, a look a second. */
static void run_clock_stints(struct kunit *test)
{
	static const struct {
		const char *what;
		enum place place;
		bool on_cpu;
		/* When it got the CPU, and what it had executed, as far as it is counted. */
		u64 arrived_ms, picked_ms, exec_ms;
		u64 halts_ms;	/* that have ended */
		u64 denied_ms;
	} rows[] = {
		{ "executes", RUN, true, 900, 4900, 5000, 0, 1000 },	/* nobody knows */
		{ "goes on, the last ms not counted yet", RUN, true, 900, 4900, 5999, 0, 0 },
		{ "halts after 300 ms", HALT, false, 900, 4900, 6300, 0, 0 },
		{ "goes on", HALT, false, 900, 4900, 6300, 0, 0 },
		{ "200 ms more, stopped for 700, runs for 50, halts", HALT, false,
		  4900, 6300, 6350, 1900, 700 },
		{ "100 ms more, stopped for 500, runs for 300, halts", HALT, false,
		  5600, 6350, 6650, 2050, 500 },
		{ "has run since 200 ms ago, the last one not counted yet", RUN, true, 6800, 6650,
		  6849, 2950, 0 },
		{ "waits for a CPU after 600 ms", RUN, false, 6800, 6650, 7450, 2950, 400 },
		{ "has run for a second, but 700 ms of it were stolen", RUN, true, 8000, 7450, 7750,
		  2950, 700 - 2 * TICK_NSEC / MS },
	};
	struct task_struct *task = kunit_kzalloc(test, sizeof(*task), GFP_KERNEL);
	/* Of the fair class, of sched_ext, which keeps nothing, real time, deadline. */
	static const struct {
		int prio;
		bool keeps;
	} classes[] = { { DEFAULT_PRIO, true }, { DEFAULT_PRIO }, { 0 }, { -1 } };
	int p, i;

	KUNIT_ASSERT_NOT_NULL(test, task);
	task->signal = kunit_kzalloc(test, sizeof(*task->signal), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, task->signal);
	task->pid = 7;
	for (p = 0; p < ARRAY_SIZE(classes); p++) {
		struct kvmhb_vcpu then = {};

		task->prio = classes[p].prio;
		task->se.prev_sum_exec_runtime = 0;
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			struct kvmhb_vcpu now = vcpu_at(rows[i].place);

			now.exits = rows[i].arrived_ms;
			now.halted_ns = rows[i].halts_ms * MS;
			task->on_cpu = rows[i].on_cpu;
			task->sched_info.last_arrival = rows[i].arrived_ms * MS;
			task->se.sum_exec_runtime = rows[i].exec_ms * MS;
			if (classes[p].keeps)
				task->se.prev_sum_exec_runtime = rows[i].picked_ms * MS;
			clock_ns = (i + 1) * SEC;
			evidence_read_task(task, &then, &now);
			clock_ns = 0;
			KUNIT_EXPECT_EQ_MSG(test, kvmhb_denied_ns(&then, &now, SEC),
					    rows[i].denied_ms * MS, "class %d: %s", p,
					    rows[i].what);
			then = now;
		}
	}
}

/* Who is said to be queued for a CPU, but sleeps, waits for none. */
static void evidence_of_who_is_left_in_a_queue(struct kunit *test)
{
	struct task_struct *task = kunit_kzalloc(test, sizeof(*task), GFP_KERNEL);
	static const struct {
		unsigned int state;
		u64 queued_ms;
	} rows[] = {
		{ TASK_RUNNING, 600 }, { TASK_INTERRUPTIBLE, 0 }, { TASK_UNINTERRUPTIBLE, 0 },
		{ TASK_RUNNING, 600 },
	};
	struct kvmhb_vcpu seen = vcpu_at(HALT);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, task);
	task->signal = kunit_kzalloc(test, sizeof(*task->signal), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, task->signal);
	task->pid = 7;
	task->sched_info.last_queued = 400 * MS;
	clock_ns = SEC;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		task->__state = rows[i].state;
		evidence_read_task(task, NULL, &seen);
		KUNIT_EXPECT_EQ_MSG(test, seen.queued_ns, rows[i].queued_ms * MS, "%u", i);
	}
	clock_ns = 0;
}

/* Killed, and nobody has told the thread yet. */
static void evidence_of_ending(struct kunit *test)
{
	struct task_struct *task = kunit_kzalloc(test, sizeof(*task), GFP_KERNEL);
	struct kvmhb_vcpu seen = vcpu_at(RUN);

	KUNIT_ASSERT_NOT_NULL(test, task);
	task->signal = kunit_kzalloc(test, sizeof(*task->signal), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, task->signal);
	task->pid = 7;

	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'R');
	sigaddset(&task->pending.signal, SIGUSR1);
	set_tsk_thread_flag(task, TIF_SIGPENDING);
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'R');

	sigaddset(&task->pending.signal, SIGKILL);
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'X');
	KUNIT_EXPECT_EQ(test, kvmhb_doing(&seen, &seen, &seen, SEC), KVMHB_ABSENT);
	sigdelset(&task->pending.signal, SIGKILL);
	task->signal->flags = SIGNAL_GROUP_EXIT;
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'X');
	task->signal->flags = 0;
	task->flags = PF_EXITING;
	evidence_read_task(task, NULL, &seen);
	KUNIT_EXPECT_EQ(test, seen.task, 'X');
}

/* The freezer of the host has it, or that of its cgroup; who was stopped before is so still. */
static void evidence_of_the_frozen(struct kunit *test)
{
	struct task_struct *task = kunit_kzalloc(test, sizeof(*task), GFP_KERNEL);
	static const struct {
		unsigned int state;
		bool by_cgroup;
		char task;
	} rows[] = {
		{ TASK_RUNNING, false, 'R' },
		{ TASK_FROZEN, false, 'F' },
		{ TASK_RUNNING, true, 'F' },
		{ TASK_INTERRUPTIBLE, true, 'F' },
		{ TASK_STOPPED, true, 'T' },
		{ TASK_TRACED, true, 't' },
	};
	struct kvmhb_vcpu seen;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, task);
	task->signal = kunit_kzalloc(test, sizeof(*task->signal), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, task->signal);
	task->pid = 7;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		seen = vcpu_at(RUN);
		task->__state = rows[i].state;
#ifdef CONFIG_CGROUPS
		task->frozen = rows[i].by_cgroup;
#else
		if (rows[i].by_cgroup)
			continue;
#endif
		evidence_read_task(task, NULL, &seen);
		KUNIT_EXPECT_EQ_MSG(test, seen.task, rows[i].task, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_doing(&seen, &seen, &seen, SEC) ==
				    KVMHB_STOPPED_BY_HOST, rows[i].task != 'R', "row %d", i);
	}
}

#ifdef CONFIG_X86
/* A VM of one vCPU, which is run by the test's own thread. */
static struct kvm_vcpu *make_vcpu(struct kunit *test, struct kvm **kvm)
{
	struct kvm_vcpu *vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);

	*kvm = kunit_kzalloc(test, sizeof(**kvm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, *kvm);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->run = kunit_kzalloc(test, sizeof(*vcpu->run), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu->run);
	vcpu->wants_to_run = true;
#ifdef KVMHB_HAVE_VCPU_PID_LOCK
	rwlock_init(&vcpu->pid_lock);
	vcpu->pid = task_pid(current);
#else
	rcu_assign_pointer(vcpu->pid, task_pid(current));
#endif
	xa_init(&(*kvm)->vcpu_array);
	KUNIT_ASSERT_FALSE(test, xa_is_err(xa_store(&(*kvm)->vcpu_array, 0, vcpu, GFP_KERNEL)));
	atomic_set(&(*kvm)->online_vcpus, 1);
	return vcpu;
}

/* A CPU that the guest has not started, or has put down by INIT, is none. */
static void evidence_of_unstarted(struct kunit *test)
{
	static const struct {
		unsigned int state;
		bool there;
	} rows[] = {
		{ KVM_MP_STATE_RUNNABLE, true },
		{ KVM_MP_STATE_UNINITIALIZED, false },
		{ KVM_MP_STATE_INIT_RECEIVED, false },
		{ KVM_MP_STATE_HALTED, true },
	};
	struct kvmhb_vcpu seen;
	struct kvm *kvm;
	struct kvm_vcpu *vcpu = make_vcpu(test, &kvm);
	int i;

	vcpu->stat.generic.blocking = true;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		vcpu->arch.mp_state = rows[i].state;
		KUNIT_EXPECT_TRUE(test, kvmhb_evidence_vcpu(kvm, 0, NULL, &seen));
		KUNIT_EXPECT_EQ_MSG(test, seen.pid, rows[i].there ? current->pid : 0, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_doing(&seen, &seen, &seen, SEC),
				    rows[i].there ? KVMHB_HALTING : KVMHB_ABSENT, "row %d", i);
	}
	/* However long it waits, it stops no clock. */
	vcpu->arch.mp_state = KVM_MP_STATE_INIT_RECEIVED;
	KUNIT_EXPECT_TRUE(test, kvmhb_evidence_vcpu(kvm, 0, &seen, &seen));
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&seen, &seen, SEC), 0);
	xa_destroy(&kvm->vcpu_array);
}

/* The VMM's debugger has it: in an instruction, or between two. */
static void evidence_of_steps(struct kunit *test)
{
	static const struct {
		const char *what;
		bool running;
		u32 exit;
		unsigned long debug;
		bool held;
	} rows[] = {
		{ "runs", true },
		{ "runs up to a breakpoint", true, 0,
		  KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP },
		{ "left for the debugger, some time ago", true, KVM_EXIT_DEBUG },
		{ "in a step", true, 0, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, true },
		{ "after a step", false, KVM_EXIT_DEBUG, 0, true },
		{ "before a step", false, KVM_EXIT_INTR,
		  KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, true },
		{ "left for a signal", false, KVM_EXIT_INTR },
	};
	struct kvmhb_vcpu seen;
	struct kvm *kvm;
	struct kvm_vcpu *vcpu = make_vcpu(test, &kvm);
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		vcpu->wants_to_run = rows[i].running;
		vcpu->run->exit_reason = rows[i].exit;
		vcpu->guest_debug = rows[i].debug;
		KUNIT_EXPECT_TRUE(test, kvmhb_evidence_vcpu(kvm, 0, NULL, &seen));
		KUNIT_EXPECT_EQ_MSG(test, seen.stepped, rows[i].held, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, seen.task == 't', rows[i].held, "%s", rows[i].what);
	}
	xa_destroy(&kvm->vcpu_array);
}
#endif

/* What is stolen while another walks through all CPUs, or has done so in this tick, is not lost. */
static void evidence_of_steal(struct kunit *test)
{
	u64 before_ns = kvmhb_evidence_steal_ns();
	u64 *steal_ns = &kcpustat_cpu(0).cpustat[CPUTIME_STEAL];
	u64 locked_ns;

	steal_summed_at = jiffies - 1;
	*steal_ns += HOUR;
	spin_lock(&steal_lock);
	locked_ns = kvmhb_evidence_steal_ns();
	spin_unlock(&steal_lock);
	KUNIT_EXPECT_GE(test, locked_ns, before_ns + HOUR);
	KUNIT_EXPECT_GE(test, kvmhb_evidence_steal_ns(), before_ns + HOUR);
	*steal_ns -= HOUR;
	steal_summed_at = jiffies - 1;
	KUNIT_EXPECT_LT(test, kvmhb_evidence_steal_ns(), before_ns + HOUR);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(run_clock_stints),
	KUNIT_CASE(evidence_of_who_is_left_in_a_queue),
	KUNIT_CASE(evidence_of_ending),
	KUNIT_CASE(evidence_of_the_frozen),
	KUNIT_CASE(evidence_of_steal),
#ifdef CONFIG_X86
	KUNIT_CASE(evidence_of_unstarted),
	KUNIT_CASE(evidence_of_steps),
#endif
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_evidence",
	.test_cases = cases,
};

kunit_test_suite(suite);
