/* SPDX-License-Identifier: GPL-2.0 */
/* A guest that goes from one monitor to another: what tests of move.c share. */
#ifndef KVMHB_MOVED_H
#define KVMHB_MOVED_H

#include "monitored.h"

#include <linux/slab.h>

#include "stream.h"

/* What moves, by way of a stream. */
struct luggage {
	struct kvmhb_saved saved;
	struct kvmhb_saved_slot slots[62];
	u8 stream[8192];
};

/* Of a monitor that is paused. What it says of itself is a stream that another one takes. */
static inline struct luggage *pack(struct kunit *test, struct monitor_test *m)
{
	const struct kvmhb_stream_target target = {
		.features = KVM_HEARTBEAT_FEATURE_LAYERS,
		.nr_slots = m->pulse.nr_slots,
		.pulse_size = m->pulse.size,
	};
	struct luggage *bag = kunit_kzalloc(test, sizeof(*bag), GFP_KERNEL);
	const char *why = "";
	size_t length;

	KUNIT_ASSERT_NOT_NULL(test, bag);
	bag->saved = (struct kvmhb_saved) {
		.features = target.features,
		.nr_slots = target.nr_slots,
		.slots = bag->slots,
		.pulse = m->pulse.header,
		.pulse_size = target.pulse_size,
	};
	kvmhb_monitor_save(&m->mon, &bag->saved);
	length = kvmhb_stream_make(bag->stream, &bag->saved);
	KUNIT_ASSERT_EQ_MSG(test, kvmhb_stream_parse(bag->stream, length, &target, &bag->saved,
						     &why), 0, "%s", why);
	return bag;
}

/* Another monitor takes it over. */
static inline void unpack(struct monitor_test *m, const struct luggage *bag)
{
	kvmhb_monitor_pause(&m->mon);
	kvmhb_monitor_load(&m->mon, &bag->saved);
}

/* Two monitors: of the host where the guest is, and of the one where it goes. */
static inline struct monitor_test *target_monitor(struct kunit *test)
{
	struct monitor_test *m = monitor_test_named(test, "kvm_heartbeat_kunit_target", 2 * SEC, 0);

	attach(m);
	return m;
}

/* Brings a guest into a state, with some beats before it if it has armed. */
static inline void bring_into(struct monitor_test *m, enum kvmhb_state state)
{
	attach(m);
	if (state == KVMHB_WAITING)
		return;
	m->pulse.header->config_ack = m->pulse.header->config_seq;
	say(m, KVM_HEARTBEAT_ARM);
	time_passes(m, HOUR);
	beat(m);
	time_passes(m, HOUR);
	beat(m);
	time_passes(m, HOUR / 2);
	beat(m);
	if (state == KVMHB_DEGRADED) {
		m->pulse.header->user_timeout_ms = cpu_to_le32(1000);
		m->pulse.header->user_age_ms = cpu_to_le32(1000);
		look_now(m);
	} else if (state == KVMHB_LATE) {
		silent_for(m, 2 * HOUR);
	} else if (state == KVMHB_UNRESPONSIVE) {
		silent_for(m, 2 * HOUR);
		silent_for(m, 11 * HOUR / 5);
	} else if (state == KVMHB_STOPPED) {
		say(m, KVM_HEARTBEAT_SUSPEND);
	} else if (state == KVMHB_PANICKED) {
		say(m, KVM_HEARTBEAT_PANIC);
	}
}

/* As it was, or a moment later: so much for what the test itself takes. */
static inline void expect_goes_on(struct kunit *test, u64 now, u64 before, const char *what)
{
	KUNIT_EXPECT_GE_MSG(test, now, before, "%s", what);
	KUNIT_EXPECT_LE_MSG(test, now, before + MINUTE, "%s", what);
}

static inline void expect_same_counts(struct kunit *test, const struct kvmhb_readings *now,
				      const struct kvmhb_readings *before, const char *what)
{
	KUNIT_EXPECT_EQ_MSG(test, now->timing.interval_ns, before->timing.interval_ns, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now->timing.timeout_ns, before->timing.timeout_ns, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now->lifecycle, before->lifecycle, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now->beats, before->beats, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now->missed, before->missed, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now->outages, before->outages, "%s", what);
	expect_goes_on(test, now->downtime_ns, before->downtime_ns, what);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(&now->gaps, &before->gaps, sizeof(now->gaps)), 0, "%s",
			    what);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(&now->life, &before->life, sizeof(now->life)), 0, "%s",
			    what);
}

#endif /* KVMHB_MOVED_H */
