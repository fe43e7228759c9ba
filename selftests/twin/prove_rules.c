// SPDX-License-Identifier: GPL-2.0
/* Of pure functions, whatever they are given. */
#include <linux/kvm.h>
#include <linux/time64.h>

#include "deadline.h"
#include "kvm_heartbeat.h"
#include "outage.h"
#include "prove.h"
#include "reaction.h"
#include "saved.h"
#include "verdict.h"

/* The longest silence that a stream may claim, and as much again. */
#define AGES	(2 * KVMHB_SAVED_NS)

static const struct kvmhb_timing timings[] = {
	{ 2 * SEC, 4 * SEC }, { 1 * MS, 2 * MS }, { 1 * MS, 24 * HOUR }, { HOUR, HOUR + 1 },
	{ HOUR, 24 * HOUR }, { SEC, 1500 * MS },
};

/* All pairs that an armed guest can be in: Documentation/causes.rst. */
static const struct kvmhb_verdict armed[] = {
	{ KVMHB_ALIVE, KVMHB_CAUSE_NONE },
	{ KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL },
	{ KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP },
	{ KVMHB_DEGRADED, KVMHB_CAUSE_BLOCKED },
	{ KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE },
	{ KVMHB_LATE, KVMHB_CAUSE_NONE },
	{ KVMHB_LATE, KVMHB_CAUSE_STARVED },
	{ KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK },
	{ KVMHB_LATE, KVMHB_CAUSE_HOST_BLOCKED },
	{ KVMHB_LATE, KVMHB_CAUSE_HOST_DEGRADED },
	{ KVMHB_LATE, KVMHB_CAUSE_PAUSED },
	{ KVMHB_LATE, KVMHB_CAUSE_BEAT_LOST },
	{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
	{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED },
	{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST },
	{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR },
	{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN },
	{ KVMHB_PAUSED, KVMHB_CAUSE_PAUSED },
};

static bool is_same(const struct kvmhb_verdict *a, const struct kvmhb_verdict *b)
{
	return a->state == b->state && a->cause == b->cause;
}

/* Whether a verdict is one of those above, or one that ends what is looked at. */
static bool is_possible(const struct kvmhb_verdict *verdict)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(armed); i++)
		if (is_same(&armed[i], verdict))
			return true;
	return verdict->state == KVMHB_PANICKED && (verdict->cause == KVMHB_CAUSE_PANIC ||
						    verdict->cause == KVMHB_CAUSE_TRIPLE_FAULT);
}

unsigned long prove_timing(void)
{
	static const u64 resolutions[] = { 0, 1, 2 * MS, 8 * MS, 200 * MS };
	unsigned long nr = 0;
	u64 interval_ns, timeout_ns;
	unsigned int i;

	/* Ever further apart, from below the bounds to above them. */
	for (interval_ns = KVM_HEARTBEAT_INTERVAL_MIN_NS - 1;
	     interval_ns <= KVM_HEARTBEAT_INTERVAL_MAX_NS + 1;
	     interval_ns += interval_ns / 64 ?: 1) {
		for (timeout_ns = 0; timeout_ns <= KVMHB_TIMEOUT_MAX_NS + 1;
		     timeout_ns += timeout_ns / 64 ?: MS / 8 + 1) {
			struct kvmhb_timing t;
			u64 late_ns, gap_ns, missed, least_ns, most_ns;
			int ret = kvmhb_timing_make(&t, interval_ns, timeout_ns);

			nr++;
			/* T1 */
			demand(!ret == (interval_ns >= KVM_HEARTBEAT_INTERVAL_MIN_NS &&
					interval_ns <= KVM_HEARTBEAT_INTERVAL_MAX_NS &&
					timeout_ns <= KVMHB_TIMEOUT_MAX_NS &&
					(!timeout_ns || timeout_ns > interval_ns)),
			       "%llu %llu", interval_ns, timeout_ns);
			if (ret)
				continue;
			for (i = 0; i < ARRAY_SIZE(resolutions); i++) {
				struct kvmhb_timing r = kvmhb_timing_resolved(&t, resolutions[i]);

				late_ns = kvmhb_late_ns(&r);
				/* T2 */
				demand(r.interval_ns >= interval_ns, "%llu", interval_ns);
				demand(r.timeout_ns >= resolutions[i], "%llu", timeout_ns);
				demand(late_ns >= r.interval_ns && late_ns < r.timeout_ns,
				       "%llu %llu", r.interval_ns, r.timeout_ns);
			}
			/* T3 */
			gap_ns = timeout_ns * 3 + interval_ns / 3;
			missed = kvmhb_missed(gap_ns, interval_ns);
			least_ns = missed ? (missed + 1) * interval_ns - interval_ns / 2 : 0;
			most_ns = (missed + 2) * interval_ns - interval_ns / 2;
			demand(gap_ns >= least_ns && gap_ns < most_ns, "%llu %llu", gap_ns,
			       interval_ns);
		}
	}
	return nr;
}

/* Whom nobody may accuse, as things are: rules 4 to 6. The module's own sum is not asked. */
static bool is_innocent(const struct kvmhb_case *c)
{
	static const enum kvmhb_doing held[] = {
		KVMHB_ABSENT, KVMHB_STOPPED_BY_HOST, KVMHB_AWAY, KVMHB_IN_VMM, KVMHB_LEAVING,
		KVMHB_HALTED_OUT,
	};
	unsigned int i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(held); i++)
		nr += c->vcpus[held[i]];
	return (nr && nr == c->nr_vcpus) || c->host_late || c->host_asked;
}

static bool is_broken(const struct kvmhb_case *c)
{
	return c->dead || c->vcpus[KVMHB_FAILED];
}

static void describe(const struct kvmhb_case *c)
{
	int doing;

	printf("# %s (%s), interval %llu, timeout %llu\n", kvmhb_state_word(c->so_far.state),
	       kvmhb_cause_word(c->so_far.cause), c->timing.interval_ns, c->timing.timeout_ns);
	printf("# silence %llu, run %llu, denied %llu, of late %llu\n", c->silence_ns, c->run_ns,
	       c->denied_ns, c->just_denied_ns);
	printf("# window %llu, waited %llu, stale in %llu,%s%s%s%s%s%s%s%s; vCPUs:", c->window_ns,
	       c->waited_ns, c->stale_in_ns, c->beaten ? " beaten" : "", c->dead ? " dead" : "",
	       c->oopsed ? " oopsed" : "", c->pulsing ? " pulsing" : "",
	       c->resuming ? " resuming" : "", c->host_late ? " host late" : "",
	       c->host_asked ? " host asked" : "", c->stirred ? " stirred" : "");
	printf("# partial %d, softlockup %d, stale anew %d\n", c->partial, c->softlockup,
	       c->stale_anew);
	for (doing = 0; doing < KVMHB_NR_DOINGS; doing++)
		if (c->vcpus[doing])
			printf(" %u do %d", c->vcpus[doing], doing);
	puts("");
}

#define demand_of(c, holds) do {							\
	if (!(holds))									\
		describe(c);								\
	demand(holds, "as above");							\
} while (0)

/* What holds of each ruling. */
static void judge(const struct kvmhb_case *c)
{
	const u64 late_ns = kvmhb_late_ns(&c->timing), timeout_ns = c->timing.timeout_ns;
	const bool silent = !c->beaten && (c->silence_ns >= late_ns ||
					   c->so_far.state == KVMHB_PAUSED);
	struct kvmhb_ruling ruling = kvmhb_rule(c);
	const struct kvmhb_verdict *new = &ruling.verdict;
	bool accused = c->so_far.state == KVMHB_UNRESPONSIVE;
	struct kvmhb_case again = *c;
	int rounds;

	/* V0 */
	demand_of(c, is_possible(new));
	/* V1 */
	demand_of(c, silent || kvmhb_state_beats(new->state));
	demand_of(c, !kvmhb_state_beats(new->state) || !silent || is_same(new, &c->so_far));
	if (new->state == KVMHB_UNRESPONSIVE && !accused) {
		/* V2, V3 */
		demand_of(c, c->so_far.state == KVMHB_LATE);
		demand_of(c, is_broken(c) ? c->silence_ns >= timeout_ns : c->run_ns >= timeout_ns);
		/* V4 */
		demand_of(c, is_broken(c) || !is_innocent(c));
	}
	/* V4, of a panic that is concluded */
	if (new->state == KVMHB_PANICKED && new->cause == KVMHB_CAUSE_PANIC) {
		demand_of(c, c->oopsed && c->run_ns >= timeout_ns && !c->pulsing && !c->host_asked);
		demand_of(c, accused || (!is_innocent(c) && c->so_far.state == KVMHB_LATE));
	}
	/* V5 */
	demand_of(c, new->state == KVMHB_UNRESPONSIVE || (!ruling.new_window && !ruling.stirs));
	if (ruling.look_in_ns == KVMHB_NO_DEADLINE) {
		demand_of(c, new->state == KVMHB_PANICKED ||
			  (new->state == KVMHB_UNRESPONSIVE &&
			   new->cause == KVMHB_CAUSE_KVM_ERROR && is_broken(c)));
	} else {
		u64 most_ns = c->timing.interval_ns, least_ns = 25 * NSEC_PER_USEC;

		if (kvmhb_state_beats(new->state) && !silent)
			most_ns = late_ns;
		if (ruling.new_window || ruling.stirs)
			most_ns = max(max(timeout_ns, 60 * SEC), most_ns + most_ns / 2);
		demand_of(c, ruling.look_in_ns <= most_ns);
		demand_of(c, ruling.look_in_ns >= least_ns);
	}
	/* V7 */
	if (c->host_asked && (c->stale_anew || !is_same(new, &c->so_far))) {
		demand_of(c, is_same(new, &c->so_far) || (new->cause != KVMHB_CAUSE_PARTIAL &&
							  new->cause != KVMHB_CAUSE_SOFTLOCKUP));
		demand_of(c, silent || ruling.look_in_ns <= MS || !(c->partial || c->softlockup));
	}
	/* V6, and V2 on the way */
	for (rounds = 0; new->state != KVMHB_PANICKED && !is_same(new, &again.so_far); rounds++) {
		demand_of(c, rounds < 4);
		demand_of(c, new->state != KVMHB_UNRESPONSIVE ||
			  again.so_far.state == KVMHB_LATE ||
			  again.so_far.state == KVMHB_UNRESPONSIVE);
		again.so_far = *new;
		again.beaten = false;
		ruling = kvmhb_rule(&again);
	}
}

/* All sets of up to three things that vCPUs do; the first ones are of one, or of none. */
static struct kvmhb_case sets[1000];
static unsigned int nr_sets, nr_small_sets;

static void make_sets(void)
{
	unsigned int doings[3], size, i;

	if (nr_sets)
		return;
	for (size = 0; size <= 3; size++) {
		const unsigned int none = KVMHB_NR_DOINGS;

		for (doings[0] = 0; doings[0] <= none; doings[0]++)
			for (doings[1] = doings[0]; doings[1] <= none; doings[1]++)
				for (doings[2] = doings[1]; doings[2] <= none; doings[2]++) {
					struct kvmhb_case c = {};

					for (i = 0; i < 3 && doings[i] < none; i++)
						c.vcpus[doings[i]]++;
					c.nr_vcpus = i;
					if (i == size)
						sets[nr_sets++] = c;
				}
		if (size == 1)
			nr_small_sets = nr_sets;
	}
}

/* All of seven in all combinations; and one that has beaten, with all of them and with none. */
#define NR_FLAGS	130

static void set_flags(struct kvmhb_case *c, unsigned int flags)
{
	c->beaten = flags >= 128;
	if (c->beaten)
		flags = flags == 128 ? 127 : 0;
	c->dead = flags & 1;
	c->oopsed = flags & 2;
	c->pulsing = flags & 4;
	c->resuming = flags & 8;
	c->host_late = flags & 16;
	c->host_asked = flags & 32;
	c->stirred = flags & 64;
}

enum { MOMENTS = 8 };

static u64 moment(const struct kvmhb_timing *t, unsigned int nr)
{
	const u64 late_ns = kvmhb_late_ns(t);
	const u64 moments[MOMENTS] = {
		0, late_ns - 1, late_ns, t->timeout_ns - 1, t->timeout_ns,
		t->timeout_ns + t->timeout_ns / 2, 12 * t->timeout_ns, AGES,
	};

	return moments[nr];
}

/* All flags and all that was said so far. */
static unsigned long judge_all(struct kvmhb_case *c)
{
	unsigned long nr = 0;
	unsigned int flags, i;

	for (flags = 0; flags < NR_FLAGS; flags++) {
		set_flags(c, flags);
		for (i = 0; i < ARRAY_SIZE(armed); i++) {
			c->so_far = armed[i];
			judge(c);
			nr++;
		}
	}
	return nr;
}

/* All there can be besides. */
static unsigned long judge_details(struct kvmhb_case *c)
{
	const u64 interval_ns = c->timing.interval_ns, pulse_ns = interval_ns + interval_ns / 2;
	unsigned int window, waited, stale, just, layer;
	unsigned long nr = 0;

	for (window = 0; window < 2; window++)
		for (waited = 0; waited < 3; waited++)
			for (stale = 0; stale < 2; stale++)
				for (just = 0; just < 2; just++)
					for (layer = 0; layer < 8; layer++) {
						c->window_ns = pulse_ns - window;
						c->waited_ns = waited * (c->denied_ns / 2);
						c->stale_in_ns = stale * (c->timing.timeout_ns / 2);
						c->just_denied_ns = just * c->denied_ns;
						c->host_ns = layer == 5 ? c->denied_ns : 0;
						c->partial = layer == 1 || layer == 6;
						c->softlockup = layer == 2 || layer == 7;
						c->stale_anew = layer > 5;
						c->blocked = layer == 3;
						c->userspace = layer == 4;
						nr += judge_all(c);
					}
	return nr;
}

/* All silences, with what was on the run clock and denied; @sets of what vCPUs do. */
static unsigned long prove_timing_of(const struct kvmhb_timing *timing, unsigned int how_many,
				     unsigned long (*how)(struct kvmhb_case *c))
{
	unsigned int set, silence, run, paused;
	unsigned long nr = 0;

	for (set = 0; set < how_many; set++)
		for (silence = 0; silence < MOMENTS; silence++)
			for (run = 0; run <= silence; run++)
				for (paused = 0; paused < 2; paused++) {
					struct kvmhb_case c = sets[set];

					c.timing = *timing;
					c.silence_ns = moment(timing, silence);
					c.run_ns = moment(timing, run);
					c.denied_ns = c.silence_ns - c.run_ns;
					/* Both begin anew after a pause. */
					if (paused && c.denied_ns > timing->timeout_ns / 2)
						c.denied_ns = timing->timeout_ns / 2;
					c.just_denied_ns = c.denied_ns;
					c.window_ns = c.silence_ns;
					c.stale_in_ns = U64_MAX;
					nr += how(&c);
				}
	return nr;
}

unsigned long prove_verdict(void)
{
	unsigned long nr = 0;
	unsigned int i;

	make_sets();
	for (i = 0; i < ARRAY_SIZE(timings); i++)
		nr += prove_timing_of(&timings[i], nr_sets, judge_all);
	return nr + prove_timing_of(&timings[0], nr_small_sets, judge_details);
}

/* The next digit of a number each of whose digits has its own base. */
static unsigned int digit(unsigned long *number, unsigned int base)
{
	unsigned int value = *number % base;

	*number /= base;
	return value;
}

unsigned long prove_deadline(void)
{
	static const struct kvmhb_verdict so_far[] = {
		{ KVMHB_WAITING, KVMHB_CAUSE_NONE }, { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT },
		{ KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN }, { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING },
	};
	static const u64 deadlines[] = { 1, MS, 64 * SEC, HOUR, 24 * HOUR };
	enum { AT = 7 };
	const unsigned long total = ARRAY_SIZE(so_far) * ARRAY_SIZE(deadlines) * AT * AT *
				    NR_FLAGS;
	unsigned long n, nr = 0;

	make_sets();
	for (n = 0; n < total * nr_sets; n++) {
		unsigned long rest = n;
		struct kvmhb_case c = sets[digit(&rest, nr_sets)];
		struct kvmhb_ruling ruling;
		bool broken, dumping;
		u64 deadline_ns, ran_ns;

		deadline_ns = deadlines[digit(&rest, ARRAY_SIZE(deadlines))];
		const u64 at_ns[AT] = {
			0, deadline_ns / 2, deadline_ns - 1, deadline_ns, deadline_ns + 1,
			12 * deadline_ns, AGES,
		};

		c.silence_ns = at_ns[digit(&rest, AT)];
		c.run_ns = at_ns[digit(&rest, AT)];
		if (c.run_ns > c.silence_ns)
			continue;
		set_flags(&c, digit(&rest, NR_FLAGS));
		c.so_far = so_far[digit(&rest, ARRAY_SIZE(so_far))];
		c.just_denied_ns = c.silence_ns - c.run_ns;
		broken = is_broken(&c) || c.vcpus[KVMHB_SHUT_DOWN];
		dumping = c.so_far.cause == KVMHB_CAUSE_DUMPING;
		ran_ns = dumping && broken ? c.silence_ns : c.run_ns;
		nr++;

		demand(kvmhb_deadline_run_ns(&c, c.silence_ns) <= c.silence_ns, "%lu", n);
		ruling = kvmhb_deadline_rule(&c, deadline_ns);
		if (is_same(&ruling.verdict, &c.so_far)) {
			/* D3 */
			demand(ruling.look_in_ns >= MS && ruling.look_in_ns <= 60 * SEC, "%lu", n);
			/* D2 */
			demand(ran_ns < deadline_ns || (!broken && is_innocent(&c)), "%lu", n);
			continue;
		}
		/* D1 */
		demand(ran_ns >= deadline_ns && (broken || !is_innocent(&c)), "%lu", n);
		demand(ruling.verdict.state == (dumping ? KVMHB_PANICKED : KVMHB_UNRESPONSIVE),
		       "%lu", n);
		demand(ruling.look_in_ns == KVMHB_NO_DEADLINE, "%lu", n);
	}
	return nr;
}

/* Whatever KVM and the scheduler say, though it be nonsense. */
unsigned long prove_vcpu(void)
{
	static const u64 sums[] = { 0, 1, SEC, U64_MAX / 2, U64_MAX };
	static const char tasks[] = "RSDTtFXZ-";
	static const u32 exits[] = { 0, KVM_EXIT_IO, KVM_EXIT_SHUTDOWN, KVM_EXIT_INTERNAL_ERROR };
	const unsigned long total = 256UL * 9 * 4 * 5 * 5 * 5 * 5 * 2 * 2 * 3 * 3;
	unsigned long n;

	for (n = 0; n < total; n++) {
		static const u64 elapsed[] = { 0, SEC, 1ULL << 62 };
		unsigned long rest = n;
		struct kvmhb_vcpu then = { .pid = 7, .task = 'R', .exec_ns = SEC,
					   .halted_ns = SEC, .run_delay_ns = SEC, .queued_ns = 1 };
		struct kvmhb_vcpu now = then;
		unsigned int bits = digit(&rest, 256);
		u64 elapsed_ns, denied_ns;

		then.running = bits & 1;
		then.kernel = bits & 2;
		then.halted = bits & 4;
		then.stepped = bits & 8;
		now.running = bits & 16;
		now.kernel = bits & 32;
		now.halted = bits & 64;
		now.stepped = bits & 128;
		now.task = tasks[digit(&rest, 9)];
		now.exit = exits[digit(&rest, 4)];
		now.exec_ns = sums[digit(&rest, 5)];
		now.halted_ns = sums[digit(&rest, 5)];
		now.run_delay_ns = sums[digit(&rest, 5)];
		now.queued_ns = sums[digit(&rest, 5)];
		now.exits += digit(&rest, 2);
		now.irqs += digit(&rest, 2);
		now.pid = 6 + digit(&rest, 3);
		if (now.pid == 6)
			now.pid = 0;
		elapsed_ns = elapsed[digit(&rest, 3)];

		denied_ns = kvmhb_denied_ns(&then, &now, elapsed_ns);
		/* C1 */
		demand(denied_ns <= elapsed_ns, "%lu", n);
		demand(kvmhb_doing(&then, &then, &now, elapsed_ns) < KVMHB_NR_DOINGS, "%lu", n);
		/* C2 */
		if (now.pid == 8)
			demand(denied_ns == elapsed_ns, "%lu", n);
		if (now.pid && !then.running && !now.running && !now.halted &&
		    then.exits == now.exits)
			demand(denied_ns == elapsed_ns, "%lu", n);
		if (now.pid && (then.stepped || now.stepped))
			demand(denied_ns == elapsed_ns, "%lu", n);
	}
	return n;
}

/* A guest's outages, over all short histories. */
struct history {
	struct kvmhb_outages outages;
	enum kvmhb_state state;
	u64 now_ns, last_beat_at_ns;
};

#define HISTORY	5

static unsigned long walk_outages(const struct history *before, unsigned int depth)
{
	static const enum kvmhb_state states[] = {
		KVMHB_WAITING, KVMHB_ALIVE, KVMHB_LATE, KVMHB_UNRESPONSIVE, KVMHB_PAUSED,
		KVMHB_STOPPED,
	};
	static const u64 steps[] = { 0, 1, SEC, 30 * HOUR };
	unsigned int i, j, beats;
	unsigned long nr = 0;

	if (depth == HISTORY)
		return 0;
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		for (j = 0; j < ARRAY_SIZE(steps); j++) {
			/* No beat, one just now, one half way. */
			for (beats = 0; beats < 3; beats++) {
				struct history h = *before;
				u64 gone_ns, down_ns;
				bool armed_now = kvmhb_state_is_armed(h.state);

				if (beats && !armed_now)
					continue;
				h.now_ns += steps[j];
				if (beats)
					h.last_beat_at_ns = h.now_ns;
				if (beats == 2)
					h.last_beat_at_ns -= steps[j] / 2;
				/* The guest arms: it lives at this moment. */
				if (!armed_now && kvmhb_state_is_armed(states[i]))
					h.last_beat_at_ns = h.now_ns;
				down_ns = kvmhb_outages_downtime_ns(&before->outages, h.state,
								    h.now_ns);
				gone_ns = kvmhb_outages_change(&h.outages, h.state, states[i],
							       h.last_beat_at_ns, h.now_ns);
				nr++;
				/* O1, O2 */
				demand(h.outages.count - before->outages.count ==
				       (states[i] == KVMHB_UNRESPONSIVE && h.state != states[i]),
				       "depth %u", depth);
				demand(h.outages.downtime_ns >= before->outages.downtime_ns,
				       "depth %u", depth);
				demand(gone_ns <= h.now_ns, "depth %u", depth);
				/* O3 */
				if (h.state == KVMHB_UNRESPONSIVE)
					demand(kvmhb_outages_downtime_ns(&h.outages, states[i],
									 h.now_ns) <= down_ns,
					       "depth %u", depth);
				demand(kvmhb_outages_downtime_ns(&h.outages, states[i], h.now_ns) <=
				       h.now_ns, "depth %u", depth);
				h.state = states[i];
				nr += walk_outages(&h, depth + 1);
			}
		}
	}
	return nr;
}

unsigned long prove_outage(void)
{
	const struct history begin = { .state = KVMHB_WAITING, .now_ns = 100 * SEC };

	return walk_outages(&begin, 0);
}

/* R2 */
#define SPENDS	9

static unsigned long walk_budget(const struct kvmhb_budget *before,
				 const struct kvmhb_policy *policy, const u64 *taken,
				 unsigned int nr_taken, u64 now_ns, unsigned int depth)
{
	const u64 gaps[] = { 0, policy->window_ns / 2, policy->window_ns - 1, policy->window_ns };
	unsigned long nr = 1;
	unsigned int i, j;

	if (depth == SPENDS)
		return nr;
	for (i = 0; i < ARRAY_SIZE(gaps); i++) {
		struct kvmhb_budget budget = *before;
		u64 at_ns[SPENDS], when_ns = now_ns + gaps[i];
		unsigned int within = 0;
		bool spent = kvmhb_budget_is_spent(&budget, policy, when_ns);

		for (j = 0; j < nr_taken; j++)
			within += when_ns - taken[j] < policy->window_ns;
		demand(spent == (within >= policy->max), "max %u, depth %u", policy->max, depth);
		memcpy(at_ns, taken, sizeof(at_ns));
		if (!spent) {
			kvmhb_budget_spend(&budget, when_ns);
			at_ns[nr_taken] = when_ns;
		}
		nr += walk_budget(&budget, policy, at_ns, nr_taken + !spent, when_ns, depth + 1);
	}
	return nr;
}

unsigned long prove_reaction(void)
{
	const u64 none[SPENDS] = {};
	struct kvmhb_budget budget = {};
	struct kvmhb_policy policy;
	struct kvmhb_verdict v;
	unsigned long nr = 0;
	bool dead;

	kvmhb_policy_init(&policy);
	for (v.state = 0; v.state < KVMHB_NR_STATES; v.state++) {
		for (v.cause = 0; v.cause < KVMHB_NR_CAUSES; v.cause++) {
			/* R1 */
			policy.on_unresponsive.nr = 0;
			policy.on_panicked.nr = 0;
			demand(!kvmhb_policy_plan(&policy, &v), "%d %d", v.state, v.cause);
			policy.on_unresponsive = (struct kvmhb_plan) { 1, { KVMHB_STEP_KILL } };
			policy.on_panicked = policy.on_unresponsive;
			if (v.state == KVMHB_UNRESPONSIVE)
				dead = v.cause != KVMHB_CAUSE_UNKNOWN;
			else
				dead = v.state == KVMHB_PANICKED && v.cause != KVMHB_CAUSE_DUMPING;
			demand(!kvmhb_policy_plan(&policy, &v) == !dead, "%d %d", v.state, v.cause);
			nr++;
		}
	}
	for (policy.max = 1; policy.max <= 4; policy.max++)
		nr += walk_budget(&budget, &policy, none, 0, SEC, 0);
	return nr;
}
