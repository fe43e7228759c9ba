/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is done about a guest that is dead: which steps, in which order, after which time, and
 * how often. Pure functions, tested by selftests/kunit.
 */
#ifndef KVMHB_REACTION_H
#define KVMHB_REACTION_H

#include <linux/types.h>

#include "words.h"

/* The steps, mildest first. The words are ABI (Documentation/sysfs.rst). */
#define KVMHB_STEPS(step) \
	step(NONE, "none")			/* nothing */ \
	step(BACKTRACE, "backtrace")		/* the guest prints the stacks of its CPUs */ \
	step(DUMP, "dump")			/* the guest crashes itself */ \
	step(PAUSE, "pause")			/* the VMM stops the VM, to be looked at */ \
	step(KILL, "kill")			/* the VMM ends */

/* What came of a step. */
#define KVMHB_RESULTS(result) \
	result(NONE, "none")			/* there was none */ \
	result(DONE, "done")			/* the VMM has been told or killed */ \
	result(UNHEARD, "unheard")		/* the VMM does not listen */ \
	result(GONE, "gone")			/* the VMM has ended */ \
	result(ASKED, "asked")			/* the guest has not answered yet */ \
	result(OBEYED, "obeyed")		/* it did what it was asked for */ \
	result(REFUSED, "refused")		/* it does not, as it is not allowed or able to */ \
	result(LIMITED, "limited")		/* there were too many before: not carried out */

#define KVMHB_STEP(name, word) KVMHB_STEP_##name,
enum kvmhb_step { KVMHB_STEPS(KVMHB_STEP) KVMHB_NR_STEPS };

#define KVMHB_RESULT(name, word) KVMHB_RESULT_##name,
enum kvmhb_result { KVMHB_RESULTS(KVMHB_RESULT) KVMHB_NR_RESULTS };

union kvmhb_reaction_word {
	union { KVMHB_STEPS(KVMHB_MEMBER) } step;
	union { KVMHB_RESULTS(KVMHB_MEMBER) } result;
};

#define KVMHB_REACTION_WORD_SIZE	sizeof(union kvmhb_reaction_word)

/* All steps in a row, each with what divides it from the next, and an end. */
#define KVMHB_PLAN_LEN	(KVMHB_NR_STEPS * KVMHB_REACTION_WORD_SIZE)

/**
 * struct kvmhb_plan - steps in the order in which they are taken
 * @nr: how many
 * @steps: each of &enum kvmhb_step, none of them twice
 */
struct kvmhb_plan {
	u8 nr;
	u8 steps[KVMHB_NR_STEPS - 1];
};

#define KVMHB_ACTIONS_MAX	32

/**
 * struct kvmhb_policy - what users want to be done
 * @on_unresponsive: about a guest that is unresponsive
 * @on_panicked: about one that has panicked
 * @delay_ns: how long a step waits for a sign of life, ns on the run clock
 * @max: how many steps may be taken in @window_ns, 1 to %KVMHB_ACTIONS_MAX
 * @window_ns: how long a step counts, ns
 */
struct kvmhb_policy {
	struct kvmhb_plan on_unresponsive;
	struct kvmhb_plan on_panicked;
	u64 delay_ns;
	u32 max;
	u64 window_ns;
};

/**
 * struct kvmhb_budget - the steps that were taken
 * @at_ns: when the last of them were, ns of CLOCK_MONOTONIC
 * @nr: how many there were
 */
struct kvmhb_budget {
	u64 at_ns[KVMHB_ACTIONS_MAX];
	u64 nr;
};

/**
 * struct kvmhb_sequence - how far the steps are that are taken about one outage
 * @about: the state that it is about, as kvmhb_sequence_about() has it; any other if there is
 *	none
 * @next: index of the step that comes next
 * @waited_ns: for how long the guest has shown no sign of life since @about, or since the
 *	last step, ns on the run clock
 * @over: no more is to be done about it
 */
struct kvmhb_sequence {
	enum kvmhb_state about;
	unsigned int next;
	u64 waited_ns;
	bool over;
};

const char *kvmhb_step_word(enum kvmhb_step step);
const char *kvmhb_result_word(enum kvmhb_result result);
int kvmhb_plan_parse(struct kvmhb_plan *plan, const char *words);
void kvmhb_plan_print(const struct kvmhb_plan *plan, char *buf);
void kvmhb_policy_init(struct kvmhb_policy *policy);
const struct kvmhb_plan *kvmhb_policy_plan(const struct kvmhb_policy *policy,
					   const struct kvmhb_verdict *verdict);
bool kvmhb_can_run(const struct kvmhb_verdict *verdict);
enum kvmhb_state kvmhb_sequence_about(const struct kvmhb_verdict *verdict);
u64 kvmhb_sequence_due_in_ns(const struct kvmhb_sequence *sequence,
			     const struct kvmhb_policy *policy, const struct kvmhb_plan *plan);
void kvmhb_sequence_go_on(struct kvmhb_sequence *sequence, const struct kvmhb_verdict *verdict);
bool kvmhb_budget_is_spent(const struct kvmhb_budget *budget, const struct kvmhb_policy *policy,
			   u64 now_ns);
void kvmhb_budget_spend(struct kvmhb_budget *budget, u64 now_ns);

#endif /* KVMHB_REACTION_H */
