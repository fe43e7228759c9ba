// SPDX-License-Identifier: GPL-2.0
/* Of the pulse page, whatever the guest writes there. */
#include <linux/slab.h>

#include "kvm_heartbeat.h"
#include "layers.h"
#include "prove.h"
#include "pulse.h"

#define TIMEOUT		(4 * SEC)
#define NR_SLOTS	2
/* Within so many looks each CPU is watched. */
#define LOOKS_FOR_ALL	32

static struct kvm_heartbeat_pulse_header *header;
static struct kvm_heartbeat_slot *page;
static struct kvmhb_pulse pulse;

/* What is to be said of a CPU, in fewer words. */
struct slot {
	u64 pulses, quiet_ns, unscheduled_ns;
	bool watched, online, partial;
};

struct guest {
	struct slot slots[NR_SLOTS];
	unsigned int nr_looks;
	bool partial;
};

/* What a look has to find. */
struct found {
	bool moved, partial, locked;
	u64 stale_in_ns;
};

/* What is tried; of each the first ones are, if a walk is of more than one CPU. */
static const u64 pulses[] = { 0, U64_MAX, 1 };
static const u32 ages_ms[] = { 0, U32_MAX, 3999, 4000 };
static const u64 runs_ns[] = { TIMEOUT - 1, TIMEOUT, 0, 1, 1ULL << 60 };

struct walk {
	unsigned int nr_pulses, nr_ages, nr_runs;
	unsigned int nr_slots, nr_vcpus, looks;
};

/* Those that are online, if their numbers are those of vCPUs; of the others one at each look. */
static void watch_slots(struct guest *g, const struct walk *walk)
{
	unsigned int turn = walk->nr_slots - 1 - g->nr_looks % walk->nr_slots;
	unsigned int nr, at;

	for (nr = 0; nr < walk->nr_slots; nr++) {
		if (!(le32_to_cpu(page[nr].flags) & KVM_HEARTBEAT_SLOT_ONLINE))
			continue;
		if (!walk->nr_vcpus || nr < walk->nr_vcpus || nr == turn)
			for (at = 0; at <= nr; at++)
				g->slots[at].watched = true;
	}
	g->nr_looks++;
}

static struct found see(struct guest *g, const struct walk *walk, u64 run_ns)
{
	struct found found = { .stale_in_ns = U64_MAX };
	unsigned int nr;

	for (nr = 0; nr < walk->nr_slots; nr++) {
		struct slot *slot = &g->slots[nr];
		bool online = le32_to_cpu(page[nr].flags) & KVM_HEARTBEAT_SLOT_ONLINE;
		u64 age_ns = le32_to_cpu(page[nr].sched_age_ms) * MS;
		bool moved;

		if (!slot->watched)
			continue;
		moved = online && le64_to_cpu(page[nr].pulses) != slot->pulses;
		slot->quiet_ns = moved || !online || !slot->online ? 0 : slot->quiet_ns + run_ns;
		slot->unscheduled_ns = online && age_ns ? slot->unscheduled_ns + run_ns : 0;
		slot->partial = online && slot->quiet_ns >= TIMEOUT;
		slot->pulses = le64_to_cpu(page[nr].pulses);
		slot->online = online;
		found.moved |= moved;
		found.partial |= slot->partial;
		found.locked |= age_ns >= TIMEOUT && slot->unscheduled_ns >= TIMEOUT;
		if (online && !slot->partial)
			found.stale_in_ns = min(found.stale_in_ns, TIMEOUT - slot->quiet_ns);
	}
	/* Who waited for a CPU that is back schedules again from now on. */
	if (g->partial && !found.partial) {
		found.locked = false;
		for (nr = 0; nr < walk->nr_slots; nr++)
			g->slots[nr].unscheduled_ns = 0;
	}
	g->partial = found.partial;
	return found;
}

static unsigned long walk_looks(const struct kvmhb_layers *before, const struct guest *known,
				const struct walk *walk, unsigned int depth)
{
	const size_t size = before->nr_slots * sizeof(*before->slots);
	unsigned int n, nr, total = walk->nr_runs;
	unsigned long cases = 0;

	if (depth == walk->looks)
		return 0;
	for (nr = 0; nr < walk->nr_slots; nr++)
		total *= 2 * walk->nr_pulses * walk->nr_ages;
	for (n = 0; n < total; n++) {
		struct kvmhb_slot_watch watched[NR_SLOTS];
		struct kvmhb_layers layers = *before;
		struct guest guest = *known;
		unsigned int rest = n;
		struct found found;
		u64 run_ns;

		for (nr = 0; nr < walk->nr_slots; nr++) {
			page[nr].flags = cpu_to_le32(rest & 1 ? U32_MAX :
						     ~KVM_HEARTBEAT_SLOT_ONLINE);
			rest /= 2;
			page[nr].pulses = cpu_to_le64(pulses[rest % walk->nr_pulses]);
			rest /= walk->nr_pulses;
			page[nr].sched_age_ms = cpu_to_le32(ages_ms[rest % walk->nr_ages]);
			rest /= walk->nr_ages;
		}
		run_ns = runs_ns[rest];
		watch_slots(&guest, walk);
		found = see(&guest, walk, run_ns);

		/* What grows is on the heap. */
		if (before->nr_slots == walk->nr_slots)
			layers.slots = memcpy(watched, before->slots, size);
		else
			layers.slots = kmemdup(before->slots, size, GFP_KERNEL);
		demand(kvmhb_layers_look(&layers, &pulse, walk->nr_vcpus, TIMEOUT,
					 run_ns) == found.moved, "look %u, %u", depth, n);
		/* L1, L2, L3 */
		demand(layers.partial == found.partial, "look %u, %u", depth, n);
		demand(layers.softlockup == found.locked, "look %u, %u", depth, n);
		demand(layers.stale_in_ns == found.stale_in_ns, "look %u, %u", depth, n);
		for (nr = 0; nr < walk->nr_slots; nr++)
			demand(guest.slots[nr].watched == (nr < layers.nr_slots),
			       "look %u, %u", depth, n);
		cases += 1 + walk_looks(&layers, &guest, walk, depth + 1);
		if (layers.slots != watched)
			kvfree(layers.slots);
	}
	return cases;
}

/* One CPU, in all ways; two, in fewer, beside any number of vCPUs. */
static unsigned long prove_slots(void)
{
	struct kvmhb_slot_watch none = {};
	const struct kvmhb_layers layers = { .slots = &none };
	const struct guest guest = {};
	struct walk walk = { 3, 4, 5, 1, 0, 4 };
	unsigned long cases;

	pulse.nr_slots = walk.nr_slots;
	cases = walk_looks(&layers, &guest, &walk, 0);
	for (walk = (struct walk) { 2, 2, 2, 2, 0, 3 }; walk.nr_vcpus <= 3; walk.nr_vcpus++) {
		pulse.nr_slots = walk.nr_slots;
		cases += walk_looks(&layers, &guest, &walk, 0);
	}
	return cases;
}

/* A CPU that comes online after so many looks. Returns how many more it takes to be watched. */
static unsigned int looks_until_watched(unsigned int nr_vcpus, unsigned int slot,
					unsigned int before)
{
	struct kvmhb_layers layers = {};
	unsigned int looks;

	memset(page, 0, pulse.nr_slots * sizeof(*page));
	for (looks = 0; looks < before; looks++)
		kvmhb_layers_look(&layers, &pulse, nr_vcpus, TIMEOUT, 0);
	page[slot].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	for (looks = 0; layers.nr_slots <= slot && looks <= LOOKS_FOR_ALL; looks++)
		kvmhb_layers_look(&layers, &pulse, nr_vcpus, TIMEOUT, 0);
	kvmhb_layers_uninit(&layers);
	return looks;
}

/* L5 */
static unsigned long prove_turns(unsigned int nr_slots)
{
	const unsigned int nr_vcpus[] = { 0, 1, nr_slots / 2, nr_slots, U32_MAX };
	unsigned int vcpus, slot, before;
	unsigned long cases = 0;

	pulse.nr_slots = nr_slots;
	for (vcpus = 0; vcpus < ARRAY_SIZE(nr_vcpus); vcpus++) {
		for (slot = 0; slot < nr_slots; slot++) {
			bool at_once = !nr_vcpus[vcpus] || slot < nr_vcpus[vcpus];

			for (before = 0; before <= LOOKS_FOR_ALL; before++, cases++)
				demand(looks_until_watched(nr_vcpus[vcpus], slot, before) <=
				       (at_once ? 1 : LOOKS_FOR_ALL),
				       "slot %u of %u, %u vCPUs, after %u looks", slot,
				       nr_slots, nr_vcpus[vcpus], before);
		}
	}
	return cases;
}

/* L4: what the header says. */
static unsigned long prove_header(void)
{
	static const u32 values[] = { 0, 1, 59999, 60000, U32_MAX - 1, U32_MAX };
	static const u32 seqs[] = { 1, 2, 0x7fffff, 0xffffff };
	static const u32 whats[] = { 0, 1, 2, 3, 4, 5, 255 };
	const unsigned int nr = ARRAY_SIZE(values);
	unsigned int n, asked, said, what;
	struct kvmhb_layers layers = {};
	unsigned long cases = 0;

	/* What is the host's to write is the guest's, too. */
	memset(header, 0xff, sizeof(*header));
	pulse.nr_slots = 1;
	for (n = 0; n < nr * nr * nr * nr; n++, cases++) {
		u32 user_timeout = values[n % nr], user_age = values[n / nr % nr];
		u32 blocked_timeout = values[n / nr / nr % nr];
		u32 blocked_age = values[n / nr / nr / nr];

		header->user_timeout_ms = cpu_to_le32(user_timeout);
		header->user_age_ms = cpu_to_le32(user_age);
		header->blocked_timeout_ms = cpu_to_le32(blocked_timeout);
		header->blocked_age_ms = cpu_to_le32(blocked_age);
		kvmhb_layers_look(&layers, &pulse, 0, TIMEOUT, 0);
		demand(layers.userspace == (user_timeout > 0 && user_age >= user_timeout), "%u", n);
		demand(layers.blocked == (blocked_timeout > 0 && blocked_age >= blocked_timeout),
		       "%u", n);
	}
	kvmhb_layers_uninit(&layers);
	for (asked = 0; asked < ARRAY_SIZE(seqs); asked++) {
		for (said = 0; said < ARRAY_SIZE(seqs); said++) {
			for (what = 0; what < ARRAY_SIZE(whats); what++, cases++) {
				bool counts = asked == said && whats[what] <= 4;

				header->request_ack = cpu_to_le32(seqs[said] << 8 | whats[what]);
				demand(kvmhb_pulse_answer(&pulse, seqs[asked]) ==
				       (counts ? whats[what] : KVM_HEARTBEAT_ANSWER_NONE),
				       "%u %u %u", asked, said, what);
			}
		}
	}
	return cases;
}

unsigned long prove_layers(void)
{
	static const unsigned int sizes[] = { 1, 2, 31, 32, 33, 62, 64, 65, KVMHB_PULSE_MAX_SLOTS };
	unsigned long cases;
	unsigned int i;

	header = calloc(1, sizeof(*header) + KVMHB_PULSE_MAX_SLOTS * sizeof(*page));
	page = (struct kvm_heartbeat_slot *)(header + 1);
	pulse.header = header;
	cases = prove_header() + prove_slots();
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		cases += prove_turns(sizes[i]);
	free(header);
	return cases;
}
