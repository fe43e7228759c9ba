// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "units.h"

static void say_settings(void)
{
	for (int file = 0; file < HB_NR_FILES; file++) {
		if (hb_files[file].writable)
			fprintf(stderr, " %s", hb_files[file].name);
	}
	fputc('\n', stderr);
}

/* A time has a unit, unless the name says which: interval=2s, interval_ns=2000000000. */
static int parse_time(const char *word, const char *value, struct ctl_setting *setting)
{
	uint64_t ns;
	int ret;

	if (!strncmp(value - 4, "_ns=", 4) && isdigit((unsigned char)value[0]) &&
	    !value[strspn(value, "0123456789")]) {
		snprintf(setting->text, sizeof(setting->text), "%s", value);
		return 0;
	}
	ret = hb_parse_time(value, &ns);
	if (ret) {
		ctl_error(ret == -ERANGE ? "%s: that is too long: give less" :
			  "%s: give a time with a unit, such as 500ms, 2s or 10min", word);
		return CTL_USAGE;
	}
	snprintf(setting->text, sizeof(setting->text), "%" PRIu64, ns);
	return 0;
}

/**
 * ctl_parse_setting - read NAME=VALUE, or say what is wrong with it
 * @word: what the user wrote
 * @setting: filled in
 *
 * Return: 0, or the exit status.
 */
int ctl_parse_setting(const char *word, struct ctl_setting *setting)
{
	const char *value = strchr(word, '=');
	int file = value ? hb_file_by_name(word, value - word) : -1;

	if (file < 0 || !hb_files[file].writable) {
		ctl_error("'%s' is no setting: give NAME=VALUE, with one of these names:", word);
		say_settings();
		return CTL_USAGE;
	}
	value++;
	setting->file = file;
	if (hb_files[file].kind == HB_TIME)
		return parse_time(word, value, setting);
	if (strlen(value) >= sizeof(setting->text)) {
		ctl_error("%.32s...: the value is too long: sysfs.rst says what it may be", word);
		return CTL_USAGE;
	}
	snprintf(setting->text, sizeof(setting->text), "%s", value);
	return 0;
}

static const char *advice(enum hb_file file, int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
	case EROFS:
		return "run it as root";
	case ENOENT:
	case ENODEV:
		return "the monitor is gone, or its module is older than this setting";
	case ERANGE:
		return "out of range: see sysfs.rst for what is allowed";
	}
	if (file == HB_FILE_INTERVAL || file == HB_FILE_TIMEOUT)
		return "the timeout must be above the interval: set it first, or timeout=0";
	if (hb_files[file].kind == HB_STEPS)
		return "give none, or some of backtrace,dump,pause,kill, each once";
	return "see sysfs.rst for what is allowed";
}

/**
 * ctl_write - write a setting, or say why not
 * @fleet: all monitors
 * @which: number of the monitor
 * @setting: the file, and what to write
 *
 * Return: 0, or the exit status.
 */
int ctl_write(const struct hb_fleet *fleet, size_t which, const struct ctl_setting *setting)
{
	int ret = hb_monitor_write(&fleet->monitors.all[which], setting->file, setting->text);

	if (!ret)
		return 0;
	errno = -ret;
	ctl_error("%s: %s=%s: %m: %s", ctl_name(fleet, which), hb_files[setting->file].name,
		  setting->text, advice(setting->file, -ret));
	return 1;
}

static int write_all(const char *word, const struct ctl_setting *settings, int nr)
{
	struct hb_fleet fleet;
	size_t which;
	int ret;

	ret = ctl_fleet(&fleet, CTL_SET_HEAD);
	if (!ret)
		ret = ctl_pick(&fleet, word, &which);
	for (int i = 0; !ret && i < nr; i++) {
		ret = ctl_write(&fleet, which, &settings[i]);
		if (ret && i)
			ctl_error("what was before it on the command line has been set");
	}
	hb_fleet_free(&fleet);
	return ret;
}

/* ctl_set - tune a monitor */
int ctl_set(int argc, char **argv)
{
	struct ctl_setting *settings;
	int ret = ctl_no_options(argc, argv, 2, -1);
	int nr = argc - optind - 1;

	if (ret)
		return ret;
	settings = calloc(nr, sizeof(*settings));
	if (!settings) {
		ctl_error("out of memory");
		return 1;
	}
	/* Nothing is written if anything is wrong that can be seen before. */
	for (int i = 0; !ret && i < nr; i++)
		ret = ctl_parse_setting(argv[optind + 1 + i], &settings[i]);
	if (!ret)
		ret = write_all(argv[optind], settings, nr);
	free(settings);
	return ret;
}

/* ctl_mute - announce and do nothing for a time */
int ctl_mute(int argc, char **argv)
{
	struct ctl_setting setting;
	int ret = ctl_no_options(argc, argv, 2, 2);
	char *word;

	if (ret)
		return ret;
	if (asprintf(&word, "mute=%s", argv[optind + 1]) < 0) {
		ctl_error("out of memory");
		return 1;
	}
	ret = ctl_parse_setting(word, &setting);
	free(word);
	return ret ?: write_all(argv[optind], &setting, 1);
}
