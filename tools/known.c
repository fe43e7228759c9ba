// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "vmms.h"

#define ROOM_MIN	16

/* Where a UUID is, or would be. */
static size_t place_of(const struct hb_known *known, const char *uuid)
{
	size_t from = 0, to = known->nr;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(known->vms[middle].monitor.uuid, uuid) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool is_there(const struct hb_monitor *monitor, uint64_t *pid)
{
	struct hb_reading reading;

	if (hb_monitor_read(monitor, HB_SET(VMM_PID), &reading))
		return false;
	*pid = hb_number(&reading, HB_FILE_VMM_PID);
	return true;
}

static void forget_gone(struct hb_known *known)
{
	size_t kept = 0;
	uint64_t pid;

	for (size_t i = 0; i < known->nr; i++) {
		if (is_there(&known->vms[i].monitor, &pid))
			known->vms[kept++] = known->vms[i];
	}
	known->nr = kept;
}

/* Those that are gone make room first: who comes and goes for months does not add up. */
static bool make_room(struct hb_known *known)
{
	size_t room = known->room ? 2 * known->room : ROOM_MIN;
	struct hb_known_vm *vms;

	if (known->nr < known->room)
		return true;
	forget_gone(known);
	if (known->room && known->nr <= known->room / 2)
		return true;
	vms = reallocarray(known->vms, room, sizeof(*vms));
	if (!vms)
		return false;
	known->vms = vms;
	known->room = room;
	return true;
}

static struct hb_known_vm *add(struct hb_known *known, const struct hb_monitor *monitor)
{
	struct hb_known_vm *vm;
	size_t at;

	if (!make_room(known))
		return NULL;
	at = place_of(known, monitor->uuid);
	vm = &known->vms[at];
	memmove(vm + 1, vm, (known->nr++ - at) * sizeof(*vm));
	*vm = (struct hb_known_vm){ .monitor = *monitor };
	return vm;
}

/**
 * hb_known_fill - know those that there are
 * @known: knows none yet
 * @fleet: all monitors, with %HB_SET(VMM_PID) and names
 */
void hb_known_fill(struct hb_known *known, const struct hb_fleet *fleet)
{
	for (size_t i = 0; i < fleet->monitors.nr; i++) {
		struct hb_known_vm *vm = add(known, &fleet->monitors.all[i]);

		if (!vm)
			return;
		vm->pid = hb_number(&fleet->readings[i], HB_FILE_VMM_PID);
		memcpy(vm->name, fleet->names[i], HB_NAME_LEN);
	}
}

/**
 * hb_known_name - what the VM is called that uses a monitor, or used it last
 * @known: the VMs; one that is new becomes known
 * @uuid: of the monitor
 *
 * Return: the name, empty if it has none.
 */
const char *hb_known_name(struct hb_known *known, const char *uuid)
{
	size_t at = place_of(known, uuid);
	bool is_known = at < known->nr && !strcmp(known->vms[at].monitor.uuid, uuid);
	struct hb_known_vm *vm = is_known ? &known->vms[at] : NULL;
	struct hb_monitor monitor;
	uint64_t pid;

	snprintf(monitor.uuid, sizeof(monitor.uuid), "%s", uuid);
	if (!is_there(&monitor, &pid))
		return vm ? vm->name : "";
	if (!vm)
		vm = add(known, &monitor);
	if (!vm)
		return "";
	if (pid && pid != vm->pid)
		hb_names_of_vmms(&pid, 1, &vm->name);
	vm->pid = pid;
	return vm->name;
}

/**
 * hb_known_free - forget all
 * @known: the VMs
 */
void hb_known_free(struct hb_known *known)
{
	free(known->vms);
	*known = (struct hb_known){ 0 };
}
