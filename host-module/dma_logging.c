// SPDX-License-Identifier: GPL-2.0
/*
 * DMA logging, where VFIO cannot pass it on. Built for kernels without IOMMUFD_DRIVER alone:
 * their VFIO takes log_start and log_stop from a device, and then answers each report with
 * EOPNOTSUPP without asking the device, so that no VMM can migrate. A report that names no
 * page is the truth for a device without DMA; it is made here, in place of VFIO's.
 */
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "vfio.h"

/* Never changes once a file has the second of these. */
static const struct file_operations *logging_vfio_fops;
static struct file_operations logging_fops;	/* those, but for one ioctl */
static DEFINE_MUTEX(logging_lock);		/* while they are made */

/* No bit of the VMM's bitmap is set; those that it has are left. Checks what VFIO checks. */
static long logging_report(void __user *arg, u32 flags, size_t argsz)
{
	struct vfio_device_feature_dma_logging_report report;
	size_t minsz = offsetofend(typeof(report), bitmap);
	u64 end;
	int ret;

	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET, sizeof(report));
	if (ret != 1)
		return ret;
	if (copy_from_user(&report, arg, minsz))
		return -EFAULT;
	if (report.page_size < SZ_4K || !is_power_of_2(report.page_size))
		return -EINVAL;
	if (check_add_overflow(report.iova, report.length, &end) || end > ULONG_MAX)
		return -EOVERFLOW;
	return 0;
}

static long logging_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vfio_device_feature __user *uarg = (void __user *)arg;
	size_t minsz = sizeof(struct vfio_device_feature);
	struct vfio_device_feature feature;

	if (cmd != VFIO_DEVICE_FEATURE)
		return logging_vfio_fops->unlocked_ioctl(file, cmd, arg);
	if (copy_from_user(&feature, uarg, minsz))
		return -EFAULT;
	if ((feature.flags & VFIO_DEVICE_FEATURE_MASK) != VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT ||
	    feature.argsz < minsz)
		return logging_vfio_fops->unlocked_ioctl(file, cmd, arg);
	return logging_report(uarg->data, feature.flags, feature.argsz - minsz);
}

/**
 * kvmhb_dma_logging_serve - answer reports of DMA that come through a file
 * @file: a file of a VFIO device of ours
 *
 * The file then holds a reference to this module in place of VFIO's, which we depend on.
 */
void kvmhb_dma_logging_serve(struct file *file)
{
	mutex_lock(&logging_lock);
	if (!logging_vfio_fops) {
		logging_vfio_fops = file->f_op;
		logging_fops = *file->f_op;
		logging_fops.owner = THIS_MODULE;
		logging_fops.unlocked_ioctl = logging_ioctl;
	}
	if (file->f_op == logging_vfio_fops && fops_get(&logging_fops))
		replace_fops(file, &logging_fops);
	mutex_unlock(&logging_lock);
}
