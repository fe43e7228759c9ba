/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The doorbell as an eventfd: rung by KVM itself (KVM_IOEVENTFD), a beat does not
 * pass through the VMM.
 */
#ifndef KVMHB_DOORBELL_H
#define KVMHB_DOORBELL_H

#include <linux/types.h>
#include <linux/wait.h>

struct eventfd_ctx;
struct kvmhb_tally;

/**
 * struct kvmhb_doorbell - an eventfd that stands for writes to the doorbell
 * @ctx: the eventfd; NULL while there is none
 * @wait: our place in its wait queue
 * @tally: what a signal tells of a beat
 * @data: what a signal stands for as if it had been written
 * @cpu: the guest CPU which that names, or -1
 */
struct kvmhb_doorbell {
	struct eventfd_ctx *ctx;
	wait_queue_entry_t wait;
	struct kvmhb_tally *tally;
	u64 data;
	int cpu;
};

int kvmhb_doorbell_attach(struct kvmhb_doorbell *bell, struct kvmhb_tally *tally, int fd,
			  u64 data, unsigned int nr_cpus);
void kvmhb_doorbell_detach(struct kvmhb_doorbell *bell);

#endif /* KVMHB_DOORBELL_H */
