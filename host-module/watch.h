/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the monitor has seen of its guest, look by look: the vCPUs, the pulse page,
 * and the run clock that follows from them.
 */
#ifndef KVMHB_WATCH_H
#define KVMHB_WATCH_H

#include <linux/types.h>

#include "evidence.h"
#include "pulse.h"

struct kvm;
struct kvmhb_case;
struct kvmhb_timing;

/**
 * struct kvmhb_vcpu_watch - a vCPU, at the looks that matter
 * @first: at the first look after a beat was due
 * @then: at the look before the last one
 * @now: at the last one
 * @judged: at the look that led to the last report
 */
struct kvmhb_vcpu_watch {
	struct kvmhb_vcpu first;
	struct kvmhb_vcpu then;
	struct kvmhb_vcpu now;
	struct kvmhb_vcpu judged;
};

/**
 * struct kvmhb_slot_watch - a CPU's slot of the pulse page
 * @pulses: what it said at the last look
 * @run_ns: since when it has said so, on the run clock, ns
 * @sched_run_ns: since when its scheduler's age was never 0, on the run clock, ns
 * @online: the guest said that this CPU pulses
 * @still: it was still for a timeout
 * @locked: its scheduler is stale
 * @judged: the CPU was stale at the look that led to the last report
 */
struct kvmhb_slot_watch {
	u64 pulses;
	u64 run_ns;
	u64 sched_run_ns;
	bool online;
	bool still;
	bool locked;
	bool judged;
};

/**
 * struct kvmhb_due - when a look was to be made
 * @at_ns: ns of CLOCK_MONOTONIC; 0 if no timer was to ask for it
 * @asked_ns: when the timer did ask, likewise; 0 if it has not yet
 */
struct kvmhb_due {
	u64 at_ns;
	u64 asked_ns;
};

/**
 * struct kvmhb_watch - what has been seen of a guest
 * @seen_ns: time of the last look, ns of CLOCK_MONOTONIC
 * @last_beat_ns: the last beat known at it, likewise
 * @first_ns: time of the first look after a beat was due; of each look until then
 * @run_ns: the guest's silence on the run clock, ns
 * @denied_ns: of its silence, the time in which it could not have beaten, ns;
 *	both begin anew after a pause
 * @just_denied_ns: the same of the time between the last two looks, ns
 * @waited_ns: of @denied_ns, the time in which a vCPU waited for a host CPU, ns
 * @pulsing: a slot moved since @first_ns, and not all are stale by now
 * @out: at the last look no vCPU had been where it could run for a while
 * @host_late: the last look came too late, or too much was stolen from the host
 * @sleeps: kvmhb_host_sleeps() at the last look
 * @steal_ns: kvmhb_evidence_steal_ns() when it was last judged
 * @steal_span_ns: time between the looks since then, ns
 * @robbed: too much was stolen from the host, when that was last judged
 * @deaf_ns: kvmhb_host_deaf_ns() at the last look
 * @deaf: a CPU of the host has been asked and has not answered for too long
 * @deaf_cpu: if @deaf, its number
 * @stale_in_ns: when the next slot will be stale, ns from the last look
 * @partial: a slot is stale
 * @softlockup: a scheduler is stale
 * @userspace: userspace is stale
 * @vcpus: what was seen of each vCPU
 * @nr_vcpus: entries of @vcpus
 * @slots: what was seen of the slots of the pulse page, up to the last that was
 *	ever online
 * @nr_slots: entries of @slots
 * @turn: the slot beyond them that was looked at last, to see whether it has come online
 *
 * All zero before it is first used.
 */
struct kvmhb_watch {
	u64 seen_ns;
	u64 last_beat_ns;
	u64 first_ns;
	u64 run_ns;
	u64 denied_ns;
	u64 just_denied_ns;
	u64 waited_ns;
	bool pulsing;
	bool out;
	bool host_late;
	int sleeps;
	u64 steal_ns;
	u64 steal_span_ns;
	bool robbed;
	u64 deaf_ns;
	bool deaf;
	unsigned int deaf_cpu;
	u64 stale_in_ns;
	bool partial;
	bool softlockup;
	bool userspace;
	struct kvmhb_vcpu_watch *vcpus;
	unsigned int nr_vcpus;
	struct kvmhb_slot_watch *slots;
	unsigned int nr_slots;
	unsigned int turn;
};

void kvmhb_watch_uninit(struct kvmhb_watch *watch);
void kvmhb_watch_restart(struct kvmhb_watch *watch, struct kvm *kvm,
			 const struct kvmhb_pulse *pulse);
void kvmhb_watch_look(struct kvmhb_watch *watch, struct kvm *kvm, const struct kvmhb_pulse *pulse,
		      const struct kvmhb_timing *timing, u64 last_beat_ns,
		      const struct kvmhb_due *due, struct kvmhb_case *c);
void kvmhb_watch_begin_window(struct kvmhb_watch *watch);
void kvmhb_watch_stale(const struct kvmhb_watch *watch, unsigned long *cpus);
bool kvmhb_watch_stale_changed(const struct kvmhb_watch *watch);
void kvmhb_watch_keep(struct kvmhb_watch *watch);

#endif /* KVMHB_WATCH_H */
