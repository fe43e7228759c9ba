/* SPDX-License-Identifier: GPL-2.0 */
/* The pulse page: memory that the guest writes without an exit. */
#ifndef KVMHB_PULSE_H
#define KVMHB_PULSE_H

#include <linux/compiler.h>
#include <linux/time64.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>
#include <asm/page.h>

#include "kvm_heartbeat.h"

struct kvmhb_timing;
struct page;

#define KVMHB_PULSE_MAX_SLOTS	1022	/* in 64 KiB */

/**
 * struct kvmhb_pulse - one VM's pulse page
 * @header: the memory, of alloc_pages_exact() or of __vmalloc(); the guest may write all
 *	of it at any time, so what the host needs to remember is kept here instead
 * @size: bytes at @header, a power of two and of whole pages
 * @nr_slots: entries of &struct kvm_heartbeat_slot behind the header
 * @config_seq: the generation of the configuration published last, even
 * @request_seq: the number of the request made last, 24 bits
 */
struct kvmhb_pulse {
	struct kvm_heartbeat_pulse_header *header;
	u32 size;
	u32 nr_slots;
	u32 config_seq;
	u32 request_seq;
};

/**
 * struct kvmhb_slot - what a CPU's slot said when it was read
 * @pulses: any number; changes while the CPU takes timer interrupts
 * @online: the guest says that this CPU pulses
 * @sched_age_ns: how long the CPU pulsed but its scheduler did nothing, ns
 */
struct kvmhb_slot {
	u64 pulses;
	bool online;
	u64 sched_age_ns;
};

int kvmhb_pulse_init(struct kvmhb_pulse *pulse, unsigned int nr_vcpus);
void kvmhb_pulse_uninit(struct kvmhb_pulse *pulse);
struct page *kvmhb_pulse_page(const struct kvmhb_pulse *pulse, unsigned long nr);
void kvmhb_pulse_reset(struct kvmhb_pulse *pulse, const struct kvmhb_timing *timing);
void kvmhb_pulse_load(struct kvmhb_pulse *pulse, const void *bytes, u32 config_seq,
		      const struct kvmhb_timing *timing);
void kvmhb_pulse_publish(struct kvmhb_pulse *pulse, const struct kvmhb_timing *timing);
u32 kvmhb_pulse_request(struct kvmhb_pulse *pulse, enum kvm_heartbeat_request what);
void kvmhb_pulse_withdraw(struct kvmhb_pulse *pulse);
enum kvm_heartbeat_answer kvmhb_pulse_answer(const struct kvmhb_pulse *pulse, u32 seq);
u32 kvmhb_pulse_ack(const struct kvmhb_pulse *pulse);

/**
 * kvmhb_pulse_has_pages - whether pages are within a pulse page
 * @pulse: the pulse page
 * @first: how many are before them, any number
 * @nr: how many they are, any number
 *
 * Return: true if all of them are.
 */
static inline bool kvmhb_pulse_has_pages(const struct kvmhb_pulse *pulse, unsigned long first,
					 unsigned long nr)
{
	unsigned long nr_pages = pulse->size >> PAGE_SHIFT;

	return first <= nr_pages && nr <= nr_pages - first;
}

/**
 * kvmhb_pulse_is_online - whether a CPU pulses
 * @pulse: the pulse page
 * @nr: the CPU, below @pulse->nr_slots
 *
 * Return: what the guest says.
 */
static inline bool kvmhb_pulse_is_online(const struct kvmhb_pulse *pulse, unsigned int nr)
{
	const struct kvm_heartbeat_slot *slots = (const void *)(pulse->header + 1);

	return READ_ONCE(slots[nr].flags) & cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
}

/**
 * kvmhb_pulse_slot - read a CPU's slot
 * @pulse: the pulse page
 * @nr: the CPU, below @pulse->nr_slots
 *
 * Return: what the guest wrote, each value read once; any of it may be a lie.
 */
static inline struct kvmhb_slot kvmhb_pulse_slot(const struct kvmhb_pulse *pulse, unsigned int nr)
{
	const struct kvm_heartbeat_slot *slot =
		(const struct kvm_heartbeat_slot *)(pulse->header + 1) + nr;
	struct kvmhb_slot seen;

	seen.online = le32_to_cpu(READ_ONCE(slot->flags)) & KVM_HEARTBEAT_SLOT_ONLINE;
	seen.pulses = le64_to_cpu(READ_ONCE(slot->pulses));
	/* The age that belongs to the pulse, or a later one; pairs with the guest's barrier. */
	smp_rmb();
	seen.sched_age_ns = (u64)le32_to_cpu(READ_ONCE(slot->sched_age_ms)) * NSEC_PER_MSEC;
	return seen;
}

/* Whether an age has reached its timeout, if there is one. */
static inline bool kvmhb_pulse_is_stale(const __le32 *timeout, const __le32 *age)
{
	u32 timeout_ms = le32_to_cpu(READ_ONCE(*timeout));

	/* The age that belongs to the timeout, or a later one; pairs with the guest's barrier. */
	smp_rmb();
	return timeout_ms && le32_to_cpu(READ_ONCE(*age)) >= timeout_ms;
}

/**
 * kvmhb_pulse_user_stale - whether the guest's userspace lets its watchdog starve
 * @pulse: the pulse page
 *
 * Return: what the guest says; false if nobody there has opened the watchdog.
 */
static inline bool kvmhb_pulse_user_stale(const struct kvmhb_pulse *pulse)
{
	return kvmhb_pulse_is_stale(&pulse->header->user_timeout_ms, &pulse->header->user_age_ms);
}

/**
 * kvmhb_pulse_blocked - whether a task of the guest waits for storage for too long
 * @pulse: the pulse page
 *
 * Return: what the guest says; false if it does not look at its tasks.
 */
static inline bool kvmhb_pulse_blocked(const struct kvmhb_pulse *pulse)
{
	return kvmhb_pulse_is_stale(&pulse->header->blocked_timeout_ms,
				    &pulse->header->blocked_age_ms);
}

#endif /* KVMHB_PULSE_H */
