/* SPDX-License-Identifier: GPL-2.0 */
/* What heartbeatd knew, in a file: it outlives the daemon, and not the host. */
#ifndef HB_SAVED_H
#define HB_SAVED_H

#include "vms.h"

int hb_saved_write(const char *file, const struct hb_vms *vms);
int hb_saved_read(const char *file, struct hb_vms *vms, const struct hb_policies *policies);

#endif /* HB_SAVED_H */
