// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "vmms.h"

/* Monitors for which a thread is worth its while, and threads that a host can spare. */
#define PER_THREAD	500
#define MAX_THREADS	8

/* The part of the fleet that a thread reads. */
struct part {
	struct hb_fleet *fleet;
	uint64_t files;
	size_t from;
	size_t to;
};

/* A monitor that has gone has no UUID any more. */
static void *read_part(void *data)
{
	const struct part *part = data;
	struct hb_fleet *fleet = part->fleet;

	for (size_t i = part->from; i < part->to; i++) {
		struct hb_monitor *monitor = &fleet->monitors.all[i];
		struct hb_reading *reading = &fleet->readings[i];

		if (hb_monitor_read(monitor, part->files, reading))
			*monitor->uuid = '\0';
	}
	return NULL;
}

/* Threads besides the one that asks. */
static size_t count_others(size_t nr)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t others = cpus > 1 ? cpus - 1 : 0;

	if (others > nr / PER_THREAD)
		others = nr / PER_THREAD;
	return others < MAX_THREADS ? others : MAX_THREADS - 1;
}

/* Nearly all of the time is the kernel's, and each file is read by itself. */
static void read_all(struct hb_fleet *fleet, uint64_t files)
{
	size_t nr = fleet->monitors.nr, others = count_others(nr), threads = others + 1;
	struct part parts[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	bool runs[MAX_THREADS];

	for (size_t i = 0; i <= others; i++)
		parts[i] = (struct part){ fleet, files, nr * i / threads, nr * (i + 1) / threads };
	for (size_t i = 1; i <= others; i++)
		runs[i] = !pthread_create(&ids[i], NULL, read_part, &parts[i]);
	read_part(&parts[0]);
	for (size_t i = 1; i <= others; i++) {
		if (runs[i])
			pthread_join(ids[i], NULL);
		else
			read_part(&parts[i]);
	}
}

static void drop_gone(struct hb_fleet *fleet)
{
	struct hb_monitors *monitors = &fleet->monitors;
	size_t kept = 0;

	for (size_t i = 0; i < monitors->nr; i++) {
		if (!*monitors->all[i].uuid)
			continue;
		if (kept != i) {
			monitors->all[kept] = monitors->all[i];
			fleet->readings[kept] = fleet->readings[i];
		}
		kept++;
	}
	monitors->nr = kept;
}

/**
 * hb_fleet_read - find all monitors and read them
 * @fleet: filled in; to be freed by hb_fleet_free() also if this fails
 * @files: set of the files to read
 *
 * Monitors that vanish meanwhile are left out. No VM has a name yet.
 *
 * Return: 0, or a negative errno.
 */
int hb_fleet_read(struct hb_fleet *fleet, uint64_t files)
{
	size_t nr;
	int ret;

	fleet->readings = NULL;
	fleet->names = NULL;
	fleet->asked = false;
	ret = hb_monitors_find(&fleet->monitors);
	nr = fleet->monitors.nr;
	if (ret || !nr)
		return ret;
	fleet->readings = malloc(nr * sizeof(*fleet->readings));
	fleet->names = calloc(nr, sizeof(*fleet->names));
	if (!fleet->readings || !fleet->names)
		return -ENOMEM;
	read_all(fleet, files);
	drop_gone(fleet);
	return 0;
}

/**
 * hb_fleet_name - find the names of VMs that run
 * @fleet: what hb_fleet_read() filled in, with %HB_SET(VMM_PID)
 *
 * Return: 0, or a negative errno.
 */
int hb_fleet_name(struct hb_fleet *fleet)
{
	size_t nr = fleet->monitors.nr;
	uint64_t *pids = malloc((nr + 1) * sizeof(*pids));

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		pids[i] = hb_number(&fleet->readings[i], HB_FILE_VMM_PID);
	hb_names_of_vmms(pids, nr, fleet->names);
	free(pids);
	return 0;
}

/**
 * hb_fleet_free - forget what was read
 * @fleet: what hb_fleet_read() filled in
 */
void hb_fleet_free(struct hb_fleet *fleet)
{
	hb_monitors_free(&fleet->monitors);
	free(fleet->readings);
	free(fleet->names);
	fleet->readings = NULL;
	fleet->names = NULL;
}
