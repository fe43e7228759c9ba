/* SPDX-License-Identifier: GPL-2.0 */
/* The device as VFIO sees it. */
#ifndef KVMHB_VFIO_H
#define KVMHB_VFIO_H

#include <linux/container_of.h>
#include <linux/vfio.h>

#include "device.h"

struct kvmhb_transfer;

/**
 * struct kvmhb_vfio_open - what is kept while a VMM has the device open
 * @triggers: the eventfd that the VMM set for each VFIO interrupt index, or NULL; under
 *	the device's lock
 * @lock: protects all below; taken before the device's lock and the monitor's
 * @state: in which state of a migration the VMM has set the device
 * @transfer: the stream that is on its way, or NULL
 * @moved: the VMM has taken a stream, and its VM has not run since
 */
struct kvmhb_vfio_open {
	struct eventfd_ctx *triggers[VFIO_PCI_NUM_IRQS];
	struct mutex lock;	/* of all below */
	enum vfio_device_mig_state state;
	struct kvmhb_transfer *transfer;
	bool moved;
};

/**
 * struct kvmhb_vfio - the device as a VFIO device
 * @vdev: VFIO's part
 * @hb: the device
 * @open: exists while a VMM has it open; NULL otherwise. Written under @hb's lock
 */
struct kvmhb_vfio {
	struct vfio_device vdev;
	struct kvmhb_device hb;
	struct kvmhb_vfio_open *open;
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

struct kvmhb_vfio *kvmhb_vfio_create(struct device *dev, const struct kvmhb_config *config,
				     const struct kvmhb_policy *policy);
void kvmhb_vfio_remove(struct kvmhb_vfio *face);

void kvmhb_vfio_can_migrate(struct kvmhb_vfio *face);
int kvmhb_vfio_feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz);
void kvmhb_vfio_reset(struct kvmhb_vfio *face);
void kvmhb_vfio_end_migration(struct kvmhb_vfio *face);

#ifdef KVMHB_NO_DMA_LOGGING
void kvmhb_dma_logging_serve(struct file *file);
#else
static inline void kvmhb_dma_logging_serve(struct file *file) { }
#endif

bool kvmhb_vfio_raise(struct kvmhb_vfio *face, u32 index);
void kvmhb_vfio_drop_irqs(struct kvmhb_vfio *face);
long kvmhb_vfio_get_irq_info(void __user *arg);
long kvmhb_vfio_set_irqs(struct kvmhb_vfio *face, void __user *arg);

#endif /* KVMHB_VFIO_H */
