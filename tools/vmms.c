// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel reads a command line from the memory of its process, and waits for a lock of that. A
 * VMM that is stuck may hold it: just then people ask for its VM. So a child reads command lines,
 * and is given up at one that does not come.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "vmms.h"

/* Each costs a child's patience: with more of them, the host as a whole is ill. */
#define MAX_STUCK	3

#define CMDLINE_LEN	16384	/* of the part that is looked at */

static size_t read_cmdline(uint64_t pid, char *args, size_t size)
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%llu/cmdline", (unsigned long long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, args, size);
	close(fd);
	return len > 0 ? len : 0;
}

static void find_name(uint64_t pid, char name[HB_NAME_LEN])
{
	char args[CMDLINE_LEN];

	hb_name_of_cmdline(args, read_cmdline(pid, args, sizeof(args)), name);
}

static void find_names(const void *what, struct hb_found *found)
{
	const uint64_t *pids = what;

	for (; found->at < found->nr; found->at++) {
		if (pids[found->at])
			find_name(pids[found->at], found->names[found->at]);
	}
}

/**
 * hb_names_of_vmms - the names that VMMs give their VMs
 * @pids: process numbers, 0 for none
 * @nr: how many
 * @names: a name each, empty if there is none, or it cannot be read
 */
void hb_names_of_vmms(const uint64_t *pids, size_t nr, char (*names)[HB_NAME_LEN])
{
	struct hb_found *found;
	bool any = false;

	memset(names, 0, nr * sizeof(*names));
	for (size_t i = 0; i < nr; i++)
		any |= pids[i] != 0;
	found = any ? hb_found_new(nr) : NULL;
	if (!found)
		return;
	for (int stuck = 0; found->at < nr && stuck < MAX_STUCK; stuck++) {
		hb_child_find(find_names, pids, found);
		/* The one at which it was given up. */
		if (found->at < nr)
			found->at++;
	}
	memcpy(names, found->names, nr * sizeof(*names));
	hb_found_free(found);
}

/**
 * hb_uuid_of_vmm - the UUID that a VMM gives its VM
 * @pid: its process number
 * @uuid: the UUID, empty if there is none, or it cannot be read
 *
 * It may wait for ever: for a child that somebody ends.
 */
void hb_uuid_of_vmm(uint64_t pid, char uuid[HB_NAME_LEN])
{
	char args[CMDLINE_LEN];

	hb_uuid_of_cmdline(args, read_cmdline(pid, args, sizeof(args)), uuid);
}
