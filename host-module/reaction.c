// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "reaction.h"
#include "timing.h"

/* In the tables' order, which is that of the enums. */
#define WORD(name, word) word,
static const char * const step_words[] = { KVMHB_STEPS(WORD) };
static const char * const result_words[] = { KVMHB_RESULTS(WORD) };
#undef WORD

/**
 * kvmhb_step_word - the word for a step
 * @step: below %KVMHB_NR_STEPS
 *
 * Return: a static string of %KVMHB_REACTION_WORD_SIZE bytes at the most.
 */
const char *kvmhb_step_word(enum kvmhb_step step)
{
	return step_words[step];
}

/**
 * kvmhb_result_word - the word for what came of a step
 * @result: below %KVMHB_NR_RESULTS
 *
 * Return: a static string of %KVMHB_REACTION_WORD_SIZE bytes at the most.
 */
const char *kvmhb_result_word(enum kvmhb_result result)
{
	return result_words[result];
}

static int plan_add(struct kvmhb_plan *plan, const char *word, size_t length)
{
	enum kvmhb_step step;
	unsigned int i;

	for (step = 0; step < KVMHB_NR_STEPS; step++)
		if (strlen(step_words[step]) == length && !strncmp(step_words[step], word, length))
			break;
	if (step == KVMHB_NR_STEPS)
		return -EINVAL;
	for (i = 0; i < plan->nr; i++)
		if (plan->steps[i] == step)
			return -EINVAL;
	/* There is room for all that are steps: none is not. */
	if (plan->nr == ARRAY_SIZE(plan->steps))
		return -EINVAL;
	plan->steps[plan->nr++] = step;
	return 0;
}

/**
 * kvmhb_plan_parse - read a list of steps
 * @plan: gets them; unchanged on error
 * @words: their words, in their order, divided by blanks or commas
 *
 * Return: 0; -EINVAL if there is no word, another one, one twice, or ``none`` beside others.
 */
int kvmhb_plan_parse(struct kvmhb_plan *plan, const char *words)
{
	static const char between[] = ", \t\n";
	struct kvmhb_plan new = {};
	int ret;

	for (words += strspn(words, between); *words; words += strspn(words, between)) {
		size_t length = strcspn(words, between);

		ret = plan_add(&new, words, length);
		if (ret)
			return ret;
		words += length;
	}
	if (!new.nr || (new.nr > 1 && memchr(new.steps, KVMHB_STEP_NONE, new.nr)))
		return -EINVAL;
	if (new.steps[0] == KVMHB_STEP_NONE)
		new.nr = 0;
	*plan = new;
	return 0;
}

/**
 * kvmhb_plan_print - write a list of steps, as kvmhb_plan_parse() reads it
 * @plan: the steps
 * @buf: where to, %KVMHB_PLAN_LEN bytes
 */
void kvmhb_plan_print(const struct kvmhb_plan *plan, char *buf)
{
	unsigned int i;
	int at = 0;

	if (!plan->nr)
		strscpy(buf, step_words[KVMHB_STEP_NONE], KVMHB_PLAN_LEN);
	for (i = 0; i < plan->nr; i++)
		at += scnprintf(buf + at, KVMHB_PLAN_LEN - at, "%s%s", i ? " " : "",
				step_words[plan->steps[i]]);
}

/**
 * kvmhb_policy_init - what is done if nobody asks for anything: nothing
 * @policy: what to initialise
 *
 * The limit is that of vSphere HA: three in an hour.
 */
void kvmhb_policy_init(struct kvmhb_policy *policy)
{
	*policy = (struct kvmhb_policy) {
		.delay_ns = 10 * NSEC_PER_SEC,
		.max = 3,
		.window_ns = 3600 * NSEC_PER_SEC,
	};
}

/**
 * kvmhb_policy_plan - what is to be done about a guest
 * @policy: what users want
 * @verdict: state and cause
 *
 * Nothing is done as long as nobody knows why it is silent, or while its crash kernel lives.
 *
 * Return: the steps, at least one, or NULL.
 */
const struct kvmhb_plan *kvmhb_policy_plan(const struct kvmhb_policy *policy,
					   const struct kvmhb_verdict *verdict)
{
	const struct kvmhb_plan *plan;

	if (verdict->state == KVMHB_UNRESPONSIVE && verdict->cause != KVMHB_CAUSE_UNKNOWN)
		plan = &policy->on_unresponsive;
	else if (verdict->state == KVMHB_PANICKED && verdict->cause != KVMHB_CAUSE_DUMPING)
		plan = &policy->on_panicked;
	else
		return NULL;
	return plan->nr ? plan : NULL;
}

/**
 * kvmhb_can_run - whether a guest that is dead may still execute something
 * @verdict: state and cause
 *
 * Return: false if its vCPUs cannot: then it needs no opportunity, and time is time.
 */
bool kvmhb_can_run(const struct kvmhb_verdict *verdict)
{
	return verdict->cause != KVMHB_CAUSE_KVM_ERROR &&
	       verdict->cause != KVMHB_CAUSE_TRIPLE_FAULT;
}

/**
 * kvmhb_sequence_about - which state steps are taken about
 * @verdict: state and cause
 *
 * Return: the state; that of a guest which lives, while its crash kernel does.
 */
enum kvmhb_state kvmhb_sequence_about(const struct kvmhb_verdict *verdict)
{
	return verdict->cause == KVMHB_CAUSE_DUMPING ? KVMHB_ALIVE : verdict->state;
}

/**
 * kvmhb_sequence_due_in_ns - when the next step is due
 * @sequence: how far they are
 * @policy: what users want
 * @plan: the steps
 *
 * A guest is unresponsive after a timeout, so the first step need not wait. One that has
 * panicked may be about to start its crash kernel.
 *
 * Return: ns on the run clock from now, 0 if it is, %KVMHB_NO_DEADLINE if there is none.
 */
u64 kvmhb_sequence_due_in_ns(const struct kvmhb_sequence *sequence,
			     const struct kvmhb_policy *policy, const struct kvmhb_plan *plan)
{
	if (sequence->over || sequence->next >= plan->nr)
		return KVMHB_NO_DEADLINE;
	if (!sequence->next && sequence->about == KVMHB_UNRESPONSIVE)
		return 0;
	return kvmhb_minus(policy->delay_ns, sequence->waited_ns);
}

/**
 * kvmhb_sequence_go_on - a guest's verdict has changed
 * @sequence: how far the steps are; begin anew with another state
 * @verdict: state and cause since
 */
void kvmhb_sequence_go_on(struct kvmhb_sequence *sequence, const struct kvmhb_verdict *verdict)
{
	enum kvmhb_state about = kvmhb_sequence_about(verdict);

	if (sequence->about != about)
		*sequence = (struct kvmhb_sequence) { .about = about };
}

/**
 * kvmhb_budget_is_spent - whether no more steps may be taken
 * @budget: those that were
 * @policy: what users want
 * @now_ns: the time, ns of CLOCK_MONOTONIC
 *
 * Return: true if as many as may be were taken within the window that ends now.
 */
bool kvmhb_budget_is_spent(const struct kvmhb_budget *budget, const struct kvmhb_policy *policy,
			   u64 now_ns)
{
	if (budget->nr < policy->max)
		return false;
	return now_ns - budget->at_ns[(budget->nr - policy->max) % KVMHB_ACTIONS_MAX] <
	       policy->window_ns;
}

/**
 * kvmhb_budget_spend - a step is taken
 * @budget: those that were so far
 * @now_ns: the time, ns of CLOCK_MONOTONIC
 */
void kvmhb_budget_spend(struct kvmhb_budget *budget, u64 now_ns)
{
	budget->at_ns[budget->nr++ % KVMHB_ACTIONS_MAX] = now_ns;
}
