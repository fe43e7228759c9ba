// SPDX-License-Identifier: GPL-2.0
#include <linux/kvm.h>
#include <linux/minmax.h>

#include "vcpu.h"

/*
 * In one halt from look to look. Its length cannot be told from the sums alone:
 * what wakes it for nothing, such as an interrupt that it does not take, lets it
 * begin anew for the scheduler, but not for KVM.
 */
static bool vcpu_is_same_halt(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now)
{
	return then->running && then->halted && now->running && now->halted &&
	       then->exits == now->exits && then->signals == now->signals;
}

/*
 * Halted all along. What wakes a halted vCPU for nothing has it go round in the host's kernel
 * for a moment, in which it is not halted: a guest's own timer that ticks on, which fires just
 * when its beats are missed, does so at the very look that judges.
 */
static bool vcpu_is_halting(const struct kvmhb_vcpu *first, const struct kvmhb_vcpu *now)
{
	return first->exits == now->exits && (first->halted || now->halted) &&
	       (first->halted || first->kernel) && (now->halted || now->kernel);
}

/* Only an interrupt ends a halt. The exit by which a halt begins is none. */
static bool vcpu_has_halted_anew(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now)
{
	return then->halted && now->halted && then->exits != now->exits;
}

/*
 * Kept by the host's kernel: it was there at both looks, but for no halt, and not in the guest
 * in between: to leave that is an exit.
 */
static bool vcpu_is_kept(const struct kvmhb_vcpu *then, const struct kvmhb_vcpu *now)
{
	return then->kernel && !then->halted && now->kernel && !now->halted &&
	       then->exits == now->exits;
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
 * Return: ns, @elapsed_ns at most.
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

	if (vcpu_is_same_halt(then, now))
		return min(kvmhb_waited_ns(then, now), elapsed_ns);

	own_ns = kvmhb_minus(now->halted_ns, then->halted_ns);
	if (!vcpu_is_kept(then, now))
		own_ns += kvmhb_minus(now->exec_ns, then->exec_ns);
	return min(max(kvmhb_minus(elapsed_ns, own_ns), kvmhb_waited_ns(then, now)), elapsed_ns);
}

/**
 * kvmhb_has_shut_down - whether a triple fault has shut a vCPU down
 * @now: what is known of it
 *
 * Return: true as long as the VMM does not run it.
 */
bool kvmhb_has_shut_down(const struct kvmhb_vcpu *now)
{
	return !now->running && now->exit == KVM_EXIT_SHUTDOWN;
}

/* What kept a vCPU outside KVM_RUN, that has not been inside since the look before. */
static enum kvmhb_doing vcpu_doing_outside(const struct kvmhb_vcpu *then,
					   const struct kvmhb_vcpu *now)
{
	u64 exec_ns = kvmhb_minus(now->exec_ns, then->exec_ns);

	/* It would go on if it had a CPU, or had one for longer than it waited for it. */
	if (now->task == 'R' && (now->queued_ns || kvmhb_waited_ns(then, now) > exec_ns))
		return KVMHB_QUEUED;
	if (now->task == 'D')
		return KVMHB_BLOCKED;
	if (now->exit == KVM_EXIT_IO || now->exit == KVM_EXIT_MMIO)
		return KVMHB_IN_VMM;
	return KVMHB_AWAY;
}

/**
 * kvmhb_doing - what a vCPU did while its guest was silent
 * @first: what was known of it at the first look after a beat was due
 * @then: at the look before this one
 * @now: at this look
 * @window_ns: time between @first and @now, ns
 *
 * What the host does to a vCPU is seen from one look to the next, what the guest
 * does over the whole of its silence.
 *
 * Return: the first that applies.
 */
enum kvmhb_doing kvmhb_doing(const struct kvmhb_vcpu *first, const struct kvmhb_vcpu *then,
			     const struct kvmhb_vcpu *now, u64 window_ns)
{
	bool was_out = !then->running && !then->halted;

	if (kvmhb_has_shut_down(now))
		return KVMHB_SHUT_DOWN;
	/* The VMM can write it; only of what it does not run it counts. */
	if (!now->running && (now->exit == KVM_EXIT_INTERNAL_ERROR ||
			      now->exit == KVM_EXIT_FAIL_ENTRY))
		return KVMHB_FAILED;

	if (!now->pid)
		return KVMHB_ABSENT;
	switch (now->task) {
	case 'X':
	case 'Z':
		return KVMHB_ABSENT;
	case 'T':
	case 't':
	case 'F':
		return KVMHB_STOPPED_BY_HOST;
	}

	if (!now->running && !now->halted) {
		if (!was_out)
			return KVMHB_LEAVING;
		if (then->exits == now->exits)
			return vcpu_doing_outside(then, now);
		/* It comes and goes. */
	} else if (!now->running && then->exits == now->exits) {
		return KVMHB_HALTED_OUT;
	} else if (!now->halted && (now->task == 'S' || now->task == 'D') &&
		   then->exec_ns == now->exec_ns) {
		return KVMHB_BLOCKED;
	} else if (vcpu_is_kept(then, now) &&
		   kvmhb_minus(now->exec_ns, then->exec_ns) > kvmhb_waited_ns(then, now)) {
		return KVMHB_BLOCKED;
	}

	if (first->irqs != now->irqs || vcpu_has_halted_anew(first, now) ||
	    vcpu_has_halted_anew(then, now))
		return KVMHB_LIVING;
	if (vcpu_is_halting(first, now))
		return KVMHB_HALTING;
	if (2 * kvmhb_minus(now->exec_ns, first->exec_ns) > window_ns)
		return KVMHB_SPINNING;
	return KVMHB_UNCLEAR;
}
