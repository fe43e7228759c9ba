/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What moves with a VM from one monitor to another: all that the guest relies on, and all
 * that a user would see jump. Times are durations, on the clock that stands still while the
 * VM does not run. The stream (stream.c) carries it.
 */
#ifndef KVMHB_SAVED_H
#define KVMHB_SAVED_H

#include <linux/types.h>

#include "config_space.h"

/* The longest duration, and the largest number, that a stream may claim: no sum overflows. */
#define KVMHB_SAVED_NS		(1ULL << 60)
#define KVMHB_SAVED_COUNT	(1ULL << 60)

/*
 * One line a field, each of 64 bits, in the order of the stream: name, the largest value
 * that is accepted. The stream is ABI (Documentation/stream.rst): add at the end.
 *
 * The configuration (see struct kvmhb_config), by what the guest is judged while it has not
 * acknowledged it, and the generations that were published and acknowledged:
 */
#define KVMHB_SAVED_FIELDS(field)							\
	field(interval_ns, KVM_HEARTBEAT_INTERVAL_MAX_NS)				\
	field(timeout_set_ns, KVMHB_TIMEOUT_MAX_NS)					\
	field(judged_interval_ns, KVM_HEARTBEAT_INTERVAL_MAX_NS)			\
	field(judged_timeout_ns, KVMHB_TIMEOUT_MAX_NS)					\
	field(retuning, 1)								\
	field(config_seq, U32_MAX)							\
	field(acked_seq, U32_MAX)							\
	/* State and cause that the guest goes on in, and the words it has said. */	\
	field(state, KVMHB_NR_STATES - 1)						\
	field(cause, KVMHB_NR_CAUSES - 1)						\
	field(lifecycle, KVM_HEARTBEAT_OOPS)						\
	field(goodbye, KVMHB_NR_CAUSES - 1)						\
	field(lost, 1)									\
	/* Counters and statistics. */							\
	field(beats, KVMHB_SAVED_COUNT)							\
	field(missed, KVMHB_SAVED_COUNT)						\
	field(outages, KVMHB_SAVED_COUNT)						\
	field(downtime_ns, KVMHB_SAVED_NS)						\
	field(gaps_n, KVMHB_SAVED_COUNT)						\
	field(gaps_sum_ns, KVMHB_SAVED_NS)						\
	field(gaps_min_ns, KVMHB_SAVED_NS)						\
	field(gaps_max_ns, KVMHB_SAVED_NS)						\
	field(gaps_mean8_ns, KVMHB_SAVED_NS)						\
	field(gaps_dev4_ns, KVMHB_SAVED_NS)						\
	field(restart_gaps, 1)								\
	/* Of a guest that is unresponsive its silence, what of that is in downtime_ns, and */ \
	/* what on the run clock. Of one that said goodbye: since its last beat, or 0. Of one */ \
	/* that has missed a deadline: since its last beat, and how long before the deadline */ \
	/* passed that was; or, without a beat, since then, and 0. */			\
	field(silence_ns, KVMHB_SAVED_NS)						\
	field(counted_ns, KVMHB_SAVED_NS)						\
	field(run_ns, KVMHB_SAVED_NS)							\
	/* What was last judged. */							\
	field(judged_state, KVMHB_NR_STATES - 1)					\
	field(judged_cause, KVMHB_NR_CAUSES - 1)					\
	field(judged_silence_ns, KVMHB_SAVED_NS)					\
	field(judged_run_ns, KVMHB_SAVED_NS)						\
	/* How often the guest began and ended. */					\
	field(boots, U32_MAX)								\
	field(panics, U32_MAX)								\
	field(resets, U32_MAX)

/**
 * struct kvmhb_saved_slot - what was seen of a CPU's slot of the pulse page
 * @pulses: its pulses, at the last look
 * @run_ns: since when it has said so, on the run clock, ns
 * @sched_run_ns: since when its scheduler's age was never 0, on the run clock, ns
 * @flags: see below
 */
struct kvmhb_saved_slot {
	u64 pulses;
	u64 run_ns;
	u64 sched_run_ns;
	u64 flags;
};

#define KVMHB_SAVED_SLOT_ONLINE	0x1	/* the CPU pulses */
#define KVMHB_SAVED_SLOT_STILL	0x2	/* it was still for a timeout */
#define KVMHB_SAVED_SLOT_LOCKED	0x4	/* its scheduler was */
#define KVMHB_SAVED_SLOT_FLAGS	0x7

/**
 * struct kvmhb_saved - what moves with a VM
 * @features: what the device can do, KVM_HEARTBEAT_FEATURE_*
 * @nr_slots: CPUs that the pulse page has room for
 * @config: the PCI configuration space
 * @nr_seen: entries of @slots
 * @slots: what was seen of the slots, up to the last that was ever online
 * @pulse: the pulse page
 * @pulse_size: its bytes
 *
 * And a u64 for each of KVMHB_SAVED_FIELDS. Whoever fills it in provides @slots and @pulse.
 */
struct kvmhb_saved {
	u32 features;
	u32 nr_slots;
	u8 config[KVMHB_CONFIG_SPACE_USED];
	/* private: as said above */
#define KVMHB_SAVED_FIELD(name, max) u64 name;
	KVMHB_SAVED_FIELDS(KVMHB_SAVED_FIELD)
#undef KVMHB_SAVED_FIELD
	/* public: */
	unsigned int nr_seen;
	struct kvmhb_saved_slot *slots;
	const void *pulse;
	u32 pulse_size;
};

#endif /* KVMHB_SAVED_H */
