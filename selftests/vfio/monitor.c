// SPDX-License-Identifier: GPL-2.0
/*
 * One monitor, and the VFIO device on it as a VMM opens it
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "monitor.h"

bool monitor_by_cdev;

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	ret = ret < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = read(fd, buf, size - 1);
	ret = ret < 0 ? -errno : ret;
	close(fd);
	if (ret < 0)
		return ret;
	buf[ret] = 0;
	if (ret && buf[ret - 1] == '\n')
		buf[ret - 1] = 0;
	return 0;
}

void monitor_init(struct monitor *m, const char *uuid)
{
	snprintf(m->uuid, sizeof(m->uuid), "%s", uuid);
	m->device = -1;
	m->group = -1;
	m->container = -1;
	m->step = NULL;
}

int mdev_create(const char *type, const char *uuid)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/create", type);
	return write_file(path, uuid);
}

int monitor_remove(struct monitor *m)
{
	char path[256];

	snprintf(path, sizeof(path), MDEV "%.36s/remove", m->uuid);
	return write_file(path, "1");
}

/*
 * Open the group, in a container that has an IOMMU. A container that is open already
 * is one that an earlier group has left here.
 */
static int open_group(struct monitor *m)
{
	bool alone = m->container < 0;
	char path[128], link[256];
	ssize_t len;

	m->step = "read the IOMMU group: is there a monitor of this name?";
	snprintf(path, sizeof(path), MDEV "%.36s/iommu_group", m->uuid);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return -errno;
	link[len] = 0;

	m->step = "open /dev/vfio/vfio: is vfio loaded, and may you use it?";
	if (alone)
		m->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (m->container < 0)
		return -errno;

	m->step = "open the group: does another VMM use it?";
	snprintf(path, sizeof(path), "/dev/vfio%.16s", strrchr(link, '/'));
	m->group = open(path, O_RDWR | O_CLOEXEC);
	if (m->group < 0)
		return -errno;

	m->step = "VFIO_GROUP_SET_CONTAINER";
	if (ioctl(m->group, VFIO_GROUP_SET_CONTAINER, &m->container))
		return -errno;
	m->step = "VFIO_SET_IOMMU: is vfio_iommu_type1 loaded?";
	if (alone && ioctl(m->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	return 0;
}

/* Open the device's own file, which cannot be used before it is bound to an iommufd. */
static int open_cdev(struct monitor *m)
{
	struct dirent *entry;
	char path[320];
	DIR *dir;

	m->step = "find the device's file: has the kernel VFIO_DEVICE_CDEV?";
	snprintf(path, sizeof(path), MDEV "%.36s/vfio-dev", m->uuid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	do
		entry = readdir(dir);
	while (entry && entry->d_name[0] == '.');
	if (entry)
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	if (!entry)
		return -ENOENT;

	m->step = "open /dev/iommu: has the kernel IOMMUFD?";
	m->container = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (m->container < 0)
		return -errno;
	m->step = "open the device's file: may you use it?";
	m->group = open(path, O_RDWR | O_CLOEXEC);
	return m->group < 0 ? -errno : 0;
}

/*
 * Bind the device to the iommufd, which opens it. This one does no DMA, but a VMM that
 * knows no more than VFIO gives each an address space.
 */
static int open_bound(struct monitor *m)
{
	struct bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = m->container };
	struct ioas_alloc ioas = { .size = sizeof(ioas) };
	struct attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	m->step = "VFIO_DEVICE_BIND_IOMMUFD: does another VMM use it?";
	if (ioctl(m->group, BIND_IOMMUFD, &bind))
		return -errno;
	m->device = m->group;
	m->group = -1;
	m->step = "IOMMU_IOAS_ALLOC";
	if (ioctl(m->container, IOAS_ALLOC, &ioas))
		return -errno;
	m->step = "VFIO_DEVICE_ATTACH_IOMMUFD_PT";
	attach.pt_id = ioas.out_ioas_id;
	return ioctl(m->device, ATTACH_IOMMUFD_PT, &attach) ? -errno : 0;
}

/* Open what KVM is told of: the group, or the device's own file. */
int monitor_open_file(struct monitor *m)
{
	return monitor_by_cdev ? open_cdev(m) : open_group(m);
}

/*
 * Open the device, by the file that is open. What KVM knows of that file now is what
 * the host module gets to see of the VM and its vCPUs.
 */
int monitor_open_device(struct monitor *m)
{
	if (monitor_by_cdev)
		return open_bound(m);
	m->step = "VFIO_GROUP_GET_DEVICE_FD";
	m->device = ioctl(m->group, VFIO_GROUP_GET_DEVICE_FD, m->uuid);
	return m->device < 0 ? -errno : 0;
}

/* Open all that it takes, without KVM. What was opened before a failure stays open. */
int monitor_open(struct monitor *m)
{
	return monitor_open_file(m) ?: monitor_open_device(m);
}

void monitor_close(struct monitor *m)
{
	if (m->device >= 0)
		close(m->device);
	if (m->group >= 0)
		close(m->group);
	if (m->container >= 0)
		close(m->container);
	m->device = -1;
	m->group = -1;
	m->container = -1;
}
