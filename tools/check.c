// SPDX-License-Identifier: GPL-2.0
/* A monitoring plugin: a line of text, a bar, performance data; 0 to 3 as exit status. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "level.h"
#include "units.h"

static const char * const level_words[HB_NR_LEVELS] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* A line that is read by people: the rest is counted. */
#define MAX_NAMED	10

struct tally {
	unsigned int nr[HB_NR_LEVELS];
	unsigned int muted;
	unsigned int listed;
	char text[4096];
	char data[4096];
};

/* Append as far as there is room: half an item would be worse than none. */
static void append(char *buf, size_t size, const char *text)
{
	size_t len = strlen(buf);

	if (len + strlen(text) < size)
		memcpy(buf + len, text, strlen(text) + 1);
}

/* What divides the parts of a plugin's output may not be in a name. */
static void copy_name(char to[HB_NAME_LEN], const char *name)
{
	snprintf(to, HB_NAME_LEN, "%s", name);
	for (; *to; to++) {
		if (strchr("|'=", *to))
			*to = '_';
	}
}

static void count(struct tally *tally, const struct hb_fleet *fleet, size_t which)
{
	const struct hb_reading *reading = &fleet->readings[which];
	enum hb_level level = hb_level(reading);
	char name[HB_NAME_LEN], item[512], age[HB_TIME_LEN];

	if (level != HB_OK && hb_number(reading, HB_FILE_MUTE)) {
		tally->muted++;
		level = HB_OK;
	}
	tally->nr[level]++;
	if (level == HB_OK || tally->listed++ >= MAX_NAMED)
		return;
	copy_name(name, ctl_name(fleet, which));
	snprintf(item, sizeof(item), "%s%s is %s (%s)", tally->listed > 1 ? ", " : "", name,
		 hb_text(reading, HB_FILE_STATE), hb_text(reading, HB_FILE_CAUSE));
	if (hb_has(reading, HB_FILE_LAST_BEAT))
		snprintf(item + strlen(item), sizeof(item) - strlen(item), " last beat %s ago",
			 hb_format_time(age, hb_number(reading, HB_FILE_LAST_BEAT)));
	append(tally->text, sizeof(tally->text), item);
}

/* Of a VM that was asked for by name, also how old its last beat is. */
static void measure(struct tally *tally, const struct hb_fleet *fleet, size_t which)
{
	const struct hb_reading *reading = &fleet->readings[which];
	uint64_t ns = hb_number(reading, HB_FILE_LAST_BEAT);
	char name[HB_NAME_LEN], item[512];

	if (!hb_has(reading, HB_FILE_LAST_BEAT))
		return;
	copy_name(name, ctl_name(fleet, which));
	snprintf(item, sizeof(item), " '%s last beat'=%" PRIu64 ".%03us;;;0", name,
		 ns / 1000000000, (unsigned int)(ns / 1000000 % 1000));
	append(tally->data, sizeof(tally->data), item);
}

static enum hb_level worst(const struct tally *tally)
{
	static const enum hb_level order[] = { HB_CRITICAL, HB_WARNING, HB_UNKNOWN };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (tally->nr[order[i]])
			return order[i];
	}
	return HB_OK;
}

static int report(const struct tally *tally, unsigned int total)
{
	enum hb_level level = worst(tally);

	if (!total) {
		puts("HEARTBEAT UNKNOWN: there is no monitor here: load kvm_heartbeat, make one");
		return HB_UNKNOWN;
	}
	printf("HEARTBEAT %s: %u of %u well", level_words[level], tally->nr[HB_OK] - tally->muted,
	       total);
	if (tally->muted)
		printf(", %u muted", tally->muted);
	if (*tally->text)
		printf(", %s", tally->text);
	if (tally->listed > MAX_NAMED)
		printf(", and %u more", tally->listed - MAX_NAMED);
	printf(" | ok=%u;;;0;%u warning=%u;;;0;%u critical=%u;;;0;%u unknown=%u;;;0;%u%s\n",
	       tally->nr[HB_OK], total, tally->nr[HB_WARNING], total, tally->nr[HB_CRITICAL], total,
	       tally->nr[HB_UNKNOWN], total, tally->data);
	return level;
}

/* A VM that is not there is a result, too, not an error of the plugin. */
static void count_named(struct tally *tally, struct hb_fleet *fleet, const char *word)
{
	char name[HB_NAME_LEN], item[HB_NAME_LEN + 64];
	size_t which;

	if (ctl_match(fleet, word, &which) == HB_MATCH_ONE) {
		count(tally, fleet, which);
		measure(tally, fleet, which);
		return;
	}
	tally->nr[HB_UNKNOWN]++;
	if (tally->listed++ >= MAX_NAMED)
		return;
	copy_name(name, word);
	snprintf(item, sizeof(item), "%sthere is no VM %s, or more than one",
		 tally->listed > 1 ? ", " : "", name);
	append(tally->text, sizeof(tally->text), item);
}

/* ctl_check - all VMs, or those that are named, as a monitoring plugin */
int ctl_check(int argc, char **argv)
{
	struct tally tally = { 0 };
	struct hb_fleet fleet;
	int ret = ctl_no_options(argc, argv, 0, -1);

	if (ret)
		return HB_UNKNOWN;
	ret = hb_fleet_read(&fleet, CTL_SET_HEAD | HB_SET(LAST_BEAT) | HB_SET(MUTE)) ?:
	      hb_fleet_name(&fleet);
	if (ret) {
		printf("HEARTBEAT UNKNOWN: the monitors cannot be found: %s\n", strerror(-ret));
		hb_fleet_free(&fleet);
		return HB_UNKNOWN;
	}
	for (int i = optind; i < argc; i++)
		count_named(&tally, &fleet, argv[i]);
	for (size_t i = 0; optind == argc && i < fleet.monitors.nr; i++)
		count(&tally, &fleet, i);
	ret = report(&tally, optind < argc ? (unsigned int)(argc - optind) :
		     (unsigned int)fleet.monitors.nr);
	hb_fleet_free(&fleet);
	return ret;
}
