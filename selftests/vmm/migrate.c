// SPDX-License-Identifier: GPL-2.0
/*
 * The devices follow their VM: VFIO's protocol of migration
 *
 * A device that is saved:    RUNNING, STOP, STOP_COPY (its file is read), STOP; then it is
 *                            closed, or goes on: RUNNING
 * A device that is restored: RUNNING, as it was opened, RESUMING (its file is written), STOP,
 *                            RUNNING
 *
 * The kernel takes the steps in between by itself, as those of RUNNING_P2P, which matter to
 * devices that do DMA to each other. PRE_COPY, while the VM runs, is for those that have much.
 */
#include <err.h>
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "migrate.h"

static const char *const state_names[] = {
	[VFIO_DEVICE_STATE_STOP] = "STOP",
	[VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
	[VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
	[VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
};

/* If it fails, the device is in the state that it was in. @file gets that of the stream. */
static bool set_state(struct device *dev, __u32 state, int *file)
{
	struct vfio_device_feature_mig_state mig = { .device_state = state, .data_fd = -1 };
	__u64 buf[(sizeof(struct vfio_device_feature) + sizeof(mig) + 7) / 8];
	struct vfio_device_feature *feature = (void *)buf;

	*feature = (struct vfio_device_feature) {
		.argsz = sizeof(*feature) + sizeof(mig),
		.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
	};
	memcpy(feature->data, &mig, sizeof(mig));
	if (ioctl(dev->monitor.device, VFIO_DEVICE_FEATURE, feature)) {
		if (errno == ENOTTY)
			warnx("%s: this host module cannot migrate", dev->uuid);
		else
			warn("%s: the device cannot enter the state %s", dev->uuid,
			     state_names[state]);
		return false;
	}
	memcpy(&mig, feature->data, sizeof(mig));
	if (file)
		*file = mig.data_fd;
	return true;
}

/* From here on the host does not expect its guest to beat. */
bool device_stop(struct device *dev)
{
	return set_state(dev, VFIO_DEVICE_STATE_STOP, NULL);
}

/* From here on it does. */
bool device_run(struct device *dev)
{
	return set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
}

/* All of it, until its end: the device takes a stream that was read whole for one that moves. */
static bool read_stream(struct device *dev, int file, struct stream *stream)
{
	size_t room = 0;
	ssize_t ret;

	stream->data = NULL;
	stream->length = 0;
	do {
		if (stream->length == room) {
			room += 16384;
			stream->data = realloc(stream->data, room);
			if (!stream->data)
				err(1, "no memory");
		}
		ret = read(file, (char *)stream->data + stream->length, room - stream->length);
		if (ret > 0)
			stream->length += ret;
	} while (ret > 0);
	if (ret)
		warn("%s: cannot read the device's stream", dev->uuid);
	return !ret;
}

/* The device is stopped, and stays so. The caller frees the data, whatever becomes of it. */
bool device_save(struct device *dev, struct stream *stream)
{
	bool saved;
	int file;

	if (!set_state(dev, VFIO_DEVICE_STATE_STOP_COPY, &file))
		return false;
	saved = read_stream(dev, file, stream);
	close(file);
	return device_stop(dev) && saved;
}

/*
 * The device is as it was opened, and is stopped afterwards. It refuses what it cannot go on
 * with, while it is written or at its end.
 */
bool device_load(struct device *dev, const struct stream *stream)
{
	size_t done = 0;
	ssize_t ret = 0;
	int file;

	if (!set_state(dev, VFIO_DEVICE_STATE_RESUMING, &file))
		return false;
	while (done < stream->length && ret >= 0) {
		ret = write(file, (char *)stream->data + done, stream->length - done);
		if (ret > 0)
			done += ret;
	}
	if (ret < 0)
		warn("%s: the device refuses the stream, the kernel's log says why", dev->uuid);
	close(file);
	return ret >= 0 && device_stop(dev);
}

bool devices_run(void)
{
	bool all = true;
	unsigned int nr;

	for (nr = 0; nr < nr_devices; nr++)
		all &= device_run(&devices[nr]);
	return all;
}
