// SPDX-License-Identifier: GPL-2.0
/* Transitions and actions, as entries of the journal: those that were seen, and the others. */
#include <stdio.h>
#include <string.h>

#include "daemon.h"
#include "units.h"
#include "vmms.h"

static bool is(const char *word, const char *other)
{
	return !strcmp(word, other);
}

static bool is_outage(const char *state)
{
	return is(state, "unresponsive") || is(state, "panicked");
}

/* hb_vm_called - what to call a VM: its name, or the UUID of its monitor. */
const char *hb_vm_called(const struct hb_vm *vm)
{
	return *vm->name ? vm->name : vm->uuid;
}

/* hb_about_vm - what each entry about a VM has. */
struct hb_about hb_about_vm(const struct hb_vm *vm)
{
	return (struct hb_about){
		.uuid = vm->uuid,
		.vm = vm->name,
		.state = vm->state,
		.cause = vm->cause,
		.vmm_pid = vm->vmm_pid,
	};
}

static int priority_of(const char *old, const char *state, const char *cause)
{
	if (is_outage(state))
		return is(cause, "dumping") ? LOG_WARNING : LOG_ERR;
	if (is(state, "degraded") || (is(state, "late") && !is(cause, "none")) ||
	    (is(state, "detached") && is(cause, "vmm-gone")))
		return LOG_WARNING;
	return is(state, "late") || is(state, "paused") || is_outage(old) ? LOG_NOTICE : LOG_INFO;
}

static void set_state(struct hb_vm *vm, const char *old, const char *state, const char *cause)
{
	snprintf(vm->old, sizeof(vm->old), "%s", old);
	snprintf(vm->state, sizeof(vm->state), "%s", state);
	snprintf(vm->cause, sizeof(vm->cause), "%s", cause);
}

/* One that was kept back is in the trace and in the counters, and the next one says so. */
static void tell_transition(struct hb_vm *vm, const struct hb_event *event)
{
	struct hb_budget *budget = &vm->budgets[is_outage(event->old) || is_outage(event->new)];
	struct hb_about about = hb_about_vm(vm);
	char age[HB_TIME_LEN], last[64] = "";

	about.old = event->old;
	about.clock_ns = event->clock_ns;
	if (!hb_budget_take(budget, hb_clock_ns()))
		return;
	if (budget->kept_back) {
		hb_journal(HB_MESSAGE_MISSED, LOG_WARNING, &about,
			   "%s: %u transitions were not told: there were too many",
			   hb_vm_called(vm), budget->kept_back);
		budget->kept_back = 0;
	}
	if (event->last_beat_ns && is(event->new, "unresponsive"))
		snprintf(last, sizeof(last), ", last beat %s before",
			 hb_format_time(age, event->last_beat_ns));
	hb_journal(HB_MESSAGE_TRANSITION, priority_of(event->old, event->new, event->cause), &about,
		   "%s: %s -> %s (%s)%s", hb_vm_called(vm), event->old, event->new, event->cause,
		   last);
}

static void tell_action(struct hb_vm *vm, const struct hb_event *event)
{
	struct hb_about about = hb_about_vm(vm);

	about.cause = event->cause;
	about.step = event->step;
	about.result = event->result;
	about.clock_ns = event->clock_ns;
	hb_journal(HB_MESSAGE_ACTION, LOG_WARNING, &about, "%s: the kernel took the step %s (%s): %s",
		   hb_vm_called(vm), event->step, event->cause, event->result);
}

/* A VMM is asked for the name once: it may be slow to answer. */
static void meet_vmm(struct hb_vm *vm)
{
	char name[1][HB_NAME_LEN];
	struct hb_reading reading;
	uint64_t pid;

	if (hb_vm_read(vm, HB_SET(VMM_PID), &reading))
		return;
	pid = hb_number(&reading, HB_FILE_VMM_PID);
	if (!pid || hb_vm_is_of(vm, pid))
		return;
	hb_names_of_vmms(&pid, 1, name);
	hb_vm_meet_vmm(vm, pid, name[0]);
}

/**
 * hb_tell_event - tell what the trace said
 * @daemon: all of it
 * @event: the event
 */
void hb_tell_event(struct hb_daemon *daemon, const struct hb_event *event)
{
	struct hb_vm *vm = hb_vms_find(&daemon->vms, event->vm);

	if (!vm)
		vm = hb_vms_add(&daemon->vms, event->vm);
	if (!vm)
		return;
	meet_vmm(vm);
	vm->touched = true;
	if (is(event->name, "state")) {
		set_state(vm, event->old, event->new, event->cause);
		tell_transition(vm, event);
		hb_steps_see(daemon, vm);
	} else {
		tell_action(vm, event);
	}
}

/* How often it happened while nobody looked: of another VM all counts, of the same what is more. */
static uint64_t count_missed(const struct hb_vm *vm, const struct hb_reading *reading,
			     enum hb_counter counter, bool same)
{
	uint64_t now = hb_number(reading, hb_counters[counter].file), then = vm->counters[counter];

	/* The monitor's own, not the VM's; and one that was made anew begins anew. */
	if (counter == HB_COUNTER_ACTIONS)
		same = true;
	return same && now >= then ? now - then : now;
}

static void add_missed(char *text, size_t size, const struct hb_counter_info *counter,
		       uint64_t missed)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%llu %s", len ? ", " : "",
		 (unsigned long long)missed, missed == 1 ? counter->one : counter->many);
}

/* One that is well is nothing to be told of. */
static void tell_found(const struct hb_vm *vm)
{
	int priority = priority_of("", vm->state, vm->cause);
	struct hb_about about = hb_about_vm(vm);

	if (priority <= LOG_WARNING)
		hb_journal(HB_MESSAGE_MISSED, priority, &about, "%s: found to be %s (%s)",
			   hb_vm_called(vm), vm->state, vm->cause);
}

/**
 * hb_tell_missed - tell what is other than it was known, and know it
 * @vm: the VM as it was; of one without a state it is told if it is not well now
 * @reading: state, cause, VMM and counters, as they are now
 * @name: what the VMM calls it; empty if that is known, or it has none
 *
 * If there was another outage, its steps begin with the first.
 */
void hb_tell_missed(struct hb_vm *vm, const struct hb_reading *reading, const char *name)
{
	const char *state = hb_text(reading, HB_FILE_STATE);
	const char *cause = hb_text(reading, HB_FILE_CAUSE);
	uint64_t pid = hb_number(reading, HB_FILE_VMM_PID), missed;
	bool is_new = !*vm->state, same = !pid || hb_vm_is_of(vm, pid);
	char text[256] = "", old[HB_WORD_LEN], old_cause[HB_WORD_LEN];
	int priority = LOG_INFO;
	struct hb_about about;

	for (int i = 0; i < HB_NR_COUNTERS; i++) {
		missed = count_missed(vm, reading, i, same);
		if (!is_new && missed)
			add_missed(text, sizeof(text), &hb_counters[i], missed);
		if (missed && (i == HB_COUNTER_OUTAGES || i == HB_COUNTER_PANICS)) {
			hb_course_end(&vm->course);
			priority = LOG_WARNING;
		}
		vm->counters[i] = hb_number(reading, hb_counters[i].file);
	}
	vm->touched = false;
	snprintf(old, sizeof(old), "%s", is_new ? "detached" : vm->state);
	memcpy(old_cause, vm->cause, sizeof(old_cause));
	hb_vm_meet_vmm(vm, pid, name);
	set_state(vm, old, state, cause);
	if (is_new) {
		tell_found(vm);
		return;
	}
	if (!*text && same && is(old, state) && is(old_cause, cause))
		return;
	about = hb_about_vm(vm);
	about.old = old;
	if (priority > priority_of(old, state, cause))
		priority = priority_of(old, state, cause);
	hb_journal(HB_MESSAGE_MISSED, priority, &about,
		   "%s: missed %s%s: %s (%s) -> %s (%s)", hb_vm_called(vm),
		   same ? "" : "the start of another VMM and ", *text ? text : "a transition", old,
		   old_cause, state, cause);
}
