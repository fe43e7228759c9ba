/* SPDX-License-Identifier: GPL-2.0 */
/* A guest that is watched: what tests of watch.c share. */
#ifndef KVMHB_WATCHED_H
#define KVMHB_WATCHED_H

#include "test.h"

#include <linux/kvm_host.h>

#include "shown.h"
#include "verdict.h"
#include "watch.h"

/**
 * struct watched - a guest that is watched
 * @shown: what looks at it see
 * @pulse: its pulse page
 * @slots: the slots of that
 * @watch: what has been seen of it
 * @look: what its monitor knows
 * @c: the case of the last look
 */
struct watched {
	struct shown shown;
	struct kvmhb_pulse pulse;
	struct kvm_heartbeat_slot *slots;
	struct kvmhb_watch watch;
	struct kvmhb_look look;
	struct kvmhb_case c;
};

static inline void watched_exit(void *data)
{
	struct watched *w = data;

	shown = NULL;
	kvmhb_watch_uninit(&w->watch);
	kvmhb_pulse_uninit(&w->pulse);
}

static inline void pulse(struct watched *w, unsigned int nr)
{
	le64_add_cpu(&w->slots[nr].pulses, 1);
}

static inline void look(struct watched *w)
{
	kvmhb_watch_look(&w->watch, &w->look, &w->c);
}

/* A look, so much time after the last, in which each vCPU executed and pulsed. */
static inline void look_after(struct watched *w, u64 ns)
{
	unsigned int nr;

	w->shown.now_ns += ns;
	for (nr = 0; nr < w->shown.nr_vcpus; nr++) {
		w->shown.vcpus[nr].exec_ns += ns;
		pulse(w, nr);
	}
	look(w);
}

static inline void beat(struct watched *w)
{
	w->look.last_beat_at_ns = w->shown.now_ns;
}

/* Two vCPUs that execute, on a host that lives. The guest beats when it is first looked at. */
static inline struct watched *watched_init(struct kunit *test)
{
	struct watched *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	unsigned int nr;

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&w->pulse, 1), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, watched_exit, w), 0);
	w->slots = slots_of(&w->pulse);
	w->shown = (struct shown) {
		.now_ns = 1000 * SEC,
		.nr_vcpus = 2,
		.nr_cpus = 1,
		.resolution_ns = 8 * MS,
		.answered_at_ns = U64_MAX,
	};
	for (nr = 0; nr < ARRAY_SIZE(w->shown.vcpus); nr++) {
		w->shown.vcpus[nr] = vcpu_at(RUN);
		w->slots[nr].flags = cpu_to_le32(nr < 2 ? KVM_HEARTBEAT_SLOT_ONLINE : 0);
	}
	w->look = (struct kvmhb_look) {
		.kvm = kunit_kzalloc(test, sizeof(*w->look.kvm), GFP_KERNEL),
		.pulse = &w->pulse,
		.timing = { 2 * SEC, 4 * SEC },
	};
	KUNIT_ASSERT_NOT_NULL(test, w->look.kvm);
	shown = &w->shown;
	kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
	beat(w);
	look(w);
	return w;
}

#endif /* KVMHB_WATCHED_H */
