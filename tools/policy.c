// SPDX-License-Identifier: GPL-2.0
/*
 * A course of steps begins with the transition to a state and cause that a policy names, goes on
 * while the policy is the same, and ends with any state that is none of an outage. Only "log" is
 * ever due about a guest that is not dead for certain.
 */
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "monitors.h"
#include "policy.h"

/* How soon to look whether a mute is over: nothing tells it. */
#define MUTE_LOOK_NS	UINT64_C(10000000000)

#define INFO(name, word, acts)	{ word, acts },
const struct hb_step_info hb_steps[HB_NR_STEPS] = { HB_STEPS(INFO) };
#undef INFO

static bool is(const char *word, const char *other)
{
	return !strcmp(word, other);
}

/**
 * hb_step_by_word - find a step
 * @word: what people call it
 *
 * Return: the step, or -1.
 */
int hb_step_by_word(const char *word)
{
	for (int step = 0; step < HB_NR_STEPS; step++) {
		if (is(hb_steps[step].word, word))
			return step;
	}
	return -1;
}

static bool is_outage(const char *state)
{
	return is(state, "unresponsive") || is(state, "panicked");
}

/* The kernel does not know yet, or the guest's crash kernel is at work. */
static bool is_open(const char *cause)
{
	return is(cause, "unknown") || is(cause, "dumping");
}

/**
 * hb_policy_may_act - whether anything but "log" may ever be done
 * @state: word of the state
 * @cause: word of the cause
 *
 * Return: false for all that is innocent, uncertain, or busy writing its dump.
 */
bool hb_policy_may_act(const char *state, const char *cause)
{
	return is_outage(state) && !is_open(cause);
}

static bool has(const struct hb_list *list, const char *word)
{
	for (size_t i = 0; i < list->nr; i++) {
		if (is(list->all[i], word))
			return true;
	}
	return false;
}

/* A whole UUID is never compared with a name: no VM passes for another by its name. */
static bool matches_vm(const char *pattern, const struct hb_view *view)
{
	if (strlen(pattern) == HB_UUID_LEN && !strpbrk(pattern, "*?["))
		return !strcasecmp(pattern, view->uuid);
	return !fnmatch(pattern, view->uuid, 0) ||
	       (*view->name && !fnmatch(pattern, view->name, 0));
}

static bool matches_any_vm(const struct hb_list *vms, const struct hb_view *view)
{
	for (size_t i = 0; i < vms->nr; i++) {
		if (matches_vm(vms->all[i], view))
			return true;
	}
	return !vms->nr;
}

static bool matches(const struct hb_policy *policy, const struct hb_view *view)
{
	if (policy->states.nr ? !has(&policy->states, view->state) : !is_outage(view->state))
		return false;
	if (policy->causes.nr ? !has(&policy->causes, view->cause) : is_open(view->cause))
		return false;
	return matches_any_vm(&policy->vms, view);
}

/**
 * hb_policy_find - the policy for a VM as it is now
 * @policies: all of them; the first that matches counts
 * @view: the VM
 *
 * Return: the policy, or NULL.
 */
const struct hb_policy *hb_policy_find(const struct hb_policies *policies,
				       const struct hb_view *view)
{
	for (size_t i = 0; i < policies->nr; i++) {
		if (matches(&policies->all[i], view))
			return &policies->all[i];
	}
	return NULL;
}

static bool is_finished(const struct hb_course *course)
{
	return course->next >= course->policy->nr_steps;
}

static void schedule(struct hb_course *course, uint64_t now_ns)
{
	if (course->running || course->held || is_finished(course))
		course->due_ns = HB_NEVER;
	else if (__builtin_add_overflow(now_ns, course->policy->delay_ns, &course->due_ns))
		course->due_ns = HB_NEVER;
}

/**
 * hb_course_end - nothing more is to be done about this outage
 * @course: of the VM
 *
 * A step that runs is not ended by it.
 */
void hb_course_end(struct hb_course *course)
{
	course->policy = NULL;
	course->next = 0;
	course->due_ns = HB_NEVER;
	course->held = false;
	course->muted = false;
}

/* What holds a guest that is dead already: it is still dead, and will be when it is let go. */
static bool is_hold(const struct hb_view *view)
{
	return is(view->state, "paused") || (is_outage(view->state) && is_open(view->cause));
}

/**
 * hb_course_see - take note of the state and cause of a VM
 * @course: of the VM
 * @policies: all of them
 * @view: the VM
 * @now_ns: the time
 */
void hb_course_see(struct hb_course *course, const struct hb_policies *policies,
		   const struct hb_view *view, uint64_t now_ns)
{
	const struct hb_policy *policy = hb_policy_find(policies, view);

	if (policy && policy == course->policy) {
		if (course->held) {
			course->held = false;
			schedule(course, now_ns);
		}
		return;
	}
	if (!policy && course->policy && is_hold(view)) {
		course->held = true;
		course->due_ns = HB_NEVER;
		return;
	}
	hb_course_end(course);
	if (!policy)
		return;
	course->policy = policy;
	schedule(course, now_ns);
}

static size_t count_recent(const struct hb_course *course, uint64_t now_ns)
{
	size_t nr = 0;

	for (size_t i = 0; i < course->nr_taken; i++)
		nr += now_ns - course->taken[i] < course->policy->window_ns;
	return nr;
}

static void remember(struct hb_course *course, uint64_t now_ns)
{
	if (course->nr_taken == HB_ACTIONS_MAX)
		memmove(course->taken, course->taken + 1,
			--course->nr_taken * sizeof(*course->taken));
	course->taken[course->nr_taken++] = now_ns;
}

/* Once a mute is over, the delay begins: all is as if the VM had fallen silent just now. */
static bool wait_for_mute(struct hb_course *course, const struct hb_view *view, uint64_t now_ns)
{
	if (view->muted) {
		course->muted = true;
		course->due_ns = now_ns + MUTE_LOOK_NS;
		return true;
	}
	if (!course->muted)
		return false;
	course->muted = false;
	schedule(course, now_ns);
	return true;
}

/**
 * hb_course_turn - what is to be done now
 * @course: of the VM
 * @policies: all of them
 * @view: the VM, read a moment ago
 * @now_ns: the time
 * @step: the step
 *
 * A step counts as taken from here on. hb_course_done() says when it has ended.
 *
 * Return: whether there is a step to take, or a limit to tell.
 */
enum hb_turn hb_course_turn(struct hb_course *course, const struct hb_policies *policies,
			    const struct hb_view *view, uint64_t now_ns, enum hb_step *step)
{
	hb_course_see(course, policies, view, now_ns);
	if (!course->policy || now_ns < course->due_ns || course->due_ns == HB_NEVER ||
	    wait_for_mute(course, view, now_ns))
		return HB_TURN_NOTHING;

	*step = course->policy->steps[course->next];
	if (hb_steps[*step].acts) {
		if (!hb_policy_may_act(view->state, view->cause))
			return HB_TURN_NOTHING;
		if (count_recent(course, now_ns) >= course->policy->actions_max) {
			bool told = course->limited;

			course->limited = true;
			course->next = course->policy->nr_steps;
			course->due_ns = HB_NEVER;
			return told ? HB_TURN_NOTHING : HB_TURN_LIMITED;
		}
		course->limited = false;
		remember(course, now_ns);
	}
	course->next++;
	course->running = true;
	course->due_ns = HB_NEVER;
	return HB_TURN_STEP;
}

/**
 * hb_course_done - the step that was taken has ended
 * @course: of the VM
 * @now_ns: the time
 */
void hb_course_done(struct hb_course *course, uint64_t now_ns)
{
	course->running = false;
	if (course->policy)
		schedule(course, now_ns);
}
