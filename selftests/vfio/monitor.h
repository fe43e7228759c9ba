/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One monitor, and the VFIO device on it as a VMM opens it. For all programs that
 * are VMMs to the host module: the tests here, vmm/ and cost/.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <linux/types.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>

#define HEARTBEAT_TYPE "/sys/class/mdev_bus/kvm_heartbeat/mdev_supported_types/kvm_heartbeat-vm"
#define MDEV "/sys/bus/mdev/devices/"

#define UUID_SIZE 37

/* <linux/vfio.h> and <linux/iommufd.h> of Linux 6.6, which Debian 12's headers are older than. */
struct bind_iommufd {
	__u32 argsz, flags;
	__s32 iommufd;
	__u32 out_devid;
};

struct attach_iommufd_pt {
	__u32 argsz, flags;
	__u32 pt_id;
};

struct detach_iommufd_pt {
	__u32 argsz, flags;
};

struct ioas_alloc {
	__u32 size, flags;
	__u32 out_ioas_id;
};

#define BIND_IOMMUFD		_IO(VFIO_TYPE, VFIO_BASE + 18)
#define ATTACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)
#define DETACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 20)
#define IOAS_ALLOC		_IO(';', 0x81)

/* Whether devices are opened by their own files and an iommufd, not by groups and a container. */
extern bool monitor_by_cdev;

struct monitor {
	char uuid[UUID_SIZE];
	/* Files, or -1. The group is the device's own file until that is bound, if by cdev. */
	int container, group, device;
	const char *step;		/* of opening it, the last one, in words */
};

/* All that return an int return 0 or -errno. A text that is read loses its last newline. */
int write_file(const char *path, const char *text);
int read_file(const char *path, char *buf, size_t size);

/* @type is the folder of the mdev's type in sysfs. */
int mdev_create(const char *type, const char *uuid);

void monitor_init(struct monitor *m, const char *uuid);
int monitor_remove(struct monitor *m);

int monitor_open_file(struct monitor *m);
int monitor_open_device(struct monitor *m);
int monitor_open(struct monitor *m);
void monitor_close(struct monitor *m);

#endif
