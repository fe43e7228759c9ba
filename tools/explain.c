// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "libvirt.h"
#include "units.h"
#include "words.h"

#define INDENT	13
#define WIDTH	79

/* Write a paragraph, broken into lines, behind a head that stands alone at the left. */
static void say(const char *head, const char *text)
{
	size_t at = INDENT, len;

	printf("%-*s", INDENT, head);
	for (; *text; text += len, text += *text == ' ') {
		len = strcspn(text, " ");
		if (at > INDENT && at + 1 + len > WIDTH) {
			printf("\n%*s", INDENT, "");
			at = INDENT;
		} else if (at > INDENT) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)len, text);
		at += len;
	}
	putchar('\n');
}

static void explain_verdict(const char *state, const char *cause)
{
	const struct hb_text *of_state = hb_explain_state(state);
	const struct hb_text *of_cause = hb_explain_cause(state, cause);
	char text[1024];

	if (!of_state || !of_cause) {
		say("", "This heartbeatctl is older than the module, and does not know these words.");
		say("To do:", "Read causes.rst of the module's version, or install its heartbeatctl.");
		return;
	}
	snprintf(text, sizeof(text), "%s %s", of_state->means, of_cause->means);
	say("", text);
	say("To do:", of_cause->todo);
}

/* The value of a field in a line of the file evidence, or an empty text. */
static const char *field(const char *line, const char *name, char buf[HB_NAME_LEN])
{
	size_t len = strlen(name);

	*buf = '\0';
	for (; line; line = strchr(line, ' '), line += !!line) {
		if (!strncmp(line, name, len) && line[len] == '=') {
			snprintf(buf, HB_NAME_LEN, "%.*s", (int)strcspn(line + len + 1, " "),
				 line + len + 1);
			break;
		}
	}
	return buf;
}

static uint64_t field_number(const char *line, const char *name)
{
	char buf[HB_NAME_LEN];

	return strtoull(field(line, name, buf), NULL, 10);
}

/* KVM_EXIT_* of linux/kvm.h, as far as they tell something of a silent guest. */
static const char *exit_reason(uint64_t number)
{
	switch (number) {
	case 0:
		return "";
	case 2:
		return ", after an exit for I/O";
	case 4:
		return ", after an exit for its debugger";
	case 6:
		return ", after an exit for MMIO";
	case 8:
		return ", after a triple fault";
	case 9:
		return ", as KVM could not enter the guest";
	case 10:
		return ", after a signal";
	case 17:
		return ", after an internal error of KVM";
	}
	return ", after an exit for another reason";
}

static const char *task(char letter)
{
	switch (letter) {
	case 'T':
		return ", stopped by a signal";
	case 't':
		return ", stopped by a debugger";
	case 'F':
		return ", frozen";
	case 'D':
		return ", uninterruptible in the host's kernel";
	case 'X':
		return ", about to end";
	}
	return "";
}

static void explain_vcpu(const char *line)
{
	uint64_t pid = field_number(line, "pid"), queued = field_number(line, "queued_ns");
	char text[512], state[HB_NAME_LEN], exec[HB_TIME_LEN], halted[HB_TIME_LEN];
	char delay[HB_TIME_LEN];
	int len;
	const char *where = "in the guest or in KVM", *reason = "";

	if (field_number(line, "halted")) {
		where = "halted, waiting for an interrupt";
	} else if (!field_number(line, "running")) {
		where = "with the VMM";
		reason = exit_reason(field_number(line, "exit"));
	}
	field(line, "task", state);
	if (!pid) {
		snprintf(text, sizeof(text), "vCPU %" PRIu64 " had no thread.",
			 field_number(line, "vcpu"));
		say("", text);
		return;
	}
	len = snprintf(text, sizeof(text), "vCPU %" PRIu64 " (thread %" PRIu64 ") was %s%s%s. ",
		       field_number(line, "vcpu"), pid, where, reason, task(*state));
	len += snprintf(text + len, sizeof(text) - len,
			"In all it executed for %s, halted for %s, waited for host CPUs for %s",
			hb_format_time(exec, field_number(line, "exec_ns")),
			hb_format_time(halted, field_number(line, "halted_ns")),
			hb_format_time(delay, field_number(line, "run_delay_ns")));
	len += snprintf(text + len, sizeof(text) - len,
			", had %" PRIu64 " exits and %" PRIu64 " interrupts.",
			field_number(line, "exits"), field_number(line, "irqs"));
	if (queued)
		snprintf(text + len, sizeof(text) - len, " It had been waiting for a CPU for %s.",
			 hb_format_time(delay, queued));
	say("", text);
}

/* The file's first line is the verdict, each other one a vCPU. */
static void explain_evidence(char *evidence, const struct hb_reading *now)
{
	char state[HB_NAME_LEN], cause[HB_NAME_LEN], cpu[HB_NAME_LEN];
	char silence[HB_TIME_LEN], run[HB_TIME_LEN], text[512];
	char *line = strsep(&evidence, "\n");

	field(line, "state", state);
	field(line, "cause", cause);
	field(line, "host_cpu", cpu);
	snprintf(text, sizeof(text),
		 "%s (%s), after %s of silence by the clock, in %s of which it could have beaten.%s%s%s",
		 state, cause, hb_format_time(silence, field_number(line, "silence_ns")),
		 hb_format_time(run, field_number(line, "run_ns")),
		 *cpu ? " CPU " : "", cpu,
		 *cpu ? " of the host had not answered." : "");
	say("Judged:", text);
	while ((line = strsep(&evidence, "\n")))
		explain_vcpu(line);
	if (strcmp(state, hb_text(now, HB_FILE_STATE)) ||
	    strcmp(cause, hb_text(now, HB_FILE_CAUSE))) {
		puts("\nThat was an earlier verdict:");
		explain_verdict(state, cause);
	}
}

static void explain_monitor(const struct hb_fleet *fleet, size_t which)
{
	const struct hb_reading *now = &fleet->readings[which];
	char evidence[4097], text[512], time[HB_TIME_LEN];

	if (*fleet->names[which])
		printf("%s ", fleet->names[which]);
	puts(fleet->monitors.all[which].uuid);
	snprintf(text, sizeof(text), "%s (%s)%s%s%s", hb_text(now, HB_FILE_STATE),
		 hb_text(now, HB_FILE_CAUSE),
		 *hb_text(now, HB_FILE_STALE_VCPUS) ? ", stale CPUs " : "",
		 hb_text(now, HB_FILE_STALE_VCPUS), ".");
	say("Now:", text);
	explain_verdict(hb_text(now, HB_FILE_STATE), hb_text(now, HB_FILE_CAUSE));
	if (hb_has(now, HB_FILE_LAST_BEAT)) {
		snprintf(text, sizeof(text), "%s ago.",
			 hb_format_time(time, hb_number(now, HB_FILE_LAST_BEAT)));
		say("Last beat:", text);
	}
	if (hb_number(now, HB_FILE_MUTE)) {
		snprintf(text, sizeof(text), "for %s more: nothing is announced or done.",
			 hb_format_time(time, hb_number(now, HB_FILE_MUTE)));
		say("Muted:", text);
	}
	if (hb_number(now, HB_FILE_ACTIONS)) {
		snprintf(text, sizeof(text), "%s: %s.", hb_text(now, HB_FILE_LAST_ACTION),
			 hb_text(now, HB_FILE_LAST_RESULT));
		say("Last action:", text);
	}
	if (hb_monitor_read_text(&fleet->monitors.all[which], "evidence", evidence,
				 sizeof(evidence)) > 0)
		explain_evidence(evidence, now);
	else
		say("Judged:", "never since a VMM opened the device.");
}

/* ctl_explain - the last verdict in sentences */
int ctl_explain(int argc, char **argv)
{
	struct hb_fleet fleet;
	int ret = ctl_no_options(argc, argv, 1, 1);
	size_t which;

	if (ret)
		return ret;
	ret = ctl_fleet(&fleet, CTL_SET_HEAD | HB_SET(LAST_BEAT) | HB_SET(STALE_VCPUS) |
			HB_SET(MUTE) | HB_SET(ACTIONS) | HB_SET(LAST_ACTION) | HB_SET(LAST_RESULT));
	if (!ret)
		ret = ctl_pick(&fleet, argv[optind], &which);
	if (!ret)
		explain_monitor(&fleet, which);
	hb_fleet_free(&fleet);
	return ret;
}
