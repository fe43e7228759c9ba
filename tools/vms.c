// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "vms.h"

/* As the kernel limits its own lines (Documentation/tracing.rst). */
#define BUDGET		20
#define BUDGET_NS	UINT64_C(10000000000)

#define INFO(name, file, one, many)	{ file, HB_FILE_##name, one, many },
const struct hb_counter_info hb_counters[HB_NR_COUNTERS] = { HB_COUNTERS(INFO) };
#undef INFO

/* Where it is, or where it would be: they are in the order of their UUIDs. */
static size_t place_of(const struct hb_vms *vms, const char *uuid)
{
	size_t low = 0, high = vms->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(vms->all[middle]->uuid, uuid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * hb_vms_find - find a VM
 * @vms: all of them
 * @uuid: of its monitor
 *
 * Return: the VM, or NULL.
 */
struct hb_vm *hb_vms_find(const struct hb_vms *vms, const char *uuid)
{
	size_t place = place_of(vms, uuid);

	return place < vms->nr && !strcmp(vms->all[place]->uuid, uuid) ? vms->all[place] : NULL;
}

/**
 * hb_vms_add - add a VM that is not there yet
 * @vms: all of them
 * @uuid: of its monitor
 *
 * Return: the VM, of which nothing is known, or NULL.
 */
struct hb_vm *hb_vms_add(struct hb_vms *vms, const char *uuid)
{
	size_t place = place_of(vms, uuid);
	struct hb_vm *vm, **all;

	if (strlen(uuid) != HB_UUID_LEN)
		return NULL;
	all = reallocarray(vms->all, vms->nr + 1, sizeof(*all));
	if (!all)
		return NULL;
	vms->all = all;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return NULL;
	memcpy(vm->uuid, uuid, HB_UUID_LEN + 1);
	vm->course.due_ns = HB_NEVER;
	memmove(all + place + 1, all + place, (vms->nr++ - place) * sizeof(*all));
	all[place] = vm;
	return vm;
}

static void free_vm(struct hb_vm *vm)
{
	sd_event_source_disable_unref(vm->timer);
	free(vm);
}

/**
 * hb_vms_drop - forget a VM, unless a step about it runs
 * @vms: all of them
 * @vm: the VM
 */
void hb_vms_drop(struct hb_vms *vms, struct hb_vm *vm)
{
	size_t place = place_of(vms, vm->uuid);

	hb_course_end(&vm->course);
	if (vm->course.running)
		return;
	memmove(vms->all + place, vms->all + place + 1,
		(--vms->nr - place) * sizeof(*vms->all));
	free_vm(vm);
}

/**
 * hb_vms_free - forget all
 * @vms: all of them
 */
void hb_vms_free(struct hb_vms *vms)
{
	while (vms->nr)
		free_vm(vms->all[--vms->nr]);
	free(vms->all);
	vms->all = NULL;
}

/**
 * hb_vm_read - read files of a VM's monitor
 * @vm: the VM
 * @files: set of the files
 * @reading: filled in
 *
 * Return: 0, or a negative errno.
 */
int hb_vm_read(const struct hb_vm *vm, uint64_t files, struct hb_reading *reading)
{
	struct hb_monitor monitor;

	memcpy(monitor.uuid, vm->uuid, sizeof(monitor.uuid));
	return hb_monitor_read(&monitor, files, reading);
}

/* The 22nd field; the second one is a name that may have anything in it, and ends with ')'. */
static uint64_t start_of(uint64_t pid)
{
	unsigned long long start = 0;
	char path[64], stat[1024], *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	stat[fread(stat, 1, sizeof(stat) - 1, file)] = '\0';
	fclose(file);
	at = strrchr(stat, ')');
	if (!at || sscanf(at + 1, "%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%llu",
			  &start) != 1)
		return 0;
	return start;
}

/**
 * hb_vm_is_of - whether a process is the VMM that is known
 * @vm: the VM
 * @pid: the process
 *
 * Return: true if it is, and its number was not given to another since.
 */
bool hb_vm_is_of(const struct hb_vm *vm, uint64_t pid)
{
	return pid && pid == vm->vmm_pid && start_of(pid) == vm->vmm_start;
}

/**
 * hb_vm_meet_vmm - take note of the VMM; one that has gone leaves its name
 * @vm: the VM
 * @pid: the process, or 0
 * @name: what it calls its VM; empty if that was not asked, or it has none
 */
void hb_vm_meet_vmm(struct hb_vm *vm, uint64_t pid, const char *name)
{
	bool same = hb_vm_is_of(vm, pid);

	if (!pid || (same && !*name))
		return;
	vm->vmm_pid = pid;
	vm->vmm_start = start_of(pid);
	snprintf(vm->name, sizeof(vm->name), "%s", name);
}

/**
 * hb_budget_take - whether one more may be told
 * @budget: of what
 * @now_ns: the time
 *
 * Return: true if it may. What may not is counted.
 */
bool hb_budget_take(struct hb_budget *budget, uint64_t now_ns)
{
	if (!budget->told || now_ns - budget->since_ns >= BUDGET_NS) {
		budget->since_ns = now_ns;
		budget->told = 0;
	}
	if (budget->told == BUDGET) {
		budget->kept_back++;
		return false;
	}
	budget->told++;
	return true;
}
