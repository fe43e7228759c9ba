// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: does the scheduler live?
 *
 * A CPU that takes timer interrupts may still run no thread: it loops in the
 * kernel without preemption, drowns in softirqs, or serves a real-time task
 * that never sleeps. So a CPU that pulses has a thread of ordinary policy with
 * nothing to do but to be scheduled. A tick asks for it, the next one looks
 * whether it has run.
 *
 * All devices share the threads. A CPU gets one when it is first told to pulse,
 * and keeps it, asleep, until it goes offline: to end a thread is to wait for
 * its CPU. CPU hotplug ends it after it has stopped the last timer there, since
 * our state comes before that of the timers.
 */
#include <linux/cpuhotplug.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "kvmhb.h"

/**
 * struct kvmhb_thread - the thread of one CPU
 * @task: the thread, or NULL; written with kvmhb_threads_lock held and no timer
 *	of the CPU running
 * @wanted: set by ticks, cleared by the thread
 * @runs: how often it has run; written by the thread
 *
 * Ticks interrupt the thread on its own CPU, so order of program is enough.
 */
struct kvmhb_thread {
	struct task_struct *task;
	bool wanted;
	unsigned int runs;
};

static DEFINE_PER_CPU(struct kvmhb_thread, kvmhb_threads);

/* Several devices may want the thread of a CPU at once. */
static DEFINE_MUTEX(kvmhb_threads_lock);

static enum cpuhp_state kvmhb_threads_state;

static int kvmhb_thread_run(void *data)
{
	struct kvmhb_thread *thread = data;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (!READ_ONCE(thread->wanted)) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);

		/* In this order: who asks in between is answered twice, not never. */
		WRITE_ONCE(thread->wanted, false);
		WRITE_ONCE(thread->runs, thread->runs + 1);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/**
 * kvmhb_sched_provide() - see to it that a CPU has its thread
 * @nr: the CPU, which is online
 *
 * Does not wait for that CPU. If there is no memory for a thread, the CPU's
 * scheduler passes for alive.
 *
 * Context: Process context, may sleep. CPU hotplug is held off, or calls us.
 */
void kvmhb_sched_provide(unsigned int nr)
{
	struct kvmhb_thread *thread = per_cpu_ptr(&kvmhb_threads, nr);
	struct task_struct *task;

	mutex_lock(&kvmhb_threads_lock);
	if (!thread->task) {
		/* The number included, the name has no more than 15 characters. */
		task = kthread_create_on_cpu(kvmhb_thread_run, thread, nr,
					     "kvmhb/%u");
		if (!IS_ERR(task)) {
			WRITE_ONCE(thread->task, task);
			wake_up_process(task);
		}
	}
	mutex_unlock(&kvmhb_threads_lock);
}

static int kvmhb_thread_end(unsigned int nr)
{
	struct kvmhb_thread *thread = per_cpu_ptr(&kvmhb_threads, nr);

	mutex_lock(&kvmhb_threads_lock);
	if (thread->task) {
		kthread_stop(thread->task);
		WRITE_ONCE(thread->task, NULL);
	}
	mutex_unlock(&kvmhb_threads_lock);
	return 0;
}

/**
 * kvmhb_sched_ask() - look whether this CPU's thread has run, and ask anew
 * @sched: what is known of this CPU
 * @passed_ns: time since the last tick, as far as it counts
 * @idle: the CPU idles by choice: then ask for nothing
 *
 * Context: Hard interrupt.
 */
void kvmhb_sched_ask(struct kvmhb_sched *sched, u64 passed_ns, bool idle)
{
	struct kvmhb_thread *thread = this_cpu_ptr(&kvmhb_threads);
	struct task_struct *task = READ_ONCE(thread->task);
	unsigned int runs = READ_ONCE(thread->runs);

	if (unlikely(!task))
		return;

	if (sched->waiting && sched->runs == runs && !idle) {
		sched->age_ns += passed_ns;
		return;
	}

	sched->age_ns = 0;
	sched->waiting = !idle;
	sched->runs = runs;
	if (idle)
		return;

	WRITE_ONCE(thread->wanted, true);
	wake_up_process(task);
}

/**
 * kvmhb_sched_register() - be ready to provide threads
 *
 * Before kvmhb_beats_register(), so that hotplug ends a CPU's thread after its
 * timers.
 *
 * Context: Process context, may sleep. Takes cpus_read_lock().
 * Return: 0 or a negative errno.
 */
int kvmhb_sched_register(void)
{
	int ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
					    "kvm_heartbeat:threads",
					    NULL, kvmhb_thread_end);

	if (ret < 0)
		return ret;

	kvmhb_threads_state = ret;
	return 0;
}

/**
 * kvmhb_sched_unregister() - end all threads
 *
 * Context: Process context, may sleep. Takes cpus_read_lock(). No device is
 * left, so nothing ticks.
 */
void kvmhb_sched_unregister(void)
{
	unsigned int nr;

	cpuhp_remove_state_nocalls(kvmhb_threads_state);
	for_each_possible_cpu(nr)
		kvmhb_thread_end(nr);
}
