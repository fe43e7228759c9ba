// SPDX-License-Identifier: GPL-2.0
/*
 * The rules, of which the first that applies to an armed guest counts. They have the same
 * numbers here, in KUnit, and in Documentation/how-it-works.rst, which says why.
 *
 * 1. It beats, or is not yet silent enough to be late:	alive, degraded
 * 2. A vCPU has shut down by a triple fault:			panicked
 * 3. KVM cannot run it any more:				unresponsive (kvm-error)
 * 4. All threads are ending or gone:				late at worst
 * 5. No vCPU is where it could run:				paused
 * 6. The host is in trouble:					late (host-degraded)
 * 7. The timeout is not over on the run clock:		late, with who denied it
 * 8. The timeout is over:					unresponsive; panicked after an oops
 */
#include <linux/kernel.h>
#include <linux/time64.h>

#include "verdict.h"

/* A look costs some microseconds: how exact a verdict may be where that is worth it. */
#define LOOK_MIN_NS	(25 * NSEC_PER_USEC)

/* How late a verdict may be at the most because no look was made sooner. */
static u64 rule_look_max_ns(const struct kvmhb_timing *timing)
{
	return min(max_t(u64, timing->timeout_ns / 64, NSEC_PER_MSEC), timing->interval_ns);
}

/*
 * All that changes while a guest is silent is noticed within an interval. What it still
 * lacks may be little; a guest that was just denied more is likely to be denied again.
 */
static struct kvmhb_ruling rule_look_in(const struct kvmhb_case *c, struct kvmhb_verdict verdict,
					u64 in_ns)
{
	u64 min_ns = clamp(c->just_denied_ns * 3 / 2, LOOK_MIN_NS, rule_look_max_ns(&c->timing));

	return (struct kvmhb_ruling) {
		.verdict = verdict,
		.look_in_ns = max(min(in_ns, c->timing.interval_ns), min_ns),
	};
}

/* The host's CPUs answer within microseconds, as a rule. */
static struct kvmhb_ruling rule_await_answers(struct kvmhb_verdict verdict)
{
	return (struct kvmhb_ruling) { verdict, NSEC_PER_MSEC };
}

static struct kvmhb_ruling rule_final(enum kvmhb_state state, enum kvmhb_cause cause)
{
	return (struct kvmhb_ruling) { { state, cause }, KVMHB_NO_DEADLINE };
}

/* An outage goes on being looked at, as long as it lasts, and ever less often. */
#define RARE_NS		(60 * NSEC_PER_SEC)

static struct kvmhb_ruling rule_unresponsive(const struct kvmhb_case *c, enum kvmhb_cause cause)
{
	u64 timeout_ns = c->timing.timeout_ns;

	return (struct kvmhb_ruling) {
		.verdict = { KVMHB_UNRESPONSIVE, cause },
		.look_in_ns = clamp(c->silence_ns, timeout_ns, max_t(u64, timeout_ns, RARE_NS)),
		.new_window = true,
	};
}

/* What a guest does from here on says why it is silent: it may have halted since it was late. */
static struct kvmhb_ruling rule_unknown(const struct kvmhb_case *c)
{
	static const struct kvmhb_verdict unknown = { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN };
	struct kvmhb_ruling ruling = rule_look_in(c, unknown, c->timing.timeout_ns / 2);

	ruling.new_window = true;
	return ruling;
}

static struct kvmhb_verdict say_late(enum kvmhb_cause cause)
{
	return (struct kvmhb_verdict) { KVMHB_LATE, cause };
}

/**
 * kvmhb_all_out - whether no vCPU is where it could run the guest
 * @c: the case
 *
 * Return: true if all vCPUs that there are seem to be held by the host or by
 * the VMM.
 */
bool kvmhb_all_out(const struct kvmhb_case *c)
{
	unsigned int out = c->vcpus[KVMHB_STOPPED_BY_HOST] + c->vcpus[KVMHB_AWAY] +
			   c->vcpus[KVMHB_IN_VMM] + c->vcpus[KVMHB_LEAVING] +
			   c->vcpus[KVMHB_HALTED_OUT];

	return out && out + c->vcpus[KVMHB_ABSENT] == c->nr_vcpus;
}

/* Of a guest that beats. The lowest stale layer names the fault. */
static struct kvmhb_verdict say_living(const struct kvmhb_case *c)
{
	struct kvmhb_verdict degraded = { KVMHB_DEGRADED, KVMHB_CAUSE_NONE };

	if (c->partial)
		degraded.cause = KVMHB_CAUSE_PARTIAL;
	else if (c->softlockup)
		degraded.cause = KVMHB_CAUSE_SOFTLOCKUP;
	else if (c->blocked)
		degraded.cause = KVMHB_CAUSE_BLOCKED;
	else if (c->userspace)
		degraded.cause = KVMHB_CAUSE_USERSPACE;
	else
		return (struct kvmhb_verdict) { KVMHB_ALIVE, KVMHB_CAUSE_NONE };
	return degraded;
}

/*
 * A layer that hangs on the host's CPUs is stale, and nobody has said so yet. Whatever else of the
 * guest is degraded may be so for ever.
 */
static bool case_is_worse(const struct kvmhb_case *c)
{
	return (c->partial || c->softlockup) &&
	       (c->so_far.state != KVMHB_DEGRADED || c->so_far.cause != say_living(c).cause ||
		c->stale_anew);
}

/* How long the guest has been silent while nobody paused it. */
static u64 case_unpaused_ns(const struct kvmhb_case *c)
{
	return c->run_ns + c->denied_ns;
}

/* The silence is not the guest's fault. That is worth a word if the guest was kept for long. */
static struct kvmhb_verdict say_excused(const struct kvmhb_case *c, enum kvmhb_cause cause)
{
	u64 timeout_ns = c->timing.timeout_ns;

	/* What the vCPUs do now says nothing of that. */
	if (2 * c->host_ns > c->denied_ns)
		cause = KVMHB_CAUSE_HOST_DEGRADED;
	if (cause != KVMHB_CAUSE_NONE && case_unpaused_ns(c) >= timeout_ns &&
	    c->denied_ns >= timeout_ns / 2)
		return say_late(cause);
	return c->so_far;
}

/* Why a silent guest had less opportunity than time. */
static enum kvmhb_cause why_denied(const struct kvmhb_case *c)
{
	bool waited = 2 * c->waited_ns > c->denied_ns;

	/* A VMM that waits for a CPU is not stuck. */
	if (c->vcpus[KVMHB_QUEUED])
		return KVMHB_CAUSE_STARVED;
	if (!waited && (c->vcpus[KVMHB_IN_VMM] || c->vcpus[KVMHB_AWAY]))
		return KVMHB_CAUSE_VMM_STUCK;
	if (c->vcpus[KVMHB_BLOCKED])
		return KVMHB_CAUSE_HOST_BLOCKED;
	if (c->vcpus[KVMHB_STOPPED_BY_HOST])
		return KVMHB_CAUSE_PAUSED;
	return waited ? KVMHB_CAUSE_STARVED : KVMHB_CAUSE_NONE;
}

/* No vCPU is where it could run the guest. */
static struct kvmhb_ruling rule_held(const struct kvmhb_case *c)
{
	static const struct kvmhb_verdict paused = { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED };
	u64 spare_ns = kvmhb_minus(c->timing.timeout_ns, kvmhb_late_ns(&c->timing));

	if (c->so_far.state == KVMHB_UNRESPONSIVE && c->so_far.cause != KVMHB_CAUSE_UNKNOWN)
		return rule_unresponsive(c, c->so_far.cause);
	if (c->so_far.state == KVMHB_UNRESPONSIVE)
		return rule_look_in(c, c->so_far, U64_MAX);
	/*
	 * A guest that talks to its VMM looks like that for a moment, and one that its VMM
	 * resumes for as long as that takes.
	 */
	if (c->vcpus[KVMHB_LEAVING] ||
	    (c->resuming && case_unpaused_ns(c) < c->timing.timeout_ns))
		return rule_look_in(c, c->so_far, spare_ns / 2);
	if (c->vcpus[KVMHB_IN_VMM] + c->vcpus[KVMHB_ABSENT] == c->nr_vcpus)
		return rule_look_in(c, say_excused(c, KVMHB_CAUSE_VMM_STUCK),
			    kvmhb_minus(c->timing.timeout_ns, case_unpaused_ns(c)) ?: spare_ns);
	return rule_look_in(c, paused, U64_MAX);
}

static struct kvmhb_ruling rule_host_in_trouble(const struct kvmhb_case *c)
{
	u64 lateness_max_ns = kvmhb_lateness_max_ns(&c->timing);

	if (case_unpaused_ns(c) < c->timing.timeout_ns)
		return rule_look_in(c, c->so_far, lateness_max_ns);
	return rule_look_in(c, say_late(KVMHB_CAUSE_HOST_DEGRADED), lateness_max_ns);
}

/* It has not had its opportunity yet. */
static struct kvmhb_ruling rule_too_early(const struct kvmhb_case *c)
{
	u64 late_ns = kvmhb_late_ns(&c->timing);
	struct kvmhb_verdict verdict = say_excused(c, why_denied(c));

	if (verdict.state == KVMHB_UNRESPONSIVE)
		verdict = say_late(KVMHB_CAUSE_NONE);	/* the timeout was raised */
	if (c->run_ns < late_ns)
		return rule_look_in(c, verdict, late_ns - c->run_ns);
	if (verdict.state != KVMHB_LATE)
		verdict = say_late(KVMHB_CAUSE_NONE);
	return rule_look_in(c, verdict, kvmhb_minus(c->timing.timeout_ns, c->run_ns));
}

/* Why a guest is silent that could have beaten; KVMHB_CAUSE_UNKNOWN if that is not clear. */
static enum kvmhb_cause why_silent(const struct kvmhb_case *c)
{
	if (c->vcpus[KVMHB_LIVING])
		return KVMHB_CAUSE_BEAT_LOST;
	if (c->vcpus[KVMHB_SPINNING])
		return KVMHB_CAUSE_HUNG;
	if (c->vcpus[KVMHB_HALTING] &&
	    c->vcpus[KVMHB_HALTING] + c->vcpus[KVMHB_HALTED_OUT] +
	    c->vcpus[KVMHB_ABSENT] == c->nr_vcpus)
		return KVMHB_CAUSE_HALTED;
	return KVMHB_CAUSE_UNKNOWN;
}

/*
 * A guest that comes back to life takes interrupts, and pulses, just before it beats. A look in
 * between, of which there may be any number, neither judges that nor begins it anew.
 */
static struct kvmhb_ruling rule_stirring(const struct kvmhb_case *c, u64 pulse_ns)
{
	u64 left_ns = c->stirred ? kvmhb_minus(pulse_ns, c->window_ns) : pulse_ns;

	return (struct kvmhb_ruling) {
		.verdict = c->so_far,
		.look_in_ns = max(left_ns, LOOK_MIN_NS),
		.new_window = !c->stirred,
		.stirs = true,
	};
}

/* It was accused before. What it is accused of follows what it does since the last look. */
static struct kvmhb_ruling rule_accused(const struct kvmhb_case *c, u64 pulse_ns)
{
	enum kvmhb_cause cause = why_silent(c);

	if (cause == KVMHB_CAUSE_UNKNOWN || c->host_late || c->host_asked ||
	    c->window_ns < pulse_ns)
		cause = c->so_far.cause;
	if (cause == KVMHB_CAUSE_BEAT_LOST && cause != c->so_far.cause && !c->stirred)
		return rule_stirring(c, pulse_ns);
	return rule_unresponsive(c, cause);
}

/* It had its opportunity. */
static struct kvmhb_ruling rule_overdue(const struct kvmhb_case *c)
{
	u64 timeout_ns = c->timing.timeout_ns;
	/* Within so long, each CPU that lives has moved its slot. */
	u64 pulse_ns = c->timing.interval_ns + c->timing.interval_ns / 2;
	bool known = c->nr_vcpus;
	enum kvmhb_cause cause = why_silent(c);

	/* What is silent is late first, however long the silence. */
	if (c->so_far.state != KVMHB_LATE && c->so_far.state != KVMHB_UNRESPONSIVE)
		return rule_look_in(c, say_late(KVMHB_CAUSE_NONE), 0);
	if (c->so_far.state == KVMHB_UNRESPONSIVE &&
	    (c->stirred ? c->window_ns < pulse_ns : c->pulsing))
		return rule_stirring(c, pulse_ns);
	if (c->pulsing)
		return rule_look_in(c, say_late(KVMHB_CAUSE_BEAT_LOST), U64_MAX);

	if (c->oopsed && !c->host_asked)
		return rule_final(KVMHB_PANICKED, KVMHB_CAUSE_PANIC);
	if (c->so_far.state == KVMHB_UNRESPONSIVE) {
		if (c->so_far.cause != KVMHB_CAUSE_UNKNOWN || !known)
			return rule_accused(c, pulse_ns);
		if (c->run_ns < timeout_ns + timeout_ns / 2)
			return rule_look_in(c, c->so_far, timeout_ns / 2);
		return rule_unresponsive(c, cause == KVMHB_CAUSE_UNKNOWN ?
					 KVMHB_CAUSE_HUNG : cause);
	}

	if (c->host_asked)
		return rule_await_answers(c->so_far);
	if (cause == KVMHB_CAUSE_BEAT_LOST && c->window_ns < pulse_ns)
		return rule_look_in(c, c->so_far, pulse_ns - c->window_ns);
	/* For a moment a vCPU was outside KVM_RUN: what it is doing is soon seen. */
	if (cause == KVMHB_CAUSE_UNKNOWN && c->vcpus[KVMHB_LEAVING])
		return rule_await_answers(c->so_far);
	if (cause == KVMHB_CAUSE_UNKNOWN && known)
		return rule_unknown(c);
	return rule_unresponsive(c, cause);
}

/* A guest that beats; what of it does not may be held up by a host CPU that is dead. */
static struct kvmhb_ruling rule_beating(const struct kvmhb_case *c)
{
	struct kvmhb_verdict verdict = say_living(c);
	u64 late_ns = kvmhb_late_ns(&c->timing);

	/* Until then it is what it was, or back from a silence. */
	if (c->host_asked && case_is_worse(c)) {
		verdict = c->so_far;
		if (verdict.state != KVMHB_DEGRADED)
			verdict = (struct kvmhb_verdict) { KVMHB_ALIVE, KVMHB_CAUSE_NONE };
		return rule_await_answers(verdict);
	}
	return (struct kvmhb_ruling) {
		.verdict = verdict,
		.look_in_ns = max(min(kvmhb_minus(late_ns, c->silence_ns), c->stale_in_ns),
				  rule_look_max_ns(&c->timing)),
	};
}

/**
 * kvmhb_must_ask - whether the host's CPUs must show that they live
 * @c: all that is known
 *
 * Return: true if the guest may be accused at one of the next looks.
 */
bool kvmhb_must_ask(const struct kvmhb_case *c)
{
	u64 late_ns = kvmhb_late_ns(&c->timing);

	if (c->so_far.state == KVMHB_UNRESPONSIVE)
		return false;
	/* A paused guest may be so for ever. */
	if (!c->beaten && c->silence_ns >= late_ns)
		return !kvmhb_all_out(c) || c->vcpus[KVMHB_LEAVING];
	return case_is_worse(c) || c->stale_in_ns <= c->timing.timeout_ns - late_ns;
}

/* No thread is left to run it: the VMM is about to end. There is nobody to accuse. */
static struct kvmhb_ruling rule_abandoned(const struct kvmhb_case *c)
{
	if (c->so_far.state == KVMHB_UNRESPONSIVE)
		return rule_unresponsive(c, c->so_far.cause);
	if (c->silence_ns < c->timing.timeout_ns || c->so_far.state == KVMHB_LATE)
		return rule_look_in(c, c->so_far, U64_MAX);
	return rule_look_in(c, say_late(KVMHB_CAUSE_NONE), U64_MAX);
}

/* It cannot run any more, and needs no opportunity to be judged. */
static struct kvmhb_ruling rule_broken(const struct kvmhb_case *c)
{
	if (c->silence_ns < c->timing.timeout_ns || (c->so_far.state != KVMHB_LATE &&
						     c->so_far.state != KVMHB_UNRESPONSIVE))
		return rule_look_in(c, say_late(KVMHB_CAUSE_NONE),
			    kvmhb_minus(c->timing.timeout_ns, c->silence_ns));
	return rule_final(KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR);
}

/**
 * kvmhb_rule - judge a guest
 * @c: all that is known
 *
 * A guest is late before it is unresponsive, however long the silence: whoever
 * follows the transitions sees the same order each time. A caller that gets a
 * new state therefore asks again.
 *
 * Return: the verdict, and when to look again.
 */
struct kvmhb_ruling kvmhb_rule(const struct kvmhb_case *c)
{
	u64 late_ns = kvmhb_late_ns(&c->timing);

	if (c->beaten || (c->silence_ns < late_ns && c->so_far.state != KVMHB_PAUSED))
		return rule_beating(c);						/* 1 */
	if (c->vcpus[KVMHB_SHUT_DOWN])
		return rule_final(KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT);	/* 2 */
	if (c->dead || c->vcpus[KVMHB_FAILED])
		return rule_broken(c);						/* 3 */
	if (c->nr_vcpus && c->vcpus[KVMHB_ABSENT] == c->nr_vcpus)
		return rule_abandoned(c);					/* 4 */
	if (kvmhb_all_out(c))
		return rule_held(c);						/* 5 */
	if (c->host_late && c->so_far.state != KVMHB_UNRESPONSIVE)
		return rule_host_in_trouble(c);					/* 6 */
	if (c->run_ns < c->timing.timeout_ns)
		return rule_too_early(c);					/* 7 */
	return rule_overdue(c);							/* 8 */
}
