/* SPDX-License-Identifier: GPL-2.0 */
/* What host-module/words.h needs of the kernel, for userspace. */
#ifndef HB_KERNEL_TYPES_H
#define HB_KERNEL_TYPES_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t u32;

#endif /* HB_KERNEL_TYPES_H */
