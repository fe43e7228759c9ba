/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_KERNEL_H
#define SHIM_LINUX_KERNEL_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>

#include <limits.h>
#include <stdlib.h>

#define ARRAY_SIZE(array)		(sizeof(array) / sizeof((array)[0]))
#define sizeof_field(type, member)	sizeof(((type *)0)->member)
#define container_of(ptr, type, member)	((type *)((char *)(ptr) - offsetof(type, member)))
#define static_assert(expr, ...)	__static_assert(expr, ##__VA_ARGS__, #expr)
#define __static_assert(expr, msg, ...)	_Static_assert(expr, msg)
#define roundup_pow_of_two(n)		(1UL << (64 - __builtin_clzl((n) - 1)))
#define DIV_ROUND_UP(n, d)		(((n) + (d) - 1) / (d))

/* Of any integer type; the C library's is of int. */
#define abs(x)	({ __typeof__(x) _x = (x); _x < 0 ? -_x : _x; })

/* As the kernel's, for what the C library has and for one "%*pbl". */
int shim_snprintf(char *buf, size_t size, const char *format, ...);
int shim_scnprintf(char *buf, size_t size, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));
#define snprintf	shim_snprintf
#define scnprintf	shim_scnprintf

#endif /* SHIM_LINUX_KERNEL_H */
