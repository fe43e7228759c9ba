// SPDX-License-Identifier: GPL-2.0
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/pci_regs.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "device.h"
#include "evidence.h"
#include "kvm_heartbeat.h"
#include "main.h"
#include "trace.h"

/* A file offset carries the region in its upper bits, as with vfio-pci. */
#define REGION_SHIFT	40
#define REGION_START(index)	((u64)(index) << REGION_SHIFT)
#define REGION_INDEX(pos)	((u64)(pos) >> REGION_SHIFT)
#define REGION_OFFSET(pos)	((u64)(pos) & (BIT_ULL(REGION_SHIFT) - 1))

#define REGS_SIZE	SZ_4K

static struct kvmhb_device *to_hb(struct vfio_device *vdev)
{
	return container_of(vdev, struct kvmhb_device, vdev);
}

/* Size of a region in bytes, 0 for those that the device does not have. */
static size_t region_size(struct kvmhb_device *hb, u64 index)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX + KVM_HEARTBEAT_BAR_REGS:
		return REGS_SIZE;
	case VFIO_PCI_BAR0_REGION_INDEX + KVM_HEARTBEAT_BAR_PULSE:
		return hb->pulse.size;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return PCI_CFG_SPACE_SIZE;
	default:
		return 0;
	}
}

/* Number of interrupts of a VFIO interrupt index. */
static unsigned int count_irqs(u32 index)
{
	switch (index) {
	case VFIO_PCI_MSI_IRQ_INDEX:
	/* Never raised, but QEMU warns at every start if it is missing. */
	case VFIO_PCI_ERR_IRQ_INDEX:
	case VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

static bool trigger(struct kvmhb_device *hb, u32 index)
{
	lockdep_assert_held(&hb->lock);

	if (!hb->triggers[index])
		return false;
	kvmhb_eventfd_signal(hb->triggers[index]);
	return true;
}

static void set_trigger(struct kvmhb_device *hb, u32 index, struct eventfd_ctx *ctx)
{
	lockdep_assert_held(&hb->lock);

	if (hb->triggers[index])
		eventfd_ctx_put(hb->triggers[index]);
	hb->triggers[index] = ctx;
}

/**
 * kvmhb_device_config_changed - interrupt the guest, which then reads anew
 * @hb: the device
 *
 * A guest without the interrupt reads the change at its next beat. Context:
 * process; takes @hb->lock.
 */
void kvmhb_device_config_changed(struct kvmhb_device *hb)
{
	mutex_lock(&hb->lock);
	trigger(hb, VFIO_PCI_MSI_IRQ_INDEX);
	mutex_unlock(&hb->lock);
}

/* BAR0 */

static ssize_t regs_read(struct kvmhb_device *hb, char __user *buf, size_t count, u64 offset)
{
	struct {
		__le32 magic, version, features, nr_slots;
		__le64 interval_ns, timeout_ns;
		__le32 lifecycle;
	} __packed regs;
	struct kvmhb_readings readings;
	size_t here = 0;

	static_assert(offsetof(typeof(regs), nr_slots) == KVM_HEARTBEAT_REG_NR_SLOTS);
	static_assert(offsetof(typeof(regs), interval_ns) == KVM_HEARTBEAT_REG_INTERVAL_NS);
	static_assert(offsetof(typeof(regs), timeout_ns) == KVM_HEARTBEAT_REG_TIMEOUT_NS);
	static_assert(offsetof(typeof(regs), lifecycle) == KVM_HEARTBEAT_REG_LIFECYCLE);

	kvmhb_monitor_read(&hb->monitor, &readings);
	regs.magic = cpu_to_le32(KVM_HEARTBEAT_MAGIC);
	regs.version = cpu_to_le32(KVM_HEARTBEAT_VERSION);
	regs.features = cpu_to_le32(KVM_HEARTBEAT_FEATURE_LAYERS);
	regs.nr_slots = cpu_to_le32(hb->pulse.nr_slots);
	regs.interval_ns = cpu_to_le64(readings.config.interval_ns);
	regs.timeout_ns = cpu_to_le64(readings.config.timeout_ns);
	regs.lifecycle = cpu_to_le32(readings.lifecycle);

	if (offset < sizeof(regs)) {
		here = min_t(size_t, count, sizeof(regs) - offset);
		if (copy_to_user(buf, (u8 *)&regs + offset, here))
			return -EFAULT;
	}
	if (clear_user(buf + here, count - here))
		return -EFAULT;
	return count;
}

static ssize_t regs_write(struct kvmhb_device *hb, const char __user *buf, size_t count, u64 offset)
{
	__le32 raw;
	u32 value;

	/* A guest's nonsense is not the VMM's error: ignored, not refused. */
	if (count != sizeof(raw))
		return count;
	if (copy_from_user(&raw, buf, sizeof(raw)))
		return -EFAULT;
	value = le32_to_cpu(raw);

	switch (offset) {
	case KVM_HEARTBEAT_REG_DOORBELL:
		kvmhb_tally_beat(&hb->monitor.tally, value < hb->pulse.nr_slots ? value : -1);
		break;
	case KVM_HEARTBEAT_REG_LIFECYCLE:
		kvmhb_monitor_lifecycle(&hb->monitor, value);
		break;
	}
	return count;
}

/* BAR2, for a VMM that does not map it */

static ssize_t pulse_read(struct kvmhb_device *hb, char __user *buf, size_t count, u64 offset)
{
	return copy_to_user(buf, (u8 *)hb->pulse.header + offset, count) ? -EFAULT : count;
}

static ssize_t pulse_write(struct kvmhb_device *hb, const char __user *buf, size_t count,
			   u64 offset)
{
	return copy_from_user((u8 *)hb->pulse.header + offset, buf, count) ? -EFAULT : count;
}

/* Configuration space */

static ssize_t config_read(struct kvmhb_device *hb, char __user *buf, size_t count, u64 offset)
{
	u8 bytes[PCI_CFG_SPACE_SIZE] = {};

	mutex_lock(&hb->lock);
	memcpy(bytes, hb->space.value, sizeof(hb->space.value));
	mutex_unlock(&hb->lock);
	return copy_to_user(buf, bytes + offset, count) ? -EFAULT : count;
}

static ssize_t config_write(struct kvmhb_device *hb, const char __user *buf, size_t count,
			    u64 offset)
{
	u8 bytes[PCI_CFG_SPACE_SIZE];

	if (copy_from_user(bytes, buf, count))
		return -EFAULT;
	mutex_lock(&hb->lock);
	kvmhb_config_space_write(&hb->space, offset, bytes, count);
	mutex_unlock(&hb->lock);
	return count;
}

/* VFIO */

static ssize_t hb_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	struct kvmhb_device *hb = to_hb(vdev);
	u64 index = REGION_INDEX(*ppos);
	u64 offset = REGION_OFFSET(*ppos);
	size_t size = region_size(hb, index);
	ssize_t ret;

	if (offset > size || count > size - offset)
		return -EINVAL;

	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		ret = regs_read(hb, buf, count, offset);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		ret = pulse_read(hb, buf, count, offset);
		break;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		ret = config_read(hb, buf, count, offset);
		break;
	default:
		return -EINVAL;
	}
	if (ret > 0)
		*ppos += ret;
	return ret;
}

static ssize_t hb_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			loff_t *ppos)
{
	struct kvmhb_device *hb = to_hb(vdev);
	u64 index = REGION_INDEX(*ppos);
	u64 offset = REGION_OFFSET(*ppos);
	size_t size = region_size(hb, index);
	ssize_t ret;

	if (offset > size || count > size - offset)
		return -EINVAL;

	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		ret = regs_write(hb, buf, count, offset);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		ret = pulse_write(hb, buf, count, offset);
		break;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		ret = config_write(hb, buf, count, offset);
		break;
	default:
		return -EINVAL;
	}
	if (ret > 0)
		*ppos += ret;
	return ret;
}

static int hb_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct kvmhb_device *hb = to_hb(vdev);
	unsigned long first = vma->vm_pgoff & (BIT(REGION_SHIFT - PAGE_SHIFT) - 1);
	unsigned long nr;
	int ret = 0;

	if (vma->vm_pgoff >> (REGION_SHIFT - PAGE_SHIFT) != VFIO_PCI_BAR2_REGION_INDEX)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!kvmhb_pulse_has_pages(&hb->pulse, first, vma_pages(vma)))
		return -EINVAL;

	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	for (nr = 0; nr < vma_pages(vma) && !ret; nr++)
		ret = vm_insert_page(vma, vma->vm_start + nr * PAGE_SIZE,
				     kvmhb_pulse_page(&hb->pulse, first + nr));
	return ret;
}

static long get_info(void __user *arg)
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
static int hb_get_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
			      struct vfio_info_cap *caps)
{
	if (info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;

	info->flags = 0;
	info->cap_offset = 0;
	info->size = region_size(to_hb(vdev), info->index);
	info->offset = REGION_START(info->index);
	if (info->size)
		info->flags |= VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (info->index == VFIO_PCI_BAR2_REGION_INDEX)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

#ifndef KVMHB_HAVE_GET_REGION_INFO_CAPS
static long get_region_info(struct vfio_device *vdev, void __user *arg)
{
	struct vfio_region_info info;
	size_t minsz = offsetofend(typeof(info), offset);
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	ret = hb_get_region_info(vdev, &info, NULL);
	if (ret)
		return ret;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}
#endif

static long get_irq_info(void __user *arg)
{
	struct vfio_irq_info info;
	size_t minsz = offsetofend(typeof(info), count);

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;

	info.flags = 0;
	info.count = count_irqs(info.index);
	if (info.count)
		info.flags |= VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long set_irqs_eventfd(struct kvmhb_device *hb, u32 index, s32 fd)
{
	struct eventfd_ctx *ctx = NULL;

	lockdep_assert_held(&hb->lock);

	if (fd >= 0) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	} else if (fd != -1) {
		return -EINVAL;
	}
	set_trigger(hb, index, ctx);
	return 0;
}

static long set_irqs(struct kvmhb_device *hb, void __user *arg)
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
	ret = vfio_set_irqs_validate_and_prepare(&hdr, count_irqs(hdr.index),
						 VFIO_PCI_NUM_IRQS, &data_size);
	if (ret)
		return ret;
	if ((hdr.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL;
	/* One interrupt an index, so there is one datum at the most. */
	if (copy_from_user(&data, arg + minsz, data_size))
		return -EFAULT;

	mutex_lock(&hb->lock);
	switch (hdr.flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (!hdr.count)
			set_trigger(hb, hdr.index, NULL);
		else
			trigger(hb, hdr.index);
		break;
	case VFIO_IRQ_SET_DATA_BOOL:
		if (hdr.count && data.on)
			trigger(hb, hdr.index);
		break;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		if (hdr.count)
			ret = set_irqs_eventfd(hb, hdr.index, data.fd);
		break;
	}
	mutex_unlock(&hb->lock);
	return ret;
}

static long set_ioeventfd(struct kvmhb_device *hb, void __user *arg)
{
	struct vfio_device_ioeventfd eventfd;
	size_t minsz = offsetofend(typeof(eventfd), fd);
	long ret = 0;

	if (copy_from_user(&eventfd, arg, minsz))
		return -EFAULT;
	if (eventfd.argsz < minsz || eventfd.flags != VFIO_DEVICE_IOEVENTFD_32 || eventfd.fd < -1)
		return -EINVAL;
	if (eventfd.offset != REGION_START(VFIO_PCI_BAR0_REGION_INDEX) + KVM_HEARTBEAT_REG_DOORBELL)
		return -EINVAL;

	mutex_lock(&hb->lock);
	if (eventfd.fd < 0) {
		if (hb->doorbell.ctx && hb->doorbell.data == eventfd.data)
			kvmhb_doorbell_detach(&hb->doorbell);
		else
			ret = -ENODEV;
	} else if (hb->doorbell.ctx) {
		/* As vfio-pci answers, of which it takes more than one. */
		ret = hb->doorbell.data == eventfd.data ? -EEXIST : -ENOSPC;
	} else {
		ret = kvmhb_doorbell_attach(&hb->doorbell, &hb->monitor.tally, eventfd.fd,
					    eventfd.data, hb->pulse.nr_slots);
	}
	mutex_unlock(&hb->lock);
	return ret;
}

static void reset(struct kvmhb_device *hb)
{
	mutex_lock(&hb->lock);
	kvmhb_config_space_init(&hb->space, REGS_SIZE, hb->pulse.size);
	mutex_unlock(&hb->lock);
	kvmhb_monitor_reset(&hb->monitor);
}

static long hb_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct kvmhb_device *hb = to_hb(vdev);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(uarg);
#ifndef KVMHB_HAVE_GET_REGION_INFO_CAPS
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(vdev, uarg);
#endif
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq_info(uarg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(hb, uarg);
	case VFIO_DEVICE_IOEVENTFD:
		return set_ioeventfd(hb, uarg);
	case VFIO_DEVICE_RESET:
		reset(hb);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* The mdev is being removed: QEMU answers by unplugging the device. */
static void hb_request(struct vfio_device *vdev, unsigned int count)
{
	struct kvmhb_device *hb = to_hb(vdev);
	bool asked;

	mutex_lock(&hb->lock);
	asked = trigger(hb, VFIO_PCI_REQ_IRQ_INDEX);
	mutex_unlock(&hb->lock);

	if (!count)
		dev_notice(vdev->dev, "%s\n", asked ?
			   "asked the VMM to unplug the device" :
			   "in use by a VMM that cannot be asked to unplug it: stop the VM");
}

static int hb_open(struct vfio_device *vdev)
{
	struct kvmhb_device *hb = to_hb(vdev);
	unsigned int nr_vcpus;
	int ret;

	if (!kvmhb_evidence_get(vdev->kvm))
		return -ENOENT;
	hb->kvm = vdev->kvm;
	nr_vcpus = kvmhb_evidence_nr_vcpus(hb->kvm);

	ret = kvmhb_pulse_init(&hb->pulse, nr_vcpus);
	if (ret)
		goto put_kvm;

	mutex_lock(&hb->lock);
	kvmhb_config_space_init(&hb->space, REGS_SIZE, hb->pulse.size);
	mutex_unlock(&hb->lock);

	trace_attach(vdev->dev, current->tgid, !!hb->kvm, nr_vcpus, hb->pulse.nr_slots);
	kvmhb_monitor_attach(&hb->monitor, &hb->pulse, hb->kvm, current->tgid);
	return 0;

put_kvm:
	kvmhb_evidence_put(hb->kvm);
	hb->kvm = NULL;
	return ret;
}

static void hb_close(struct vfio_device *vdev)
{
	struct kvmhb_device *hb = to_hb(vdev);
	unsigned int i;

	mutex_lock(&hb->lock);
	kvmhb_doorbell_detach(&hb->doorbell);
	for (i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		set_trigger(hb, i, NULL);
	mutex_unlock(&hb->lock);

	kvmhb_monitor_detach(&hb->monitor);
	trace_detach(vdev->dev, current->tgid);

	kvmhb_pulse_uninit(&hb->pulse);
	kvmhb_evidence_put(hb->kvm);
	hb->kvm = NULL;
}

static int hb_init(struct vfio_device *vdev)
{
	struct kvmhb_device *hb = to_hb(vdev);

	int ret;

	ret = kvmhb_monitor_init(&hb->monitor, vdev->dev, kvmhb_interval_ns, kvmhb_timeout_ns);
	if (ret)
		return ret;
	mutex_init(&hb->lock);
	return 0;
}

static void hb_release(struct vfio_device *vdev)
{
	struct kvmhb_device *hb = to_hb(vdev);

	mutex_destroy(&hb->lock);
	kvmhb_monitor_uninit(&hb->monitor);
}

const struct vfio_device_ops kvmhb_device_ops = {
	.name		= "kvm_heartbeat",
	.init		= hb_init,
	.release	= hb_release,
#if IS_ENABLED(CONFIG_IOMMUFD)
	.bind_iommufd	= vfio_iommufd_emulated_bind,
	.unbind_iommufd	= vfio_iommufd_emulated_unbind,
	.attach_ioas	= vfio_iommufd_emulated_attach_ioas,
	.detach_ioas	= vfio_iommufd_emulated_detach_ioas,
#endif
	.open_device	= hb_open,
	.close_device	= hb_close,
	.read		= hb_read,
	.write		= hb_write,
	.ioctl		= hb_ioctl,
#ifdef KVMHB_HAVE_GET_REGION_INFO_CAPS
	.get_region_info_caps = hb_get_region_info,
#endif
	.mmap		= hb_mmap,
	.request	= hb_request,
};
