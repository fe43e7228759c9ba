// SPDX-License-Identifier: GPL-2.0
#include <linux/minmax.h>

#include "evidence.h"
#include "runclock.h"

/* Sums that are read while they change may seem to go back. */
static u64 grown(u64 then, u64 now)
{
	return now > then ? now - then : 0;
}

/*
 * In one halt from look to look. Its length cannot be told from the sums alone:
 * what wakes it for nothing, such as an interrupt that it does not take, lets it
 * begin anew for the scheduler, but not for KVM.
 */
static bool is_same_halt(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now)
{
	return then->running && then->halted && now->running && now->halted &&
	       then->exits == now->exits && then->signals == now->signals;
}

/**
 * kvmhb_is_kept - whether the host's kernel has kept a vCPU from the guest
 * @then: what was known of it
 * @now: and what is known of it now
 *
 * Return: true if it was in the host's kernel at both, but for no halt, and not in the
 * guest in between: to leave that is an exit. Context: any.
 */
bool kvmhb_is_kept(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now)
{
	return then->kernel && !then->halted && now->kernel && !now->halted &&
	       then->exits == now->exits;
}

/**
 * kvmhb_waited_ns - how long a vCPU waited for a host CPU
 * @then: what was known of it
 * @now: and what is known of it now
 *
 * Return: ns, of the time between the two. Context: any.
 */
u64 kvmhb_waited_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now)
{
	return grown(then->run_delay_ns + then->queued_ns, now->run_delay_ns + now->queued_ns);
}

/**
 * kvmhb_denied_ns - how long a vCPU could not have run
 * @then: what was known of it
 * @now: and what is known of it now
 * @elapsed_ns: the time between the two, ns
 *
 * What it executed and what it chose to halt was its own. All the rest was
 * denied to it: it waited for a host CPU, was stopped, frozen, outside KVM_RUN,
 * stepped by a debugger, or busy or asleep in the host's kernel. A halt ends when
 * the thread runs, not when it is woken, so that a wait may hide in one; hence the
 * larger of the two.
 *
 * Return: ns, @elapsed_ns at most. Context: any.
 */
u64 kvmhb_denied_ns(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now, u64 elapsed_ns)
{
	u64 own_ns;

	if (!now->pid)
		return 0;	/* nothing is known of it */
	if (now->pid != then->pid)
		return elapsed_ns;	/* sums of two threads */
	/* Whatever its thread was busy with, it was not the guest. */
	if (!then->running && !now->running && !now->halted && then->exits == now->exits)
		return elapsed_ns;

	/* An instruction now and then, and its thread busy with the debugger in between. */
	if (then->stepped || now->stepped)
		return elapsed_ns;

	if (is_same_halt(then, now))
		return min(kvmhb_waited_ns(then, now), elapsed_ns);

	own_ns = grown(then->halted_ns, now->halted_ns);
	if (!kvmhb_is_kept(then, now))
		own_ns += grown(then->exec_ns, now->exec_ns);
	return min(max(grown(own_ns, elapsed_ns), kvmhb_waited_ns(then, now)), elapsed_ns);
}
