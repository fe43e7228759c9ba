/* SPDX-License-Identifier: GPL-2.0 */
/* The files of a monitor, in a device whose driver data is the monitor. */
#ifndef KVMHB_SYSFS_H
#define KVMHB_SYSFS_H

struct attribute_group;

extern const struct attribute_group *kvmhb_sysfs_groups[];

#endif /* KVMHB_SYSFS_H */
