/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of heartbeatd share. It has one thread. */
#ifndef HB_DAEMON_H
#define HB_DAEMON_H

#include <systemd/sd-event.h>

#include "journal.h"
#include "vms.h"

/**
 * struct hb_daemon - all of it
 * @event: the loop
 * @follow: the trace events, or NULL while the module is not loaded
 * @follow_source: watches them
 * @more_source: more of them wait
 * @save_source: when to save
 * @vms: what is known
 * @policies: what is to be done
 * @state_file: where to save, or NULL
 * @dry: say what would be done, and do nothing
 * @since_ns: earlier events are known from sysfs
 * @behind: what is known has to be compared with what is
 * @lost: that events were lost was told, and it was not compared since
 * @jobs: steps that run
 */
struct hb_daemon {
	sd_event *event;
	struct hb_follow *follow;
	sd_event_source *follow_source;
	sd_event_source *more_source;
	sd_event_source *save_source;
	struct hb_vms vms;
	struct hb_policies policies;
	const char *state_file;
	bool dry;
	uint64_t since_ns;
	bool behind;
	bool lost;
	unsigned int jobs;
};

/* keep.c */
void hb_daemon_catch_up(struct hb_daemon *daemon);
void hb_daemon_must(struct hb_daemon *daemon, int ret);
bool hb_daemon_drain(struct hb_daemon *daemon);
void hb_daemon_look(struct hb_daemon *daemon);
bool hb_daemon_save(struct hb_daemon *daemon, const struct hb_vm *about);
void hb_daemon_save_soon(struct hb_daemon *daemon);

/* tell.c */
struct hb_about hb_about_vm(const struct hb_vm *vm);
const char *hb_vm_called(const struct hb_vm *vm);
void hb_tell_event(struct hb_daemon *daemon, const struct hb_event *event);
void hb_tell_missed(struct hb_vm *vm, const struct hb_reading *reading, const char *name);

/* steps.c */
void hb_steps_see(struct hb_daemon *daemon, struct hb_vm *vm);

#endif /* HB_DAEMON_H */
