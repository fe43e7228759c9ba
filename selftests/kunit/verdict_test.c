// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "verdict.c"

/*
 * All different: late after 5200 ms, unresponsive after 6400 ms, half of which is
 * 3200 ms; a slot that lives has moved after 6000 ms. The host is late after 640 ms,
 * and does not look twice within 100 ms.
 */
static const struct kvmhb_timing rule_timing = { 4000 * MS, 6400 * MS };

#define NEVER U64_MAX
/* After as long as the silence, at least a timeout and at most a minute. */
#define RARELY (U64_MAX - 1)

struct rule_row {
	const char *what;
	struct kvmhb_verdict so_far;
	u64 silence_ms, denied_ms;
	struct kvmhb_case c;	/* what else there is to it; the window is the silence */
	struct kvmhb_verdict verdict;
	u64 look_ms;
};

static struct kvmhb_case rule_case(const struct rule_row *row)
{
	struct kvmhb_case c = row->c;
	int doing;

	c.timing = rule_timing;
	c.so_far = row->so_far;
	c.silence_ns = row->silence_ms * MS;
	c.denied_ns = row->denied_ms * MS;
	c.run_ns = c.silence_ns - c.denied_ns;
	/* Where a row does not say otherwise, no look is sooner than a 64th of the timeout. */
	c.just_denied_ns = c.just_denied_ns ?: HOUR;
	c.window_ns = c.window_ns ?: c.silence_ns;
	c.stale_in_ns = c.stale_in_ns ?: U64_MAX;
	for (doing = 0; doing < KVMHB_NR_DOINGS; doing++)
		c.nr_vcpus += c.vcpus[doing];
	return c;
}

static void expect_rulings(struct kunit *test, const struct rule_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct kvmhb_case c = rule_case(&rows[i]);
		struct kvmhb_ruling ruling = kvmhb_rule(&c);
		u64 look_ns = rows[i].look_ms * MS;

		if (rows[i].look_ms == NEVER)
			look_ns = KVMHB_NO_DEADLINE;
		if (rows[i].look_ms == RARELY)
			look_ns = clamp(c.silence_ns, rule_timing.timeout_ns, 60 * SEC);

		KUNIT_EXPECT_STREQ_MSG(test, kvmhb_state_word(ruling.verdict.state),
				       kvmhb_state_word(rows[i].verdict.state),
				       "%s", rows[i].what);
		KUNIT_EXPECT_STREQ_MSG(test, kvmhb_cause_word(ruling.verdict.cause),
				       kvmhb_cause_word(rows[i].verdict.cause),
				       "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, ruling.look_in_ns, look_ns, "%s", rows[i].what);
		/* From here on it shows why the outage lasts. */
		if (ruling.verdict.state == KVMHB_UNRESPONSIVE && rows[i].look_ms != NEVER &&
		    rows[i].so_far.state == KVMHB_LATE)
			KUNIT_EXPECT_TRUE_MSG(test, ruling.new_window, "%s", rows[i].what);
		/* What it did before its first sign of life is none. */
		if (ruling.stirs)
			KUNIT_EXPECT_EQ_MSG(test, ruling.new_window, !c.stirred, "%s",
					    rows[i].what);
	}
}

static void rules_of_a_guest_that_beats(struct kunit *test)
{
	static const struct rule_row rows[] = {
		{ "it beats", { KVMHB_ALIVE }, 0, 0, {}, { KVMHB_ALIVE }, 5200 },
		{ "just in time", { KVMHB_ALIVE }, 5199, 0, {}, { KVMHB_ALIVE }, 100 },
		{ "a CPU is stale soon", { KVMHB_ALIVE }, 1000, 0, { .stale_in_ns = 700 * MS },
		  { KVMHB_ALIVE }, 700 },
		{ "at once", { KVMHB_ALIVE }, 1000, 0, { .stale_in_ns = 1 },
		  { KVMHB_ALIVE }, 100 },
		{ "not before it is late", { KVMHB_ALIVE }, 1000, 0, { .stale_in_ns = HOUR },
		  { KVMHB_ALIVE }, 4200 },
		{ "a host in trouble accuses nobody", { KVMHB_ALIVE }, 1000, 1000,
		  { .host_late = true, .dead = true, .vcpus[KVMHB_AWAY] = 1 },
		  { KVMHB_ALIVE }, 4200 },

		{ "a host CPU has yet to answer", { KVMHB_ALIVE }, 0, 0,
		  { .partial = true, .host_asked = true }, { KVMHB_ALIVE }, 1 },
		{ "likewise, after a silence", { KVMHB_LATE }, 0, 0,
		  { .beaten = true, .partial = true, .host_asked = true }, { KVMHB_ALIVE }, 1 },
		{ "it has answered", { KVMHB_ALIVE }, 0, 0, { .partial = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "it was degraded before", { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 0, 0,
		  { .partial = true, .host_asked = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "by userspace", { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, 0, 0,
		  { .partial = true, .userspace = true, .host_asked = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, 1 },
		{ "by another CPU", { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 0, 0,
		  { .partial = true, .stale_anew = true, .host_asked = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 1 },
		{ "late, and it beats", { KVMHB_LATE }, 1000, 0, { .beaten = true },
		  { KVMHB_ALIVE }, 4200 },
		{ "unresponsive, and it beats", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 0, 0,
		  { .beaten = true }, { KVMHB_ALIVE }, 5200 },
		{ "paused, and it beats", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 0, 0,
		  { .beaten = true }, { KVMHB_ALIVE }, 5200 },
		{ "it beat once, long ago", { KVMHB_LATE }, 90000, 0, { .beaten = true },
		  { KVMHB_ALIVE }, 100 },
		{ "the interval was raised", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 5000, 0,
		  {}, { KVMHB_ALIVE }, 200 },

		/* Rule 1. The lowest stale layer names the fault. */
		{ "CPU", { KVMHB_ALIVE }, 0, 0, { .partial = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "scheduler", { KVMHB_ALIVE }, 0, 0, { .softlockup = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP }, 5200 },
		{ "userspace", { KVMHB_ALIVE }, 0, 0, { .userspace = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, 5200 },
		{ "storage", { KVMHB_ALIVE }, 0, 0, { .blocked = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_BLOCKED }, 5200 },
		{ "all", { KVMHB_ALIVE }, 0, 0,
		  { .partial = true, .softlockup = true, .blocked = true, .userspace = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
		{ "the upper three", { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 0, 0,
		  { .softlockup = true, .blocked = true, .userspace = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP }, 5200 },
		{ "the upper two", { KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP }, 0, 0,
		  { .blocked = true, .userspace = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_BLOCKED }, 5200 },
		{ "well again", { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, 0, 0, {},
		  { KVMHB_ALIVE }, 5200 },
		{ "back, but not all of it", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 0, 0,
		  { .beaten = true, .partial = true },
		  { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200 },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

static void rules_of_silence(struct kunit *test)
{
	static const struct rule_row rows[] = {
		{ "late", { KVMHB_ALIVE }, 5200, 0, {}, { KVMHB_LATE }, 1200 },
		{ "late while degraded", { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 5200, 0,
		  { .partial = true }, { KVMHB_LATE }, 1200 },
		{ "silent for as long, but it was denied some", { KVMHB_ALIVE }, 5200, 1, {},
		  { KVMHB_ALIVE }, 100 },
		{ "more of it", { KVMHB_ALIVE }, 5200, 2000, {}, { KVMHB_ALIVE }, 2000 },
		{ "all of it", { KVMHB_ALIVE }, 5200, 5200, {}, { KVMHB_ALIVE }, 4000 },
		{ "late is late", { KVMHB_LATE }, 6400, 1500, {}, { KVMHB_LATE }, 300 },
		{ "nearly too much", { KVMHB_LATE }, 6399, 0, {}, { KVMHB_LATE }, 100 },

		/* However long the silence, late comes first. */
		{ "not yet late", { KVMHB_ALIVE }, 90000, 0, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE }, 100 },
		{ "nor while degraded", { KVMHB_DEGRADED, KVMHB_CAUSE_SOFTLOCKUP }, 90000, 0,
		  { .vcpus[KVMHB_HALTING] = 1 }, { KVMHB_LATE }, 100 },
		{ "nor when paused", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 0,
		  { .vcpus[KVMHB_SPINNING] = 1 }, { KVMHB_LATE }, 100 },

		/* Rule 8d. */
		{ "halted", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_HALTING] = 2 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
		{ "the one there is has halted", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTING] = 1, .vcpus[KVMHB_ABSENT] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },

		/* Rule 8b, for which a CPU that lives must have had its time. */
		{ "interrupts", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_LIVING] = 1, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST }, RARELY },
		{ "interrupts, too short to tell", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_LIVING] = 1, .window_ns = 5500 * MS }, { KVMHB_LATE }, 500 },
		{ "just long enough", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_LIVING] = 1, .window_ns = 6000 * MS },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST }, RARELY },
		{ "much too short", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_LIVING] = 1, .window_ns = 1 * MS }, { KVMHB_LATE }, 4000 },
		{ "a slot moves", { KVMHB_LATE }, 6400, 0,
		  { .pulsing = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_BEAT_LOST }, 4000 },
		{ "it moves again", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .pulsing = true }, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 6000 },
		{ "a look in between", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .pulsing = true, .stirred = true, .window_ns = 5000 * MS },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 1000 },
		{ "at which nothing is seen", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .stirred = true, .window_ns = 5999 * MS, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 1 },
		{ "and again", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .pulsing = true, .stirred = true },
		  { KVMHB_LATE, KVMHB_CAUSE_BEAT_LOST }, 4000 },
		{ "it moves, and is not yet late", { KVMHB_ALIVE }, 90000, 0, { .pulsing = true },
		  { KVMHB_LATE }, 100 },

		/* Rule 8c. */
		{ "hung", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "hung among halted ones", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_SPINNING] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "hung, late for another reason", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 90000,
		  80000, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },

		/* Rule 8e. */
		{ "nothing is known", { KVMHB_LATE }, 6400, 0, {},
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, RARELY },
		{ "nobody is left", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_ABSENT] = 2 },
		  { KVMHB_LATE }, 4000 },
		{ "nobody is left since just now", { KVMHB_ALIVE }, 6399, 0,
		  { .vcpus[KVMHB_ABSENT] = 2 }, { KVMHB_ALIVE }, 4000 },
		{ "nobody is left for long", { KVMHB_ALIVE }, 6400, 0,
		  { .vcpus[KVMHB_ABSENT] = 2 }, { KVMHB_LATE }, 4000 },
		{ "nobody is left of one that was starved", { KVMHB_LATE, KVMHB_CAUSE_STARVED },
		  90000, 0, { .vcpus[KVMHB_ABSENT] = 2 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4000 },
		{ "nobody is left of an outage", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .vcpus[KVMHB_ABSENT] = 2 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "nothing will be known", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 90000, 0,
		  {}, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, RARELY },
		{ "unclear", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 3200 },
		{ "halted and unclear", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTING] = 1, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 3200 },
		{ "a vCPU was seen to leave", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTING] = 1, .vcpus[KVMHB_LEAVING] = 1 }, { KVMHB_LATE }, 1 },
		{ "likewise, and another one hangs", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_SPINNING] = 1, .vcpus[KVMHB_LEAVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "half a timeout is not over", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 9599,
		  0, { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 3200 },
		{ "still unclear", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 9600, 0,
		  { .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "it halts", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 9600, 0,
		  { .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
		{ "it had halted", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, 90000, 0,
		  { .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },

		/* Rule 2. */
		{ "triple fault", { KVMHB_ALIVE }, 5200, 5200,
		  { .vcpus[KVMHB_SHUT_DOWN] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT }, NEVER },
		{ "before all else", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 1000, 1000,
		  { .vcpus[KVMHB_SHUT_DOWN] = 1, .dead = true, .host_late = true },
		  { KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT }, NEVER },

		/* Rule 3: no opportunity will come. */
		{ "KVM has failed", { KVMHB_ALIVE }, 5200, 5200, { .vcpus[KVMHB_FAILED] = 1 },
		  { KVMHB_LATE }, 1200 },
		{ "and late is first here too", { KVMHB_ALIVE }, 90000, 90000, { .dead = true },
		  { KVMHB_LATE }, 100 },
		{ "for a timeout", { KVMHB_LATE }, 6400, 6400, { .vcpus[KVMHB_FAILED] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR }, NEVER },
		{ "all of the VM, paused or not", { KVMHB_LATE }, 6400, 6400,
		  { .dead = true, .vcpus[KVMHB_AWAY] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR }, NEVER },

		/* The timeout was raised in the middle of an outage. */
		{ "late again", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 6000, 0,
		  { .vcpus[KVMHB_SPINNING] = 1 }, { KVMHB_LATE }, 400 },
		{ "not even late on the run clock", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN },
		  6000, 1000, {}, { KVMHB_LATE }, 200 },
		{ "nor with a dead KVM", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR }, 6000, 0,
		  { .dead = true }, { KVMHB_LATE }, 400 },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

static void rules_of_excuses(struct kunit *test)
{
	static const struct rule_row rows[] = {
		/* Rule 6. */
		{ "the host is late", { KVMHB_LATE }, 6400, 0,
		  { .host_late = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_DEGRADED }, 640 },
		{ "not worth a word", { KVMHB_ALIVE }, 6399, 0, { .host_late = true },
		  { KVMHB_ALIVE }, 640 },
		{ "it had an oops, and is silent", { KVMHB_LATE }, 6400, 0,
		  { .oopsed = true, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, NEVER },
		{ "late is first here too", { KVMHB_ALIVE }, 6400, 0,
		  { .oopsed = true, .vcpus[KVMHB_HALTING] = 1 }, { KVMHB_LATE }, 100 },
		{ "not for long enough", { KVMHB_LATE }, 6400, 400,
		  { .oopsed = true, .vcpus[KVMHB_SPINNING] = 1, .just_denied_ns = 1 },
		  { KVMHB_LATE }, 400 },
		{ "a host CPU may be dead", { KVMHB_LATE }, 6400, 0,
		  { .oopsed = true, .host_asked = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE }, 1 },
		{ "it goes on with its pulse", { KVMHB_LATE }, 6400, 0,
		  { .oopsed = true, .pulsing = true, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_BEAT_LOST }, 4000 },
		{ "accused before it said so", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .oopsed = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, NEVER },
		{ "it hung, and now it takes interrupts", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 6000 },
		{ "and goes on to", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .stirred = true, .window_ns = 6000 * MS, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST }, RARELY },
		{ "as before", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST },
		  90000, 0, { .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST }, RARELY },
		{ "it took some, and hangs", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED },
		  90000, 0, { .stirred = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "not watched for long enough", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .window_ns = 5999 * MS, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "for just long enough", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .stirred = true, .window_ns = 6000 * MS, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_BEAT_LOST }, RARELY },
		{ "the host is late, and knows no better", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .host_late = true, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "a CPU of it has yet to answer", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		  90000, 0, { .host_asked = true, .vcpus[KVMHB_LIVING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "nothing is seen any more", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, 90000, 0,
		  { .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
		{ "late after the event", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .host_late = true, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },

		/* Rule 7. A word only if half a timeout was denied, and a whole one is over. */
		{ "the VMM waits for a CPU", { KVMHB_ALIVE }, 6400, 3200,
		  { .vcpus[KVMHB_QUEUED] = 1, .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 2000 },
		{ "it did, most of the time", { KVMHB_ALIVE }, 6400, 3200,
		  { .waited_ns = 1601 * MS, .vcpus[KVMHB_IN_VMM] = 1, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 2000 },
		{ "stuck", { KVMHB_ALIVE }, 6400, 3200, { .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 1200 },
		{ "not for long", { KVMHB_ALIVE }, 6400, 3199, { .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_ALIVE }, 1200 },
		{ "nor so silent", { KVMHB_ALIVE }, 6000, 6000, { .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_ALIVE }, 400 },
		{ "while the host was in trouble", { KVMHB_ALIVE }, 6400, 3200,
		  { .host_ns = 1601 * MS, .vcpus[KVMHB_IN_VMM] = 1, .vcpus[KVMHB_QUEUED] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_DEGRADED }, 2000 },
		{ "the host was, for less", { KVMHB_ALIVE }, 6400, 3200,
		  { .host_ns = 1600 * MS, .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 1200 },
		{ "the host was, and nothing else is to be seen", { KVMHB_ALIVE }, 6400, 3200,
		  { .host_ns = 3200 * MS, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_DEGRADED }, 2000 },
		{ "all there are", { KVMHB_LATE }, 90000, 85000,
		  { .vcpus[KVMHB_IN_VMM] = 1, .vcpus[KVMHB_ABSENT] = 3 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 1200 },
		{ "one of many", { KVMHB_ALIVE }, 6400, 3200,
		  { .vcpus[KVMHB_IN_VMM] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 2000 },
		{ "one is kept", { KVMHB_ALIVE }, 6400, 3200,
		  { .vcpus[KVMHB_AWAY] = 1, .vcpus[KVMHB_HALTING] = 3 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 2000 },

		/* Rule 7: starved. */
		{ "starved", { KVMHB_ALIVE }, 6400, 6000,
		  { .waited_ns = 6000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4000 },
		{ "for half of it", { KVMHB_ALIVE }, 6400, 4000,
		  { .waited_ns = 2000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 }, { KVMHB_ALIVE }, 2800 },
		{ "12 timeouts", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 76800, 70401,
		  { .waited_ns = 70401 * MS, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 100 },
		{ "for little more", { KVMHB_LATE }, 6410, 11, { .just_denied_ns = 1 },
		  { KVMHB_LATE }, 1 },
		{ "and just so", { KVMHB_LATE }, 6410, 11, { .just_denied_ns = 10 * MS },
		  { KVMHB_LATE }, 15 },
		{ "and hung", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 76800, 70400,
		  { .waited_ns = 70400 * MS, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "no more", { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 6300, 3000, {},
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 1900 },
		{ "unresponsive, with a longer timeout",
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 9000, 8000,
		  { .waited_ns = 8000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4000 },

		/* Rule 7: the host. */
		{ "blocked", { KVMHB_ALIVE }, 6400, 6400, { .vcpus[KVMHB_BLOCKED] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_BLOCKED }, 4000 },
		{ "blocked, starved too", { KVMHB_ALIVE }, 6400, 6400,
		  { .waited_ns = 6400 * MS, .vcpus[KVMHB_BLOCKED] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_HOST_BLOCKED }, 4000 },
		{ "blocked, with a stuck one", { KVMHB_ALIVE }, 6400, 6400,
		  { .vcpus[KVMHB_BLOCKED] = 1, .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_VMM_STUCK }, 4000 },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

/* Rule 5. */
static void rules_of_pauses(struct kunit *test)
{
	static const struct rule_row rows[] = {
		{ "stopped", { KVMHB_ALIVE }, 5200, 5200, { .vcpus[KVMHB_STOPPED_BY_HOST] = 2 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "kept by the VMM", { KVMHB_LATE }, 5200, 0,
		  { .vcpus[KVMHB_AWAY] = 1, .vcpus[KVMHB_ABSENT] = 1 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "one had asked for something", { KVMHB_LATE }, 5200, 0,
		  { .vcpus[KVMHB_AWAY] = 1, .vcpus[KVMHB_IN_VMM] = 1 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "not while its VMM resumes it", { KVMHB_ALIVE }, 5200, 5200,
		  { .vcpus[KVMHB_AWAY] = 2, .resuming = true }, { KVMHB_ALIVE }, 600 },
		{ "but if that takes too long", { KVMHB_ALIVE }, 6400, 6400,
		  { .vcpus[KVMHB_AWAY] = 2, .resuming = true },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "for ever", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 0,
		  { .vcpus[KVMHB_AWAY] = 1 }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "the host is late too", { KVMHB_ALIVE }, 6400, 6400,
		  { .vcpus[KVMHB_AWAY] = 1, .host_late = true },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "not all of it", { KVMHB_ALIVE }, 6400, 6400,
		  { .vcpus[KVMHB_STOPPED_BY_HOST] = 1, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_PAUSED }, 4000 },

		{ "seen once", { KVMHB_ALIVE }, 5200, 0, { .vcpus[KVMHB_LEAVING] = 1 },
		  { KVMHB_ALIVE }, 600 },
		{ "seen once, though stopped", { KVMHB_LATE }, 90000, 0,
		  { .vcpus[KVMHB_LEAVING] = 1, .vcpus[KVMHB_STOPPED_BY_HOST] = 1 },
		  { KVMHB_LATE }, 600 },

		/* Whoever is resumed has all of its time again. */
		{ "resumed", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 90000,
		  { .vcpus[KVMHB_UNCLEAR] = 1 }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "for a while", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 84801,
		  { .vcpus[KVMHB_HALTING] = 1 }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 100 },
		{ "and silent", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 84800,
		  { .vcpus[KVMHB_HALTING] = 1 }, { KVMHB_LATE }, 1200 },
		{ "and starved", { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 90000, 90000,
		  { .waited_ns = 50000 * MS, .vcpus[KVMHB_UNCLEAR] = 1 },
		  { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4000 },

		{ "what is said is said", { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 90000, 0,
		  { .vcpus[KVMHB_AWAY] = 1 }, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "but one that is not yet explained may still be",
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 90000, 80000,
		  { .vcpus[KVMHB_AWAY] = 1 }, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN }, 4000 },

		/* The VMM halts its CPUs itself: that looks the same. */
		{ "halted, all out", { KVMHB_LATE }, 6400, 0, { .vcpus[KVMHB_HALTED_OUT] = 2 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "halted or kept", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTED_OUT] = 1, .vcpus[KVMHB_AWAY] = 1 },
		  { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 4000 },
		{ "one runs, so there is no pause", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTED_OUT] = 1, .vcpus[KVMHB_SPINNING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, RARELY },
		{ "one halts in KVM", { KVMHB_LATE }, 6400, 0,
		  { .vcpus[KVMHB_HALTED_OUT] = 1, .vcpus[KVMHB_HALTING] = 1 },
		  { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED }, RARELY },
	};

	expect_rulings(test, rows, ARRAY_SIZE(rows));
}

/* How exact a verdict is, where nothing was denied of late. */
static void rules_of_exact_looks(struct kunit *test)
{
	struct kvmhb_case c = {
		.timing = rule_timing,
		.so_far = { KVMHB_LATE },
		.silence_ns = 6400 * MS - 1,
		.run_ns = 6400 * MS - 1,
		.stale_in_ns = U64_MAX,
	};

	KUNIT_EXPECT_EQ(test, kvmhb_rule(&c).look_in_ns, 25000);
	c.just_denied_ns = 20000;
	KUNIT_EXPECT_EQ(test, kvmhb_rule(&c).look_in_ns, 30000);
}

/* Before whom or what the host's own CPUs have to show that they live. */
static void rules_of_asking(struct kunit *test)
{
	static const struct {
		const char *what;
		enum kvmhb_state state;
		u64 silence_ms;
		struct kvmhb_case c;	/* what else there is to it */
		bool ask;
	} rows[] = {
		{ "it beats", KVMHB_ALIVE, 0, {}, false },
		{ "not yet late", KVMHB_ALIVE, 5199, {}, false },
		{ "late", KVMHB_ALIVE, 5200, {}, true },
		{ "late for long", KVMHB_LATE, 90000, {}, true },
		{ "paused", KVMHB_PAUSED, 90000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_AWAY] = 1 }, false },
		{ "no longer", KVMHB_PAUSED, 90000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_LIVING] = 1 }, true },
		{ "it talks to its VMM", KVMHB_LATE, 90000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_LEAVING] = 1 }, true },
		{ "late, and it has beaten", KVMHB_LATE, 90000, { .beaten = true }, false },
		{ "nobody can be accused", KVMHB_UNRESPONSIVE, 90000, {}, false },
		{ "for another CPU", KVMHB_UNRESPONSIVE, 90000, { .partial = true }, false },
		{ "a CPU is stale", KVMHB_ALIVE, 0, { .partial = true }, true },
		{ "a scheduler is", KVMHB_ALIVE, 0, { .softlockup = true }, true },
		{ "both are, back from a silence", KVMHB_LATE, 0,
		  { .beaten = true, .partial = true, .softlockup = true }, true },
		{ "what is above does not hang on CPUs", KVMHB_ALIVE, 0,
		  { .blocked = true, .userspace = true }, false },
		{ "it has been said", KVMHB_DEGRADED, 0,
		  { .so_far.cause = KVMHB_CAUSE_PARTIAL, .partial = true }, false },
		{ "of another CPU", KVMHB_DEGRADED, 0,
		  { .so_far.cause = KVMHB_CAUSE_PARTIAL, .partial = true, .stale_anew = true },
		  true },
		{ "of a scheduler", KVMHB_DEGRADED, 0,
		  { .so_far.cause = KVMHB_CAUSE_SOFTLOCKUP, .partial = true, .softlockup = true },
		  true },
		{ "of userspace alone", KVMHB_DEGRADED, 0,
		  { .so_far.cause = KVMHB_CAUSE_USERSPACE, .partial = true, .userspace = true },
		  true },
		{ "late after that", KVMHB_DEGRADED, 5200, {}, true },
		{ "another CPU is stale soon", KVMHB_DEGRADED, 0,
		  { .so_far.cause = KVMHB_CAUSE_PARTIAL, .partial = true,
		    .stale_in_ns = 1200 * MS }, true },
		{ "a CPU is stale soon", KVMHB_ALIVE, 0, { .stale_in_ns = 1200 * MS }, true },
		{ "not so soon", KVMHB_ALIVE, 0, { .stale_in_ns = 1200 * MS + 1 }, false },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_case c = rows[i].c;

		c.timing = rule_timing;
		c.so_far.state = rows[i].state;
		c.silence_ns = rows[i].silence_ms * MS;
		c.stale_in_ns = c.stale_in_ns ?: U64_MAX;
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_must_ask(&c), rows[i].ask, "%s", rows[i].what);
	}
}

/* The next digit of a number each of whose digits has its own base. */
static unsigned int digit(unsigned int *number, unsigned int base)
{
	unsigned int value = *number % base;

	*number /= base;
	return value;
}

/* Whatever is known, and in whatever combination. */
static void rules_without_exception(struct kunit *test)
{
	static const struct kvmhb_timing timings[] = {
		{ 1 * MS, 2 * MS }, { 2 * SEC, 4 * SEC }, { HOUR, 24 * HOUR }, { SEC, HOUR },
	};
	static const struct kvmhb_verdict states[] = {
		{ KVMHB_ALIVE }, { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, { KVMHB_LATE },
		{ KVMHB_LATE, KVMHB_CAUSE_STARVED }, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED },
		{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN },
		{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
	};
	static const struct kvmhb_case facts[] = {
		{}, { .host_late = true }, { .host_asked = true },
		{ .pulsing = true }, { .pulsing = true, .stirred = true },
		{ .dead = true }, { .beaten = true },
	};
	static const int others[] = {
		-1, KVMHB_SPINNING, KVMHB_QUEUED, KVMHB_AWAY, KVMHB_LEAVING, KVMHB_ABSENT,
	};
	enum { MOMENTS = 6 };
	const unsigned int total = ARRAY_SIZE(timings) * MOMENTS * MOMENTS * ARRAY_SIZE(states) *
				   ARRAY_SIZE(facts) * KVMHB_NR_DOINGS * ARRAY_SIZE(others);
	unsigned int n;

	for (n = 0; n < total; n++) {
		unsigned int rest = n, rounds = 0;
		const struct kvmhb_timing *t = &timings[digit(&rest, ARRAY_SIZE(timings))];
		const u64 late_ns = kvmhb_late_ns(t), timeout_ns = t->timeout_ns;
		const u64 moments[MOMENTS] = {
			0, late_ns - 1, late_ns, timeout_ns - 1, timeout_ns, 12 * timeout_ns,
		};
		const u64 max_ns = timeout_ns / 64 < t->interval_ns ?
				   max(timeout_ns / 64, 1 * MS) : 1 * MS;
		struct kvmhb_case c = facts[digit(&rest, ARRAY_SIZE(facts))];
		struct kvmhb_verdict so_far = states[digit(&rest, ARRAY_SIZE(states))];
		struct kvmhb_ruling ruling;
		bool beats, was_late;
		int other;

		c.timing = *t;
		c.so_far = so_far;
		c.silence_ns = moments[digit(&rest, MOMENTS)];
		c.run_ns = moments[digit(&rest, MOMENTS)];
		c.stale_in_ns = U64_MAX;
		c.vcpus[digit(&rest, KVMHB_NR_DOINGS)]++;
		c.nr_vcpus++;
		other = others[digit(&rest, ARRAY_SIZE(others))];
		if (other >= 0) {
			c.vcpus[other]++;
			c.nr_vcpus++;
		}
		if (c.run_ns > c.silence_ns)
			continue;
		c.denied_ns = c.silence_ns - c.run_ns;
		c.just_denied_ns = c.denied_ns;

		ruling = kvmhb_rule(&c);
		beats = kvmhb_state_beats(ruling.verdict.state);
		was_late = so_far.state == KVMHB_LATE || so_far.state == KVMHB_UNRESPONSIVE;

		/* Opportunity comes before accusation, and late before unresponsive. */
		if (ruling.verdict.state == KVMHB_UNRESPONSIVE) {
			KUNIT_ASSERT_TRUE_MSG(test, c.run_ns >= timeout_ns || c.dead ||
					      c.vcpus[KVMHB_FAILED] ||
					      so_far.state == KVMHB_UNRESPONSIVE, "case %u", n);
			KUNIT_ASSERT_TRUE_MSG(test, was_late, "case %u", n);
		}

		/* Only the worst is looked at no more; of the rest, nothing is overlooked. */
		if (ruling.look_in_ns == KVMHB_NO_DEADLINE) {
			KUNIT_ASSERT_TRUE_MSG(test, ruling.verdict.state == KVMHB_UNRESPONSIVE ||
					      ruling.verdict.state == KVMHB_PANICKED, "case %u", n);
		} else {
			KUNIT_ASSERT_GE_MSG(test, ruling.look_in_ns,
					    min(max(c.denied_ns * 3 / 2, MS / 40),
						c.host_asked || c.vcpus[KVMHB_LEAVING] ?
						1 * MS : max_ns),
					    "case %u", n);
			KUNIT_ASSERT_LE_MSG(test, ruling.look_in_ns,
					    beats ? late_ns :
					    ruling.new_window || ruling.stirs ?
					    max3(60 * SEC, timeout_ns,
						 t->interval_ns + t->interval_ns / 2) :
					    t->interval_ns,
					    "case %u", n);
		}

		/* Nobody is accused, or accused anew, while a host CPU may be dead. */
		if (c.host_asked && ruling.verdict.state == KVMHB_UNRESPONSIVE)
			KUNIT_ASSERT_TRUE_MSG(test, so_far.state == KVMHB_UNRESPONSIVE ||
					      c.dead || c.vcpus[KVMHB_FAILED], "case %u", n);

		/* Whoever asks again until nothing is new is done soon. */
		while (ruling.verdict.state != KVMHB_PANICKED &&
		       (ruling.verdict.state != c.so_far.state ||
			ruling.verdict.cause != c.so_far.cause)) {
			KUNIT_ASSERT_LT_MSG(test, rounds++, 4, "case %u", n);
			c.so_far = ruling.verdict;
			c.beaten = false;
			ruling = kvmhb_rule(&c);
		}
	}
}

static void lateness_of_the_host(struct kunit *test)
{
	static const struct {
		u64 timeout_ns, lateness_ns;
	} rows[] = {
		{ 2 * MS, 20 * MS },
		{ 200 * MS, 20 * MS },
		{ 4 * SEC, 400 * MS },
		{ 24 * HOUR, 24 * HOUR / 10 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct kvmhb_timing t = { 1 * MS, rows[i].timeout_ns };

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_lateness_max_ns(&t), rows[i].lateness_ns,
				    "row %d", i);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(rules_of_a_guest_that_beats),
	KUNIT_CASE(rules_of_silence),
	KUNIT_CASE(rules_of_excuses),
	KUNIT_CASE(rules_of_pauses),
	KUNIT_CASE(rules_of_exact_looks),
	KUNIT_CASE(rules_of_asking),
	KUNIT_CASE(rules_without_exception),
	KUNIT_CASE(lateness_of_the_host),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_verdict",
	.test_cases = cases,
};

kunit_test_suite(suite);
