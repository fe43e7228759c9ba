// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>

#include "ctl.h"
#include "libvirt.h"
#include "units.h"

#define SET_LIST	(CTL_SET_HEAD | HB_SET(LAST_BEAT) | HB_SET(OUTAGES))
#define ROW		"%-12s %-13s %9s %7s  %s  %s\n"

static void print_row(const struct hb_fleet *fleet, size_t which)
{
	const struct hb_reading *reading = &fleet->readings[which];
	char age[HB_TIME_LEN] = "-", outages[24];

	if (hb_has(reading, HB_FILE_LAST_BEAT))
		hb_format_time(age, hb_number(reading, HB_FILE_LAST_BEAT));
	snprintf(outages, sizeof(outages), "%" PRIu64, hb_number(reading, HB_FILE_OUTAGES));
	printf(ROW, hb_text(reading, HB_FILE_STATE), hb_text(reading, HB_FILE_CAUSE), age, outages,
	       fleet->monitors.all[which].uuid,
	       *fleet->names[which] ? fleet->names[which] : "-");
}

/* ctl_list - one line a monitor. The name is last, as it may have any width. */
int ctl_list(int argc, char **argv)
{
	struct hb_fleet fleet;
	int ret = ctl_no_options(argc, argv, 0, 0);

	if (ret)
		return ret;
	ret = ctl_fleet(&fleet, SET_LIST);
	if (!ret) {
		hb_libvirt_names(&fleet);
		printf("%-12s %-13s %9s %7s  %-*s  %s\n", "STATE", "CAUSE", "LAST BEAT", "OUTAGES",
		       HB_UUID_LEN, "UUID", "VM");
		for (size_t i = 0; i < fleet.monitors.nr; i++)
			print_row(&fleet, i);
	}
	hb_fleet_free(&fleet);
	return ret;
}
