/* SPDX-License-Identifier: GPL-2.0 */
/* Names and UUIDs of VMs, as the command lines of their VMMs have them. */
#ifndef HB_VMMS_H
#define HB_VMMS_H

#include <stddef.h>
#include <stdint.h>

#include "names.h"

void hb_names_of_vmms(const uint64_t *pids, size_t nr, char (*names)[HB_NAME_LEN]);
void hb_uuid_of_vmm(uint64_t pid, char uuid[HB_NAME_LEN]);

#endif /* HB_VMMS_H */
