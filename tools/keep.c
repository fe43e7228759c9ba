// SPDX-License-Identifier: GPL-2.0
/* Keeps what is known in step with what is: by the trace, by sysfs, and in the file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "daemon.h"
#include "fleet.h"
#include "saved.h"
#include "units.h"
#include "vmms.h"

#define SAVE_US		UINT64_C(1000000)
#define CATCH_UP_NS	UINT64_C(1000000000)	/* in a flood, events are lost all the time */

static void on_event(const struct hb_event *event, void *context)
{
	struct hb_daemon *daemon = context;

	/* What was lost before it, too. */
	if (event->clock_ns < daemon->since_ns)
		return;
	if (event->lost)
		daemon->behind = true;
	if (event->lost && !daemon->lost) {
		daemon->lost = true;
		hb_journal(HB_MESSAGE_MISSED, LOG_WARNING, NULL,
			   "transitions were lost: there were more than could be followed");
	}
	hb_tell_event(daemon, event);
	hb_daemon_save_soon(daemon);
}

static void status(struct hb_daemon *daemon)
{
	size_t dead = 0;

	for (size_t i = 0; i < daemon->vms.nr; i++)
		dead += hb_policy_may_act(daemon->vms.all[i]->state, "none");
	sd_notifyf(0, "STATUS=%s%zu monitors, %zu unresponsive or panicked, %u steps run",
		   daemon->follow ? "" : "kvm_heartbeat is not loaded; ", daemon->vms.nr, dead,
		   daemon->jobs);
}

/* Those that are not known. A child asks for all of them, as a VMM may be slow to answer. */
static void find_names(const struct hb_daemon *daemon, struct hb_fleet *fleet)
{
	size_t nr = fleet->monitors.nr;
	uint64_t *pids = nr ? calloc(nr, sizeof(*pids)) : NULL;
	const struct hb_vm *vm;

	if (!pids)
		return;
	for (size_t i = 0; i < nr; i++) {
		uint64_t pid = hb_number(&fleet->readings[i], HB_FILE_VMM_PID);

		vm = hb_vms_find(&daemon->vms, fleet->monitors.all[i].uuid);
		if (!vm || !*vm->name || !hb_vm_is_of(vm, pid))
			pids[i] = pid;
	}
	hb_names_of_vmms(pids, nr, fleet->names);
	free(pids);
}

static void see_vm(struct hb_daemon *daemon, const struct hb_fleet *fleet, size_t which)
{
	const char *uuid = fleet->monitors.all[which].uuid;
	struct hb_vm *vm = hb_vms_find(&daemon->vms, uuid) ?: hb_vms_add(&daemon->vms, uuid);

	if (!vm)
		return;
	vm->found = true;
	hb_tell_missed(vm, &fleet->readings[which], fleet->names[which]);
	hb_steps_see(daemon, vm);
}

/**
 * hb_daemon_catch_up - compare what is known with what is, and tell the difference
 * @daemon: all of it
 */
void hb_daemon_catch_up(struct hb_daemon *daemon)
{
	uint64_t now_ns = hb_clock_ns();
	struct hb_fleet fleet;
	int ret = hb_fleet_read(&fleet, HB_SET_VM | HB_SET_COUNTERS);

	daemon->behind = ret;
	if (ret) {
		/* Those that are known are not gone for that. It is tried again. */
		fprintf(stderr, "heartbeatd: the monitors cannot be read: %s; see whether /sys is mounted, and whether memory or files are short\n",
			strerror(-ret));
		hb_fleet_free(&fleet);
		hb_daemon_save_soon(daemon);
		return;
	}
	daemon->lost = false;
	daemon->since_ns = now_ns;
	find_names(daemon, &fleet);
	for (size_t i = 0; i < daemon->vms.nr; i++)
		daemon->vms.all[i]->found = false;
	for (size_t i = 0; i < fleet.monitors.nr; i++)
		see_vm(daemon, &fleet, i);
	for (size_t i = daemon->vms.nr; i--;) {
		if (!daemon->vms.all[i]->found)
			hb_vms_drop(&daemon->vms, daemon->vms.all[i]);
	}
	hb_fleet_free(&fleet);
	hb_daemon_save_soon(daemon);
}

/**
 * hb_daemon_must - end it if it cannot be called when something is due
 * @daemon: all of it
 * @ret: what became of the attempt to be called
 *
 * What is due would never be done, and nobody would notice. A service begins anew.
 */
void hb_daemon_must(struct hb_daemon *daemon, int ret)
{
	/* ESTALE: it ends already. */
	if (ret >= 0 || ret == -ESTALE)
		return;
	fprintf(stderr, "heartbeatd: it cannot go on: %s; see whether memory or files are short\n",
		strerror(-ret));
	sd_event_exit(daemon->event, 1);
}

static int on_more(sd_event_source *source, void *data)
{
	(void)source;
	hb_daemon_look(data);
	return 0;
}

/* All else that is due has its turn before: of one priority, this one would always be the first. */
static void go_on_soon(struct hb_daemon *daemon)
{
	int ret;

	if (daemon->more_source) {
		sd_event_source_set_enabled(daemon->more_source, SD_EVENT_ONESHOT);
		return;
	}
	ret = sd_event_add_defer(daemon->event, &daemon->more_source, on_more, daemon);
	if (ret >= 0)
		sd_event_source_set_priority(daemon->more_source, SD_EVENT_PRIORITY_IDLE);
	hb_daemon_must(daemon, ret);
}

/**
 * hb_daemon_drain - tell what has happened
 * @daemon: all of it
 *
 * If too much has happened, the rest is told later, so that nobody waits for it. If the trace
 * cannot be read any more, the daemon ends. A service then begins anew.
 *
 * Return: whether all is told that had happened before.
 */
bool hb_daemon_drain(struct hb_daemon *daemon)
{
	int ret;

	if (!daemon->follow)
		return true;
	ret = hb_follow_read(daemon->follow, on_event, daemon);
	if (ret > 0)
		go_on_soon(daemon);
	if (ret >= 0)
		return ret < 2;
	fprintf(stderr, "heartbeatd: trace events cannot be read any more: %s; see whether /sys/kernel/tracing works\n",
		strerror(-ret));
	sd_event_exit(daemon->event, 1);
	return false;
}

/**
 * hb_daemon_look - tell what has happened, also what the trace has lost
 * @daemon: all of it
 *
 * What is lost soon after something else was is told when it is saved.
 *
 * VMs may be forgotten by it: not for a function that has one.
 */
void hb_daemon_look(struct hb_daemon *daemon)
{
	hb_daemon_drain(daemon);
	if (!daemon->behind)
		return;
	if (hb_clock_ns() - daemon->since_ns >= CATCH_UP_NS)
		hb_daemon_catch_up(daemon);
	else
		hb_daemon_save_soon(daemon);
}

/* Those that have changed since they were read last. */
static void read_counters(struct hb_vm *vm)
{
	struct hb_reading reading;

	vm->read = vm->touched && !hb_vm_read(vm, HB_SET_COUNTERS, &reading);
	vm->touched = false;
	for (int i = 0; vm->read && i < HB_NR_COUNTERS; i++)
		vm->now[i] = hb_number(&reading, hb_counters[i].file);
}

static void know_counters(struct hb_vm *vm, bool told)
{
	if (vm->read && told)
		memcpy(vm->counters, vm->now, sizeof(vm->counters));
	else if (vm->read)
		vm->touched = true;
	vm->read = false;
}

/**
 * hb_daemon_save - save what is known
 * @daemon: all of it
 * @about: the VM that a step is to be taken about, or NULL: what it is about was told
 *
 * First the counters are read, and then the trace: what they count is told before it is saved as
 * known. So a daemon that dies at any moment tells a transition twice at worst.
 *
 * Return: whether all is told that had happened.
 */
bool hb_daemon_save(struct hb_daemon *daemon, const struct hb_vm *about)
{
	bool told;
	int ret;

	for (size_t i = 0; i < daemon->vms.nr; i++)
		read_counters(daemon->vms.all[i]);
	told = hb_daemon_drain(daemon) && !daemon->behind;
	for (size_t i = 0; i < daemon->vms.nr; i++)
		know_counters(daemon->vms.all[i], told || daemon->vms.all[i] == about);
	status(daemon);
	if (!daemon->state_file)
		return told;
	ret = hb_saved_write(daemon->state_file, &daemon->vms);
	if (ret)
		fprintf(stderr, "heartbeatd: %s cannot be written: %s; a restart will tell too much\n",
			daemon->state_file, strerror(-ret));
	return told;
}

static int on_save(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	hb_daemon_look(data);
	hb_daemon_save(data, NULL);
	return 0;
}

/**
 * hb_daemon_save_soon - save within a second
 * @daemon: all of it
 */
void hb_daemon_save_soon(struct hb_daemon *daemon)
{
	int enabled = SD_EVENT_OFF;

	if (daemon->save_source)
		sd_event_source_get_enabled(daemon->save_source, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	if (!daemon->save_source) {
		hb_daemon_must(daemon, sd_event_add_time_relative(daemon->event,
								  &daemon->save_source,
								  CLOCK_MONOTONIC, SAVE_US, 0,
								  on_save, daemon));
		return;
	}
	sd_event_source_set_time_relative(daemon->save_source, SAVE_US);
	sd_event_source_set_enabled(daemon->save_source, SD_EVENT_ONESHOT);
}
