// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "host.h"
#include "timing.h"
#include "vcpu.h"
#include "verdict.h"
#include "watch.h"

/* A busy CPU lets a task of ordinary policy wait for longer than a short timeout. */
#define KVMHB_SCHED_AGE_MIN_NS	(2 * (u64)NSEC_PER_SEC)

/**
 * kvmhb_watch_uninit - forget all that was seen of a guest
 * @watch: what to forget; may be used again
 *
 * Context: process.
 */
void kvmhb_watch_uninit(struct kvmhb_watch *watch)
{
	kvfree(watch->slots);
	kvfree(watch->vcpus);
	memset(watch, 0, sizeof(*watch));
}

/* A longer copy of an array, which is freed; without memory for it, the array itself. */
static void *grow(void *array, unsigned int *nr, unsigned int wanted, size_t size)
{
	void *longer;

	if (wanted <= *nr)
		return array;
	longer = kvcalloc(wanted, size, GFP_KERNEL_ACCOUNT);
	if (!longer)
		return array;
	memcpy(longer, array, *nr * size);
	kvfree(array);
	*nr = wanted;
	return longer;
}

/* Looks at all vCPUs. Returns how much of @elapsed_ns was denied to one of them at the most. */
static u64 look_at_vcpus(struct kvmhb_watch *watch, struct kvm *kvm, u64 elapsed_ns, u64 *waited_ns)
{
	u64 denied_ns = 0;
	unsigned int nr;

	watch->vcpus = grow(watch->vcpus, &watch->nr_vcpus, kvmhb_evidence_nr_vcpus(kvm),
			    sizeof(*watch->vcpus));
	for (nr = 0; nr < watch->nr_vcpus; nr++) {
		struct kvmhb_vcpu_watch *vcpu = &watch->vcpus[nr];

		vcpu->then = vcpu->now;
		if (!kvmhb_evidence_vcpu(kvm, nr, &vcpu->then, &vcpu->now))
			continue;
		/* While a halt ends, KVM counts it nowhere for a moment. */
		if (vcpu->now.pid == vcpu->then.pid && vcpu->now.running &&
		    vcpu->then.running && vcpu->now.task == 'R')
			vcpu->now.halted_ns = max(vcpu->now.halted_ns, vcpu->then.halted_ns);
		denied_ns = max(denied_ns, kvmhb_denied_ns(&vcpu->then, &vcpu->now, elapsed_ns));
		*waited_ns = max(*waited_ns, kvmhb_waited_ns(&vcpu->then, &vcpu->now));
	}
	*waited_ns = min(*waited_ns, elapsed_ns);
	return denied_ns;
}

/*
 * A CPU may be plugged in with a number that is not below the number of vCPUs: any slot
 * is looked at once in so many looks.
 */
#define LOOKS_FOR_ALL	32

/* There may be more CPUs than before. */
static void find_slots(struct kvmhb_watch *watch, struct kvm *kvm, const struct kvmhb_pulse *pulse)
{
	unsigned int nr = kvm ? min(watch->nr_vcpus, pulse->nr_slots) : pulse->nr_slots;
	unsigned int turns = kvm ? DIV_ROUND_UP(pulse->nr_slots, LOOKS_FOR_ALL) : 0;

	while (nr > watch->nr_slots && !kvmhb_pulse_is_online(pulse, nr - 1))
		nr--;
	while (turns--) {
		if (++watch->turn >= pulse->nr_slots)
			watch->turn = 0;
		if (watch->turn >= nr && kvmhb_pulse_is_online(pulse, watch->turn))
			nr = watch->turn + 1;
	}
	watch->slots = grow(watch->slots, &watch->nr_slots, nr, sizeof(*watch->slots));
}

/* A CPU that waits for another one schedules nothing meanwhile, and is about to do so again. */
static void forgive_schedulers(struct kvmhb_watch *watch)
{
	unsigned int nr;

	watch->softlockup = false;
	for (nr = 0; nr < watch->nr_slots; nr++) {
		watch->slots[nr].sched_run_ns = 0;
		watch->slots[nr].locked = false;
	}
}

/* Looks at the pulse page. Returns whether a slot has moved. */
static bool look_at_slots(struct kvmhb_watch *watch, struct kvm *kvm,
			  const struct kvmhb_pulse *pulse, u64 timeout_ns, u64 run_ns)
{
	bool was_partial = watch->partial;
	bool moved = false;
	unsigned int nr;

	watch->partial = false;
	watch->softlockup = false;
	watch->stale_in_ns = U64_MAX;
	find_slots(watch, kvm, pulse);
	for (nr = 0; nr < watch->nr_slots; nr++) {
		struct kvmhb_slot_watch *slot = &watch->slots[nr];
		struct kvmhb_slot seen = kvmhb_pulse_slot(pulse, nr);

		slot->run_ns += run_ns;
		if (seen.pulses != slot->pulses || !slot->online || !seen.online) {
			moved |= seen.online && seen.pulses != slot->pulses;
			slot->run_ns = 0;
		}
		slot->pulses = seen.pulses;
		slot->online = seen.online;

		slot->still = seen.online && slot->run_ns >= timeout_ns;
		/* What the guest counts includes time that it had only in part. */
		slot->sched_run_ns = seen.online && seen.sched_age_ns ?
				     slot->sched_run_ns + run_ns : 0;
		slot->locked = min(seen.sched_age_ns, slot->sched_run_ns) >=
			       max(timeout_ns, KVMHB_SCHED_AGE_MIN_NS);
		watch->partial |= slot->still;
		watch->softlockup |= slot->locked;
		if (seen.online && !slot->still)
			watch->stale_in_ns = min(watch->stale_in_ns, timeout_ns - slot->run_ns);
	}
	watch->userspace = kvmhb_pulse_user_stale(pulse);
	if (was_partial && !watch->partial)
		forgive_schedulers(watch);
	return moved;
}

/* The lowest layer names the CPUs. */
static bool is_stale(const struct kvmhb_watch *watch, unsigned int nr)
{
	return watch->partial ? watch->slots[nr].still : watch->slots[nr].locked;
}

/*
 * Whether so much was taken from the host that its guests cannot be judged. The kernel
 * counts it once a tick: over less than some ticks it would be all or nothing.
 */
static bool robbed(struct kvmhb_watch *watch, u64 elapsed_ns)
{
	u64 then_ns = watch->steal_ns;

	watch->steal_span_ns += elapsed_ns;
	if (watch->steal_span_ns >= 4 * TICK_NSEC) {
		watch->steal_ns = kvmhb_evidence_steal_ns();
		watch->robbed = watch->steal_ns - then_ns >
				div_u64(watch->steal_span_ns, 10) * num_online_cpus();
		watch->steal_span_ns = 0;
	}
	return watch->robbed;
}

/* Forgets the silence so far: as if the guest, and each of its CPUs, had just beaten. */
static void forgive(struct kvmhb_watch *watch)
{
	unsigned int nr;

	watch->run_ns = 0;
	watch->denied_ns = 0;
	watch->waited_ns = 0;
	watch->partial = false;
	for (nr = 0; nr < watch->nr_slots; nr++) {
		watch->slots[nr].run_ns = 0;
		watch->slots[nr].still = false;
	}
	forgive_schedulers(watch);
}

/**
 * kvmhb_watch_begin_window - see from here on what the vCPUs do instead of beating
 * @watch: what has been seen
 *
 * Context: any; the caller serialises.
 */
void kvmhb_watch_begin_window(struct kvmhb_watch *watch)
{
	unsigned int nr;

	watch->first_ns = watch->seen_ns;
	watch->pulsing = false;
	for (nr = 0; nr < watch->nr_vcpus; nr++)
		watch->vcpus[nr].first = watch->vcpus[nr].now;
}

/* Makes a case of what has been seen. */
static void describe(const struct kvmhb_watch *watch, struct kvmhb_case *c)
{
	unsigned int nr;

	*c = (struct kvmhb_case) {
		.run_ns = watch->run_ns,
		.denied_ns = watch->denied_ns,
		.just_denied_ns = watch->just_denied_ns,
		.waited_ns = watch->waited_ns,
		.window_ns = watch->seen_ns - watch->first_ns,
		.pulsing = watch->pulsing,
		.partial = watch->partial,
		.softlockup = watch->softlockup,
		.userspace = watch->userspace,
		.stale_in_ns = watch->stale_in_ns,
		.host_late = watch->host_late,
		.nr_vcpus = watch->nr_vcpus,
	};
	for (nr = 0; nr < watch->nr_vcpus; nr++) {
		const struct kvmhb_vcpu_watch *vcpu = &watch->vcpus[nr];

		c->vcpus[kvmhb_doing(&vcpu->first, &vcpu->then, &vcpu->now, c->window_ns)]++;
	}
}

/* By how much what happened at a time was later than the look was due. */
static u64 overrun_ns(const struct kvmhb_due *due, u64 at_ns)
{
	return due->at_ns ? kvmhb_minus(at_ns, due->at_ns) : 0;
}

/**
 * kvmhb_watch_look - look at the guest
 * @watch: what has been seen of it
 * @kvm: the VM, or NULL
 * @pulse: its pulse page
 * @timing: how often it has to beat
 * @last_beat_ns: when it last beat, ns of CLOCK_MONOTONIC
 * @due: when this look was to be made
 * @c: gets the case, as far as it follows from what has been seen
 *
 * Context: process; the caller serialises.
 */
void kvmhb_watch_look(struct kvmhb_watch *watch, struct kvm *kvm, const struct kvmhb_pulse *pulse,
		      const struct kvmhb_timing *timing, u64 last_beat_ns,
		      const struct kvmhb_due *due, struct kvmhb_case *c)
{
	bool was_held = watch->out || watch->deaf;
	u64 before_ns = watch->run_ns;
	int sleeps = kvmhb_host_sleeps();
	u64 now_ns = ktime_get_ns();
	u64 elapsed_ns = now_ns - watch->seen_ns;
	u64 late_ns = min(overrun_ns(due, now_ns), elapsed_ns);
	u64 timer_late_ns = min(overrun_ns(due, due->asked_ns ?: now_ns), late_ns);
	bool beaten = last_beat_ns != watch->last_beat_ns;
	u64 denied_ns, run_ns, deaf_ns;
	u64 waited_ns = 0;
	bool moved;

	denied_ns = look_at_vcpus(watch, kvm, elapsed_ns, &waited_ns);
	/* If our timer came too late, so may the guest's. What we waited for a CPU is ours. */
	denied_ns = max(denied_ns, watch->nr_vcpus ? timer_late_ns : late_ns);
	/* A vCPU or a timer may be on a host CPU that serves no interrupt. */
	deaf_ns = kvmhb_host_deaf_ns();
	denied_ns = max(denied_ns, min(deaf_ns - watch->deaf_ns, elapsed_ns));
	watch->deaf_ns = deaf_ns;
	watch->deaf = kvmhb_host_asking_ns() > max(kvmhb_lateness_max_ns(timing),
						   kvmhb_host_resolution_ns());
	if (watch->deaf)
		watch->deaf_cpu = kvmhb_host_unheard_cpu();
	if (sleeps != watch->sleeps)
		denied_ns = elapsed_ns;
	watch->just_denied_ns = denied_ns;
	watch->sleeps = sleeps;
	kvmhb_host_late(late_ns);
	watch->host_late = late_ns > kvmhb_lateness_max_ns(timing);
	watch->host_late |= robbed(watch, elapsed_ns);
	watch->host_late |= watch->deaf;
	watch->seen_ns = now_ns;
	run_ns = elapsed_ns - denied_ns;
	if (beaten && before_ns >= timing->timeout_ns) {
		/* All of it was silent: its other CPUs are about to show that they are back. */
		forgive(watch);
		run_ns = 0;
	}
	moved = look_at_slots(watch, kvm, pulse, timing->timeout_ns, run_ns);

	if (beaten) {
		/* What was denied may have been so before the beat: that is forgiven. */
		u64 silence_ns = kvmhb_minus(now_ns, last_beat_ns);

		watch->last_beat_ns = last_beat_ns;
		watch->denied_ns = min(denied_ns, silence_ns);
		watch->run_ns = silence_ns - watch->denied_ns;
		watch->waited_ns = min(waited_ns, silence_ns);
	} else {
		watch->run_ns += run_ns;
		watch->denied_ns += denied_ns;
		watch->waited_ns += waited_ns;
		watch->pulsing |= moved;
		watch->pulsing &= watch->stale_in_ns != U64_MAX;
	}
	/* Until its next beat is due, whatever it does is no sign of anything. */
	if (beaten || before_ns < timing->interval_ns)
		kvmhb_watch_begin_window(watch);

	describe(watch, c);
	watch->out = kvmhb_all_out(c) && !c->vcpus[KVMHB_LEAVING];
	/* What was held up is about to happen. */
	if (was_held && !watch->out && !watch->deaf) {
		forgive(watch);
		kvmhb_watch_begin_window(watch);
		describe(watch, c);
	}
}

/**
 * kvmhb_watch_restart - begin to watch a new incarnation of the guest
 * @watch: what to begin anew
 * @kvm: the VM, or NULL
 * @pulse: its pulse page
 *
 * Context: process; the caller serialises.
 */
void kvmhb_watch_restart(struct kvmhb_watch *watch, struct kvm *kvm,
			 const struct kvmhb_pulse *pulse)
{
	u64 waited_ns = 0;
	unsigned int nr;

	watch->seen_ns = ktime_get_ns();
	watch->last_beat_ns = 0;
	watch->out = false;
	watch->host_late = false;
	watch->sleeps = kvmhb_host_sleeps();
	watch->steal_ns = kvmhb_evidence_steal_ns();
	watch->steal_span_ns = 0;
	watch->robbed = false;
	watch->deaf_ns = kvmhb_host_deaf_ns();
	watch->deaf = false;
	look_at_vcpus(watch, kvm, 0, &waited_ns);
	for (nr = 0; nr < watch->nr_slots; nr++)
		watch->slots[nr].online = false;
	find_slots(watch, NULL, pulse);	/* all, whatever the number of vCPUs */
	look_at_slots(watch, kvm, pulse, U64_MAX, 0);
	forgive(watch);
	kvmhb_watch_begin_window(watch);
}

/**
 * kvmhb_watch_stale - name the CPUs that are stale
 * @watch: what has been seen
 * @cpus: bitmap of KVMHB_PULSE_MAX_SLOTS bits. Gets those whose slots are stale, or if
 *	there are none, whose schedulers
 *
 * Context: any; the caller serialises.
 */
void kvmhb_watch_stale(const struct kvmhb_watch *watch, unsigned long *cpus)
{
	unsigned int nr;

	bitmap_zero(cpus, KVMHB_PULSE_MAX_SLOTS);
	for (nr = 0; nr < watch->nr_slots; nr++)
		if (is_stale(watch, nr))
			__set_bit(nr, cpus);
}

/**
 * kvmhb_watch_stale_changed - whether other CPUs are stale than at the last report
 * @watch: what has been seen
 *
 * Return: true if any is now and was not, or the other way. Context: any; the caller
 * serialises.
 */
bool kvmhb_watch_stale_changed(const struct kvmhb_watch *watch)
{
	unsigned int nr;

	for (nr = 0; nr < watch->nr_slots; nr++)
		if (is_stale(watch, nr) != watch->slots[nr].judged)
			return true;
	return false;
}

/**
 * kvmhb_watch_keep - keep what was seen last, to be shown
 * @watch: what has been seen
 *
 * Context: any; the caller serialises.
 */
void kvmhb_watch_keep(struct kvmhb_watch *watch)
{
	unsigned int nr;

	for (nr = 0; nr < watch->nr_vcpus; nr++)
		watch->vcpus[nr].judged = watch->vcpus[nr].now;
	for (nr = 0; nr < watch->nr_slots; nr++)
		watch->slots[nr].judged = is_stale(watch, nr);
}
