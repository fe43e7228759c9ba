/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What older kernels lack, in the shape the newest one has it
 *
 * The one place that knows kernels apart, for both modules and the tests'.
 * Kbuild, beside this file, looks into the kernel's headers.
 */
#ifndef KVMHB_COMPAT_H
#define KVMHB_COMPAT_H

#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/topology.h>
#include <linux/uaccess.h>
#include <uapi/linux/vfio.h>

struct vfio_device;
struct vfio_info_cap;

#ifndef KVMHB_HAVE_GET_REGION_INFO_CAPS	/* drivers copied it themselves */
static inline long
kvmhb_copy_region_info(struct vfio_device *vdev, void __user *arg,
		       int (*get)(struct vfio_device *vdev, struct vfio_region_info *info,
				  struct vfio_info_cap *caps))
{
	struct vfio_region_info info;
	size_t minsz = offsetofend(typeof(info), offset);
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	ret = get(vdev, &info, NULL);
	if (ret)
		return ret;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}
#endif

#ifndef KVMHB_HAVE_MIG_DATA_SIZE	/* before 6.2; VMMs ask all the same */
#define KVMHB_FEATURE_MIG_DATA_SIZE	9	/* VFIO_DEVICE_FEATURE_MIG_DATA_SIZE */

struct kvmhb_mig_data_size {
	__aligned_u64 stop_copy_length;
};
#endif

#ifndef KVMHB_HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock_id, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock_id, mode);
	timer->function = function;
}
#endif

#ifndef KVMHB_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

#ifndef KVMHB_HAVE_HK_TYPE		/* were flags before 5.18 */
#define HK_TYPE_TIMER			HK_FLAG_TIMER
#define HK_TYPE_DOMAIN			HK_FLAG_DOMAIN
#endif

#ifndef KVMHB_HAVE_KTHREAD_RUN_ON_CPU	/* before 5.17 modules could not have the former */
#define kthread_create_on_cpu kvmhb_kthread_create_on_cpu
static inline struct task_struct *kthread_create_on_cpu(int (*fn)(void *), void *data,
							unsigned int cpu, const char *name)
{
	struct task_struct *task;

	task = kthread_create_on_node(fn, data, cpu_to_node(cpu), name, cpu);
	if (!IS_ERR(task))
		kthread_bind(task, cpu);
	return task;
}
#endif

#ifndef pci_resource_n			/* before 6.1 */
#define pci_resource_n(dev, bar)	(&(dev)->resource[(bar)])
#endif

#ifndef pm_sleep_ptr			/* before 5.17, but in 5.10's stable */
#define pm_sleep_ptr(ptr)		(IS_ENABLED(CONFIG_PM_SLEEP) ? (ptr) : NULL)
#endif

#ifndef _DEFINE_DEV_PM_OPS		/* 5.10's stable had it, but always static */
#undef DEFINE_SIMPLE_DEV_PM_OPS
#define DEFINE_SIMPLE_DEV_PM_OPS(name, suspend, resume) \
const struct dev_pm_ops name = { SET_SYSTEM_SLEEP_PM_OPS(suspend, resume) }
#endif

#ifndef TASK_FREEZABLE			/* 6.1 */
#define TASK_FREEZABLE			0
#endif

#ifndef TASK_FROZEN			/* was a flag before 6.1 */
#define TASK_FROZEN			0x8000
#define KVMHB_FROZEN_FLAGS		(PF_FROZEN | PF_FREEZER_SKIP)
#else
#define KVMHB_FROZEN_FLAGS		0
#endif

/* Had another name, and another type, before 5.14. */
static inline unsigned int kvmhb_task_state(const struct task_struct *task)
{
#ifdef KVMHB_HAVE_TASK_STATE
	unsigned int state = READ_ONCE(task->__state);
#else
	unsigned int state = READ_ONCE(task->state);
#endif

	return READ_ONCE(task->flags) & KVMHB_FROZEN_FLAGS ? state | TASK_FROZEN : state;
}

/* Took a count until 6.8. */
static inline void kvmhb_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef KVMHB_HAVE_EVENTFD_SIGNAL_1
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

#endif /* KVMHB_COMPAT_H */
