// SPDX-License-Identifier: GPL-2.0
/* What the commands share: messages, and which VM is meant. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "libvirt.h"

/* ctl_error - say what was wrong, and what to do */
void ctl_error(const char *format, ...)
{
	int error = errno;
	va_list args;

	fputs("heartbeatctl: ", stderr);
	va_start(args, format);
	errno = error;
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/**
 * ctl_no_options - check the arguments of a command that has no options
 * @argc: as of main()
 * @argv: as of main(), with the command as argv[0]
 * @min: how many arguments it needs
 * @max: how many it takes, -1: any number
 *
 * Return: 0, or the exit status.
 */
int ctl_no_options(int argc, char **argv, int min, int max)
{
	static const struct option options[] = { { 0 } };

	if (getopt_long(argc, argv, "+", options, NULL) != -1)
		return ctl_usage(argv[0]);
	if (argc - optind < min || (max >= 0 && argc - optind > max))
		return ctl_usage(argv[0]);
	return 0;
}

/**
 * ctl_fleet - read all monitors with the names of their VMs, or say why not
 * @fleet: filled in; to be freed by hb_fleet_free() also if this fails
 * @files: set of the files to read, with %HB_SET(VMM_PID)
 *
 * Return: 0, or the exit status.
 */
int ctl_fleet(struct hb_fleet *fleet, uint64_t files)
{
	int ret = hb_fleet_read(fleet, files) ?: hb_fleet_name(fleet);

	if (!ret)
		return 0;
	errno = -ret;
	ctl_error("the monitors cannot be found: %m; see whether /sys is mounted");
	return 1;
}

static void complain(const struct hb_fleet *fleet, const char *word, enum hb_match match,
		     size_t which)
{
	if (match == HB_MATCH_MANY)
		ctl_error("'%s' may be several, such as %s: give more of the UUID", word,
			  fleet->monitors.all[which].uuid);
	else if (fleet->monitors.nr)
		ctl_error("there is no VM '%s': 'heartbeatctl list' has names and UUIDs", word);
	else
		ctl_error("there is no monitor here: load kvm_heartbeat, then 'heartbeatctl create'");
}

/**
 * ctl_match - find the monitor that a user means
 * @fleet: all monitors
 * @word: what the user calls it
 * @which: number of the monitor, or of the first one that it may be
 *
 * Return: whether there is one, none, or more than one.
 */
enum hb_match ctl_match(struct hb_fleet *fleet, const char *word, size_t *which)
{
	enum hb_match match = hb_resolve(&fleet->monitors, fleet->names, word, which);

	/* A VM that does not run has a name only in libvirt. */
	if (match == HB_MATCH_NONE && hb_libvirt_names(fleet))
		match = hb_resolve(&fleet->monitors, fleet->names, word, which);
	return match;
}

/**
 * ctl_pick - find the monitor that a user means, or say why not
 * @fleet: all monitors
 * @word: what the user calls it
 * @which: number of the monitor
 *
 * Return: 0, or the exit status.
 */
int ctl_pick(struct hb_fleet *fleet, const char *word, size_t *which)
{
	enum hb_match match = ctl_match(fleet, word, which);

	if (match == HB_MATCH_ONE)
		return 0;
	complain(fleet, word, match, *which);
	return 1;
}

/* ctl_name - what to call a VM: its name, or the UUID of its monitor. */
const char *ctl_name(const struct hb_fleet *fleet, size_t which)
{
	return *fleet->names[which] ? fleet->names[which] : fleet->monitors.all[which].uuid;
}
