// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: does the scheduler live?
 *
 * A CPU that takes timer interrupts may still run no thread: it loops in the
 * kernel without preemption, drowns in softirqs, or serves a real-time task
 * that never sleeps. So every CPU has a thread of ordinary policy with nothing
 * to do but to be scheduled. A tick asks for it, the next one looks whether it
 * has run.
 *
 * All devices share the threads. CPU hotplug unparks a CPU's thread before it
 * lets us start a timer there, and parks it after we have stopped the last: a
 * tick always finds the thread of its CPU, ready to be woken.
 */
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/smpboot.h>

#include "kvmhb.h"

/**
 * struct kvmhb_thread - the thread of one CPU
 * @task: the thread
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

static int kvmhb_thread_should_run(unsigned int nr)
{
	return READ_ONCE(per_cpu(kvmhb_threads, nr).wanted);
}

static void kvmhb_thread_run(unsigned int nr)
{
	struct kvmhb_thread *thread = per_cpu_ptr(&kvmhb_threads, nr);

	/* In this order: who asks in between is answered twice, not never. */
	WRITE_ONCE(thread->wanted, false);
	WRITE_ONCE(thread->runs, thread->runs + 1);
}

static struct smp_hotplug_thread kvmhb_hotplug_thread = {
	.store = &kvmhb_threads.task,
	.thread_should_run = kvmhb_thread_should_run,
	.thread_fn = kvmhb_thread_run,
	.thread_comm = "kvmhb/%u",	/* 15 characters at the most, the number included */
};

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
	unsigned int runs = READ_ONCE(thread->runs);

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
	wake_up_process(thread->task);
}

/**
 * kvmhb_sched_register() - start the threads, on CPUs to come included
 *
 * Context: Process context, may sleep. Takes cpus_read_lock().
 * Return: 0 or a negative errno.
 */
int kvmhb_sched_register(void)
{
	return smpboot_register_percpu_thread(&kvmhb_hotplug_thread);
}

/**
 * kvmhb_sched_unregister() - undo kvmhb_sched_register()
 *
 * Context: Process context, may sleep. Takes cpus_read_lock(). No device is
 * left, so nothing ticks.
 */
void kvmhb_sched_unregister(void)
{
	smpboot_unregister_percpu_thread(&kvmhb_hotplug_thread);
}
