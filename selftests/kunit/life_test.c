// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "life.c"

/* Which kernel it is that arms, by what was known of the one before. */
static void life_boots(struct kunit *test)
{
	static const struct {
		const char *what;
		enum kvmhb_state state;
		enum kvmhb_cause goodbye;
		bool boots;
	} rows[] = {
		{ "the first", KVMHB_WAITING, KVMHB_CAUSE_NONE, true },
		{ "kexec from a crash, without a word", KVMHB_ALIVE, KVMHB_CAUSE_NONE, true },
		{ "and after its silence", KVMHB_UNRESPONSIVE, KVMHB_CAUSE_NONE, true },
		{ "while the host holds it", KVMHB_PAUSED, KVMHB_CAUSE_NONE, true },
		{ "kexec", KVMHB_STOPPED, KVMHB_CAUSE_REBOOT, true },
		{ "reboot", KVMHB_WAITING, KVMHB_CAUSE_REBOOT, true },
		{ "shutdown that became a reset", KVMHB_WAITING, KVMHB_CAUSE_SHUTDOWN, true },
		{ "shutdown that became a kexec", KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN, true },
		{ "crash kernel", KVMHB_PANICKED, KVMHB_CAUSE_PANIC, true },
		{ "reset after a panic", KVMHB_WAITING, KVMHB_CAUSE_PANIC, true },
		{ "triple fault", KVMHB_WAITING, KVMHB_CAUSE_TRIPLE_FAULT, true },
		{ "reset of its own device, or resume", KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND, false },
		{ "resume, which the VMM begins with a reset", KVMHB_WAITING,
		  KVMHB_CAUSE_SUSPEND, false },
		{ "driver loaded again", KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD, false },
		{ "reset without a driver", KVMHB_WAITING, KVMHB_CAUSE_UNLOAD, true },
	};
	u32 word;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (word = KVM_HEARTBEAT_NONE; word <= KVM_HEARTBEAT_OOPS + 1; word++) {
			struct kvmhb_life life = { .boots = 5 };

			kvmhb_life_word(&life, word, rows[i].state, rows[i].goodbye);
			KUNIT_EXPECT_EQ_MSG(test, life.boots,
					    5 + (word == KVM_HEARTBEAT_ARM && rows[i].boots),
					    "%s, word %u", rows[i].what, word);
			KUNIT_EXPECT_EQ_MSG(test, life.panics + life.resets, 0, "%s",
					    rows[i].what);
		}
	}
}

/* Another cause is no other panic. */
static void life_panics(struct kunit *test)
{
	struct kvmhb_life life = {};
	int old, new;

	for (old = 0; old < KVMHB_NR_STATES; old++)
		for (new = 0; new < KVMHB_NR_STATES; new++)
			kvmhb_life_change(&life, old, new);
	KUNIT_EXPECT_EQ(test, life.panics, KVMHB_NR_STATES - 1);
	kvmhb_life_change(&life, KVMHB_PANICKED, KVMHB_PANICKED);
	KUNIT_EXPECT_EQ(test, life.panics, KVMHB_NR_STATES - 1);
	kvmhb_life_change(&life, KVMHB_WAITING, KVMHB_PANICKED);
	KUNIT_EXPECT_EQ(test, life.panics, KVMHB_NR_STATES);
	KUNIT_EXPECT_EQ(test, life.boots + life.resets, 0);
}

/* A guest that has said nothing has not begun. */
static void life_resets(struct kunit *test)
{
	struct kvmhb_life life = {};
	u32 word;

	kvmhb_life_reset(&life, KVM_HEARTBEAT_NONE);
	KUNIT_EXPECT_EQ(test, life.resets, 0);
	for (word = KVM_HEARTBEAT_ARM; word <= KVM_HEARTBEAT_OOPS; word++)
		kvmhb_life_reset(&life, word);
	KUNIT_EXPECT_EQ(test, life.resets, KVM_HEARTBEAT_OOPS);
	KUNIT_EXPECT_EQ(test, life.boots + life.panics, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(life_boots),
	KUNIT_CASE(life_panics),
	KUNIT_CASE(life_resets),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_life",
	.test_cases = cases,
};

kunit_test_suite(suite);
