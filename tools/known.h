/* SPDX-License-Identifier: GPL-2.0 */
/* What VMs are called, for a program that runs for long: a name lives on when its VMM is gone. */
#ifndef HB_KNOWN_H
#define HB_KNOWN_H

#include "fleet.h"

/**
 * struct hb_known_vm - a VM, or the last one that used the monitor
 * @monitor: the monitor
 * @pid: process of its VMM when it was named; 0: none
 * @name: of the VM
 */
struct hb_known_vm {
	struct hb_monitor monitor;
	uint64_t pid;
	char name[HB_NAME_LEN];
};

/**
 * struct hb_known - all VMs that were asked for
 * @vms: ordered by UUID
 * @nr: of @vms
 * @room: for how many @vms has room
 */
struct hb_known {
	struct hb_known_vm *vms;
	size_t nr;
	size_t room;
};

void hb_known_fill(struct hb_known *known, const struct hb_fleet *fleet);
const char *hb_known_name(struct hb_known *known, const char *uuid);
void hb_known_free(struct hb_known *known);

#endif /* HB_KNOWN_H */
