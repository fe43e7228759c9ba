// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "follow.h"
#include "known.h"
#include "out.h"
#include "units.h"

#define SEC	UINT64_C(1000000000)
#define LOOK_MS	10000	/* after this without an event, whether there can be any */

struct events {
	bool json;
	struct hb_known known;
	char (*wanted)[HB_UUID_LEN + 1];	/* or none for all */
	size_t nr_wanted;
};

/* A time of the monotonic clock, by the wall's as it is now. */
static void format_clock(char *buf, size_t size, uint64_t clock_ns, bool utc)
{
	struct timespec real;
	struct tm tm;
	uint64_t ns;
	size_t len;
	time_t s;

	clock_gettime(CLOCK_REALTIME, &real);
	ns = real.tv_sec * SEC + real.tv_nsec - (hb_clock_ns() - clock_ns);
	s = ns / SEC;
	if (utc)
		gmtime_r(&s, &tm);
	else
		localtime_r(&s, &tm);
	len = strftime(buf, size, utc ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &tm);
	snprintf(buf + len, size - len, ".%06u%s", (unsigned int)(ns % SEC / 1000), utc ? "Z" : "");
}

static bool is_wanted(const struct events *events, const char *uuid)
{
	for (size_t i = 0; i < events->nr_wanted; i++) {
		if (!strcmp(events->wanted[i], uuid))
			return true;
	}
	return !events->nr_wanted;
}

static void put_field(const char *name, const char *value)
{
	printf(",\"%s\":", name);
	hb_out_json(stdout, value);
}

static void put_json(const struct hb_event *event, const char *vm_name)
{
	char clock[64];

	format_clock(clock, sizeof(clock), event->clock_ns, true);
	printf("{\"time\":\"%s\"", clock);
	put_field("event", event->name);
	put_field("uuid", event->vm);
	put_field("vm", vm_name);
	if (!strcmp(event->name, "action")) {
		put_field("step", event->step);
		put_field("cause", event->cause);
		put_field("result", event->result);
	} else {
		put_field("old", event->old);
		put_field("new", event->new);
		put_field("cause", event->cause);
		printf(",\"last_beat_ns\":%" PRIu64 ",\"run_ns\":%" PRIu64, event->last_beat_ns,
		       event->run_ns);
	}
	puts("}");
}

static void put_text(const struct hb_event *event, const char *vm_name)
{
	char clock[64], age[HB_TIME_LEN];

	format_clock(clock, sizeof(clock), event->clock_ns, false);
	printf("%s %s: ", clock, *vm_name ? vm_name : event->vm);
	if (!strcmp(event->name, "action")) {
		printf("action %s (%s): %s\n", event->step, event->cause, event->result);
		return;
	}
	printf("%s -> %s (%s)", event->old, event->new, event->cause);
	if (event->last_beat_ns)
		printf(", last beat %s before", hb_format_time(age, event->last_beat_ns));
	putchar('\n');
}

static void put_lost(const struct events *events, long long lost)
{
	if (events->json)
		printf("{\"event\":\"lost\",\"events\":%lld}\n", lost > 0 ? lost : 0);
	else
		puts("events were lost here: there were more than could be followed");
}

static void on_event(const struct hb_event *event, void *context)
{
	struct events *events = context;

	if (event->lost)
		put_lost(events, event->lost);
	if (!is_wanted(events, event->vm))
		return;
	if (events->json)
		put_json(event, hb_known_name(&events->known, event->vm));
	else
		put_text(event, hb_known_name(&events->known, event->vm));
}

/* Those who read JSON also want to know where the states begin. */
static void put_present(const struct events *events, const struct hb_fleet *fleet)
{
	char clock[64];

	for (size_t i = 0; i < fleet->monitors.nr; i++) {
		const struct hb_reading *reading = &fleet->readings[i];
		const char *uuid = fleet->monitors.all[i].uuid;

		if (!is_wanted(events, uuid))
			continue;
		format_clock(clock, sizeof(clock), hb_clock_ns(), true);
		printf("{\"time\":\"%s\"", clock);
		put_field("event", "present");
		put_field("uuid", uuid);
		put_field("vm", fleet->names[i]);
		put_field("new", hb_text(reading, HB_FILE_STATE));
		put_field("cause", hb_text(reading, HB_FILE_CAUSE));
		puts("}");
	}
}

/* States are read once events are followed: between both, nothing is lost. */
static int begin(struct events *events)
{
	struct hb_fleet fleet;
	int ret = ctl_fleet(&fleet, CTL_SET_HEAD);

	if (!ret)
		hb_known_fill(&events->known, &fleet);
	if (!ret && events->json)
		put_present(events, &fleet);
	fflush(stdout);
	hb_fleet_free(&fleet);
	return ret;
}

/* Until a signal comes, or nobody reads any more. */
static int follow_all(struct events *events, struct hb_follow *follow, int signals)
{
	struct pollfd fds[] = {
		{ .fd = hb_follow_fd(follow), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};
	bool more = false;
	int ret;

	while (!ferror(stdout)) {
		ret = poll(fds, 3, more ? 0 : LOOK_MS);
		if (ret < 0 && errno != EINTR) {
			ctl_error("poll: %m");
			return 1;
		}
		if (ret < 0)
			continue;
		if (!ret && !more && !hb_follow_lives(follow)) {
			ctl_error("kvm_heartbeat was unloaded: load it, and start this again");
			return 1;
		}
		ret = hb_follow_read(follow, on_event, events);
		more = ret > 0;
		if (ret < 0) {
			errno = -ret;
			ctl_error("trace events cannot be read any more: %m; was the module unloaded?");
			return 1;
		}
		fflush(stdout);
		if (fds[1].revents || fds[2].revents & (POLLERR | POLLNVAL))
			break;
	}
	return 0;
}

static int follow(struct events *events)
{
	static const char * const names[] = { "state", "action", NULL };
	struct hb_follow *follow;
	char instance[32];
	sigset_t ends;
	const char *why;
	int signals, ret;

	/* Whatever ends it, the instance has to be removed. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &ends, SFD_CLOEXEC);

	snprintf(instance, sizeof(instance), "heartbeatctl-%d", getpid());
	follow = hb_follow_open(instance, names, &why);
	if (!follow) {
		ctl_error("%s", why);
		close(signals);
		return 1;
	}
	ret = begin(events);
	if (!ret)
		ret = follow_all(events, follow, signals);
	hb_follow_close(follow);
	close(signals);
	return ret;
}

/* The UUIDs of those that are asked for, which stay theirs. */
static int choose(struct events *events, int nr, char **words)
{
	struct hb_fleet fleet;
	size_t which;
	int ret = ctl_fleet(&fleet, CTL_SET_HEAD);

	events->wanted = calloc(nr + 1, sizeof(*events->wanted));
	if (!events->wanted) {
		ctl_error("out of memory");
		ret = 1;
	}
	for (int i = 0; !ret && i < nr; i++) {
		ret = ctl_pick(&fleet, words[i], &which);
		if (!ret)
			memcpy(events->wanted[events->nr_wanted++], fleet.monitors.all[which].uuid,
			       HB_UUID_LEN + 1);
	}
	hb_fleet_free(&fleet);
	return ret;
}

/* ctl_events - follow transitions and actions */
int ctl_events(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 }
	};
	struct events events = { 0 };
	int option, ret;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option != 'j')
			return ctl_usage(argv[0]);
		events.json = true;
	}
	ret = choose(&events, argc - optind, argv + optind);
	if (!ret)
		ret = follow(&events);
	free(events.wanted);
	hb_known_free(&events.known);
	return ret;
}
