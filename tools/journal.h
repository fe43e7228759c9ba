/* SPDX-License-Identifier: GPL-2.0 */
/* What heartbeatd says, as entries of the journal with fields (Documentation/heartbeatd.rst). */
#ifndef HB_JOURNAL_H
#define HB_JOURNAL_H

#include <stdint.h>
#include <syslog.h>

/* One line a kind of entry: its MESSAGE_ID. They are ABI. */
#define HB_MESSAGES(message) \
	message(TRANSITION, "23af5c18b1854e7d88cf9bccdd247a09") \
	message(ACTION, "8e850ecd410a4848879c595b604c2c80") \
	message(STEP, "71dd10c4d7e74f64b85d2e546c30f557") \
	message(LIMIT, "db9445131757419da4dcad576d3db87d") \
	message(MISSED, "ac2d42e965304c93854cefb914548e35")

#define HB_MESSAGE(name, id)	HB_MESSAGE_##name,
enum hb_message { HB_MESSAGES(HB_MESSAGE) HB_NR_MESSAGES };
#undef HB_MESSAGE

/* What an entry is about. What is NULL or 0 is left out. */
struct hb_about {
	const char *uuid;
	const char *vm;
	const char *state;
	const char *old;
	const char *cause;
	const char *policy;
	const char *step;
	const char *result;
	uint64_t vmm_pid;
	uint64_t clock_ns;	/* when, on the monotonic clock, if not now */
};

/* Whether entries go to standard output alone. */
extern int hb_journal_dry;

void hb_journal(enum hb_message message, int priority, const struct hb_about *about,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif /* HB_JOURNAL_H */
