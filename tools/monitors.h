/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitors of this host: which there are, what their files say, and how to write them
 * (Documentation/sysfs.rst). A monitor may vanish between any two calls: -ENOENT or -ENODEV
 * then says so, and is no fault of the whole.
 */
#ifndef HB_MONITORS_H
#define HB_MONITORS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HB_UUID_LEN	36

/* What a file holds. */
enum hb_kind {
	HB_WORD,		/* one word */
	HB_STEPS,		/* words with blanks between them */
	HB_CPUS,		/* a list of CPUs as 1,3-5 */
	HB_COUNT,		/* a number */
	HB_TIME,		/* a number of nanoseconds */
	HB_MILLI,		/* thousandths */
};

/*
 * One line a file: its name, what it holds, and whether it can be written. The order is the
 * one in which people see them.
 */
#define HB_FILES(file) \
	file(STATE, "state", HB_WORD, false) \
	file(CAUSE, "cause", HB_WORD, false) \
	file(STALE_VCPUS, "stale_vcpus", HB_CPUS, false) \
	file(LAST_BEAT, "last_beat_ns", HB_TIME, false) \
	file(SUSPICION, "suspicion", HB_MILLI, false) \
	file(VMM_PID, "vmm_pid", HB_COUNT, false) \
	file(BEATS, "beats", HB_COUNT, false) \
	file(MISSED, "missed", HB_COUNT, false) \
	file(OUTAGES, "outages", HB_COUNT, false) \
	file(DOWNTIME, "downtime_ns", HB_TIME, false) \
	file(BOOTS, "boots", HB_COUNT, false) \
	file(PANICS, "panics", HB_COUNT, false) \
	file(RESETS, "resets", HB_COUNT, false) \
	file(INTERVAL_MIN, "interval_min_ns", HB_TIME, false) \
	file(INTERVAL_MEAN, "interval_mean_ns", HB_TIME, false) \
	file(INTERVAL_MAX, "interval_max_ns", HB_TIME, false) \
	file(JITTER, "jitter_ns", HB_TIME, false) \
	file(INTERVAL, "interval_ns", HB_TIME, true) \
	file(TIMEOUT, "timeout_ns", HB_TIME, true) \
	file(BOOT_TIMEOUT, "boot_timeout_ns", HB_TIME, true) \
	file(SHUTDOWN_TIMEOUT, "shutdown_timeout_ns", HB_TIME, true) \
	file(ON_UNRESPONSIVE, "on_unresponsive", HB_STEPS, true) \
	file(ON_PANICKED, "on_panicked", HB_STEPS, true) \
	file(ACTION_DELAY, "action_delay_ns", HB_TIME, true) \
	file(ACTIONS_MAX, "actions_max", HB_COUNT, true) \
	file(ACTIONS_WINDOW, "actions_window_ns", HB_TIME, true) \
	file(ACTIONS, "actions", HB_COUNT, false) \
	file(LAST_ACTION, "last_action", HB_WORD, false) \
	file(LAST_RESULT, "last_result", HB_WORD, false) \
	file(MUTE, "mute_ns", HB_TIME, true) \
	file(MUTED, "muted", HB_COUNT, false)

#define HB_FILE(name, path, kind, writable)	HB_FILE_##name,
enum hb_file { HB_FILES(HB_FILE) HB_NR_FILES };

/* A set of files. */
#define HB_SET(file)	(UINT64_C(1) << HB_FILE_##file)
#define HB_SET_ALL	((UINT64_C(1) << HB_NR_FILES) - 1)

struct hb_file_info {
	const char *name;
	enum hb_kind kind;
	bool writable;
};

extern const struct hb_file_info hb_files[HB_NR_FILES];

/* A monitor that was there when it was looked for. */
struct hb_monitor {
	char uuid[HB_UUID_LEN + 1];
};

struct hb_monitors {
	struct hb_monitor *all;		/* ordered by UUID */
	size_t nr;
};

/* What the longest text may have: a list of the CPUs of all slots. */
#define HB_TEXT_LEN	256

/**
 * struct hb_reading - what files of a monitor said, each read once
 * @has: set of the files that had a value; others had none, were not read, or do not exist
 * @number: of files that hold a number
 * @at: of files that hold a text, where it is in @texts
 * @used: how much of @texts is used
 * @texts: the texts, each with an end, of letters, digits, '-', '_', commas and blanks
 */
struct hb_reading {
	uint64_t has;
	uint64_t number[HB_NR_FILES];
	uint16_t at[HB_NR_FILES];
	uint16_t used;
	char texts[2 * HB_TEXT_LEN];
};

int hb_monitors_find(struct hb_monitors *found);
void hb_monitors_free(struct hb_monitors *found);
int hb_monitor_read(const struct hb_monitor *monitor, uint64_t files, struct hb_reading *reading);
ssize_t hb_monitor_read_text(const struct hb_monitor *monitor, const char *name, char *buf,
			     size_t size);
int hb_monitor_write(const struct hb_monitor *monitor, enum hb_file file, const char *text);
int hb_monitor_open(const struct hb_monitor *monitor, const char *name, int flags);
int hb_file_by_name(const char *name, size_t len);

/**
 * hb_has - whether a file had a value
 * @reading: what was read
 * @file: the file
 *
 * Return: true if it had.
 */
static inline bool hb_has(const struct hb_reading *reading, enum hb_file file)
{
	return reading->has >> file & 1;
}

/**
 * hb_number - the number in a file
 * @reading: what was read
 * @file: a file that holds a number
 *
 * Return: the number, 0 if there is none.
 */
static inline uint64_t hb_number(const struct hb_reading *reading, enum hb_file file)
{
	return hb_has(reading, file) ? reading->number[file] : 0;
}

/**
 * hb_text - the text in a file
 * @reading: what was read
 * @file: a file that holds a text
 *
 * Return: the text, or an empty one if there is none.
 */
static inline const char *hb_text(const struct hb_reading *reading, enum hb_file file)
{
	return hb_has(reading, file) ? reading->texts + reading->at[file] : "";
}

#endif /* HB_MONITORS_H */
