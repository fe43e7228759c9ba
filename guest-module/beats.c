// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: the beats
 *
 * Every online CPU that is chosen to has a pinned timer. Each tick counts a
 * pulse in the CPU's own slot, and the first CPU that finds the VM's beat due
 * rings the doorbell for all: one exit an interval, whatever the number of CPUs,
 * for as long as any of them lives.
 *
 * Expiries are multiples of the interval, so all CPUs tick together and the
 * beats keep their rhythm, no matter which CPU rings.
 *
 * A new configuration is acknowledged by a beat at once, by the first tick
 * that sees it. That restarts the rhythm: no gap gets longer than the longer
 * one of the old and the new interval, at the price of one beat too many.
 *
 * What lives above the timer interrupt is told by its age: each pulse says for
 * how long its CPU has run no thread (sched.c), each beat for how long
 * userspace has not pinged (watchdog.c), and for how long a task has waited for
 * storage (blocked.c). An age grows by no more than an interval at a time, that
 * of the tasks by no more than a period: while the host does not run us, nobody
 * else runs either.
 */
#include <asm/barrier.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/time64.h>

#include "compat.h"
#include "kvmhb.h"

/**
 * struct kvmhb_cpu - the beats of one CPU
 * @timer: ticks once an interval; pinned to the CPU, armed only there
 * @hb: the device
 * @slot: the CPU's slot, or NULL if its number is beyond the last
 * @pulses: what the slot was last told; never read back from there
 * @config: by which @timer runs. May be ahead of kvmhb::config if the line
 *	was taken when we looked.
 * @tick_ns: when @timer last ticked, CLOCK_MONOTONIC
 * @sched: the CPU's scheduler, if there is a @slot to tell of it
 * @on: the CPU is to pulse: @timer may be started; cleared with @start_lock
 *	held, otherwise guarded as kvmhb::running is
 * @start_csd: asks the CPU to start @timer
 * @start_asked: @start_csd is under way; who finds it set need not ask
 * @start_lock: held while @timer is started, and to stop that for good
 *
 * All from @slot to @sched but the unchanging @slot belongs to the CPU's timer
 * callback while the timer runs.
 */
struct kvmhb_cpu {
	struct hrtimer timer;
	struct kvmhb *hb;
	struct kvm_heartbeat_slot *slot;
	u64 pulses;
	struct kvmhb_config config;
	u64 tick_ns;
	struct kvmhb_sched sched;

	bool on;
	call_single_data_t start_csd;
	unsigned long start_asked;
	raw_spinlock_t start_lock;	/* see above */
};

static enum cpuhp_state kvmhb_hotplug_state;

static DEFINE_MUTEX(kvmhb_cpus_lock);	/* guards these two */
static LIST_HEAD(kvmhb_devices);
static struct cpumask kvmhb_cpus_chosen;

/* The first multiple of the interval that is still ahead. */
static u64 kvmhb_next_boundary(u64 now_ns, const struct kvmhb_config *config)
{
	return (div64_u64(now_ns, config->interval_ns) + 1) *
	       config->interval_ns;
}

static void kvmhb_ack(struct kvmhb *hb)
{
	WRITE_ONCE(hb->pulse->config_ack, cpu_to_le32(hb->config.seq));
}

/* An age as the pulse page has it. */
static __le32 kvmhb_age_ms(u64 age_ns)
{
	if (likely(!age_ns))
		return 0;
	return cpu_to_le32(min_t(u64, div_u64(age_ns, NSEC_PER_MSEC), U32_MAX));
}

/**
 * kvmhb_user_freeze() - the kernel is about to freeze userspace, or has thawed it
 * @hb: the device
 * @frozen: which of them
 *
 * A silence that the kernel has ordered is not held against userspace, nor is
 * the rest of an interval in which that ended.
 *
 * Context: Process context. The caller serialises.
 */
void kvmhb_user_freeze(struct kvmhb *hb, bool frozen)
{
	if ((hb->user_freezes & 1) != frozen)
		WRITE_ONCE(hb->user_freezes, hb->user_freezes + 1);
}

/*
 * For how long a task had been blocked at the last look. If the kernel has
 * frozen userspace since, or is about to, that is forgotten.
 */
static u32 kvmhb_blocked_age_ms(struct kvmhb *hb, unsigned int freezes)
{
	/* Acquire: pairs with the release in kvmhb_blocked_say(). */
	if (freezes & 1 || freezes != smp_load_acquire(&hb->blocked_freezes))
		return 0;
	return READ_ONCE(hb->blocked_age_ms);
}

/*
 * Say how userspace is, and storage. Called with the line held, so time is read
 * anew: by the time at which the tick began, a beat may be earlier than the one
 * before it.
 */
static void kvmhb_user_publish(struct kvmhb *hb)
{
	u64 now_ns = ktime_get_ns();
	u64 passed_ns = min(now_ns - hb->beat_ns, hb->config.interval_ns);
	/* Acquire: pairs with the release in kvmhb_watchdog_start(). */
	u32 timeout_ms = smp_load_acquire(&hb->user_timeout_ms);
	/* Likewise with that in kvmhb_blocked_say(). */
	u32 blocked_timeout_ms = smp_load_acquire(&hb->blocked_timeout_ms);
	unsigned int pings = READ_ONCE(hb->pings);
	unsigned int freezes = READ_ONCE(hb->user_freezes);

	if (!timeout_ms || pings != hb->pings_seen)
		hb->user_age_ns = 0;
	else if (!(freezes & 1) && freezes == hb->user_freezes_seen)
		hb->user_age_ns += passed_ns;
	hb->pings_seen = pings;
	hb->user_freezes_seen = freezes;
	hb->beat_ns = now_ns;

	WRITE_ONCE(hb->pulse->user_age_ms, kvmhb_age_ms(hb->user_age_ns));
	WRITE_ONCE(hb->pulse->blocked_age_ms,
		   cpu_to_le32(kvmhb_blocked_age_ms(hb, freezes)));
	/*
	 * A new timeout comes with a ping, or with a look at the tasks. Whoever
	 * reads it, and then the age, must find the age that begins with it, not
	 * one from before.
	 */
	virt_wmb();
	WRITE_ONCE(hb->pulse->user_timeout_ms, cpu_to_le32(timeout_ms));
	WRITE_ONCE(hb->pulse->blocked_timeout_ms,
		   cpu_to_le32(blocked_timeout_ms));
}

/*
 * Called with the line held, from hard interrupt context. Returns whether the
 * doorbell was rung.
 */
static bool kvmhb_ring_if_due(struct kvmhb *hb, u64 now_ns)
{
	if (!kvmhb_config_read(hb, &hb->config) && now_ns < hb->due_ns)
		return false;

	WRITE_ONCE(hb->due_ns, kvmhb_next_boundary(now_ns, &hb->config));
	kvmhb_ack(hb);
	kvmhb_user_publish(hb);

	/*
	 * writel() orders what we stored in the pulse page before the
	 * doorbell; pairs with the exit, by which the host learns of both.
	 */
	writel(smp_processor_id(), hb->regs + KVM_HEARTBEAT_REG_DOORBELL);
	return true;
}

/*
 * Whether there is something to ring for. Without the line this may be out of
 * date, but not for long: whoever has the line is about to ring, or has rung.
 */
static bool kvmhb_may_be_due(struct kvmhb *hb, struct kvmhb_cpu *cpu,
			     u64 now_ns)
{
	return now_ns >= READ_ONCE(hb->due_ns) ||
	       cpu->config.seq != READ_ONCE(hb->config.seq) ||
	       cpu->config.interval_ns != READ_ONCE(hb->config.interval_ns);
}

static void kvmhb_pulse(struct kvmhb_cpu *cpu, u64 now_ns)
{
	u64 passed_ns = min(now_ns - cpu->tick_ns, cpu->config.interval_ns);

	cpu->pulses++;
	cpu->tick_ns = now_ns;
	if (!cpu->slot)
		return;

	kvmhb_sched_tick(&cpu->sched, passed_ns);
	WRITE_ONCE(cpu->slot->sched_age_ms, kvmhb_age_ms(cpu->sched.age_ns));
	/*
	 * A CPU that comes back to life must not be judged by the age it had
	 * before. Whoever reads this pulse, and then the age, must find this
	 * age or a later one.
	 */
	virt_wmb();
	WRITE_ONCE(cpu->slot->pulses, cpu_to_le64(cpu->pulses));
}

/* Of whatever moment, and whatever the host has written there. */
static u64 kvmhb_timeout_ns(struct kvmhb *hb)
{
	return le64_to_cpu(READ_ONCE(hb->pulse->timeout_ns));
}

static enum hrtimer_restart kvmhb_tick(struct hrtimer *timer)
{
	struct kvmhb_cpu *cpu = container_of(timer, struct kvmhb_cpu, timer);
	struct kvmhb *hb = cpu->hb;
	u64 now_ns = ktime_get_ns();
	u64 rang_ns = 0;
	u64 next_ns;

	kvmhb_pulse(cpu, now_ns);

	kvmhb_config_read(hb, &cpu->config);
	if (kvmhb_may_be_due(hb, cpu, now_ns) && kvmhb_line_take(hb)) {
		if (kvmhb_ring_if_due(hb, now_ns))
			rang_ns = ktime_get_ns();
		cpu->config = hb->config;
		kvmhb_line_release(hb);
	}

	/*
	 * Go on from the time by which we judged, not from the time it is now:
	 * a beat that fell due in between, and that others left to us because
	 * we had the line, is then rung soon. But not at once: if doorbells
	 * take longer than an interval, this CPU would do nothing else. As much
	 * time as it took is the CPU's own, as long as that is little of what
	 * the host grants us: we are not to be accused of having rested.
	 */
	next_ns = kvmhb_next_boundary(now_ns, &cpu->config);
	if (rang_ns)
		next_ns = max(next_ns, rang_ns +
				       min(rang_ns - now_ns,
					   kvmhb_timeout_ns(hb) >> 2));
	hrtimer_set_expires(timer, ns_to_ktime(next_ns));

	kvmhb_request_look(hb);		/* last: to obey may take long */
	return HRTIMER_RESTART;
}

/*
 * Tick now, and once an interval from then on, unless the beats have been
 * stopped meanwhile. Runs on the CPU itself.
 */
static void kvmhb_cpu_start(struct kvmhb_cpu *cpu)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&cpu->start_lock, flags);
	if (READ_ONCE(cpu->on)) {
		if (cpu->slot)
			WRITE_ONCE(cpu->slot->flags,
				   cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE));
		hrtimer_start(&cpu->timer, 0, HRTIMER_MODE_ABS_PINNED_HARD);
	}
	raw_spin_unlock_irqrestore(&cpu->start_lock, flags);
}

static void kvmhb_start_asked(void *data)
{
	struct kvmhb_cpu *cpu = data;

	/* First: who asks from here on is to be answered once more. */
	clear_bit(0, &cpu->start_asked);
	/* Pairs with test_and_set_bit(): who need not ask is seen by what follows. */
	smp_mb__after_atomic();
	kvmhb_cpu_start(cpu);
}

/*
 * Have a CPU start its timer. Nobody waits for it: a CPU that is dead would
 * take down the one that asks. If it comes back to life it does as it was asked.
 */
static void kvmhb_cpu_ask_to_start(struct kvmhb_cpu *cpu, unsigned int nr)
{
	if (test_and_set_bit(0, &cpu->start_asked))
		return;
	if (smp_call_function_single_async(nr, &cpu->start_csd))
		clear_bit(0, &cpu->start_asked);
}

/* Never tick again. Runs on any CPU; waits for a tick that is under way. */
static void kvmhb_cpu_stop(struct kvmhb_cpu *cpu)
{
	unsigned long flags;

	/*
	 * First the flag: nobody is to expect pulses when there are none. Who
	 * starts the timer has done so before we have the lock, or sees after us
	 * that it must not.
	 */
	raw_spin_lock_irqsave(&cpu->start_lock, flags);
	WRITE_ONCE(cpu->on, false);
	if (cpu->slot)
		WRITE_ONCE(cpu->slot->flags, 0);
	raw_spin_unlock_irqrestore(&cpu->start_lock, flags);
	hrtimer_cancel(&cpu->timer);

	/* Whenever it starts again, its age is 0 before the flag is back. */
	cpu->sched = (struct kvmhb_sched){ };
	if (cpu->slot)
		WRITE_ONCE(cpu->slot->sched_age_ms, 0);
}

/*
 * Start and stop timers, so that those CPUs pulse which are to. If none of the
 * chosen is online all do: a guest that does not beat looks dead.
 *
 * Called with cpus_read_lock() and kvmhb::lock held, or by CPU hotplug, which
 * excludes who has these.
 */
static void kvmhb_choose(struct kvmhb *hb)
{
	bool all = !cpumask_intersects(&hb->chosen, &hb->online);
	unsigned int nr;

	for_each_cpu(nr, &hb->online) {
		struct kvmhb_cpu *cpu = per_cpu_ptr(hb->cpus, nr);
		bool on = hb->running &&
			  (all || cpumask_test_cpu(nr, &hb->chosen));

		if (on == cpu->on)
			continue;
		if (!on) {
			kvmhb_cpu_stop(cpu);
			continue;
		}
		if (cpu->slot)
			kvmhb_sched_provide(nr);
		WRITE_ONCE(cpu->on, true);
		kvmhb_cpu_ask_to_start(cpu, nr);
	}
}

static int kvmhb_cpu_online(unsigned int nr, struct hlist_node *node)
{
	struct kvmhb *hb = hlist_entry(node, struct kvmhb, hotplug);

	cpumask_set_cpu(nr, &hb->online);
	kvmhb_choose(hb);
	return 0;
}

static int kvmhb_cpu_offline(unsigned int nr, struct hlist_node *node)
{
	struct kvmhb *hb = hlist_entry(node, struct kvmhb, hotplug);

	kvmhb_cpu_stop(per_cpu_ptr(hb->cpus, nr));
	cpumask_clear_cpu(nr, &hb->online);
	kvmhb_choose(hb);
	return 0;
}

/*
 * Those that the kernel leaves to its own work, as its own watchdog does. A
 * load that shall have a CPU for itself gets it.
 */
static void kvmhb_cpus_default(struct cpumask *mask)
{
	/* CPUs can be isolated at run time, in newer kernels. */
	rcu_read_lock();
	if (!cpumask_and(mask, housekeeping_cpumask(HK_TYPE_TIMER),
			 housekeeping_cpumask(HK_TYPE_DOMAIN)))
		cpumask_copy(mask, housekeeping_cpumask(HK_TYPE_TIMER));
	rcu_read_unlock();
}

static int kvmhb_cpus_set(const char *val, const struct kernel_param *kp)
{
	cpumask_var_t mask;
	struct kvmhb *hb;
	int ret;

	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;

	ret = cpulist_parse(val, mask);
	if (!ret && cpumask_empty(mask))
		kvmhb_cpus_default(mask);
	if (!ret && !cpumask_intersects(mask, cpu_possible_mask))
		ret = -EINVAL;
	if (ret)
		goto out;

	mutex_lock(&kvmhb_cpus_lock);
	cpumask_copy(&kvmhb_cpus_chosen, mask);
	list_for_each_entry(hb, &kvmhb_devices, others) {
		cpus_read_lock();
		mutex_lock(&hb->lock);
		cpumask_copy(&hb->chosen, mask);
		kvmhb_choose(hb);
		mutex_unlock(&hb->lock);
		cpus_read_unlock();
	}
	mutex_unlock(&kvmhb_cpus_lock);
out:
	free_cpumask_var(mask);
	return ret;
}

static int kvmhb_cpus_get(char *buf, const struct kernel_param *kp)
{
	int len;

	mutex_lock(&kvmhb_cpus_lock);
	len = scnprintf(buf, PAGE_SIZE, "%*pbl\n",
			cpumask_pr_args(&kvmhb_cpus_chosen));
	mutex_unlock(&kvmhb_cpus_lock);
	return len;
}

static const struct kernel_param_ops kvmhb_cpus_ops = {
	.set = kvmhb_cpus_set,
	.get = kvmhb_cpus_get,
};
module_param_cb(cpus, &kvmhb_cpus_ops, NULL, 0644);
MODULE_PARM_DESC(cpus, "CPUs that pulse, a list (default, and if empty: housekeeping CPUs)");

/**
 * kvmhb_beats_reset() - begin a new incarnation
 * @hb: the device, whose timers are stopped
 *
 * Forget which configuration was seen last, since the device may have been
 * reset: take the one that is there now, or keep the values if it can't be
 * read, and acknowledge it. The first beat is due at the next boundary; until
 * then the word by which the caller arms the device counts as one.
 *
 * Nor may anything be left of what a kernel before us, with more CPUs or with
 * a watchdog, said in the page: kexec does not reset the device.
 *
 * Context: Process context. The caller holds the line.
 */
void kvmhb_beats_reset(struct kvmhb *hb)
{
	unsigned int nr;

	hb->config.seq = 1;	/* odd: the host publishes no such number */
	kvmhb_config_read(hb, &hb->config);
	kvmhb_ack(hb);
	hb->beat_ns = ktime_get_ns();
	WRITE_ONCE(hb->due_ns, kvmhb_next_boundary(hb->beat_ns, &hb->config));

	hb->user_age_ns = 0;
	kvmhb_user_publish(hb);
	for (nr = 0; nr < hb->nr_slots; nr++) {
		WRITE_ONCE(hb->slots[nr].flags, 0);
		WRITE_ONCE(hb->slots[nr].sched_age_ms, 0);
	}

	for_each_possible_cpu(nr)
		per_cpu_ptr(hb->cpus, nr)->config = hb->config;
}

/**
 * kvmhb_beats_start() - start the timers of all CPUs that are chosen to pulse
 * @hb: the device, after kvmhb_beats_reset()
 *
 * A CPU that serves no interrupt starts when it does again. Nobody waits.
 *
 * Context: Process context, may sleep. Takes cpus_read_lock() and kvmhb::lock.
 */
void kvmhb_beats_start(struct kvmhb *hb)
{
	cpus_read_lock();
	mutex_lock(&hb->lock);
	hb->running = true;
	kvmhb_choose(hb);
	mutex_unlock(&hb->lock);
	cpus_read_unlock();
}

/**
 * kvmhb_beats_stop() - stop the timers on all CPUs
 * @hb: the device
 *
 * On return no tick runs and no doorbell is being rung, and none will be until
 * kvmhb_beats_start().
 *
 * Context: Process context, may sleep. Takes cpus_read_lock() and kvmhb::lock.
 */
void kvmhb_beats_stop(struct kvmhb *hb)
{
	cpus_read_lock();
	mutex_lock(&hb->lock);
	hb->running = false;
	kvmhb_choose(hb);
	mutex_unlock(&hb->lock);
	cpus_read_unlock();
}

/**
 * kvmhb_beats_retune() - have every CPU look at the configuration now
 * @hb: the device
 *
 * However long the interval was: every CPU that pulses ticks at once, and its
 * tick does the rest. Does nothing while the timers are stopped.
 *
 * Context: Process context, may sleep. Takes cpus_read_lock() and kvmhb::lock.
 */
void kvmhb_beats_retune(struct kvmhb *hb)
{
	unsigned int nr;

	cpus_read_lock();
	mutex_lock(&hb->lock);
	for_each_cpu(nr, &hb->online) {
		struct kvmhb_cpu *cpu = per_cpu_ptr(hb->cpus, nr);

		if (cpu->on)
			kvmhb_cpu_ask_to_start(cpu, nr);
	}
	mutex_unlock(&hb->lock);
	cpus_read_unlock();
}

static void kvmhb_forget(struct kvmhb *hb)
{
	mutex_lock(&kvmhb_cpus_lock);
	list_del(&hb->others);
	mutex_unlock(&kvmhb_cpus_lock);
}

static void kvmhb_beats_exit(void *data)
{
	struct kvmhb *hb = data;
	unsigned int nr;

	kvmhb_forget(hb);
	/* Not waiting for any CPU: they have no timers any more. */
	cpuhp_state_remove_instance_nocalls(kvmhb_hotplug_state, &hb->hotplug);

	/* What was asked is still to be answered, by code and in memory of ours. */
	for_each_possible_cpu(nr)
		while (test_bit(0, &per_cpu_ptr(hb->cpus, nr)->start_asked))
			msleep(20);
	/* And to return from it. */
	synchronize_rcu();
}

/**
 * kvmhb_beats_init() - set up the timers of a device, all stopped
 * @hb: the device, mapped, with a valid interval in kvmhb::config
 *
 * Undone when the driver lets go of the device. Stop the timers before.
 *
 * Context: Process context, may sleep. Takes cpus_read_lock().
 * Return: 0 or a negative errno.
 */
int kvmhb_beats_init(struct kvmhb *hb)
{
	unsigned int nr;
	int ret;

	hb->cpus = devm_alloc_percpu(hb->dev, struct kvmhb_cpu);
	if (!hb->cpus)
		return -ENOMEM;

	for_each_possible_cpu(nr) {
		struct kvmhb_cpu *cpu = per_cpu_ptr(hb->cpus, nr);

		cpu->hb = hb;
		cpu->slot = nr < hb->nr_slots ? &hb->slots[nr] : NULL;
		raw_spin_lock_init(&cpu->start_lock);
		cpu->start_csd.func = kvmhb_start_asked;
		cpu->start_csd.info = cpu;
		hrtimer_setup(&cpu->timer, kvmhb_tick, CLOCK_MONOTONIC,
			      HRTIMER_MODE_ABS_PINNED_HARD);
	}

	mutex_lock(&kvmhb_cpus_lock);
	cpumask_copy(&hb->chosen, &kvmhb_cpus_chosen);
	list_add(&hb->others, &kvmhb_devices);
	mutex_unlock(&kvmhb_cpus_lock);

	/* Nor here: a CPU that somebody else has for himself runs no callback. */
	ret = cpuhp_state_add_instance_nocalls(kvmhb_hotplug_state,
					       &hb->hotplug);
	if (ret) {
		kvmhb_forget(hb);
		return ret;
	}
	cpus_read_lock();
	cpumask_or(&hb->online, &hb->online, cpu_online_mask);
	cpus_read_unlock();

	return devm_add_action_or_reset(hb->dev, kvmhb_beats_exit, hb);
}

/**
 * kvmhb_beats_register() - hear of CPUs that come and go
 *
 * Context: Process context, may sleep.
 * Return: 0 or a negative errno.
 */
int kvmhb_beats_register(void)
{
	int ret;

	/* Parameters come first. */
	mutex_lock(&kvmhb_cpus_lock);
	if (cpumask_empty(&kvmhb_cpus_chosen))
		kvmhb_cpus_default(&kvmhb_cpus_chosen);
	mutex_unlock(&kvmhb_cpus_lock);

	ret = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN,
				      "kvm_heartbeat:online",
				      kvmhb_cpu_online, kvmhb_cpu_offline);
	if (ret < 0)
		return ret;

	kvmhb_hotplug_state = ret;
	return 0;
}

/**
 * kvmhb_beats_unregister() - undo kvmhb_beats_register()
 *
 * Context: Process context, may sleep. No device is left.
 */
void kvmhb_beats_unregister(void)
{
	cpuhp_remove_multi_state(kvmhb_hotplug_state);
}
