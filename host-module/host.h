/* SPDX-License-Identifier: GPL-2.0 */
/* The health of the host itself: who is in trouble accuses nobody. */
#ifndef KVMHB_HOST_H
#define KVMHB_HOST_H

#include <linux/types.h>

/**
 * struct kvmhb_host - how the host is at one moment
 * @sleeps: how often it went to sleep and woke up. Between two looks at which that differs
 *	guests were frozen for an unknown time
 * @unheard_cpu: while @asking_ns: the first of its CPUs that have not answered
 * @deaf_ns: how long CPUs of it have not answered so far, ns: a sum that grows while an
 *	answer is outstanding
 * @asking_ns: how long some CPU of it has not answered, ns; 0 if all have
 */
struct kvmhb_host {
	int sleeps;
	unsigned int unheard_cpu;
	u64 deaf_ns;
	u64 asking_ns;
};

int kvmhb_host_init(void);
void kvmhb_host_exit(void);
void kvmhb_host_late(u64 late_ns);
u64 kvmhb_host_resolution_ns(void);
void kvmhb_host_ask(void);
bool kvmhb_host_answered(u64 since_ns);
void kvmhb_host_look(struct kvmhb_host *host);

#endif /* KVMHB_HOST_H */
