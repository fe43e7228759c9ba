// SPDX-License-Identifier: GPL-2.0
/* The interrupts of the VFIO face: eventfds that the VMM sets, and that we signal. */
#include <linux/uaccess.h>

#include "compat.h"
#include "vfio.h"

/* Number of interrupts of a VFIO interrupt index. */
static unsigned int vfio_irq_count(u32 index)
{
	switch (index) {
	case VFIO_PCI_MSI_IRQ_INDEX:
	case VFIO_PCI_ERR_IRQ_INDEX:	/* stops the VM */
	/* Never raised, but QEMU warns at every start if it is missing. */
	case VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

static void vfio_irq_set_trigger(struct kvmhb_vfio *face, u32 index, struct eventfd_ctx *ctx)
{
	lockdep_assert_held(&face->hb.lock);

	if (face->open->triggers[index])
		eventfd_ctx_put(face->open->triggers[index]);
	face->open->triggers[index] = ctx;
}

/**
 * kvmhb_vfio_raise - raise an interrupt
 * @face: the device
 * @index: VFIO's interrupt index
 *
 * Return: false if the VMM has set none.
 */
bool kvmhb_vfio_raise(struct kvmhb_vfio *face, u32 index)
{
	lockdep_assert_held(&face->hb.lock);

	if (!face->open || !face->open->triggers[index])
		return false;
	kvmhb_eventfd_signal(face->open->triggers[index]);
	return true;
}

/**
 * kvmhb_vfio_drop_irqs - let go of all eventfds
 * @face: the device
 */
void kvmhb_vfio_drop_irqs(struct kvmhb_vfio *face)
{
	unsigned int i;

	for (i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		vfio_irq_set_trigger(face, i, NULL);
}

/**
 * kvmhb_vfio_get_irq_info - VFIO_DEVICE_GET_IRQ_INFO
 * @arg: the VMM's struct vfio_irq_info
 *
 * Return: 0, -EINVAL or -EFAULT.
 */
long kvmhb_vfio_get_irq_info(void __user *arg)
{
	struct vfio_irq_info info;
	size_t minsz = offsetofend(typeof(info), count);

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;

	info.flags = 0;
	info.count = vfio_irq_count(info.index);
	if (info.count)
		info.flags |= VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long vfio_irq_set_eventfd(struct kvmhb_vfio *face, u32 index, s32 fd)
{
	struct eventfd_ctx *ctx = NULL;

	lockdep_assert_held(&face->hb.lock);

	if (fd >= 0) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	} else if (fd != -1) {
		return -EINVAL;
	}
	vfio_irq_set_trigger(face, index, ctx);
	return 0;
}

/**
 * kvmhb_vfio_set_irqs - VFIO_DEVICE_SET_IRQS
 * @face: the device
 * @arg: the VMM's struct vfio_irq_set
 *
 * Return: 0 or a negative errno. Context: process; takes @face->hb.lock.
 */
long kvmhb_vfio_set_irqs(struct kvmhb_vfio *face, void __user *arg)
{
	struct vfio_irq_set hdr;
	size_t minsz = offsetofend(typeof(hdr), count);
	size_t data_size = 0;
	union {
		s32 fd;
		u8 on;
	} data = {};
	long ret = 0;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	ret = vfio_set_irqs_validate_and_prepare(&hdr, vfio_irq_count(hdr.index),
						 VFIO_PCI_NUM_IRQS, &data_size);
	if (ret)
		return ret;
	if ((hdr.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL;
	/* One interrupt an index, so there is one datum at the most. */
	if (copy_from_user(&data, arg + minsz, data_size))
		return -EFAULT;

	mutex_lock(&face->hb.lock);
	switch (hdr.flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (!hdr.count)
			vfio_irq_set_trigger(face, hdr.index, NULL);
		else
			kvmhb_vfio_raise(face, hdr.index);
		break;
	case VFIO_IRQ_SET_DATA_BOOL:
		if (hdr.count && data.on)
			kvmhb_vfio_raise(face, hdr.index);
		break;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		if (hdr.count)
			ret = vfio_irq_set_eventfd(face, hdr.index, data.fd);
		break;
	}
	mutex_unlock(&face->hb.lock);
	return ret;
}
