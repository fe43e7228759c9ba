/* SPDX-License-Identifier: GPL-2.0 */
/* How a change of state reaches people and programs. */
#ifndef KVMHB_REPORT_H
#define KVMHB_REPORT_H

#include <linux/list.h>
#include <linux/ratelimit_types.h>

#include "reaction.h"
#include "words.h"

struct device;
struct kvmhb_judgement;

/**
 * struct kvmhb_reporter - what the reports of one monitor are limited by
 * @dev: the mdev; never changes
 * @limit: bounds what a guest can make the host log and announce
 * @outage_limit: the same for outages and panics, which a guest that is late
 *	time and again must not crowd out
 * @logged: in which window of the log of all guests it logged last, likewise two
 * @notify_from_ns: listeners are not notified before then, ns of CLOCK_MONOTONIC
 * @notify_entry: entry of the list of those whose listeners are still to be notified, under
 *	its lock
 *
 * The monitor serialises its reports, and with that all but the list.
 */
struct kvmhb_reporter {
	struct device *dev;
	struct ratelimit_state limit;
	struct ratelimit_state outage_limit;
	unsigned int logged[2];
	u64 notify_from_ns;
	struct list_head notify_entry;
};

/**
 * struct kvmhb_transition - a change of state, cause or stale CPUs
 * @old: the state before
 * @new: state and cause since
 * @vmm_pid: thread group of the VMM, also if it has just gone
 * @last_beat_ns: time since the last beat, ns, 0 if there was none
 * @gone_ns: length of the silence that ended, ns; used if it is alive again
 * @stale: bitmap of %KVMHB_PULSE_MAX_SLOTS bits: the CPUs that are stale, if it is degraded
 * @judged: what it was judged by, or NULL
 * @by_vmm: the VMM has paused the VM, or is about to, and says so itself
 * @arrived: the VM came from elsewhere, and goes on here
 * @muted: nobody is to be told but the trace
 */
struct kvmhb_transition {
	enum kvmhb_state old;
	struct kvmhb_verdict new;
	pid_t vmm_pid;
	u64 last_beat_ns;
	u64 gone_ns;
	const unsigned long *stale;
	const struct kvmhb_judgement *judged;
	bool by_vmm;
	bool arrived;
	bool muted;
};

/**
 * struct kvmhb_action - a step that was taken about an outage
 * @step: the step
 * @verdict: state and cause of the guest then
 * @result: what came of it
 * @vmm_pid: thread group of the VMM
 */
struct kvmhb_action {
	enum kvmhb_step step;
	struct kvmhb_verdict verdict;
	enum kvmhb_result result;
	pid_t vmm_pid;
};

int kvmhb_reports_init(void);
void kvmhb_reports_exit(void);
void kvmhb_reporter_init(struct kvmhb_reporter *reporter, struct device *dev);
void kvmhb_report(struct kvmhb_reporter *reporter, const struct kvmhb_transition *transition);
void kvmhb_report_again(struct kvmhb_reporter *reporter, const struct kvmhb_transition *transition);
void kvmhb_report_action(struct kvmhb_reporter *reporter, const struct kvmhb_action *action);
void kvmhb_report_refusal(struct kvmhb_reporter *reporter, const char *why);
void kvmhb_report_flush(struct kvmhb_reporter *reporter);

#endif /* KVMHB_REPORT_H */
