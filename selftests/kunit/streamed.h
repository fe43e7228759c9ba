/* SPDX-License-Identifier: GPL-2.0 */
/* A stream, and what is read from it: what tests of its form and of its content share. */
#ifndef KVMHB_STREAMED_H
#define KVMHB_STREAMED_H

#include "test.h"

#include <linux/crc32.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "stream.h"
#include "words.h"

#define NR_SLOTS	62
#define NR_SEEN		3
#define ROOM		SZ_16K

static const struct kvmhb_stream_target target __maybe_unused = {
	.features = 1,
	.nr_slots = NR_SLOTS,
	.pulse_size = 4096,
};

/* A stream, what it was made from, and what is read from it. */
struct streamed {
	u8 *buf;
	size_t length;
	struct kvmhb_saved made;
	struct kvmhb_saved read;
	struct kvmhb_saved_slot made_slots[NR_SLOTS];
	struct kvmhb_saved_slot read_slots[NR_SLOTS];
	u8 pulse[4096];
	const char *why;
};

/* Of a guest that is unresponsive, and that has yet to acknowledge its interval. */
static inline struct streamed *streamed_init(struct kunit *test)
{
	struct streamed *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->buf = kunit_kzalloc(test, ROOM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->buf);
	s->made = (struct kvmhb_saved) {
		.features = target.features,
		.nr_slots = target.nr_slots,
		.interval_ns = 200 * MS,
		.timeout_set_ns = 500 * MS,
		.judged_interval_ns = 2 * SEC,
		.judged_timeout_ns = 5 * SEC,
		.retuning = 1,
		.config_seq = 0xfffffffe,
		.acked_seq = 0xfffffffc,
		.state = KVMHB_UNRESPONSIVE,
		.cause = KVMHB_CAUSE_HUNG,
		.lifecycle = KVM_HEARTBEAT_ARM,
		.beats = 11,
		.missed = 12,
		.outages = 13,
		.downtime_ns = 14 * SEC,
		.gaps_n = 15,
		.gaps_sum_ns = 16 * SEC,
		.gaps_min_ns = 17 * MS,
		.gaps_max_ns = 18 * SEC,
		.gaps_mean8_ns = 19 * SEC,
		.gaps_dev4_ns = 20 * SEC,
		.restart_gaps = 1,
		.silence_ns = 23 * SEC,
		.counted_ns = 21 * SEC,
		.run_ns = 22 * SEC,
		.judged_state = KVMHB_LATE,
		.judged_cause = KVMHB_CAUSE_STARVED,
		.judged_silence_ns = 24 * SEC,
		.judged_run_ns = 25 * SEC,
		.boots = 27,
		.panics = 28,
		.resets = 29,
		.nr_seen = NR_SEEN,
		.slots = s->made_slots,
		.pulse = s->pulse,
		.pulse_size = sizeof(s->pulse),
	};
	for (i = 0; i < sizeof(s->made.config); i++)
		s->made.config[i] = i ^ 0x5a;
	for (i = 0; i < sizeof(s->pulse); i++)
		s->pulse[i] = i * 7;
	for (i = 0; i < NR_SLOTS; i++)
		s->made_slots[i] = (struct kvmhb_saved_slot) {
			.pulses = U64_MAX - i,
			.run_ns = KVMHB_SAVED_NS - i,
			.sched_run_ns = 26 * SEC + i,
			.flags = i & KVMHB_SAVED_SLOT_FLAGS,
		};
	s->read.slots = s->read_slots;
	return s;
}

static inline void make(struct streamed *s)
{
	s->length = kvmhb_stream_make(s->buf, &s->made);
}

/* As whoever made it would have, had it been made so: the checksum is at 12, and counts as 0. */
static inline int parse_sealed(struct streamed *s)
{
	__le32 *crc = (__le32 *)(s->buf + 12);

	*crc = 0;
	*crc = cpu_to_le32(~crc32_le(~0U, s->buf, s->length));
	s->why = "";
	return kvmhb_stream_parse(s->buf, s->length, &target, &s->read, &s->why);
}

static inline int parse_made(struct streamed *s)
{
	make(s);
	return parse_sealed(s);
}

#endif /* KVMHB_STREAMED_H */
