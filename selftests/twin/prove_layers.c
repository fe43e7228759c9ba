// SPDX-License-Identifier: GPL-2.0
/* Of the pulse page, whatever the guest writes there. */
#include "kvm_heartbeat.h"
#include "layers.h"
#include "prove.h"
#include "pulse.h"

#define TIMEOUT	(4 * SEC)
#define LOOKS	4

static struct kvm_heartbeat_pulse_header *header;
static struct kvmhb_pulse pulse = { .nr_slots = 1 };

/* What is to be said of the slot, in fewer words. */
struct slot {
	u64 pulses, quiet_ns, unscheduled_ns;
	bool online, partial;
};

static unsigned long walk(const struct kvmhb_layers *before, const struct slot *known,
			  unsigned int depth)
{
	static const u64 pulses[] = { 0, 1, U64_MAX };
	static const u32 ages_ms[] = { 0, 3999, 4000, U32_MAX };
	static const u64 runs_ns[] = { 0, 1, TIMEOUT - 1, TIMEOUT, 1ULL << 60 };
	struct kvm_heartbeat_slot *page = (struct kvm_heartbeat_slot *)(header + 1);
	const unsigned int total = 2 * ARRAY_SIZE(pulses) * ARRAY_SIZE(ages_ms) *
				   ARRAY_SIZE(runs_ns);
	unsigned long nr = 0;
	unsigned int n;

	if (depth == LOOKS)
		return 0;
	for (n = 0; n < total; n++) {
		struct kvmhb_layers layers = *before;
		struct kvmhb_slot_watch watched = *before->slots;
		struct slot slot = *known;
		unsigned int rest = n / 2;
		bool online = n & 1, moved, locked, partial;
		u64 age_ns, run_ns;

		page->flags = cpu_to_le32(online ? U32_MAX : ~KVM_HEARTBEAT_SLOT_ONLINE);
		page->pulses = cpu_to_le64(pulses[rest % ARRAY_SIZE(pulses)]);
		rest /= ARRAY_SIZE(pulses);
		page->sched_age_ms = cpu_to_le32(ages_ms[rest % ARRAY_SIZE(ages_ms)]);
		rest /= ARRAY_SIZE(ages_ms);
		run_ns = runs_ns[rest];
		age_ns = le32_to_cpu(page->sched_age_ms) * MS;

		moved = online && le64_to_cpu(page->pulses) != slot.pulses;
		slot.quiet_ns = moved || !online || !slot.online ? 0 : slot.quiet_ns + run_ns;
		slot.unscheduled_ns = online && age_ns ? slot.unscheduled_ns + run_ns : 0;
		partial = online && slot.quiet_ns >= TIMEOUT;
		locked = age_ns >= TIMEOUT && slot.unscheduled_ns >= TIMEOUT;
		if (slot.partial && !partial) {
			locked = false;
			slot.unscheduled_ns = 0;
		}
		slot.partial = partial;
		slot.pulses = le64_to_cpu(page->pulses);
		slot.online = online;

		layers.slots = &watched;
		demand(kvmhb_layers_look(&layers, &pulse, 0, TIMEOUT, run_ns) == moved, "%u", n);
		/* L1, L2, L3 */
		demand(layers.partial == partial, "look %u, %u", depth, n);
		demand(layers.softlockup == locked, "look %u, %u", depth, n);
		demand(layers.stale_in_ns == (online && !partial ? TIMEOUT - slot.quiet_ns :
					      U64_MAX), "look %u, %u", depth, n);
		nr += 1 + walk(&layers, &slot, depth + 1);
	}
	return nr;
}

unsigned long prove_layers(void)
{
	struct kvmhb_slot_watch watched = {};
	const struct kvmhb_layers layers = { .slots = &watched, .nr_slots = 1 };
	const struct slot slot = {};
	unsigned long nr;

	header = calloc(1, sizeof(*header) + sizeof(struct kvm_heartbeat_slot));
	pulse.header = header;
	nr = walk(&layers, &slot, 0);
	free(header);
	return nr;
}
