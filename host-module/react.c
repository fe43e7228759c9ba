// SPDX-License-Identifier: GPL-2.0
/*
 * What is done about a guest that is dead. A look finds that a step is due, and a worker takes
 * it: VMM and guest are told without the monitor's lock.
 */
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "kvm_heartbeat.h"
#include "monitor.h"
#include "react.h"

/* A step may count for so long. */
#define REACT_WINDOW_MIN_NS	NSEC_PER_SEC
#define REACT_WINDOW_MAX_NS	(7 * 24 * 3600 * NSEC_PER_SEC)

/* How soon a worker looks that is to end a mute: timers of hours may be late by hours. */
#define REACT_UNMUTE_NS		(10 * NSEC_PER_SEC)

/* How soon a step is thought of again that cannot be taken now, or is all but due. */
#define REACT_LOOK_MIN_NS	NSEC_PER_MSEC
#define REACT_HELD_NS		(100 * NSEC_PER_MSEC)

/* Neither behind other work, nor for memory: a host in need is to act, too. */
static struct workqueue_struct *react_wq;

/* Until that is said to be over: what was held back is announced before anything is done. */
static bool react_is_mute(const struct kvmhb_reactions *react)
{
	return react->mute_until_ns;
}

static u64 react_mute_left_ns(const struct kvmhb_reactions *react)
{
	u64 now_ns = ktime_get_ns();

	return react_is_mute(react) ? kvmhb_minus(react->mute_until_ns, now_ns) : 0;
}

/* Asks the guest. Returns the number of the request. */
static u32 react_ask(struct kvmhb_monitor *mon, enum kvmhb_step step)
{
	lockdep_assert_held(&mon->lock);

	return kvmhb_pulse_request(mon->vm.pulse, step == KVMHB_STEP_DUMP ?
				   KVM_HEARTBEAT_REQUEST_DUMP : KVM_HEARTBEAT_REQUEST_BACKTRACE);
}

static enum kvmhb_result react_kill(struct pid *vmm)
{
	return kill_pid(vmm, SIGKILL, 1) ? KVMHB_RESULT_GONE : KVMHB_RESULT_DONE;
}

/* Tells the VMM or the guest. */
static enum kvmhb_result react_tell(struct kvmhb_monitor *mon, enum kvmhb_step step,
				    struct pid *vmm)
{
	switch (step) {
	case KVMHB_STEP_PAUSE:
		return mon->ops->stop(mon) ? KVMHB_RESULT_DONE : KVMHB_RESULT_UNHEARD;
	case KVMHB_STEP_KILL:
		return react_kill(vmm);
	default:
		mon->ops->config_changed(mon);
		return KVMHB_RESULT_ASKED;
	}
}

/* What came of the last step: what the guest was asked for may be answered by now. */
static enum kvmhb_result react_result(struct kvmhb_monitor *mon)
{
	struct kvmhb_reactions *react = mon->reactions;

	lockdep_assert_held(&mon->lock);

	if (!react->last_seq || !mon->vm.pulse)
		return react->last_result;
	switch (kvmhb_pulse_answer(mon->vm.pulse, react->last_seq)) {
	case KVM_HEARTBEAT_ANSWER_OBEYED:
		return KVMHB_RESULT_OBEYED;
	case KVM_HEARTBEAT_ANSWER_REFUSED:
	case KVM_HEARTBEAT_ANSWER_UNKNOWN:
	case KVM_HEARTBEAT_ANSWER_BUSY:
		return KVMHB_RESULT_REFUSED;
	default:
		return react->last_result;
	}
}

/* Whoever has not crashed yet, though it was asked to, is not to do so any more. */
static void react_withdraw_dump(struct kvmhb_monitor *mon)
{
	struct kvmhb_reactions *react = mon->reactions;

	lockdep_assert_held(&mon->lock);

	if (react->dump_asked && mon->vm.pulse)
		kvmhb_pulse_withdraw(mon->vm.pulse);
	react->dump_asked = false;
}

/**
 * kvmhb_react_settle - what the guest was asked for is not answered from now on
 * @mon: the monitor; its VM ends, or its guest does not go on as it was
 */
void kvmhb_react_settle(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	if (!mon->reactions)
		return;
	mon->reactions->last_result = react_result(mon);
	mon->reactions->last_seq = 0;
	react_withdraw_dump(mon);
}

static void react_report(struct kvmhb_monitor *mon, enum kvmhb_step step,
			 const struct kvmhb_verdict *verdict, enum kvmhb_result result,
			 struct pid *vmm)
{
	const struct kvmhb_action action = {
		.step = step,
		.verdict = *verdict,
		.result = result,
		.vmm_pid = pid_nr(vmm),
	};

	lockdep_assert_held(&mon->lock);

	kvmhb_report_action(&mon->reporter, &action);
}

static void react_work(struct work_struct *work)
{
	struct kvmhb_reactions *react = container_of(work, struct kvmhb_reactions, work);
	struct kvmhb_monitor *mon = react->mon;
	const struct kvmhb_plan *plan;
	struct kvmhb_verdict verdict;
	enum kvmhb_result result;
	enum kvmhb_step step;
	struct pid *vmm;

	mutex_lock(&mon->lock);
	verdict = mon->verdict;
	plan = kvmhb_policy_plan(&react->policy, &verdict);
	/* It may have come back to life, or been paused or muted, before we got here. */
	if (!react->taking || !plan || react->sequence.next >= plan->nr ||
	    mon->paused_at_ns || react_is_mute(react) || kvmhb_monitor_has_beaten(mon)) {
		react->taking = false;
		mutex_unlock(&mon->lock);
		kvmhb_turn_now(&mon->turn);
		return;
	}
	step = plan->steps[react->sequence.next++];
	react->sequence.waited_ns = 0;
	react->fresh = true;
	react->taking = false;
	kvmhb_budget_spend(&react->budget, ktime_get_ns());
	react->limited = false;
	react->actions++;
	react_withdraw_dump(mon);
	react->last = step;
	react->last_result = KVMHB_RESULT_NONE;
	react->last_seq = 0;
	if (step == KVMHB_STEP_BACKTRACE || step == KVMHB_STEP_DUMP) {
		react->last_seq = react_ask(mon, step);
		react->last_result = KVMHB_RESULT_ASKED;
		react->dump_asked = step == KVMHB_STEP_DUMP;
	}
	vmm = get_pid(mon->vm.vmm);
	mutex_unlock(&mon->lock);

	result = react_tell(mon, step, vmm);

	mutex_lock(&mon->lock);
	/* Of a guest that was asked there may be an answer by now. */
	if (result != KVMHB_RESULT_ASKED)
		react->last_result = result;
	react_report(mon, step, &verdict, result, vmm);
	mutex_unlock(&mon->lock);
	put_pid(vmm);
	/* Sets the next step's time. */
	kvmhb_turn_now(&mon->turn);
}

/**
 * kvmhb_react_to - a guest's verdict has changed
 * @mon: the monitor
 *
 * Return: false if that is not to be announced.
 */
bool kvmhb_react_to(struct kvmhb_monitor *mon)
{
	struct kvmhb_reactions *react = mon->reactions;

	lockdep_assert_held(&mon->lock);

	if (!react)
		return true;
	if (react->sequence.about != kvmhb_sequence_about(&mon->verdict)) {
		if (mon->verdict.state == KVMHB_DETACHED)
			kvmhb_react_settle(mon);
		else
			react_withdraw_dump(mon);
		kvmhb_sequence_go_on(&react->sequence, &mon->verdict);
		react->fresh = true;
		react->taking = false;
		/* Of the run clock of a guest that is not armed nobody knew until now. */
		if (kvmhb_react_watches(mon))
			kvmhb_watch_restart(&mon->watch, mon->vm.kvm, mon->vm.pulse);
	}
	if (!react_is_mute(react))
		return true;
	react->muted++;
	react->held++;
	return false;
}

/**
 * kvmhb_react_watches - whether a guest is looked at for the sake of a reaction alone
 * @mon: the monitor
 *
 * Return: true if it is dead and not armed, and something is to be done about that.
 */
bool kvmhb_react_watches(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	return mon->reactions && !kvmhb_verdict_is_armed(&mon->verdict) &&
	       kvmhb_policy_plan(&mon->reactions->policy, &mon->verdict);
}

/**
 * kvmhb_react - see whether a step is due, after a look
 * @mon: the monitor, whose VM runs
 * @elapsed_ns: time since the look before, ns
 * @run_ns: of it, the time in which the guest could have run, ns
 * @held: host or VMM keep the guest from running, the host is in trouble, or the guest may be
 *	coming back
 *
 * Return: when to look again for that, ns from now, or %KVMHB_NO_DEADLINE.
 */
u64 kvmhb_react(struct kvmhb_monitor *mon, u64 elapsed_ns, u64 run_ns, bool held)
{
	struct kvmhb_reactions *react = mon->reactions;
	const struct kvmhb_plan *plan;
	u64 due_in_ns;

	lockdep_assert_held(&mon->lock);

	if (!react || react_is_mute(react))
		return KVMHB_NO_DEADLINE;
	plan = kvmhb_policy_plan(&react->policy, &mon->verdict);
	if (!plan)
		return KVMHB_NO_DEADLINE;
	held &= kvmhb_can_run(&mon->verdict);
	if (react->taking && !held)
		return KVMHB_NO_DEADLINE;

	/* What has happened since it was found due holds for a step that is not taken yet, too. */
	react->taking = false;
	if (!react->fresh)
		react->sequence.waited_ns += kvmhb_can_run(&mon->verdict) ? run_ns : elapsed_ns;
	react->fresh = false;
	due_in_ns = kvmhb_sequence_due_in_ns(&react->sequence, &react->policy, plan);
	if (due_in_ns)
		return max(due_in_ns, REACT_LOOK_MIN_NS);
	if (held)
		return REACT_HELD_NS;
	/* The guest's timer may be on a CPU that has died since it was accused. */
	if (kvmhb_can_run(&mon->verdict) &&
	    kvmhb_watch_ask_host(&mon->watch, mon->judging.timeout_ns))
		return REACT_LOOK_MIN_NS;

	if (kvmhb_budget_is_spent(&react->budget, &react->policy, ktime_get_ns())) {
		react->sequence.over = true;
		if (!react->limited)
			react_report(mon, plan->steps[react->sequence.next], &mon->verdict,
				     KVMHB_RESULT_LIMITED, mon->vm.vmm);
		react->limited = true;
		return KVMHB_NO_DEADLINE;
	}
	react->taking = true;
	queue_work(react_wq, &react->work);
	return KVMHB_NO_DEADLINE;
}

static unsigned long react_unmute_in(u64 left_ns)
{
	return nsecs_to_jiffies(min(left_ns, REACT_UNMUTE_NS)) + 1;
}

/* The mute is over: what is still bad is announced, and something done about it. */
static void react_unmute(struct work_struct *work)
{
	struct kvmhb_reactions *react = container_of(work, struct kvmhb_reactions, unmute.work);
	struct kvmhb_monitor *mon = react->mon;
	u64 left_ns;

	mutex_lock(&mon->lock);
	left_ns = react_mute_left_ns(react);
	if (left_ns) {
		queue_delayed_work(react_wq, &react->unmute, react_unmute_in(left_ns));
	} else if (react_is_mute(react)) {
		react->mute_until_ns = 0;
		react->fresh = true;
		if (react->held)
			kvmhb_monitor_announce(mon);
		react->held = 0;
		kvmhb_turn_now(&mon->turn);
	}
	mutex_unlock(&mon->lock);
}

/* The reactions of a monitor, which has them from now on; NULL without memory. */
static struct kvmhb_reactions *react_provide(struct kvmhb_monitor *mon)
{
	struct kvmhb_reactions *react = mon->reactions;

	lockdep_assert_held(&mon->lock);

	if (react)
		return react;
	react = kzalloc(sizeof(*react), GFP_KERNEL_ACCOUNT);
	if (!react)
		return NULL;
	react->mon = mon;
	kvmhb_policy_init(&react->policy);
	react->sequence.about = kvmhb_sequence_about(&mon->verdict);
	react->fresh = true;
	INIT_WORK(&react->work, react_work);
	INIT_DELAYED_WORK(&react->unmute, react_unmute);
	mon->reactions = react;
	return react;
}

/* The steps about a state are others than before: they begin with the first. */
static void react_begin(struct kvmhb_reactions *react, enum kvmhb_state state)
{
	if (react->sequence.about != state)
		return;
	react->sequence = (struct kvmhb_sequence) { .about = state };
	react->fresh = true;
	react->taking = false;
}

/**
 * kvmhb_react_configure - change what is done about a guest that is dead
 * @mon: the monitor
 * @change: what changes
 *
 * An outage that lasts is not too late for it: the steps of another list begin with the first.
 *
 * Return: 0; -ERANGE if a value is out of its range; -ENOMEM. Nothing changes on error.
 * Context: process; takes @mon->lock.
 */
int kvmhb_react_configure(struct kvmhb_monitor *mon, const struct kvmhb_policy_change *change)
{
	struct kvmhb_reactions *react;
	bool watched;
	int ret = 0;

	if ((change->delay_ns && *change->delay_ns > KVMHB_TIMEOUT_MAX_NS) ||
	    (change->max && (!*change->max || *change->max > KVMHB_ACTIONS_MAX)) ||
	    (change->window_ns && (*change->window_ns < REACT_WINDOW_MIN_NS ||
				   *change->window_ns > REACT_WINDOW_MAX_NS)))
		return -ERANGE;

	mutex_lock(&mon->lock);
	react = react_provide(mon);
	if (!react) {
		ret = -ENOMEM;
		goto unlock;
	}
	watched = kvmhb_react_watches(mon);
	if (change->on_unresponsive) {
		react->policy.on_unresponsive = *change->on_unresponsive;
		react_begin(react, KVMHB_UNRESPONSIVE);
	}
	if (change->on_panicked) {
		react->policy.on_panicked = *change->on_panicked;
		react_begin(react, KVMHB_PANICKED);
	}
	if (change->delay_ns)
		react->policy.delay_ns = *change->delay_ns;
	if (change->max)
		react->policy.max = *change->max;
	if (change->window_ns)
		react->policy.window_ns = *change->window_ns;
	if (!watched && kvmhb_react_watches(mon))
		kvmhb_watch_restart(&mon->watch, mon->vm.kvm, mon->vm.pulse);
	kvmhb_turn_now(&mon->turn);
unlock:
	mutex_unlock(&mon->lock);
	return ret;
}

/**
 * kvmhb_react_mute - announce nothing and do nothing for some time
 * @mon: the monitor
 * @ns: for so long, ns; 0 ends it
 *
 * Return: 0; -ERANGE if that is more than %KVMHB_MUTE_MAX_NS; -ENOMEM. Context: process; takes
 * @mon->lock.
 */
int kvmhb_react_mute(struct kvmhb_monitor *mon, u64 ns)
{
	struct kvmhb_reactions *react;

	if (ns > KVMHB_MUTE_MAX_NS)
		return -ERANGE;

	mutex_lock(&mon->lock);
	react = react_provide(mon);
	if (react && (ns || react->mute_until_ns)) {
		react->mute_until_ns = ktime_get_ns() + ns;
		mod_delayed_work(react_wq, &react->unmute, ns ? react_unmute_in(ns) : 0);
		react_withdraw_dump(mon);
	}
	mutex_unlock(&mon->lock);
	return react ? 0 : -ENOMEM;
}

/**
 * kvmhb_react_show - take all that is to be seen of the reactions
 * @mon: the monitor
 * @shown: where to store it
 */
void kvmhb_react_show(struct kvmhb_monitor *mon, struct kvmhb_reactions_shown *shown)
{
	struct kvmhb_reactions *react;

	*shown = (struct kvmhb_reactions_shown) {};
	kvmhb_policy_init(&shown->policy);
	kvmhb_monitor_lock_to_read(mon);
	react = mon->reactions;
	if (react) {
		*shown = (struct kvmhb_reactions_shown) {
			.policy = react->policy,
			.actions = react->actions,
			.last = react->last,
			.last_result = react_result(mon),
			.mute_ns = react_mute_left_ns(react),
			.muted = react->muted,
		};
	}
	kvmhb_monitor_unlock_to_read(mon);
}

/**
 * kvmhb_react_flush - wait for a step that is being taken
 * @mon: the monitor, detached: no other one follows
 */
void kvmhb_react_flush(struct kvmhb_monitor *mon)
{
	struct kvmhb_reactions *react;

	mutex_lock(&mon->lock);
	react = mon->reactions;
	mutex_unlock(&mon->lock);
	if (react)
		flush_work(&react->work);
}

/**
 * kvmhb_react_stop - do and announce nothing any more
 * @mon: the monitor, detached; nobody else knows it any more
 */
void kvmhb_react_stop(struct kvmhb_monitor *mon)
{
	struct kvmhb_reactions *react = mon->reactions;

	if (!react)
		return;
	cancel_delayed_work_sync(&react->unmute);
	cancel_work_sync(&react->work);
}

/**
 * kvmhb_reacts_init - prepare to react
 *
 * Return: 0 or -ENOMEM.
 */
int kvmhb_reacts_init(void)
{
	react_wq = alloc_workqueue("kvm_heartbeat_react",
				   WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	return react_wq ? 0 : -ENOMEM;
}

/**
 * kvmhb_reacts_exit - undo kvmhb_reacts_init()
 *
 * No monitor is left.
 */
void kvmhb_reacts_exit(void)
{
	destroy_workqueue(react_wq);
}
