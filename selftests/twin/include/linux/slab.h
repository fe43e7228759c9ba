/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <linux/time64.h>
#include <linux/types.h>

#include <stdlib.h>

#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0

#define kvcalloc(n, size, gfp)	calloc(n, size)
#define kvfree(memory)		free(memory)
#define kfree(memory)		free(memory)

void *kmemdup(const void *from, size_t size, int gfp);

#endif /* SHIM_LINUX_SLAB_H */
