// SPDX-License-Identifier: GPL-2.0
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/suspend.h>

#include "compat.h"
#include "host.h"

static atomic_t sleeps = ATOMIC_INIT(0);

/*
 * A host CPU that serves no interrupt keeps timers and vCPUs of guests that have done
 * nothing wrong, and looks from outside as if it ran them on. So before a guest is accused,
 * every CPU is asked, by an interrupt that nobody waits for, whether it lives. It answers by a
 * timer: after timers that took long, the kernel holds back all of a CPU for up to 100 ms
 * (hang_detected in kernel/time/hrtimer.c), a guest's too, while it takes other interrupts.
 * One round serves all guests.
 */
#define ASK_AGAIN_NS	NSEC_PER_MSEC	/* what a flood of silent guests may cost the others */
/* What any busy CPU may take to answer; without high-resolution timers, its next tick does. */
#define BUSY_NS		(10 * NSEC_PER_MSEC + hrtimer_resolution)

/**
 * struct kvmhb_round - a round of questions to the host's CPUs
 * @lock: protects all below; taken in hard interrupts
 * @unheard: CPUs that were asked and have not answered
 * @asked_at_ns: when they were asked, ns of CLOCK_MONOTONIC
 * @asking: @unheard is not empty; read without @lock too
 * @deaf_ns: how long the rounds took that are over, those that took %BUSY_NS, ns; read
 *	without @lock too
 */
struct kvmhb_round {
	raw_spinlock_t lock;	/* of all below */
	struct cpumask unheard;
	u64 asked_at_ns;
	bool asking;
	u64 deaf_ns;
};

static struct kvmhb_round round = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(round.lock),
};

/**
 * struct kvmhb_answerer - how a CPU is asked, and answers
 * @question: asks it
 * @answer: the timer by which it answers
 * @cpu: which one it is: when it goes offline, another answers for it
 */
struct kvmhb_answerer {
	call_single_data_t question;
	struct hrtimer answer;
	unsigned int cpu;
};

static DEFINE_PER_CPU(struct kvmhb_answerer, answerers);
/* Whom a CPU is about to ask; too large for a stack. */
static DEFINE_PER_CPU(cpumask_t, to_ask);

/* How long the round that is under way has taken, if that is worth counting. */
static u64 host_round_deaf_ns(void)
{
	u64 ns = ktime_get_ns() - round.asked_at_ns;

	lockdep_assert_held(&round.lock);

	return ns >= BUSY_NS ? ns : 0;
}

static void host_heard(unsigned int cpu)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&round.lock, flags);
	cpumask_clear_cpu(cpu, &round.unheard);
	if (round.asking && cpumask_empty(&round.unheard)) {
		WRITE_ONCE(round.deaf_ns, round.deaf_ns + host_round_deaf_ns());
		WRITE_ONCE(round.asking, false);
	}
	raw_spin_unlock_irqrestore(&round.lock, flags);
}

static enum hrtimer_restart host_answer(struct hrtimer *timer)
{
	host_heard(container_of(timer, struct kvmhb_answerer, answer)->cpu);
	return HRTIMER_NORESTART;
}

static void host_hear(void *info)
{
	struct kvmhb_answerer *answerer = info;

	/* One that is about to go offline has given its timers away, and owes nobody an answer. */
	if (cpu_online(answerer->cpu))
		hrtimer_start(&answerer->answer, 0, HRTIMER_MODE_REL_PINNED_HARD);
	else
		host_heard(answerer->cpu);
}

/*
 * How exactly this host can tell anything: what it knows of threads is as old as a tick,
 * and looks are as late as they have been of late. A guest is innocent of both.
 */
#define LATELY			(10 * HZ)
#define RESOLUTION_MAX_NS	(200 * NSEC_PER_MSEC)	/* what is more is trouble */

/**
 * struct kvmhb_lateness - how late looks were in the last seconds
 * @lock: of who writes the others
 * @end: when @new_ns becomes @old_ns, jiffies
 * @new_ns: the latest since then, ns
 * @old_ns: the latest in the time before, ns
 */
struct kvmhb_lateness {
	raw_spinlock_t lock;	/* of who writes the others */
	unsigned long end;
	u64 new_ns;
	u64 old_ns;
};

static struct kvmhb_lateness lateness = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(lateness.lock),
	.end = INITIAL_JIFFIES,
};

/**
 * kvmhb_host_late - a look was late
 * @late_ns: by how much, ns
 */
void kvmhb_host_late(u64 late_ns)
{
	if (late_ns <= READ_ONCE(lateness.new_ns) &&
	    !time_after(jiffies, READ_ONCE(lateness.end)))
		return;
	/* Who finds it locked is as late as who is there, more or less. */
	if (!raw_spin_trylock(&lateness.lock))
		return;
	if (time_after(jiffies, lateness.end)) {
		WRITE_ONCE(lateness.end, jiffies + LATELY);
		WRITE_ONCE(lateness.old_ns, lateness.new_ns);
		WRITE_ONCE(lateness.new_ns, 0);
	}
	WRITE_ONCE(lateness.new_ns, max(lateness.new_ns, late_ns));
	raw_spin_unlock(&lateness.lock);
}

/**
 * kvmhb_host_resolution_ns - in how little time this host cannot tell a guest's fault
 *
 * Return: ns: a silence on the run clock that is shorter says nothing. Two ticks, or twice
 * what looks were late in the last seconds.
 */
u64 kvmhb_host_resolution_ns(void)
{
	u64 late_ns = max(READ_ONCE(lateness.new_ns), READ_ONCE(lateness.old_ns));

	return clamp_t(u64, 2 * late_ns, 2 * TICK_NSEC, RESOLUTION_MAX_NS);
}

/* Tasks are frozen after the first and thawed before the second of each pair. */
static int host_pm_event(struct notifier_block *nb, unsigned long event, void *data)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		atomic_inc(&sleeps);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block pm_nb = {
	.notifier_call = host_pm_event,
};

/**
 * kvmhb_host_init - watch over the host
 *
 * Return: 0 or a negative errno.
 */
int kvmhb_host_init(void)
{
	unsigned int cpu;

	/* Not at compile time: pointers in a module's per-CPU data are not relocated. */
	for_each_possible_cpu(cpu) {
		struct kvmhb_answerer *answerer = per_cpu_ptr(&answerers, cpu);

		answerer->cpu = cpu;
		INIT_CSD(&answerer->question, host_hear, answerer);
		hrtimer_setup(&answerer->answer, host_answer, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_PINNED_HARD);
	}
	return register_pm_notifier(&pm_nb);
}

/**
 * kvmhb_host_exit - undo kvmhb_host_init()
 */
void kvmhb_host_exit(void)
{
	unsigned int cpu;

	unregister_pm_notifier(&pm_nb);
	/* What was asked is still to be answered, by code of ours. */
	while (READ_ONCE(round.asking))
		msleep(20);
	/* And to return from it. */
	for_each_possible_cpu(cpu)
		hrtimer_cancel(&per_cpu_ptr(&answerers, cpu)->answer);
	synchronize_rcu();
}

/**
 * kvmhb_host_ask - ask all CPUs of the host whether they live
 *
 * Does nothing while answers to an earlier question are outstanding, and just after
 * it: that question is as good. Waits for nobody, and nobody has answered when it returns.
 */
void kvmhb_host_ask(void)
{
	unsigned long flags;
	cpumask_t *asked;
	unsigned int cpu;
	u64 now_ns;

	asked = get_cpu_ptr(&to_ask);
	cpumask_clear(asked);
	raw_spin_lock_irqsave(&round.lock, flags);
	now_ns = ktime_get_ns();
	if (!round.asking && (!round.asked_at_ns || now_ns - round.asked_at_ns >= ASK_AGAIN_NS)) {
		cpumask_copy(asked, cpu_online_mask);
		cpumask_copy(&round.unheard, asked);
		round.asked_at_ns = now_ns;
		WRITE_ONCE(round.asking, true);
	}
	raw_spin_unlock_irqrestore(&round.lock, flags);

	/* One that has gone offline meanwhile owes nobody an answer. */
	for_each_cpu(cpu, asked)
		if (smp_call_function_single_async(cpu, &per_cpu(answerers, cpu).question))
			host_heard(cpu);
	put_cpu_ptr(&to_ask);
}

/**
 * kvmhb_host_answered - whether all CPUs of the host have answered
 * @since_ns: since when, ns of CLOCK_MONOTONIC
 *
 * An answer to the question before says nothing while another one is outstanding: a CPU may have
 * died in between.
 *
 * Return: true if the last question was asked after that, and all have answered it.
 */
bool kvmhb_host_answered(u64 since_ns)
{
	unsigned long flags;
	bool answered;

	raw_spin_lock_irqsave(&round.lock, flags);
	answered = !round.asking && round.asked_at_ns >= since_ns;
	raw_spin_unlock_irqrestore(&round.lock, flags);
	return answered;
}

/**
 * kvmhb_host_look - look at the host
 * @host: where to store how it is
 */
void kvmhb_host_look(struct kvmhb_host *host)
{
	unsigned long flags;

	*host = (struct kvmhb_host) {
		.sleeps = atomic_read(&sleeps),
		.deaf_ns = READ_ONCE(round.deaf_ns),
	};
	if (!READ_ONCE(round.asking))
		return;
	raw_spin_lock_irqsave(&round.lock, flags);
	host->deaf_ns = round.deaf_ns;
	if (round.asking) {
		host->deaf_ns += host_round_deaf_ns();
		host->asking_ns = ktime_get_ns() - round.asked_at_ns;
		host->unheard_cpu = cpumask_first(&round.unheard);
	}
	raw_spin_unlock_irqrestore(&round.lock, flags);
}
