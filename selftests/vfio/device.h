/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device of an open monitor, as a guest's driver and its VMM use it. For programs
 * that are both.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <sys/types.h>

#include "kvm_heartbeat.h"
#include "monitor.h"

/* Where the regions are in the device's file. A VMM asks for that, see vmm/device.c. */
#define BAR0 ((off_t)VFIO_PCI_BAR0_REGION_INDEX << 40)
#define BAR2 ((off_t)VFIO_PCI_BAR2_REGION_INDEX << 40)
#define CONFIG ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

ssize_t reg_write(struct monitor *m, unsigned int reg, __u32 value);
__u32 reg_read(struct monitor *m, unsigned int reg);
void say(struct monitor *m, __u32 word);
void ring(struct monitor *m);
bool ack(struct monitor *m);

/* The pulse page of a VM with as many CPUs as have a slot in 4 KiB. */
struct page {
	struct kvm_heartbeat_pulse_header header;
	struct kvm_heartbeat_slot slots[62];
};

struct page *map_page(struct monitor *m);

int set_doorbell(struct monitor *m, int fd, __u64 data);
bool signal_eventfd(int fd, __u64 count);
int set_irq(struct monitor *m, __u32 flags, __u32 index, __u32 start, __u32 count, __u32 argsz,
	    __s32 fd);

#endif
