/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kvm-heartbeat guest: what the parts of the driver share
 *
 *   device.c     finds the device, maps it, ties the parts to its life
 *   config.c     reads the configuration that the host publishes
 *   beats.c      per-CPU timers: pulses in memory, one doorbell an interval
 *   sched.c      per-CPU threads: does a CPU that takes interrupts run tasks?
 *   blocked.c    a thread that looks for tasks that wait for storage
 *   watchdog.c   the watchdog device that userspace pings
 *   request.c    answers and obeys what the host asks for
 *   lifecycle.c  tells the host when the beats begin and why they end
 *
 * Locks, outermost first: kvmhb_cpus_lock, cpus_read_lock(), kvmhb::lock,
 * kvmhb_threads_lock, kvmhb_cpu::start_lock. The line (see kvmhb_line_take()) is
 * only ever tried, never waited for in atomic context. kvmhb_request_lock is the
 * innermost; whoever serves an interrupt only tries it, too.
 */
#ifndef _KVMHB_H
#define _KVMHB_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/kconfig.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#include "compat.h"
#include "kvm_heartbeat.h"

struct device;
struct kvmhb_cpu;

/**
 * struct kvmhb_config - a configuration that was read whole
 * @seq: the generation the host gave it; odd: not from the pulse page
 * @interval_ns: time between two beats, ns, always within the bounds of the
 *	device specification
 */
struct kvmhb_config {
	u32 seq;
	u64 interval_ns;
};

/**
 * struct kvmhb - one heartbeat device
 * @dev: the PCI device, for messages and managed resources
 * @regs: BAR0; after probe only the doorbell and the lifecycle are written
 * @pulse: start of BAR2, memory shared with the host
 * @slots: the array that follows @pulse
 * @nr_slots: entries of @slots that are really there
 * @cpus: timer and private state of every possible CPU
 * @hotplug: our place among the instances of the CPU hotplug state
 * @others: our place among all devices, for who chooses other CPUs
 * @chosen: CPUs that are to pulse; written with @lock and cpus_read_lock() held
 * @online: CPUs that CPU hotplug has told us of; written by it alone, which
 *	excludes who holds cpus_read_lock(), and at the beginning
 * @lock: serialises start, stop and retuning of the timers
 * @running: the chosen CPUs have their timers started; written with @lock,
 *	cpus_read_lock() and the device's lock held, so that each of them
 *	suffices to read it
 * @rearm: the device is to be armed when its reset is over; guarded
 *	by the device's lock
 * @line: bit 0 is the line, see kvmhb_line_take()
 * @config: the configuration by which the VM beats; guarded by the line, read
 *	without it by ticks
 * @due_ns: when the next beat is due, CLOCK_MONOTONIC; likewise
 * @beat_ns: when the last beat or arming was; guarded by the line
 * @requests: the host may ask for something; from its features
 * @obeys: the driver is armed, and has not panicked: it does as the host asks
 * @request_seen: the word of the page's request that was seen last, or was there
 *	when we armed; written with kvmhb_request_lock held
 * @user_timeout_ms: the timeout that userspace set, 0 while it uses no
 *	watchdog; written by the watchdog, published by the beats
 * @pings: signs of life from userspace; written by the watchdog
 * @pings_seen: @pings as of the last beat; guarded by the line
 * @user_age_ns: time since @pings changed, as the beats count it; guarded by
 *	the line
 * @user_freezes: odd while the kernel has userspace frozen; written by the PM
 *	notifier
 * @user_freezes_seen: @user_freezes as of the last beat; guarded by the line
 * @blocked_timeout_ms: for how long a task may sleep uninterruptibly, 0 if
 *	nobody looks; written by the thread that does, published by the beats
 * @blocked_age_ms: for how long one had slept when it last looked; likewise
 * @blocked_freezes: @user_freezes as of that look; written by the same thread
 * @hibernating: a power-off now is the end of a hibernation; written by the PM
 *	notifier, and read while hibernation calls the reboot notifiers
 * @crashes: the host knows the words of a kernel that crashes; from its features
 * @die_nb: our entry in the notifiers of faults, if @crashes
 * @panic_nb: our entry in the panic notifiers
 * @pm_nb: our entry in the notifiers of suspend and hibernation
 * @reboot_nb: our entry in the reboot notifiers
 */
struct kvmhb {
	struct device *dev;
	void __iomem *regs;
	struct kvm_heartbeat_pulse_header *pulse;
	struct kvm_heartbeat_slot *slots;
	u32 nr_slots;

	struct kvmhb_cpu __percpu *cpus;
	struct hlist_node hotplug;
	struct list_head others;
	struct cpumask chosen;
	struct cpumask online;
	struct mutex lock;	/* see above */
	bool running;
	bool rearm;

	unsigned long line;
	struct kvmhb_config config;
	u64 due_ns;
	u64 beat_ns;

	bool requests;
	bool obeys;
	__le32 request_seen;

	u32 user_timeout_ms;
	unsigned int pings;
	unsigned int pings_seen;
	u64 user_age_ns;
	unsigned int user_freezes;
	unsigned int user_freezes_seen;

	u32 blocked_timeout_ms;
	u32 blocked_age_ms;
	unsigned int blocked_freezes;

	bool hibernating;
	bool crashes;
	struct notifier_block die_nb;
	struct notifier_block panic_nb;
	struct notifier_block pm_nb;
	struct notifier_block reboot_nb;
};

/**
 * struct kvmhb_sched - what one device knows of one CPU's scheduler
 * @age_ns: for how long the CPU's thread has been wanted and not scheduled; 0
 *	unless @waiting
 * @waiting: the thread was asked to run and had not run when we last looked
 * @runs: if @waiting, how often the thread had run before
 *
 * All zero is how it begins. Belongs to the CPU's tick.
 */
struct kvmhb_sched {
	u64 age_ns;
	bool waiting;
	unsigned int runs;
};

void kvmhb_sched_ask(struct kvmhb_sched *sched, u64 passed_ns, bool idle);

/**
 * kvmhb_idle_by_choice() - whether the scheduler has found nothing to run here
 *
 * Softirqs that do not end keep it from looking, and may do so on top of the
 * idle task.
 *
 * Context: Hard interrupt.
 * Return: whether it has had its say on this CPU, and the CPU idles.
 */
static inline bool kvmhb_idle_by_choice(void)
{
	return is_idle_task(current) && !in_serving_softirq();
}

/**
 * kvmhb_sched_tick() - find out how this CPU's scheduler is
 * @sched: what is known of this CPU; brought up to date
 * @passed_ns: time since the last tick, as far as it counts
 *
 * A CPU that idles would run what there is, so it need not be woken to see
 * that. Most CPUs idle at most ticks: hence inline.
 *
 * Context: Hard interrupt.
 */
static inline void kvmhb_sched_tick(struct kvmhb_sched *sched, u64 passed_ns)
{
	bool idle = kvmhb_idle_by_choice();

	if (!idle || sched->waiting)
		kvmhb_sched_ask(sched, passed_ns, idle);
}

/**
 * kvmhb_line_take() - try to get the right to speak to the host
 * @hb: the device
 *
 * A doorbell write leaves the guest and returns when the VMM has handled it.
 * Whoever writes holds the line, so a VMM that is stuck holds up one CPU, not
 * all of them. Who finds the line taken goes on without: either a beat is
 * being delivered at this moment, or the holder is about to find out, by a
 * timer that expires no later than ours, whether one is due.
 *
 * Whoever says the last word (reboot, panic) takes the line and keeps it.
 *
 * Context: Any.
 * Return: whether the line is ours until kvmhb_line_release().
 */
static inline bool kvmhb_line_take(struct kvmhb *hb)
{
	/* Acquire: pairs with the release in kvmhb_line_release(). */
	return !test_and_set_bit_lock(0, &hb->line);
}

/**
 * kvmhb_line_release() - let others speak to the host
 * @hb: the device, whose line we hold
 *
 * Context: Any.
 */
static inline void kvmhb_line_release(struct kvmhb *hb)
{
	/* Release: pairs with the acquire in kvmhb_line_take(). */
	clear_bit_unlock(0, &hb->line);
}

bool kvmhb_interval_valid(u64 interval_ns);
bool kvmhb_config_reread(struct kvmhb *hb, struct kvmhb_config *config);

/**
 * kvmhb_config_read() - bring a configuration up to date
 * @hb: the device
 * @config: a configuration that was valid once
 *
 * Every tick asks, and hardly ever is there anything new: hence inline. Another
 * host may have begun to count anew, so the value is compared too.
 *
 * Context: Any. The caller owns @config.
 * Return: whether @config has changed.
 */
static inline bool kvmhb_config_read(struct kvmhb *hb,
				     struct kvmhb_config *config)
{
	if (likely(le32_to_cpu(READ_ONCE(hb->pulse->config_seq)) == config->seq &&
		   le64_to_cpu(READ_ONCE(hb->pulse->interval_ns)) == config->interval_ns))
		return false;
	return kvmhb_config_reread(hb, config);
}

int kvmhb_beats_init(struct kvmhb *hb);
void kvmhb_beats_reset(struct kvmhb *hb);
void kvmhb_beats_start(struct kvmhb *hb);
void kvmhb_beats_stop(struct kvmhb *hb);
void kvmhb_beats_retune(struct kvmhb *hb);
void kvmhb_user_freeze(struct kvmhb *hb, bool frozen);
int kvmhb_beats_register(void);
void kvmhb_beats_unregister(void);

void kvmhb_sched_provide(unsigned int nr);
int kvmhb_sched_register(void);
void kvmhb_sched_unregister(void);

void kvmhb_blocked_init(struct kvmhb *hb);

#if IS_ENABLED(CONFIG_WATCHDOG_CORE)
void kvmhb_watchdog_init(struct kvmhb *hb);
#else
static inline void kvmhb_watchdog_init(struct kvmhb *hb) { }
#endif

void kvmhb_request_obey(struct kvmhb *hb);

/**
 * kvmhb_request_look() - see whether the host asks for something, and do it
 * @hb: the device
 *
 * Every tick looks, as the CPU that the interrupt goes to may be the dead one:
 * hence inline. May not return.
 *
 * Context: Hard interrupt, without the line.
 */
static inline void kvmhb_request_look(struct kvmhb *hb)
{
	if (unlikely(READ_ONCE(hb->pulse->request) !=
		     READ_ONCE(hb->request_seen)))
		kvmhb_request_obey(hb);
}

/**
 * kvmhb_requests_stop() - obey the host no more
 * @hb: the device
 *
 * What it asks for is left without an answer. Who is about to obey still does.
 *
 * Context: Any.
 */
static inline void kvmhb_requests_stop(struct kvmhb *hb)
{
	WRITE_ONCE(hb->obeys, false);
}

void kvmhb_requests_forget(struct kvmhb *hb);
void kvmhb_requests_start(struct kvmhb *hb);
void kvmhb_requests_init(struct kvmhb *hb);
void kvmhb_requests_register(void);
void kvmhb_requests_unregister(void);

void kvmhb_arm(struct kvmhb *hb);
void kvmhb_disarm(struct kvmhb *hb, enum kvm_heartbeat_lifecycle why);
int kvmhb_lifecycle_init(struct kvmhb *hb);

#endif /* _KVMHB_H */
