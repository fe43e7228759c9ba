/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The verdict: what follows from a guest's silence and from what is known of its
 * vCPUs. Pure functions, tested row by row by selftests/kunit.
 */
#ifndef KVMHB_VERDICT_H
#define KVMHB_VERDICT_H

#include "timing.h"
#include "vcpu.h"
#include "words.h"

/**
 * struct kvmhb_case - all that is known when a guest is judged
 * @timing: how often it has to beat
 * @so_far: state and cause so far; an armed state, but for kvmhb_deadline_rule()
 * @beaten: it has beaten since it fell silent
 * @silence_ns: time since the last beat, ns
 * @run_ns: of it, the time in which the guest could have beaten, ns
 * @denied_ns: of it, the time in which it could not, ns. Less than the rest of
 *	@silence_ns if there was a pause: both begin anew at its end
 * @just_denied_ns: the same of the time since the look before, ns
 * @waited_ns: of @denied_ns, the time in which a vCPU waited for a host CPU, ns
 * @host_ns: of @denied_ns, what the host's trouble took and the vCPUs do not show, ns
 * @window_ns: time between the looks by which @vcpus were classed, ns
 * @vcpus: how many vCPUs did what
 * @nr_vcpus: their number, 0 if nothing is known of any
 * @dead: KVM has given the VM up
 * @oopsed: the guest said, just before it fell silent, that its kernel met a fault
 * @pulsing: some slot moved since a beat was due
 * @stirred: at the look before it was given time to beat, see &kvmhb_ruling.stirs
 * @partial: a CPU's slot is stale
 * @softlockup: a CPU's scheduler is stale
 * @blocked: a task of it waits for storage for too long
 * @userspace: userspace is stale
 * @stale_anew: other CPUs are stale than those that were last reported
 * @stale_in_ns: when the next CPU will be stale if it does not move, ns from now
 * @resuming: the VMM said that it resumes the guest, and no vCPU has been seen to run since
 * @host_late: this look came too late, or too much time was stolen from the host
 * @host_asked: the CPUs of the host have yet to answer whether they live
 */
struct kvmhb_case {
	struct kvmhb_timing timing;
	struct kvmhb_verdict so_far;
	bool beaten;
	u64 silence_ns;
	u64 run_ns;
	u64 denied_ns;
	u64 just_denied_ns;
	u64 waited_ns;
	u64 host_ns;
	u64 window_ns;
	unsigned int vcpus[KVMHB_NR_DOINGS];
	unsigned int nr_vcpus;
	bool dead;
	bool oopsed;
	bool pulsing;
	bool stirred;
	bool partial;
	bool softlockup;
	bool blocked;
	bool userspace;
	bool stale_anew;
	u64 stale_in_ns;
	bool resuming;
	bool host_late;
	bool host_asked;
};

/**
 * struct kvmhb_ruling - what follows from a case
 * @verdict: state and cause
 * @look_in_ns: when to look again, ns from now, or %KVMHB_NO_DEADLINE
 * @new_window: what the vCPUs did until now is judged and no sign of anything later
 * @stirs: an accused guest shows its first sign of life, and is given time to beat
 */
struct kvmhb_ruling {
	struct kvmhb_verdict verdict;
	u64 look_in_ns;
	bool new_window;
	bool stirs;
};

bool kvmhb_all_out(const struct kvmhb_case *c);
bool kvmhb_must_ask(const struct kvmhb_case *c);
struct kvmhb_ruling kvmhb_rule(const struct kvmhb_case *c);

/**
 * kvmhb_lateness_max_ns - how late a host may look without being in trouble
 * @timing: how often the guest has to beat
 *
 * Return: ns: a tenth of the timeout, but what any busy machine may do.
 */
static inline u64 kvmhb_lateness_max_ns(const struct kvmhb_timing *timing)
{
	return max_t(u64, timing->timeout_ns / 10, 20 * NSEC_PER_MSEC);
}

#endif /* KVMHB_VERDICT_H */
