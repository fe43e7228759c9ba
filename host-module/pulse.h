/* SPDX-License-Identifier: GPL-2.0 */
/* The pulse page: memory that the guest writes without an exit. */
#ifndef KVMHB_PULSE_H
#define KVMHB_PULSE_H

#include <linux/types.h>

struct kvm_heartbeat_pulse_header;
struct kvmhb_timing;

/**
 * struct kvmhb_pulse - one VM's pulse page
 * @header: the memory, of vmalloc_user(); the guest may write all of it at any
 *	time, so what the host needs to remember is kept here instead
 * @size: bytes at @header, a power of two and of whole pages
 * @nr_slots: entries of &struct kvm_heartbeat_slot behind the header
 * @config_seq: the generation of the configuration published last, even
 */
struct kvmhb_pulse {
	struct kvm_heartbeat_pulse_header *header;
	size_t size;
	u32 nr_slots;
	u32 config_seq;
};

int kvmhb_pulse_init(struct kvmhb_pulse *pulse, unsigned int nr_vcpus);
void kvmhb_pulse_uninit(struct kvmhb_pulse *pulse);
void kvmhb_pulse_reset(struct kvmhb_pulse *pulse, const struct kvmhb_timing *timing);
void kvmhb_pulse_publish(struct kvmhb_pulse *pulse, const struct kvmhb_timing *timing);
u32 kvmhb_pulse_ack(const struct kvmhb_pulse *pulse);

#endif /* KVMHB_PULSE_H */
