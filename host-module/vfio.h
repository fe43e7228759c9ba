/* SPDX-License-Identifier: GPL-2.0 */
/* The device as VFIO sees it. */
#ifndef KVMHB_VFIO_H
#define KVMHB_VFIO_H

#include <linux/container_of.h>
#include <linux/vfio.h>

#include "device.h"

/**
 * struct kvmhb_vfio - the device as a VFIO device
 * @vdev: VFIO's part
 * @hb: the device
 * @triggers: the eventfd that the VMM set for each VFIO interrupt index, or NULL; under
 *	@hb's lock
 */
struct kvmhb_vfio {
	struct vfio_device vdev;
	struct kvmhb_device hb;
	struct eventfd_ctx *triggers[VFIO_PCI_NUM_IRQS];
};

/**
 * kvmhb_vfio_of - the VFIO device that a monitor is part of
 * @mon: the monitor, of a device that kvmhb_vfio_create() made
 *
 * Return: the device.
 */
static inline struct kvmhb_vfio *kvmhb_vfio_of(struct kvmhb_monitor *mon)
{
	return container_of(mon, struct kvmhb_vfio, hb.monitor);
}

struct kvmhb_vfio *kvmhb_vfio_create(struct device *dev, const struct kvmhb_config *config);
void kvmhb_vfio_remove(struct kvmhb_vfio *face);

bool kvmhb_vfio_raise(struct kvmhb_vfio *face, u32 index);
void kvmhb_vfio_drop_irqs(struct kvmhb_vfio *face);
long kvmhb_vfio_get_irq_info(void __user *arg);
long kvmhb_vfio_set_irqs(struct kvmhb_vfio *face, void __user *arg);

#endif /* KVMHB_VFIO_H */
