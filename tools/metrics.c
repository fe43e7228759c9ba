// SPDX-License-Identifier: GPL-2.0
/*
 * Two formats: OpenMetrics 1.0, and the older text format, which node_exporter's textfile collector
 * reads. The older one knows no info, no stateset and no unit, and calls counters by their whole
 * name. The names are ABI.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "http.h"
#include "metrics.h"
#include "out.h"
#include "words.h"

#define PREFIX	"kvm_heartbeat"
#define NS	1000000000u

enum type { GAUGE, COUNTER };

/* What a family has of each monitor: a file, in its base unit. */
static const struct family {
	const char *name;
	enum type type;
	enum hb_file file;
	const char *unit;
	const char *help;
} families[] = {
	{ "last_beat_age_seconds", GAUGE, HB_FILE_LAST_BEAT, "seconds",
	  "Time since the last beat." },
	{ "interval_seconds", GAUGE, HB_FILE_INTERVAL, "seconds",
	  "How often the guest has to beat." },
	{ "timeout_seconds", GAUGE, HB_FILE_TIMEOUT, "seconds",
	  "Silence that makes the guest unresponsive, of the time in which it could beat." },
	{ "suspicion_ratio", GAUGE, HB_FILE_SUSPICION, "ratio",
	  "How unlikely the present silence is: phi, the negative decimal logarithm." },
	{ "stale_vcpus", GAUGE, HB_FILE_STALE_VCPUS, NULL,
	  "CPUs of the guest that are stale." },
	{ "mute_seconds", GAUGE, HB_FILE_MUTE, "seconds",
	  "For how long nothing will be announced or done." },
	{ "beats", COUNTER, HB_FILE_BEATS, NULL,
	  "Beats that arrived." },
	{ "missed_beats", COUNTER, HB_FILE_MISSED, NULL,
	  "Beats that were due and did not come." },
	{ "outages", COUNTER, HB_FILE_OUTAGES, NULL,
	  "How often the guest became unresponsive." },
	{ "downtime_seconds", COUNTER, HB_FILE_DOWNTIME, "seconds",
	  "How long all outages were together." },
	{ "boots", COUNTER, HB_FILE_BOOTS, NULL,
	  "Kernels of the guest that have armed." },
	{ "panics", COUNTER, HB_FILE_PANICS, NULL,
	  "How often the guest panicked." },
	{ "resets", COUNTER, HB_FILE_RESETS, NULL,
	  "How often the VM was reset after a word of the guest." },
	{ "actions", COUNTER, HB_FILE_ACTIONS, NULL,
	  "Steps that were taken about outages." },
	{ "muted", COUNTER, HB_FILE_MUTED, NULL,
	  "Transitions that were not announced because of a mute." },
};

#define NR_FAMILIES	(sizeof(families) / sizeof(*families))

/* Where the page goes, and in which format. */
struct page {
	FILE *out;
	bool classic;
	const struct hb_fleet *fleet;
};

static void put(const struct page *page, const char *text)
{
	fputs_unlocked(text, page->out);
}

/* The head of a family. Only the classic format has the suffix in it. */
static void put_head(const struct page *page, const char *name, const char *suffix,
		     const char *type, const char *unit, const char *help)
{
	if (!page->classic)
		suffix = "";
	fprintf(page->out, "# TYPE " PREFIX "%s%s %s\n", name, suffix, type);
	if (unit && !page->classic)
		fprintf(page->out, "# UNIT " PREFIX "%s %s\n", name, unit);
	fprintf(page->out, "# HELP " PREFIX "%s%s %s\n", name, suffix, help);
}

static void put_uuid(const struct page *page, size_t which)
{
	put(page, "{uuid=\"");
	put(page, page->fleet->monitors.all[which].uuid);
}

static void put_info(const struct page *page)
{
	put_head(page, "", "_info", page->classic ? "gauge" : "info", NULL,
		 "A monitor, and the name of its VM if the VMM has one.");
	for (size_t i = 0; i < page->fleet->monitors.nr; i++) {
		put(page, PREFIX "_info");
		put_uuid(page, i);
		put(page, "\",vm=");
		hb_out_label(page->out, page->fleet->names[i]);
		put(page, "} 1\n");
	}
}

static void put_word(const struct page *page, const char *family, size_t which, const char *word,
		     bool is)
{
	put(page, family);
	put_uuid(page, which);
	put(page, "\",");
	put(page, family);
	put(page, "=\"");
	put(page, word);
	put(page, is ? "\"} 1\n" : "\"} 0\n");
}

/* All words of a monitor, and the present one even if it is of a newer module. */
static void put_stateset(const struct page *page, const char *name, enum hb_file file,
			 const struct hb_words *words, const char *help)
{
	char family[64];

	put_head(page, name, "", page->classic ? "gauge" : "stateset", NULL, help);
	snprintf(family, sizeof(family), PREFIX "%s", name);
	for (size_t i = 0; i < page->fleet->monitors.nr; i++) {
		const char *now = hb_text(&page->fleet->readings[i], file);
		bool known = false;

		for (size_t word = 0; word < words->nr; word++) {
			bool is = !strcmp(words->all[word], now);

			put_word(page, family, i, words->all[word], is);
			known |= is;
		}
		if (!known && *now)
			put_word(page, family, i, now, true);
	}
}

/* Of a list such as 1,3-5. */
static unsigned int count_cpus(const char *list)
{
	unsigned int nr = 0, first, last;
	int len;

	while (sscanf(list, "%u%n", &first, &len) == 1) {
		list += len;
		last = first;
		if (sscanf(list, "-%u%n", &last, &len) == 1)
			list += len;
		nr += last >= first ? last - first + 1 : 0;
		if (*list++ != ',')
			break;
	}
	return nr;
}

static void put_value(const struct page *page, enum hb_file file, const struct hb_reading *reading)
{
	uint64_t number = hb_number(reading, file);

	switch (hb_files[file].kind) {
	case HB_TIME:
		fprintf(page->out, "%" PRIu64 ".%09u\n", number / NS, (unsigned int)(number % NS));
		break;
	case HB_MILLI:
		fprintf(page->out, "%" PRIu64 ".%03u\n", number / 1000,
			(unsigned int)(number % 1000));
		break;
	case HB_CPUS:
		fprintf(page->out, "%u\n", count_cpus(hb_text(reading, file)));
		break;
	default:
		fprintf(page->out, "%" PRIu64 "\n", number);
	}
}

static void put_family(const struct page *page, const struct family *family)
{
	const char *suffix = family->type == COUNTER ? "_total" : "";
	char name[64];

	snprintf(name, sizeof(name), "_%s", family->name);
	put_head(page, name, suffix, family->type == COUNTER ? "counter" : "gauge", family->unit,
		 family->help);
	for (size_t i = 0; i < page->fleet->monitors.nr; i++) {
		if (!hb_has(&page->fleet->readings[i], family->file))
			continue;
		put(page, PREFIX);
		put(page, name);
		put(page, suffix);
		put_uuid(page, i);
		put(page, "\"} ");
		put_value(page, family->file, &page->fleet->readings[i]);
	}
}

/* Of a host without the module there is no such sample: that is not a host without monitors. */
static void put_monitors(const struct page *page)
{
	put_head(page, "_monitors", "", "gauge", NULL, "Monitors of this host.");
	if (!access("/sys/module/kvm_heartbeat", F_OK))
		fprintf(page->out, PREFIX "_monitors %zu\n", page->fleet->monitors.nr);
}

static int put_page(FILE *out, bool classic)
{
	struct page page = { .out = out, .classic = classic };
	uint64_t files = CTL_SET_HEAD;
	struct hb_fleet fleet;
	int ret;

	for (size_t i = 0; i < NR_FAMILIES; i++)
		files |= UINT64_C(1) << families[i].file;
	ret = ctl_fleet(&fleet, files);
	if (!ret) {
		page.fleet = &fleet;
		put_monitors(&page);
		put_info(&page);
		put_stateset(&page, "_state", HB_FILE_STATE, &hb_states, "State of the guest.");
		put_stateset(&page, "_cause", HB_FILE_CAUSE, &hb_causes, "Cause of the state.");
		for (size_t i = 0; i < NR_FAMILIES; i++)
			put_family(&page, &families[i]);
		if (!classic)
			put(&page, "# EOF\n");
	}
	hb_fleet_free(&fleet);
	return ret;
}

/**
 * hb_metrics_open - write all monitors in OpenMetrics text format 1.0
 * @out: where to
 *
 * Return: 0, or an exit status once the reason was said.
 */
int hb_metrics_open(FILE *out)
{
	return put_page(out, false);
}

/**
 * hb_metrics_textfile - write all monitors in the classic text format
 * @out: where to
 *
 * Return: 0, or an exit status once the reason was said.
 */
int hb_metrics_textfile(FILE *out)
{
	return put_page(out, true);
}

/* ctl_metrics - a page for Prometheus */
int ctl_metrics(int argc, char **argv)
{
	static const struct option options[] = {
		{ "textfile", no_argument, NULL, 't' },
		{ "http", no_argument, NULL, 'H' },
		{ 0 }
	};
	int option, chosen = 0;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == '?' || chosen)
			return ctl_usage(argv[0]);
		chosen = option;
	}
	if (optind < argc)
		return ctl_usage(argv[0]);
	if (chosen == 'H')
		return hb_http_answer(HB_METRICS_OPEN_TYPE, hb_metrics_open);
	return chosen == 't' ? hb_metrics_textfile(stdout) : hb_metrics_open(stdout);
}
