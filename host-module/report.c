// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/time64.h>

#include "monitor.h"
#include "report.h"
#include "trace.h"

#define SECONDS_LEN	sizeof("18446744073.709")

/* Seconds with three digits behind the point. */
static const char *seconds(char *buf, u64 ns)
{
	u64 ms = div_u64(ns, NSEC_PER_MSEC);

	snprintf(buf, SECONDS_LEN, "%llu.%03llu", div_u64(ms, MSEC_PER_SEC), ms % MSEC_PER_SEC);
	return buf;
}

/* The line is ABI (Documentation/tracing.rst): programs match it. */
static void log_state(struct kvmhb_monitor *mon, enum kvmhb_state old,
		      u64 last_beat_ns, u64 gone_ns)
{
	const char *state = kvmhb_state_name(mon->verdict.state);
	const char *cause = kvmhb_cause_name(mon->verdict.cause);
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS);
	char buf[SECONDS_LEN];

	switch (mon->verdict.state) {
	case KVMHB_UNRESPONSIVE:
	case KVMHB_PANICKED:
		if (!last_beat_ns) {	/* panicked before the driver was armed */
			dev_warn(mon->dev, "guest is %s (%s)\n", state, cause);
			break;
		}
		dev_warn(mon->dev, "guest is %s, last heartbeat %s s ago (%s)\n",
			 state, seconds(buf, last_beat_ns), cause);
		break;
	case KVMHB_DEGRADED:
		kvmhb_watch_stale(&mon->watch, stale);
		if (bitmap_empty(stale, KVMHB_PULSE_MAX_SLOTS))
			dev_warn(mon->dev, "guest is %s (%s)\n", state, cause);
		else
			dev_warn(mon->dev, "guest is %s, stale CPUs %*pbl (%s)\n", state,
				 KVMHB_PULSE_MAX_SLOTS, stale, cause);
		break;
	case KVMHB_LATE:
		if (mon->verdict.cause == KVMHB_CAUSE_NONE)
			dev_notice(mon->dev, "guest is %s, last heartbeat %s s ago\n",
				   state, seconds(buf, last_beat_ns));
		else
			dev_notice(mon->dev, "guest is %s, last heartbeat %s s ago (%s)\n",
				   state, seconds(buf, last_beat_ns), cause);
		break;
	case KVMHB_PAUSED:
		dev_notice(mon->dev, "guest is %s, last heartbeat %s s ago\n",
			   state, seconds(buf, last_beat_ns));
		break;
	case KVMHB_ALIVE:
		if (old == KVMHB_LATE || old == KVMHB_UNRESPONSIVE || old == KVMHB_PAUSED)
			dev_notice(mon->dev, "guest is %s, gone %s s\n",
				   state, seconds(buf, gone_ns));
		else
			dev_info(mon->dev, "guest is %s\n", state);
		break;
	default:
		if (mon->verdict.cause == KVMHB_CAUSE_NONE)
			dev_info(mon->dev, "guest is %s\n", state);
		else
			dev_info(mon->dev, "guest is %s (%s)\n", state, cause);
		break;
	}
}

/*
 * What all guests together may make the host log; their uevents have no such limit.
 * Under contention the kernel's ratelimit says no: a lock of our own keeps it from that.
 */
#define ALL_BURST	500
static DEFINE_RATELIMIT_STATE(all_limit, KVMHB_REPORT_INTERVAL, ALL_BURST);
static DEFINE_RATELIMIT_STATE(all_outage_limit, KVMHB_REPORT_INTERVAL, ALL_BURST);
static DEFINE_SPINLOCK(all_lock);

static bool may_log(bool outage)
{
	bool may;

	spin_lock(&all_lock);
	may = ___ratelimit(outage ? &all_outage_limit : &all_limit, KBUILD_MODNAME);
	spin_unlock(&all_lock);
	return may;
}

static void announce_state(struct kvmhb_monitor *mon, enum kvmhb_state old)
{
	char old_state[32], state[32], cause[32];
	char *env[4] = { old_state, state, cause, NULL };

	snprintf(old_state, sizeof(old_state), "HEARTBEAT_OLD=%s", kvmhb_state_name(old));
	snprintf(state, sizeof(state), "HEARTBEAT_STATE=%s",
		 kvmhb_state_name(mon->verdict.state));
	snprintf(cause, sizeof(cause), "HEARTBEAT_CAUSE=%s",
		 kvmhb_cause_name(mon->verdict.cause));
	kobject_uevent_env(&mon->dev->kobj, KOBJ_CHANGE, env);
}

/* What is known of each vCPU when its guest is judged by it. */
static void trace_vcpus(struct kvmhb_monitor *mon)
{
	unsigned int nr;

	if (!trace_evidence_enabled())
		return;
	for (nr = 0; nr < mon->watch.nr_vcpus; nr++)
		trace_evidence(mon->dev, nr, &mon->watch.vcpus[nr].judged);
}

static bool is_judgement(enum kvmhb_state state)
{
	return state == KVMHB_DEGRADED || state == KVMHB_LATE ||
	       state == KVMHB_UNRESPONSIVE || state == KVMHB_PAUSED;
}

/**
 * kvmhb_report_state - report a change of state, cause or stale CPUs everywhere
 * @mon: the monitor, with the new state in it
 * @old: the state before
 * @last_beat_ns: time since the last beat, ns, 0 if there was none
 * @gone_ns: length of the silence that ended, ns; used if it is alive again
 *
 * Context: process; @mon->lock is held, which makes the order the same
 * everywhere.
 */
void kvmhb_report_state(struct kvmhb_monitor *mon, enum kvmhb_state old,
			u64 last_beat_ns, u64 gone_ns)
{
	bool outage = mon->verdict.state == KVMHB_UNRESPONSIVE ||
		      mon->verdict.state == KVMHB_PANICKED ||
		      old == KVMHB_UNRESPONSIVE;

	lockdep_assert_held(&mon->lock);

	if (is_judgement(mon->verdict.state))
		trace_vcpus(mon);
	trace_state(mon->dev, old, &mon->verdict, last_beat_ns,
		    is_judgement(mon->verdict.state) ? mon->judged_run_ns : 0);
	sysfs_notify(&mon->dev->kobj, "heartbeat", "state");
	sysfs_notify(&mon->dev->kobj, "heartbeat", "cause");

	/* Says itself, under the monitor's name, how many it kept back. */
	if (!___ratelimit(outage ? &mon->outage_limit : &mon->limit, dev_name(mon->dev)))
		return;
	if (may_log(outage))
		log_state(mon, old, last_beat_ns, gone_ns);
	announce_state(mon, old);
}
