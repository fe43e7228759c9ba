// SPDX-License-Identifier: GPL-2.0
/*
 * The VFIO face of the device: regions, interrupts, ioctls, mmap. All that comes from the VMM
 * comes in here, and every __user pointer stays here.
 */
#include <linux/device.h>
#include <linux/pci_regs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "kvm_heartbeat.h"
#include "vfio.h"

/* A file offset carries the region in its upper bits, as with vfio-pci. */
#define REGION_SHIFT	40
#define REGION_START(index)	((u64)(index) << REGION_SHIFT)
#define REGION_INDEX(pos)	((u64)(pos) >> REGION_SHIFT)
#define REGION_OFFSET(pos)	((u64)(pos) & (BIT_ULL(REGION_SHIFT) - 1))

static struct kvmhb_vfio *vfio_to_face(struct vfio_device *vdev)
{
	return container_of(vdev, struct kvmhb_vfio, vdev);
}

/* A guest without the interrupt reads the change at its next beat. */
static void vfio_config_changed(struct kvmhb_monitor *mon)
{
	struct kvmhb_vfio *face = kvmhb_vfio_of(mon);

	mutex_lock(&face->hb.lock);
	kvmhb_vfio_raise(face, VFIO_PCI_MSI_IRQ_INDEX);
	mutex_unlock(&face->hb.lock);
}

/* As a physical device that has failed: QEMU stops the VM then. */
static bool vfio_stop(struct kvmhb_monitor *mon)
{
	struct kvmhb_vfio *face = kvmhb_vfio_of(mon);
	bool heard;

	mutex_lock(&face->hb.lock);
	heard = kvmhb_vfio_raise(face, VFIO_PCI_ERR_IRQ_INDEX);
	mutex_unlock(&face->hb.lock);
	return heard;
}

static const struct kvmhb_monitor_ops vfio_monitor_ops = {
	.config_changed = vfio_config_changed,
	.stop = vfio_stop,
};

/* Size of a region in bytes, 0 for those that the device does not have. */
static size_t vfio_region_size(struct kvmhb_device *hb, u64 index)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX + KVM_HEARTBEAT_BAR_REGS:
		return KVMHB_REGS_SIZE;
	case VFIO_PCI_BAR0_REGION_INDEX + KVM_HEARTBEAT_BAR_PULSE:
		return hb->pulse.size;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return PCI_CFG_SPACE_SIZE;
	default:
		return 0;
	}
}

/* BAR0 */

static ssize_t vfio_regs_read(struct kvmhb_device *hb, char __user *buf, size_t count, u64 offset)
{
	u8 regs[KVMHB_REGS_USED];
	size_t here = 0;

	kvmhb_device_read_regs(hb, regs);
	if (offset < sizeof(regs)) {
		here = min_t(size_t, count, sizeof(regs) - offset);
		if (copy_to_user(buf, regs + offset, here))
			return -EFAULT;
	}
	if (clear_user(buf + here, count - here))
		return -EFAULT;
	return count;
}

static ssize_t vfio_regs_write(struct kvmhb_device *hb, const char __user *buf, size_t count,
			       u64 offset)
{
	__le32 raw;

	/* A guest's nonsense is not the VMM's error: ignored, not refused. */
	if (count != sizeof(raw))
		return count;
	if (copy_from_user(&raw, buf, sizeof(raw)))
		return -EFAULT;
	kvmhb_device_write_reg(hb, offset, le32_to_cpu(raw));
	return count;
}

/* BAR2, for a VMM that does not map it */

static ssize_t vfio_pulse_access(struct kvmhb_device *hb, char __user *buf, size_t count,
				 u64 offset, bool write)
{
	u8 *pulse = (u8 *)hb->pulse.header + offset;
	unsigned long left;

	/* Races with the monitor, as what a guest does in the page. */
	left = data_race(write ? copy_from_user(pulse, buf, count) :
				 copy_to_user(buf, pulse, count));
	return left ? -EFAULT : count;
}

/* Configuration space */

static ssize_t vfio_config_access(struct kvmhb_device *hb, char __user *buf, size_t count,
				  u64 offset, bool write)
{
	u8 bytes[PCI_CFG_SPACE_SIZE] = {};

	if (write && copy_from_user(bytes, buf, count))
		return -EFAULT;
	mutex_lock(&hb->lock);
	if (write)
		kvmhb_config_space_write(&hb->space, offset, bytes, count);
	else
		memcpy(bytes, hb->space.value, sizeof(hb->space.value));
	mutex_unlock(&hb->lock);
	return !write && copy_to_user(buf, bytes + offset, count) ? -EFAULT : count;
}

/* VFIO */

/* The region that an access is within, or -EINVAL; and where in it. */
static int vfio_find_region(struct kvmhb_device *hb, loff_t pos, size_t count, u64 *offset)
{
	u64 index = REGION_INDEX(pos);
	size_t size = vfio_region_size(hb, index);

	*offset = REGION_OFFSET(pos);
	return size && *offset <= size && count <= size - *offset ? index : -EINVAL;
}

/* As vfio-pci does it: what is written is read from @buf, whose type then has lost a const. */
static ssize_t vfio_access(struct vfio_device *vdev, char __user *buf, size_t count,
			   loff_t *ppos, bool write)
{
	struct kvmhb_device *hb = &vfio_to_face(vdev)->hb;
	ssize_t ret = -EINVAL;
	u64 offset;

	switch (vfio_find_region(hb, *ppos, count, &offset)) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		ret = write ? vfio_regs_write(hb, buf, count, offset) :
			      vfio_regs_read(hb, buf, count, offset);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		ret = vfio_pulse_access(hb, buf, count, offset, write);
		break;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		ret = vfio_config_access(hb, buf, count, offset, write);
		break;
	}
	if (ret > 0)
		*ppos += ret;
	return ret;
}

static ssize_t vfio_op_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	return vfio_access(vdev, buf, count, ppos, false);
}

static ssize_t vfio_op_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			     loff_t *ppos)
{
	return vfio_access(vdev, (char __user *)buf, count, ppos, true);
}

static int vfio_op_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct kvmhb_device *hb = &vfio_to_face(vdev)->hb;
	unsigned long first = vma->vm_pgoff & (BIT(REGION_SHIFT - PAGE_SHIFT) - 1);
	unsigned long nr;
	int ret = 0;

	if (vma->vm_pgoff >> (REGION_SHIFT - PAGE_SHIFT) != VFIO_PCI_BAR2_REGION_INDEX)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!kvmhb_pulse_has_pages(&hb->pulse, first, vma_pages(vma)))
		return -EINVAL;

	/* No VMM gets far without a mapping, and here is the file. */
	kvmhb_dma_logging_serve(vma->vm_file);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	for (nr = 0; nr < vma_pages(vma) && !ret; nr++)
		ret = vm_insert_page(vma, vma->vm_start + nr * PAGE_SIZE,
				     kvmhb_pulse_page(&hb->pulse, first + nr));
	return ret;
}

static long vfio_get_info(void __user *arg)
{
	struct vfio_device_info info;
	size_t minsz = offsetofend(typeof(info), num_irqs);

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

/* Newer kernels ask for this alone, and do the copying themselves. */
static int vfio_op_get_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
				   struct vfio_info_cap *caps)
{
	if (info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;

	info->flags = 0;
	info->cap_offset = 0;
	info->size = vfio_region_size(&vfio_to_face(vdev)->hb, info->index);
	info->offset = REGION_START(info->index);
	if (info->size)
		info->flags |= VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (info->index == VFIO_PCI_BAR2_REGION_INDEX)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

static long vfio_set_ioeventfd(struct kvmhb_vfio *face, void __user *arg)
{
	struct vfio_device_ioeventfd eventfd;
	size_t minsz = offsetofend(typeof(eventfd), fd);
	long ret;

	if (copy_from_user(&eventfd, arg, minsz))
		return -EFAULT;
	if (eventfd.argsz < minsz || eventfd.flags != VFIO_DEVICE_IOEVENTFD_32 || eventfd.fd < -1)
		return -EINVAL;
	if (eventfd.offset != REGION_START(VFIO_PCI_BAR0_REGION_INDEX) + KVM_HEARTBEAT_REG_DOORBELL)
		return -EINVAL;

	mutex_lock(&face->hb.lock);
	ret = kvmhb_device_ring_by(&face->hb, eventfd.fd, eventfd.data);
	mutex_unlock(&face->hb.lock);
	return ret;
}

static long vfio_op_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct kvmhb_vfio *face = vfio_to_face(vdev);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return vfio_get_info(uarg);
#ifndef KVMHB_HAVE_GET_REGION_INFO_CAPS
	case VFIO_DEVICE_GET_REGION_INFO:
		return kvmhb_copy_region_info(vdev, uarg, vfio_op_get_region_info);
#endif
	case VFIO_DEVICE_GET_IRQ_INFO:
		return kvmhb_vfio_get_irq_info(uarg);
	case VFIO_DEVICE_SET_IRQS:
		return kvmhb_vfio_set_irqs(face, uarg);
	case VFIO_DEVICE_IOEVENTFD:
		return vfio_set_ioeventfd(face, uarg);
	case VFIO_DEVICE_RESET:
		kvmhb_vfio_reset(face);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* The mdev is being removed: QEMU answers by unplugging the device. */
static void vfio_op_request(struct vfio_device *vdev, unsigned int count)
{
	struct kvmhb_vfio *face = vfio_to_face(vdev);
	bool asked;

	mutex_lock(&face->hb.lock);
	asked = kvmhb_vfio_raise(face, VFIO_PCI_REQ_IRQ_INDEX);
	mutex_unlock(&face->hb.lock);

	if (!count)
		dev_notice(vdev->dev, "%s\n", asked ?
			   "asked the VMM to unplug the device" :
			   "in use by a VMM that cannot be asked to unplug it: stop the VM");
}

static void vfio_free_open(struct kvmhb_vfio_open *open)
{
	mutex_destroy(&open->lock);
	kfree(open);
}

static int vfio_op_open(struct vfio_device *vdev)
{
	struct kvmhb_vfio *face = vfio_to_face(vdev);
	struct kvmhb_vfio_open *open;
	int ret;

	open = kzalloc(sizeof(*open), GFP_KERNEL_ACCOUNT);
	if (!open)
		return -ENOMEM;
	mutex_init(&open->lock);
	open->state = VFIO_DEVICE_STATE_RUNNING;
	ret = kvmhb_device_open(&face->hb, vdev->kvm);
	if (ret) {
		vfio_free_open(open);
		return ret;
	}

	mutex_lock(&face->hb.lock);
	face->open = open;
	mutex_unlock(&face->hb.lock);
	return 0;
}

static void vfio_op_close(struct vfio_device *vdev)
{
	struct kvmhb_vfio *face = vfio_to_face(vdev);
	struct kvmhb_vfio_open *open = face->open;

	kvmhb_vfio_end_migration(face);
	mutex_lock(&face->hb.lock);
	kvmhb_vfio_drop_irqs(face);
	face->open = NULL;
	mutex_unlock(&face->hb.lock);
	kvmhb_device_close(&face->hb);
	vfio_free_open(open);
}

static void vfio_op_release(struct vfio_device *vdev)
{
	kvmhb_device_uninit(&vfio_to_face(vdev)->hb);
}

static const struct vfio_device_ops vfio_ops = {
	.name		= "kvm_heartbeat",
	.release	= vfio_op_release,
#if IS_ENABLED(CONFIG_IOMMUFD)
	.bind_iommufd	= vfio_iommufd_emulated_bind,
	.unbind_iommufd	= vfio_iommufd_emulated_unbind,
	.attach_ioas	= vfio_iommufd_emulated_attach_ioas,
	.detach_ioas	= vfio_iommufd_emulated_detach_ioas,
#endif
	.open_device	= vfio_op_open,
	.close_device	= vfio_op_close,
	.read		= vfio_op_read,
	.write		= vfio_op_write,
	.ioctl		= vfio_op_ioctl,
#ifdef KVMHB_HAVE_GET_REGION_INFO_CAPS
	.get_region_info_caps = vfio_op_get_region_info,
#endif
	.mmap		= vfio_op_mmap,
	.request	= vfio_op_request,
#ifndef KVMHB_HAVE_MIG_DATA_SIZE
	.device_feature = kvmhb_vfio_feature,
#endif
};

/* A monitor that is to do nothing needs no memory for that. */
static int vfio_apply_policy(struct kvmhb_monitor *mon, const struct kvmhb_policy *policy)
{
	const struct kvmhb_policy_change change = {
		.on_unresponsive = &policy->on_unresponsive,
		.on_panicked = &policy->on_panicked,
	};

	if (!policy->on_unresponsive.nr && !policy->on_panicked.nr)
		return 0;
	return kvmhb_react_configure(mon, &change);
}

/**
 * kvmhb_vfio_create - offer a device to VFIO
 * @dev: its parent; outlives it
 * @config: the configuration that it begins with
 * @policy: what is done about outages; its steps alone count
 *
 * Return: the device or an errno as a pointer.
 */
struct kvmhb_vfio *kvmhb_vfio_create(struct device *dev, const struct kvmhb_config *config,
				     const struct kvmhb_policy *policy)
{
	struct kvmhb_vfio *face;
	int ret;

	face = vfio_alloc_device(kvmhb_vfio, vdev, dev, &vfio_ops);
	if (IS_ERR(face))
		return face;
	kvmhb_device_init(&face->hb, dev, config, &vfio_monitor_ops);
	kvmhb_vfio_can_migrate(face);

	ret = vfio_apply_policy(&face->hb.monitor, policy) ?:
	      vfio_register_emulated_iommu_dev(&face->vdev);
	if (ret) {
		kvmhb_device_stop(&face->hb);
		vfio_put_device(&face->vdev);
		return ERR_PTR(ret);
	}
	return face;
}

/**
 * kvmhb_vfio_remove - undo kvmhb_vfio_create()
 * @face: the device
 *
 * Waits for the VMM to close it. That may still hold a reference for a moment, by the device's
 * own file: what it frees then has long stopped.
 */
void kvmhb_vfio_remove(struct kvmhb_vfio *face)
{
	vfio_unregister_group_dev(&face->vdev);
	kvmhb_device_stop(&face->hb);
	vfio_put_device(&face->vdev);
}
