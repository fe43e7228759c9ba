// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: why beats begin and end
 *
 * Silence alone would look like death. So the guest says when it means to
 * fall silent, and nothing rings after the word is said: a pause (suspend,
 * unload) stops the timers first; the last word (reboot, panic) takes the
 * line for good, since it must not depend on CPUs that may not answer.
 *
 * A kernel that crashes may start its crash kernel without any last word. So
 * it says when it meets a fault that may be its end, and the crash kernel, if
 * it has this driver, says what it is.
 */
#include <linux/crash_dump.h>
#include <linux/device.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/kdebug.h>
#include <linux/limits.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "kvmhb.h"

#define KVMHB_LINE_POLL_US	100
#define KVMHB_LINE_TIMEOUT_US	USEC_PER_SEC

/*
 * writel() orders what we stored in the pulse page before the word. After a
 * goodbye the next to arm may be a driver that knows less of the page than we
 * do: nothing is left there by which it would be judged.
 */
static void kvmhb_say_goodbye(struct kvmhb *hb, enum kvm_heartbeat_lifecycle word)
{
	WRITE_ONCE(hb->pulse->blocked_timeout_ms, 0);
	writel(word, hb->regs + KVM_HEARTBEAT_REG_LIFECYCLE);
}

/* Whether this kernel is there to save the memory of one that has crashed. */
static bool kvmhb_dumps(const struct kvmhb *hb)
{
	return hb->crashes && is_kdump_kernel();
}

/**
 * kvmhb_arm() - tell the host that a new incarnation beats, and beat
 * @hb: the device, whose timers are stopped
 *
 * Does nothing once the last word has been said. A crash kernel obeys no host:
 * what it has to do is more than anything that it could be asked for.
 *
 * Context: Process context, may sleep. Takes cpus_read_lock() and kvmhb::lock.
 */
void kvmhb_arm(struct kvmhb *hb)
{
	if (!kvmhb_line_take(hb))
		return;

	kvmhb_beats_reset(hb);
	kvmhb_requests_forget(hb);
	writel(kvmhb_dumps(hb) ? KVM_HEARTBEAT_DUMPING : KVM_HEARTBEAT_ARM,
	       hb->regs + KVM_HEARTBEAT_REG_LIFECYCLE);
	if (!kvmhb_dumps(hb))
		kvmhb_requests_start(hb);
	kvmhb_line_release(hb);

	kvmhb_beats_start(hb);
}

/**
 * kvmhb_disarm() - stop to beat and tell the host why
 * @hb: the device
 * @why: %KVM_HEARTBEAT_SUSPEND or %KVM_HEARTBEAT_UNLOAD
 *
 * Context: Process context, may sleep. Takes cpus_read_lock() and kvmhb::lock.
 */
void kvmhb_disarm(struct kvmhb *hb, enum kvm_heartbeat_lifecycle why)
{
	kvmhb_requests_stop(hb);
	kvmhb_beats_stop(hb);

	/* With no tick left, only the last word can be holding the line. */
	if (!kvmhb_line_take(hb))
		return;

	kvmhb_say_goodbye(hb, why);
	kvmhb_line_release(hb);
}

static void kvmhb_unload(void *data)
{
	kvmhb_disarm(data, KVM_HEARTBEAT_UNLOAD);
}

static int kvmhb_reboot(struct notifier_block *nb, unsigned long action,
			void *data)
{
	struct kvmhb *hb = container_of(nb, struct kvmhb, reboot_nb);
	enum kvm_heartbeat_lifecycle word;
	bool ours;

	if (action == SYS_RESTART)
		word = KVM_HEARTBEAT_REBOOT;
	else if (hb->hibernating)	/* power-off: its image is to wake up again */
		word = KVM_HEARTBEAT_SUSPEND;
	else
		word = KVM_HEARTBEAT_SHUTDOWN;

	/*
	 * A beat that is under way lands first. The wait is bounded: a CPU
	 * that the host does not run must not hold up the reboot.
	 */
	read_poll_timeout(kvmhb_line_take, ours, ours, KVMHB_LINE_POLL_US,
			  KVMHB_LINE_TIMEOUT_US, false, hb);
	kvmhb_say_goodbye(hb, word);
	return NOTIFY_DONE;
}

/* The kernel's own order, before it freezes userspace, and after it has thawed it. */
static int kvmhb_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	struct kvmhb *hb = container_of(nb, struct kvmhb, pm_nb);

	switch (action) {
	case PM_HIBERNATION_PREPARE:
		hb->hibernating = true;
		fallthrough;
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		kvmhb_user_freeze(hb, true);
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		kvmhb_user_freeze(hb, false);
		hb->hibernating = false;
		break;
	}
	return NOTIFY_DONE;
}

static void kvmhb_pm_unregister(void *data)
{
	struct kvmhb *hb = data;

	unregister_pm_notifier(&hb->pm_nb);
}

static int kvmhb_panic(struct notifier_block *nb, unsigned long action,
		       void *data)
{
	struct kvmhb *hb = container_of(nb, struct kvmhb, panic_nb);

	/*
	 * Not waiting for it: if the line is taken, then by a CPU that has been
	 * stopped or by the tick we interrupted, and nobody will give it back,
	 * which is just as well. Without it, the timer of this very CPU might
	 * ring on, since panic() ends in a loop with interrupts enabled. Nor is
	 * a host to be obeyed from there: to panic once more helps nobody.
	 */
	kvmhb_requests_stop(hb);
	kvmhb_line_take(hb);
	kvmhb_say_goodbye(hb, KVM_HEARTBEAT_PANIC);
	return NOTIFY_DONE;
}

/*
 * The crash kernel, if there is one, is started right after this, without the
 * panic notifiers. Of any context, NMI included. Not with the line: beats go on
 * if the kernel survives, which shows that it has.
 */
static int kvmhb_die(struct notifier_block *nb, unsigned long event, void *data)
{
	struct kvmhb *hb = container_of(nb, struct kvmhb, die_nb);

	if (event == DIE_OOPS)
		writel(KVM_HEARTBEAT_OOPS, hb->regs + KVM_HEARTBEAT_REG_LIFECYCLE);
	return NOTIFY_DONE;
}

static void kvmhb_die_unregister(void *data)
{
	struct kvmhb *hb = data;

	unregister_die_notifier(&hb->die_nb);
}

static void kvmhb_panic_unregister(void *data)
{
	struct kvmhb *hb = data;

	atomic_notifier_chain_unregister(&panic_notifier_list, &hb->panic_nb);
}

/**
 * kvmhb_lifecycle_init() - arm the device and watch for the guest's end
 * @hb: the device, ready to beat
 *
 * Undone when the driver lets go of the device.
 *
 * Context: Process context, may sleep. Takes cpus_read_lock() and kvmhb::lock.
 * Return: 0 or a negative errno.
 */
int kvmhb_lifecycle_init(struct kvmhb *hb)
{
	int ret;

	hb->crashes = readl(hb->regs + KVM_HEARTBEAT_REG_FEATURES) &
		      KVM_HEARTBEAT_FEATURE_CRASHES;
	kvmhb_arm(hb);
	ret = devm_add_action_or_reset(hb->dev, kvmhb_unload, hb);
	if (ret)
		return ret;

	hb->reboot_nb.notifier_call = kvmhb_reboot;
	ret = devm_register_reboot_notifier(hb->dev, &hb->reboot_nb);
	if (ret)
		return ret;

	hb->pm_nb.notifier_call = kvmhb_pm;
	ret = register_pm_notifier(&hb->pm_nb);
	if (ret)
		return ret;
	ret = devm_add_action_or_reset(hb->dev, kvmhb_pm_unregister, hb);
	if (ret)
		return ret;

	if (hb->crashes) {
		hb->die_nb.notifier_call = kvmhb_die;
		ret = register_die_notifier(&hb->die_nb);
		if (ret)
			return ret;
		ret = devm_add_action_or_reset(hb->dev, kvmhb_die_unregister, hb);
		if (ret)
			return ret;
	}

	/* Before all others: who comes later may not get to run. */
	hb->panic_nb.notifier_call = kvmhb_panic;
	hb->panic_nb.priority = INT_MAX;
	atomic_notifier_chain_register(&panic_notifier_list, &hb->panic_nb);
	return devm_add_action_or_reset(hb->dev, kvmhb_panic_unregister, hb);
}
