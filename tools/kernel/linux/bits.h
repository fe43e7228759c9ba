/* SPDX-License-Identifier: GPL-2.0 */
/* Likewise. */
#ifndef HB_KERNEL_BITS_H
#define HB_KERNEL_BITS_H

#define BIT(nr)	(1UL << (nr))

#endif /* HB_KERNEL_BITS_H */
