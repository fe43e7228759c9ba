// SPDX-License-Identifier: GPL-2.0
/* Takes steps that are due: looks once more, begins each in a child, tells what became of it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act.h"
#include "daemon.h"
#include "units.h"

#define JOBS_MAX	16	/* at a time: many guests may fall silent together */
#define SLACK_US	1000

struct running {
	struct hb_daemon *daemon;
	struct hb_vm *vm;
	const struct hb_policy *policy;
	enum hb_step step;
	pid_t child;
	int why_fd;
	bool timed_out;
	sd_event_source *end;
	sd_event_source *deadline;
};

static void arm(struct hb_daemon *daemon, struct hb_vm *vm);

static struct hb_about about_step(const struct hb_vm *vm, const struct hb_policy *policy,
				  enum hb_step step, const char *result)
{
	struct hb_about about = hb_about_vm(vm);

	about.policy = policy->name;
	about.step = hb_steps[step].word;
	about.result = result;
	return about;
}

static void tell_end(const struct running *running, int status, const char *why)
{
	const char *result = running->timed_out ? "timeout" : status ? "failed" : "done";
	struct hb_about about = about_step(running->vm, running->policy, running->step, result);
	char text[32] = "";

	if (running->timed_out)
		why = "it took too long, and was killed";
	else if (!*why && WIFEXITED(status) && status)
		snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(status));
	else if (!*why && WIFSIGNALED(status))
		snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
	if (!*why)
		why = text;
	hb_journal(HB_MESSAGE_STEP, status ? LOG_ERR : LOG_WARNING, &about,
		   "%s: step %s of policy '%s': %s%s%s", hb_vm_called(running->vm), about.step,
		   about.policy, result, *why ? ": " : "", why);
}

static void wake_waiting(struct hb_daemon *daemon)
{
	for (size_t i = 0; i < daemon->vms.nr && daemon->jobs < JOBS_MAX; i++) {
		if (!daemon->vms.all[i]->waits)
			continue;
		daemon->vms.all[i]->waits = false;
		arm(daemon, daemon->vms.all[i]);
	}
}

/* A monitor that was removed while the step ran. */
static void drop_gone(struct hb_daemon *daemon, struct hb_vm *vm)
{
	struct hb_reading reading;

	if (hb_vm_read(vm, HB_SET(STATE), &reading) == -ENODEV)
		hb_vms_drop(&daemon->vms, vm);
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *data)
{
	struct running *running = data;
	struct hb_daemon *daemon = running->daemon;
	struct hb_vm *vm = running->vm;
	char why[HB_WHY_LEN] = "";
	ssize_t len;
	int status;

	(void)source;
	len = read(running->why_fd, why, sizeof(why) - 1);
	if (len < 0)
		len = 0;
	why[len] = '\0';
	hb_name_clean(why);
	status = info->si_code == CLD_EXITED ? W_EXITCODE(info->si_status, 0) : info->si_status;
	tell_end(running, status, why);
	close(running->why_fd);
	sd_event_source_disable_unref(running->end);
	sd_event_source_disable_unref(running->deadline);
	free(running);

	daemon->jobs--;
	hb_course_done(&vm->course, hb_clock_ns());
	arm(daemon, vm);
	drop_gone(daemon, vm);
	hb_daemon_save_soon(daemon);
	wake_waiting(daemon);
	return 0;
}

/* Those that it has started, too. */
static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	struct running *running = data;

	(void)source;
	(void)usec;
	running->timed_out = true;
	kill(-running->child, SIGKILL);
	return 0;
}

static bool watch_child(struct running *running, uint64_t timeout_ns)
{
	sd_event *event = running->daemon->event;

	return sd_event_add_child(event, &running->end, running->child, WEXITED, on_end,
				  running) >= 0 &&
	       sd_event_add_time_relative(event, &running->deadline, CLOCK_MONOTONIC,
					  timeout_ns / 1000, SLACK_US, on_deadline, running) >= 0;
}

/* Whether it runs now. What cannot even begin has failed. */
static bool begin(struct hb_daemon *daemon, struct hb_vm *vm, enum hb_step step)
{
	struct hb_job job = {
		.policy = vm->course.policy,
		.step = step,
		.uuid = vm->uuid,
		.name = vm->name,
		.state = vm->state,
		.old = vm->old,
		.cause = vm->cause,
		.vmm_pid = vm->vmm_pid,
	};
	struct running *running = calloc(1, sizeof(*running));

	if (!running)
		return false;
	*running = (struct running){
		.daemon = daemon, .vm = vm, .policy = job.policy, .step = step,
	};
	running->child = hb_act_start(&job, &running->why_fd);
	if (running->child > 0 && watch_child(running, hb_act_timeout_ns(&job))) {
		daemon->jobs++;
		return true;
	}
	sd_event_source_disable_unref(running->end);
	if (running->child > 0) {
		kill(-running->child, SIGKILL);
		waitpid(running->child, NULL, 0);
		close(running->why_fd);
	}
	free(running);
	return false;
}

static void tell_no_begin(const struct hb_vm *vm, const struct hb_policy *policy, enum hb_step step)
{
	struct hb_about about = about_step(vm, policy, step, "failed");

	hb_journal(HB_MESSAGE_STEP, LOG_ERR, &about,
		   "%s: step %s of policy '%s' cannot begin: see whether memory is short",
		   hb_vm_called(vm), about.step, policy->name);
}

/* As it is at this moment: a VM that has come back is let alone. */
static bool look(struct hb_vm *vm, struct hb_reading *reading, struct hb_view *view)
{
	if (hb_vm_read(vm, HB_SET_VM, reading) ||
	    !hb_vm_is_of(vm, hb_number(reading, HB_FILE_VMM_PID)))
		return false;
	*view = (struct hb_view){
		.uuid = vm->uuid,
		.name = vm->name,
		.state = hb_text(reading, HB_FILE_STATE),
		.cause = hb_text(reading, HB_FILE_CAUSE),
		.muted = hb_number(reading, HB_FILE_MUTE),
	};
	return true;
}

/* In a flood of others' words, what has become of this one may not have been heard yet. */
static bool is_dead(struct hb_vm *vm)
{
	struct hb_reading reading;
	struct hb_view view;

	return look(vm, &reading, &view) && hb_policy_may_act(view.state, view.cause);
}

/*
 * A step that was begun counts, whatever becomes of the daemon: so it is saved before. To save is
 * to hear what has happened meanwhile: the guest may have come back, or is held.
 */
static bool save_and_begin(struct hb_daemon *daemon, struct hb_vm *vm, enum hb_step step)
{
	const struct hb_policy *policy = vm->course.policy;
	size_t next = vm->course.next;
	bool told = hb_daemon_save(daemon, vm);

	if (vm->course.policy != policy || vm->course.next != next)
		return false;
	if (vm->course.held || (!told && !is_dead(vm))) {
		vm->course.next--;
		return false;
	}
	if (begin(daemon, vm, step))
		return true;
	tell_no_begin(vm, policy, step);
	return false;
}

static void take_step(struct hb_daemon *daemon, struct hb_vm *vm, enum hb_step step)
{
	const struct hb_policy *policy = vm->course.policy;
	struct hb_about about = about_step(vm, policy, step, NULL);

	if (step == HB_STEP_LOG) {
		about.result = "done";
		hb_journal(HB_MESSAGE_STEP, LOG_ERR, &about, "%s is %s (%s): policy '%s'",
			   hb_vm_called(vm), vm->state, vm->cause, policy->name);
	} else if (daemon->dry) {
		hb_journal(HB_MESSAGE_STEP, LOG_WARNING, &about,
			   "%s is %s (%s): would begin step %s of policy '%s'", hb_vm_called(vm),
			   vm->state, vm->cause, about.step, policy->name);
	} else if (save_and_begin(daemon, vm, step)) {
		return;
	}
	hb_course_done(&vm->course, hb_clock_ns());
}

static void tell_limit(const struct hb_vm *vm, enum hb_step step)
{
	const struct hb_policy *policy = vm->course.policy;
	struct hb_about about = about_step(vm, policy, step, "limited");
	char window[HB_TIME_LEN];

	hb_journal(HB_MESSAGE_LIMIT, LOG_ERR, &about,
		   "%s: step %s of policy '%s' is not taken: there were %llu in %s",
		   hb_vm_called(vm), about.step, policy->name,
		   (unsigned long long)policy->actions_max,
		   hb_format_time(window, policy->window_ns));
}

static void turn(struct hb_daemon *daemon, struct hb_vm *vm)
{
	struct hb_reading reading;
	struct hb_view view;
	enum hb_step step;

	if (!look(vm, &reading, &view)) {
		hb_course_end(&vm->course);
		return;
	}
	switch (hb_course_turn(&vm->course, &daemon->policies, &view, hb_clock_ns(), &step)) {
	case HB_TURN_STEP:
		take_step(daemon, vm, step);
		break;
	case HB_TURN_LIMITED:
		tell_limit(vm, step);
		break;
	case HB_TURN_NOTHING:
		break;
	}
}

static int on_due(sd_event_source *source, uint64_t usec, void *data)
{
	struct hb_vm *vm = data;

	(void)source;
	(void)usec;
	if (vm->daemon->jobs >= JOBS_MAX) {
		vm->waits = true;
		return 0;
	}
	hb_daemon_drain(vm->daemon);
	turn(vm->daemon, vm);
	arm(vm->daemon, vm);
	return 0;
}

/* Have on_due() called when something is due. */
static void arm(struct hb_daemon *daemon, struct hb_vm *vm)
{
	uint64_t due_ns = vm->course.due_ns;

	vm->daemon = daemon;
	if (due_ns == HB_NEVER) {
		if (vm->timer)
			sd_event_source_set_enabled(vm->timer, SD_EVENT_OFF);
		return;
	}
	if (!vm->timer) {
		hb_daemon_must(daemon, sd_event_add_time(daemon->event, &vm->timer, CLOCK_MONOTONIC,
							 0, SLACK_US, on_due, vm));
		if (!vm->timer)
			return;
	}
	/* Rounded up: it must not be called before its time. */
	sd_event_source_set_time(vm->timer, due_ns / 1000 + 1);
	sd_event_source_set_enabled(vm->timer, SD_EVENT_ONESHOT);
}

/**
 * hb_steps_see - a VM has another state or cause
 * @daemon: all of it
 * @vm: the VM
 */
void hb_steps_see(struct hb_daemon *daemon, struct hb_vm *vm)
{
	struct hb_view view = {
		.uuid = vm->uuid,
		.name = vm->name,
		.state = vm->state,
		.cause = vm->cause,
	};

	hb_course_see(&vm->course, &daemon->policies, &view, hb_clock_ns());
	arm(daemon, vm);
}
