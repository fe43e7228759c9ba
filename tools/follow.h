/* SPDX-License-Identifier: GPL-2.0 */
/* Transitions and actions as they happen, by trace events of an own instance. For root. */
#ifndef HB_FOLLOW_H
#define HB_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HB_WORD_LEN	40	/* of a UUID or a word, and its end */

/**
 * struct hb_event - a trace event (Documentation/tracing.rst)
 * @name: state, action, attach, detach, ...
 * @vm: UUID of the monitor
 * @clock_ns: when, on the monotonic clock
 * @lost: how many events were lost before it; -1: some
 * @cause: of states and actions
 * @old: state before
 * @new: state after
 * @last_beat_ns: of states: time since the last beat
 * @run_ns: of states: the part of it in which the guest could have beaten
 * @step: of actions
 * @result: of actions: what came of it
 *
 * Words of other events are empty, numbers 0.
 */
struct hb_event {
	const char *name;
	char vm[HB_WORD_LEN];
	uint64_t clock_ns;
	long long lost;
	char cause[HB_WORD_LEN];
	char old[HB_WORD_LEN];
	char new[HB_WORD_LEN];
	uint64_t last_beat_ns;
	uint64_t run_ns;
	char step[HB_WORD_LEN];
	char result[HB_WORD_LEN];
};

struct hb_follow;

struct hb_follow *hb_follow_open(const char *instance, const char * const *events,
				 const char **why);
int hb_follow_fd(const struct hb_follow *follow);
int hb_follow_read(struct hb_follow *follow,
		   void (*handle)(const struct hb_event *event, void *context), void *context);
bool hb_follow_lives(const struct hb_follow *follow);
void hb_follow_close(struct hb_follow *follow);

#endif /* HB_FOLLOW_H */
