/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_CPUMASK_H
#define SHIM_LINUX_CPUMASK_H

#include <linux/bitmap.h>

#define num_online_cpus()	1U

#endif /* SHIM_LINUX_CPUMASK_H */
