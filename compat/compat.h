/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What older kernels lack, in the shape the newest one has it
 *
 * The one place that knows kernels apart, for both modules and the tests'.
 * Kbuild, beside this file, looks into the kernel's headers.
 */
#ifndef KVMHB_COMPAT_H
#define KVMHB_COMPAT_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>

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
