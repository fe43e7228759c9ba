/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_ASM_BARRIER_H
#define SHIM_ASM_BARRIER_H

#include <linux/compiler.h>

#define smp_mb()		barrier()
#define smp_wmb()		barrier()
#define smp_rmb()		barrier()
#define smp_store_release(at, value)	WRITE_ONCE(*(at), value)

#endif /* SHIM_ASM_BARRIER_H */
