// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitors.h"

#define DEVICES		"/sys/bus/mdev/devices"
#define HB_NAME_MAX	64	/* of a file, longer than any */

#define INFO(name, path, kind, writable)	{ path, kind, writable },
const struct hb_file_info hb_files[HB_NR_FILES] = { HB_FILES(INFO) };
#undef INFO

_Static_assert(HB_NR_FILES < 64, "a set of files is 64 bits");

/* One file of a monitor, or, with an empty name, its folder heartbeat/. */
static int open_at(const struct hb_monitor *monitor, const char *name, int flags)
{
	char path[sizeof(DEVICES "//heartbeat/") + HB_UUID_LEN + HB_NAME_MAX];

	snprintf(path, sizeof(path), DEVICES "/%s/heartbeat/%s", monitor->uuid, name);
	return open(path, flags | O_CLOEXEC);
}

/* A device of another mdev driver has no folder heartbeat/. */
static bool is_monitor(int devices, const char *name)
{
	char path[HB_UUID_LEN + sizeof("/heartbeat")];

	if (strlen(name) != HB_UUID_LEN)
		return false;
	snprintf(path, sizeof(path), "%s/heartbeat", name);
	return !faccessat(devices, path, F_OK, 0);
}

static int add_monitor(struct hb_monitors *found, const char *uuid)
{
	struct hb_monitor *all;

	/* It grows at each power of two. */
	if (!(found->nr & (found->nr - 1))) {
		all = reallocarray(found->all, found->nr ? 2 * found->nr : 1, sizeof(*all));
		if (!all)
			return -ENOMEM;
		found->all = all;
	}
	memcpy(found->all[found->nr++].uuid, uuid, HB_UUID_LEN + 1);
	return 0;
}

static int by_uuid(const void *a, const void *b)
{
	return strcmp(((const struct hb_monitor *)a)->uuid, ((const struct hb_monitor *)b)->uuid);
}

static int scan(struct hb_monitors *found, DIR *devices)
{
	struct dirent *device;
	int ret = 0;

	while (!ret && (errno = 0, device = readdir(devices))) {
		if (is_monitor(dirfd(devices), device->d_name))
			ret = add_monitor(found, device->d_name);
	}
	return ret ?: -errno;
}

/**
 * hb_monitors_find - find all monitors of this host
 * @found: filled in; to be freed by hb_monitors_free() also if this fails
 *
 * A folder is listed, and nothing else: libudev would read some ten files of each device.
 *
 * Return: 0, or a negative errno.
 */
int hb_monitors_find(struct hb_monitors *found)
{
	DIR *devices = opendir(DEVICES);
	int ret;

	*found = (struct hb_monitors){ 0 };
	if (!devices)
		/* There is no bus "mdev" until a driver wants it. */
		return errno == ENOENT && !access("/sys/bus", F_OK) ? 0 : -errno;
	ret = scan(found, devices);
	closedir(devices);
	if (found->nr)
		qsort(found->all, found->nr, sizeof(*found->all), by_uuid);
	return ret;
}

/**
 * hb_monitors_free - forget what was found
 * @found: what hb_monitors_find() filled in
 */
void hb_monitors_free(struct hb_monitors *found)
{
	free(found->all);
	*found = (struct hb_monitors){ 0 };
}

/* Read what was opened, and close it. */
static ssize_t read_text(int fd, char *buf, size_t size)
{
	ssize_t len;
	int error;

	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	error = errno;
	close(fd);
	if (len < 0)
		return -error;
	while (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

static bool parse_number(const char *text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && !*end;
}

/* What words and lists are made of. Anything else would need care in each format of ours. */
static bool is_plain(char byte)
{
	return isalnum((unsigned char)byte) || (byte && strchr("-_, ", byte));
}

static bool keep_text(struct hb_reading *reading, enum hb_file file, const char *text, size_t len)
{
	char *to = reading->texts + reading->used;

	if (len >= HB_TEXT_LEN || len >= sizeof(reading->texts) - reading->used)
		return false;
	for (size_t i = 0; i < len; i++)
		to[i] = is_plain(text[i]) ? text[i] : '?';
	to[len] = '\0';
	reading->at[file] = reading->used;
	reading->used += len + 1;
	return true;
}

static bool keep(struct hb_reading *reading, enum hb_file file, const char *text, size_t len)
{
	if (hb_files[file].kind >= HB_COUNT)
		return parse_number(text, &reading->number[file]);
	return keep_text(reading, file, text, len);
}

static bool is_gone(ssize_t error)
{
	return error == -ENOENT || error == -ENODEV;
}

/**
 * hb_monitor_read - read files of a monitor
 * @monitor: the monitor
 * @files: set of the files
 * @reading: filled in
 *
 * A file that this version of the module does not have, or that has no value now, is not in
 * the reading. A monitor without a state is none any more.
 *
 * Return: 0, -ENODEV if the monitor is gone, or another negative errno.
 */
int hb_monitor_read(const struct hb_monitor *monitor, uint64_t files, struct hb_reading *reading)
{
	int folder = open_at(monitor, "", O_PATH | O_DIRECTORY);
	char buf[4096];
	ssize_t len;

	reading->has = 0;
	reading->used = 0;
	if (folder < 0)
		return is_gone(-errno) ? -ENODEV : -errno;
	for (int file = 0; file < HB_NR_FILES; file++) {
		if (!(files >> file & 1))
			continue;
		len = read_text(openat(folder, hb_files[file].name, O_RDONLY | O_CLOEXEC), buf,
				sizeof(buf));
		if (len >= 0 && keep(reading, file, buf, len))
			reading->has |= UINT64_C(1) << file;
	}
	/* It may have gone while we read: it would look like a monitor without values. */
	len = faccessat(folder, "state", F_OK, 0) ? -errno : 0;
	close(folder);
	return is_gone(len) ? -ENODEV : (int)len;
}

/**
 * hb_monitor_open - open a file of a monitor, for example to poll it
 * @monitor: the monitor
 * @name: the file
 * @flags: as for open(2)
 *
 * Return: a file descriptor, or a negative errno.
 */
int hb_monitor_open(const struct hb_monitor *monitor, const char *name, int flags)
{
	int fd = open_at(monitor, name, flags);

	return fd < 0 ? -errno : fd;
}

/**
 * hb_monitor_read_text - read a file as it is
 * @monitor: the monitor
 * @name: the file
 * @buf: where to; it gets an end, and no line feed before it
 * @size: of @buf
 *
 * Return: the length, or a negative errno.
 */
ssize_t hb_monitor_read_text(const struct hb_monitor *monitor, const char *name, char *buf,
			     size_t size)
{
	return read_text(open_at(monitor, name, O_RDONLY), buf, size);
}

/**
 * hb_monitor_write - write a file
 * @monitor: the monitor
 * @file: one that is writable
 * @text: what to write
 *
 * Return: 0, or a negative errno, which Documentation/sysfs.rst explains.
 */
int hb_monitor_write(const struct hb_monitor *monitor, enum hb_file file, const char *text)
{
	int fd = hb_monitor_open(monitor, hb_files[file].name, O_WRONLY);
	int ret = 0;

	if (fd < 0)
		return fd;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/**
 * hb_file_by_name - find a file by its name
 * @name: the name, which may lack the unit at its end
 * @len: length of @name
 *
 * Return: the file, or -1.
 */
int hb_file_by_name(const char *name, size_t len)
{
	for (int file = 0; file < HB_NR_FILES; file++) {
		const char *full = hb_files[file].name;

		if (!strncmp(full, name, len) && (!full[len] || !strcmp(full + len, "_ns")))
			return file;
	}
	return -1;
}
