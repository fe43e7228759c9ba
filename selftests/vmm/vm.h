/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VM, and what all parts of this program need
 */
#ifndef VM_H
#define VM_H

#include <linux/types.h>
#include <stddef.h>
#include <sys/types.h>

extern int kvm, vm;

int check(int ret, const char *what);
void *get_memory(size_t size, int fd, off_t offset, const char *what);

void vm_open(void);
void vm_close(void);
void set_memory(__u32 slot, __u64 address, void *mem, __u64 size);

#endif
