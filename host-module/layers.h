/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the pulse page tells of each CPU of a guest, and of the layers above it: which of them
 * have been still for a timeout that they had.
 */
#ifndef KVMHB_LAYERS_H
#define KVMHB_LAYERS_H

#include <linux/types.h>

struct kvmhb_pulse;
struct kvmhb_saved;
struct kvmhb_saved_slot;

/**
 * struct kvmhb_slot_watch - a CPU's slot of the pulse page
 * @pulses: what it said at the last look
 * @run_ns: since when it has said so, on the run clock, ns
 * @sched_run_ns: since when its scheduler's age was never 0, on the run clock, ns
 * @online: the guest said that this CPU pulses
 * @still: it was still for a timeout
 * @locked: its scheduler is stale
 * @judged: the CPU was stale at the look that led to the last report
 */
struct kvmhb_slot_watch {
	u64 pulses;
	u64 run_ns;
	u64 sched_run_ns;
	bool online;
	bool still;
	bool locked;
	bool judged;
};

/**
 * struct kvmhb_layers - the CPUs of a guest, their schedulers, its storage, its userspace
 * @slots: what was seen of the slots of the pulse page, up to the last that was
 *	ever online
 * @nr_slots: entries of @slots
 * @turn: the slot that was looked at last to see whether it has come online, whatever @nr_slots
 * @partial: a slot is stale
 * @softlockup: a scheduler is stale
 * @blocked: a task waits for storage for too long
 * @userspace: userspace is stale
 * @stale_in_ns: when the next slot will be stale, ns from the last look; U64_MAX: never
 *
 * All zero before it is first used. The caller serialises.
 */
struct kvmhb_layers {
	struct kvmhb_slot_watch *slots;
	unsigned int nr_slots;
	unsigned int turn;
	bool partial;
	bool softlockup;
	bool blocked;
	bool userspace;
	u64 stale_in_ns;
};

void *kvmhb_grow(void *array, unsigned int *nr, unsigned int wanted, size_t size);

void kvmhb_layers_uninit(struct kvmhb_layers *layers);
void kvmhb_layers_restart(struct kvmhb_layers *layers, const struct kvmhb_pulse *pulse);
bool kvmhb_layers_look(struct kvmhb_layers *layers, const struct kvmhb_pulse *pulse,
		       unsigned int nr_vcpus, u64 timeout_ns, u64 run_ns);
void kvmhb_layers_forgive(struct kvmhb_layers *layers);
void kvmhb_layers_resume(struct kvmhb_layers *layers);
unsigned int kvmhb_layers_save(const struct kvmhb_layers *layers, struct kvmhb_saved_slot *slots);
void kvmhb_layers_load(struct kvmhb_layers *layers, const struct kvmhb_pulse *pulse,
		       const struct kvmhb_saved *saved);
void kvmhb_layers_keep(struct kvmhb_layers *layers);
bool kvmhb_layers_changed(const struct kvmhb_layers *layers);
bool kvmhb_layers_is_stale(const struct kvmhb_layers *layers, unsigned int nr);

#endif /* KVMHB_LAYERS_H */
