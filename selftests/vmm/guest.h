/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tiny guests, and the memory that they are in
 */
#ifndef GUEST_H
#define GUEST_H

#include <linux/kvm.h>
#include <linux/types.h>
#include <stdbool.h>

/* To these ports each vCPU says that it has begun, and that it has done what it had to. */
#define PORT_BEGUN	0x10
#define PORT_DONE	0x11
/* By this one it has the VMM reset the device. */
#define PORT_RESET	0x12

struct guest {
	const char *name, *entry;
	bool counted;		/* is done, and measured */
	bool silent;		/* at some time */
	bool beats;		/* every interval, until it is told to fall silent */
	bool hostile;		/* hostile.c has its code */
};

/* How it is to go: how often, and what then. */
struct guest_run {
	const struct guest *guest;
	__u64 count, seed;
	bool then_halt;
};

const struct guest *guest_find(const char *name);

void memory_open(unsigned int nr_vcpus);
void memory_close(void);
void *memory_get(__u64 *size);

void guest_silence(void);
void guest_begin(const struct guest_run *how, unsigned int nr, struct kvm_regs *r,
		 struct kvm_sregs *sregs);

#endif
