/* SPDX-License-Identifier: GPL-2.0 */
/* Names of VMs that libvirt knows, where it is installed. */
#ifndef HB_LIBVIRT_H
#define HB_LIBVIRT_H

#include "fleet.h"

bool hb_libvirt_names(struct hb_fleet *fleet);

#endif /* HB_LIBVIRT_H */
