/* SPDX-License-Identifier: GPL-2.0 */
/* What the commands of heartbeatctl share. Each is a function in a file of its name. */
#ifndef HB_CTL_H
#define HB_CTL_H

#include "fleet.h"

#define CTL_COMMANDS(command) \
	command(list, "", "one line a VM: name, state, cause, age of its last beat, outages") \
	command(show, "[VM...]", "all that a monitor says, in human units") \
	command(explain, "VM", "the last verdict, what it means, and what to do") \
	command(watch, "", "a live table of all VMs") \
	command(events, "[--json] [VM...]", "follow transitions and actions (root)") \
	command(set, "VM NAME=VALUE...", "tune a monitor (root), such as interval=500ms") \
	command(mute, "VM TIME", "announce and do nothing for a time, such as 10min (root)") \
	command(create, "[UUID] [NAME=VALUE...]", "make a monitor that persists (root, mdevctl)") \
	command(remove, "[--force] VM", "remove a monitor for good (root, mdevctl)") \
	command(check, "[VM...]", "a line and an exit status, as a monitoring plugin") \
	command(metrics, "[--textfile|--http]", "OpenMetrics text, or what node_exporter reads")

/* argv[0] is the command. What they return is the exit status: 0, 1, or 2 for a wrong use. */
#define CTL_DECLARE(name, args, what)	int ctl_##name(int argc, char **argv);
CTL_COMMANDS(CTL_DECLARE)
#undef CTL_DECLARE

#define CTL_USAGE	2

/* What it takes to say of which VM a line is, and in which state. */
#define CTL_SET_HEAD	(HB_SET(STATE) | HB_SET(CAUSE) | HB_SET(VMM_PID))

void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
int ctl_usage(const char *command);
int ctl_no_options(int argc, char **argv, int min, int max);
int ctl_fleet(struct hb_fleet *fleet, uint64_t files);
enum hb_match ctl_match(struct hb_fleet *fleet, const char *word, size_t *which);
int ctl_pick(struct hb_fleet *fleet, const char *word, size_t *which);
const char *ctl_name(const struct hb_fleet *fleet, size_t which);

/* For set and create: NAME=VALUE as a file and what to write to it. */
struct ctl_setting {
	enum hb_file file;
	char text[HB_TEXT_LEN];
};

int ctl_parse_setting(const char *word, struct ctl_setting *setting);
int ctl_write(const struct hb_fleet *fleet, size_t which, const struct ctl_setting *setting);

#endif /* HB_CTL_H */
