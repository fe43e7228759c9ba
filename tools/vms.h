/* SPDX-License-Identifier: GPL-2.0 */
/* The VMs that heartbeatd knows, by the UUIDs of their monitors, and what it last knew of each. */
#ifndef HB_VMS_H
#define HB_VMS_H

#include "follow.h"
#include "monitors.h"
#include "names.h"
#include "policy.h"

/* Counters that tell what nobody saw: file, and what one and many are called. */
#define HB_COUNTERS(counter) \
	counter(OUTAGES, "outages", "outage", "outages") \
	counter(PANICS, "panics", "panic", "panics") \
	counter(BOOTS, "boots", "boot", "boots") \
	counter(RESETS, "resets", "reset", "resets") \
	counter(ACTIONS, "actions", "action of the kernel", "actions of the kernel")

#define HB_COUNTER(name, file, one, many)	HB_COUNTER_##name,
enum hb_counter { HB_COUNTERS(HB_COUNTER) HB_NR_COUNTERS };
#undef HB_COUNTER

#define HB_COUNTER_BIT(name, file, one, many)	| HB_SET(name)
#define HB_SET_COUNTERS	(0 HB_COUNTERS(HB_COUNTER_BIT))

/* What is read of a VM when it is looked at. */
#define HB_SET_VM	(HB_SET(STATE) | HB_SET(CAUSE) | HB_SET(VMM_PID) | HB_SET(MUTE))

struct hb_counter_info {
	const char *name;
	enum hb_file file;
	const char *one;
	const char *many;
};

extern const struct hb_counter_info hb_counters[HB_NR_COUNTERS];

/* How many transitions of a VM are told in a time, so that one guest cannot flood the journal. */
struct hb_budget {
	uint64_t since_ns;
	unsigned int told;
	unsigned int kept_back;
};

/**
 * struct hb_vm - a monitor and its VM
 * @uuid: of the monitor
 * @name: of the VM, empty if it is not known
 * @vmm_pid: process of its VMM, or of the last one
 * @vmm_start: when that process began, in ticks since the host's boot
 * @state: the last state that was told
 * @old: the one before
 * @cause: its cause
 * @counters: as of the last save
 * @touched: @counters have to be read before the next save
 * @read: they were, for the present one
 * @now: what they were then
 * @found: by the present search for monitors
 * @course: of steps
 * @budgets: of transitions into or out of an outage, and of others
 * @timer: when a step is due, of steps.c
 * @daemon: likewise, for @timer
 * @waits: a step is due, and too many others run
 */
struct hb_vm {
	char uuid[HB_UUID_LEN + 1];
	char name[HB_NAME_LEN];
	uint64_t vmm_pid;
	uint64_t vmm_start;
	char state[HB_WORD_LEN];
	char old[HB_WORD_LEN];
	char cause[HB_WORD_LEN];
	uint64_t counters[HB_NR_COUNTERS];
	bool touched;
	bool read;
	uint64_t now[HB_NR_COUNTERS];
	bool found;
	struct hb_course course;
	struct hb_budget budgets[2];
	struct sd_event_source *timer;
	struct hb_daemon *daemon;
	bool waits;
};

struct hb_vms {
	struct hb_vm **all;
	size_t nr;
};

struct hb_vm *hb_vms_find(const struct hb_vms *vms, const char *uuid);
struct hb_vm *hb_vms_add(struct hb_vms *vms, const char *uuid);
void hb_vms_drop(struct hb_vms *vms, struct hb_vm *vm);
void hb_vms_free(struct hb_vms *vms);

int hb_vm_read(const struct hb_vm *vm, uint64_t files, struct hb_reading *reading);
bool hb_vm_is_of(const struct hb_vm *vm, uint64_t pid);
void hb_vm_meet_vmm(struct hb_vm *vm, uint64_t pid, const char *name);
bool hb_budget_take(struct hb_budget *budget, uint64_t now_ns);

#endif /* HB_VMS_H */
