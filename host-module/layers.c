// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include "layers.h"
#include "pulse.h"
#include "saved.h"

/* A busy CPU lets a task of ordinary policy wait for longer than a short timeout. */
#define SCHED_AGE_MIN_NS	(2 * (u64)NSEC_PER_SEC)

/**
 * kvmhb_grow - make an array longer
 * @array: the array, or NULL; freed if there is another
 * @nr: how many entries it has; set to @wanted if it got them
 * @wanted: how many it is to have at least
 * @size: bytes of an entry
 *
 * Return: an array with the same entries and then zeros, or without memory @array itself.
 */
void *kvmhb_grow(void *array, unsigned int *nr, unsigned int wanted, size_t size)
{
	void *longer;

	if (wanted <= *nr)
		return array;
	longer = kvcalloc(wanted, size, GFP_KERNEL_ACCOUNT);
	if (!longer)
		return array;
	memcpy(longer, array, *nr * size);
	kvfree(array);
	*nr = wanted;
	return longer;
}

/*
 * A CPU may be plugged in with a number that is not below the number of vCPUs: any slot
 * is looked at once in so many looks.
 */
#define LOOKS_FOR_ALL	32

/* There may be more CPUs than before. Without vCPUs to go by, all are looked at. */
static void layers_find_slots(struct kvmhb_layers *layers, const struct kvmhb_pulse *pulse,
			      unsigned int nr_vcpus)
{
	unsigned int nr = nr_vcpus ? min(nr_vcpus, pulse->nr_slots) : pulse->nr_slots;
	unsigned int turns = nr_vcpus ? DIV_ROUND_UP(pulse->nr_slots, LOOKS_FOR_ALL) : 0;
	unsigned int turn = layers->turn;

	while (nr > layers->nr_slots && !kvmhb_pulse_is_online(pulse, nr - 1))
		nr--;
	for (; turns; turns--) {
		turn = (turn ?: pulse->nr_slots) - 1;
		if (turn >= nr && kvmhb_pulse_is_online(pulse, turn))
			nr = turn + 1;
	}
	layers->turn = turn;
	if (nr > layers->nr_slots)
		layers->slots = kvmhb_grow(layers->slots, &layers->nr_slots, nr,
					   sizeof(*layers->slots));
}

/* A CPU that waits for another one schedules nothing meanwhile, and is about to do so again. */
static void layers_forgive_schedulers(struct kvmhb_layers *layers)
{
	unsigned int nr;

	layers->softlockup = false;
	for (nr = 0; nr < layers->nr_slots; nr++) {
		layers->slots[nr].sched_run_ns = 0;
		layers->slots[nr].locked = false;
	}
}

/**
 * kvmhb_layers_look - look at the pulse page
 * @layers: what has been seen of it
 * @pulse: the pulse page
 * @nr_vcpus: how many CPUs there are to be seen besides, 0 if that is not known
 * @timeout_ns: how long a layer that lives is still at the most, ns
 * @run_ns: time since the look before in which the guest could run, ns
 *
 * Return: true if a slot has moved.
 */
bool kvmhb_layers_look(struct kvmhb_layers *layers, const struct kvmhb_pulse *pulse,
		       unsigned int nr_vcpus, u64 timeout_ns, u64 run_ns)
{
	bool was_partial = layers->partial;
	bool partial = false, softlockup = false, moved = false;
	struct kvmhb_slot_watch *slot;
	u64 stale_in_ns = U64_MAX;
	unsigned int nr;

	layers_find_slots(layers, pulse, nr_vcpus);
	for (nr = 0, slot = layers->slots; nr < layers->nr_slots; nr++, slot++) {
		struct kvmhb_slot seen = kvmhb_pulse_slot(pulse, nr);

		slot->run_ns += run_ns;
		if (seen.pulses != slot->pulses || !slot->online || !seen.online) {
			moved |= seen.online && seen.pulses != slot->pulses;
			slot->run_ns = 0;
		}
		slot->pulses = seen.pulses;
		slot->online = seen.online;

		slot->still = seen.online && slot->run_ns >= timeout_ns;
		/* What the guest counts includes time that it had only in part. */
		slot->sched_run_ns = seen.online && seen.sched_age_ns ?
				     slot->sched_run_ns + run_ns : 0;
		slot->locked = min(seen.sched_age_ns, slot->sched_run_ns) >=
			       max(timeout_ns, SCHED_AGE_MIN_NS);
		partial |= slot->still;
		softlockup |= slot->locked;
		if (seen.online && !slot->still)
			stale_in_ns = min(stale_in_ns, timeout_ns - slot->run_ns);
	}
	layers->partial = partial;
	layers->softlockup = softlockup;
	layers->stale_in_ns = stale_in_ns;
	layers->blocked = kvmhb_pulse_blocked(pulse);
	layers->userspace = kvmhb_pulse_user_stale(pulse);
	if (was_partial && !layers->partial)
		layers_forgive_schedulers(layers);
	return moved;
}

/**
 * kvmhb_layers_is_stale - whether a CPU is stale
 * @layers: what has been seen of the pulse page
 * @nr: the CPU, below @layers->nr_slots
 *
 * Return: true if its slot is, or if there is no such CPU, its scheduler: the lowest layer
 * names the CPUs.
 */
bool kvmhb_layers_is_stale(const struct kvmhb_layers *layers, unsigned int nr)
{
	return layers->partial ? layers->slots[nr].still : layers->slots[nr].locked;
}

/**
 * kvmhb_layers_forgive - begin anew, as if each CPU had just pulsed and scheduled
 * @layers: what has been seen of the pulse page
 */
void kvmhb_layers_forgive(struct kvmhb_layers *layers)
{
	unsigned int nr;

	layers->partial = false;
	for (nr = 0; nr < layers->nr_slots; nr++) {
		layers->slots[nr].run_ns = 0;
		layers->slots[nr].still = false;
	}
	layers_forgive_schedulers(layers);
}

/**
 * kvmhb_layers_resume - go on after a pause, or by another interval
 * @layers: what has been seen of the pulse page
 *
 * What was stale is so until it moves; all else has just moved, as far as can be asked of it.
 */
void kvmhb_layers_resume(struct kvmhb_layers *layers)
{
	unsigned int nr;

	for (nr = 0; nr < layers->nr_slots; nr++) {
		struct kvmhb_slot_watch *slot = &layers->slots[nr];

		if (!slot->still)
			slot->run_ns = 0;
		if (!slot->locked)
			slot->sched_run_ns = 0;
	}
}

/**
 * kvmhb_layers_save - say what moves with a VM
 * @layers: what has been seen of the pulse page
 * @slots: gets it, with room for every slot of that
 *
 * Return: how many it got.
 */
unsigned int kvmhb_layers_save(const struct kvmhb_layers *layers, struct kvmhb_saved_slot *slots)
{
	unsigned int nr;

	for (nr = 0; nr < layers->nr_slots; nr++) {
		const struct kvmhb_slot_watch *slot = &layers->slots[nr];

		slots[nr] = (struct kvmhb_saved_slot) {
			.pulses = slot->pulses,
			.run_ns = slot->run_ns,
			.sched_run_ns = slot->sched_run_ns,
			.flags = (slot->online ? KVMHB_SAVED_SLOT_ONLINE : 0) |
				 (slot->still ? KVMHB_SAVED_SLOT_STILL : 0) |
				 (slot->locked ? KVMHB_SAVED_SLOT_LOCKED : 0),
		};
	}
	return layers->nr_slots;
}

/**
 * kvmhb_layers_load - go on as another monitor would have
 * @layers: gets what was seen there of the pulse page
 * @pulse: the pulse page
 * @saved: what moved
 *
 * Without memory what is stale will be found anew.
 */
void kvmhb_layers_load(struct kvmhb_layers *layers, const struct kvmhb_pulse *pulse,
		       const struct kvmhb_saved *saved)
{
	unsigned int nr;

	kvmhb_layers_restart(layers, pulse);
	layers->slots = kvmhb_grow(layers->slots, &layers->nr_slots, saved->nr_seen,
				   sizeof(*layers->slots));
	for (nr = 0; nr < min(layers->nr_slots, saved->nr_seen); nr++) {
		const struct kvmhb_saved_slot *slot = &saved->slots[nr];

		layers->slots[nr] = (struct kvmhb_slot_watch) {
			.pulses = slot->pulses,
			.run_ns = slot->run_ns,
			.sched_run_ns = slot->sched_run_ns,
			.online = slot->flags & KVMHB_SAVED_SLOT_ONLINE,
			.still = slot->flags & KVMHB_SAVED_SLOT_STILL,
			.locked = slot->flags & KVMHB_SAVED_SLOT_LOCKED,
		};
		layers->partial |= layers->slots[nr].still;
		layers->softlockup |= layers->slots[nr].locked;
	}
	kvmhb_layers_keep(layers);
}

/**
 * kvmhb_layers_restart - begin to look at a new incarnation of the guest
 * @layers: what has been seen of the pulse page
 * @pulse: the pulse page
 */
void kvmhb_layers_restart(struct kvmhb_layers *layers, const struct kvmhb_pulse *pulse)
{
	kvmhb_layers_look(layers, pulse, 0, U64_MAX, 0);
	kvmhb_layers_forgive(layers);
}

/**
 * kvmhb_layers_keep - remember which CPUs are stale
 * @layers: what has been seen of the pulse page
 */
void kvmhb_layers_keep(struct kvmhb_layers *layers)
{
	unsigned int nr;

	for (nr = 0; nr < layers->nr_slots; nr++)
		layers->slots[nr].judged = kvmhb_layers_is_stale(layers, nr);
}

/**
 * kvmhb_layers_changed - whether other CPUs are stale than those remembered
 * @layers: what has been seen of the pulse page
 *
 * Return: true if any is now and was not, or the other way.
 */
bool kvmhb_layers_changed(const struct kvmhb_layers *layers)
{
	unsigned int nr;

	for (nr = 0; nr < layers->nr_slots; nr++)
		if (kvmhb_layers_is_stale(layers, nr) != layers->slots[nr].judged)
			return true;
	return false;
}

/**
 * kvmhb_layers_uninit - forget all that was seen of a pulse page
 * @layers: what to forget; may be used again
 */
void kvmhb_layers_uninit(struct kvmhb_layers *layers)
{
	kvfree(layers->slots);
	memset(layers, 0, sizeof(*layers));
}
