/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM that does not run, in a file
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <linux/types.h>
#include <stdbool.h>

/* What it takes to open a VM for what the rest of the file has. */
struct image_head {
	char magic[8];
	__u32 nr_vcpus, nr_devices;
	__u64 memory_size;
};

bool image_save(int file);
void image_read_head(int file, struct image_head *head);
void image_restore(int file, const struct image_head *head);

#endif
