// SPDX-License-Identifier: GPL-2.0
/*
 * The device, as a guest's driver and its VMM use it
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

ssize_t reg_write(struct monitor *m, unsigned int reg, __u32 value)
{
	return pwrite(m->device, &value, sizeof(value), BAR0 + reg);
}

__u32 reg_read(struct monitor *m, unsigned int reg)
{
	__u32 value = 0xdeadbeef;

	if (pread(m->device, &value, sizeof(value), BAR0 + reg) != sizeof(value))
		return 0xdeadbeef;
	return value;
}

void say(struct monitor *m, __u32 word)
{
	reg_write(m, KVM_HEARTBEAT_REG_LIFECYCLE, word);
}

void ring(struct monitor *m)
{
	reg_write(m, KVM_HEARTBEAT_REG_DOORBELL, 0);
}

/* Acknowledge the configuration, as a driver does before it beats by it. */
bool ack(struct monitor *m)
{
	const off_t config_seq = BAR2 + offsetof(struct kvm_heartbeat_pulse_header, config_seq);
	const off_t config_ack = BAR2 + offsetof(struct kvm_heartbeat_pulse_header, config_ack);
	__u32 seq;

	return pread(m->device, &seq, sizeof(seq), config_seq) == sizeof(seq) &&
	       pwrite(m->device, &seq, sizeof(seq), config_ack) == sizeof(seq);
}

struct page *map_page(struct monitor *m)
{
	return mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, m->device,
		    BAR2);
}

int set_doorbell(struct monitor *m, int fd, __u64 data)
{
	struct vfio_device_ioeventfd bell = {
		.argsz = sizeof(bell),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = BAR0 + KVM_HEARTBEAT_REG_DOORBELL,
		.data = data,
		.fd = fd,
	};

	return ioctl(m->device, VFIO_DEVICE_IOEVENTFD, &bell) ? -errno : 0;
}

/* Signals an eventfd as KVM does on a write to the doorbell. */
bool signal_eventfd(int fd, __u64 count)
{
	return write(fd, &count, sizeof(count)) == sizeof(count);
}

int set_irq(struct monitor *m, __u32 flags, __u32 index, __u32 start, __u32 count, __u32 argsz,
	    __s32 fd)
{
	struct {
		struct vfio_irq_set set;
		__s32 fd;
	} arg = { { argsz, flags, index, start, count }, fd };

	return ioctl(m->device, VFIO_DEVICE_SET_IRQS, &arg) ? -errno : 0;
}
