// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>

#include "doorbell.h"
#include "tally.h"

/*
 * In the context of whoever signals, a vCPU's thread as a rule: the lock of the wait
 * queue is held, and interrupts are off but on PREEMPT_RT. What the eventfd has counted
 * is of no interest, and not taken from it. Nor is EPOLLHUP: KVM signals on when the VMM
 * has closed the file, and we hold on to the eventfd until we are detached.
 */
static int doorbell_ring(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct kvmhb_doorbell *bell = container_of(wait, struct kvmhb_doorbell, wait);

	if (key_to_poll(key) & EPOLLIN)
		kvmhb_tally_beat(bell->tally, bell->cpu);
	return 0;
}

struct doorbell_hook {
	poll_table table;
	wait_queue_entry_t *wait;
};

static void doorbell_add_hook(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	add_wait_queue(queue, container_of(table, struct doorbell_hook, table)->wait);
}

/**
 * kvmhb_doorbell_attach - take the signals of an eventfd for beats
 * @bell: the doorbell, detached; the caller serialises
 * @tally: what to tell; outlives the attachment
 * @fd: the eventfd. It is to serve nothing else: an irqfd on it takes the signals
 *	for itself
 * @data: what a signal stands for, as if the guest had written it
 * @nr_cpus: how many guest CPUs there can be; @data that is none of them names none
 *
 * Return: 0, -EBADF without such a file, or -EINVAL if it is no eventfd.
 */
int kvmhb_doorbell_attach(struct kvmhb_doorbell *bell, struct kvmhb_tally *tally, int fd,
			  u64 data, unsigned int nr_cpus)
{
	struct doorbell_hook hook = { .wait = &bell->wait };
	struct eventfd_ctx *ctx;
	struct file *file;

	file = fget(fd);
	if (!file)
		return -EBADF;
	ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(ctx)) {
		fput(file);
		return PTR_ERR(ctx);
	}

	bell->ctx = ctx;
	bell->tally = tally;
	bell->data = data;
	bell->cpu = data < nr_cpus ? data : -1;
	init_waitqueue_func_entry(&bell->wait, doorbell_ring);
	init_poll_funcptr(&hook.table, doorbell_add_hook);
	vfs_poll(file, &hook.table);
	fput(file);
	return 0;
}

/**
 * kvmhb_doorbell_detach - undo kvmhb_doorbell_attach()
 * @bell: the doorbell, attached or not; the caller serialises
 *
 * When it returns, no beat is being taken and none will be.
 */
void kvmhb_doorbell_detach(struct kvmhb_doorbell *bell)
{
	u64 count;

	if (!bell->ctx)
		return;
	/* Under the lock that doorbell_ring() is called with. */
	eventfd_ctx_remove_wait_queue(bell->ctx, &bell->wait, &count);
	eventfd_ctx_put(bell->ctx);
	bell->ctx = NULL;
}
