// SPDX-License-Identifier: GPL-2.0
/* JSON, and replaced as a whole: whatever happens, the file is that of one moment. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "saved.h"

/* Processes, ticks and the monotonic clock mean nothing after the host's next boot. */
static void read_boot(char boot[HB_UUID_LEN + 1])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	*boot = '\0';
	if (!file)
		return;
	boot[fread(boot, 1, HB_UUID_LEN, file)] = '\0';
	fclose(file);
}

static json_t *pack_vm(const struct hb_vm *vm)
{
	const struct hb_course *course = &vm->course;
	json_t *taken = json_array(), *packed;

	for (size_t i = 0; i < course->nr_taken; i++)
		json_array_append_new(taken, json_integer(course->taken[i]));
	packed = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:b, s:o}",
			   "uuid", vm->uuid, "name", vm->name,
			   "vmm_pid", (json_int_t)vm->vmm_pid,
			   "vmm_start", (json_int_t)vm->vmm_start,
			   "state", vm->state, "cause", vm->cause,
			   "policy", course->policy ? course->policy->name : "",
			   "next", (json_int_t)course->next,
			   "limited", course->limited, "taken", taken);
	for (int i = 0; packed && i < HB_NR_COUNTERS; i++)
		json_object_set_new(packed, hb_counters[i].name, json_integer(vm->counters[i]));
	return packed;
}

static json_t *pack(const struct hb_vms *vms)
{
	char boot[HB_UUID_LEN + 1];
	json_t *all = json_array(), *vm;

	read_boot(boot);
	for (size_t i = 0; i < vms->nr; i++) {
		vm = pack_vm(vms->all[i]);
		if (vm)
			json_array_append_new(all, vm);
	}
	return json_pack("{s:i, s:s, s:o}", "version", 1, "boot", boot, "vms", all);
}

static int write_whole(const char *file, json_t *saved)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int ret = 0;

	if (fd < 0)
		return -errno;
	errno = EIO;
	if (json_dumpfd(saved, fd, JSON_INDENT(1)) || fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

/**
 * hb_saved_write - replace the file
 * @file: its path
 * @vms: what to write
 *
 * Return: 0, or a negative errno.
 */
int hb_saved_write(const char *file, const struct hb_vms *vms)
{
	json_t *saved = pack(vms);
	char new[4096];
	int ret;

	if (!saved)
		return -ENOMEM;
	snprintf(new, sizeof(new), "%s.new", file);
	ret = write_whole(new, saved);
	json_decref(saved);
	if (!ret && rename(new, file))
		ret = -errno;
	return ret;
}

static const struct hb_policy *policy_by_name(const struct hb_policies *policies, const char *name)
{
	for (size_t i = 0; i < policies->nr; i++) {
		if (!strcmp(policies->all[i].name, name))
			return &policies->all[i];
	}
	return NULL;
}

/* Held: it goes on if the VM is found as it was, and after a whole delay. */
static void unpack_course(json_t *packed, struct hb_course *course,
			  const struct hb_policy *policy, json_int_t next)
{
	json_t *taken = json_object_get(packed, "taken"), *when;
	size_t i;

	course->limited = json_is_true(json_object_get(packed, "limited"));
	json_array_foreach(taken, i, when) {
		if (course->nr_taken < HB_ACTIONS_MAX)
			course->taken[course->nr_taken++] = json_integer_value(when);
	}
	if (!policy || next < 0)
		return;
	course->policy = policy;
	course->next = next;
	course->held = true;
}

static int unpack_vm(json_t *packed, struct hb_vms *vms, const struct hb_policies *policies)
{
	const char *uuid, *name, *state, *cause, *policy;
	json_int_t pid, start, next;
	struct hb_vm *vm;

	if (json_unpack(packed, "{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:I}", "uuid", &uuid,
			"name", &name, "vmm_pid", &pid, "vmm_start", &start, "state", &state,
			"cause", &cause, "policy", &policy, "next", &next) ||
	    hb_vms_find(vms, uuid))
		return -EINVAL;
	vm = hb_vms_add(vms, uuid);
	if (!vm)
		return -EINVAL;
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	snprintf(vm->state, sizeof(vm->state), "%s", state);
	snprintf(vm->cause, sizeof(vm->cause), "%s", cause);
	vm->vmm_pid = pid;
	vm->vmm_start = start;
	for (int i = 0; i < HB_NR_COUNTERS; i++)
		vm->counters[i] = json_integer_value(json_object_get(packed, hb_counters[i].name));
	unpack_course(packed, &vm->course, policy_by_name(policies, policy), next);
	return 0;
}

static int unpack(json_t *saved, struct hb_vms *vms, const struct hb_policies *policies)
{
	char now[HB_UUID_LEN + 1];
	const char *boot;
	json_t *all, *vm;
	int version;
	size_t i;

	if (json_unpack(saved, "{s:i, s:s, s:o}", "version", &version, "boot", &boot,
			"vms", &all) || version != 1)
		return -EINVAL;
	read_boot(now);
	if (strcmp(boot, now))
		return 0;
	json_array_foreach(all, i, vm) {
		if (unpack_vm(vm, vms, policies))
			return -EINVAL;
	}
	return 0;
}

/**
 * hb_saved_read - read the file
 * @file: its path; it need not be there
 * @vms: added to
 * @policies: those of now, to which the steps that were begun belong
 *
 * What was saved before the host's last boot counts for nothing.
 *
 * Return: 0, -EINVAL if it is damaged, or another negative errno.
 */
int hb_saved_read(const char *file, struct hb_vms *vms, const struct hb_policies *policies)
{
	FILE *stream = fopen(file, "re");
	json_t *saved;
	int ret;

	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	saved = json_loadf(stream, 0, NULL);
	fclose(stream);
	if (!saved)
		return -EINVAL;
	ret = unpack(saved, vms, policies);
	json_decref(saved);
	return ret;
}
