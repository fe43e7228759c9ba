// SPDX-License-Identifier: GPL-2.0
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/wait_bit.h>

#include "compat.h"
#include "host.h"
#include "kvm_heartbeat.h"
#include "monitor.h"
#include "patrol.h"
#include "pulse.h"
#include "report.h"
#include "suspicion.h"
#include "trace.h"
#include "verdict.h"

/*
 * Judging and reporting must not wait for a CPU that a guest has to itself, nor
 * behind other work, nor for memory.
 */
static struct workqueue_struct *kvmhb_wq;

/* What a silence that still lasts adds to the missed beats. */
static u64 monitor_missing(const struct kvmhb_monitor *mon)
{
	u64 excused_ns = kvmhb_tally_excused_ns(&mon->tally, mon->outages.silent_since_ns);

	lockdep_assert_held(&mon->lock);

	return kvmhb_outages_missing(&mon->outages, mon->verdict.state, mon->timing.interval_ns,
				     excused_ns, ktime_get_ns());
}

/* What the guest is judged by; @retuning: until it has beaten by what is set now. */
static void monitor_judge_by(struct kvmhb_monitor *mon, struct kvmhb_timing timing, bool retuning)
{
	lockdep_assert_held(&mon->lock);

	mon->timing = timing;
	mon->retuning = retuning;
	kvmhb_tally_retune(&mon->tally, timing.interval_ns, retuning);
}

/* The one place where state and cause change; @last_ns is the beat judged by. */
static void set_verdict(struct kvmhb_monitor *mon, struct kvmhb_verdict new, u64 last_ns)
{
	struct kvmhb_verdict old = mon->verdict;
	u64 now_ns = ktime_get_ns();
	u64 gone_ns;

	lockdep_assert_held(&mon->lock);

	gone_ns = kvmhb_outages_change(&mon->outages, old.state, new.state, last_ns, now_ns);
	mon->goodbye = kvmhb_goodbye(mon->goodbye, &new);
	mon->verdict = new;
	WRITE_ONCE(mon->tally.state, new.state);

	kvmhb_report_state(mon, old.state, last_ns ? kvmhb_minus(now_ns, last_ns) : 0, gone_ns);
}

/* A verdict that does not come from looking. */
static void change_verdict(struct kvmhb_monitor *mon, struct kvmhb_verdict new)
{
	if (new.state != mon->verdict.state || new.cause != mon->verdict.cause)
		set_verdict(mon, new, kvmhb_tally_last_beat_ns(&mon->tally));
}

/*
 * Of a guest without KVM and without a pulse there is nothing to be seen but its
 * beats. The patrol notices a pulse of CPU 0; for that of any other CPU alone it is
 * looked at every so many intervals.
 */
#define KVMHB_BLIND_INTERVALS	256

static bool is_blind(const struct kvmhb_monitor *mon)
{
	return !mon->kvm && !mon->watch.partial && mon->watch.stale_in_ns == U64_MAX;
}

/* Sees to it that the next look is made, ns after the last one. */
static void look_again(struct kvmhb_monitor *mon, u64 look_in_ns)
{
	const struct kvmhb_timing *timing = &mon->judging;
	bool patrolled = kvmhb_state_beats(mon->verdict.state) &&
			 look_in_ns > kvmhb_patrol_early_ns(timing->interval_ns);
	u64 beat_due_ns = 0;

	lockdep_assert_held(&mon->lock);

	if (!patrolled)
		kvmhb_patrol_leave(mon);
	if (patrolled || look_in_ns == KVMHB_NO_DEADLINE)
		hrtimer_cancel(&mon->timer);
	if (look_in_ns == KVMHB_NO_DEADLINE) {
		WRITE_ONCE(mon->due_ns, 0);
		return;
	}

	if (patrolled && is_blind(mon)) {
		beat_due_ns = kvmhb_late_ns(timing);
		look_in_ns = KVMHB_BLIND_INTERVALS * timing->interval_ns;
	}
	WRITE_ONCE(mon->beat_due_ns, beat_due_ns);
	WRITE_ONCE(mon->due_ns, mon->watch.seen_ns + look_in_ns);
	WRITE_ONCE(mon->asked_ns, 0);
	if (patrolled)
		kvmhb_patrol_join(mon);
	else
		hrtimer_start(&mon->timer, ns_to_ktime(mon->due_ns), HRTIMER_MODE_ABS_HARD);
}

/* Whether a ruling says something that was not yet said. */
static bool is_news(struct kvmhb_monitor *mon, const struct kvmhb_verdict *new)
{
	if (new->state != mon->verdict.state || new->cause != mon->verdict.cause)
		return true;
	return new->state == KVMHB_DEGRADED && kvmhb_watch_stale_changed(&mon->watch);
}

/* Says what follows from a case, one thing after the other. Returns when to look again. */
static u64 rule(struct kvmhb_monitor *mon, u64 last_ns, struct kvmhb_case *c)
{
	struct kvmhb_ruling ruling;

	lockdep_assert_held(&mon->lock);

	for (;;) {
		ruling = kvmhb_rule(c);
		if (!is_news(mon, &ruling.verdict))
			break;

		/* What an outage was judged by is still to be read when it is over. */
		if (ruling.verdict.state != KVMHB_ALIVE) {
			kvmhb_watch_keep(&mon->watch);
			mon->judged = ruling.verdict;
			mon->judged_silence_ns = c->silence_ns;
			mon->judged_run_ns = c->run_ns;
			mon->judged_deaf = mon->watch.deaf;
			mon->judged_deaf_cpu = mon->watch.deaf_cpu;
		}
		set_verdict(mon, ruling.verdict, last_ns);
		if (!kvmhb_state_is_armed(mon->verdict.state))
			return KVMHB_NO_DEADLINE;
		c->so_far = mon->verdict;
		c->beaten = false;
	}
	if (ruling.new_window)
		kvmhb_watch_begin_window(&mon->watch);
	return ruling.look_in_ns;
}

/* Looks at an armed guest, and makes a case of it. */
static struct kvmhb_case look(struct kvmhb_monitor *mon, u64 last_ns)
{
	const struct kvmhb_due due = {
		.at_ns = kvmhb_monitor_due_ns(mon),
		.asked_ns = READ_ONCE(mon->asked_ns),
	};
	struct kvmhb_case c;
	u64 lately_ns;

	lockdep_assert_held(&mon->lock);

	kvmhb_watch_look(&mon->watch, mon->kvm, mon->pulse, &mon->judging, last_ns, &due, &c);
	kvmhb_tally_excuse(&mon->tally, last_ns,
			   kvmhb_minus(kvmhb_minus(mon->watch.seen_ns, last_ns), mon->watch.run_ns));

	c.timing = mon->judging;
	c.so_far = mon->verdict;
	c.silence_ns = kvmhb_minus(mon->watch.seen_ns, last_ns);
	c.dead = kvmhb_evidence_dead(mon->kvm);
	c.beaten = !kvmhb_state_beats(mon->verdict.state) && last_ns != mon->outages.silent_since_ns;
	if (kvmhb_must_ask(&c)) {
		/* What was asked at looks before counts now, what is asked now at the next. */
		lately_ns = max3(mon->judging.timeout_ns / 2, kvmhb_host_resolution_ns(),
				 20 * (u64)NSEC_PER_MSEC);
		lately_ns = kvmhb_minus(mon->watch.seen_ns, lately_ns);
		c.host_asked = !kvmhb_host_answered(lately_ns);
		kvmhb_host_ask();
		/* A host of one CPU has nobody to ask. */
		c.host_asked = c.host_asked && !kvmhb_host_answered(lately_ns);
	}
	return c;
}

/**
 * kvmhb_monitor_look - look at the guest, and bring the state up to date
 * @mon: the monitor
 *
 * Context: process; @mon->lock is held.
 */
void kvmhb_monitor_look(struct kvmhb_monitor *mon)
{
	u64 look_in_ns = KVMHB_NO_DEADLINE;
	struct kvmhb_timing judging;
	struct kvmhb_case c;
	u64 last_ns;

	lockdep_assert_held(&mon->lock);

	if (mon->retuning && kvmhb_tally_has_acked(&mon->tally))
		monitor_judge_by(mon, mon->config, false);

	judging = kvmhb_timing_resolved(&mon->timing, kvmhb_host_resolution_ns());
	WRITE_ONCE(mon->judging.interval_ns, judging.interval_ns);
	mon->judging.timeout_ns = judging.timeout_ns;

	if (kvmhb_state_is_armed(mon->verdict.state)) {
		last_ns = kvmhb_tally_ask(&mon->tally);
		c = look(mon, last_ns);
		look_in_ns = rule(mon, last_ns, &c);
	}

	WRITE_ONCE(mon->tally.attention, !kvmhb_state_beats(mon->verdict.state));
	look_again(mon, look_in_ns);
}

/*
 * Sees to it that the guest is looked at after a word of it, but does not look: words come
 * at any rate, and a look takes locks of others. On patrol a guest that has said goodbye is
 * found by the next walk, and one that has armed by a walk that was to come sooner.
 */
static void look_after_word(struct kvmhb_monitor *mon)
{
	bool armed = kvmhb_state_is_armed(mon->verdict.state);

	lockdep_assert_held(&mon->lock);

	WRITE_ONCE(mon->tally.attention, !armed);
	if (mon->patrol) {
		if (armed)
			WRITE_ONCE(mon->due_ns,
				   mon->watch.seen_ns + kvmhb_late_ns(&mon->judging));
		return;
	}
	if (armed)
		WRITE_ONCE(mon->due_ns, 0);
	queue_work(kvmhb_wq, &mon->work);
}

/* Takes the guest's word, or that of its beats. */
static void hear(struct kvmhb_monitor *mon, u32 word)
{
	struct kvmhb_verdict new = mon->verdict;

	lockdep_assert_held(&mon->lock);

	if (!kvmhb_lifecycle(&new, word))
		return;

	mon->lifecycle = word;
	WRITE_ONCE(mon->tally.lost, false);
	atomic64_add(monitor_missing(mon), &mon->tally.missed);
	if (word == KVM_HEARTBEAT_ARM) {
		kvmhb_tally_arm(&mon->tally);
		kvmhb_watch_restart(&mon->watch, mon->kvm, mon->pulse);
	}
	change_verdict(mon, new);
	look_after_word(mon);
}

static void look_or_hear(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	if (kvmhb_tally_is_found(&mon->tally))
		hear(mon, KVM_HEARTBEAT_ARM);
	else
		kvmhb_monitor_look(mon);
}

static void monitor_wake(struct kvmhb_tally *tally)
{
	queue_work(kvmhb_wq, &container_of(tally, struct kvmhb_monitor, tally)->work);
}

static void look_work(struct work_struct *work)
{
	struct kvmhb_monitor *mon = container_of(work, struct kvmhb_monitor, work);

	mutex_lock(&mon->lock);
	look_or_hear(mon);
	mutex_unlock(&mon->lock);
}

/*
 * The fast lane. Workers are ordinary tasks, among the vCPUs that they judge: on a host
 * whose CPUs are busy with guests that spin, a look waits behind them. So when a deadline
 * has come, a real-time thread looks, if it is free: one look at a time, and no more than a
 * tenth of a CPU for all, or a millisecond in a row: a guest that falls silent is looked at
 * more than once. Whoever finds it busy, or a lock taken, leaves the look to the workers,
 * where nobody waits behind another. If the thread does not get to run, as on a CPU that is
 * dead, a timer of the lane's own gives the look to the workers: that of the monitor belongs
 * to who holds its lock.
 */
#define LANE_SHARE	10
#define LANE_AHEAD_NS	(LANE_SHARE * NSEC_PER_MSEC)
#define LANE_PATIENCE_NS	(20 * NSEC_PER_MSEC)

static struct task_struct *lane_thread;
static unsigned long lane_taken;	/* bit 0: by who is about to be looked at, or is */
static struct kvmhb_monitor *lane;	/* who is that; waited for as a variable */
static u64 lane_paid_ns;		/* its share pays for looks until then, CLOCK_MONOTONIC */
static struct hrtimer lane_timer;	/* started and cancelled by who has taken the lane */

static int lane_run(void *unused)
{
	struct kvmhb_monitor *mon;
	u64 begin_ns, end_ns;

	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		/* Acquire: pairs with the release in deadline(). */
		mon = smp_load_acquire(&lane);
		if (!mon) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);

		begin_ns = ktime_get_ns();
		if (mutex_trylock(&mon->lock)) {
			look_or_hear(mon);
			mutex_unlock(&mon->lock);
		} else {
			queue_work(kvmhb_wq, &mon->work);
		}
		end_ns = ktime_get_ns();
		WRITE_ONCE(lane_paid_ns,
			   max(lane_paid_ns, begin_ns) + LANE_SHARE * (end_ns - begin_ns));
		/* Waits for its callback: once the lane is free, the monitor may be gone. */
		hrtimer_cancel(&lane_timer);
		/* Pairs with the acquire in lane_has(). */
		store_release_wake_up(&lane, NULL);
		clear_bit_unlock(0, &lane_taken);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static bool lane_has(const struct kvmhb_monitor *mon)
{
	/* Acquire: pairs with the release in lane_run(). */
	return smp_load_acquire(&lane) == mon;
}

/*
 * Timers of this module expire in the hard interrupt, on PREEMPT_RT too. Else a thread of low
 * real-time priority would run them there, on the CPU where they were started; as a rule
 * that is where a guest has said a word, and a vCPU of higher priority that spins on it
 * would keep its own silence from being noticed. Callbacks may wake threads and queue work,
 * for which the kernel takes raw locks alone, and take no lock of ours.
 */
static enum hrtimer_restart lane_stuck(struct hrtimer *timer)
{
	/* Acquire: pairs with the release in deadline(). */
	struct kvmhb_monitor *mon = smp_load_acquire(&lane);

	if (mon)
		queue_work(kvmhb_wq, &mon->work);
	return HRTIMER_NORESTART;
}

static enum hrtimer_restart deadline(struct hrtimer *timer)
{
	struct kvmhb_monitor *mon = container_of(timer, struct kvmhb_monitor, timer);
	u64 now_ns = ktime_get_ns();

	WRITE_ONCE(mon->asked_ns, now_ns);
	if (READ_ONCE(lane_paid_ns) > now_ns + LANE_AHEAD_NS ||
	    test_and_set_bit_lock(0, &lane_taken)) {
		queue_work(kvmhb_wq, &mon->work);
		return HRTIMER_NORESTART;
	}
	hrtimer_start(&lane_timer, ns_to_ktime(LANE_PATIENCE_NS), HRTIMER_MODE_REL_HARD);
	/* Pairs with the acquire in lane_run(), lane_has() and lane_stuck(). */
	smp_store_release(&lane, mon);
	wake_up_process(lane_thread);
	return HRTIMER_NORESTART;
}

/*
 * A guest that has shut a CPU down by a triple fault does not say goodbye; the VMM
 * resets it, or ends.
 */
static void end_incarnation(struct kvmhb_monitor *mon)
{
	struct kvmhb_vcpu vcpu;
	unsigned int nr;

	lockdep_assert_held(&mon->lock);

	if (!kvmhb_state_is_armed(mon->verdict.state))
		return;
	for (nr = 0; kvmhb_evidence_vcpu(mon->kvm, nr, NULL, &vcpu); nr++) {
		if (!kvmhb_has_shut_down(&vcpu))
			continue;
		change_verdict(mon, (struct kvmhb_verdict) {
			KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT
		});
		return;
	}
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
	mutex_lock(&mon->lock);
	hear(mon, word);
	mutex_unlock(&mon->lock);
}

/* A fresh device, whose guest has yet to say something. */
static void await_guest(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	kvmhb_pulse_reset(mon->pulse, &mon->config);
	monitor_judge_by(mon, mon->config, false);
	mon->lifecycle = KVM_HEARTBEAT_NONE;
	atomic64_add(monitor_missing(mon), &mon->tally.missed);
	end_incarnation(mon);
	atomic64_set(&mon->tally.last_beat_ns, 0);
	change_verdict(mon, (struct kvmhb_verdict) { KVMHB_WAITING, KVMHB_CAUSE_NONE });
	kvmhb_monitor_look(mon);
}

/**
 * kvmhb_monitor_reset - the device was reset, as with the whole VM
 * @mon: the monitor, attached
 *
 * Context: process; takes @mon->lock.
 */
void kvmhb_monitor_reset(struct kvmhb_monitor *mon)
{
	bool lost;

	mutex_lock(&mon->lock);
	lost = mon->tally.lost || kvmhb_state_is_armed(mon->verdict.state);
	await_guest(mon);
	kvmhb_tally_lose(&mon->tally, lost);
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_attach - a VM has opened the device
 * @mon: the monitor, detached
 * @pulse: the VM's pulse page, valid until kvmhb_monitor_detach() returns
 * @kvm: the VM, as valid; NULL without KVM
 * @vmm_pid: thread group of the VMM
 *
 * All counters begin anew.
 *
 * Context: process; takes @mon->lock.
 */
void kvmhb_monitor_attach(struct kvmhb_monitor *mon, struct kvmhb_pulse *pulse,
			  struct kvm *kvm, pid_t vmm_pid)
{
	mutex_lock(&mon->lock);
	kvmhb_watch_uninit(&mon->watch);	/* kept until now, to be read */
	mon->pulse = pulse;
	mon->kvm = kvm;
	mon->vmm_pid = vmm_pid;
	mon->judged = (struct kvmhb_verdict) {};
	mon->goodbye = KVMHB_CAUSE_NONE;
	mon->outages.count = 0;
	mon->outages.downtime_ns = 0;
	kvmhb_tally_attach(&mon->tally, pulse);
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
	atomic64_add(monitor_missing(mon), &mon->tally.missed);
	end_incarnation(mon);
	monitor_judge_by(mon, mon->config, false);
	WRITE_ONCE(mon->tally.lost, false);	/* a last look is to find nobody */
	kvmhb_patrol_leave(mon);	/* it reads the pulse */
	mon->pulse = NULL;
	mon->kvm = NULL;
	mon->vmm_pid = 0;
	change_verdict(mon, (struct kvmhb_verdict) {
		KVMHB_DETACHED, mon->goodbye ?: KVMHB_CAUSE_VMM_GONE
	});
	kvmhb_monitor_look(mon);
	mutex_unlock(&mon->lock);

	/* Detached, kvmhb_monitor_look() arms nothing any more: what is queued is the last. */
	wait_var_event(&lane, !lane_has(mon));
	cancel_work_sync(&mon->work);
	kvmhb_report_flush(mon);
}

/* A setting that is allowed is kept to, as far as this host can tell. */
static void say_if_too_fine(struct kvmhb_monitor *mon)
{
	u64 resolution_ns = kvmhb_host_resolution_ns();

	if (mon->config.timeout_ns < resolution_ns)
		dev_notice(mon->dev, "a timeout of %llu ns is less than this host can tell: silences of up to %llu ns are not judged now\n",
			   mon->config.timeout_ns, resolution_ns);
}

static int configure(struct kvmhb_monitor *mon, u64 interval_ns, u64 timeout_set_ns)
{
	struct kvmhb_timing old = mon->config;
	bool retuning = mon->retuning;
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
		retuning = mon->pulse;
	monitor_judge_by(mon, retuning ? kvmhb_timing_patient(&mon->timing, &new) : new, retuning);
	if (mon->pulse)
		kvmhb_pulse_publish(mon->pulse, &new);
	trace_config(mon->dev, &new, !timeout_set_ns);
	say_if_too_fine(mon);
	kvmhb_monitor_look(mon);
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
	u64 last_ns, now_ns, silence_ns;

	mutex_lock(&mon->lock);
	last_ns = kvmhb_tally_last_beat_ns(&mon->tally);
	now_ns = ktime_get_ns();
	*readings = (struct kvmhb_readings) {
		.verdict = mon->verdict,
		.config = mon->config,
		.lifecycle = mon->lifecycle,
		.vmm_pid = mon->vmm_pid,
		.beats = atomic64_read(&mon->tally.beats),
		.missed = atomic64_read(&mon->tally.missed) + monitor_missing(mon),
		.outages = mon->outages.count,
		.downtime_ns = kvmhb_outages_downtime_ns(&mon->outages, mon->verdict.state, now_ns),
		.has_beaten = last_ns,
		.last_beat_ns = kvmhb_minus(now_ns, last_ns),
		.gaps = kvmhb_tally_gaps(&mon->tally),
	};
	silence_ns = kvmhb_minus(readings->last_beat_ns,
				 kvmhb_tally_excused_ns(&mon->tally, last_ns));
	readings->suspicion_milli = kvmhb_suspicion_milli(&readings->gaps, mon->timing.interval_ns,
							  silence_ns);
	mutex_unlock(&mon->lock);
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
	mon->timing = mon->config;
	mon->tally.dev = dev;
	mon->tally.wake = monitor_wake;
	mon->tally.interval_ns = mon->config.interval_ns;
	say_if_too_fine(mon);
	mutex_init(&mon->lock);
	INIT_WORK(&mon->work, look_work);
	hrtimer_setup(&mon->timer, deadline, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	INIT_LIST_HEAD(&mon->notify_entry);
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
	/* A patrol that looked at it may still be letting go of the lock. */
	kvmhb_patrols_forget(mon);
	kvmhb_watch_uninit(&mon->watch);
	mutex_destroy(&mon->lock);
}

/**
 * kvmhb_monitors_init - prepare what all monitors share
 *
 * Return: 0 or a negative errno. Context: process.
 */
int kvmhb_monitors_init(void)
{
	int ret;

	kvmhb_wq = alloc_workqueue("kvm_heartbeat", WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	if (!kvmhb_wq)
		return -ENOMEM;
	ret = kvmhb_reports_init();
	if (ret)
		goto destroy_wq;
	ret = kvmhb_host_init();
	if (ret)
		goto reports_exit;
	hrtimer_setup(&lane_timer, lane_stuck, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	lane_thread = kthread_run(lane_run, NULL, "kvm_heartbeat");
	if (IS_ERR(lane_thread)) {
		ret = PTR_ERR(lane_thread);
		goto host_exit;
	}
	sched_set_fifo_low(lane_thread);
	kvmhb_patrols_init(kvmhb_wq);
	return 0;

host_exit:
	kvmhb_host_exit();
reports_exit:
	kvmhb_reports_exit();
destroy_wq:
	destroy_workqueue(kvmhb_wq);
	return ret;
}

/**
 * kvmhb_monitors_exit - undo kvmhb_monitors_init()
 *
 * Every monitor is detached. Context: process.
 */
void kvmhb_monitors_exit(void)
{
	kvmhb_patrols_exit();
	kthread_stop(lane_thread);
	kvmhb_host_exit();
	kvmhb_reports_exit();
	destroy_workqueue(kvmhb_wq);
}
