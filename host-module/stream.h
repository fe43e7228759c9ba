/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VM's migration carries of this device, byte by byte: Documentation/stream.rst.
 * Pure functions, tested by selftests/kunit and selftests/fuzz.
 */
#ifndef KVMHB_STREAM_H
#define KVMHB_STREAM_H

#include <linux/types.h>

#include "saved.h"

#define KVMHB_STREAM_HEAD	48	/* bytes, which say how long it is */

/**
 * struct kvmhb_stream_target - what a stream has to fit
 * @features: what the device can do, KVM_HEARTBEAT_FEATURE_*
 * @nr_slots: CPUs that its pulse page has room for
 * @pulse_size: bytes of that
 */
struct kvmhb_stream_target {
	u32 features;
	u32 nr_slots;
	u32 pulse_size;
};

size_t kvmhb_stream_size(u32 nr_slots, u32 pulse_size);
size_t kvmhb_stream_max(const struct kvmhb_stream_target *target);
size_t kvmhb_stream_make(u8 *buf, const struct kvmhb_saved *saved);
int kvmhb_stream_parse_head(const u8 *buf, const struct kvmhb_stream_target *target,
			    size_t *length, const char **why);
int kvmhb_stream_parse(const u8 *buf, size_t length, const struct kvmhb_stream_target *target,
		       struct kvmhb_saved *saved, const char **why);

#endif /* KVMHB_STREAM_H */
