// SPDX-License-Identifier: GPL-2.0
/* What of the live table is shown, in which order, and how it looks. */
#include <ctype.h>
#include <inttypes.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "units.h"
#include "watch.h"

/* Lines that are not rows: two at the top, one at the bottom. */
#define HEAD_LINES	2
#define FRAME_LINES	3

/* Columns besides the name and the gaps, with what divides them. */
#define FIXED_COLUMNS	(12 + 1 + 13 + 1 + 9 + 1 + 5 + 2)
#define GAP_COLUMNS	16

static const char * const sort_words[] = { "state", "name", "age", "outages" };

static const char *name_of(const struct watch_row *row)
{
	return *row->name ? row->name : row->monitor.uuid;
}

static const char *text_of(const struct watch_row *row, enum hb_file file)
{
	return hb_text(&row->reading, file);
}

static bool is_shown(const struct watch *watch, const struct watch_row *row)
{
	if (watch->problems && hb_level(&row->reading) == HB_OK)
		return false;
	return !*watch->filter || strcasestr(row->name, watch->filter) ||
	       strcasestr(row->monitor.uuid, watch->filter) ||
	       strcasestr(text_of(row, HB_FILE_STATE), watch->filter) ||
	       strcasestr(text_of(row, HB_FILE_CAUSE), watch->filter);
}

/* The worst first: critical, warning, unknown, well. */
static int severity(const struct watch_row *row)
{
	static const int order[HB_NR_LEVELS] = {
		[HB_CRITICAL] = 0, [HB_WARNING] = 1, [HB_UNKNOWN] = 2, [HB_OK] = 3,
	};

	return order[hb_level(&row->reading)];
}

static int compare_number(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int compare(const void *first, const void *second, void *context)
{
	const struct watch *watch = context;
	const struct watch_row *a = &watch->rows[*(const size_t *)first];
	const struct watch_row *b = &watch->rows[*(const size_t *)second];
	int order = 0;

	switch (watch->sort) {
	case WATCH_BY_STATE:
		order = severity(a) - severity(b) ?:
			strcmp(text_of(a, HB_FILE_STATE), text_of(b, HB_FILE_STATE));
		break;
	case WATCH_BY_AGE:
		order = compare_number(hb_number(&a->reading, HB_FILE_LAST_BEAT),
				       hb_number(&b->reading, HB_FILE_LAST_BEAT));
		break;
	case WATCH_BY_OUTAGES:
		order = compare_number(hb_number(&a->reading, HB_FILE_OUTAGES),
				       hb_number(&b->reading, HB_FILE_OUTAGES));
		break;
	case WATCH_BY_NAME:
		break;
	}
	return order ?: strcmp(name_of(a), name_of(b)) ?: strcmp(a->monitor.uuid, b->monitor.uuid);
}

/**
 * watch_choose - choose and order the rows that are shown
 * @watch: the table
 */
void watch_choose(struct watch *watch)
{
	watch->nr_shown = 0;
	for (size_t i = 0; i < watch->nr; i++) {
		if (is_shown(watch, &watch->rows[i]))
			watch->shown[watch->nr_shown++] = i;
	}
	qsort_r(watch->shown, watch->nr_shown, sizeof(*watch->shown), compare, watch);
}

static int page_lines(void)
{
	return LINES > FRAME_LINES ? LINES - FRAME_LINES : 1;
}

static void draw_summary(const struct watch *watch)
{
	size_t nr[HB_NR_LEVELS] = { 0 };
	struct tm tm;
	time_t now = time(NULL);

	for (size_t i = 0; i < watch->nr; i++)
		nr[hb_level(&watch->rows[i].reading)]++;
	localtime_r(&now, &tm);
	mvprintw(0, 0, "%02d:%02d:%02d  %zu VMs: %zu well, ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		 watch->nr, nr[HB_OK]);
	attron(nr[HB_WARNING] ? COLOR_PAIR(1) | A_BOLD : 0);
	printw("%zu warning", nr[HB_WARNING]);
	attrset(0);
	addstr(", ");
	attron(nr[HB_CRITICAL] ? COLOR_PAIR(2) | A_BOLD : 0);
	printw("%zu critical", nr[HB_CRITICAL]);
	attrset(0);
	if (nr[HB_UNKNOWN])
		printw(", %zu unknown", nr[HB_UNKNOWN]);
	printw("  by %s", sort_words[watch->sort]);
	if (watch->problems)
		addstr("  problems");
	if (watch->typing || *watch->filter)
		printw("  /%s", watch->filter);
}

static void draw_gaps(const struct watch *watch, const struct watch_row *row, unsigned int width)
{
	static const char * const blocks[] = {
		"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"
	};
	static const char * const signs[] = { "_", ".", "-", "~", "=", "+", "#", "!" };
	unsigned int from = row->nr_gaps > width ? row->nr_gaps - width : 0;

	for (unsigned int i = from; i < row->nr_gaps; i++)
		addstr((watch->ascii ? signs : blocks)[row->gaps[i]]);
}

static int colour(const struct watch_row *row)
{
	switch (hb_level(&row->reading)) {
	case HB_CRITICAL:
		return COLOR_PAIR(2) | A_BOLD;
	case HB_WARNING:
	case HB_UNKNOWN:
		return COLOR_PAIR(1);
	default:
		return !strcmp(text_of(row, HB_FILE_STATE), "detached") ? A_DIM : 0;
	}
}

/* How wide the name and the gaps are. */
static int name_columns(void)
{
	int columns = COLS - FIXED_COLUMNS - GAP_COLUMNS - 1;

	return columns < 8 ? 8 : columns > HB_UUID_LEN ? HB_UUID_LEN : columns;
}

static void draw_row(const struct watch *watch, const struct watch_row *row, int y)
{
	int name = name_columns(), gaps = name + 1 + FIXED_COLUMNS;
	char age[HB_TIME_LEN] = "-";

	if (hb_has(&row->reading, HB_FILE_LAST_BEAT))
		hb_format_time(age, hb_number(&row->reading, HB_FILE_LAST_BEAT));
	attron(colour(row));
	mvaddnstr(y, 0, name_of(row), name);
	mvprintw(y, name + 1, "%-12.12s %-13.13s %9.9s %5" PRIu64 "%s",
		 text_of(row, HB_FILE_STATE), text_of(row, HB_FILE_CAUSE), age,
		 hb_number(&row->reading, HB_FILE_OUTAGES),
		 hb_number(&row->reading, HB_FILE_MUTE) ? "m" : " ");
	attrset(0);
	move(y, gaps);
	if (COLS > gaps)
		draw_gaps(watch, row, COLS - gaps < WATCH_GAPS ? COLS - gaps : WATCH_GAPS);
}

/**
 * watch_draw - draw the table
 * @watch: the table
 */
void watch_draw(struct watch *watch)
{
	int page = page_lines();

	if (watch->top + page > watch->nr_shown)
		watch->top = watch->nr_shown > (size_t)page ? watch->nr_shown - page : 0;
	erase();
	draw_summary(watch);
	attron(A_REVERSE);
	mvhline(1, 0, ' ', COLS);
	mvprintw(1, 0, "%-*s %-12s %-13s %9s %5s  %s", name_columns(), "VM", "STATE", "CAUSE",
		 "LAST BEAT", "OUT", "GAPS");
	attrset(0);
	for (int i = 0; i < page && watch->top + i < watch->nr_shown; i++)
		draw_row(watch, &watch->rows[watch->shown[watch->top + i]], HEAD_LINES + i);
	mvaddnstr(LINES - 1, 0, watch->typing ?
		  "type what must be in name, UUID, state or cause; Enter keeps it, Esc clears it" :
		  "q quit  / filter  p problems  sort: s state, n name, a age, o outages  arrows",
		  COLS);
	refresh();
}

/* Type at the filter. */
static void type_key(struct watch *watch, int key)
{
	size_t len = strlen(watch->filter);

	if (key == '\n' || key == KEY_ENTER) {
		watch->typing = false;
	} else if (key == 27) {
		watch->typing = false;
		*watch->filter = '\0';
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		if (len)
			watch->filter[len - 1] = '\0';
	} else if (key < 256 && isprint(key) && len + 1 < sizeof(watch->filter)) {
		watch->filter[len] = key;
		watch->filter[len + 1] = '\0';
	}
}

static void scroll_by(struct watch *watch, long lines)
{
	if (lines < 0 && watch->top < (size_t)-lines)
		watch->top = 0;
	else
		watch->top += lines;
}

/**
 * watch_key - do what a key asks for
 * @watch: the table
 * @key: as of getch(3)
 *
 * Return: false to end.
 */
bool watch_key(struct watch *watch, int key)
{
	if (watch->typing) {
		type_key(watch, key);
		return true;
	}
	switch (key) {
	case 'q':
		return false;
	case '/':
		watch->typing = true;
		break;
	case 'p':
		watch->problems = !watch->problems;
		break;
	case 's':
		watch->sort = WATCH_BY_STATE;
		break;
	case 'n':
		watch->sort = WATCH_BY_NAME;
		break;
	case 'a':
		watch->sort = WATCH_BY_AGE;
		break;
	case 'o':
		watch->sort = WATCH_BY_OUTAGES;
		break;
	case KEY_UP:
		scroll_by(watch, -1);
		break;
	case KEY_DOWN:
		scroll_by(watch, 1);
		break;
	case KEY_PPAGE:
		scroll_by(watch, -page_lines());
		break;
	case KEY_NPAGE:
		scroll_by(watch, page_lines());
		break;
	case KEY_HOME:
		watch->top = 0;
		break;
	case KEY_END:
		watch->top = watch->nr_shown;
		break;
	}
	return true;
}
