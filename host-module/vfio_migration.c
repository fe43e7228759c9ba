// SPDX-License-Identifier: GPL-2.0
/*
 * Migration, as VFIO has it (version 2 of its protocol): the states that the VMM sets. All that
 * moves is small, and moves while the VM stands still: before that there is nothing to be had.
 */
#include <linux/fs.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "vfio_transfer.h"

/* Whether the VMM has taken the whole stream, and the VM has not run since. */
static bool migration_has_moved(const struct kvmhb_vfio_open *open)
{
	lockdep_assert_held(&open->lock);

	return open->transfer ? kvmhb_transfer_is_taken(open->transfer) : open->moved;
}

static void migration_end_transfer(struct kvmhb_vfio_open *open)
{
	lockdep_assert_held(&open->lock);

	kvmhb_transfer_end(open->transfer);
	open->transfer = NULL;
}

static bool migration_is_saving(enum vfio_device_mig_state state)
{
#ifdef VFIO_MIGRATION_PRE_COPY
	if (state == VFIO_DEVICE_STATE_PRE_COPY || state == VFIO_DEVICE_STATE_PRE_COPY_P2P)
		return true;
#endif
	return state == VFIO_DEVICE_STATE_STOP_COPY;
}

static bool migration_runs(enum vfio_device_mig_state state)
{
#ifdef VFIO_MIGRATION_PRE_COPY
	if (state == VFIO_DEVICE_STATE_PRE_COPY)
		return true;
#endif
	return state == VFIO_DEVICE_STATE_RUNNING;
}

/*
 * One step of those that vfio_mig_get_next_state() takes. In the P2P states nothing changes: the
 * device does no DMA, and whether the VM runs is known by those around them.
 */
static struct file *migration_step(struct kvmhb_vfio *face, enum vfio_device_mig_state next)
{
	struct kvmhb_vfio_open *open = face->open;
	struct kvmhb_transfer *transfer = NULL;	/* one that begins */
	int ret = 0;

	lockdep_assert_held(&open->lock);

	if (next == VFIO_DEVICE_STATE_STOP || next == VFIO_DEVICE_STATE_STOP_COPY)
		kvmhb_monitor_pause(&face->hb.monitor);

	if (open->state == VFIO_DEVICE_STATE_RESUMING)
		ret = kvmhb_transfer_finish(open->transfer);
	if (ret)
		return ERR_PTR(ret);

	if (migration_is_saving(next) && !migration_is_saving(open->state))
		transfer = kvmhb_transfer_out(&face->hb);
	else if (next == VFIO_DEVICE_STATE_RESUMING)
		transfer = kvmhb_transfer_in(&face->hb);
	if (IS_ERR(transfer))
		return ERR_CAST(transfer);

	if (next == VFIO_DEVICE_STATE_STOP_COPY)
		ret = kvmhb_transfer_fill(transfer ?: open->transfer);
	if (ret) {
		kvmhb_transfer_end(transfer);
		return ERR_PTR(ret);
	}

	open->moved = migration_has_moved(open) && !migration_runs(next) &&
		      next != VFIO_DEVICE_STATE_RESUMING;
	if (migration_runs(next))
		kvmhb_monitor_resume(&face->hb.monitor);
	if (!migration_is_saving(next))
		migration_end_transfer(open);
	if (transfer)
		open->transfer = transfer;
	open->state = next;
	return transfer ? kvmhb_transfer_file(transfer) : NULL;
}

static struct file *migration_op_set_state(struct vfio_device *vdev,
					   enum vfio_device_mig_state wanted)
{
	struct kvmhb_vfio *face = container_of(vdev, struct kvmhb_vfio, vdev);
	struct file *file = NULL;

	mutex_lock(&face->open->lock);
	while (!IS_ERR(file) && face->open->state != wanted) {
		enum vfio_device_mig_state next;
		int ret;

		/* No step before the last one has a file. */
		ret = vfio_mig_get_next_state(vdev, face->open->state, wanted, &next);
		file = ret ? ERR_PTR(ret) : migration_step(face, next);
	}
	mutex_unlock(&face->open->lock);
	return file;
}

static int migration_op_get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	struct kvmhb_vfio *face = container_of(vdev, struct kvmhb_vfio, vdev);

	mutex_lock(&face->open->lock);
	*state = face->open->state;
	mutex_unlock(&face->open->lock);
	return 0;
}

static int migration_op_get_data_size(struct vfio_device *vdev, unsigned long *length)
{
	struct kvmhb_vfio *face = container_of(vdev, struct kvmhb_vfio, vdev);

	*length = kvmhb_stream_size(face->hb.pulse.nr_slots, face->hb.pulse.size);
	return 0;
}

#ifndef KVMHB_HAVE_MIG_DATA_SIZE
/**
 * kvmhb_vfio_feature - VFIO_DEVICE_FEATURE, of what VFIO does not know itself
 * @vdev: the device
 * @flags: which feature, and what to do with it
 * @arg: the VMM's data
 * @argsz: bytes of it
 *
 * Return: 0 or a negative errno. A VMM takes a device whose size it cannot ask for one of
 * many GiB, and never stops its VM.
 */
int kvmhb_vfio_feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz)
{
	struct kvmhb_mig_data_size size = {};
	unsigned long length;
	int ret;

	if ((flags & VFIO_DEVICE_FEATURE_MASK) != KVMHB_FEATURE_MIG_DATA_SIZE)
		return -ENOTTY;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET, sizeof(size));
	if (ret != 1)
		return ret;
	ret = migration_op_get_data_size(vdev, &length);
	if (ret)
		return ret;
	size.stop_copy_length = length;
	return copy_to_user(arg, &size, sizeof(size)) ? -EFAULT : 0;
}
#endif

static const struct vfio_migration_ops migration_ops = {
	.migration_set_state = migration_op_set_state,
	.migration_get_state = migration_op_get_state,
#ifdef KVMHB_HAVE_MIG_DATA_SIZE
	.migration_get_data_size = migration_op_get_data_size,
#endif
};

/*
 * The device does no DMA: no page of the guest is ever dirty by it. But who wants to know begins
 * to move the VM, on kernels without PRE_COPY too.
 */

static int migration_op_log_start(struct vfio_device *vdev, struct rb_root_cached *ranges,
				  u32 nr_ranges, u64 *page_size)
{
	kvmhb_monitor_leaves(&container_of(vdev, struct kvmhb_vfio, vdev)->hb.monitor, true);
	return 0;
}

static int migration_op_log_stop(struct vfio_device *vdev)
{
	kvmhb_monitor_leaves(&container_of(vdev, struct kvmhb_vfio, vdev)->hb.monitor, false);
	return 0;
}

static int migration_op_log_read(struct vfio_device *vdev, unsigned long iova,
				 unsigned long length, struct iova_bitmap *dirty)
{
	return 0;
}

static const struct vfio_log_ops migration_log_ops = {
	.log_start = migration_op_log_start,
	.log_stop = migration_op_log_stop,
	.log_read_and_clear = migration_op_log_read,
};

/**
 * kvmhb_vfio_can_migrate - let VFIO know that the device can migrate
 * @face: the device, not yet registered
 */
void kvmhb_vfio_can_migrate(struct kvmhb_vfio *face)
{
	face->vdev.migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P;
#ifdef VFIO_MIGRATION_PRE_COPY
	face->vdev.migration_flags |= VFIO_MIGRATION_PRE_COPY;
#endif
	face->vdev.mig_ops = &migration_ops;
	face->vdev.log_ops = &migration_log_ops;
}

/**
 * kvmhb_vfio_reset - VFIO_DEVICE_RESET: whatever the device was in the middle of, it runs
 * @face: the device, open
 *
 * Context: process; takes the locks of @face, of its device, and of the monitor.
 */
void kvmhb_vfio_reset(struct kvmhb_vfio *face)
{
	mutex_lock(&face->open->lock);
	migration_end_transfer(face->open);
	face->open->moved = false;
	face->open->state = VFIO_DEVICE_STATE_RUNNING;
	kvmhb_device_reset(&face->hb);
	mutex_unlock(&face->open->lock);
}

/**
 * kvmhb_vfio_end_migration - the VMM closes the device, in whatever state
 * @face: the device, open
 */
void kvmhb_vfio_end_migration(struct kvmhb_vfio *face)
{
	mutex_lock(&face->open->lock);
	if (migration_has_moved(face->open))
		kvmhb_monitor_moves(&face->hb.monitor);
	migration_end_transfer(face->open);
	mutex_unlock(&face->open->lock);
}
