/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_CRC32_H
#define SHIM_LINUX_CRC32_H

#include <linux/types.h>
#include <zlib.h>

/* The same polynomial; zlib inverts before and after, the kernel does not. */
static inline u32 crc32_le(u32 crc, const void *bytes, size_t length)
{
	return ~crc32(~crc, bytes, length);
}

#endif /* SHIM_LINUX_CRC32_H */
