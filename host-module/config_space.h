/* SPDX-License-Identifier: GPL-2.0 */
/* The PCI configuration space of the device. */
#ifndef KVMHB_CONFIG_SPACE_H
#define KVMHB_CONFIG_SPACE_H

#include <linux/types.h>

#define KVMHB_CONFIG_SPACE_USED	0x60	/* bytes; all beyond is zero and read-only */

/**
 * struct kvmhb_config_space - contents of the configuration space
 * @value: what is read
 * @writable: the bits of @value that a write changes
 *
 * BARs answer the sizing write by the bits that are not writable.
 */
struct kvmhb_config_space {
	u8 value[KVMHB_CONFIG_SPACE_USED];
	u8 writable[KVMHB_CONFIG_SPACE_USED];
};

void kvmhb_config_space_init(struct kvmhb_config_space *space, u32 regs_size, u32 pulse_size);
void kvmhb_config_space_write(struct kvmhb_config_space *space, unsigned int offset,
			      const u8 *bytes, size_t count);

#endif /* KVMHB_CONFIG_SPACE_H */
