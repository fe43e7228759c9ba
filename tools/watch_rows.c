// SPDX-License-Identifier: GPL-2.0
/* The rows of the live table: brought up to date each second, and at once when a state changes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "units.h"
#include "watch.h"

#define SET_WATCH \
	(HB_SET(STATE) | HB_SET(CAUSE) | HB_SET(VMM_PID) | HB_SET(LAST_BEAT) | HB_SET(TIMEOUT) | \
	 HB_SET(BEATS) | HB_SET(OUTAGES) | HB_SET(MUTE))

/*
 * The gap since the beat that was seen before, from what two readings a second apart say. Beats
 * that come more often than that share a mean.
 */
static void note_gap(struct watch_row *row, const struct hb_reading *now)
{
	uint64_t beats = hb_number(now, HB_FILE_BEATS) - hb_number(&row->reading, HB_FILE_BEATS);
	uint64_t timeout = hb_number(now, HB_FILE_TIMEOUT), beat_ns, level;

	if (!hb_has(now, HB_FILE_LAST_BEAT)) {
		row->beat_ns = 0;
		return;
	}
	beat_ns = hb_clock_ns() - hb_number(now, HB_FILE_LAST_BEAT);
	/* Counters start anew with each VM. */
	if (row->beat_ns && beats && beats < UINT64_MAX / 2 && beat_ns > row->beat_ns && timeout) {
		level = (beat_ns - row->beat_ns) / beats / (timeout / 8 + 1);
		if (row->nr_gaps == WATCH_GAPS)
			memmove(row->gaps, row->gaps + 1, --row->nr_gaps);
		row->gaps[row->nr_gaps++] = level > 7 ? 7 : level;
	}
	if (beats || !row->beat_ns)
		row->beat_ns = beat_ns;
}

static void update(struct watch_row *row, const struct hb_reading *now)
{
	note_gap(row, now);
	row->reading = *now;
}

static void arm(struct watch_row *row)
{
	char buf[64];

	/* What has been read before is what poll(2) compares with. */
	if (row->fd >= 0 && pread(row->fd, buf, sizeof(buf), 0) < 0) {
		close(row->fd);
		row->fd = -1;
	}
}

/**
 * watch_reread - bring a row up to date whose state has changed
 * @row: the row
 */
void watch_reread(struct watch_row *row)
{
	struct hb_reading now;

	arm(row);
	/* One that is gone stays as it is until the next refresh takes it away. */
	if (!hb_monitor_read(&row->monitor, SET_WATCH, &now))
		update(row, &now);
}

static void drop(struct watch_row *row)
{
	if (row->fd >= 0)
		close(row->fd);
}

/* Both are ordered by UUID. */
static void merge(struct watch *watch, const struct hb_fleet *fleet, struct watch_row *rows)
{
	size_t old = 0;

	for (size_t i = 0; i < fleet->monitors.nr; i++) {
		const struct hb_reading *now = &fleet->readings[i];
		struct watch_row *row = &rows[i];
		int order = -1;

		while (old < watch->nr &&
		       (order = strcmp(watch->rows[old].monitor.uuid,
				       fleet->monitors.all[i].uuid)) < 0)
			drop(&watch->rows[old++]);
		if (old < watch->nr && !order) {
			*row = watch->rows[old++];
			update(row, now);
			continue;
		}
		*row = (struct watch_row){ .reading = *now, .monitor = fleet->monitors.all[i] };
		row->fd = hb_monitor_open(&row->monitor, "state", O_RDONLY);
		arm(row);
		note_gap(row, now);
	}
	while (old < watch->nr)
		drop(&watch->rows[old++]);
}

/* A name is read once for each VMM, as one that is stuck costs time. */
static int name_rows(struct watch_row *rows, size_t nr, struct hb_fleet *fleet)
{
	int ret;

	for (size_t i = 0; i < nr; i++) {
		uint64_t pid = hb_number(&rows[i].reading, HB_FILE_VMM_PID);

		if (pid == rows[i].named_pid)
			fleet->readings[i].has &= ~HB_SET(VMM_PID);
		rows[i].named_pid = pid;
	}
	ret = hb_fleet_name(fleet);
	for (size_t i = 0; !ret && i < nr; i++) {
		if (hb_number(&fleet->readings[i], HB_FILE_VMM_PID) || !rows[i].named_pid)
			memcpy(rows[i].name, fleet->names[i], HB_NAME_LEN);
	}
	return ret;
}

/**
 * watch_refresh - find and read all monitors anew
 * @watch: the table
 *
 * Return: 0, or a negative errno.
 */
int watch_refresh(struct watch *watch)
{
	struct watch_row *rows = NULL;
	size_t *shown = NULL;
	struct hb_fleet fleet;
	int ret = hb_fleet_read(&fleet, SET_WATCH);

	if (ret)
		goto out;
	rows = calloc(fleet.monitors.nr + 1, sizeof(*rows));
	shown = calloc(fleet.monitors.nr + 1, sizeof(*shown));
	if (!rows || !shown) {
		free(rows);
		free(shown);
		ret = -ENOMEM;
		goto out;
	}
	merge(watch, &fleet, rows);
	ret = name_rows(rows, fleet.monitors.nr, &fleet);
	free(watch->rows);
	free(watch->shown);
	watch->rows = rows;
	watch->shown = shown;
	watch->nr = fleet.monitors.nr;
out:
	hb_fleet_free(&fleet);
	return ret;
}

/**
 * watch_free - forget the table
 * @watch: the table
 */
void watch_free(struct watch *watch)
{
	while (watch->nr)
		drop(&watch->rows[--watch->nr]);
	free(watch->rows);
	free(watch->shown);
}
