// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that does nothing wrong, beside hostile ones: a process of its own, whose monitor must be
 * right about it all the time
 */
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "program.h"
#include "reports.h"

#define UUID	"5e1f7e57-0000-4000-8000-4b4842540010"
#define BEAT_MS	100

/* What nobody but us may change, and what only our own outage would. */
static bool is_right(struct monitor *m, struct page *page, const struct page *kept,
		     const __u8 *space_kept, __u64 beats, int irq)
{
	__u8 space[PCI_CFG_SPACE_SIZE];
	__u64 signals;
	bool ok;

	ok = attr(m, "beats") == beats && !attr(m, "outages") && attr(m, "boots") == 1 &&
	     !attr(m, "panics") && !attr(m, "resets") && attr(m, "vmm_pid") == (__u64)getpid() &&
	     attr(m, "interval_ns") == 1000000000;
	if (!ok)
		fprintf(stderr, "# the innocent: beats %llu of %llu, outages %llu, state %s\n",
			attr(m, "beats"), beats, attr(m, "outages"), attr_text(m, "state"));
	if (memcmp(page, kept, sizeof(*page)) ||
	    pread(m->device, space, sizeof(space), CONFIG) != sizeof(space) ||
	    memcmp(space, space_kept, sizeof(space))) {
		fprintf(stderr, "# the innocent: its memory has changed\n");
		ok = false;
	}
	if (read(irq, &signals, sizeof(signals)) == sizeof(signals)) {
		fprintf(stderr, "# the innocent: it was interrupted\n");
		ok = false;
	}
	return ok;
}

/* Until who asks closes its end: live, and be judged. Then fall silent, and be judged by that. */
static bool live(struct monitor *m, int asked)
{
	struct pollfd pfd = { .fd = asked };
	int irq = eventfd(0, EFD_NONBLOCK);
	__u8 space[PCI_CFG_SPACE_SIZE];
	struct page *page, kept;
	bool ok = true;
	__u64 beats = 0;

	page = map_page(m);
	/* However long the machine may keep us from beating. */
	if (page == MAP_FAILED || attr_set(m, "timeout_ns", "3600000000000") ||
	    attr_set(m, "interval_ns", "1000000000") || !ack(m) ||
	    set_irq(m, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		    VFIO_PCI_MSI_IRQ_INDEX, 0, 1, 24, irq))
		return false;
	if (pread(m->device, space, sizeof(space), CONFIG) != sizeof(space))
		return false;
	say(m, KVM_HEARTBEAT_ARM);
	memcpy(&kept, page, sizeof(kept));
	while (ok && !poll(&pfd, 1, BEAT_MS)) {
		ring(m);
		ok = is_right(m, page, &kept, space, ++beats, irq);
	}

	if (!ok || attr_set(m, "timeout_ns", "0") || attr_set(m, "interval_ns", "1000000") ||
	    !ack(m))
		return false;
	ring(m);
	return becomes(m, "state", "unresponsive") && attr(m, "outages") == 1;
}

/**
 * innocent_begin - let there be one
 * @innocent: gets what innocent_end() needs
 *
 * Return: whether it could.
 */
bool innocent_begin(struct innocent *innocent)
{
	struct monitor m;
	int ask[2];
	bool ok;

	monitor_init(&m, UUID);
	/* One that failed before may have left it. */
	monitor_remove(&m);
	if (pipe(ask) || mdev_create(HEARTBEAT_TYPE, UUID))
		return false;
	innocent->ask = ask[1];
	innocent->pid = fork();
	if (innocent->pid) {
		close(ask[0]);
		return innocent->pid > 0;
	}

	close(ask[1]);
	ok = !monitor_open(&m) && live(&m, ask[0]);
	_exit(ok ? 0 : 1);
}

/**
 * innocent_end - ask it how it was judged
 * @innocent: what innocent_begin() made
 *
 * Return: whether all was right, from its begin to its own silence.
 */
bool innocent_end(struct innocent *innocent)
{
	struct monitor m;
	int status;

	monitor_init(&m, UUID);
	close(innocent->ask);
	return waitpid(innocent->pid, &status, 0) == innocent->pid && !status &&
	       !monitor_remove(&m);
}
