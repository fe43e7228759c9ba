// SPDX-License-Identifier: GPL-2.0
/* What no single line of the configuration says: whether a policy is whole. */
#include <stdarg.h>
#include <stdio.h>

#include "config.h"

/* A policy that names a state or a cause about which nothing may be done was not meant so. */
static bool all_may_act(const struct hb_policy *policy, const char **state, const char **cause)
{
	const struct hb_list *states = &policy->states, *causes = &policy->causes;

	/* One of the defaults stands for all of them: they may. */
	for (size_t i = 0; i < (states->nr ?: 1); i++) {
		for (size_t j = 0; j < (causes->nr ?: 1); j++) {
			*state = states->nr ? states->all[i] : "unresponsive";
			*cause = causes->nr ? causes->all[j] : "none";
			if (!hb_policy_may_act(*state, *cause))
				return false;
		}
	}
	return true;
}

static const char *what_lacks(const struct hb_policy *policy, enum hb_step step)
{
	if (step == HB_STEP_DUMP && !policy->dump)
		return "dump";
	if (step == HB_STEP_HOOK && !policy->hook.nr)
		return "hook";
	if (step == HB_STEP_MASAKARI && !policy->masakari)
		return "masakari";
	return NULL;
}

static __attribute__((format(printf, 3, 4)))
int lament(const char *file, const struct hb_policy *policy, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: policy '%s': ", file, policy->line, policy->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

static int check_policy(const char *file, const struct hb_policy *policy)
{
	const char *state, *cause, *lacks;
	int errors = 0;
	bool acts = false;

	for (size_t i = 0; i < policy->nr_steps; i++) {
		acts |= hb_steps[policy->steps[i]].acts;
		lacks = what_lacks(policy, policy->steps[i]);
		if (lacks)
			errors += lament(file, policy, "the step %s needs the key '%s': give it",
					 hb_steps[policy->steps[i]].word, lacks);
	}
	if (!policy->nr_steps)
		errors += lament(file, policy, "it has no steps: give the key 'steps'");
	if (policy->hook.nr && *policy->hook.all[0] != '/')
		errors += lament(file, policy, "the hook '%s' is no absolute path: let it begin with /",
				 policy->hook.all[0]);
	if (acts && !all_may_act(policy, &state, &cause))
		errors += lament(file, policy, "a guest that is %s (%s) may only be logged: give it a policy of its own",
				 state, cause);
	return errors;
}

/**
 * hb_config_check - check what no single line says, and print the mistakes
 * @file: what to call it
 * @policies: all of them
 * @from: number of the first one to check
 *
 * Return: how many mistakes there are.
 */
int hb_config_check(const char *file, const struct hb_policies *policies, size_t from)
{
	int errors = 0;

	for (size_t i = from; i < policies->nr; i++)
		errors += check_policy(file, &policies->all[i]);
	return errors;
}
