/* SPDX-License-Identifier: GPL-2.0 */
/* The health of the host itself: who is in trouble accuses nobody. */
#ifndef KVMHB_HOST_H
#define KVMHB_HOST_H

#include <linux/types.h>

int kvmhb_host_init(void);
void kvmhb_host_exit(void);
int kvmhb_host_sleeps(void);
void kvmhb_host_late(u64 late_ns);
u64 kvmhb_host_resolution_ns(void);
void kvmhb_host_ask(void);
bool kvmhb_host_answered(u64 since_ns);
u64 kvmhb_host_asking_ns(void);
u64 kvmhb_host_deaf_ns(void);
unsigned int kvmhb_host_unheard_cpu(void);

#endif /* KVMHB_HOST_H */
