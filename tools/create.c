// SPDX-License-Identifier: GPL-2.0
/* Monitors that persist: mdevctl defines them, starts them, and starts them again at each boot. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "mdevctl.h"

#define PARENT	"kvm_heartbeat"
#define TYPE	"kvm_heartbeat-vm"

static bool is_uuid(const char *text)
{
	for (int i = 0; i < HB_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return !text[HB_UUID_LEN];
}

static void copy_uuid(char uuid[HB_UUID_LEN + 1], const char *from)
{
	for (int i = 0; i <= HB_UUID_LEN; i++)
		uuid[i] = tolower((unsigned char)from[i]);
}

static bool random_uuid(char uuid[HB_UUID_LEN + 1])
{
	int fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);
	ssize_t len = -1;

	if (fd >= 0) {
		len = read(fd, uuid, HB_UUID_LEN);
		close(fd);
	}
	uuid[HB_UUID_LEN] = '\0';
	if (len == HB_UUID_LEN && is_uuid(uuid))
		return true;
	ctl_error("no UUID from /proc/sys/kernel/random/uuid: give one");
	return false;
}

static int need_root(void)
{
	if (!geteuid())
		return 0;
	ctl_error("monitors are made and removed by root alone: run it as root");
	return 1;
}

static int undefine(const char *uuid)
{
	const char * const args[] = { "mdevctl", "undefine", "--uuid", uuid, NULL };

	return hb_mdevctl(args, NULL);
}

static int add_setting(const char *uuid, const struct ctl_setting *setting)
{
	char name[64];
	const char * const args[] = {
		"mdevctl", "modify", "--uuid", uuid, "--addattr", name,
		"--value", setting->text, NULL
	};

	snprintf(name, sizeof(name), "heartbeat/%s", hb_files[setting->file].name);
	return hb_mdevctl(args, NULL);
}

/* All of it, or nothing. */
static int make(const char *uuid, const struct ctl_setting *settings, int nr)
{
	const char * const define[] = {
		"mdevctl", "define", "--auto", "--uuid", uuid, "--parent", PARENT,
		"--type", TYPE, NULL
	};
	const char * const start[] = { "mdevctl", "start", "--uuid", uuid, NULL };
	int ret = hb_mdevctl(define, NULL);

	if (ret)
		return ret;
	for (int i = 0; !ret && i < nr; i++)
		ret = add_setting(uuid, &settings[i]);
	if (!ret)
		ret = hb_mdevctl(start, NULL);
	if (ret) {
		undefine(uuid);
		ctl_error("no monitor was made: is kvm_heartbeat loaded, does the log show a value that it refused?");
		return ret;
	}
	puts(uuid);
	return 0;
}

static int parse_settings(int argc, char **argv, struct ctl_setting *settings)
{
	for (int i = 0; i < argc; i++) {
		int ret = ctl_parse_setting(argv[i], &settings[i]);

		if (ret)
			return ret;
		if (settings[i].file == HB_FILE_MUTE) {
			ctl_error("%s: a mute would begin anew at each boot: use 'heartbeatctl mute'",
				  argv[i]);
			return CTL_USAGE;
		}
	}
	return 0;
}

/* ctl_create - make a monitor, and print its UUID */
int ctl_create(int argc, char **argv)
{
	struct ctl_setting *settings;
	char uuid[HB_UUID_LEN + 1];
	int ret = ctl_no_options(argc, argv, 0, -1), first = optind;

	if (ret)
		return ret;
	if (first < argc && !strchr(argv[first], '=')) {
		if (!is_uuid(argv[first])) {
			ctl_error("'%s' is no UUID: give 8-4-4-4-12 hexadecimal digits, or none for a new one",
				  argv[first]);
			return CTL_USAGE;
		}
		copy_uuid(uuid, argv[first++]);
	} else if (!random_uuid(uuid)) {
		return 1;
	}
	settings = calloc(argc - first + 1, sizeof(*settings));
	if (!settings) {
		ctl_error("out of memory");
		return 1;
	}
	ret = parse_settings(argc - first, argv + first, settings);
	if (!ret)
		ret = need_root();
	if (!ret)
		ret = make(uuid, settings, argc - first);
	free(settings);
	return ret;
}

static int remove_defined(const char *uuid, bool active)
{
	const char * const list[] = { "mdevctl", "list", "--defined", "--uuid", uuid, NULL };
	const char * const stop[] = { "mdevctl", "stop", "--uuid", uuid, NULL };
	bool defined;
	int ret = hb_mdevctl(list, &defined);

	/* First what would start it again: to stop it may take as long as its VM lives. */
	if (!ret && defined)
		ret = undefine(uuid);
	if (!ret && active)
		ret = hb_mdevctl(stop, NULL);
	if (!ret && !defined && !active) {
		ctl_error("there is no monitor '%s': 'heartbeatctl list' has all", uuid);
		ret = 1;
	}
	return ret;
}

static int refuse_used(const struct hb_fleet *fleet, size_t which)
{
	uint64_t pid = hb_number(&fleet->readings[which], HB_FILE_VMM_PID);

	if (!pid)
		return 0;
	ctl_error("%s is in use by process %" PRIu64 ": end the VM first, or give --force",
		  ctl_name(fleet, which), pid);
	return 1;
}

/* A monitor may be defined, and not be there: its module is not loaded. */
static int remove_word(const char *word, bool force)
{
	char uuid[HB_UUID_LEN + 1];
	struct hb_fleet fleet;
	bool active;
	size_t which;
	int ret = ctl_fleet(&fleet, CTL_SET_HEAD);

	if (ret)
		goto out;
	active = !is_uuid(word) || ctl_match(&fleet, word, &which) == HB_MATCH_ONE;
	if (active)
		ret = ctl_pick(&fleet, word, &which);
	if (active && !ret && !force)
		ret = refuse_used(&fleet, which);
	if (ret)
		goto out;
	copy_uuid(uuid, active ? fleet.monitors.all[which].uuid : word);
	ret = remove_defined(uuid, active);
out:
	hb_fleet_free(&fleet);
	return ret;
}

/* ctl_remove - remove a monitor, and what would make it again */
int ctl_remove(int argc, char **argv)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ 0 }
	};
	bool force = false;
	int option, ret;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option != 'f')
			return ctl_usage(argv[0]);
		force = true;
	}
	if (argc - optind != 1)
		return ctl_usage(argv[0]);
	ret = need_root();
	return ret ?: remove_word(argv[optind], force);
}
