// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat tests: a timer on every CPU, and nothing else
 *
 * Ticks when the guest module would, by a timer of the same kind, but does
 * nothing then. What the guest module costs beyond that is its own.
 *
 *   interval_ns  1000000 (1 ms) to 3600000000000 (1 h), a second if not given
 *
 * No CPU may come or go while it is loaded: it looks after none that does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/time64.h>

#include "compat.h"

#define TIMERS_MIN_NS	(1ULL * NSEC_PER_MSEC)
#define TIMERS_MAX_NS	(3600ULL * NSEC_PER_SEC)

static unsigned long long interval_ns = NSEC_PER_SEC;
module_param(interval_ns, ullong, 0444);
MODULE_PARM_DESC(interval_ns, "time between two ticks of a CPU, ns: 1 ms to 1 h");

static DEFINE_PER_CPU(struct hrtimer, timers);

static enum hrtimer_restart timers_tick(struct hrtimer *timer)
{
	hrtimer_add_expires_ns(timer, interval_ns);
	return HRTIMER_RESTART;
}

/* From the next multiple of the interval on. Runs on the CPU itself. */
static void timers_start(void *unused)
{
	u64 passed = div64_u64(ktime_get_ns(), interval_ns);

	hrtimer_start(this_cpu_ptr(&timers),
		      ns_to_ktime((passed + 1) * interval_ns),
		      HRTIMER_MODE_ABS_PINNED_HARD);
}

static int __init heartbeat_timers_init(void)
{
	unsigned int nr;

	if (interval_ns < TIMERS_MIN_NS || interval_ns > TIMERS_MAX_NS) {
		pr_err("interval_ns=%llu: the interval is 1 ms to 1 h\n",
		       interval_ns);
		return -ERANGE;
	}

	for_each_possible_cpu(nr)
		hrtimer_setup(per_cpu_ptr(&timers, nr), timers_tick,
			      CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	on_each_cpu(timers_start, NULL, 1);
	return 0;
}
module_init(heartbeat_timers_init);

static void __exit heartbeat_timers_exit(void)
{
	unsigned int nr;

	for_each_possible_cpu(nr)
		hrtimer_cancel(per_cpu_ptr(&timers, nr));
}
module_exit(heartbeat_timers_exit);

MODULE_DESCRIPTION("Empty timers, to compare kvm-heartbeat with");
MODULE_AUTHOR("kvm-heartbeat authors");
MODULE_LICENSE("GPL");
