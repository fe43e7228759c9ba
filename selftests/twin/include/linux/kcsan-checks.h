/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_KCSAN_CHECKS_H
#define SHIM_LINUX_KCSAN_CHECKS_H

#define ASSERT_EXCLUSIVE_WRITER(var)	((void)(var))
#define ASSERT_EXCLUSIVE_ACCESS(var)	((void)(var))

#endif /* SHIM_LINUX_KCSAN_CHECKS_H */
