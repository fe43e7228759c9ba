/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a monitor says of its guest, and how to wait for it
 */
#ifndef REPORTS_H
#define REPORTS_H

#include <stdbool.h>

#include "device.h"
#include "monitor.h"

/* Long enough for any emulated machine; only a failure waits for it. */
#define PATIENCE_MS 120000

double now_s(void);

/* The files in sysfs. What attr_path() and attr_text() return is a thread's until its next call. */
char *attr_path(struct monitor *m, const char *name);
int attr_set(struct monitor *m, const char *name, const char *text);
char *attr_text(struct monitor *m, const char *name);
__u64 attr(struct monitor *m, const char *name);

bool is(struct monitor *m, const char *state, const char *cause);
bool becomes(struct monitor *m, const char *name, const char *text);
bool lives_until(struct monitor *m, struct page *page, unsigned int pulsing, bool rings,
		 const char *name, const char *text);
bool judged_by(struct monitor *m, __u64 *silence_ns, __u64 *run_ns);

int log_open(void);
unsigned int log_lines(int fd, const char *needle);

int uevent_socket(void);
bool uevent_next(int fd, struct monitor *m, char *buf, size_t size);

#endif
