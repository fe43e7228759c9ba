// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "libvirt.h"
#include "units.h"

static void print_value(enum hb_file file, const struct hb_reading *reading)
{
	uint64_t number = hb_number(reading, file);
	char time[HB_TIME_LEN];

	switch (hb_files[file].kind) {
	case HB_TIME:
		puts(hb_format_time(time, number));
		break;
	case HB_MILLI:
		printf("%" PRIu64 ".%03u\n", number / 1000, (unsigned int)(number % 1000));
		break;
	case HB_COUNT:
		printf("%" PRIu64 "\n", number);
		break;
	default:
		puts(hb_text(reading, file));
	}
}

static void print_monitor(const struct hb_fleet *fleet, size_t which)
{
	const struct hb_monitor *monitor = &fleet->monitors.all[which];
	const struct hb_reading *reading = &fleet->readings[which];
	char evidence[4097], *line, *rest = evidence;

	printf("%-20s%s\n", "uuid", monitor->uuid);
	printf("%-20s%s\n", "vm", *fleet->names[which] ? fleet->names[which] : "-");
	for (int file = 0; file < HB_NR_FILES; file++) {
		const char *name = hb_files[file].name;
		int len = strlen(name);

		/* The unit is with the value. */
		if (hb_files[file].kind == HB_TIME)
			len -= strlen("_ns");
		printf("%.*s%*s", len, name, 20 - len, "");
		if (hb_has(reading, file))
			print_value(file, reading);
		else
			puts("-");
	}
	if (hb_monitor_read_text(monitor, "evidence", evidence, sizeof(evidence)) < 0)
		memcpy(evidence, "-", sizeof("-"));
	for (const char *head = "evidence"; (line = strsep(&rest, "\n")); head = "")
		printf("%-20s%s\n", head, line);
}

/* ctl_show - all that monitors say */
int ctl_show(int argc, char **argv)
{
	struct hb_fleet fleet;
	int ret = ctl_no_options(argc, argv, 0, -1);
	size_t which;

	if (ret)
		return ret;
	ret = ctl_fleet(&fleet, HB_SET_ALL);
	if (!ret)
		hb_libvirt_names(&fleet);
	for (int i = optind; !ret && i < argc; i++) {
		ret = ctl_pick(&fleet, argv[i], &which);
		if (ret)
			break;
		if (i > optind)
			putchar('\n');
		print_monitor(&fleet, which);
	}
	for (size_t i = 0; !ret && optind == argc && i < fleet.monitors.nr; i++) {
		if (i)
			putchar('\n');
		print_monitor(&fleet, i);
	}
	hb_fleet_free(&fleet);
	return ret;
}
