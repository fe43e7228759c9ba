// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: the watchdog that userspace pings
 *
 * An ordinary Linux watchdog, but one that does not bite: it resets nothing.
 * The beats tell the host how old the last ping is, and the host reports it.
 *
 * Nothing here touches the device: we leave word in struct kvmhb, and the next
 * beat passes it on. So the page has one writer, the holder of the line, and
 * what it says of userspace is always as of one moment. A ping costs no exit.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/time64.h>
#include <linux/watchdog.h>

#include "kvmhb.h"

#define KVMHB_TIMEOUT_DEFAULT_S	60
#define KVMHB_TIMEOUT_MAX_S	86400

static bool nowayout = WATCHDOG_NOWAYOUT;
module_param(nowayout, bool, 0444);
MODULE_PARM_DESC(nowayout, "Watchdog, once started, can't be stopped (default="
		 __MODULE_STRING(WATCHDOG_NOWAYOUT) ")");

/*
 * Called to start, for every ping, and when a running watchdog's timeout has
 * changed: the core does all three by this if there is no other operation. It
 * sees to it that calls do not overlap.
 */
static int kvmhb_watchdog_start(struct watchdog_device *wdd)
{
	struct kvmhb *hb = watchdog_get_drvdata(wdd);

	WRITE_ONCE(hb->pings, hb->pings + 1);

	/*
	 * Release: a beat that finds a new timeout finds the ping too, and does
	 * not judge by an age from before. Pairs with kvmhb_user_publish().
	 */
	smp_store_release(&hb->user_timeout_ms, wdd->timeout * MSEC_PER_SEC);
	return 0;
}

static int kvmhb_watchdog_stop(struct watchdog_device *wdd)
{
	struct kvmhb *hb = watchdog_get_drvdata(wdd);

	WRITE_ONCE(hb->user_timeout_ms, 0);
	return 0;
}

static const struct watchdog_info kvmhb_watchdog_info = {
	.options = WDIOF_SETTIMEOUT | WDIOF_KEEPALIVEPING | WDIOF_MAGICCLOSE,
	.identity = "kvm_heartbeat",
};

static const struct watchdog_ops kvmhb_watchdog_ops = {
	.owner = THIS_MODULE,
	.start = kvmhb_watchdog_start,
	.stop = kvmhb_watchdog_stop,
};

static int kvmhb_watchdog_register(struct kvmhb *hb)
{
	struct watchdog_device *wdd;

	wdd = devm_kzalloc(hb->dev, sizeof(*wdd), GFP_KERNEL);
	if (!wdd)
		return -ENOMEM;

	wdd->parent = hb->dev;
	wdd->info = &kvmhb_watchdog_info;
	wdd->ops = &kvmhb_watchdog_ops;
	wdd->timeout = KVMHB_TIMEOUT_DEFAULT_S;
	wdd->min_timeout = 1;
	wdd->max_timeout = KVMHB_TIMEOUT_MAX_S;
	watchdog_set_drvdata(wdd, hb);
	watchdog_set_nowayout(wdd, nowayout);
	return devm_watchdog_register_device(hb->dev, wdd);
}

/**
 * kvmhb_watchdog_init() - offer userspace a watchdog
 * @hb: the device, beating
 *
 * Undone when the driver lets go of the device, before the beats end. There is
 * no watchdog if the host would not look at it, and none if it can't be had:
 * the beats go on without.
 *
 * Context: Process context, may sleep.
 */
void kvmhb_watchdog_init(struct kvmhb *hb)
{
	u32 features = readl(hb->regs + KVM_HEARTBEAT_REG_FEATURES);
	int ret;

	if (!(features & KVM_HEARTBEAT_FEATURE_LAYERS))
		return;

	ret = kvmhb_watchdog_register(hb);
	if (ret)
		dev_warn(hb->dev, "no watchdog for userspace (%pe)\n",
			 ERR_PTR(ret));
}
