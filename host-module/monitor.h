/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor of one guest: takes beats and the guest's words in, looks at the
 * guest when it is time to, and reports each change of state. Knows nothing of
 * VFIO.
 */
#ifndef KVMHB_MONITOR_H
#define KVMHB_MONITOR_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/ratelimit_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "outage.h"
#include "tally.h"
#include "timing.h"
#include "watch.h"
#include "words.h"

struct device;
struct kvm;
struct kvmhb_patrol;

/**
 * struct kvmhb_monitor - the monitor of one guest
 * @dev: the mdev, by whose UUID all reports are known
 * @limit: bounds what a guest can make the host log and announce
 * @outage_limit: the same for outages and panics, which a guest that is late
 *	time and again must not crowd out
 * @logged: in which window of the log of all guests it logged last, likewise two; of
 *	report.c
 * @notify_entry: entry of the list of those whose listeners are still to be notified;
 *	of report.c
 * @notify_from_ns: not before then, ns of CLOCK_MONOTONIC; under @lock
 *
 * @tally: what beats leave behind; has rules of its own, and no lock
 *
 * @lock: serialises whatever changes the state or the configuration, and with
 *	it the order of reports; protects all from here to @patrol_entry
 * @verdict: state and cause
 * @config: what users set, with the timeout that follows from it
 * @timeout_set_ns: the explicit timeout, ns, or 0 while it follows the interval
 * @timing: what the guest is judged by: @config, or while @retuning something
 *	more patient
 * @judging: @timing, as far as this host can tell, as of the last look; when to look
 *	follows from it; its interval is read without @lock by the patrol
 * @retuning: the guest has not yet beaten by @config
 * @pulse: the VM's pulse page; NULL while detached; read without @lock by the
 *	patrol
 * @kvm: the VM, for evidence; NULL while detached and without KVM
 * @vmm_pid: thread group of the VMM, 0 while detached
 * @lifecycle: the last word that the guest said and the monitor accepted
 * @goodbye: the cause to be given if the VM ends now, or none
 * @outages: silences and outages
 * @watch: what was seen of the guest so far
 * @judged: what was last said of a guest that was armed
 * @judged_silence_ns: by which silence, ns
 * @judged_run_ns: and on the run clock, ns
 * @judged_deaf: a CPU of the host did not answer then
 * @judged_deaf_cpu: and which
 * @due_ns: when the next look is to be made, ns of CLOCK_MONOTONIC; 0: never
 * @beat_due_ns: if there is nothing to be seen of the guest but its beats: so long
 *	after the last one the look is due, if that comes first, ns; 0 otherwise.
 *	Like @due_ns, read without @lock by the patrol
 * @asked_ns: when a timer asked for the look that is due, ns of CLOCK_MONOTONIC; 0 if
 *	none has yet. Written without @lock by @timer
 * @patrol: who sees to it, or NULL while @timer does
 * @patrol_entry: entry of @patrol's list, under its lock
 *
 * @timer: when to look at a guest again that is silent. Armed with @lock held
 * @work: looks, and judges, in process context
 *
 * While it beats, a guest is looked at by the time at which it would be late had it not
 * beaten since the last look: about once an interval.
 */
struct kvmhb_monitor {
	struct device *dev;
	struct ratelimit_state limit;
	struct ratelimit_state outage_limit;
	unsigned int logged[2];
	struct list_head notify_entry;
	u64 notify_from_ns;

	struct kvmhb_tally tally;

	struct mutex lock;	/* of all from here to @patrol_entry */
	struct kvmhb_verdict verdict;
	struct kvmhb_timing config;
	u64 timeout_set_ns;
	struct kvmhb_timing timing;
	struct kvmhb_timing judging;
	bool retuning;
	struct kvmhb_pulse *pulse;
	struct kvm *kvm;
	pid_t vmm_pid;
	u32 lifecycle;
	enum kvmhb_cause goodbye;
	struct kvmhb_outages outages;
	struct kvmhb_watch watch;
	struct kvmhb_verdict judged;
	u64 judged_silence_ns;
	u64 judged_run_ns;
	bool judged_deaf;
	unsigned int judged_deaf_cpu;
	u64 due_ns;
	u64 beat_due_ns;
	u64 asked_ns;
	struct kvmhb_patrol *patrol;
	struct list_head patrol_entry;

	struct hrtimer timer;
	struct work_struct work;
};

/**
 * struct kvmhb_readings - what sysfs shows of a monitor, taken at one moment
 * @verdict: state and cause
 * @config: the configuration
 * @lifecycle: the last word that the guest said and the monitor accepted
 * @vmm_pid: thread group of the VMM, 0 if there is none
 * @beats: beats since the VM was attached
 * @missed: beats that did not come, a running silence included
 * @outages: how often the guest became unresponsive
 * @downtime_ns: how long it was, a running outage included, ns
 * @has_beaten: the guest has armed since the VM was last reset
 * @last_beat_ns: time since the last beat or the arming, ns
 * @gaps: statistics of the time between beats
 * @suspicion_milli: how suspicious the running silence is, phi times 1000;
 *	means nothing unless the guest is armed
 */
struct kvmhb_readings {
	struct kvmhb_verdict verdict;
	struct kvmhb_timing config;
	u32 lifecycle;
	pid_t vmm_pid;
	u64 beats;
	u64 missed;
	u64 outages;
	u64 downtime_ns;
	bool has_beaten;
	u64 last_beat_ns;
	struct kvmhb_gaps gaps;
	u64 suspicion_milli;
};

/**
 * kvmhb_monitor_due_ns - when a monitor's next look is to be made
 * @mon: the monitor
 *
 * Return: ns of CLOCK_MONOTONIC; 0: never. Context: any; what it reads without the
 * lock may be out of date.
 */
static inline u64 kvmhb_monitor_due_ns(const struct kvmhb_monitor *mon)
{
	u64 beat_due_ns = READ_ONCE(mon->beat_due_ns);
	u64 due_ns = READ_ONCE(mon->due_ns);

	if (!beat_due_ns)
		return due_ns;
	return min(due_ns, kvmhb_tally_last_beat_ns(&mon->tally) + beat_due_ns);
}

int kvmhb_monitors_init(void);
void kvmhb_monitors_exit(void);

int kvmhb_monitor_init(struct kvmhb_monitor *mon, struct device *dev,
		       u64 interval_ns, u64 timeout_ns);
void kvmhb_monitor_uninit(struct kvmhb_monitor *mon);
void kvmhb_monitor_attach(struct kvmhb_monitor *mon, struct kvmhb_pulse *pulse,
			  struct kvm *kvm, pid_t vmm_pid);
void kvmhb_monitor_detach(struct kvmhb_monitor *mon);
void kvmhb_monitor_reset(struct kvmhb_monitor *mon);
void kvmhb_monitor_look(struct kvmhb_monitor *mon);
void kvmhb_monitor_lifecycle(struct kvmhb_monitor *mon, u32 word);
int kvmhb_monitor_set_interval(struct kvmhb_monitor *mon, u64 interval_ns);
int kvmhb_monitor_set_timeout(struct kvmhb_monitor *mon, u64 timeout_ns);
void kvmhb_monitor_read(struct kvmhb_monitor *mon, struct kvmhb_readings *readings);

#endif /* KVMHB_MONITOR_H */
