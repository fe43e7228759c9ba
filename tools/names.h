/* SPDX-License-Identifier: GPL-2.0 */
/* What people call a VM: its name, as QEMU's command line or libvirt has it, or its UUID. */
#ifndef HB_NAMES_H
#define HB_NAMES_H

#include <stddef.h>

#include "monitors.h"

#define HB_NAME_LEN	128	/* of a name, and its end */

void hb_name_of_cmdline(const char *args, size_t len, char name[HB_NAME_LEN]);
void hb_uuid_of_cmdline(const char *args, size_t len, char uuid[HB_NAME_LEN]);
void hb_name_clean(char *name);

/* How a word of the user names a monitor. */
enum hb_match {
	HB_MATCH_ONE,
	HB_MATCH_NONE,
	HB_MATCH_MANY,
};

enum hb_match hb_resolve(const struct hb_monitors *monitors, const char (*names)[HB_NAME_LEN],
			 const char *word, size_t *which);

#endif /* HB_NAMES_H */
