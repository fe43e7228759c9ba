/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration of heartbeatd: policy.conf, and then policy.d/ in the order of its names. */
#ifndef HB_CONFIG_H
#define HB_CONFIG_H

#include "policy.h"

int hb_config_read(const char *folder, struct hb_policies *policies);
int hb_config_parse(const char *file, struct hb_policies *policies);
int hb_config_check(const char *file, const struct hb_policies *policies, size_t from);
void hb_config_free(struct hb_policies *policies);

#endif /* HB_CONFIG_H */
