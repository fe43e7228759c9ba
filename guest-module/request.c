// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: what the host asks for
 *
 * The host thinks that we are dead, and asks for our stacks or for a dump. So
 * nothing here may depend on anything that may be dead: whichever CPU first
 * sees the request answers and obeys, in hard interrupt context, be it that of
 * the MSI or that of a tick. No thread is needed, nor the line, which may be
 * just what hangs, or be gone with the last word of a reboot that hangs.
 *
 * A module can't send the NMI by which the kernel itself gets the stacks of all
 * CPUs. So each CPU is interrupted and prints its own. A CPU that takes no
 * interrupts is named instead.
 */
#define pr_fmt(fmt) "kvm_heartbeat: " fmt

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "compat.h"
#include "kvmhb.h"

/* Whatever the host asks: it is the log of the guest that fills. */
#define KVMHB_STACKS_EVERY_NS	(10ULL * NSEC_PER_SEC)
/* By then a CPU that takes interrupts has taken this one. */
#define KVMHB_STACKS_WAIT_MS	2000

/**
 * struct kvmhb_stack - asks one CPU for its stack
 * @csd: has the CPU print it
 * @asked: bit 0: @csd is under way
 */
struct kvmhb_stack {
	call_single_data_t csd;
	unsigned long asked;
};

/* All devices share these. */
static DEFINE_PER_CPU(struct kvmhb_stack, kvmhb_stacks);
static struct hrtimer kvmhb_stacks_over;
static struct cpumask kvmhb_stacks_missing;	/* of that timer's callback */

/*
 * Held by who answers a request, for a moment. They only try: another CPU that
 * sees the same request has nothing to do, and one that sees the next looks
 * again at its next tick.
 */
static DEFINE_RAW_SPINLOCK(kvmhb_request_lock);
static u64 kvmhb_stacks_at_ns;	/* when last, if ever; guarded by the lock */

static const char * const kvmhb_request_words[] = {
	[KVM_HEARTBEAT_REQUEST_BACKTRACE] = "backtrace",
	[KVM_HEARTBEAT_REQUEST_DUMP] = "dump",
};

/* Bit n: what the host may ask for by n. */
static unsigned long kvmhb_allowed = BIT(KVM_HEARTBEAT_REQUEST_BACKTRACE);

static void kvmhb_stack_print(void *data)
{
	struct kvmhb_stack *stack = data;

	/* First, so that a CPU that waits for the console passes for alive. */
	clear_bit(0, &stack->asked);
	dump_stack();
}

static enum hrtimer_restart kvmhb_stacks_end(struct hrtimer *timer)
{
	unsigned int nr;

	cpumask_clear(&kvmhb_stacks_missing);
	for_each_possible_cpu(nr)
		if (test_bit(0, &per_cpu(kvmhb_stacks, nr).asked))
			cpumask_set_cpu(nr, &kvmhb_stacks_missing);
	if (!cpumask_empty(&kvmhb_stacks_missing))
		pr_warn("no stack of CPUs %*pbl, which take no interrupts\n",
			cpumask_pr_args(&kvmhb_stacks_missing));
	return HRTIMER_NORESTART;
}

/*
 * Nobody waits for a CPU: who is dead would take down the one that asks. If it
 * comes back to life it prints its stack then, and is not asked twice.
 */
static void kvmhb_stacks_ask(void)
{
	unsigned int nr;

	pr_warn("the host asks for the stacks of all CPUs\n");
	/*
	 * Before the stacks: they take their time, with interrupts off. Pinned, as
	 * an idle CPU leaves its timers to a busy one, which may be the dead one.
	 */
	hrtimer_start(&kvmhb_stacks_over, ms_to_ktime(KVMHB_STACKS_WAIT_MS),
		      HRTIMER_MODE_REL_PINNED_HARD);

	for_each_online_cpu(nr) {
		struct kvmhb_stack *stack = &per_cpu(kvmhb_stacks, nr);

		if (nr == smp_processor_id() ||
		    test_and_set_bit(0, &stack->asked))
			continue;
		if (smp_call_function_single_async(nr, &stack->csd))
			clear_bit(0, &stack->asked);
	}
	dump_stack();
}

/* The word of a request that is to be answered, or 0. */
static u32 kvmhb_request_new(struct kvmhb *hb)
{
	u32 word = le32_to_cpu(READ_ONCE(hb->pulse->request));
	u32 seen = le32_to_cpu(hb->request_seen);

	lockdep_assert_held(&kvmhb_request_lock);

	/* Did somebody stop us since? Then the next start says what is old. */
	if (!READ_ONCE(hb->obeys))
		return 0;
	WRITE_ONCE(hb->request_seen, cpu_to_le32(word));
	if ((word & KVM_HEARTBEAT_REQUEST_WHAT) == KVM_HEARTBEAT_REQUEST_NONE ||
	    word >> KVM_HEARTBEAT_REQUEST_SEQ_SHIFT ==
	    seen >> KVM_HEARTBEAT_REQUEST_SEQ_SHIFT)
		return 0;
	return word;
}

static enum kvm_heartbeat_answer kvmhb_request_answer(unsigned int what)
{
	u64 now_ns = ktime_get_ns();

	lockdep_assert_held(&kvmhb_request_lock);

	if (what >= ARRAY_SIZE(kvmhb_request_words))
		return KVM_HEARTBEAT_ANSWER_UNKNOWN;
	if (!(READ_ONCE(kvmhb_allowed) & BIT(what)))
		return KVM_HEARTBEAT_ANSWER_REFUSED;

	if (what == KVM_HEARTBEAT_REQUEST_BACKTRACE) {
		if (kvmhb_stacks_at_ns &&
		    now_ns - kvmhb_stacks_at_ns < KVMHB_STACKS_EVERY_NS)
			return KVM_HEARTBEAT_ANSWER_BUSY;
		kvmhb_stacks_at_ns = now_ns;
	}
	return KVM_HEARTBEAT_ANSWER_OBEYED;
}

/* Called without the lock, by the CPU that has answered so. */
static void kvmhb_request_do(unsigned int what,
			     enum kvm_heartbeat_answer answer)
{
	static DEFINE_RATELIMIT_STATE(refusals, 10 * HZ, 1);

	if (answer == KVM_HEARTBEAT_ANSWER_REFUSED) {
		if (__ratelimit(&refusals))
			pr_warn("the host asks for a %s, which the parameter allow does not list\n",
				kvmhb_request_words[what]);
		return;
	}
	if (answer != KVM_HEARTBEAT_ANSWER_OBEYED)
		return;

	/* Of any context. No lock of ours is held, and our notifier waits for none. */
	if (what == KVM_HEARTBEAT_REQUEST_DUMP)
		panic("kvm_heartbeat: the host asked for a dump");
	kvmhb_stacks_ask();
}

/**
 * kvmhb_request_obey() - answer a request of the host, and do as it asks
 * @hb: the device, whose page has another word there than we have seen
 *
 * May not return. Any CPU may call it at the same time: one of them obeys.
 *
 * Context: Hard interrupt. Tries to take kvmhb_request_lock, but never waits
 * for it. The line is not held, or panic() could not take it for good.
 */
void kvmhb_request_obey(struct kvmhb *hb)
{
	enum kvm_heartbeat_answer answer;
	u32 word;

	if (!READ_ONCE(hb->obeys) || !raw_spin_trylock(&kvmhb_request_lock))
		return;

	word = kvmhb_request_new(hb);
	if (!word) {
		raw_spin_unlock(&kvmhb_request_lock);
		return;
	}
	answer = kvmhb_request_answer(word & KVM_HEARTBEAT_REQUEST_WHAT);
	WRITE_ONCE(hb->pulse->request_ack,
		   cpu_to_le32((word & ~KVM_HEARTBEAT_REQUEST_WHAT) | answer));
	raw_spin_unlock(&kvmhb_request_lock);

	kvmhb_request_do(word & KVM_HEARTBEAT_REQUEST_WHAT, answer);
}

/**
 * kvmhb_requests_forget() - see what the host has asked for until now
 * @hb: the device, about to be armed
 *
 * It was meant for another kernel, or for the one that this was before a
 * suspend or a reset. Does nothing if the host never asks.
 *
 * Context: Process context. Takes kvmhb_request_lock.
 */
void kvmhb_requests_forget(struct kvmhb *hb)
{
	unsigned long flags;

	if (!hb->requests)
		return;

	raw_spin_lock_irqsave(&kvmhb_request_lock, flags);
	WRITE_ONCE(hb->request_seen, READ_ONCE(hb->pulse->request));
	raw_spin_unlock_irqrestore(&kvmhb_request_lock, flags);
}

/**
 * kvmhb_requests_start() - obey the host from now on
 * @hb: the device, armed after kvmhb_requests_forget()
 *
 * The host has taken back by now what it asked for before it knew of us.
 *
 * Context: Any.
 */
void kvmhb_requests_start(struct kvmhb *hb)
{
	if (hb->requests)
		WRITE_ONCE(hb->obeys, true);
}

/**
 * kvmhb_requests_init() - find out whether the host asks for anything
 * @hb: the device, mapped
 *
 * Context: Any.
 */
void kvmhb_requests_init(struct kvmhb *hb)
{
	hb->requests = readl(hb->regs + KVM_HEARTBEAT_REG_FEATURES) &
		       KVM_HEARTBEAT_FEATURE_REQUESTS;
}

static int kvmhb_allow_set(const char *val, const struct kernel_param *kp)
{
	static const char gap[] = ", \t\n";
	unsigned long allowed = 0;
	unsigned int what;
	size_t length;

	for (val += strspn(val, gap); *val; val += strspn(val, gap)) {
		length = strcspn(val, gap);
		for (what = 1; what < ARRAY_SIZE(kvmhb_request_words); what++)
			if (strlen(kvmhb_request_words[what]) == length &&
			    !strncmp(val, kvmhb_request_words[what], length))
				break;
		if (what == ARRAY_SIZE(kvmhb_request_words)) {
			pr_err("allow: backtrace and dump are what a host can ask for, '%.*s' is not\n",
			       (int)min_t(size_t, length, 32), val);
			return -EINVAL;
		}
		allowed |= BIT(what);
		val += length;
	}
	WRITE_ONCE(kvmhb_allowed, allowed);
	return 0;
}

static int kvmhb_allow_get(char *buf, const struct kernel_param *kp)
{
	unsigned long allowed = READ_ONCE(kvmhb_allowed);
	unsigned int what;
	int length = 0;

	for_each_set_bit(what, &allowed, ARRAY_SIZE(kvmhb_request_words))
		length += scnprintf(buf + length, PAGE_SIZE - length, "%s%s",
				    length ? "," : "",
				    kvmhb_request_words[what]);
	return length + scnprintf(buf + length, PAGE_SIZE - length, "\n");
}

static const struct kernel_param_ops kvmhb_allow_ops = {
	.set = kvmhb_allow_set,
	.get = kvmhb_allow_get,
};
module_param_cb(allow, &kvmhb_allow_ops, NULL, 0644);
MODULE_PARM_DESC(allow, "what the host may ask for, a list of: backtrace, dump (default: backtrace)");

/**
 * kvmhb_requests_register() - be ready to do as a host asks
 *
 * Context: Process context. No device is there yet.
 */
void kvmhb_requests_register(void)
{
	unsigned int nr;

	for_each_possible_cpu(nr) {
		struct kvmhb_stack *stack = &per_cpu(kvmhb_stacks, nr);

		stack->csd.func = kvmhb_stack_print;
		stack->csd.info = stack;
	}
	hrtimer_setup(&kvmhb_stacks_over, kvmhb_stacks_end, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_PINNED_HARD);
}

/**
 * kvmhb_requests_unregister() - undo kvmhb_requests_register()
 *
 * Context: Process context, may sleep. No device is left.
 */
void kvmhb_requests_unregister(void)
{
	unsigned int nr;

	hrtimer_cancel(&kvmhb_stacks_over);
	/* What was asked is still to be answered, by code and in memory of ours. */
	for_each_possible_cpu(nr)
		while (test_bit(0, &per_cpu(kvmhb_stacks, nr).asked))
			msleep(20);
	/* And to return from it. */
	synchronize_rcu();
}
