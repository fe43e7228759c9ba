// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "vcpu.c"

/* What the scheduler and KVM counted of a second that a vCPU was in KVM_RUN. */
static void run_clock_sums(struct kunit *test)
{
	static const struct {
		const char *what;
		s64 exec_ms, halted_ms, run_delay_ms, queued_ms;
		u64 waited_ms, denied_ms;
	} rows[] = {
		{ "spins", 1000, 0, 0, 0, 0, 0 },
		{ "halted", 0, 1000, 0, 0, 0, 0 },
		{ "works and halts", 400, 600, 0, 0, 0, 0 },
		{ "starved", 50, 0, 950, 0, 950, 950 },
		{ "still starved", 50, 0, 0, 950, 950, 950 },
		{ "starved, and waits again", 50, 0, 550, 400, 950, 950 },
		{ "its wait has ended", 500, 0, 1500, -1000, 500, 500 },
		{ "woken from its halt, but it waits", 0, 1000, 0, 400, 400, 400 },
		{ "stopped, or asleep in the host", 0, 0, 0, 0, 0, 1000 },
		{ "blocked for a while", 700, 0, 0, 0, 0, 300 },
		{ "the CPU time goes back", -5, 0, 0, 0, 0, 1000 },
		{ "the halted time goes back", 1000, -5, 0, 0, 0, 0 },
		{ "the wait goes back", 1000, 0, -5, 0, 0, 0 },
		{ "ran for longer than that", 1700, 0, 0, 0, 0, 0 },
		{ "waited for longer than that", 0, 0, 1700, 0, 1700, 1000 },
	};
	const struct kvmhb_vcpu then = {
		.pid = 7, .task = 'R', .running = true, .exec_ns = 10 * SEC,
		.halted_ns = 10 * SEC, .run_delay_ns = 10 * SEC, .queued_ns = SEC,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_vcpu now = then;

		now.exec_ns += rows[i].exec_ms * (s64)MS;
		now.halted_ns += rows[i].halted_ms * (s64)MS;
		now.run_delay_ns += rows[i].run_delay_ms * (s64)MS;
		now.queued_ns += rows[i].queued_ms * (s64)MS;
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_waited_ns(&then, &now), rows[i].waited_ms * MS,
				    "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_denied_ns(&then, &now, SEC),
				    rows[i].denied_ms * MS, "%s", rows[i].what);
	}
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &then, 0), 0);
}

/* Where a vCPU was, in a second through all of which its thread executed. */
static void run_clock_places(struct kunit *test)
{
	static const struct {
		const char *what;
		struct kvmhb_vcpu then, now;
		u64 denied_ms;
	} rows[] = {
		{ "in KVM_RUN", { .pid = 7, .running = true }, { .pid = 7, .running = true }, 0 },
		{ "outside", { .pid = 7 }, { .pid = 7 }, 1000 },
		{ "outside, but it came and went", { .pid = 7 }, { .pid = 7, .exits = 1 }, 0 },
		{ "in the host's kernel", { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true, .kernel = true }, 1000 },
		{ "there again", { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true, .kernel = true, .exits = 1 }, 0 },
		{ "there before", { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true }, 0 },
		{ "there since", { .pid = 7, .running = true },
		  { .pid = 7, .running = true, .kernel = true }, 0 },
		{ "there, but it halted for half of it",
		  { .pid = 7, .running = true, .kernel = true },
		  { .pid = 7, .running = true, .kernel = true, .halted_ns = 500 * MS }, 500 },
		{ "it left", { .pid = 7, .running = true }, { .pid = 7 }, 0 },
		{ "it came", { .pid = 7 }, { .pid = 7, .running = true }, 0 },
		{ "halted by the VMM", { .pid = 7 }, { .pid = 7, .halted = true }, 0 },
		{ "step by step", { .pid = 7, .exits = 1, .stepped = true },
		  { .pid = 7, .running = true, .exits = 9, .stepped = true }, 1000 },
		{ "stepped now", { .pid = 7, .running = true },
		  { .pid = 7, .exits = 9, .stepped = true }, 1000 },
		{ "stepped before", { .pid = 7, .exits = 1, .stepped = true },
		  { .pid = 7, .running = true, .exits = 9 }, 1000 },
		{ "another thread", { .pid = 7, .running = true }, { .pid = 8, .running = true },
		  1000 },
		{ "its first thread", {}, { .pid = 7, .running = true }, 1000 },
		{ "its thread has ended", { .pid = 7, .running = true }, {}, 0 },
		{ "no thread yet", {}, {}, 0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_vcpu now = rows[i].now;

		now.exec_ns = rows[i].then.exec_ns + SEC;
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_denied_ns(&rows[i].then, &now, SEC),
				    rows[i].denied_ms * MS, "%s", rows[i].what);
	}
}

/* What wakes a halted vCPU for nothing makes its halt seem to begin anew. */
static void run_clock_halts(struct kunit *test)
{
	struct kvmhb_vcpu then = vcpu_at(HALT), now = vcpu_at(HALT), out = vcpu_at(OUT);

	then.halted_ns = 9 * SEC;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), 0);
	now.queued_ns = 300 * MS;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), 300 * MS);
	now.queued_ns = 2 * SEC;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), SEC);
	now.queued_ns = 0;

	/* It may have been paused, or have run, in between. */
	now.signals++;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), SEC);
	now.signals--;
	now.exits++;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&then, &now, SEC), SEC);
	now.exits--;
	KUNIT_EXPECT_EQ(test, kvmhb_denied_ns(&out, &now, SEC), SEC);
}

/* In the order in which what applies first is returned. */
static void doing_rows(struct kunit *test)
{
	static const struct {
		const char *what;
		enum place first, then, now;
		char task;	/* if it is not what the place implies */
		u32 exit;
		/* What changed in the second from first to now, or from first to then. */
		u64 exits, irqs, exec_ms;
		bool before;
		u64 queued_ms, delay_ms;	/* at now, and from then to now */
		enum kvmhb_doing doing;
	} rows[] = {
		{ "triple fault", RUN, OUT, OUT, .exit = KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "triple fault, just so", RUN, RUN, OUT, .exit = KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "triple fault, and stopped", RUN, OUT, OUT, 'T', KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "triple fault, and the VMM is gone", RUN, OUT, OUT, '-', KVM_EXIT_SHUTDOWN,
		  .doing = KVMHB_SHUT_DOWN },
		{ "a word of old", RUN, RUN, RUN, .exit = KVM_EXIT_SHUTDOWN, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },

		{ "KVM fails", RUN, OUT, OUT, .exit = KVM_EXIT_INTERNAL_ERROR,
		  .doing = KVMHB_FAILED },
		{ "no entry", RUN, RUN, OUT, .exit = KVM_EXIT_FAIL_ENTRY, .doing = KVMHB_FAILED },
		{ "no entry, and stopped", RUN, OUT, OUT, 't', KVM_EXIT_FAIL_ENTRY,
		  .doing = KVMHB_FAILED },
		{ "failed once", RUN, RUN, RUN, .exit = KVM_EXIT_INTERNAL_ERROR, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "no entry once", HALT, HALT, HALT, .exit = KVM_EXIT_FAIL_ENTRY,
		  .doing = KVMHB_HALTING },

		{ "no thread", OUT, OUT, OUT, '-', .doing = KVMHB_ABSENT },
		{ "a zombie", RUN, RUN, RUN, 'Z', .doing = KVMHB_ABSENT },
		{ "dying", RUN, RUN, OUT, 'X', .doing = KVMHB_ABSENT },

		{ "signal", RUN, RUN, RUN, 'T', .doing = KVMHB_STOPPED_BY_HOST },
		{ "debugger", RUN, RUN, RUN, 't', .doing = KVMHB_STOPPED_BY_HOST },
		{ "freezer", HALT, HALT, HALT, 'F', .irqs = 1, .doing = KVMHB_STOPPED_BY_HOST },
		{ "signal at the VMM", RUN, OUT, OUT, 'T', KVM_EXIT_IO,
		  .doing = KVMHB_STOPPED_BY_HOST },

		{ "left", RUN, RUN, OUT, .doing = KVMHB_LEAVING },
		{ "left for I/O", RUN, RUN, OUT, .exit = KVM_EXIT_IO, .doing = KVMHB_LEAVING },
		{ "left a halt", HALT, HALT, OUT, .irqs = 1, .doing = KVMHB_LEAVING },
		{ "left a halt of the VMM", VMM_HALT, VMM_HALT, OUT, .doing = KVMHB_LEAVING },
		{ "asked to leave, and back in time", RUN, OUT, RUN, .exit = KVM_EXIT_IO,
		  .exec_ms = 900, .doing = KVMHB_SPINNING },

		{ "asks the VMM", RUN, OUT, OUT, .exit = KVM_EXIT_MMIO, .doing = KVMHB_IN_VMM },
		{ "asks, and the VMM works", RUN, OUT, OUT, 'R', KVM_EXIT_IO, .exec_ms = 900,
		  .doing = KVMHB_IN_VMM },
		{ "would go on, had it a CPU", RUN, OUT, OUT, 'R', KVM_EXIT_INTR, .queued_ms = 1,
		  .doing = KVMHB_QUEUED },
		{ "and would answer", RUN, OUT, OUT, 'R', KVM_EXIT_IO, .queued_ms = 900,
		  .doing = KVMHB_QUEUED },
		{ "has a CPU, now and then", RUN, OUT, OUT, 'R', KVM_EXIT_IO, .exec_ms = 49,
		  .delay_ms = 50, .doing = KVMHB_QUEUED },
		{ "has a CPU, more often than not", RUN, OUT, OUT, 'R', KVM_EXIT_IO,
		  .exec_ms = 51, .delay_ms = 50, .doing = KVMHB_IN_VMM },
		{ "has a CPU, as often as not", RUN, OUT, OUT, 'R', KVM_EXIT_IO, .exec_ms = 50,
		  .delay_ms = 50, .doing = KVMHB_IN_VMM },
		{ "sleeps in the host's kernel", RUN, OUT, OUT, 'D', KVM_EXIT_INTR,
		  .doing = KVMHB_BLOCKED },
		{ "kept by the VMM", RUN, OUT, OUT, .exit = KVM_EXIT_INTR, .doing = KVMHB_AWAY },
		{ "kept after some life", RUN, OUT, OUT, .exit = KVM_EXIT_INTR, .exits = 9,
		  .irqs = 9, .exec_ms = 900, .before = true, .doing = KVMHB_AWAY },
		{ "comes and goes", OUT, OUT, OUT, .exit = KVM_EXIT_IO, .exits = 1,
		  .doing = KVMHB_UNCLEAR },
		{ "comes and goes, and spins", OUT, OUT, OUT, .exit = KVM_EXIT_IO, .exits = 1,
		  .exec_ms = 900, .doing = KVMHB_SPINNING },

		{ "waits for memory", RUN, RUN, RUN, 'D', .doing = KVMHB_BLOCKED },
		{ "waits for userfaultfd", RUN, RUN, RUN, 'S', .irqs = 1, .doing = KVMHB_BLOCKED },
		{ "waits after it ran", RUN, RUN, RUN, 'D', .exec_ms = 900, .before = true,
		  .doing = KVMHB_BLOCKED },
		{ "waits now and then", RUN, RUN, RUN, 'D', .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "waits for a CPU", RUN, RUN, RUN, .doing = KVMHB_UNCLEAR },
		{ "clears pages", RUN, KERNEL, KERNEL, .irqs = 1, .exec_ms = 900,
		  .doing = KVMHB_BLOCKED },
		{ "would do so, but waits for a CPU", RUN, KERNEL, KERNEL, .exec_ms = 40,
		  .delay_ms = 50, .doing = KVMHB_UNCLEAR },
		{ "half of the time", RUN, KERNEL, KERNEL, .exec_ms = 50, .delay_ms = 50,
		  .doing = KVMHB_UNCLEAR },
		{ "waits for a CPU there", RUN, KERNEL, KERNEL, .queued_ms = 900,
		  .doing = KVMHB_UNCLEAR },
		{ "exits all the time", RUN, KERNEL, KERNEL, .exits = 1, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "just came from the guest", RUN, RUN, KERNEL, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },
		{ "just goes there", RUN, KERNEL, RUN, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },

		{ "takes interrupts", RUN, RUN, RUN, .irqs = 1, .exec_ms = 900,
		  .doing = KVMHB_LIVING },
		{ "halted, with interrupts", HALT, HALT, HALT, .irqs = 1, .doing = KVMHB_LIVING },
		{ "halted anew", HALT, HALT, HALT, .exits = 1, .doing = KVMHB_LIVING },
		{ "halted since, and anew", RUN, HALT, HALT, .exits = 2, .doing = KVMHB_LIVING },
		{ "halted since", RUN, HALT, HALT, .exits = 1, .before = true,
		  .doing = KVMHB_UNCLEAR },
		{ "executed, then halted", RUN, RUN, HALT, .exits = 1, .exec_ms = 400,
		  .doing = KVMHB_UNCLEAR },
		{ "executed most of the time, then halted", RUN, RUN, HALT, .exits = 1,
		  .exec_ms = 501, .doing = KVMHB_SPINNING },
		{ "exits alone", RUN, RUN, RUN, .exits = 20000, .exec_ms = 900,
		  .doing = KVMHB_SPINNING },

		{ "halted", HALT, HALT, HALT, .doing = KVMHB_HALTING },
		{ "halted by the VMM", VMM_HALT, VMM_HALT, VMM_HALT, .exit = KVM_EXIT_HLT,
		  .doing = KVMHB_HALTED_OUT },
		{ "halted anew by the VMM", VMM_HALT, VMM_HALT, VMM_HALT, .exit = KVM_EXIT_HLT,
		  .exits = 1, .doing = KVMHB_LIVING },
		{ "halted, and woken for nothing", HALT, HALT, KERNEL, .doing = KVMHB_HALTING },
		{ "woken for nothing before", KERNEL, HALT, HALT, .doing = KVMHB_HALTING },
		{ "woken for an interrupt", HALT, HALT, KERNEL, .irqs = 1, .doing = KVMHB_LIVING },
		{ "was in the guest since", HALT, HALT, KERNEL, .exits = 1,
		  .doing = KVMHB_UNCLEAR },
		{ "and before", KERNEL, HALT, KERNEL, .doing = KVMHB_UNCLEAR },
		{ "halted now", RUN, HALT, HALT, .doing = KVMHB_UNCLEAR },
		{ "halted once", HALT, RUN, RUN, .doing = KVMHB_UNCLEAR },

		{ "spins", RUN, RUN, RUN, .exec_ms = 501, .doing = KVMHB_SPINNING },
		{ "half of it", RUN, RUN, RUN, .exec_ms = 500, .doing = KVMHB_UNCLEAR },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmhb_vcpu first = vcpu_at(rows[i].first);
		struct kvmhb_vcpu then = vcpu_at(rows[i].then);
		struct kvmhb_vcpu now = vcpu_at(rows[i].now);

		if (rows[i].task)
			now.task = rows[i].task;
		if (now.task == '-')
			now.pid = 0;
		now.exit = rows[i].exit;
		now.exits += rows[i].exits;
		now.irqs += rows[i].irqs;
		now.exec_ns += rows[i].exec_ms * MS;
		now.queued_ns = rows[i].queued_ms * MS;
		now.run_delay_ns += rows[i].delay_ms * MS;
		if (rows[i].before) {
			then.exits = now.exits;
			then.irqs = now.irqs;
			then.exec_ns = now.exec_ns;
		}
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_doing(&first, &then, &now, SEC), rows[i].doing,
				    "%s", rows[i].what);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(run_clock_sums),
	KUNIT_CASE(run_clock_places),
	KUNIT_CASE(run_clock_halts),
	KUNIT_CASE(doing_rows),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_vcpu",
	.test_cases = cases,
};

kunit_test_suite(suite);
