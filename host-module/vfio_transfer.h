/* SPDX-License-Identifier: GPL-2.0 */
/* A stream on its way from or to a VMM. All functions take the transfer's lock. */
#ifndef KVMHB_VFIO_TRANSFER_H
#define KVMHB_VFIO_TRANSFER_H

#include "vfio.h"

struct kvmhb_transfer *kvmhb_transfer_out(struct kvmhb_device *hb);
int kvmhb_transfer_fill(struct kvmhb_transfer *transfer);
bool kvmhb_transfer_is_taken(struct kvmhb_transfer *transfer);
struct kvmhb_transfer *kvmhb_transfer_in(struct kvmhb_device *hb);
int kvmhb_transfer_finish(struct kvmhb_transfer *transfer);
struct file *kvmhb_transfer_file(struct kvmhb_transfer *transfer);
void kvmhb_transfer_end(struct kvmhb_transfer *transfer);

#endif /* KVMHB_VFIO_TRANSFER_H */
