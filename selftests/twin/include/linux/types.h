/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the pure files of host-module/, and their KUnit tests, need of the kernel, to be built as
 * they are in userspace. The other headers here have what is left.
 */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include_next <linux/types.h>
#include <asm/byteorder.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of the same types as in the kernel: 64 bits are long long, as printf() is told. */
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef int gfp_t;

#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX
#define U64_MAX		((u64)~0ULL)
#define S64_MAX		((s64)(U64_MAX >> 1))

#define cpu_to_le16	__cpu_to_le16
#define cpu_to_le32	__cpu_to_le32
#define cpu_to_le64	__cpu_to_le64
#define le16_to_cpu	__le16_to_cpu
#define le32_to_cpu	__le32_to_cpu
#define le64_to_cpu	__le64_to_cpu

#define le64_add_cpu(at, n)	(*(at) = cpu_to_le64(le64_to_cpu(*(at)) + (n)))

#endif /* SHIM_LINUX_TYPES_H */
