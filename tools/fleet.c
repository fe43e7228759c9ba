// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>

#include "fleet.h"

/**
 * hb_fleet_read - find all monitors and read them
 * @fleet: filled in; to be freed by hb_fleet_free() also if this fails
 * @files: set of the files to read; the VMs' names need %HB_SET(VMM_PID)
 *
 * Monitors that vanish meanwhile are left out.
 *
 * Return: 0, or a negative errno.
 */
int hb_fleet_read(struct hb_fleet *fleet, uint64_t files)
{
	struct hb_monitors *found = &fleet->monitors;
	size_t nr, kept = 0;
	int ret;

	fleet->readings = NULL;
	fleet->names = NULL;
	fleet->asked = false;
	ret = hb_monitors_find(found);
	if (ret || !found->nr)
		return ret;
	nr = found->nr;
	fleet->readings = malloc(nr * sizeof(*fleet->readings));
	fleet->names = malloc(nr * sizeof(*fleet->names));
	if (!fleet->readings || !fleet->names)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		struct hb_reading *reading = &fleet->readings[kept];

		if (hb_monitor_read(&found->all[i], files, reading)) {
			free(found->all[i].path);
			continue;
		}
		hb_name_of_vmm(hb_number(reading, HB_FILE_VMM_PID), fleet->names[kept]);
		found->all[kept++] = found->all[i];
	}
	found->nr = kept;
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
