/* SPDX-License-Identifier: GPL-2.0 */
/* The device as a mediated device: what users create and remove. */
#ifndef KVMHB_MDEV_H
#define KVMHB_MDEV_H

struct kvmhb_config;
struct kvmhb_policy;

int kvmhb_mdev_init(const struct kvmhb_config *config, const struct kvmhb_policy *policy);
void kvmhb_mdev_exit(void);

#endif /* KVMHB_MDEV_H */
