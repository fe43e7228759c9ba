// SPDX-License-Identifier: GPL-2.0
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/ratelimit.h>
#include <linux/string.h>

#include "compat.h"
#include "evidence.h"
#include "kvm_heartbeat.h"
#include "monitor.h"
#include "pulse.h"
#include "report.h"
#include "suspicion.h"
#include "trace.h"

/*
 * Judging and reporting must not wait for a CPU that a guest has to itself, nor
 * behind other work, nor for memory.
 */
static struct workqueue_struct *kvmhb_wq;

static u64 since_ns(u64 then_ns, u64 now_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/* What a silence that still lasts adds to the missed beats. */
static u64 missing(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	if (mon->verdict.state != KVMHB_LATE && mon->verdict.state != KVMHB_UNRESPONSIVE)
		return 0;
	return kvmhb_missed(since_ns(mon->silent_since_ns, ktime_get_ns()),
			    mon->judged.interval_ns);
}

/* The part of a running outage that no earlier outage has counted, ns. */
static u64 new_downtime_ns(struct kvmhb_monitor *mon, u64 until_ns)
{
	lockdep_assert_held(&mon->lock);

	/* One silence may be two outages, if the configuration ended the first. */
	return since_ns(max(mon->silent_since_ns, mon->down_until_ns), until_ns);
}

/* By how the guest has beaten so far; a new rhythm has no past. */
static u64 suspicion_milli(struct kvmhb_monitor *mon, u64 silence_ns)
{
	static const struct kvmhb_gaps none;

	return kvmhb_suspicion_milli(READ_ONCE(mon->restart_gaps) ? &none : &mon->gaps,
				     READ_ONCE(mon->judged.interval_ns), silence_ns);
}

/* The one place where state and cause change; @last_ns is the beat judged by. */
static void set_verdict(struct kvmhb_monitor *mon, struct kvmhb_verdict new, u64 last_ns)
{
	struct kvmhb_verdict old = mon->verdict;
	u64 now_ns = ktime_get_ns();
	u64 end_ns, gone_ns;

	lockdep_assert_held(&mon->lock);

	if (new.state == old.state && new.cause == old.cause)
		return;

	/* A beat ended the silence when it came, anything else does so now. */
	end_ns = last_ns > mon->silent_since_ns ? last_ns : now_ns;
	gone_ns = since_ns(mon->silent_since_ns, end_ns);
	if (old.state == KVMHB_ALIVE)
		mon->silent_since_ns = last_ns;
	if (new.state == KVMHB_UNRESPONSIVE)
		mon->outages++;
	if (old.state == KVMHB_UNRESPONSIVE) {
		mon->downtime_ns += new_downtime_ns(mon, end_ns);
		mon->down_until_ns = end_ns;
	}

	mon->verdict.cause = new.cause;
	WRITE_ONCE(mon->verdict.state, new.state);

	kvmhb_report_state(mon, old.state, last_ns ? since_ns(last_ns, now_ns) : 0, gone_ns);
}

/*
 * Sets the timer for the next deadline. hrtimer_cancel() waits for the callback,
 * which moves the expiry itself and so must not run while the timer is queued.
 */
static void arm_timer(struct kvmhb_monitor *mon, u64 deadline_ns)
{
	lockdep_assert_held(&mon->lock);

	hrtimer_cancel(&mon->timer);
	mon->deadline_ns = deadline_ns;
	if (deadline_ns != KVMHB_NO_DEADLINE)
		hrtimer_start(&mon->timer,
			      ns_to_ktime(atomic64_read(&mon->last_beat_ns) + deadline_ns),
			      HRTIMER_MODE_ABS);
}

/* Brings the state up to date with the clock and the last beat. */
static void judge(struct kvmhb_monitor *mon)
{
	u64 deadline_ns = KVMHB_NO_DEADLINE;
	struct kvmhb_verdict new;
	u64 last_ns;

	lockdep_assert_held(&mon->lock);

	/* Only a beat that came with the acknowledgment starts the new rhythm. */
	if (mon->retuning && READ_ONCE(mon->acked_seq) == mon->pulse->config_seq) {
		WRITE_ONCE(mon->retuning, false);
		mon->judged = mon->config;
		WRITE_ONCE(mon->restart_gaps, true);
	}

	while (kvmhb_state_is_armed(mon->verdict.state)) {
		WRITE_ONCE(mon->attention, true);
		/*
		 * A beat stores its time, then looks whether to wake us; we ask
		 * to be woken, then look for its time. Pairs with the
		 * atomic64_xchg() in kvmhb_monitor_beat(): one sees the other.
		 */
		smp_mb();

		last_ns = atomic64_read(&mon->last_beat_ns);
		if (mon->verdict.state != KVMHB_ALIVE && last_ns != mon->silent_since_ns)
			/* It has beaten since, even if it is silent again by now. */
			new.state = KVMHB_ALIVE;
		else
			new.state = kvmhb_judge(&mon->judged, mon->verdict.state,
						since_ns(last_ns, ktime_get_ns()), &deadline_ns);
		new.cause = new.state == KVMHB_UNRESPONSIVE ? KVMHB_CAUSE_UNKNOWN :
							      KVMHB_CAUSE_NONE;
		if (new.state == mon->verdict.state)
			break;
		set_verdict(mon, new, last_ns);
	}

	WRITE_ONCE(mon->attention, mon->verdict.state != KVMHB_ALIVE);
	arm_timer(mon, deadline_ns);
}

static void judge_work(struct work_struct *work)
{
	struct kvmhb_monitor *mon = container_of(work, struct kvmhb_monitor, work);

	mutex_lock(&mon->lock);
	judge(mon);
	mutex_unlock(&mon->lock);
}

static enum hrtimer_restart deadline(struct hrtimer *timer)
{
	struct kvmhb_monitor *mon = container_of(timer, struct kvmhb_monitor, timer);
	u64 due_ns = atomic64_read(&mon->last_beat_ns) + mon->deadline_ns;

	if (due_ns <= ktime_get_ns()) {
		queue_work(kvmhb_wq, &mon->work);
		return HRTIMER_NORESTART;
	}
	hrtimer_set_expires(timer, ns_to_ktime(due_ns));
	return HRTIMER_RESTART;
}

/**
 * kvmhb_monitor_beat - a beat has arrived
 * @mon: the monitor
 * @cpu: the guest CPU that rang, or -1 if it is not known
 *
 * Context: any; takes no lock, arms no timer, prints nothing.
 */
void kvmhb_monitor_beat(struct kvmhb_monitor *mon, int cpu)
{
	enum kvmhb_state state = READ_ONCE(mon->verdict.state);
	u64 now_ns, last_ns, gap_ns, beats;
	bool wake;

	if (!kvmhb_state_is_armed(state))
		return;

	now_ns = ktime_get_ns();
	/* A full barrier, paired with the one in judge(). */
	last_ns = atomic64_xchg(&mon->last_beat_ns, now_ns);
	if (unlikely(!last_ns))
		return;	/* a VMM resets the device while its guest rings */
	wake = READ_ONCE(mon->attention);

	gap_ns = since_ns(last_ns, now_ns);
	beats = atomic64_inc_return(&mon->beats);
	atomic64_add(kvmhb_missed(gap_ns, READ_ONCE(mon->judged.interval_ns)), &mon->missed);
	if (trace_beat_enabled())
		trace_beat(mon->dev, beats, gap_ns, cpu, suspicion_milli(mon, gap_ns));
	if (READ_ONCE(mon->restart_gaps)) {
		/* This gap began before the rhythm that it ends in. */
		memset(&mon->gaps, 0, sizeof(mon->gaps));
		WRITE_ONCE(mon->restart_gaps, false);
	} else if (state != KVMHB_UNRESPONSIVE) {
		kvmhb_gaps_add(&mon->gaps, gap_ns);
	}

	if (unlikely(READ_ONCE(mon->retuning))) {
		u32 seq = kvmhb_pulse_ack(mon->pulse);

		WRITE_ONCE(mon->acked_seq, seq);
		wake |= seq == READ_ONCE(mon->pulse->config_seq);
	}
	if (unlikely(wake))
		queue_work(kvmhb_wq, &mon->work);
}

/**
 * kvmhb_monitor_lifecycle - the guest said something about itself
 * @mon: the monitor
 * @word: what the guest wrote, any value
 *
 * Context: process; takes @mon->lock.
 */
void kvmhb_monitor_lifecycle(struct kvmhb_monitor *mon, u32 word)
{
	struct kvmhb_verdict new;

	mutex_lock(&mon->lock);
	new = mon->verdict;
	if (!kvmhb_lifecycle(&new, word))
		goto unlock;

	mon->lifecycle = word;
	atomic64_add(missing(mon), &mon->missed);
	if (word == KVM_HEARTBEAT_ARM) {
		atomic64_set(&mon->last_beat_ns, ktime_get_ns());
		mon->acked_seq = kvmhb_pulse_ack(mon->pulse);
		WRITE_ONCE(mon->restart_gaps, true);
	}
	set_verdict(mon, new, atomic64_read(&mon->last_beat_ns));
	judge(mon);
unlock:
	mutex_unlock(&mon->lock);
}

/* A fresh device, whose guest has yet to say something. */
static void await_guest(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	kvmhb_pulse_reset(mon->pulse, &mon->config);
	mon->judged = mon->config;
	WRITE_ONCE(mon->retuning, false);
	mon->lifecycle = KVM_HEARTBEAT_NONE;
	atomic64_add(missing(mon), &mon->missed);
	atomic64_set(&mon->last_beat_ns, 0);
	set_verdict(mon, (struct kvmhb_verdict) { KVMHB_WAITING, KVMHB_CAUSE_NONE }, 0);
	judge(mon);
}

/**
 * kvmhb_monitor_reset - the device was reset, as with the whole VM
 * @mon: the monitor, attached
 *
 * Context: process; takes @mon->lock.
 */
void kvmhb_monitor_reset(struct kvmhb_monitor *mon)
{
	mutex_lock(&mon->lock);
	await_guest(mon);
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_attach - a VM has opened the device
 * @mon: the monitor, detached
 * @pulse: the VM's pulse page, valid until kvmhb_monitor_detach() returns
 * @kvm: the VM, as valid; NULL without KVM
 * @vmm_pid: thread group of the VMM
 *
 * All counters begin anew. Context: process; takes @mon->lock.
 */
void kvmhb_monitor_attach(struct kvmhb_monitor *mon, struct kvmhb_pulse *pulse,
			  struct kvm *kvm, pid_t vmm_pid)
{
	mutex_lock(&mon->lock);
	mon->pulse = pulse;
	mon->kvm = kvm;
	mon->vmm_pid = vmm_pid;
	mon->outages = 0;
	mon->downtime_ns = 0;
	atomic64_set(&mon->beats, 0);
	atomic64_set(&mon->missed, 0);
	WRITE_ONCE(mon->restart_gaps, true);
	await_guest(mon);
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_detach - the VM has closed the device
 * @mon: the monitor, attached; no beat and no word may arrive any more
 *
 * When it returns, neither timer nor work will run. Context: process; takes
 * @mon->lock.
 */
void kvmhb_monitor_detach(struct kvmhb_monitor *mon)
{
	mutex_lock(&mon->lock);
	atomic64_add(missing(mon), &mon->missed);
	mon->judged = mon->config;
	WRITE_ONCE(mon->retuning, false);
	mon->pulse = NULL;
	mon->kvm = NULL;
	mon->vmm_pid = 0;
	set_verdict(mon, kvmhb_closed(&mon->verdict), atomic64_read(&mon->last_beat_ns));
	judge(mon);
	mutex_unlock(&mon->lock);

	/* Detached, judge() leaves the timer alone: what is queued is the last. */
	cancel_work_sync(&mon->work);
}

static int configure(struct kvmhb_monitor *mon, u64 interval_ns, u64 timeout_set_ns)
{
	struct kvmhb_timing old = mon->config;
	struct kvmhb_timing new;
	int ret;

	lockdep_assert_held(&mon->lock);

	ret = kvmhb_timing_make(&new, interval_ns, timeout_set_ns);
	if (ret)
		return ret;

	mon->timeout_set_ns = timeout_set_ns;
	if (new.interval_ns == old.interval_ns && new.timeout_ns == old.timeout_ns)
		return 0;

	mon->config = new;
	if (new.interval_ns != old.interval_ns)
		WRITE_ONCE(mon->retuning, !!mon->pulse);
	mon->judged = mon->retuning ? kvmhb_timing_patient(&mon->judged, &new) : new;
	if (mon->pulse)
		kvmhb_pulse_publish(mon->pulse, &new);
	trace_config(mon->dev, &new, !timeout_set_ns);
	judge(mon);
	return 0;
}

/**
 * kvmhb_monitor_set_interval - change how often the guest has to beat
 * @mon: the monitor
 * @interval_ns: time between two beats, ns
 *
 * Return: as kvmhb_timing_make(); nothing changes on error. Context: process;
 * takes @mon->lock.
 */
int kvmhb_monitor_set_interval(struct kvmhb_monitor *mon, u64 interval_ns)
{
	int ret;

	mutex_lock(&mon->lock);
	ret = configure(mon, interval_ns, mon->timeout_set_ns);
	mutex_unlock(&mon->lock);
	return ret;
}

/**
 * kvmhb_monitor_set_timeout - change how much silence is too much
 * @mon: the monitor
 * @timeout_ns: silence that makes the guest unresponsive, ns, or 0 to follow
 *	the interval
 *
 * Return: as kvmhb_timing_make(); nothing changes on error. Context: process;
 * takes @mon->lock.
 */
int kvmhb_monitor_set_timeout(struct kvmhb_monitor *mon, u64 timeout_ns)
{
	int ret;

	mutex_lock(&mon->lock);
	ret = configure(mon, mon->config.interval_ns, timeout_ns);
	mutex_unlock(&mon->lock);
	return ret;
}

/**
 * kvmhb_monitor_read - take all readings at once
 * @mon: the monitor
 * @readings: where to store them
 *
 * Context: process; takes @mon->lock.
 */
void kvmhb_monitor_read(struct kvmhb_monitor *mon, struct kvmhb_readings *readings)
{
	u64 last_ns, now_ns;

	mutex_lock(&mon->lock);
	last_ns = atomic64_read(&mon->last_beat_ns);
	now_ns = ktime_get_ns();
	*readings = (struct kvmhb_readings) {
		.verdict = mon->verdict,
		.config = mon->config,
		.lifecycle = mon->lifecycle,
		.vmm_pid = mon->vmm_pid,
		.beats = atomic64_read(&mon->beats),
		.missed = atomic64_read(&mon->missed) + missing(mon),
		.outages = mon->outages,
		.downtime_ns = mon->downtime_ns,
		.has_beaten = last_ns,
		.last_beat_ns = since_ns(last_ns, now_ns),
	};
	if (!READ_ONCE(mon->restart_gaps))
		readings->gaps = mon->gaps;
	readings->suspicion_milli = suspicion_milli(mon, readings->last_beat_ns);
	if (mon->verdict.state == KVMHB_UNRESPONSIVE)
		readings->downtime_ns += new_downtime_ns(mon, now_ns);
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_vcpu - what is known of a vCPU of the guest now
 * @mon: the monitor
 * @nr: the vCPU's number, counted from 0
 * @evidence: where to store it
 *
 * Return: false if there is no such vCPU, or no KVM. Context: process; takes
 * @mon->lock.
 */
bool kvmhb_monitor_vcpu(struct kvmhb_monitor *mon, unsigned int nr, struct kvmhb_vcpu *evidence)
{
	bool known;

	mutex_lock(&mon->lock);
	known = kvmhb_evidence_vcpu(mon->kvm, nr, evidence);
	mutex_unlock(&mon->lock);
	return known;
}

/**
 * kvmhb_monitor_init - make a monitor
 * @mon: what to initialise
 * @dev: the device by whose name it is known; outlives it
 * @interval_ns: time between two beats, ns
 * @timeout_ns: silence that makes the guest unresponsive, ns, or 0 to follow
 *	the interval
 *
 * Return: as kvmhb_timing_make(). Context: process.
 */
int kvmhb_monitor_init(struct kvmhb_monitor *mon, struct device *dev,
		       u64 interval_ns, u64 timeout_ns)
{
	int ret;

	ret = kvmhb_timing_make(&mon->config, interval_ns, timeout_ns);
	if (ret)
		return ret;

	mon->dev = dev;
	mon->timeout_set_ns = timeout_ns;
	mon->judged = mon->config;
	mutex_init(&mon->lock);
	INIT_WORK(&mon->work, judge_work);
	hrtimer_setup(&mon->timer, deadline, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	ratelimit_state_init(&mon->limit, KVMHB_REPORT_INTERVAL, KVMHB_REPORT_BURST);
	ratelimit_state_init(&mon->outage_limit, KVMHB_REPORT_INTERVAL, KVMHB_REPORT_BURST);
	return 0;
}

/**
 * kvmhb_monitor_uninit - unmake a monitor
 * @mon: what kvmhb_monitor_init() initialised, detached
 *
 * Context: process.
 */
void kvmhb_monitor_uninit(struct kvmhb_monitor *mon)
{
	mutex_destroy(&mon->lock);
}

/**
 * kvmhb_monitors_init - prepare what all monitors share
 *
 * Return: 0 or -ENOMEM. Context: process.
 */
int kvmhb_monitors_init(void)
{
	kvmhb_wq = alloc_workqueue("kvm_heartbeat", WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	return kvmhb_wq ? 0 : -ENOMEM;
}

/**
 * kvmhb_monitors_exit - undo kvmhb_monitors_init()
 *
 * Every monitor is detached. Context: process.
 */
void kvmhb_monitors_exit(void)
{
	destroy_workqueue(kvmhb_wq);
}
