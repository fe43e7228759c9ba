// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kbuffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

#include "follow.h"
#include "units.h"

#define SYSTEM	"kvm_heartbeat"

/* In a row: a guest that changes its word without end makes events faster than they are handled. */
#define EVENTS_MAX	256

/* The events of a CPU, a page at a time. */
struct ring {
	struct tracefs_cpu *cpu;
	struct kbuffer *page;
	void *buf;
	bool loaded;
	struct tep_event *event;	/* the next one, or NULL */
	struct tep_record record;
};

struct hb_follow {
	struct tracefs_instance *instance;
	struct tep_handle *tep;
	int pipe;		/* only polled: it is readable while any CPU has an event */
	struct ring *rings;
	size_t nr_rings;
};

static void copy_word(struct tep_event *event, struct tep_record *record, const char *field,
		      char to[HB_WORD_LEN])
{
	int len = 0;
	const char *word = tep_get_field_raw(NULL, event, field, record, &len, 0);

	/* An array of fixed size, filled up with zeros. */
	if (!word || len < 0)
		len = 0;
	if (len > HB_WORD_LEN - 1)
		len = HB_WORD_LEN - 1;
	if (len)
		memcpy(to, word, len);
	to[len] = '\0';
}

static uint64_t number(struct tep_event *event, struct tep_record *record, const char *field)
{
	unsigned long long value;

	return tep_get_field_val(NULL, event, field, record, &value, 0) ? 0 : value;
}

static void tell(struct ring *ring,
		 void (*handle)(const struct hb_event *event, void *context), void *context)
{
	struct tep_record *record = &ring->record;
	struct tep_event *event = ring->event;
	struct hb_event told = {
		.name = event->name,
		.clock_ns = record->ts,
		.lost = record->missed_events,
		.last_beat_ns = number(event, record, "last_beat_ns"),
		.run_ns = number(event, record, "run_ns"),
	};

	copy_word(event, record, "vm", told.vm);
	copy_word(event, record, "cause", told.cause);
	copy_word(event, record, "old", told.old);
	copy_word(event, record, "new", told.new);
	copy_word(event, record, "step", told.step);
	copy_word(event, record, "result", told.result);
	handle(&told, context);
}

/*
 * ENODEV: there may be such a CPU, but it has never been online; should it come, its events will,
 * too. Return: 1, 0 if there is none, or a negative errno.
 */
static int load_page(struct ring *ring)
{
	int ret = tracefs_cpu_read(ring->cpu, ring->buf, true);

	if (ret <= 0)
		return ret && errno != EAGAIN && errno != ENODEV ? -errno : 0;
	return kbuffer_load_subbuffer(ring->page, ring->buf) ? -EIO : 1;
}

/* Have the next event of a CPU, if there is one. Return: 0, or a negative errno. */
static int load_event(struct hb_follow *follow, struct ring *ring)
{
	unsigned long long clock_ns;
	void *data;
	int ret;

	ring->event = NULL;
	while (!ring->event) {
		data = ring->loaded ? kbuffer_read_event(ring->page, &clock_ns) : NULL;
		if (!data) {
			ret = load_page(ring);
			ring->loaded = ret > 0;
			if (ret <= 0)
				return ret;
			continue;
		}
		ring->record = (struct tep_record){
			.ts = clock_ns,
			.data = data,
			.size = kbuffer_event_size(ring->page),
			.missed_events = kbuffer_missed_events(ring->page),
		};
		ring->event = tep_find_event_by_record(follow->tep, &ring->record);
		kbuffer_next_event(ring->page, NULL);
	}
	return 0;
}

static struct ring *oldest(const struct hb_follow *follow)
{
	struct ring *found = NULL;

	for (size_t i = 0; i < follow->nr_rings; i++) {
		struct ring *ring = &follow->rings[i];

		if (ring->event && (!found || ring->record.ts < found->record.ts))
			found = ring;
	}
	return found;
}

static bool add_ring(struct hb_follow *follow, int cpu)
{
	struct ring *rings = realloc(follow->rings, (follow->nr_rings + 1) * sizeof(*rings));
	struct ring *ring;
	char path[64];
	int fd;

	if (!rings)
		return false;
	follow->rings = rings;
	ring = &rings[follow->nr_rings];
	/* tracefs_cpu_open() would leave it open for whoever is executed. */
	snprintf(path, sizeof(path), "per_cpu/cpu%d/trace_pipe_raw", cpu);
	fd = tracefs_instance_file_open(follow->instance, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	*ring = (struct ring){
		.cpu = tracefs_cpu_alloc_fd(fd, tep_get_sub_buffer_size(follow->tep), true),
	};
	if (!ring->cpu) {
		close(fd);
		return false;
	}
	follow->nr_rings++;
	ring->page = tep_kbuffer(follow->tep);
	ring->buf = malloc(tracefs_cpu_read_size(ring->cpu));
	return ring->page && ring->buf;
}

/* Each CPU that there may ever be has one. */
static bool open_rings(struct hb_follow *follow)
{
	char *path = tracefs_instance_get_file(follow->instance, "per_cpu");
	DIR *folder = path ? opendir(path) : NULL;
	struct dirent *entry;
	bool opened = folder;
	int cpu;

	tracefs_put_tracing_file(path);
	while (opened && (entry = readdir(folder))) {
		if (sscanf(entry->d_name, "cpu%d", &cpu) == 1)
			opened = add_ring(follow, cpu);
	}
	if (folder)
		closedir(folder);
	return opened;
}

static void close_rings(struct hb_follow *follow)
{
	for (size_t i = 0; i < follow->nr_rings; i++) {
		tracefs_cpu_close(follow->rings[i].cpu);
		kbuffer_free(follow->rings[i].page);
		free(follow->rings[i].buf);
	}
	free(follow->rings);
}

/* What cannot be done, or NULL. */
static const char *prepare(struct hb_follow *follow, const char * const *events)
{
	static const char * const systems[] = { SYSTEM, NULL };
	struct tracefs_instance *instance = follow->instance;

	follow->tep = tracefs_local_events_system(NULL, systems);
	if (!follow->tep || !tep_find_event_by_name(follow->tep, SYSTEM, *events))
		return "there are no trace events of kvm_heartbeat: load the module";
	/* Wake up for one event, not for half a buffer. */
	if (tracefs_instance_file_write(instance, "trace_clock", "mono") < 0 ||
	    tracefs_instance_file_write(instance, "buffer_percent", "0") < 0)
		return "the trace instance cannot be set up: see whether /sys/kernel/tracing works";
	follow->pipe = tracefs_instance_file_open(instance, "trace_pipe", O_RDONLY | O_CLOEXEC);
	if (follow->pipe < 0 || !open_rings(follow))
		return "the trace cannot be opened: see whether memory or files are short";
	for (; *events; events++) {
		if (tracefs_event_enable(instance, SYSTEM, *events))
			return "a trace event cannot be enabled: load kvm_heartbeat";
	}
	return NULL;
}

/**
 * hb_follow_open - begin to follow trace events
 * @instance: name of the trace instance, which nobody else uses
 * @events: names of the events, and NULL
 * @why: if it fails, what was wrong and what to do
 *
 * Return: what hb_follow_close() ends, or NULL.
 */
struct hb_follow *hb_follow_open(const char *instance, const char * const *events,
				 const char **why)
{
	struct hb_follow *follow = calloc(1, sizeof(*follow));

	*why = "out of memory";
	if (!follow)
		return NULL;
	follow->pipe = -1;
	follow->instance = tracefs_instance_create(instance);
	if (!follow->instance) {
		*why = geteuid() ? "trace events need root: run it as root" :
		       "no trace instance can be made: mount tracefs on /sys/kernel/tracing";
		free(follow);
		return NULL;
	}
	*why = prepare(follow, events);
	if (!*why)
		return follow;
	hb_follow_close(follow);
	return NULL;
}

/**
 * hb_follow_fd - what to wait for
 * @follow: what is followed
 *
 * Return: a file descriptor that answers poll(2) with %POLLIN while there are events. Only
 * hb_follow_read() reads it.
 */
int hb_follow_fd(const struct hb_follow *follow)
{
	return follow->pipe;
}

/**
 * hb_follow_read - handle the events that have happened
 * @follow: what is followed
 * @handle: called for each, in their order
 * @context: passed to @handle
 *
 * Does not wait, and comes to an end while events come without end. What hb_follow_fd() answers
 * says nothing of those that are left. An event that comes meanwhile is left: one that is older may
 * have come to a CPU that was looked at before it.
 *
 * Return: 0 if none is left, 1 if those that came meanwhile are, 2 if there were too many, or a
 * negative errno.
 */
int hb_follow_read(struct hb_follow *follow,
		   void (*handle)(const struct hb_event *event, void *context), void *context)
{
	uint64_t now_ns = hb_clock_ns();
	struct ring *ring;
	int ret = 0;

	for (size_t i = 0; i < follow->nr_rings && !ret; i++) {
		if (!follow->rings[i].event)
			ret = load_event(follow, &follow->rings[i]);
	}
	for (int i = 0; i < EVENTS_MAX && !ret; i++) {
		ring = oldest(follow);
		if (!ring)
			return 0;
		if (ring->record.ts > now_ns)
			return 1;
		tell(ring, handle, context);
		ret = load_event(follow, ring);
	}
	return ret ?: 2;
}

/**
 * hb_follow_lives - whether events can still come
 * @follow: what is followed
 *
 * A module that is unloaded takes its events along, and says nothing. One that is loaded again has
 * others, which are off.
 *
 * Return: true if they can.
 */
bool hb_follow_lives(const struct hb_follow *follow)
{
	char *on = tracefs_instance_file_read(follow->instance, "events/" SYSTEM "/enable", NULL);
	bool lives = on && *on != '0';

	free(on);
	return lives;
}

/**
 * hb_follow_close - end it, and remove the instance
 * @follow: what was followed
 */
void hb_follow_close(struct hb_follow *follow)
{
	/* An instance that is read is busy. */
	if (follow->pipe >= 0)
		close(follow->pipe);
	close_rings(follow);
	tep_free(follow->tep);
	tracefs_instance_destroy(follow->instance);
	tracefs_instance_free(follow->instance);
	free(follow);
}
