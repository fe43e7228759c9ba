// SPDX-License-Identifier: GPL-2.0
/*
 * Of the run clock and the verdict together, look after look: a guest whose vCPUs do at each step
 * one of all that the host tells apart, and for which this file itself keeps count of the time
 * that it had.
 */
#include <linux/jiffies.h>
#include <linux/kvm.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>

#include "kvm_heartbeat.h"
#include "prove.h"
#include "twin_host.h"
#include "verdict.h"
#include "watch.h"

/* What a vCPU does from one look to the next. It is at that still when the look comes. */
enum act {
	SPINS,		/* executes */
	LIVES,		/* likewise, and takes interrupts */
	HALTS,
	SHARES,		/* executes for half of the time, and waits for a CPU before */
	WAITS,		/* for a CPU, or in a halt that has ended, for the same */
	WAKES,		/* halts for half of the time, waits for a CPU, and has just got it */
	KEPT,		/* busy in the host's kernel */
	BLOCKED,	/* asleep there */
	STOPPED,	/* by a signal */
	AWAY,		/* at its VMM, which sleeps */
	WORKS,		/* at its VMM, which is busy with its I/O */
	NR_ACTS
};

/* What else happens in a step. */
enum event {
	NOTHING, BEATS, HOST_SLEEPS, LOOKS_LATE,
	HOST_DEAF,	/* a CPU of the host was asked before or when it began, and is silent */
	ROBBED,		/* all of it is stolen from the host */
	LATE_AND_DEAF,
	NR_EVENTS
};

#define NR_VCPUS	2

/* What is stolen is counted once a tick, and judged over some of them. */
#define STEAL_LEAST_NS	(4 * TICK_NSEC)

/* The guest, the host, and the monitor. */
struct world {
	u64 now_ns, beat_at_ns, look_in_ns;
	u64 had_ns;		/* what the guest had of the time since its last beat */
	bool excused;		/* some of it was not its own, or its vCPUs did this and that */
	bool doubted;		/* a CPU was deaf, and since it answered nobody could be judged */
	u64 deaf_since_ns, asked_at_ns, trouble_at_ns, steal_ns;	/* of the host */
	enum act acts[NR_VCPUS];
	struct kvmhb_vcpu seen[NR_VCPUS];
	struct kvmhb_host host;
	struct kvmhb_watch watch;
	struct kvmhb_vcpu_watch vcpus[NR_VCPUS];
	struct kvmhb_verdict verdict;
	u64 silent_since_ns;
	const struct world *before;
	enum event event;
};

static const struct kvmhb_timing timing = { 2 * SEC, 4 * SEC };
static struct kvm kvm;
static struct kvm_heartbeat_pulse_header header;
static const struct kvmhb_pulse pulse = { .header = &header, .size = PAGE_SIZE };

/* What KVM and the scheduler count. Returns how much of the time was the vCPU's own. */
static u64 act(struct kvmhb_vcpu *seen, enum act before, enum act now, u64 ns)
{
	bool was_in_guest = before == SPINS || before == LIVES || before == SHARES ||
			    before == WAKES;
	bool is_in_guest = now == SPINS || now == LIVES || now == SHARES || now == WAKES;
	bool halts_on = now == WAITS && seen->halted;

	if (was_in_guest && (now == WAKES || (!is_in_guest && now != WAITS && now != STOPPED)))
		seen->exits++;
	if (now != WAITS) {
		seen->run_delay_ns += seen->queued_ns;
		seen->queued_ns = 0;
	}
	seen->running = now != AWAY && now != WORKS;
	seen->kernel = !is_in_guest && seen->running;
	seen->halted = now == HALTS || halts_on;
	seen->task = now == HALTS || now == AWAY ? 'S' : now == BLOCKED ? 'D' :
		     now == STOPPED ? 'T' : 'R';
	seen->exit = now == WORKS ? KVM_EXIT_IO : KVM_EXIT_INTR;
	switch (now) {
	case LIVES:
		seen->irqs++;
		seen->exits++;
		seen->exec_ns += ns;
		return ns;
	case SPINS:
		seen->exec_ns += ns;
		return ns;
	case HALTS:
		seen->halted_ns += ns;
		return ns;
	case SHARES:
		seen->exec_ns += ns / 2;
		seen->run_delay_ns += ns - ns / 2;
		return ns / 2;
	case WAKES:
		/* Of a wait in a halt KVM knows nothing. */
		seen->halted_ns += ns;
		seen->run_delay_ns += ns - ns / 2;
		return ns / 2;
	case WAITS:
		seen->queued_ns += ns;
		seen->halted_ns += halts_on ? ns : 0;
		return 0;
	case KEPT:
		/* That it came there at once, two looks have to see. */
		seen->exec_ns += ns;
		return before == KEPT ? 0 : ns;
	case WORKS:
		seen->exec_ns += ns;
		return before == WORKS || before == AWAY ? 0 : ns;
	default:
		return 0;
	}
}

/* Whether all vCPUs are where they cannot run, as far as one look can tell. */
static bool is_held(const struct world *w)
{
	unsigned int nr;

	for (nr = 0; nr < w->watch.nr_vcpus; nr++)
		if (w->acts[nr] != STOPPED && w->acts[nr] != AWAY && w->acts[nr] != WORKS)
			return false;
	return true;
}

/* Whether all CPUs of the host have shown that they lived of late, and since there was trouble. */
static bool is_heard(const struct world *w)
{
	return !w->deaf_since_ns && w->asked_at_ns + timing.timeout_ns / 2 >= w->now_ns &&
	       w->asked_at_ns >= w->trouble_at_ns && w->trouble_at_ns != w->now_ns;
}

/* Says how the guest came there. */
static void retrace(const struct world *w)
{
	if (!w->before)
		return;
	retrace(w->before);
	printf("# %llu ms: acts %d %d, event %d: %s (%s), %llu ms on the run clock, of %llu\n",
	       w->now_ns / MS, w->acts[0], w->acts[1], w->event, kvmhb_state_word(w->verdict.state),
	       kvmhb_cause_word(w->verdict.cause), w->watch.run_ns / MS, w->had_ns / MS);
}

#define demand_here(w, holds) do {							\
	if (!(holds))									\
		retrace(w);								\
	demand(holds, "%u vCPUs", (w)->watch.nr_vcpus);					\
} while (0)

/* What the monitor can see. */
static void show(struct world *w)
{
	twin_now_ns = w->now_ns;
	twin_host = w->host;
	twin_deaf_since_ns = w->deaf_since_ns;
	twin_asked_at_ns = w->asked_at_ns;
	twin_asks = false;
	twin_steal_ns = w->steal_ns;
	kvm.seen = w->seen;
	w->watch.vcpus = w->vcpus;
}

/* The monitor's look, as monitor_look_at_armed() makes it. */
static void look(struct world *w)
{
	const struct kvmhb_look look = {
		.kvm = &kvm,
		.pulse = &pulse,
		.timing = timing,
		.so_far = w->verdict,
		.last_beat_at_ns = w->beat_at_ns,
		.beaten = !kvmhb_state_beats(w->verdict.state) &&
			  w->beat_at_ns != w->silent_since_ns,
		.due_at_ns = w->watch.seen_at_ns + w->look_in_ns,
		.asked_at_ns = w->watch.seen_at_ns + w->look_in_ns,
	};
	struct kvmhb_ruling ruling;
	struct kvmhb_case c;
	int rounds;

	show(w);
	kvmhb_watch_look(&w->watch, &look, &c);

	/* P1: the run clock never runs ahead of what the guest had. */
	demand_here(w, w->watch.run_ns <= w->had_ns || w->doubted);
	demand_here(w, c.run_ns + c.denied_ns <= c.silence_ns);
	demand_here(w, c.host_ns <= c.denied_ns);

	for (rounds = 0; rounds < 5; rounds++) {
		ruling = kvmhb_rule(&c);
		kvmhb_watch_heed(&w->watch, &ruling);
		if (ruling.verdict.state == w->verdict.state &&
		    ruling.verdict.cause == w->verdict.cause)
			break;
		/* P2, P3, P6 */
		if (ruling.verdict.state == KVMHB_UNRESPONSIVE &&
		    w->verdict.state != KVMHB_UNRESPONSIVE) {
			demand_here(w, w->had_ns >= timing.timeout_ns);
			demand_here(w, w->verdict.state == KVMHB_LATE);
			demand_here(w, is_heard(w));
		}
		demand_here(w, ruling.verdict.state != KVMHB_PANICKED);
		if (kvmhb_state_beats(w->verdict.state))
			w->silent_since_ns = w->beat_at_ns;
		w->verdict = ruling.verdict;
		c.so_far = ruling.verdict;
		c.beaten = false;
	}
	demand_here(w, rounds < 5);
	/* P4 */
	demand_here(w, ruling.look_in_ns <= 60 * SEC);
	/* P5: who has spun, or has halted, for all of the time is accused when it is over. */
	if (!w->excused && w->had_ns >= timing.timeout_ns)
		demand_here(w, w->verdict.state == KVMHB_UNRESPONSIVE);
	if (twin_asks && !w->deaf_since_ns)
		w->asked_at_ns = w->now_ns;
	w->look_in_ns = ruling.look_in_ns;
}

static bool is_late(enum event what)
{
	return what == LOOKS_LATE || what == LATE_AND_DEAF;
}

/* What happens to the host in a step of @ns. Returns how much of @had_ns the guests still had. */
static u64 befall_host(struct world *w, enum event what, u64 ns, u64 had_ns)
{
	bool robbed = what == ROBBED && ns >= STEAL_LEAST_NS;
	bool deaf = what == HOST_DEAF || what == LATE_AND_DEAF;
	u64 began_ns = w->now_ns - ns;

	w->steal_ns += what == ROBBED ? ns : 0;
	w->host.sleeps += what == HOST_SLEEPS;
	if (deaf && !w->deaf_since_ns) {
		w->deaf_since_ns = began_ns;
		w->asked_at_ns = began_ns;
	} else if (!deaf && w->deaf_since_ns) {
		/* It answers at once. Nobody knows since when it was dead before it was asked. */
		if (w->trouble_at_ns == began_ns && w->verdict.state != KVMHB_UNRESPONSIVE) {
			w->had_ns = 0;
			had_ns = 0;
			w->doubted = true;
		}
		w->host.deaf_ns += began_ns - w->deaf_since_ns;
		w->deaf_since_ns = 0;
	}
	if (is_late(what) || robbed ||
	    (w->deaf_since_ns && w->now_ns - w->deaf_since_ns > timing.timeout_ns / 10))
		w->trouble_at_ns = w->now_ns;
	/* For how much of it the guest was frozen nobody knows. */
	return what == HOST_SLEEPS || deaf || robbed ? 0 : had_ns;
}

static unsigned long walk(const struct world *before, unsigned int nr_vcpus,
			  unsigned int nr_events, unsigned int depth)
{
	unsigned int n, nr, total = nr_events;
	unsigned long steps = 0;

	if (!depth)
		return 0;
	for (nr = 0; nr < nr_vcpus; nr++)
		total *= NR_ACTS;
	for (n = 0; n < total; n++) {
		enum event event = n % nr_events;
		unsigned int rest = n / nr_events;
		struct world w = *before;
		u64 ns = w.look_in_ns + (is_late(event) ? timing.timeout_ns : 0);
		u64 had_ns = ns;

		for (nr = 0; nr < nr_vcpus; nr++) {
			enum act now = rest % NR_ACTS;
			u64 own_ns = act(&w.seen[nr], w.acts[nr], now, ns);

			had_ns = min(had_ns, own_ns);
			w.excused |= now != w.acts[nr] || (now != SPINS && now != HALTS);
			w.acts[nr] = now;
			rest /= NR_ACTS;
		}
		/* Until the first step its vCPUs are alike. */
		if (!before->before && w.acts[0] < w.acts[1])
			continue;
		w.before = before;
		w.event = event;
		w.now_ns += ns;
		had_ns = befall_host(&w, event, ns, had_ns);
		w.had_ns += had_ns;
		w.excused |= event != NOTHING;
		w.doubted &= is_held(&w) || (w.deaf_since_ns && w.trouble_at_ns == w.now_ns);
		if (event == BEATS) {
			/* Half way; or if it was silent just now, as such a beat has us look. */
			u64 ago_ns = kvmhb_state_beats(w.verdict.state) ? ns / 2 : 0;

			w.beat_at_ns = w.now_ns - ago_ns;
			w.had_ns = min(had_ns, ago_ns);
			/* Who was held is forgiven when he runs again. */
			w.excused = had_ns < ns || before->watch.out || before->watch.robbed;
		}
		look(&w);
		steps += 1 + walk(&w, nr_vcpus, nr_events, depth - 1);
	}
	return steps;
}

static unsigned long walk_all(unsigned int nr_vcpus, unsigned int nr_events, unsigned int depth)
{
	struct world w = {
		.now_ns = 1000 * SEC,
		.beat_at_ns = 1000 * SEC,
		.silent_since_ns = 1000 * SEC,
		.verdict = { KVMHB_ALIVE, KVMHB_CAUSE_NONE },
		.look_in_ns = 3 * SEC,
	};
	unsigned int nr;

	for (nr = 0; nr < NR_VCPUS; nr++)
		w.seen[nr] = (struct kvmhb_vcpu) { .pid = 7, .task = 'R', .running = true };
	show(&w);
	atomic_set(&kvm.online_vcpus, nr_vcpus);
	w.watch.nr_vcpus = nr_vcpus;
	kvmhb_watch_restart(&w.watch, &kvm, &pulse);
	w.watch.last_beat_at_ns = w.beat_at_ns;
	return walk(&w, nr_vcpus, nr_events, depth);
}

unsigned long prove_paths(void)
{
	return walk_all(1, NR_EVENTS, 4) + walk_all(1, HOST_DEAF, 5) +
	       walk_all(2, LATE_AND_DEAF, 3);
}
