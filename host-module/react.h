/* SPDX-License-Identifier: GPL-2.0 */
/* The reactions of one monitor: what it does about a guest that is dead, and its mute. */
#ifndef KVMHB_REACT_H
#define KVMHB_REACT_H

#include <linux/workqueue.h>

#include "reaction.h"

struct kvmhb_monitor;

/* Longer than any maintenance: what is forgotten must come back. */
#define KVMHB_MUTE_MAX_NS	(7 * 24 * 3600 * 1000000000ULL)	/* 7 d */

/**
 * struct kvmhb_reactions - the reactions of one monitor
 * @mon: the monitor; never changes
 * @policy: what users want to be done
 * @sequence: how far the steps are that are taken about the outage that lasts
 * @fresh: the time until the next look is not all since @sequence began, or since its last step
 * @taking: @work has a step to take
 * @budget: the steps that were taken. It and the five below outlive the VM: whoever kills a
 *	VM that is then started again is to be stopped some time
 * @limited: since the last of them one was not, and that was said
 * @actions: their number
 * @last: the last of them
 * @last_result: what came of it
 * @last_seq: if the guest was asked: the number of the request, as long as it may be answered
 * @dump_asked: the pulse page may have a request for a dump
 * @mute_until_ns: until when nothing is to be announced and nothing done, ns of CLOCK_MONOTONIC;
 *	0: @unmute has ended that
 * @muted: how many changes of state were not announced
 * @held: so many of those since the last that was
 * @work: takes the step that is due; takes @mon's lock
 * @unmute: ends the mute; likewise
 *
 * Exists once a user wants something of it. All but @mon, @work and @unmute are under the
 * monitor's lock.
 */
struct kvmhb_reactions {
	struct kvmhb_monitor *mon;
	struct kvmhb_policy policy;
	struct kvmhb_sequence sequence;
	bool fresh;
	bool taking;
	struct kvmhb_budget budget;
	bool limited;
	u64 actions;
	enum kvmhb_step last;
	enum kvmhb_result last_result;
	u32 last_seq;
	bool dump_asked;
	u64 mute_until_ns;
	u64 muted;
	u64 held;
	struct work_struct work;
	struct delayed_work unmute;
};

/**
 * struct kvmhb_policy_change - what a user sets of a policy
 * @on_unresponsive: what to do about a guest that is unresponsive, or NULL to leave it
 * @on_panicked: likewise of one that has panicked
 * @delay_ns: how long a step waits for a sign of life, ns, or NULL
 * @max: how many steps may be taken in the window, or NULL
 * @window_ns: how long a step counts, ns, or NULL
 */
struct kvmhb_policy_change {
	const struct kvmhb_plan *on_unresponsive;
	const struct kvmhb_plan *on_panicked;
	const u64 *delay_ns;
	const u64 *max;
	const u64 *window_ns;
};

/**
 * struct kvmhb_reactions_shown - what sysfs shows of the reactions, taken at one moment
 * @policy: what users want to be done
 * @actions: how many steps were taken
 * @last: the last of them
 * @last_result: and what came of it
 * @mute_ns: for how long nothing is announced, ns from now
 * @muted: how many changes of state were not announced
 */
struct kvmhb_reactions_shown {
	struct kvmhb_policy policy;
	u64 actions;
	enum kvmhb_step last;
	enum kvmhb_result last_result;
	u64 mute_ns;
	u64 muted;
};

int kvmhb_react_configure(struct kvmhb_monitor *mon, const struct kvmhb_policy_change *change);
int kvmhb_react_mute(struct kvmhb_monitor *mon, u64 ns);
void kvmhb_react_show(struct kvmhb_monitor *mon, struct kvmhb_reactions_shown *shown);
void kvmhb_react_flush(struct kvmhb_monitor *mon);
void kvmhb_react_stop(struct kvmhb_monitor *mon);
int kvmhb_reacts_init(void);
void kvmhb_reacts_exit(void);

/* With the monitor's lock held. */
bool kvmhb_react_to(struct kvmhb_monitor *mon);
bool kvmhb_react_watches(const struct kvmhb_monitor *mon);
void kvmhb_react_settle(struct kvmhb_monitor *mon);
u64 kvmhb_react(struct kvmhb_monitor *mon, u64 elapsed_ns, u64 run_ns, bool held);

#endif /* KVMHB_REACT_H */
