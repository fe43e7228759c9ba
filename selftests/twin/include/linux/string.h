/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_STRING_H
#define SHIM_LINUX_STRING_H

#include <string.h>

/* Of the kernel, and of no C library of Debian 12's. */
#define strscpy(to, from, size)	shim_strscpy(to, from, size)
long shim_strscpy(char *to, const char *from, size_t size);

#endif /* SHIM_LINUX_STRING_H */
