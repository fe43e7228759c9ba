/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_SUSPEND_H
#define SHIM_LINUX_SUSPEND_H

#define PM_SUSPEND_PREPARE	3
#define PM_POST_SUSPEND		4

#endif /* SHIM_LINUX_SUSPEND_H */
