// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "journal.h"

#define ID(name, id)	id,
static const char * const ids[] = { HB_MESSAGES(ID) };
#undef ID

#define FIELDS_MAX	16
#define FIELD_LEN	1024

int hb_journal_dry;

struct entry {
	struct iovec fields[FIELDS_MAX];
	char texts[FIELDS_MAX][FIELD_LEN];
	int nr;
};

static __attribute__((format(printf, 2, 3)))
void add(struct entry *entry, const char *format, ...)
{
	char *text = entry->texts[entry->nr];
	va_list args;

	va_start(args, format);
	vsnprintf(text, FIELD_LEN, format, args);
	va_end(args);
	entry->fields[entry->nr++] = (struct iovec){ text, strlen(text) };
}

static void add_word(struct entry *entry, const char *field, const char *word)
{
	if (word)
		add(entry, "KVM_HEARTBEAT_%s=%s", field, word);
}

/* Whoever runs it by hand reads it; a service's standard error is the journal already. */
static void print(const char *message, int priority)
{
	if (hb_journal_dry)
		printf("%s\n", message);
	else if (!getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", priority, message);
}

/**
 * hb_journal - write an entry
 * @message: its kind
 * @priority: as of syslog(3)
 * @about: its fields, or NULL
 * @format: its text, in which a VM is called by its name or its UUID
 */
void hb_journal(enum hb_message message, int priority, const struct hb_about *about,
		const char *format, ...)
{
	struct entry entry = { .nr = 0 };
	char text[FIELD_LEN - sizeof("MESSAGE=")];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print(text, priority);
	if (hb_journal_dry) {
		fflush(stdout);
		return;
	}
	add(&entry, "MESSAGE=%s", text);
	add(&entry, "MESSAGE_ID=%s", ids[message]);
	add(&entry, "PRIORITY=%d", priority);
	add(&entry, "SYSLOG_IDENTIFIER=heartbeatd");
	if (about) {
		add_word(&entry, "UUID", about->uuid);
		add_word(&entry, "VM", about->vm && *about->vm ? about->vm : NULL);
		add_word(&entry, "STATE", about->state);
		add_word(&entry, "OLD", about->old);
		add_word(&entry, "CAUSE", about->cause);
		add_word(&entry, "POLICY", about->policy);
		add_word(&entry, "STEP", about->step);
		add_word(&entry, "RESULT", about->result);
		if (about->vmm_pid)
			add(&entry, "KVM_HEARTBEAT_VMM_PID=%" PRIu64, about->vmm_pid);
		if (about->clock_ns)
			add(&entry, "KVM_HEARTBEAT_CLOCK_NS=%" PRIu64, about->clock_ns);
	}
	sd_journal_sendv(entry.fields, entry.nr);
}
