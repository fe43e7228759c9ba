/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_MM_H
#define SHIM_LINUX_MM_H

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include <asm/page.h>

#define __GFP_ZERO	0
#define __GFP_NORETRY	0
#define __GFP_NOWARN	0

struct page;

#define alloc_pages_exact(size, gfp)	calloc(1, (size) + 0 * (gfp))
#define free_pages_exact(memory, size)	free(memory)

#define data_race(expr)	(expr)

#endif /* SHIM_LINUX_MM_H */
