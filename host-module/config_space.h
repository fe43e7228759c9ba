/* SPDX-License-Identifier: GPL-2.0 */
/* The PCI configuration space of the device. */
#ifndef KVMHB_CONFIG_SPACE_H
#define KVMHB_CONFIG_SPACE_H

#include <linux/types.h>

#define KVMHB_CONFIG_SPACE_USED	0x50	/* bytes; all beyond is zero and read-only */

/**
 * struct kvmhb_config_space - contents of the configuration space
 * @value: what is read
 * @regs_size: bytes of BAR0, a power of two
 * @pulse_size: bytes of BAR2, a power of two
 *
 * BARs answer the sizing write by the bits that are not writable.
 */
struct kvmhb_config_space {
	u8 value[KVMHB_CONFIG_SPACE_USED];
	u32 regs_size;
	u32 pulse_size;
};

void kvmhb_config_space_init(struct kvmhb_config_space *space, u32 regs_size, u32 pulse_size);
void kvmhb_config_space_write(struct kvmhb_config_space *space, unsigned int offset,
			      const u8 *bytes, size_t count);

#endif /* KVMHB_CONFIG_SPACE_H */
