// SPDX-License-Identifier: GPL-2.0
/*
 * Migration, as VFIO has it (version 2 of its protocol): the states that the VMM sets, and the
 * files by which it takes a stream from one device and gives it to another. All that moves is
 * small, and moves while the VM stands still: before that there is nothing to be had.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "vfio.h"

/**
 * struct kvmhb_transfer - a stream on its way, and the file that it goes through
 * @file: the file, which the VMM may keep for longer than the device
 * @lock: protects all below
 * @hb: the device that it is of; NULL once that is done with it
 * @target: what a stream has to fit that comes in
 * @data: the stream
 * @room: bytes that @data has room for
 * @filled: how many of these there are
 * @done: how many the VMM has read
 * @whole: it is all there; if it came in, the device goes on by it
 * @refused: why it was refused, a negative errno, or 0: that is said once
 * @saved: room for what a stream says that comes in; its slots are ours
 */
struct kvmhb_transfer {
	struct file *file;
	struct mutex lock;	/* of all below */
	struct kvmhb_device *hb;
	struct kvmhb_stream_target target;
	u8 *data;
	size_t room;
	size_t filled;
	size_t done;
	bool whole;
	int refused;
	struct kvmhb_saved saved;
};

static int transfer_release(struct inode *inode, struct file *file)
{
	struct kvmhb_transfer *transfer = file->private_data;

	kvfree(transfer->saved.slots);
	kvfree(transfer->data);
	mutex_destroy(&transfer->lock);
	kfree(transfer);
	return 0;
}

static ssize_t transfer_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct kvmhb_transfer *transfer = file->private_data;
	ssize_t ret;

	mutex_lock(&transfer->lock);
	count = min(count, transfer->filled - transfer->done);
	if (!transfer->hb)
		ret = -ENODEV;
	else if (!transfer->whole)
		ret = -ENOMSG;	/* as VFIO wants it, before the VM stands still */
	else if (copy_to_user(buf, transfer->data + transfer->done, count))
		ret = -EFAULT;
	else
		ret = count;
	if (ret > 0)
		transfer->done += ret;
	mutex_unlock(&transfer->lock);
	return ret;
}

#ifdef VFIO_MIG_GET_PRECOPY_INFO
/* There is nothing to be had before the VM stands still. */
static long transfer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct kvmhb_transfer *transfer = file->private_data;
	size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct vfio_precopy_info info = {};
	bool over;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, (void __user *)arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	mutex_lock(&transfer->lock);
	over = !transfer->hb || transfer->whole;
	mutex_unlock(&transfer->lock);
	if (over)
		return -EINVAL;

	info.flags = 0;
	info.initial_bytes = 0;
	info.dirty_bytes = 0;
	return copy_to_user((void __user *)arg, &info, minsz) ? -EFAULT : 0;
}
#endif

static const struct file_operations transfer_out = {
	.owner = THIS_MODULE,
	.read = transfer_read,
#ifdef VFIO_MIG_GET_PRECOPY_INFO
	.unlocked_ioctl = transfer_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
#endif
	.release = transfer_release,
};

/* Says why a stream is refused: to the log, as a VMM has but the number to show. */
static int transfer_refuse(struct kvmhb_transfer *transfer, int error, const char *why)
{
	lockdep_assert_held(&transfer->lock);

	if (!transfer->refused) {
		dev_err_ratelimited(transfer->hb->monitor.dev,
				    "the guest cannot go on here: %s\n", why);
		transfer->refused = error;
		/* What came too much came after a stream that was taken. */
		if (transfer->whole)
			kvmhb_device_reset(transfer->hb);
		transfer->whole = false;
	}
	return transfer->refused;
}

/*
 * Reads what has come so far. A stream that does not fit is refused before its guest runs; one
 * that does has effect at once, as a VMM leaves RESUMING only when the VM is to run.
 */
static int transfer_parse(struct kvmhb_transfer *transfer)
{
	const char *why = "";
	size_t length;
	int ret;

	lockdep_assert_held(&transfer->lock);

	if (transfer->filled < KVMHB_STREAM_HEAD)
		return 0;
	ret = kvmhb_stream_parse_head(transfer->data, &transfer->target, &length, &why);
	if (!ret && transfer->filled >= length) {
		ret = kvmhb_stream_parse(transfer->data, transfer->filled, &transfer->target,
					 &transfer->saved, &why);
		if (!ret) {
			kvmhb_device_load(transfer->hb, &transfer->saved);
			transfer->whole = true;
		}
	}
	return ret ? transfer_refuse(transfer, ret, why) : 0;
}

static ssize_t transfer_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct kvmhb_transfer *transfer = file->private_data;
	ssize_t ret;

	mutex_lock(&transfer->lock);
	if (!transfer->hb) {
		ret = -ENODEV;
	} else if (transfer->refused) {
		ret = transfer->refused;
	} else if (!count) {
		ret = 0;
	} else if (count > transfer->room - transfer->filled) {
		ret = transfer_refuse(transfer, -EFBIG, "the stream is too long");
	} else if (copy_from_user(transfer->data + transfer->filled, buf, count)) {
		ret = -EFAULT;
	} else {
		transfer->filled += count;
		ret = transfer_parse(transfer) ?: count;
	}
	mutex_unlock(&transfer->lock);
	return ret;
}

static const struct file_operations transfer_in = {
	.owner = THIS_MODULE,
	.write = transfer_write,
	.release = transfer_release,
};

static struct kvmhb_transfer *transfer_new(struct kvmhb_device *hb,
					   const struct file_operations *ops, int flags)
{
	struct kvmhb_transfer *transfer;

	transfer = kzalloc(sizeof(*transfer), GFP_KERNEL_ACCOUNT);
	if (!transfer)
		return ERR_PTR(-ENOMEM);
	transfer->file = anon_inode_getfile("[kvm_heartbeat]", ops, transfer, flags);
	if (IS_ERR(transfer->file)) {
		int ret = PTR_ERR(transfer->file);

		kfree(transfer);
		return ERR_PTR(ret);
	}
	stream_open(transfer->file->f_inode, transfer->file);
	mutex_init(&transfer->lock);
	transfer->hb = hb;
	return transfer;
}

/* From here on the file is the VMM's alone, and says that it is of no use. */
static void migration_end_transfer(struct kvmhb_vfio *face)
{
	struct kvmhb_transfer *transfer = face->open->transfer;

	lockdep_assert_held(&face->open->lock);

	if (!transfer)
		return;
	mutex_lock(&transfer->lock);
	transfer->hb = NULL;
	mutex_unlock(&transfer->lock);
	fput(transfer->file);
	face->open->transfer = NULL;
}

/* Returns the file of a transfer that begins, for the VMM. */
static struct file *migration_begin_transfer(struct kvmhb_vfio *face,
					     struct kvmhb_transfer *transfer)
{
	lockdep_assert_held(&face->open->lock);

	if (IS_ERR(transfer))
		return ERR_CAST(transfer);
	face->open->transfer = transfer;
	return get_file(transfer->file);
}

static struct file *migration_begin_saving(struct kvmhb_vfio *face)
{
	return migration_begin_transfer(face, transfer_new(&face->hb, &transfer_out, O_RDONLY));
}

static int migration_save(struct kvmhb_vfio *face)
{
	struct kvmhb_transfer *transfer = face->open->transfer;
	size_t length = 0;
	u8 *stream;

	lockdep_assert_held(&face->open->lock);

	stream = kvmhb_device_save(&face->hb, &length);
	if (!stream)
		return -ENOMEM;
	mutex_lock(&transfer->lock);
	transfer->data = stream;
	transfer->room = length;
	transfer->filled = length;
	transfer->whole = true;
	mutex_unlock(&transfer->lock);
	return 0;
}

static struct file *migration_begin_resuming(struct kvmhb_vfio *face)
{
	struct kvmhb_stream_target target = kvmhb_device_target(&face->hb);
	struct kvmhb_transfer *transfer;

	transfer = transfer_new(&face->hb, &transfer_in, O_WRONLY);
	if (IS_ERR(transfer))
		return ERR_CAST(transfer);
	transfer->target = target;
	transfer->room = kvmhb_stream_max(&target);
	transfer->data = kvzalloc(transfer->room, GFP_KERNEL_ACCOUNT);
	transfer->saved.slots = kvcalloc(target.nr_slots, sizeof(*transfer->saved.slots),
					 GFP_KERNEL_ACCOUNT);
	if (!transfer->data || !transfer->saved.slots) {
		fput(transfer->file);
		return ERR_PTR(-ENOMEM);
	}
	return migration_begin_transfer(face, transfer);
}

static int migration_end_resuming(struct kvmhb_vfio *face)
{
	struct kvmhb_transfer *transfer = face->open->transfer;
	int ret = 0;

	lockdep_assert_held(&face->open->lock);

	mutex_lock(&transfer->lock);
	if (!transfer->whole)
		ret = transfer_refuse(transfer, -ENODATA, "the stream ends too early");
	mutex_unlock(&transfer->lock);
	return ret;
}

/* Whether the VMM has taken the whole stream, and the VM has not run since. */
static bool migration_has_moved(struct kvmhb_vfio *face)
{
	struct kvmhb_transfer *transfer = face->open->transfer;
	bool moved;

	lockdep_assert_held(&face->open->lock);

	if (!transfer)
		return face->open->moved;
	mutex_lock(&transfer->lock);
	moved = transfer->whole && transfer->done && transfer->done == transfer->filled;
	mutex_unlock(&transfer->lock);
	return moved;
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
	enum vfio_device_mig_state now = face->open->state;
	struct file *file = NULL;
	int ret = 0;

	lockdep_assert_held(&face->open->lock);

	if (next == VFIO_DEVICE_STATE_STOP || next == VFIO_DEVICE_STATE_STOP_COPY)
		kvmhb_monitor_pause(&face->hb.monitor);

	if (now == VFIO_DEVICE_STATE_RESUMING)
		ret = migration_end_resuming(face);
	if (ret)
		return ERR_PTR(ret);

	if (migration_is_saving(next) && !migration_is_saving(now))
		file = migration_begin_saving(face);
	else if (next == VFIO_DEVICE_STATE_RESUMING)
		file = migration_begin_resuming(face);
	if (IS_ERR(file))
		return file;

	if (next == VFIO_DEVICE_STATE_STOP_COPY)
		ret = migration_save(face);
	if (ret) {
		if (file) {
			fput(file);
			migration_end_transfer(face);
		}
		return ERR_PTR(ret);
	}

	if (migration_runs(next)) {
		face->open->moved = false;
		kvmhb_monitor_resume(&face->hb.monitor);
	} else {
		face->open->moved = migration_has_moved(face);
	}
	if (!migration_is_saving(next) && next != VFIO_DEVICE_STATE_RESUMING)
		migration_end_transfer(face);
	face->open->state = next;
	return file;
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
	migration_end_transfer(face);
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
	if (migration_has_moved(face))
		kvmhb_monitor_moves(&face->hb.monitor);
	migration_end_transfer(face);
	mutex_unlock(&face->open->lock);
}
