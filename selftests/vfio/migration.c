// SPDX-License-Identifier: GPL-2.0
/*
 * Migration, as a VMM does it through VFIO
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "migration.h"

int feature(struct monitor *m, __u32 flags, void *data, size_t size)
{
	struct {
		struct vfio_device_feature head;
		__u8 data[64];
	} arg = { .head = { .argsz = sizeof(arg.head) + size, .flags = flags } };

	memcpy(arg.data, data, size);
	if (ioctl(m->device, VFIO_DEVICE_FEATURE, &arg))
		return -errno;
	memcpy(data, arg.data, size);
	return 0;
}

bool has_precopy(struct monitor *m)
{
	struct vfio_device_feature_migration migration = {};

	return !feature(m, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION, &migration,
			sizeof(migration)) && migration.flags & FLAG_PRE_COPY;
}

int mig_get(struct monitor *m)
{
	struct vfio_device_feature_mig_state state = {};

	return feature(m, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &state,
		       sizeof(state)) ?: (int)state.device_state;
}

int mig_set(struct monitor *m, __u32 state, int *fd)
{
	struct vfio_device_feature_mig_state arg = { .device_state = state, .data_fd = -1 };
	int ret = feature(m, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &arg,
			  sizeof(arg));

	if (fd)
		*fd = ret ? -1 : arg.data_fd;
	else if (!ret && arg.data_fd >= 0)
		close(arg.data_fd);
	return ret;
}

ssize_t read_stream(int fd, __u8 *buf, size_t size, size_t piece)
{
	size_t done = 0;
	ssize_t ret;

	do {
		ret = read(fd, buf + done, piece < size - done ? piece : size - done);
		if (ret < 0)
			return -errno;
		done += ret;
	} while (ret && done < size);
	return done;
}

int write_stream(int fd, const __u8 *buf, size_t size, size_t piece)
{
	size_t done, n;

	for (done = 0; done < size; done += n) {
		n = piece < size - done ? piece : size - done;
		if (write(fd, buf + done, n) != (ssize_t)n)
			return -errno;
	}
	return 0;
}

ssize_t mig_save(struct monitor *m, __u8 *buf)
{
	ssize_t ret;
	int fd;

	ret = mig_set(m, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	if (ret)
		return ret;
	ret = read_stream(fd, buf, STREAM_MAX, STREAM_MAX);
	close(fd);
	return ret;
}

int mig_load(struct monitor *m, const __u8 *buf, size_t size)
{
	int fd, ret;

	ret = mig_set(m, VFIO_DEVICE_STATE_RESUMING, &fd);
	if (ret)
		return ret;
	ret = write_stream(fd, buf, size, size) ?: mig_set(m, VFIO_DEVICE_STATE_STOP, NULL);
	close(fd);
	return ret;
}

/* CRC-32 as zlib has it; the field at 12 that holds it counts as 0. */
void seal_stream(__u8 *buf, size_t size)
{
	__u32 crc = ~0U;
	size_t at;
	int bit;

	if (size < 16)
		return;
	memset(buf + 12, 0, 4);
	for (at = 0; at < size; at++) {
		crc ^= buf[at];
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	crc = ~crc;
	memcpy(buf + 12, &crc, 4);
}
