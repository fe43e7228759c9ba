/* SPDX-License-Identifier: GPL-2.0 */
/* All monitors of this host at a time: what they are, what they say, what their VMs are called. */
#ifndef HB_FLEET_H
#define HB_FLEET_H

#include "monitors.h"
#include "names.h"

/**
 * struct hb_fleet - the monitors that were still there when they were read
 * @monitors: which
 * @readings: what each said
 * @names: of the VM of each, empty if it is not known
 * @asked: libvirt has been asked for names
 */
struct hb_fleet {
	struct hb_monitors monitors;
	struct hb_reading *readings;
	char (*names)[HB_NAME_LEN];
	bool asked;
};

int hb_fleet_read(struct hb_fleet *fleet, uint64_t files);
int hb_fleet_name(struct hb_fleet *fleet);
void hb_fleet_free(struct hb_fleet *fleet);

#endif /* HB_FLEET_H */
