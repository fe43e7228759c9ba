// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/time64.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

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
	const char *state = kvmhb_state_word(mon->verdict.state);
	const char *cause = kvmhb_cause_word(mon->verdict.cause);
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS);
	char cpus[KVMHB_CPU_LIST_LEN];
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
		kvmhb_cpu_list(cpus, stale);
		if (bitmap_empty(stale, KVMHB_PULSE_MAX_SLOTS))
			dev_warn(mon->dev, "guest is %s (%s)\n", state, cause);
		else
			dev_warn(mon->dev, "guest is %s, stale CPUs %s (%s)\n", state, cpus,
				 cause);
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
 * What all guests together may make the host log; their uevents have no such limit. The
 * first report of a guest in a window is counted apart from those that follow, so that it
 * takes as many guests, not a few that flap, to hide another's.
 */
#define ALL_BURST	500

/**
 * struct kvmhb_log_window - some seconds of the log
 * @nr: its number
 * @end: when it ends, jiffies
 * @guests: how many guests have logged in it
 * @more: how many lines they have logged besides their first
 * @missed: how many they were not allowed
 */
struct kvmhb_log_window {
	unsigned int nr;
	unsigned long end;
	unsigned int guests;
	unsigned int more;
	unsigned int missed;
};

/* Of all else, and of outages; under the lock. */
static struct kvmhb_log_window windows[2];
static DEFINE_SPINLOCK(windows_lock);

static bool may_log(struct kvmhb_monitor *mon, bool outage)
{
	struct kvmhb_log_window *window = &windows[outage];
	unsigned int missed = 0;
	unsigned int *count;
	bool may;

	spin_lock(&windows_lock);
	if (!window->nr || time_after(jiffies, window->end)) {
		missed = window->missed;
		*window = (struct kvmhb_log_window) {
			.nr = window->nr + 1 ?: 1,
			.end = jiffies + KVMHB_REPORT_INTERVAL,
		};
	}
	count = mon->logged[outage] == window->nr ? &window->more : &window->guests;
	mon->logged[outage] = window->nr;
	may = *count < ALL_BURST;
	*count += may;
	window->missed += !may;
	spin_unlock(&windows_lock);

	if (missed)
		pr_warn(KBUILD_MODNAME ": %u callbacks suppressed\n", missed);
	return may;
}

static void announce_state(struct kvmhb_monitor *mon, enum kvmhb_state old)
{
	char old_state[sizeof("HEARTBEAT_OLD=") + KVMHB_WORD_SIZE];
	char state[sizeof("HEARTBEAT_STATE=") + KVMHB_WORD_SIZE];
	char cause[sizeof("HEARTBEAT_CAUSE=") + KVMHB_WORD_SIZE];
	char *env[4] = { old_state, state, cause, NULL };

	snprintf(old_state, sizeof(old_state), "HEARTBEAT_OLD=%s", kvmhb_state_word(old));
	snprintf(state, sizeof(state), "HEARTBEAT_STATE=%s",
		 kvmhb_state_word(mon->verdict.state));
	snprintf(cause, sizeof(cause), "HEARTBEAT_CAUSE=%s",
		 kvmhb_cause_word(mon->verdict.cause));
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

/*
 * Those who poll are woken for each change, but not more often than this: a guest that
 * changes its word as fast as it can must not keep them, nor the host, busy. The last
 * change is never kept back for good.
 */
#define NOTIFY_NS	(10 * NSEC_PER_MSEC)

/* Monitors whose listeners are still to be notified, under the lock. */
static LIST_HEAD(notify_later);
static DEFINE_SPINLOCK(notify_lock);
/* The one whose listeners are being notified, or NULL; waited for as a variable. */
static const struct kvmhb_monitor *notifying;

static void notify(const struct kvmhb_monitor *mon)
{
	sysfs_notify(&mon->dev->kobj, "heartbeat", "state");
	sysfs_notify(&mon->dev->kobj, "heartbeat", "cause");
}

static void notify_work(struct work_struct *work)
{
	struct kvmhb_monitor *mon;
	LIST_HEAD(now);

	/* Those that come in meanwhile have their own time. */
	spin_lock(&notify_lock);
	list_splice_init(&notify_later, &now);
	spin_unlock(&notify_lock);

	for (;;) {
		spin_lock(&notify_lock);
		mon = list_first_entry_or_null(&now, struct kvmhb_monitor, notify_entry);
		if (mon) {
			list_del_init(&mon->notify_entry);
			WRITE_ONCE(notifying, mon);
		}
		spin_unlock(&notify_lock);
		if (!mon)
			break;
		notify(mon);
		/* Pairs with the acquire in kvmhb_report_flush(). */
		store_release_wake_up(&notifying, NULL);
	}
}

static DECLARE_DELAYED_WORK(notify_dwork, notify_work);
static struct workqueue_struct *notify_wq;

static void notify_listeners(struct kvmhb_monitor *mon)
{
	u64 now_ns = ktime_get_ns();
	bool pending;

	lockdep_assert_held(&mon->lock);

	spin_lock(&notify_lock);
	pending = !list_empty(&mon->notify_entry);
	if (!pending && now_ns < mon->notify_from_ns)
		list_add_tail(&mon->notify_entry, &notify_later);
	spin_unlock(&notify_lock);
	if (pending)
		return;

	if (now_ns >= mon->notify_from_ns) {
		mon->notify_from_ns = now_ns + NOTIFY_NS;
		notify(mon);
		return;
	}
	/* The one that is to come takes its place. */
	mon->notify_from_ns += NOTIFY_NS;
	queue_delayed_work(notify_wq, &notify_dwork, nsecs_to_jiffies(NOTIFY_NS) + 1);
}

/**
 * kvmhb_report_flush - notify those who still wait for it
 * @mon: the monitor, of which no further change will be reported
 *
 * Context: process.
 */
void kvmhb_report_flush(struct kvmhb_monitor *mon)
{
	bool pending;

	spin_lock(&notify_lock);
	pending = !list_empty(&mon->notify_entry);
	list_del_init(&mon->notify_entry);
	spin_unlock(&notify_lock);
	if (pending)
		notify(mon);
	/* Acquire: pairs with the release in notify_work(). */
	wait_var_event(&notifying, smp_load_acquire(&notifying) != mon);
}

/**
 * kvmhb_reports_init - prepare to report
 *
 * Return: 0 or -ENOMEM. Context: process.
 */
int kvmhb_reports_init(void)
{
	notify_wq = alloc_workqueue("kvm_heartbeat_notify", WQ_UNBOUND, 1);
	return notify_wq ? 0 : -ENOMEM;
}

/**
 * kvmhb_reports_exit - undo kvmhb_reports_init()
 *
 * No monitor is left. Context: process.
 */
void kvmhb_reports_exit(void)
{
	cancel_delayed_work_sync(&notify_dwork);
	destroy_workqueue(notify_wq);
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
	notify_listeners(mon);

	/* Says itself, under the monitor's name, how many it kept back. */
	if (!___ratelimit(outage ? &mon->outage_limit : &mon->limit, dev_name(mon->dev)))
		return;
	if (may_log(mon, outage))
		log_state(mon, old, last_beat_ns, gone_ns);
	announce_state(mon, old);
}
