// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "reaction.c"

static void reaction_plans(struct kunit *test)
{
	static const struct {
		const char *words;
		const char *shown;	/* or NULL if it is refused */
	} rows[] = {
		{ "none", "none" },
		{ "none\n", "none" },
		{ "kill", "kill" },
		{ "backtrace dump pause kill\n", "backtrace dump pause kill" },
		{ "kill,pause,dump,backtrace", "kill pause dump backtrace" },
		{ " \tpause ,\t kill, ", "pause kill" },
		{ "", NULL },
		{ "\n", NULL },
		{ " , ", NULL },
		{ "shoot", NULL },
		{ "kil", NULL },
		{ "kills", NULL },
		{ "KILL", NULL },
		{ "kill kill", NULL },
		{ "pause kill pause", NULL },
		{ "pause kill kill", NULL },
		{ "none kill", NULL },
		{ "kill none", NULL },
		{ "none none", NULL },
		{ "backtrace dump pause kill none", NULL },
		{ "backtrace dump pause kill backtrace", NULL },
		{ "kill;", NULL },
	};
	const struct kvmhb_plan before = { .nr = 1, .steps = { KVMHB_STEP_DUMP } };
	struct kvmhb_plan plan, again;
	char buf[KVMHB_PLAN_LEN];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *words = rows[i].words;

		plan = before;
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_plan_parse(&plan, words),
				    rows[i].shown ? 0 : -EINVAL, "%s", words);
		kvmhb_plan_print(&plan, buf);
		KUNIT_EXPECT_STREQ_MSG(test, buf, rows[i].shown ?: "dump", "%s", words);
		KUNIT_EXPECT_EQ_MSG(test, !plan.nr, !strcmp(buf, "none"), "%s", words);
		KUNIT_ASSERT_EQ_MSG(test, kvmhb_plan_parse(&again, buf), 0, "%s", words);
		KUNIT_EXPECT_EQ_MSG(test, again.nr, plan.nr, "%s", words);
	}
}

/* About whom something is done: state by state, and cause by cause. */
static void reaction_whom(struct kunit *test)
{
	struct kvmhb_verdict verdict;
	struct kvmhb_policy policy;

	kvmhb_policy_init(&policy);
	verdict = (struct kvmhb_verdict) { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG };
	KUNIT_EXPECT_NULL(test, kvmhb_policy_plan(&policy, &verdict));
	verdict.state = KVMHB_PANICKED;
	KUNIT_EXPECT_NULL(test, kvmhb_policy_plan(&policy, &verdict));

	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&policy.on_unresponsive, "kill"), 0);
	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&policy.on_panicked, "dump kill"), 0);
	for (verdict.state = 0; verdict.state < KVMHB_NR_STATES; verdict.state++) {
		for (verdict.cause = 0; verdict.cause < KVMHB_NR_CAUSES; verdict.cause++) {
			const struct kvmhb_plan *plan = kvmhb_policy_plan(&policy, &verdict);
			const struct kvmhb_plan *expected = NULL;

			if (verdict.state == KVMHB_UNRESPONSIVE &&
			    verdict.cause != KVMHB_CAUSE_UNKNOWN)
				expected = &policy.on_unresponsive;
			if (verdict.state == KVMHB_PANICKED &&
			    verdict.cause != KVMHB_CAUSE_DUMPING)
				expected = &policy.on_panicked;
			KUNIT_EXPECT_PTR_EQ_MSG(test, plan, expected, "%s %s",
						kvmhb_state_word(verdict.state),
						kvmhb_cause_word(verdict.cause));
		}
	}
}

/* Whom a step may still reach, and which state it is about. */
static void reaction_about_what(struct kunit *test)
{
	struct kvmhb_verdict verdict;

	for (verdict.state = 0; verdict.state < KVMHB_NR_STATES; verdict.state++) {
		for (verdict.cause = 0; verdict.cause < KVMHB_NR_CAUSES; verdict.cause++) {
			bool dumping = verdict.cause == KVMHB_CAUSE_DUMPING;

			KUNIT_EXPECT_EQ(test, kvmhb_can_run(&verdict),
					verdict.cause != KVMHB_CAUSE_KVM_ERROR &&
					verdict.cause != KVMHB_CAUSE_TRIPLE_FAULT);
			KUNIT_EXPECT_EQ(test, kvmhb_sequence_about(&verdict),
					dumping ? KVMHB_ALIVE : verdict.state);
		}
	}
}

/* What is documented for one whom nobody has asked for anything. */
static void reaction_defaults(struct kunit *test)
{
	struct kvmhb_policy policy;

	memset(&policy, 0xff, sizeof(policy));
	kvmhb_policy_init(&policy);
	KUNIT_EXPECT_EQ(test, policy.on_unresponsive.nr, 0);
	KUNIT_EXPECT_EQ(test, policy.on_panicked.nr, 0);
	KUNIT_EXPECT_EQ(test, policy.delay_ns, 10 * SEC);
	KUNIT_EXPECT_EQ(test, policy.max, 3);
	KUNIT_EXPECT_EQ(test, policy.window_ns, HOUR);
}

/* When the next step is due. */
static void reaction_when(struct kunit *test)
{
	static const struct {
		const char *what;
		struct kvmhb_sequence sequence;
		u64 due_in_ns;
	} rows[] = {
		{ "unresponsive, first", { KVMHB_UNRESPONSIVE, 0, 0 }, 0 },
		{ "panicked, first", { KVMHB_PANICKED, 0, 0 }, 10 * SEC },
		{ "panicked, first, waited", { KVMHB_PANICKED, 0, 4 * SEC }, 6 * SEC },
		{ "panicked, first, due", { KVMHB_PANICKED, 0, 10 * SEC }, 0 },
		{ "unresponsive, second", { KVMHB_UNRESPONSIVE, 1, 0 }, 10 * SEC },
		{ "second, waited", { KVMHB_UNRESPONSIVE, 1, 10 * SEC - 1 }, 1 },
		{ "second, overdue", { KVMHB_UNRESPONSIVE, 1, HOUR }, 0 },
		{ "all taken", { KVMHB_UNRESPONSIVE, 2, HOUR }, KVMHB_NO_DEADLINE },
		{ "the list was made shorter", { KVMHB_UNRESPONSIVE, 3, HOUR }, KVMHB_NO_DEADLINE },
		{ "over", { KVMHB_UNRESPONSIVE, 0, HOUR, true }, KVMHB_NO_DEADLINE },
	};
	const struct kvmhb_verdict hung = { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG };
	const struct kvmhb_verdict halted = { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED };
	const struct kvmhb_verdict panic = { KVMHB_PANICKED, KVMHB_CAUSE_PANIC };
	struct kvmhb_sequence sequence = {};
	struct kvmhb_policy policy;
	struct kvmhb_plan plan;
	unsigned int i;

	kvmhb_policy_init(&policy);
	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&plan, "dump kill"), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    kvmhb_sequence_due_in_ns(&rows[i].sequence, &policy, &plan),
				    rows[i].due_in_ns, "%s", rows[i].what);

	/* Another cause is the same outage, another state is not. */
	kvmhb_sequence_go_on(&sequence, &hung);
	sequence.next = 1;
	sequence.waited_ns = SEC;
	kvmhb_sequence_go_on(&sequence, &halted);
	KUNIT_EXPECT_EQ(test, sequence.next, 1);
	KUNIT_EXPECT_EQ(test, sequence.waited_ns, SEC);
	kvmhb_sequence_go_on(&sequence, &panic);
	KUNIT_EXPECT_EQ(test, sequence.next, 0);
	KUNIT_EXPECT_EQ(test, sequence.waited_ns, 0);
}

/* So many in any window, however they are spread. */
static void reaction_limit(struct kunit *test)
{
	struct kvmhb_budget *budget = kunit_kzalloc(test, sizeof(*budget), GFP_KERNEL);
	struct kvmhb_policy policy = { .window_ns = HOUR };
	static u64 taken_ns[3 * KVMHB_ACTIONS_MAX];
	unsigned int i;
	u64 now_ns;

	KUNIT_ASSERT_NOT_NULL(test, budget);
	for (policy.max = 1; policy.max <= KVMHB_ACTIONS_MAX; policy.max++) {
		memset(budget, 0, sizeof(*budget));
		now_ns = SEC;
		for (i = 0; i < ARRAY_SIZE(taken_ns); i++) {
			/* An hour after the first of as many as may be there may be one more. */
			if (i >= policy.max) {
				now_ns = taken_ns[i - policy.max] + HOUR;
				KUNIT_EXPECT_TRUE(test, kvmhb_budget_is_spent(budget, &policy,
									      now_ns - 1));
			}
			KUNIT_EXPECT_FALSE(test, kvmhb_budget_is_spent(budget, &policy, now_ns));
			kvmhb_budget_spend(budget, now_ns);
			taken_ns[i] = now_ns;
			now_ns += 60 * SEC;
		}
	}
}

static void reaction_words(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < KVMHB_NR_STEPS; i++)
		KUNIT_EXPECT_LT(test, strlen(kvmhb_step_word(i)), KVMHB_REACTION_WORD_SIZE);
	for (i = 0; i < KVMHB_NR_RESULTS; i++)
		KUNIT_EXPECT_LT(test, strlen(kvmhb_result_word(i)), KVMHB_REACTION_WORD_SIZE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(reaction_plans),
	KUNIT_CASE(reaction_whom),
	KUNIT_CASE(reaction_about_what),
	KUNIT_CASE(reaction_defaults),
	KUNIT_CASE(reaction_when),
	KUNIT_CASE(reaction_limit),
	KUNIT_CASE(reaction_words),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_reaction",
	.test_cases = cases,
};

kunit_test_suite(suite);
