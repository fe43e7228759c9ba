/* SPDX-License-Identifier: GPL-2.0 */
/* The device that a VMM gives to its guest, as VFIO sees it. */
#ifndef KVMHB_DEVICE_H
#define KVMHB_DEVICE_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include "config_space.h"
#include "doorbell.h"
#include "monitor.h"
#include "pulse.h"

struct eventfd_ctx;
struct kvm;

/**
 * struct kvmhb_device - one mdev
 * @vdev: VFIO's part
 * @monitor: the monitor; exists as long as the mdev
 * @pulse: the pulse page; exists while the device is open
 * @kvm: the VM, held while the device is open; NULL without KVM
 * @lock: protects @space, @doorbell and @triggers; taken inside no other lock
 * @space: PCI configuration space
 * @doorbell: what rings besides writes that the VMM passes on
 * @triggers: the eventfd that the VMM set for each VFIO interrupt index, or NULL
 */
struct kvmhb_device {
	struct vfio_device vdev;
	struct kvmhb_monitor monitor;
	struct kvmhb_pulse pulse;
	struct kvm *kvm;

	struct mutex lock;	/* of all below */
	struct kvmhb_config_space space;
	struct kvmhb_doorbell doorbell;
	struct eventfd_ctx *triggers[VFIO_PCI_NUM_IRQS];
};

extern const struct vfio_device_ops kvmhb_device_ops;

void kvmhb_device_config_changed(struct kvmhb_device *hb);

#endif /* KVMHB_DEVICE_H */
