/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device that a VMM gives to its guest, whatever face the VMM sees it by: registers,
 * pulse page, configuration space, doorbell, and who lives how long.
 */
#ifndef KVMHB_DEVICE_H
#define KVMHB_DEVICE_H

#include <linux/sizes.h>

#include "config_space.h"
#include "doorbell.h"
#include "monitor.h"
#include "pulse.h"
#include "stream.h"

#define KVMHB_REGS_SIZE	SZ_4K	/* of BAR0, bytes */
#define KVMHB_REGS_USED	0x24	/* of these; all beyond reads as zero */

/**
 * struct kvmhb_device - a heartbeat device
 * @monitor: the monitor; exists as long as the device
 * @pulse: the pulse page; exists while the device is open
 * @kvm: the VM, held while the device is open; NULL without KVM
 * @lock: protects @space, @doorbell and what its face keeps; taken inside no other lock
 *	but those of its face
 * @space: PCI configuration space
 * @doorbell: what rings besides writes that the VMM passes on
 */
struct kvmhb_device {
	struct kvmhb_monitor monitor;
	struct kvmhb_pulse pulse;
	struct kvm *kvm;

	struct mutex lock;	/* of all below */
	struct kvmhb_config_space space;
	struct kvmhb_doorbell doorbell;
};

void kvmhb_device_init(struct kvmhb_device *hb, struct device *dev,
		       const struct kvmhb_config *config,
		       const struct kvmhb_monitor_ops *ops);
void kvmhb_device_stop(struct kvmhb_device *hb);
void kvmhb_device_uninit(struct kvmhb_device *hb);
int kvmhb_device_open(struct kvmhb_device *hb, struct kvm *kvm);
void kvmhb_device_close(struct kvmhb_device *hb);
void kvmhb_device_reset(struct kvmhb_device *hb);
struct kvmhb_stream_target kvmhb_device_target(const struct kvmhb_device *hb);
u8 *kvmhb_device_save(struct kvmhb_device *hb, size_t *length);
void kvmhb_device_load(struct kvmhb_device *hb, const struct kvmhb_saved *saved);
void kvmhb_device_read_regs(struct kvmhb_device *hb, u8 *regs);
void kvmhb_device_write_reg(struct kvmhb_device *hb, u64 offset, u32 value);
int kvmhb_device_ring_by(struct kvmhb_device *hb, int fd, u64 data);

#endif /* KVMHB_DEVICE_H */
