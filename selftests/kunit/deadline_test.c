// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "deadline.c"

/* Which deadline a guest has. */
static void deadline_of_each_state(struct kunit *test)
{
	static const struct {
		struct kvmhb_verdict verdict;
		u64 ns;
	} rows[] = {
		{ { KVMHB_WAITING, KVMHB_CAUSE_NONE }, 1 },
		{ { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT }, 1 },
		{ { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN }, 2 },
		{ { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING }, 3 },
	};
	const struct kvmhb_deadlines deadlines = { .boot_ns = 1, .shutdown_ns = 2 };
	const struct kvmhb_deadlines none = {};
	struct kvmhb_verdict verdict;
	unsigned int i;
	u64 ns;

	for (verdict.state = 0; verdict.state < KVMHB_NR_STATES; verdict.state++) {
		for (verdict.cause = 0; verdict.cause < KVMHB_NR_CAUSES; verdict.cause++) {
			/* No other cause goes with it. */
			if (verdict.state == KVMHB_WAITING && verdict.cause)
				continue;
			ns = 0;
			for (i = 0; i < ARRAY_SIZE(rows); i++)
				if (rows[i].verdict.state == verdict.state &&
				    rows[i].verdict.cause == verdict.cause)
					ns = rows[i].ns;
			if (verdict.cause == KVMHB_CAUSE_DUMPING &&
			    verdict.state != KVMHB_PANICKED)
				continue;
			KUNIT_EXPECT_EQ_MSG(test, kvmhb_deadline_ns(&deadlines, &verdict, 3), ns,
					    "%s (%s)", kvmhb_state_word(verdict.state),
					    kvmhb_cause_word(verdict.cause));
			/* Who has set none has one for crash kernels. */
			ns = ns == 3 ? 3 : 0;
			KUNIT_EXPECT_EQ(test, kvmhb_deadline_ns(&none, &verdict, 3), ns);
			KUNIT_EXPECT_EQ(test, kvmhb_deadline_ns(NULL, &verdict, 3), ns);
		}
	}
}

#define WAITS		{ KVMHB_WAITING, KVMHB_CAUSE_NONE }
#define REBOOTS		{ KVMHB_STOPPED, KVMHB_CAUSE_REBOOT }
#define ENDS		{ KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN }
#define NO_BOOT		{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_NO_BOOT }
#define NO_SHUTDOWN	{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_NO_SHUTDOWN }
#define DUMPS		{ KVMHB_PANICKED, KVMHB_CAUSE_DUMPING }
#define PANIC		{ KVMHB_PANICKED, KVMHB_CAUSE_PANIC }

/* A deadline of 64 s: looks are a second apart. */
static void deadline_rulings(struct kunit *test)
{
	static const struct {
		const char *what;
		struct kvmhb_verdict so_far;
		u64 run_ms;
		struct kvmhb_case c;	/* what else there is to it */
		struct kvmhb_verdict verdict;
		u64 look_ms;		/* 0: never */
	} rows[] = {
		{ "it begins", WAITS, 0, {}, WAITS, 1000 },
		{ "not yet", WAITS, 63500, {}, WAITS, 500 },
		{ "in a moment", WAITS, 64000 - 1, {}, WAITS, 1 },
		{ "over", WAITS, 64000, {}, NO_BOOT, 0 },
		{ "long over", REBOOTS, 99999, {}, NO_BOOT, 0 },
		{ "does not end", ENDS, 64000, {}, NO_SHUTDOWN, 0 },
		{ "may still end", ENDS, 63999, {}, ENDS, 1 },
		{ "has halted", WAITS, 64000,
		  { .nr_vcpus = 2, .vcpus[KVMHB_HALTING] = 2 }, NO_BOOT, 0 },
		{ "spins", WAITS, 64000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_SPINNING] = 1 }, NO_BOOT, 0 },
		{ "lives", WAITS, 64000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_LIVING] = 1 }, NO_BOOT, 0 },

		{ "a host in trouble accuses nobody", WAITS, 64000, { .host_late = true },
		  WAITS, 1000 },
		{ "a host CPU has yet to answer", WAITS, 64000, { .host_asked = true }, WAITS, 1 },
		{ "its VMM holds it", WAITS, 64000,
		  { .nr_vcpus = 2, .vcpus[KVMHB_AWAY] = 2 }, WAITS, 1000 },
		{ "its VMM holds a part of it", WAITS, 64000,
		  { .nr_vcpus = 2, .vcpus[KVMHB_AWAY] = 1, .vcpus[KVMHB_HALTING] = 1 },
		  NO_BOOT, 0 },
		{ "stopped by the host", ENDS, 64000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_STOPPED_BY_HOST] = 1 }, ENDS, 1000 },
		{ "never ran", WAITS, 64000, { .nr_vcpus = 2, .vcpus[KVMHB_ABSENT] = 2 },
		  WAITS, 1000 },

		{ "triple fault", WAITS, 64000,
		  { .nr_vcpus = 2, .vcpus[KVMHB_SHUT_DOWN] = 1, .vcpus[KVMHB_AWAY] = 1,
		    .host_asked = true }, NO_BOOT, 0 },
		{ "KVM has failed", WAITS, 64000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_FAILED] = 1, .host_late = true }, NO_BOOT, 0 },
		{ "KVM gave it up", ENDS, 64000,
		  { .nr_vcpus = 1, .vcpus[KVMHB_AWAY] = 1, .dead = true }, NO_SHUTDOWN, 0 },
		{ "not before it is over", WAITS, 1000, { .dead = true }, WAITS, 1000 },

		{ "it has just beaten", DUMPS, 0, {}, DUMPS, 60000 },
		{ "some time ago", DUMPS, 44000, {}, DUMPS, 20000 },
		{ "too long ago", DUMPS, 64000, {}, PANIC, 0 },
		{ "in the dark", DUMPS, 64000, { .host_late = true }, DUMPS, 1000 },
		{ "a host CPU has yet to answer", DUMPS, 64000, { .host_asked = true }, DUMPS, 1 },
		{ "its VMM holds it", DUMPS, 64000,
		  { .nr_vcpus = 2, .vcpus[KVMHB_AWAY] = 2 }, DUMPS, 1000 },
		{ "it cannot run, and has not run for long", DUMPS, 1000,
		  { .silence_ns = 64000 * MS, .nr_vcpus = 1, .vcpus[KVMHB_FAILED] = 1 }, PANIC, 0 },
		{ "it cannot run", DUMPS, 1000,
		  { .silence_ns = 54000 * MS, .nr_vcpus = 1, .vcpus[KVMHB_FAILED] = 1 },
		  DUMPS, 10000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 look_ns = rows[i].look_ms ? rows[i].look_ms * MS : KVMHB_NO_DEADLINE;
		struct kvmhb_case c = rows[i].c;
		struct kvmhb_ruling ruling;

		c.so_far = rows[i].so_far;
		c.run_ns = rows[i].run_ms * MS;
		ruling = kvmhb_deadline_rule(&c, 64 * SEC);
		KUNIT_EXPECT_STREQ_MSG(test, kvmhb_state_word(ruling.verdict.state),
				       kvmhb_state_word(rows[i].verdict.state), "%s", rows[i].what);
		KUNIT_EXPECT_STREQ_MSG(test, kvmhb_cause_word(ruling.verdict.cause),
				       kvmhb_cause_word(rows[i].verdict.cause), "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, ruling.look_in_ns, look_ns, "%s", rows[i].what);
	}
}

/* However long or short a deadline is, looks are neither many nor few. */
static void deadline_looks(struct kunit *test)
{
	struct kvmhb_case c = { .so_far = WAITS };

	KUNIT_EXPECT_EQ(test, kvmhb_deadline_rule(&c, 24 * HOUR).look_in_ns, 60 * SEC);
	KUNIT_EXPECT_EQ(test, kvmhb_deadline_rule(&c, 100 * MS).look_in_ns, 10 * MS);
	KUNIT_EXPECT_EQ(test, kvmhb_deadline_rule(&c, 1).look_in_ns, MS);
}

/* What of the time between two looks counts. */
static void deadline_run_clock(struct kunit *test)
{
	static const struct {
		const char *what;
		struct kvmhb_case c;
		u64 ns;
	} rows[] = {
		{ "without KVM", {}, 100 },
		{ "runs", { .nr_vcpus = 2, .vcpus[KVMHB_LIVING] = 2 }, 100 },
		{ "starved",
		  { .nr_vcpus = 1, .vcpus[KVMHB_QUEUED] = 1, .just_denied_ns = 70 }, 30 },
		{ "held",
		  { .nr_vcpus = 1, .vcpus[KVMHB_AWAY] = 1, .just_denied_ns = 100 }, 0 },
		{ "never ran", { .nr_vcpus = 2, .vcpus[KVMHB_ABSENT] = 2 }, 0 },
		{ "a CPU that is not there",
		  { .nr_vcpus = 2, .vcpus[KVMHB_ABSENT] = 1, .vcpus[KVMHB_LIVING] = 1 }, 100 },
		{ "triple fault",
		  { .nr_vcpus = 1, .vcpus[KVMHB_SHUT_DOWN] = 1, .just_denied_ns = 100 }, 100 },
		{ "KVM has failed",
		  { .nr_vcpus = 1, .vcpus[KVMHB_FAILED] = 1, .just_denied_ns = 100 }, 100 },
		{ "KVM gave it up", { .dead = true, .just_denied_ns = 100 }, 100 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_deadline_run_ns(&rows[i].c, 100), rows[i].ns,
				    "%s", rows[i].what);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(deadline_of_each_state),
	KUNIT_CASE(deadline_rulings),
	KUNIT_CASE(deadline_looks),
	KUNIT_CASE(deadline_run_clock),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_deadline",
	.test_cases = cases,
};

kunit_test_suite(suite);
