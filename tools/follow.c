// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

#include "follow.h"

#define SYSTEM	"kvm_heartbeat"

struct hb_follow {
	struct tracefs_instance *instance;
	struct tep_handle *tep;
	int pipe;		/* only polled: it is readable while any CPU has an event */
	void (*handle)(const struct hb_event *event, void *context);
	void *context;
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

static int on_record(struct tep_event *event, struct tep_record *record, int cpu, void *data)
{
	struct hb_follow *follow = data;
	struct hb_event told = {
		.name = event->name,
		.clock_ns = record->ts,
		.lost = record->missed_events,
		.last_beat_ns = number(event, record, "last_beat_ns"),
		.run_ns = number(event, record, "run_ns"),
	};

	(void)cpu;
	copy_word(event, record, "vm", told.vm);
	copy_word(event, record, "cause", told.cause);
	copy_word(event, record, "old", told.old);
	copy_word(event, record, "new", told.new);
	copy_word(event, record, "step", told.step);
	copy_word(event, record, "result", told.result);
	follow->handle(&told, follow->context);
	return 0;
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
	if (follow->pipe < 0)
		return "trace_pipe cannot be opened: see whether /sys/kernel/tracing works";
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
 * hb_follow_read - handle all events that have happened
 * @follow: what is followed
 * @handle: called for each, in their order
 * @context: passed to @handle
 *
 * Does not wait.
 *
 * Return: 0, or a negative errno.
 */
int hb_follow_read(struct hb_follow *follow,
		   void (*handle)(const struct hb_event *event, void *context), void *context)
{
	follow->handle = handle;
	follow->context = context;
	errno = 0;
	if (!tracefs_iterate_raw_events(follow->tep, follow->instance, NULL, 0, on_record, follow))
		return 0;
	return errno ? -errno : -EIO;
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
	tep_free(follow->tep);
	tracefs_instance_destroy(follow->instance);
	tracefs_instance_free(follow->instance);
	free(follow);
}
