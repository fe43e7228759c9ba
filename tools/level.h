/* SPDX-License-Identifier: GPL-2.0 */
/* How bad a state is, for those who look after VMs. */
#ifndef HB_LEVEL_H
#define HB_LEVEL_H

#include "monitors.h"

/* The numbers are exit statuses of monitoring plugins. */
enum hb_level { HB_OK, HB_WARNING, HB_CRITICAL, HB_UNKNOWN, HB_NR_LEVELS };

enum hb_level hb_level(const struct hb_reading *reading);

#endif /* HB_LEVEL_H */
