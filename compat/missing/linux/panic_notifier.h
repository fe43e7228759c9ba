/* SPDX-License-Identifier: GPL-2.0 */
/* Before 5.14 */
#ifndef _LINUX_PANIC_NOTIFIERS_H
#define _LINUX_PANIC_NOTIFIERS_H

#include <linux/kernel.h>
#include <linux/notifier.h>

#endif /* _LINUX_PANIC_NOTIFIERS_H */
