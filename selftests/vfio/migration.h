/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration, as a VMM does it through VFIO
 */
#ifndef MIGRATION_H
#define MIGRATION_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <sys/types.h>

#include "monitor.h"

/* Newer than the headers of Debian 12, and than kernel 6.1. */
enum { PRE_COPY = 6, PRE_COPY_P2P = 7, NR_MIG_STATES = 8 };
#define FEATURE_DATA_SIZE 9
#define FLAG_PRE_COPY 4

struct precopy_info {
	__u32 argsz, flags;
	__u64 initial_bytes, dirty_bytes;
};

#define GET_PRECOPY_INFO _IO(VFIO_TYPE, VFIO_BASE + 21)

#define STREAM_MAX 8192	/* of a VM that has one page of slots */

/* All that return an int return 0 or -errno. @fd gets the file of the transfer, or -1. */
int feature(struct monitor *m, __u32 flags, void *data, size_t size);
bool has_precopy(struct monitor *m);
int mig_get(struct monitor *m);
int mig_set(struct monitor *m, __u32 state, int *fd);

/* In pieces of so many bytes. The stream's length, or -errno; and what writing it came to. */
ssize_t read_stream(int fd, __u8 *buf, size_t size, size_t piece);
int write_stream(int fd, const __u8 *buf, size_t size, size_t piece);

/* Stop and take the stream; give a stream and stop. The file is closed, and the VM does not run. */
ssize_t mig_save(struct monitor *m, __u8 *buf);
int mig_load(struct monitor *m, const __u8 *buf, size_t size);

/* Make the checksum of a stream right. */
void seal_stream(__u8 *buf, size_t size);

#endif
