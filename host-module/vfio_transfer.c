// SPDX-License-Identifier: GPL-2.0
/*
 * A stream on its way, and the file by which a VMM takes it from one device and gives it to
 * another.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vfio_transfer.h"

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
 * @before: of one that comes in: a stream of what the device was before it
 * @before_length: its length, bytes
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
	u8 *before;
	size_t before_length;
	struct kvmhb_saved saved;
};

static void transfer_free(struct kvmhb_transfer *transfer)
{
	kvfree(transfer->saved.slots);
	kvfree(transfer->before);
	kvfree(transfer->data);
	transfer->saved.slots = NULL;
	transfer->before = NULL;
	transfer->data = NULL;
}

static int transfer_release(struct inode *inode, struct file *file)
{
	struct kvmhb_transfer *transfer = file->private_data;

	transfer_free(transfer);
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

/* More came than a stream that has had effect: the device is again what it was. */
static void transfer_undo(struct kvmhb_transfer *transfer)
{
	const char *why;

	lockdep_assert_held(&transfer->lock);

	if (kvmhb_stream_parse(transfer->before, transfer->before_length, &transfer->target,
			       &transfer->saved, &why))
		kvmhb_device_reset(transfer->hb);
	else
		kvmhb_device_load(transfer->hb, &transfer->saved);
	transfer->whole = false;
}

/* Says why a stream is refused: to the log, as a VMM has but the number to show. */
static int transfer_refuse(struct kvmhb_transfer *transfer, int error, const char *why)
{
	lockdep_assert_held(&transfer->lock);

	if (!transfer->refused) {
		kvmhb_report_refusal(&transfer->hb->monitor.reporter, why);
		transfer->refused = error;
		if (transfer->whole)
			transfer_undo(transfer);
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

/**
 * kvmhb_transfer_out - begin to give a stream to the VMM
 * @hb: the device that it will be of
 *
 * Return: the transfer, without a stream, or an errno as a pointer.
 */
struct kvmhb_transfer *kvmhb_transfer_out(struct kvmhb_device *hb)
{
	return transfer_new(hb, &transfer_out, O_RDONLY);
}

/**
 * kvmhb_transfer_fill - the VM stands still, and there is something to be had
 * @transfer: of kvmhb_transfer_out(), not ended
 *
 * Return: 0 or -ENOMEM.
 */
int kvmhb_transfer_fill(struct kvmhb_transfer *transfer)
{
	size_t length = 0;
	u8 *stream;

	stream = kvmhb_device_save(transfer->hb, &length);
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

/**
 * kvmhb_transfer_is_taken - whether the VMM has all of a stream
 * @transfer: of either way
 *
 * Return: true if it has read it to its end.
 */
bool kvmhb_transfer_is_taken(struct kvmhb_transfer *transfer)
{
	bool taken;

	mutex_lock(&transfer->lock);
	taken = transfer->whole && transfer->done && transfer->done == transfer->filled;
	mutex_unlock(&transfer->lock);
	return taken;
}

/**
 * kvmhb_transfer_in - begin to take a stream from the VMM
 * @hb: the device that is to go on by it, open and paused
 *
 * Return: the transfer or an errno as a pointer.
 */
struct kvmhb_transfer *kvmhb_transfer_in(struct kvmhb_device *hb)
{
	struct kvmhb_stream_target target = kvmhb_device_target(hb);
	struct kvmhb_transfer *transfer;

	transfer = transfer_new(hb, &transfer_in, O_WRONLY);
	if (IS_ERR(transfer))
		return transfer;
	transfer->target = target;
	transfer->room = kvmhb_stream_max(&target);
	transfer->data = kvzalloc(transfer->room, GFP_KERNEL_ACCOUNT);
	transfer->saved.slots = kvcalloc(target.nr_slots, sizeof(*transfer->saved.slots),
					 GFP_KERNEL_ACCOUNT);
	transfer->before = kvmhb_device_save(hb, &transfer->before_length);
	if (!transfer->data || !transfer->saved.slots || !transfer->before) {
		fput(transfer->file);
		return ERR_PTR(-ENOMEM);
	}
	return transfer;
}

/**
 * kvmhb_transfer_finish - no more of a stream will come
 * @transfer: of kvmhb_transfer_in(), not ended
 *
 * Return: 0 if it is all there; why it was refused; -ENODATA if it ends too early.
 */
int kvmhb_transfer_finish(struct kvmhb_transfer *transfer)
{
	int ret = 0;

	mutex_lock(&transfer->lock);
	if (!transfer->whole)
		ret = transfer_refuse(transfer, -ENODATA, "the stream ends too early");
	mutex_unlock(&transfer->lock);
	return ret;
}

/**
 * kvmhb_transfer_file - what a transfer goes through
 * @transfer: of either way
 *
 * Return: the file, with a reference for the VMM.
 */
struct file *kvmhb_transfer_file(struct kvmhb_transfer *transfer)
{
	return get_file(transfer->file);
}

/**
 * kvmhb_transfer_end - let go of a transfer
 * @transfer: of either way, or NULL
 *
 * From here on the file is the VMM's alone, and says that it is of no use (ENODEV). It may be
 * kept for as long as the VMM likes, and holds no memory.
 */
void kvmhb_transfer_end(struct kvmhb_transfer *transfer)
{
	if (!transfer)
		return;
	mutex_lock(&transfer->lock);
	transfer->hb = NULL;
	transfer_free(transfer);
	mutex_unlock(&transfer->lock);
	fput(transfer->file);
}
