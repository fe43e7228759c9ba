// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/ratelimit.h>
#include <linux/uuid.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "pulse.h"
#include "report.h"
#include "trace.h"
#include "watch.h"

/*
 * What one guest may cause in the log and among the listeners to uevents, of
 * outages and of all else: 20 reports in 10 seconds. Trace and sysfs have it all.
 */
#define REPORT_INTERVAL	(10 * HZ)
#define REPORT_BURST	20

#define SECONDS_LEN	sizeof("18446744073.709")

/* Seconds with three digits behind the point. */
static const char *report_seconds(char *buf, u64 ns)
{
	u64 ms = div_u64(ns, NSEC_PER_MSEC);

	snprintf(buf, SECONDS_LEN, "%llu.%03llu", div_u64(ms, MSEC_PER_SEC), ms % MSEC_PER_SEC);
	return buf;
}

/* Longer than the longest line: one of a list of CPUs, two words and what is in between. */
#define TEXT_LEN	(KVMHB_CPU_LIST_LEN + 2 * KVMHB_WORD_SIZE + 64)

/*
 * Writes the line that is said of a transition, to a buffer of TEXT_LEN bytes. It is ABI
 * (Documentation/tracing.rst): programs match it. Returns the level that it has in the log.
 */
static const char *report_text(char *text, const struct kvmhb_transition *t)
{
	bool explained = t->new.cause != KVMHB_CAUSE_NONE && t->new.state != KVMHB_PAUSED;
	char cpus[KVMHB_CPU_LIST_LEN], seconds[SECONDS_LEN];
	const char *level = KERN_INFO, *what = "", *value = "", *unit = "";

	switch (t->new.state) {
	case KVMHB_UNRESPONSIVE:
	case KVMHB_PANICKED:
	case KVMHB_LATE:
	case KVMHB_PAUSED:
		level = kvmhb_state_is_outage(t->new.state) ? KERN_WARNING : KERN_NOTICE;
		/* Panicked before the driver was armed; or another kernel beats since. */
		if (!t->last_beat_ns || t->new.cause == KVMHB_CAUSE_DUMPING)
			break;
		what = ", last heartbeat ";
		value = report_seconds(seconds, t->last_beat_ns);
		unit = " s ago";
		break;
	case KVMHB_DEGRADED:
		level = KERN_WARNING;
		if (bitmap_empty(t->stale, KVMHB_PULSE_MAX_SLOTS))
			break;
		kvmhb_cpu_list(cpus, t->stale);
		what = ", stale CPUs ";
		value = cpus;
		break;
	case KVMHB_ALIVE:
		if (t->old != KVMHB_LATE && t->old != KVMHB_UNRESPONSIVE && t->old != KVMHB_PAUSED)
			break;
		level = KERN_NOTICE;
		/* How long it was on its way is known to no clock. */
		if (t->arrived) {
			what = ", taken over";
			break;
		}
		what = ", gone ";
		value = report_seconds(seconds, t->gone_ns);
		unit = " s";
		break;
	default:
		break;
	}
	snprintf(text, TEXT_LEN, "guest is %s%s%s%s%s%s%s", kvmhb_state_word(t->new.state),
		 what, value, unit, explained ? " (" : "",
		 explained ? kvmhb_cause_word(t->new.cause) : "", explained ? ")" : "");
	return level;
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
/* Threads of all VMMs take these two, and a VMM may starve its own, on PREEMPT_RT with a lock. */
static DEFINE_RAW_SPINLOCK(windows_lock);

static bool report_may_log(struct kvmhb_reporter *reporter, bool outage)
{
	struct kvmhb_log_window *window = &windows[outage];
	unsigned int missed = 0;
	unsigned int *count;
	bool may;

	raw_spin_lock(&windows_lock);
	if (!window->nr || time_after(jiffies, window->end)) {
		missed = window->missed;
		*window = (struct kvmhb_log_window) {
			.nr = window->nr + 1 ?: 1,
			.end = jiffies + REPORT_INTERVAL,
		};
	}
	count = reporter->logged[outage] == window->nr ? &window->more : &window->guests;
	reporter->logged[outage] = window->nr;
	may = *count < ALL_BURST;
	*count += may;
	window->missed += !may;
	raw_spin_unlock(&windows_lock);

	if (missed)
		pr_warn(KBUILD_MODNAME ": %u callbacks suppressed\n", missed);
	return may;
}

/*
 * All that a program needs that acts on it: it may come when the monitor is already gone.
 * @what and @result are one variable each, @result may be NULL.
 */
static void report_uevent(struct device *dev, const struct kvmhb_verdict *verdict, pid_t vmm_pid,
			  const char *text, char *what, char *result)
{
	char state[sizeof("HEARTBEAT_STATE=") + KVMHB_WORD_SIZE];
	char cause[sizeof("HEARTBEAT_CAUSE=") + KVMHB_WORD_SIZE];
	char pid[sizeof("HEARTBEAT_VMM_PID=-2147483648")];
	char uuid[sizeof("HEARTBEAT_UUID=") + UUID_STRING_LEN];
	char message[sizeof("HEARTBEAT_MESSAGE=") + TEXT_LEN];
	char *env[8] = { what, state, cause, pid, uuid, message, result, NULL };

	snprintf(state, sizeof(state), "HEARTBEAT_STATE=%s", kvmhb_state_word(verdict->state));
	snprintf(cause, sizeof(cause), "HEARTBEAT_CAUSE=%s", kvmhb_cause_word(verdict->cause));
	snprintf(pid, sizeof(pid), "HEARTBEAT_VMM_PID=%d", vmm_pid);
	snprintf(uuid, sizeof(uuid), "HEARTBEAT_UUID=%s", dev_name(dev));
	snprintf(message, sizeof(message), "HEARTBEAT_MESSAGE=%s", text);
	kobject_uevent_env(&dev->kobj, KOBJ_CHANGE, env);
}

static void report_trace(const struct device *dev, const struct kvmhb_transition *t)
{
	const struct kvmhb_judgement *judged = t->judged;
	bool is_judged = judged && t->new.state != KVMHB_ALIVE;
	unsigned int nr;

	if (is_judged && trace_evidence_enabled())
		for (nr = 0; nr < judged->nr_vcpus; nr++)
			trace_evidence(dev, nr, &judged->vcpus[nr]);
	trace_state(dev, t->old, &t->new, t->last_beat_ns, is_judged ? judged->run_ns : 0);
}

/*
 * Those who poll are woken for each change, but not more often than this: a guest that
 * changes its word as fast as it can must not keep them, nor the host, busy. The last
 * change is never kept back for good.
 */
#define NOTIFY_NS	(10 * NSEC_PER_MSEC)

/* Those whose listeners are still to be notified, under the lock. */
static LIST_HEAD(notify_later);
static DEFINE_RAW_SPINLOCK(notify_lock);
/* The one whose listeners are being notified, or NULL; waited for as a variable. */
static const struct kvmhb_reporter *notifying;

static void report_notify(const struct kvmhb_reporter *reporter)
{
	sysfs_notify(&reporter->dev->kobj, "heartbeat", "state");
	sysfs_notify(&reporter->dev->kobj, "heartbeat", "cause");
}

static void report_notify_work(struct work_struct *work)
{
	struct kvmhb_reporter *reporter;
	LIST_HEAD(now);

	/* Those that come in meanwhile have their own time. */
	raw_spin_lock(&notify_lock);
	list_splice_init(&notify_later, &now);
	raw_spin_unlock(&notify_lock);

	for (;;) {
		raw_spin_lock(&notify_lock);
		reporter = list_first_entry_or_null(&now, struct kvmhb_reporter, notify_entry);
		if (reporter)
			list_del_init(&reporter->notify_entry);
		WRITE_ONCE(notifying, reporter);
		raw_spin_unlock(&notify_lock);
		if (!reporter)
			break;
		report_notify(reporter);
		/* Pairs with the acquire in kvmhb_report_flush(). */
		store_release_wake_up(&notifying, NULL);
	}
}

static DECLARE_DELAYED_WORK(notify_dwork, report_notify_work);
static struct workqueue_struct *notify_wq;

static void report_to_listeners(struct kvmhb_reporter *reporter)
{
	u64 now_ns = ktime_get_ns();
	bool pending;

	raw_spin_lock(&notify_lock);
	pending = !list_empty(&reporter->notify_entry);
	if (!pending && now_ns < reporter->notify_from_ns)
		list_add_tail(&reporter->notify_entry, &notify_later);
	raw_spin_unlock(&notify_lock);
	if (pending)
		return;

	if (now_ns >= reporter->notify_from_ns) {
		reporter->notify_from_ns = now_ns + NOTIFY_NS;
		report_notify(reporter);
		return;
	}
	/* The one that is to come takes its place. */
	reporter->notify_from_ns += NOTIFY_NS;
	queue_delayed_work(notify_wq, &notify_dwork, nsecs_to_jiffies(NOTIFY_NS) + 1);
}

/**
 * kvmhb_report_flush - notify those who still wait for it
 * @reporter: of whom no further change will be reported
 */
void kvmhb_report_flush(struct kvmhb_reporter *reporter)
{
	bool pending;

	raw_spin_lock(&notify_lock);
	pending = !list_empty(&reporter->notify_entry);
	list_del_init(&reporter->notify_entry);
	raw_spin_unlock(&notify_lock);
	if (pending)
		report_notify(reporter);
	/* Acquire: pairs with the release in report_notify_work(). */
	wait_var_event(&notifying, smp_load_acquire(&notifying) != reporter);
}

/**
 * kvmhb_reports_init - prepare to report
 *
 * Return: 0 or -ENOMEM.
 */
int kvmhb_reports_init(void)
{
	notify_wq = alloc_workqueue("kvm_heartbeat_notify", WQ_UNBOUND, 1);
	return notify_wq ? 0 : -ENOMEM;
}

/**
 * kvmhb_reports_exit - undo kvmhb_reports_init()
 *
 * No monitor is left.
 */
void kvmhb_reports_exit(void)
{
	cancel_delayed_work_sync(&notify_dwork);
	destroy_workqueue(notify_wq);
}

/**
 * kvmhb_reporter_init - begin to report for a monitor
 * @reporter: what to initialise
 * @dev: the device by whose name it is known; outlives it
 */
void kvmhb_reporter_init(struct kvmhb_reporter *reporter, struct device *dev)
{
	reporter->dev = dev;
	INIT_LIST_HEAD(&reporter->notify_entry);
	ratelimit_state_init(&reporter->limit, REPORT_INTERVAL, REPORT_BURST);
	ratelimit_state_init(&reporter->outage_limit, REPORT_INTERVAL, REPORT_BURST);
}

/* Says what changed to all but the trace. */
static void report_announce(struct kvmhb_reporter *reporter, const struct kvmhb_transition *t)
{
	bool outage = kvmhb_state_is_outage(t->new.state) || t->old == KVMHB_UNRESPONSIVE;
	char old_state[sizeof("HEARTBEAT_OLD=") + KVMHB_WORD_SIZE];
	struct device *dev = reporter->dev;
	char text[TEXT_LEN];
	const char *level;
	bool said;

	/* Says itself, under the monitor's name, how many it kept back. */
	if (!___ratelimit(outage ? &reporter->outage_limit : &reporter->limit, dev_name(dev)))
		return;
	/*
	 * What the VMM says may be the middle of a migration, of which each side is to log one
	 * line: how long a pause was is logged when it is over.
	 */
	said = t->by_vmm && t->new.state == KVMHB_PAUSED;
	level = report_text(text, t);
	if (!said && report_may_log(reporter, outage))
		dev_printk(level, dev, "%s\n", text);
	snprintf(old_state, sizeof(old_state), "HEARTBEAT_OLD=%s", kvmhb_state_word(t->old));
	report_uevent(dev, &t->new, t->vmm_pid, text, old_state, NULL);
}

/**
 * kvmhb_report - report a transition everywhere
 * @reporter: the monitor's part; the caller serialises, which makes the order the same
 *	everywhere
 * @transition: what is to be reported
 */
void kvmhb_report(struct kvmhb_reporter *reporter, const struct kvmhb_transition *transition)
{
	report_trace(reporter->dev, transition);
	if (transition->muted)
		return;
	report_to_listeners(reporter);
	report_announce(reporter, transition);
}

/**
 * kvmhb_report_again - report what was not to be announced when it happened
 * @reporter: the monitor's part; the caller serialises
 * @transition: how the guest is now
 *
 * A guest that is well is nothing to be told of, but who polls has missed something.
 */
void kvmhb_report_again(struct kvmhb_reporter *reporter, const struct kvmhb_transition *transition)
{
	enum kvmhb_state state = transition->new.state;

	report_to_listeners(reporter);
	if (kvmhb_state_is_outage(state) || state == KVMHB_DEGRADED || state == KVMHB_LATE)
		report_announce(reporter, transition);
}

/**
 * kvmhb_report_action - report a step that was taken about an outage
 * @reporter: the monitor's part; the caller serialises
 * @action: the step
 *
 * There is a limit to actions, and whoever floods the log must not hide one: there is none
 * here.
 */
void kvmhb_report_action(struct kvmhb_reporter *reporter, const struct kvmhb_action *action)
{
	char what[sizeof("HEARTBEAT_ACTION=") + KVMHB_REACTION_WORD_SIZE];
	char result[sizeof("HEARTBEAT_RESULT=") + KVMHB_REACTION_WORD_SIZE];
	const struct kvmhb_verdict *verdict = &action->verdict;
	struct device *dev = reporter->dev;
	char text[TEXT_LEN];

	trace_action(dev, action);
	sysfs_notify(&dev->kobj, "heartbeat", "actions");
	sysfs_notify(&dev->kobj, "heartbeat", "last_action");
	sysfs_notify(&dev->kobj, "heartbeat", "last_result");
	snprintf(text, sizeof(text), "action %s on %s (%s): %s", kvmhb_step_word(action->step),
		 kvmhb_state_word(verdict->state), kvmhb_cause_word(verdict->cause),
		 kvmhb_result_word(action->result));
	dev_warn(dev, "%s\n", text);

	snprintf(what, sizeof(what), "HEARTBEAT_ACTION=%s", kvmhb_step_word(action->step));
	snprintf(result, sizeof(result), "HEARTBEAT_RESULT=%s", kvmhb_result_word(action->result));
	report_uevent(dev, verdict, action->vmm_pid, text, what, result);
}

/**
 * kvmhb_report_refusal - log why a VM that was to come cannot go on here
 * @reporter: the monitor's part; nobody needs to serialise this
 * @why: what is wrong
 *
 * A VMM may try as often as it likes. The limit is its monitor's, so it hides nothing that is said
 * of others; and it is not that of outages.
 */
void kvmhb_report_refusal(struct kvmhb_reporter *reporter, const char *why)
{
	if (___ratelimit(&reporter->limit, dev_name(reporter->dev)) &&
	    report_may_log(reporter, false))
		dev_err(reporter->dev, "the guest cannot go on here: %s\n", why);
}
