// SPDX-License-Identifier: GPL-2.0
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "saved.h"
#include "verdict.h"
#include "watch.h"

/**
 * kvmhb_watch_uninit - forget all that was seen of a guest
 * @watch: what to forget; may be used again
 */
void kvmhb_watch_uninit(struct kvmhb_watch *watch)
{
	kvmhb_layers_uninit(&watch->layers);
	kvfree(watch->vcpus);
	kvfree(watch->judged.vcpus);
	memset(watch, 0, sizeof(*watch));
}

/* A vCPU at the last look. */
static struct kvmhb_vcpu *watch_now(const struct kvmhb_watch *watch, struct kvmhb_vcpu_watch *vcpu)
{
	return &vcpu->seen[watch->last];
}

/* A vCPU at the look before the last one. */
static struct kvmhb_vcpu *watch_then(const struct kvmhb_watch *watch, struct kvmhb_vcpu_watch *vcpu)
{
	return &vcpu->seen[!watch->last];
}

static struct kvmhb_vcpu_watch *watch_end(const struct kvmhb_watch *watch)
{
	return watch->vcpus + watch->nr_vcpus;
}

/*
 * Looks at all vCPUs. Returns how much of @elapsed_ns was denied to one of them at the most.
 * Inline, as a host makes a look once an interval for each of its guests.
 */
static __always_inline u64 watch_look_at_vcpus(struct kvmhb_watch *watch, struct kvm *kvm,
					       u64 elapsed_ns, u64 *waited_ns)
{
	unsigned int nr = kvmhb_evidence_nr_vcpus(kvm);
	struct kvmhb_vcpu_watch *vcpu;
	bool last = !watch->last;
	u64 denied_ns = 0;

	if (nr > watch->nr_vcpus)
		watch->vcpus = kvmhb_grow(watch->vcpus, &watch->nr_vcpus, nr,
					  sizeof(*watch->vcpus));
	watch->last = last;
	for (nr = 0, vcpu = watch->vcpus; nr < watch->nr_vcpus; nr++, vcpu++) {
		const struct kvmhb_vcpu *then = &vcpu->seen[!last];
		struct kvmhb_vcpu *now = &vcpu->seen[last];

		if (!kvmhb_evidence_vcpu(kvm, nr, then, now)) {
			*now = *then;
			continue;
		}
		/* While a halt ends, KVM counts it nowhere for a moment. */
		if (now->pid == then->pid && now->running && then->running && now->task == 'R')
			now->halted_ns = max(now->halted_ns, then->halted_ns);
		denied_ns = max(denied_ns, kvmhb_denied_ns(then, now, elapsed_ns));
		*waited_ns = max(*waited_ns, kvmhb_waited_ns(then, now));
	}
	*waited_ns = min(*waited_ns, elapsed_ns);
	return denied_ns;
}

/*
 * Whether so much was taken from the host that its guests cannot be judged. The kernel
 * counts it once a tick: over less than some ticks it would be all or nothing.
 */
static bool watch_is_robbed(struct kvmhb_watch *watch, u64 elapsed_ns)
{
	u64 then_ns = watch->steal_ns;

	watch->steal_span_ns += elapsed_ns;
	if (watch->steal_span_ns >= 4 * TICK_NSEC) {
		watch->steal_ns = kvmhb_evidence_steal_ns();
		watch->robbed = kvmhb_minus(watch->steal_ns, then_ns) >
				div_u64(watch->steal_span_ns, 10) * num_online_cpus();
		watch->steal_span_ns = 0;
	}
	return watch->robbed;
}

static void watch_forgive_silence(struct kvmhb_watch *watch)
{
	watch->run_ns = 0;
	watch->denied_ns = 0;
	watch->waited_ns = 0;
	watch->host_ns = 0;
}

/* Forgets the silence so far: as if the guest, and each of its CPUs, had just beaten. */
static void watch_forgive(struct kvmhb_watch *watch)
{
	watch_forgive_silence(watch);
	kvmhb_layers_forgive(&watch->layers);
}

/*
 * A CPU of the host has answered after too long. The guest has all of its time again, but it is not
 * forgotten how long it has been silent: that may happen time and again. Who was accused before
 * stays so until it beats.
 */
static void watch_excuse(struct kvmhb_watch *watch, bool accused)
{
	if (!accused) {
		watch->denied_ns += watch->run_ns;
		watch->host_ns += watch->run_ns;
		watch->run_ns = 0;
	}
	kvmhb_layers_forgive(&watch->layers);
}

/* Sees from here on what the vCPUs do instead of beating. */
static void watch_begin_window(struct kvmhb_watch *watch)
{
	watch->first_at_ns = watch->seen_at_ns;
	watch->pulsing = false;
	watch->begun = true;
}

/* A window lasts: keeps what was seen when it began, which it does at most looks at who beats. */
static void watch_keep_first(struct kvmhb_watch *watch)
{
	struct kvmhb_vcpu_watch *vcpu;

	if (!watch->begun)
		return;
	watch->begun = false;
	for (vcpu = watch->vcpus; vcpu < watch_end(watch); vcpu++)
		vcpu->first = *watch_then(watch, vcpu);
}

/* Makes a case of what has been seen. Inline, as it is part of each look. */
static __always_inline void watch_describe(const struct kvmhb_watch *watch,
					   const struct kvmhb_look *look, struct kvmhb_case *c)
{
	const struct kvmhb_vcpu_watch *vcpu = watch->vcpus;
	unsigned int nr;

	*c = (struct kvmhb_case) {
		.timing = look->timing,
		.so_far = look->so_far,
		.beaten = look->beaten,
		.silence_ns = kvmhb_minus(watch->seen_at_ns, look->last_beat_at_ns),
		.dead = kvmhb_evidence_dead(look->kvm),
		.oopsed = look->oopsed,
		.run_ns = watch->run_ns,
		.denied_ns = watch->denied_ns,
		.just_denied_ns = watch->just_denied_ns,
		.waited_ns = watch->waited_ns,
		.host_ns = watch->host_ns,
		.window_ns = watch->seen_at_ns - watch->first_at_ns,
		.pulsing = watch->pulsing,
		.stirred = watch->stirs,
		.partial = watch->layers.partial,
		.softlockup = watch->layers.softlockup,
		.blocked = watch->layers.blocked,
		.userspace = watch->layers.userspace,
		.stale_anew = (watch->layers.partial || watch->layers.softlockup) &&
			      kvmhb_layers_changed(&watch->layers),
		.stale_in_ns = watch->layers.stale_in_ns,
		.resuming = watch->resuming,
		.host_late = watch->host_late,
		.nr_vcpus = watch->nr_vcpus,
	};
	for (nr = 0; nr < watch->nr_vcpus; nr++, vcpu++) {
		const struct kvmhb_vcpu *now = &vcpu->seen[watch->last];
		const struct kvmhb_vcpu *first = watch->begun ? now : &vcpu->first;

		c->vcpus[kvmhb_doing(first, &vcpu->seen[!watch->last], now, c->window_ns)]++;
	}
}

/* By how much what happened at a time was later than the look was due. */
static u64 watch_overrun_ns(const struct kvmhb_look *look, u64 at_ns)
{
	return look->due_at_ns ? kvmhb_minus(at_ns, look->due_at_ns) : 0;
}

/* Looks at the host. Returns how much of @elapsed_ns it denied to all guests at the least. */
static u64 watch_look_at_host(struct kvmhb_watch *watch, const struct kvmhb_look *look,
			      u64 now_ns, u64 elapsed_ns)
{
	u64 late_ns = min(watch_overrun_ns(look, now_ns), elapsed_ns);
	u64 timer_late_ns = min(watch_overrun_ns(look, look->asked_at_ns ?: now_ns), late_ns);
	u64 lateness_max_ns = kvmhb_lateness_max_ns(&look->timing);
	u64 deaf_ns = watch->host.deaf_ns;
	u64 denied_ns;

	kvmhb_host_look(&watch->host);
	/* If our timer came too late, so may the guest's. What we waited for a CPU is ours. */
	denied_ns = watch->nr_vcpus ? timer_late_ns : late_ns;
	/* A vCPU or a timer may be on a host CPU that serves no interrupt. */
	denied_ns = max(denied_ns, min(watch->host.deaf_ns - deaf_ns, elapsed_ns));
	watch->deaf = watch->host.asking_ns &&
		      watch->host.asking_ns > max(lateness_max_ns, kvmhb_host_resolution_ns());
	kvmhb_host_late(late_ns);
	watch->host_late = late_ns > lateness_max_ns || watch->deaf;
	/* Nobody knows since when a CPU or its timers stood still. */
	if (watch->host_late)
		denied_ns = elapsed_ns;
	watch->host_late |= watch_is_robbed(watch, elapsed_ns);
	return denied_ns;
}

/*
 * Whether some CPU of the host has yet to answer what it was asked since @late_at_ns, or of late.
 * Asks them anew: that counts at the next look.
 */
static bool watch_ask_host(const struct kvmhb_watch *watch, u64 timeout_ns, u64 late_at_ns)
{
	u64 since_ns = kvmhb_minus(watch->seen_at_ns,
				   max3(timeout_ns / 2, kvmhb_host_resolution_ns(),
					20 * (u64)NSEC_PER_MSEC));
	bool answered = kvmhb_host_answered(max(since_ns, late_at_ns));

	kvmhb_host_ask();
	return !answered;
}

/**
 * kvmhb_watch_ask_host - have the host's CPUs show that they live, before something is done
 * @watch: what has been seen
 * @timeout_ns: the guest's timeout, ns
 *
 * Return: true if one has yet to; after a millisecond all that live have.
 */
bool kvmhb_watch_ask_host(const struct kvmhb_watch *watch, u64 timeout_ns)
{
	return watch_ask_host(watch, timeout_ns, 0);
}

/* Whether a vCPU has been in the guest since the look before, or is about to be. */
static bool watch_has_run(const struct kvmhb_watch *watch)
{
	struct kvmhb_vcpu_watch *vcpu;

	for (vcpu = watch->vcpus; vcpu < watch_end(watch); vcpu++)
		if (watch_now(watch, vcpu)->running ||
		    watch_now(watch, vcpu)->exits != watch_then(watch, vcpu)->exits)
			return true;
	return false;
}

/**
 * kvmhb_watch_look - look at the guest
 * @watch: what has been seen of it
 * @look: what the monitor knows of it
 * @c: gets the case
 */
void kvmhb_watch_look(struct kvmhb_watch *watch, const struct kvmhb_look *look,
		      struct kvmhb_case *c)
{
	bool beaten = look->last_beat_at_ns != watch->last_beat_at_ns;
	bool was_out = watch->out, was_deaf = watch->deaf;
	bool was_resuming = watch->resuming;
	/* When the host was late at the look before: then. */
	u64 late_at_ns = watch->host_late ? watch->seen_at_ns : 0;
	int sleeps = watch->host.sleeps;
	u64 before_ns = watch->run_ns;
	u64 now_ns = ktime_get_ns();
	u64 elapsed_ns = now_ns - watch->seen_at_ns;
	u64 denied_ns, host_ns, run_ns;
	u64 waited_ns = 0;
	bool moved;

	denied_ns = watch_look_at_vcpus(watch, look->kvm, elapsed_ns, &waited_ns);
	host_ns = kvmhb_minus(watch_look_at_host(watch, look, now_ns, elapsed_ns), denied_ns);
	denied_ns += host_ns;
	/* Nobody knows for how long all were frozen. */
	if (watch->host.sleeps != sleeps)
		denied_ns = elapsed_ns;
	watch->seen_at_ns = now_ns;
	run_ns = elapsed_ns - denied_ns;
	if (beaten && before_ns >= look->timing.timeout_ns) {
		/* All of it was silent: its other CPUs are about to show that they are back. */
		watch_forgive(watch);
		run_ns = 0;
	}
	moved = kvmhb_layers_look(&watch->layers, look->pulse, watch->nr_vcpus,
				  look->timing.timeout_ns, run_ns);
	/*
	 * What was stolen is known of all CPUs together: a guest that is silent may have lost all.
	 * One that beats has shown that it runs, however long a host is robbed.
	 */
	if (watch->robbed) {
		host_ns += elapsed_ns - denied_ns;
		denied_ns = elapsed_ns;
		run_ns = 0;
	}
	watch->just_denied_ns = denied_ns;

	if (beaten) {
		/* What was denied may have been so before the beat: that is forgiven. */
		u64 silence_ns = kvmhb_minus(now_ns, look->last_beat_at_ns);

		watch->last_beat_at_ns = look->last_beat_at_ns;
		watch->denied_ns = min(denied_ns, silence_ns);
		watch->run_ns = silence_ns - watch->denied_ns;
		watch->waited_ns = min(waited_ns, silence_ns);
		watch->host_ns = min(host_ns, silence_ns);
	} else {
		watch->run_ns += run_ns;
		watch->denied_ns += denied_ns;
		watch->waited_ns += waited_ns;
		watch->host_ns += host_ns;
		watch->pulsing |= moved;
		watch->pulsing &= watch->layers.stale_in_ns != U64_MAX;
	}
	/* Until its next beat is due, whatever it does is no sign of anything. */
	if (beaten || before_ns < look->timing.interval_ns)
		watch_begin_window(watch);
	else
		watch_keep_first(watch);

	watch_describe(watch, look, c);
	watch->out = kvmhb_all_out(c) && !c->vcpus[KVMHB_LEAVING];
	if (watch->resuming)
		watch->resuming = !beaten && !watch_has_run(watch);
	/* What was held up is about to happen. */
	if ((was_out || was_deaf) && !watch->out && !watch->deaf) {
		/* A CPU that was stale before a pause is so after it. */
		if (!was_out)
			watch_excuse(watch, look->so_far.state == KVMHB_UNRESPONSIVE);
		else if (was_resuming)
			watch_forgive_silence(watch);
		else
			watch_forgive(watch);
		watch_begin_window(watch);
		watch_describe(watch, look, c);
	}
	c->host_asked = kvmhb_must_ask(c) &&
			watch_ask_host(watch, c->timing.timeout_ns, late_at_ns);
}

/* Sees how host and vCPUs are now: what they did before says nothing of what follows. */
static void watch_begin(struct kvmhb_watch *watch, struct kvm *kvm)
{
	u64 waited_ns = 0;

	watch->seen_at_ns = ktime_get_ns();
	watch->stirs = false;
	watch->out = false;
	watch->resuming = false;
	watch->host_late = false;
	kvmhb_host_look(&watch->host);
	watch->steal_ns = kvmhb_evidence_steal_ns();
	watch->steal_span_ns = 0;
	watch->robbed = false;
	watch->deaf = false;
	watch_look_at_vcpus(watch, kvm, 0, &waited_ns);
	watch_begin_window(watch);
}

/**
 * kvmhb_watch_restart - begin to watch a new incarnation of the guest
 * @watch: what to begin anew
 * @kvm: the VM, or NULL
 * @pulse: its pulse page
 */
void kvmhb_watch_restart(struct kvmhb_watch *watch, struct kvm *kvm,
			 const struct kvmhb_pulse *pulse)
{
	watch_begin(watch, kvm);
	watch->last_beat_at_ns = 0;
	kvmhb_layers_restart(&watch->layers, pulse);
	watch_forgive(watch);
}

/**
 * kvmhb_watch_resume - watch a guest again after a pause
 * @watch: what was seen of it before
 * @kvm: the VM, or NULL
 * @silent: the silence that it was in goes on
 * @last_beat_at_ns: when it last beat, ns of CLOCK_MONOTONIC, as if the pause had not been
 */
void kvmhb_watch_resume(struct kvmhb_watch *watch, struct kvm *kvm, bool silent,
			u64 last_beat_at_ns)
{
	watch_begin(watch, kvm);
	/* The VMM says so before it lets the vCPUs run: what they owe begins when they do. */
	watch->out = !silent && watch->nr_vcpus;
	watch->resuming = watch->out;
	watch->last_beat_at_ns = last_beat_at_ns;
	kvmhb_layers_resume(&watch->layers);
	if (!silent)
		watch_forgive_silence(watch);
}

/**
 * kvmhb_watch_load - go on as another monitor would have
 * @watch: gets what was seen there
 * @pulse: the pulse page
 * @saved: what moved
 * @last_beat_at_ns: when the guest last beat, ns of CLOCK_MONOTONIC
 *
 * What the vCPUs did there says nothing here.
 */
void kvmhb_watch_load(struct kvmhb_watch *watch, const struct kvmhb_pulse *pulse,
		      const struct kvmhb_saved *saved, u64 last_beat_at_ns)
{
	struct kvmhb_judgement *judged = &watch->judged;

	kvmhb_layers_load(&watch->layers, pulse, saved);
	watch->last_beat_at_ns = last_beat_at_ns;
	watch->run_ns = saved->run_ns;
	watch->denied_ns = saved->silence_ns - saved->run_ns;
	watch->waited_ns = 0;
	watch->host_ns = 0;

	kvfree(judged->vcpus);
	*judged = (struct kvmhb_judgement) {
		.verdict = { saved->judged_state, saved->judged_cause },
		.silence_ns = saved->judged_silence_ns,
		.run_ns = saved->judged_run_ns,
		.deaf_cpu = -1,
	};
}

/**
 * kvmhb_watch_stale - name the CPUs that are stale
 * @watch: what has been seen
 * @cpus: bitmap of KVMHB_PULSE_MAX_SLOTS bits. Gets those whose slots are stale, or if
 *	there are none, whose schedulers
 */
void kvmhb_watch_stale(const struct kvmhb_watch *watch, unsigned long *cpus)
{
	unsigned int nr;

	bitmap_zero(cpus, KVMHB_PULSE_MAX_SLOTS);
	for (nr = 0; nr < watch->layers.nr_slots; nr++)
		if (kvmhb_layers_is_stale(&watch->layers, nr))
			__set_bit(nr, cpus);
}

/**
 * kvmhb_watch_heed - go on as a ruling wants it
 * @watch: what has been seen
 * @ruling: what was ruled by it
 */
void kvmhb_watch_heed(struct kvmhb_watch *watch, const struct kvmhb_ruling *ruling)
{
	watch->stirs = ruling->stirs;
	if (ruling->new_window)
		watch_begin_window(watch);
}

/**
 * kvmhb_watch_keep - keep what was seen last, as what a verdict was found by
 * @watch: what has been seen
 * @verdict: the verdict
 * @c: the case
 */
void kvmhb_watch_keep(struct kvmhb_watch *watch, const struct kvmhb_verdict *verdict,
		      const struct kvmhb_case *c)
{
	struct kvmhb_judgement *judged = &watch->judged;
	unsigned int nr;

	judged->verdict = *verdict;
	judged->silence_ns = c->silence_ns;
	judged->run_ns = c->run_ns;
	judged->deaf_cpu = watch->deaf ? watch->host.unheard_cpu : -1;
	judged->vcpus = kvmhb_grow(judged->vcpus, &judged->nr_vcpus, watch->nr_vcpus,
				   sizeof(*judged->vcpus));
	for (nr = 0; nr < judged->nr_vcpus; nr++)
		judged->vcpus[nr] = *watch_now(watch, &watch->vcpus[nr]);
	kvmhb_layers_keep(&watch->layers);
}
