// SPDX-License-Identifier: GPL-2.0
/* Keeps what is known in step with what is: by the trace, by sysfs, and in the file. */
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

static void on_event(const struct hb_event *event, void *context)
{
	struct hb_daemon *daemon = context;

	if (event->lost && !daemon->lost) {
		daemon->lost = true;
		hb_journal(HB_MESSAGE_MISSED, LOG_WARNING, NULL,
			   "transitions were lost: there were more than could be followed");
		hb_daemon_save_soon(daemon);
	}
	if (event->clock_ns < daemon->since_ns)
		return;
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

	daemon->lost = ret;
	if (ret) {
		/* Those that are known are not gone for that. It is tried again. */
		fprintf(stderr, "heartbeatd: the monitors cannot be read: %s; see whether /sys is mounted, and whether memory or files are short\n",
			strerror(-ret));
		hb_fleet_free(&fleet);
		hb_daemon_save_soon(daemon);
		return;
	}
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
 * hb_daemon_drain - tell all that has happened
 * @daemon: all of it
 *
 * If the trace cannot be read any more, the daemon ends. A service then begins anew.
 */
void hb_daemon_drain(struct hb_daemon *daemon)
{
	int ret;

	if (!daemon->follow)
		return;
	ret = hb_follow_read(daemon->follow, on_event, daemon);
	if (!ret)
		return;
	fprintf(stderr, "heartbeatd: trace events cannot be read any more: %s; see whether /sys/kernel/tracing works\n",
		strerror(-ret));
	sd_event_exit(daemon->event, 1);
}

/**
 * hb_daemon_look - tell all that has happened, also what the trace has lost
 * @daemon: all of it
 *
 * VMs may be forgotten by it: not for a function that has one.
 */
void hb_daemon_look(struct hb_daemon *daemon)
{
	hb_daemon_drain(daemon);
	if (daemon->lost)
		hb_daemon_catch_up(daemon);
}

/**
 * hb_daemon_save - save what is known
 * @daemon: all of it
 *
 * First the counters are read, and then the trace: what they count is told before it is saved as
 * known. So a daemon that dies at any moment tells a transition twice at worst.
 */
void hb_daemon_save(struct hb_daemon *daemon)
{
	struct hb_reading reading;
	int ret;

	for (size_t i = 0; i < daemon->vms.nr; i++) {
		struct hb_vm *vm = daemon->vms.all[i];

		if (!vm->touched)
			continue;
		vm->touched = false;
		if (hb_vm_read(vm, HB_SET_COUNTERS, &reading))
			continue;
		for (int j = 0; j < HB_NR_COUNTERS; j++)
			vm->counters[j] = hb_number(&reading, hb_counters[j].file);
	}
	hb_daemon_drain(daemon);
	status(daemon);
	if (!daemon->state_file)
		return;
	ret = hb_saved_write(daemon->state_file, &daemon->vms);
	if (ret)
		fprintf(stderr, "heartbeatd: %s cannot be written: %s; a restart will tell too much\n",
			daemon->state_file, strerror(-ret));
}

static int on_save(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	hb_daemon_look(data);
	hb_daemon_save(data);
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
		sd_event_add_time_relative(daemon->event, &daemon->save_source, CLOCK_MONOTONIC,
					   SAVE_US, 0, on_save, daemon);
		return;
	}
	sd_event_source_set_time_relative(daemon->save_source, SAVE_US);
	sd_event_source_set_enabled(daemon->save_source, SD_EVENT_ONESHOT);
}
