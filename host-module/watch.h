/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the monitor has seen of its guest, look by look: the vCPUs, the pulse page,
 * and the run clock that follows from them.
 */
#ifndef KVMHB_WATCH_H
#define KVMHB_WATCH_H

#include "evidence.h"
#include "host.h"
#include "layers.h"
#include "pulse.h"
#include "timing.h"
#include "words.h"

struct kvm;
struct kvmhb_case;
struct kvmhb_ruling;
struct kvmhb_saved;

/**
 * struct kvmhb_look - what the monitor knows when it looks
 * @kvm: the VM, or NULL
 * @pulse: its pulse page
 * @timing: how often it has to beat
 * @so_far: state and cause so far
 * @last_beat_at_ns: when it last beat, ns of CLOCK_MONOTONIC
 * @beaten: that is since it fell silent
 * @oopsed: its kernel met a fault just before it did
 * @due_at_ns: when this look was to be made, ns of CLOCK_MONOTONIC; 0 if no timer was to ask
 *	for it
 * @asked_at_ns: when the timer did ask, likewise; 0 if it has not yet
 */
struct kvmhb_look {
	struct kvm *kvm;
	const struct kvmhb_pulse *pulse;
	struct kvmhb_timing timing;
	struct kvmhb_verdict so_far;
	u64 last_beat_at_ns;
	bool beaten;
	bool oopsed;
	u64 due_at_ns;
	u64 asked_at_ns;
};

/**
 * struct kvmhb_judgement - what was last said of a guest that was looked at, and by what
 * @verdict: what was said; %KVMHB_DETACHED if nothing was
 * @silence_ns: by which silence, ns
 * @run_ns: and on the run clock, ns
 * @vcpus: what was known of each vCPU
 * @nr_vcpus: entries of @vcpus
 * @deaf_cpu: the CPU of the host that did not answer then, or -1
 */
struct kvmhb_judgement {
	struct kvmhb_verdict verdict;
	u64 silence_ns;
	u64 run_ns;
	struct kvmhb_vcpu *vcpus;
	unsigned int nr_vcpus;
	int deaf_cpu;
};

/**
 * struct kvmhb_vcpu_watch - a vCPU, at the looks that matter
 * @first: at the first look after a beat was due; kept when there has been another one
 * @seen: at the last look, which is &kvmhb_watch.last of these, and at the one before
 */
struct kvmhb_vcpu_watch {
	struct kvmhb_vcpu first;
	struct kvmhb_vcpu seen[2];
};

/**
 * struct kvmhb_watch - what has been seen of a guest
 * @seen_at_ns: time of the last look, ns of CLOCK_MONOTONIC
 * @last_beat_at_ns: the last beat known at it, likewise
 * @first_at_ns: time of the first look after a beat was due; of each look until then
 * @run_ns: the guest's silence on the run clock, ns
 * @denied_ns: of its silence, the time in which it could not have beaten, ns;
 *	both begin anew after a pause
 * @just_denied_ns: the same of the time between the last two looks, ns
 * @waited_ns: of @denied_ns, the time in which a vCPU waited for a host CPU, ns
 * @host_ns: of @denied_ns, what the host's trouble took and the vCPUs do not show, ns
 * @pulsing: a slot moved since @first_at_ns, and not all are stale by now
 * @begun: there has been no look since @first_at_ns
 * @stirs: at the last look an accused guest was given time to beat
 * @out: at the last look no vCPU had been where it could run for a while
 * @resuming: likewise at all looks since the VMM resumed the VM
 * @host_late: the last look came too late, or too much was stolen from the host
 * @robbed: too much was stolen from the host, when that was last judged
 * @deaf: a CPU of the host has been asked and has not answered for too long
 * @host: how the host was at the last look
 * @steal_ns: kvmhb_evidence_steal_ns() when it was last judged
 * @steal_span_ns: time between the looks since then, ns
 * @layers: what was seen of the pulse page
 * @vcpus: what was seen of each vCPU
 * @nr_vcpus: entries of @vcpus
 * @last: which of &kvmhb_vcpu_watch.seen was seen last
 * @judged: what led to the last report
 *
 * All zero before it is first used.
 */
struct kvmhb_watch {
	u64 seen_at_ns;
	u64 last_beat_at_ns;
	u64 first_at_ns;
	u64 run_ns;
	u64 denied_ns;
	u64 just_denied_ns;
	u64 waited_ns;
	u64 host_ns;
	bool pulsing;
	bool begun;
	bool stirs;
	bool out;
	bool resuming;
	bool host_late;
	bool robbed;
	bool deaf;
	struct kvmhb_host host;
	u64 steal_ns;
	u64 steal_span_ns;
	struct kvmhb_layers layers;
	struct kvmhb_vcpu_watch *vcpus;
	unsigned int nr_vcpus;
	bool last;
	struct kvmhb_judgement judged;
};

void kvmhb_watch_uninit(struct kvmhb_watch *watch);
void kvmhb_watch_restart(struct kvmhb_watch *watch, struct kvm *kvm,
			 const struct kvmhb_pulse *pulse);
void kvmhb_watch_look(struct kvmhb_watch *watch, const struct kvmhb_look *look,
		      struct kvmhb_case *c);
void kvmhb_watch_resume(struct kvmhb_watch *watch, struct kvm *kvm, bool silent,
			u64 last_beat_at_ns);
void kvmhb_watch_load(struct kvmhb_watch *watch, const struct kvmhb_pulse *pulse,
		      const struct kvmhb_saved *saved, u64 last_beat_at_ns);
void kvmhb_watch_heed(struct kvmhb_watch *watch, const struct kvmhb_ruling *ruling);
bool kvmhb_watch_ask_host(const struct kvmhb_watch *watch, u64 timeout_ns);
void kvmhb_watch_stale(const struct kvmhb_watch *watch, unsigned long *cpus);
void kvmhb_watch_keep(struct kvmhb_watch *watch, const struct kvmhb_verdict *verdict,
		      const struct kvmhb_case *c);

#endif /* KVMHB_WATCH_H */
