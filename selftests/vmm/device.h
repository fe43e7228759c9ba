/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heartbeat device, as any VMM gives it to its guest
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <linux/kvm.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>

#include "monitor.h"

/* Where they are in the guest's physical memory. */
#define MAX_DEVICES	16
#define BAR_STRIDE	0x1000000ULL
#define BAR0(nr)	(0x80000000 + (nr) * BAR_STRIDE)
#define BAR2(nr)	(0x90000000 + (nr) * BAR_STRIDE)

struct device {
	const char *uuid;	/* NULL: there is only memory for a pulse page */
	unsigned int nr;
	unsigned int nr_cpus;	/* that use it */
	struct monitor monitor;
	struct vfio_region_info regs, pulse;
	struct kvm_heartbeat_pulse_header *page;
	int doorbell;		/* an eventfd, or -1 */
};

extern struct device devices[];
extern unsigned int nr_devices;
/* Bytes of new memory that each access uses which this program passes on. */
extern size_t touched;
/* Pass on what is beyond BAR0, too, which the device has to refuse. */
extern bool careless;

void devices_open(unsigned int nr_vcpus, bool ioeventfd);
void devices_close(void);
void device_access(struct kvm_run *run);
void device_reset(struct device *dev);
__u32 device_config(const struct device *dev, __u64 *interval_ns);

#endif
