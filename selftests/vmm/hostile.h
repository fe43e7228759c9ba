/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest that does whatever a guest can do to its host
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <linux/kvm.h>
#include <linux/types.h>

#include "guest.h"

void hostile_open(const struct guest_run *how, unsigned int nr_vcpus, int tsc_khz);
void hostile_close(void);
void hostile_begin(unsigned int nr, struct kvm_regs *r);

#endif
