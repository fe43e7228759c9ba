/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVMHB_MAIN_H
#define KVMHB_MAIN_H

#include <linux/types.h>

struct attribute_group;

/* Module parameters: the configuration of new monitors, ns; checked at load. */
extern unsigned long long kvmhb_interval_ns;
extern unsigned long long kvmhb_timeout_ns;

extern const struct attribute_group *kvmhb_sysfs_groups[];

#endif /* KVMHB_MAIN_H */
