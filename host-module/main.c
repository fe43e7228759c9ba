// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat, host side: offers the device that a VMM hands to its guest, and with it a
 * monitor for each.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "mdev.h"
#include "monitor.h"
#include "timing.h"

static unsigned long long interval_ns = 2000000000;
module_param(interval_ns, ullong, 0444);
MODULE_PARM_DESC(interval_ns,
		 "Time between two beats of new monitors, ns: 1 ms to 1 h (default 2000000000)");

static unsigned long long timeout_ns;
module_param(timeout_ns, ullong, 0444);
MODULE_PARM_DESC(timeout_ns,
		 "Silence that makes guests of new monitors unresponsive, ns: above the interval, to 24 h (default 0: twice the interval)");

static char *on_unresponsive = "none";
module_param(on_unresponsive, charp, 0444);
MODULE_PARM_DESC(on_unresponsive,
		 "Steps that new monitors take about a guest that is unresponsive: none, or some of backtrace, dump, pause, kill, with commas (default none)");

static char *on_panicked = "none";
module_param(on_panicked, charp, 0444);
MODULE_PARM_DESC(on_panicked, "Likewise of one that has panicked (default none)");

static int __init main_parse_plan(struct kvmhb_plan *plan, const char *name, const char *words)
{
	int ret = kvmhb_plan_parse(plan, words);

	if (ret)
		pr_err("%s=%s: none, or some of backtrace, dump, pause and kill, each once, in the order in which they are to be taken\n",
		       name, words);
	return ret;
}

static int __init kvm_heartbeat_init(void)
{
	struct kvmhb_config config = { .timeout_set_ns = timeout_ns };
	struct kvmhb_policy policy;
	int ret;

	ret = kvmhb_timing_make(&config.timing, interval_ns, timeout_ns);
	if (ret) {
		pr_err("interval_ns=%llu timeout_ns=%llu: the interval is 1 ms to 1 h, the timeout above it and up to 24 h, or 0\n",
		       interval_ns, timeout_ns);
		return ret;
	}

	kvmhb_policy_init(&policy);
	ret = main_parse_plan(&policy.on_unresponsive, "on_unresponsive", on_unresponsive) ?:
	      main_parse_plan(&policy.on_panicked, "on_panicked", on_panicked);
	if (ret)
		return ret;

	ret = kvmhb_monitors_init();
	if (ret)
		return ret;
	ret = kvmhb_mdev_init(&config, &policy);
	if (ret)
		kvmhb_monitors_exit();
	return ret;
}
module_init(kvm_heartbeat_init);

static void __exit kvm_heartbeat_exit(void)
{
	kvmhb_mdev_exit();
	kvmhb_monitors_exit();
}
module_exit(kvm_heartbeat_exit);

MODULE_DESCRIPTION("Heartbeat monitor for KVM guests");
MODULE_AUTHOR("The kvm-heartbeat authors");
MODULE_LICENSE("GPL");
