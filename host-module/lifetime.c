// SPDX-License-Identifier: GPL-2.0
/* The life of a monitor, and of the VMs that it is attached to one after the other. */

#include <linux/pid.h>
#include <linux/slab.h>

#include "kvm_heartbeat.h"
#include "monitor.h"

static void monitor_wake(struct kvmhb_tally *tally)
{
	kvmhb_turn_now(&container_of(tally, struct kvmhb_monitor, tally)->turn);
}

/*
 * A guest that has shut a CPU down by a triple fault does not say goodbye; the VMM
 * resets it, or ends.
 */
static void monitor_end_incarnation(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	atomic64_add(kvmhb_monitor_missing(mon), &mon->tally.missed);
	if (kvmhb_verdict_is_armed(&mon->verdict) && kvmhb_evidence_has_shut_down(mon->vm.kvm))
		kvmhb_monitor_change(mon, KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT);
	kvmhb_monitor_judge_by(mon, mon->config.timing, false);
}

/* A fresh device, whose guest has yet to say something. */
static void monitor_await_guest(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	kvmhb_react_settle(mon);	/* while there is an answer to be read */
	kvmhb_pulse_reset(mon->vm.pulse, &mon->config.timing);
	monitor_end_incarnation(mon);
	mon->lifecycle = KVM_HEARTBEAT_NONE;
	atomic64_set(&mon->tally.last_beat_at_ns, 0);
	kvmhb_monitor_change(mon, KVMHB_WAITING, KVMHB_CAUSE_NONE);
	kvmhb_monitor_begin_deadline(mon);	/* though it may have waited before */
	mon->moves = false;
	mon->paused_at_ns = 0;	/* a silence ended when the VM was paused */
	mon->arrived = false;
	kvmhb_monitor_look(mon);
}

/**
 * kvmhb_monitor_reset - the device was reset, as with the whole VM
 * @mon: the monitor, attached
 */
void kvmhb_monitor_reset(struct kvmhb_monitor *mon)
{
	bool lost;

	mutex_lock(&mon->lock);
	lost = mon->tally.lost || kvmhb_verdict_is_armed(&mon->verdict) ||
	       mon->lifecycle == KVM_HEARTBEAT_DUMPING;
	kvmhb_life_reset(&mon->life, mon->lifecycle);
	monitor_await_guest(mon);
	kvmhb_tally_lose(&mon->tally, lost);
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_attach - a VM has opened the device
 * @mon: the monitor, detached
 * @vm: the VM; its pulse page and KVM's part are valid until kvmhb_monitor_detach()
 *	returns
 *
 * All counters begin anew.
 */
void kvmhb_monitor_attach(struct kvmhb_monitor *mon, const struct kvmhb_vm *vm)
{
	mutex_lock(&mon->lock);
	kvmhb_watch_uninit(&mon->watch);	/* kept until now, to be read */
	mon->vm = *vm;
	get_pid(vm->vmm);
	mon->goodbye = KVMHB_CAUSE_NONE;
	mon->outages.count = 0;
	mon->outages.downtime_ns = 0;
	mon->life = (struct kvmhb_life) {};
	kvmhb_tally_attach(&mon->tally, vm->pulse);
	monitor_await_guest(mon);
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_detach - the VM has closed the device
 * @mon: the monitor, attached; no beat and no word may arrive any more
 *
 * When it returns, nobody will look.
 */
void kvmhb_monitor_detach(struct kvmhb_monitor *mon)
{
	mutex_lock(&mon->lock);
	monitor_end_incarnation(mon);
	WRITE_ONCE(mon->tally.lost, false);	/* a last look is to find nobody */
	kvmhb_turn_never(&mon->turn);	/* patrols read the pulse */
	mon->tally.pulse = NULL;
	kvmhb_monitor_change(mon, KVMHB_DETACHED, mon->moves ? KVMHB_CAUSE_MIGRATED :
			     mon->goodbye ?: KVMHB_CAUSE_VMM_GONE);
	put_pid(mon->vm.vmm);
	mon->vm = (struct kvmhb_vm) {};	/* not before: the report says whose it was */
	mon->paused_at_ns = 0;	/* as with a reset */
	mon->leaving = false;
	mon->arrived = false;
	kvmhb_monitor_look(mon);
	mutex_unlock(&mon->lock);

	kvmhb_react_flush(mon);
	/* Detached, kvmhb_monitor_look() sets no turn any more: what is queued is the last. */
	kvmhb_turn_flush(&mon->turn);
	kvmhb_report_flush(&mon->reporter);
}

/**
 * kvmhb_monitor_init - make a monitor
 * @mon: what to initialise
 * @dev: the device by whose name it is known, until kvmhb_monitor_stop() returns
 * @config: what it begins with
 * @ops: the way back to its device
 */
void kvmhb_monitor_init(struct kvmhb_monitor *mon, struct device *dev,
			const struct kvmhb_config *config,
			const struct kvmhb_monitor_ops *ops)
{
	mutex_init(&mon->lock);
	mon->ops = ops;
	mon->config = *config;
	mon->timing = config->timing;
	mon->tally.dev = dev;
	mon->tally.wake = monitor_wake;
	mon->tally.interval_ns = config->timing.interval_ns;
	kvmhb_turn_init(&mon->turn, &mon->tally, &mon->lock, kvmhb_monitor_take_turn);
	kvmhb_reporter_init(&mon->reporter, dev);
	kvmhb_monitor_say_if_too_fine(mon);
}

/**
 * kvmhb_monitor_stop - look, do and announce nothing any more
 * @mon: the monitor, detached; nobody attaches, sets or reads it any more
 *
 * When it returns, the monitor's device is used no more.
 */
void kvmhb_monitor_stop(struct kvmhb_monitor *mon)
{
	kvmhb_react_stop(mon);
	kvmhb_report_flush(&mon->reporter);	/* a mute may have ended since the last VM */
	kvmhb_turn_uninit(&mon->turn);
}

/**
 * kvmhb_monitor_uninit - unmake a monitor
 * @mon: what kvmhb_monitor_init() initialised, stopped
 */
void kvmhb_monitor_uninit(struct kvmhb_monitor *mon)
{
	kfree(mon->reactions);
	kfree(mon->deadlines);
	kvmhb_watch_uninit(&mon->watch);
	mutex_destroy(&mon->lock);
}

/**
 * kvmhb_monitors_init - prepare what all monitors share
 *
 * Return: 0 or a negative errno.
 */
int kvmhb_monitors_init(void)
{
	int ret;

	ret = kvmhb_reports_init();
	if (ret)
		return ret;
	ret = kvmhb_host_init();
	if (ret)
		goto reports_exit;
	ret = kvmhb_reacts_init();
	if (ret)
		goto host_exit;
	ret = kvmhb_turns_init();
	if (ret)
		goto reacts_exit;
	return 0;

reacts_exit:
	kvmhb_reacts_exit();
host_exit:
	kvmhb_host_exit();
reports_exit:
	kvmhb_reports_exit();
	return ret;
}

/**
 * kvmhb_monitors_exit - undo kvmhb_monitors_init()
 *
 * Every monitor is detached.
 */
void kvmhb_monitors_exit(void)
{
	kvmhb_turns_exit();
	kvmhb_reacts_exit();
	kvmhb_host_exit();
	kvmhb_reports_exit();
}
