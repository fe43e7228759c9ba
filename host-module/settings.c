// SPDX-License-Identifier: GPL-2.0
/* What users set, and what they read. */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "monitor.h"
#include "suspicion.h"
#include "trace.h"

/**
 * kvmhb_monitor_say_if_too_fine - say so if a timeout is less than this host can tell
 * @mon: the monitor
 *
 * Context: process; @mon->lock is held, or nobody else knows @mon yet.
 */
void kvmhb_monitor_say_if_too_fine(struct kvmhb_monitor *mon)
{
	u64 resolution_ns = kvmhb_host_resolution_ns();

	if (mon->config.timing.timeout_ns < resolution_ns)
		dev_notice(mon->tally.dev, "a timeout of %llu ns is less than this host can tell: silences of up to %llu ns are not judged now\n",
			   mon->config.timing.timeout_ns, resolution_ns);
}

/* Returns 1 if what the guest reads has changed, 0 if not, or an error. */
static int monitor_configure(struct kvmhb_monitor *mon, u64 interval_ns, u64 timeout_set_ns)
{
	struct kvmhb_timing old = mon->config.timing;
	bool retuning = mon->retuning;
	struct kvmhb_timing new;
	int ret;

	lockdep_assert_held(&mon->lock);

	ret = kvmhb_timing_make(&new, interval_ns, timeout_set_ns);
	if (ret)
		return ret;

	mon->config = (struct kvmhb_config) { new, timeout_set_ns };
	if (new.interval_ns == old.interval_ns && new.timeout_ns == old.timeout_ns)
		return 0;

	if (new.interval_ns != old.interval_ns)
		retuning = mon->vm.pulse;
	kvmhb_monitor_judge_by(mon, retuning ? kvmhb_timing_patient(&mon->timing, &new) : new,
			       retuning);
	if (mon->vm.pulse)
		kvmhb_pulse_publish(mon->vm.pulse, &new);
	trace_config(mon->tally.dev, &new, !timeout_set_ns);
	kvmhb_monitor_say_if_too_fine(mon);
	kvmhb_monitor_look(mon);
	return !!mon->vm.pulse;
}

/**
 * kvmhb_monitor_configure - change how the guest has to beat
 * @mon: the monitor
 * @interval_ns: time between two beats, ns, or NULL to leave it
 * @timeout_ns: silence that makes the guest unresponsive, ns, 0 to follow the interval, or
 *	NULL to leave it
 *
 * Return: as kvmhb_timing_make(); nothing changes on error. Context: process; takes
 * @mon->lock, and lets the device know without it.
 */
int kvmhb_monitor_configure(struct kvmhb_monitor *mon, const u64 *interval_ns,
			    const u64 *timeout_ns)
{
	int ret;

	mutex_lock(&mon->lock);
	ret = monitor_configure(mon, interval_ns ? *interval_ns : mon->config.timing.interval_ns,
				timeout_ns ? *timeout_ns : mon->config.timeout_set_ns);
	mutex_unlock(&mon->lock);
	if (ret <= 0)
		return ret;
	mon->ops->config_changed(mon);
	return 0;
}

/**
 * kvmhb_monitor_set_deadlines - change by when the guest has to boot, and to end
 * @mon: the monitor
 * @boot_ns: how long it may take until it arms, ns on the run clock, 0 for any time, or NULL
 *	to leave it
 * @shutdown_ns: likewise until it ends, once it has said so
 *
 * A deadline that runs goes on by its new length. What was said of one that is over stays.
 *
 * Return: 0; -ERANGE if one is above %KVMHB_TIMEOUT_MAX_NS; -ENOMEM. Nothing changes on error.
 * Context: process; takes @mon->lock.
 */
int kvmhb_monitor_set_deadlines(struct kvmhb_monitor *mon, const u64 *boot_ns,
				const u64 *shutdown_ns)
{
	bool ran;
	int ret = 0;

	if ((boot_ns && *boot_ns > KVMHB_TIMEOUT_MAX_NS) ||
	    (shutdown_ns && *shutdown_ns > KVMHB_TIMEOUT_MAX_NS))
		return -ERANGE;

	mutex_lock(&mon->lock);
	if (!mon->deadlines)
		mon->deadlines = kzalloc(sizeof(*mon->deadlines), GFP_KERNEL_ACCOUNT);
	if (!mon->deadlines) {
		ret = -ENOMEM;
		goto unlock;
	}
	ran = kvmhb_monitor_deadline_ns(mon);
	if (boot_ns)
		mon->deadlines->boot_ns = *boot_ns;
	if (shutdown_ns)
		mon->deadlines->shutdown_ns = *shutdown_ns;
	/* How much of the time before the guest had nobody knows. */
	if (!ran)
		kvmhb_monitor_begin_deadline(mon);
	kvmhb_turn_now(&mon->turn);
unlock:
	mutex_unlock(&mon->lock);
	return ret;
}

/**
 * kvmhb_monitor_lock_to_read - take @mon->lock for whoever reads a file of it
 * @mon: the monitor
 *
 * That may be anybody, who may starve his thread of its CPU as he likes. So it does not queue for
 * the lock, which would then be its own from when it is next in turn, though it does not run; nor
 * does it lose its CPU with it. Context: process, in which it sleeps; not until
 * kvmhb_monitor_unlock_to_read().
 */
void kvmhb_monitor_lock_to_read(struct kvmhb_monitor *mon)
{
	for (;;) {
		preempt_disable();
		if (mutex_trylock(&mon->lock))
			return;
		preempt_enable();
		fsleep(USEC_PER_MSEC);
	}
}

/**
 * kvmhb_monitor_unlock_to_read - undo kvmhb_monitor_lock_to_read()
 * @mon: the monitor
 */
void kvmhb_monitor_unlock_to_read(struct kvmhb_monitor *mon)
{
	mutex_unlock(&mon->lock);
	preempt_enable();
}

/**
 * kvmhb_monitor_read - take all readings at once
 * @mon: the monitor
 * @readings: where to store them
 */
void kvmhb_monitor_read(struct kvmhb_monitor *mon, struct kvmhb_readings *readings)
{
	u64 last_at_ns, now_ns, excused_ns;

	kvmhb_monitor_lock_to_read(mon);
	last_at_ns = kvmhb_tally_last_beat_at_ns(&mon->tally);
	excused_ns = kvmhb_tally_excused_ns(&mon->tally, last_at_ns);
	now_ns = kvmhb_monitor_now_ns(mon);
	*readings = (struct kvmhb_readings) {
		.verdict = mon->verdict,
		.timing = mon->config.timing,
		.boot_timeout_ns = mon->deadlines ? mon->deadlines->boot_ns : 0,
		.shutdown_timeout_ns = mon->deadlines ? mon->deadlines->shutdown_ns : 0,
		.lifecycle = mon->lifecycle,
		.vmm_pid = pid_nr(mon->vm.vmm),
		.beats = atomic64_read(&mon->tally.beats),
		.missed = atomic64_read(&mon->tally.missed) + kvmhb_monitor_missing(mon),
		.outages = mon->outages.count,
		.downtime_ns = kvmhb_outages_downtime_ns(&mon->outages, mon->verdict.state, now_ns),
		.life = mon->life,
		.has_beaten = last_at_ns,
		.last_beat_ns = kvmhb_minus(now_ns, last_at_ns),
		.gaps = kvmhb_tally_gaps(&mon->tally),
	};
	readings->suspicion_milli =
		kvmhb_suspicion_milli(&readings->gaps, mon->timing.interval_ns,
				      kvmhb_minus(readings->last_beat_ns, excused_ns));
	kvmhb_monitor_unlock_to_read(mon);
}

/**
 * kvmhb_monitor_stale - name the guest's CPUs that are stale
 * @mon: the monitor
 * @cpus: bitmap of %KVMHB_PULSE_MAX_SLOTS bits, gets those of a guest that is degraded
 */
void kvmhb_monitor_stale(struct kvmhb_monitor *mon, unsigned long *cpus)
{
	bitmap_zero(cpus, KVMHB_PULSE_MAX_SLOTS);
	kvmhb_monitor_lock_to_read(mon);
	if (mon->verdict.state == KVMHB_DEGRADED)
		kvmhb_watch_stale(&mon->watch, cpus);
	kvmhb_monitor_unlock_to_read(mon);
}

/**
 * kvmhb_monitor_show_judgement - show what the last report was judged by
 * @mon: the monitor
 * @buf: where to
 * @show: writes it there
 *
 * Return: what @show returns. Context: process; @show is called with @mon->lock held, and may not
 * sleep.
 */
int kvmhb_monitor_show_judgement(struct kvmhb_monitor *mon, char *buf,
				 int (*show)(const struct kvmhb_judgement *judged, char *buf))
{
	int ret;

	kvmhb_monitor_lock_to_read(mon);
	ret = show(&mon->watch.judged, buf);
	kvmhb_monitor_unlock_to_read(mon);
	return ret;
}
