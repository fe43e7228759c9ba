/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_COMPILER_H
#define SHIM_LINUX_COMPILER_H

#define likely(x)	__builtin_expect(!!(x), 1)
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))

#endif /* SHIM_LINUX_COMPILER_H */
