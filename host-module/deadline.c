// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <linux/time64.h>

#include "deadline.h"
#include "verdict.h"

/* How late it may be noticed that a deadline is over: no look costs more than it is worth. */
#define DEADLINE_LOOK_MIN_NS	(10 * NSEC_PER_MSEC)
#define DEADLINE_LOOK_MAX_NS	(60 * NSEC_PER_SEC)

/* What follows once the deadline that a guest has is over. */
static enum kvmhb_cause deadline_cause(const struct kvmhb_verdict *verdict)
{
	if (verdict->state == KVMHB_WAITING ||
	    (verdict->state == KVMHB_STOPPED && verdict->cause == KVMHB_CAUSE_REBOOT))
		return KVMHB_CAUSE_NO_BOOT;
	if (verdict->state == KVMHB_STOPPED && verdict->cause == KVMHB_CAUSE_SHUTDOWN)
		return KVMHB_CAUSE_NO_SHUTDOWN;
	if (verdict->cause == KVMHB_CAUSE_DUMPING)
		return KVMHB_CAUSE_PANIC;
	return KVMHB_CAUSE_NONE;
}

/**
 * kvmhb_deadline_ns - the deadline that a guest has
 * @deadlines: what users set, or NULL
 * @verdict: state and cause
 * @timeout_ns: the timeout by which a crash kernel has to beat, ns
 *
 * A guest that suspends, or whose driver was unloaded, may be without a driver for any time.
 *
 * Return: ns on the run clock since the state began, or since the last beat of a crash kernel;
 * 0 if there is none.
 */
u64 kvmhb_deadline_ns(const struct kvmhb_deadlines *deadlines,
		      const struct kvmhb_verdict *verdict, u64 timeout_ns)
{
	switch (deadline_cause(verdict)) {
	case KVMHB_CAUSE_NO_BOOT:
		return deadlines ? deadlines->boot_ns : 0;
	case KVMHB_CAUSE_NO_SHUTDOWN:
		return deadlines ? deadlines->shutdown_ns : 0;
	case KVMHB_CAUSE_PANIC:
		return timeout_ns;
	default:
		return 0;
	}
}

/* Cannot run any more, and needs no opportunity to be judged: rules 2 and 3 of verdict.c. */
static bool deadline_is_broken(const struct kvmhb_case *c)
{
	return c->dead || c->vcpus[KVMHB_SHUT_DOWN] || c->vcpus[KVMHB_FAILED];
}

/* Has no thread that has ever run it, or none any more: rule 4. */
static bool deadline_is_abandoned(const struct kvmhb_case *c)
{
	return c->nr_vcpus && c->vcpus[KVMHB_ABSENT] == c->nr_vcpus;
}

/**
 * kvmhb_deadline_run_ns - how far the run clock of a guest goes that is not armed
 * @c: all that is known, as of a look
 * @elapsed_ns: time since the look before, ns
 *
 * Return: ns, @elapsed_ns at most.
 */
u64 kvmhb_deadline_run_ns(const struct kvmhb_case *c, u64 elapsed_ns)
{
	if (deadline_is_broken(c))
		return elapsed_ns;
	if (deadline_is_abandoned(c))
		return 0;
	return kvmhb_minus(elapsed_ns, c->just_denied_ns);
}

/**
 * kvmhb_deadline_rule - judge a guest that has a deadline
 * @c: all that is known; @c->run_ns and @c->silence_ns are since the deadline began, which
 *	each beat of a crash kernel does anew
 * @deadline_ns: the deadline, ns on the run clock, not 0
 *
 * Whatever the host has done to a guest until then is not in its run clock. What it does to it
 * at the moment makes what is seen of the guest worth nothing: rules 5 and 6 of verdict.c.
 *
 * Return: the verdict, the same as so far unless the deadline is over, and when to look again.
 */
struct kvmhb_ruling kvmhb_deadline_rule(const struct kvmhb_case *c, u64 deadline_ns)
{
	bool dumping = c->so_far.cause == KVMHB_CAUSE_DUMPING;
	u64 run_ns = dumping && deadline_is_broken(c) ? c->silence_ns : c->run_ns;
	u64 look_in_ns = clamp(deadline_ns / 64, DEADLINE_LOOK_MIN_NS, DEADLINE_LOOK_MAX_NS);
	struct kvmhb_ruling ruling = { c->so_far, look_in_ns };

	if (run_ns < deadline_ns) {
		/* One that beats has nothing to be seen at in between. */
		ruling.look_in_ns = clamp(deadline_ns - run_ns, NSEC_PER_MSEC,
					  dumping ? DEADLINE_LOOK_MAX_NS : look_in_ns);
		return ruling;
	}
	if (!deadline_is_broken(c)) {
		if (deadline_is_abandoned(c) || kvmhb_all_out(c) || c->host_late)
			return ruling;
		if (c->host_asked) {
			ruling.look_in_ns = NSEC_PER_MSEC;
			return ruling;
		}
	}
	ruling.verdict.state = dumping ? KVMHB_PANICKED : KVMHB_UNRESPONSIVE;
	ruling.verdict.cause = deadline_cause(&c->so_far);
	ruling.look_in_ns = KVMHB_NO_DEADLINE;
	return ruling;
}
