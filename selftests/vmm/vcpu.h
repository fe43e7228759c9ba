/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vCPUs, each with a thread that runs it
 */
#ifndef VCPU_H
#define VCPU_H

#include <linux/kvm.h>
#include <linux/types.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "guest.h"

/*
 * All that a vCPU of ours has: its guests use no FPU, no MSR but EFER, and no clock of KVM's.
 * One that runs Linux has more.
 */
struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
};

struct vcpu {
	unsigned int nr;
	int fd, stats;
	bool stepped;
	off_t exits;		/* where the statistics have the number of exits */
	__u64 exits_begun;
	struct kvm_run *run;
	struct vcpu_state created;
	pthread_t thread;
	sem_t go;
};

extern unsigned int nr_vcpus;
extern struct vcpu *vcpus;

void vcpus_open(void);
void vcpus_close(void);
int vcpu_tsc_khz(const struct vcpu *vcpu);
void threads_open(void);
void threads_close(void);

void vcpu_get_state(struct vcpu *vcpu, struct vcpu_state *state);
void vcpu_set_state(struct vcpu *vcpu, const struct vcpu_state *state);

void reset_vcpus(const struct guest_run *how);
void start_vcpus(void);
void stop_vcpus(void);
void step_vcpus(void);
void wait_begun(void);
/* For poll(2), how many are done. */
extern int done;

#endif
