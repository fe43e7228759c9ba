/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What older kernels lack, in the shape the newest one has it
 *
 * Kbuild looks for each feature in the kernel's headers: a version number
 * says little where distributions backport.
 */
#ifndef _KVMHB_COMPAT_H
#define _KVMHB_COMPAT_H

#include <linux/hrtimer.h>

#ifndef KVMHB_HAVE_HRTIMER_SETUP	/* before 6.13 */
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock_id, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock_id, mode);
	timer->function = function;
}
#endif

#endif /* _KVMHB_COMPAT_H */
