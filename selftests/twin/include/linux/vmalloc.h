/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_VMALLOC_H
#define SHIM_LINUX_VMALLOC_H

#include <linux/types.h>

/* There are always pages in a row. */
#define is_vmalloc_addr(memory)		false
#define __vmalloc(size, gfp)		NULL
#define vfree(memory)			((void)(memory))
#define vmalloc_to_page(memory)		NULL
#define virt_to_page(memory)		((struct page *)(memory))

#endif /* SHIM_LINUX_VMALLOC_H */
