/* SPDX-License-Identifier: GPL-2.0 */
/* mdevctl(8), which keeps the definitions of mediated devices across reboots. */
#ifndef HB_MDEVCTL_H
#define HB_MDEVCTL_H

#include <stdbool.h>

int hb_mdevctl(const char * const *args, bool *says);

#endif /* HB_MDEVCTL_H */
