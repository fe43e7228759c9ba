/* SPDX-License-Identifier: GPL-2.0 */
/* The live table: its rows, and what of them is shown. */
#ifndef HB_WATCH_H
#define HB_WATCH_H

#include "fleet.h"
#include "level.h"

#define WATCH_GAPS	32	/* that are remembered of a guest */

/**
 * struct watch_row - a monitor as it was read last
 * @monitor: the monitor
 * @reading: what it said
 * @name: of its VM
 * @named_pid: process of the VMM that has this name
 * @fd: its file state, to be polled; -1: none
 * @beat_ns: when it last beat, on the monotonic clock; 0: not known
 * @gaps: of its last beats, in eighths of the timeout, from 0 to 7, the newest last
 * @nr_gaps: how many there are
 */
struct watch_row {
	struct hb_monitor monitor;
	struct hb_reading reading;
	char name[HB_NAME_LEN];
	uint64_t named_pid;
	int fd;
	uint64_t beat_ns;
	unsigned char gaps[WATCH_GAPS];
	unsigned int nr_gaps;
};

enum watch_sort { WATCH_BY_STATE, WATCH_BY_NAME, WATCH_BY_AGE, WATCH_BY_OUTAGES };

/**
 * struct watch - the table
 * @rows: all monitors, ordered by UUID
 * @nr: of @rows
 * @shown: numbers of the rows that the filter lets through, in the order shown
 * @nr_shown: of @shown
 * @sort: the order
 * @filter: what must be in name, UUID, state or cause
 * @typing: the user types the filter
 * @problems: show only what is not well
 * @top: number of the first of @shown on the screen
 * @ascii: the terminal has no blocks
 */
struct watch {
	struct watch_row *rows;
	size_t nr;
	size_t *shown;
	size_t nr_shown;
	enum watch_sort sort;
	char filter[32];
	bool typing;
	bool problems;
	size_t top;
	bool ascii;
};

int watch_refresh(struct watch *watch);
void watch_reread(struct watch_row *row);
void watch_free(struct watch *watch);
void watch_choose(struct watch *watch);
void watch_draw(struct watch *watch);
bool watch_key(struct watch *watch, int key);

#endif /* HB_WATCH_H */
