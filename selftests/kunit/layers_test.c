// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include <linux/slab.h>

/* A host without memory, if a test says so. */
static bool no_memory;

static void *alloc_array(size_t n, size_t size, gfp_t gfp)
{
	return no_memory ? NULL : kvcalloc(n, size, gfp);
}

#undef kvcalloc
#define kvcalloc alloc_array

#include "layers.c"

#define TIMEOUT		(4 * SEC)
#define TIMEOUT_MS	4000

/* A guest of which nothing has been seen yet, and what moves of it. */
struct layers_test {
	struct kvmhb_pulse pulse;
	struct kvmhb_layers layers;
	struct kvm_heartbeat_slot *slots;
	struct kvmhb_saved saved;
	struct kvmhb_saved_slot moves[8];
};

static void layers_test_exit(void *data)
{
	struct layers_test *l = data;

	kvmhb_layers_uninit(&l->layers);
	kvmhb_pulse_uninit(&l->pulse);
}

/* So many CPUs are online. */
static struct layers_test *layers_test_init(struct kunit *test, unsigned int nr_online)
{
	struct layers_test *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, l);
	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&l->pulse, 1), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, layers_test_exit, l), 0);
	l->slots = slots_of(&l->pulse);
	l->saved.slots = l->moves;
	while (nr_online--)
		l->slots[nr_online].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	return l;
}

/* A look, so much time after the last. */
static bool look_after(struct layers_test *l, u64 run_ns)
{
	return kvmhb_layers_look(&l->layers, &l->pulse, 0, TIMEOUT, run_ns);
}

static void move_slot(struct layers_test *l, unsigned int nr)
{
	le64_add_cpu(&l->slots[nr].pulses, 1);
}

static void move_slots(struct layers_test *l, unsigned int nr)
{
	while (nr--)
		move_slot(l, nr);
}

static void age_scheduler(struct layers_test *l, unsigned int nr)
{
	l->slots[nr].sched_age_ms = cpu_to_le32(U32_MAX);
}

static void layers_grow_an_array(struct kunit *test)
{
	unsigned int nr = 0;
	u64 *array = kvmhb_grow(NULL, &nr, 2, sizeof(*array));

	KUNIT_ASSERT_NOT_NULL(test, array);
	KUNIT_ASSERT_EQ(test, nr, 2);
	array[0] = 7;
	array[1] = 8;
	/* It is long enough. */
	KUNIT_EXPECT_PTR_EQ(test, kvmhb_grow(array, &nr, 1, sizeof(*array)), array);
	KUNIT_EXPECT_PTR_EQ(test, kvmhb_grow(array, &nr, 2, sizeof(*array)), array);
	no_memory = true;
	KUNIT_EXPECT_PTR_EQ(test, kvmhb_grow(array, &nr, 3, sizeof(*array)), array);
	no_memory = false;
	KUNIT_EXPECT_EQ(test, nr, 2);

	array = kvmhb_grow(array, &nr, 3, sizeof(*array));
	KUNIT_ASSERT_EQ(test, nr, 3);
	KUNIT_EXPECT_EQ(test, array[0], 7);
	KUNIT_EXPECT_EQ(test, array[1], 8);
	KUNIT_EXPECT_EQ(test, array[2], 0);
	kvfree(array);
}

/* One CPU, look by look: as long as it stands still it comes nearer to being stale. */
static void layers_of_a_slot(struct kunit *test)
{
	static const struct {
		const char *what;
		bool online;
		u64 pulses, run_ns;
		bool moved, stale;
		u64 stale_in_ns;
	} rows[] = {
		{ "offline", false, 0, HOUR, false, false, U64_MAX },
		{ "comes", true, 5, HOUR, true, false, TIMEOUT },
		{ "stands", true, 5, SEC, false, false, TIMEOUT - SEC },
		{ "moves", true, 6, SEC, true, false, TIMEOUT },
		{ "stands, not yet for a timeout", true, 6, TIMEOUT - 1, false, false, 1 },
		{ "stands for a timeout", true, 6, 1, false, true, U64_MAX },
		{ "stands for longer", true, 6, HOUR, false, true, U64_MAX },
		{ "goes", false, 6, HOUR, false, false, U64_MAX },
		{ "moves while it is offline", false, 7, HOUR, false, false, U64_MAX },
		{ "is back", true, 7, HOUR, false, false, TIMEOUT },
		{ "is back, and stands", true, 7, TIMEOUT, false, true, U64_MAX },
		{ "goes back, which is a move too", true, 3, HOUR, true, false, TIMEOUT },
	};
	struct layers_test *l = layers_test_init(test, 1);
	int i;

	look_after(l, 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		l->slots[0].flags = cpu_to_le32(rows[i].online ? KVM_HEARTBEAT_SLOT_ONLINE : 0);
		l->slots[0].pulses = cpu_to_le64(rows[i].pulses);
		KUNIT_EXPECT_EQ_MSG(test, look_after(l, rows[i].run_ns), rows[i].moved, "%s",
				    rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, l->layers.partial, rows[i].stale, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_layers_is_stale(&l->layers, 0), rows[i].stale,
				    "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, l->layers.stale_in_ns, rows[i].stale_in_ns, "%s",
				    rows[i].what);
	}
}

/* One scheduler, look by look. Its age counts, and the time that it had. */
static void layers_of_a_scheduler(struct kunit *test)
{
	static const struct {
		const char *what;
		bool online;
		u32 age_ms;
		u64 run_ns, timeout_ns;
		bool stale;
	} rows[] = {
		{ "schedules", true, 0, HOUR, TIMEOUT, false },
		{ "is older than the time it had", true, U32_MAX, TIMEOUT - 1, TIMEOUT, false },
		{ "had that time", true, U32_MAX, 1, TIMEOUT, true },
		{ "is younger than the time it had", true, TIMEOUT_MS - 1, SEC, TIMEOUT, false },
		{ "is as old", true, TIMEOUT_MS, 0, TIMEOUT, true },
		{ "schedules again", true, 0, HOUR, TIMEOUT, false },
		{ "has all of its time again", true, U32_MAX, TIMEOUT - 1, TIMEOUT, false },
		{ "goes", false, U32_MAX, HOUR, TIMEOUT, false },
		{ "is back", true, U32_MAX, TIMEOUT - 1, TIMEOUT, false },
		{ "is back, and had its time", true, U32_MAX, 1, TIMEOUT, true },
		{ "is young", true, 1999, HOUR, MS, false },
		{ "is old enough to be told", true, 2000, 0, MS, true },
		{ "schedules in time", true, 0, 0, MS, false },
		{ "had too little to be told", true, U32_MAX, 2 * SEC - 1, MS, false },
		{ "had enough for that", true, U32_MAX, 1, MS, true },
	};
	struct layers_test *l = layers_test_init(test, 1);
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		l->slots[0].flags = cpu_to_le32(rows[i].online ? KVM_HEARTBEAT_SLOT_ONLINE : 0);
		l->slots[0].sched_age_ms = cpu_to_le32(rows[i].age_ms);
		move_slot(l, 0);
		kvmhb_layers_look(&l->layers, &l->pulse, 0, rows[i].timeout_ns, rows[i].run_ns);
		KUNIT_EXPECT_FALSE_MSG(test, l->layers.partial, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, l->layers.softlockup, rows[i].stale, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_layers_is_stale(&l->layers, 0), rows[i].stale,
				    "%s", rows[i].what);
	}
}

/* CPU 0 waits for CPU 1, which stands still and comes back: then CPU 0 has a timeout for itself. */
static void layers_of_who_waits(struct kunit *test)
{
	struct layers_test *l = layers_test_init(test, 2);

	look_after(l, 0);
	age_scheduler(l, 0);
	move_slot(l, 0);
	look_after(l, TIMEOUT);
	KUNIT_EXPECT_TRUE(test, l->layers.partial);
	KUNIT_EXPECT_TRUE(test, l->layers.softlockup);
	/* The lower layer names the CPUs. */
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&l->layers, 0));
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&l->layers, 1));

	move_slots(l, 2);
	look_after(l, SEC);
	KUNIT_EXPECT_FALSE(test, l->layers.partial);
	KUNIT_EXPECT_FALSE(test, l->layers.softlockup);
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&l->layers, 0));
	move_slots(l, 2);
	look_after(l, TIMEOUT - 1);
	KUNIT_EXPECT_FALSE(test, l->layers.softlockup);
	move_slots(l, 2);
	look_after(l, 1);
	KUNIT_EXPECT_TRUE(test, l->layers.softlockup);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&l->layers, 0));
}

/* The next CPU to be stale is the one that has stood still for longest, wherever it is. */
static void layers_of_the_next(struct kunit *test)
{
	struct layers_test *l = layers_test_init(test, 3);
	unsigned int nr;

	for (nr = 0; nr < 3; nr++) {
		look_after(l, 0);
		KUNIT_EXPECT_EQ(test, l->layers.stale_in_ns, TIMEOUT);
		move_slot(l, (nr + 1) % 3);
		move_slot(l, (nr + 2) % 3);
		look_after(l, SEC);
		KUNIT_EXPECT_EQ(test, l->layers.stale_in_ns, TIMEOUT - SEC);
		look_after(l, TIMEOUT - SEC);
		KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&l->layers, nr));
		KUNIT_EXPECT_EQ(test, l->layers.stale_in_ns, SEC);
		kvmhb_layers_forgive(&l->layers);
	}
}

/* CPUs that are found, at the first look and, whatever their numbers are, in 32 looks. */
static void layers_find_cpus(struct kunit *test)
{
	static const struct {
		const char *what;
		unsigned int nr_slots, nr_vcpus, cpus[2];	/* of the last two slots: none */
		unsigned int first, found;
	} rows[] = {
		{ "none", 62, 0, { 62, 62 }, 0, 0 },
		{ "none of four", 62, 4, { 62, 62 }, 0, 0 },
		{ "two of four", 62, 4, { 0, 1 }, 2, 2 },
		{ "the last of four", 62, 4, { 3, 62 }, 4, 4 },
		{ "whoever there is", 62, 0, { 0, 61 }, 62, 62 },
		{ "more than there are slots", 62, 100, { 0, 61 }, 62, 62 },
		{ "one number too high", 62, 2, { 1, 2 }, 2, 3 },
		{ "the highest number", 62, 2, { 1, 61 }, 62, 62 },
		{ "one of many that comes last", 1022, 2, { 1, 2 }, 2, 3 },
	};
	struct kvmhb_layers layers = {};
	struct kvmhb_pulse pulse;
	int i, look;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, rows[i].nr_slots), 0);
		KUNIT_EXPECT_EQ(test, pulse.nr_slots, rows[i].nr_slots);
		for (look = 0; look < 2; look++)
			if (rows[i].cpus[look] < pulse.nr_slots)
				slots_of(&pulse)[rows[i].cpus[look]].flags =
					cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
		kvmhb_layers_look(&layers, &pulse, rows[i].nr_vcpus, TIMEOUT, 0);
		KUNIT_EXPECT_EQ_MSG(test, layers.nr_slots, rows[i].first, "%s", rows[i].what);
		for (look = 1; look < 32; look++)
			kvmhb_layers_look(&layers, &pulse, rows[i].nr_vcpus, TIMEOUT, 0);
		KUNIT_EXPECT_EQ_MSG(test, layers.nr_slots, rows[i].found, "%s", rows[i].what);

		/* Who was seen once is not forgotten while it is offline. */
		memset(slots_of(&pulse), 0, sizeof(*slots_of(&pulse)) * pulse.nr_slots);
		kvmhb_layers_look(&layers, &pulse, rows[i].nr_vcpus, TIMEOUT, 0);
		KUNIT_EXPECT_EQ_MSG(test, layers.nr_slots, rows[i].found, "%s", rows[i].what);
		kvmhb_layers_uninit(&layers);
		KUNIT_EXPECT_EQ_MSG(test, layers.nr_slots, 0, "%s", rows[i].what);
		kvmhb_pulse_uninit(&pulse);
	}
}

/* Without memory for a CPU that comes, the others are watched. */
static void layers_without_memory(struct kunit *test)
{
	struct layers_test *l = layers_test_init(test, 1);

	look_after(l, 0);
	l->slots[5].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	no_memory = true;
	look_after(l, TIMEOUT);
	no_memory = false;
	KUNIT_EXPECT_EQ(test, l->layers.nr_slots, 1);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&l->layers, 0));
	look_after(l, TIMEOUT);
	KUNIT_EXPECT_EQ(test, l->layers.nr_slots, 6);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&l->layers, 0));
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&l->layers, 5));
}

/* Which CPUs are stale is remembered. Any other that is, or that is not any more, is a change. */
static void layers_change(struct kunit *test)
{
	static const struct {
		const char *what;
		unsigned int stale;	/* a bit a CPU */
		bool changed;
	} rows[] = {
		{ "none", 0, false },
		{ "the first", 1, true },
		{ "still the first", 1, false },
		{ "the last in place of the first", 4, true },
		{ "two more", 7, true },
		{ "all but the last", 3, true },
		{ "all but the first", 6, true },
		{ "still all but the first", 6, false },
		{ "none any more", 0, true },
		{ "still none", 0, false },
	};
	struct layers_test *l = layers_test_init(test, 3);
	unsigned int nr;
	int i;

	look_after(l, 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (nr = 0; nr < 3; nr++)
			if (!(rows[i].stale & (1 << nr)))
				move_slot(l, nr);
		look_after(l, TIMEOUT);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_layers_changed(&l->layers), rows[i].changed, "%s",
				    rows[i].what);
		kvmhb_layers_keep(&l->layers);
		KUNIT_EXPECT_FALSE_MSG(test, kvmhb_layers_changed(&l->layers), "%s", rows[i].what);
	}
}

/* What is above the CPUs is what the guest says of it. */
static void layers_above(struct kunit *test)
{
	struct layers_test *l = layers_test_init(test, 1);

	look_after(l, 0);
	KUNIT_EXPECT_FALSE(test, l->layers.blocked);
	KUNIT_EXPECT_FALSE(test, l->layers.userspace);
	l->pulse.header->blocked_timeout_ms = cpu_to_le32(1000);
	l->pulse.header->blocked_age_ms = cpu_to_le32(1000);
	look_after(l, 0);
	KUNIT_EXPECT_TRUE(test, l->layers.blocked);
	KUNIT_EXPECT_FALSE(test, l->layers.userspace);
	l->pulse.header->blocked_age_ms = 0;
	l->pulse.header->user_timeout_ms = cpu_to_le32(1000);
	l->pulse.header->user_age_ms = cpu_to_le32(1000);
	look_after(l, 0);
	KUNIT_EXPECT_FALSE(test, l->layers.blocked);
	KUNIT_EXPECT_TRUE(test, l->layers.userspace);
}

/* CPU 0 has had half of its time, CPU 1 stands still, and CPU 2 pulses but does not schedule. */
static struct layers_test *stale_guest(struct kunit *test)
{
	struct layers_test *l = layers_test_init(test, 3);

	look_after(l, 0);
	age_scheduler(l, 1);
	age_scheduler(l, 2);
	move_slot(l, 0);
	move_slot(l, 2);
	look_after(l, TIMEOUT);
	age_scheduler(l, 0);
	look_after(l, TIMEOUT / 2);
	KUNIT_EXPECT_TRUE(test, l->layers.partial);
	KUNIT_EXPECT_TRUE(test, l->layers.softlockup);
	return l;
}

/* Nobody is stale, and each has all of its time, whatever it was before. */
static void expect_forgiven(struct kunit *test, struct layers_test *l)
{
	unsigned int nr;

	KUNIT_EXPECT_FALSE(test, l->layers.partial);
	KUNIT_EXPECT_FALSE(test, l->layers.softlockup);
	/* Nor is it where the guest goes. */
	KUNIT_ASSERT_EQ(test, kvmhb_layers_save(&l->layers, l->moves), 3);
	for (nr = 0; nr < 3; nr++)
		KUNIT_EXPECT_EQ(test, l->moves[nr].flags, KVMHB_SAVED_SLOT_ONLINE);

	look_after(l, TIMEOUT - 1);
	KUNIT_EXPECT_FALSE(test, l->layers.partial);
	KUNIT_EXPECT_FALSE(test, l->layers.softlockup);
	KUNIT_EXPECT_EQ(test, l->layers.stale_in_ns, 1);
	look_after(l, 1);
	KUNIT_ASSERT_EQ(test, kvmhb_layers_save(&l->layers, l->moves), 3);
	for (nr = 0; nr < 3; nr++)
		KUNIT_EXPECT_EQ(test, l->moves[nr].flags, KVMHB_SAVED_SLOT_FLAGS);
}

static void layers_forgive(struct kunit *test)
{
	struct layers_test *l = stale_guest(test);

	kvmhb_layers_forgive(&l->layers);
	expect_forgiven(test, l);
}

/* A new incarnation is not judged by what the old one left. */
static void layers_restart(struct kunit *test)
{
	struct layers_test *l = stale_guest(test);

	kvmhb_layers_restart(&l->layers, &l->pulse);
	expect_forgiven(test, l);

	/* Nor is a scheduler, while no slot stood still. */
	move_slots(l, 3);
	look_after(l, TIMEOUT);
	KUNIT_EXPECT_FALSE(test, l->layers.partial);
	KUNIT_EXPECT_FALSE(test, l->layers.softlockup);
	move_slots(l, 3);
	look_after(l, TIMEOUT);
	KUNIT_EXPECT_FALSE(test, l->layers.partial);
	KUNIT_EXPECT_TRUE(test, l->layers.softlockup);
	kvmhb_layers_restart(&l->layers, &l->pulse);
	expect_forgiven(test, l);
}

/* Who was stale before a pause is so after it. All others have all of their time. */
static void layers_resume(struct kunit *test)
{
	struct layers_test *l = stale_guest(test);

	kvmhb_layers_resume(&l->layers);
	look_after(l, TIMEOUT - 1);
	KUNIT_EXPECT_FALSE(test, l->layers.slots[0].still);
	KUNIT_EXPECT_TRUE(test, l->layers.slots[1].still);
	KUNIT_EXPECT_FALSE(test, l->layers.slots[2].still);
	KUNIT_EXPECT_FALSE(test, l->layers.slots[0].locked);
	KUNIT_EXPECT_TRUE(test, l->layers.slots[1].locked);
	KUNIT_EXPECT_TRUE(test, l->layers.slots[2].locked);
	KUNIT_EXPECT_EQ(test, l->layers.stale_in_ns, 1);
	look_after(l, 1);
	KUNIT_EXPECT_TRUE(test, l->layers.slots[0].still);
	KUNIT_EXPECT_TRUE(test, l->layers.slots[2].still);
	KUNIT_EXPECT_TRUE(test, l->layers.slots[0].locked);
}

/* What is seen of each CPU arrives where the guest goes. */
static void layers_move(struct kunit *test)
{
	struct layers_test *from = stale_guest(test);
	struct layers_test *to = layers_test_init(test, 3);
	unsigned int nr;

	/* Also of one that has gone, and of which the page says nothing. */
	from->slots[2].flags = 0;
	look_after(from, SEC);
	from->saved.nr_seen = kvmhb_layers_save(&from->layers, from->moves);
	KUNIT_ASSERT_EQ(test, from->saved.nr_seen, 3);
	memcpy(to->pulse.header, from->pulse.header, to->pulse.size);
	to->pulse.header->user_timeout_ms = cpu_to_le32(1);
	to->pulse.header->user_age_ms = cpu_to_le32(1);
	kvmhb_layers_load(&to->layers, &to->pulse, &from->saved);
	KUNIT_EXPECT_TRUE(test, to->layers.partial);
	KUNIT_EXPECT_TRUE(test, to->layers.softlockup);
	KUNIT_EXPECT_TRUE(test, to->layers.userspace);
	KUNIT_EXPECT_FALSE(test, to->layers.blocked);
	/* That was said there. */
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_changed(&to->layers));
	KUNIT_ASSERT_EQ(test, kvmhb_layers_save(&to->layers, to->moves), 3);
	for (nr = 0; nr < 3; nr++)
		KUNIT_EXPECT_EQ_MSG(test, memcmp(&to->moves[nr], &from->moves[nr],
						 sizeof(to->moves[nr])), 0, "CPU %u", nr);

	/* And goes on there. */
	look_after(from, TIMEOUT / 2 - SEC);
	look_after(to, TIMEOUT / 2 - SEC);
	KUNIT_EXPECT_EQ(test, to->layers.stale_in_ns, from->layers.stale_in_ns);
	for (nr = 0; nr < 3; nr++) {
		KUNIT_EXPECT_EQ(test, to->layers.slots[nr].still, from->layers.slots[nr].still);
		KUNIT_EXPECT_EQ(test, to->layers.slots[nr].locked, from->layers.slots[nr].locked);
	}
}

/* Each of what is said of a CPU is for itself. */
static void layers_load_flags(struct kunit *test)
{
	unsigned int flags;

	for (flags = 0; flags <= KVMHB_SAVED_SLOT_FLAGS; flags++) {
		struct layers_test *l = layers_test_init(test, 2);

		l->moves[0].flags = flags;
		l->saved.nr_seen = 1;
		l->pulse.header->blocked_timeout_ms = cpu_to_le32(1);
		l->pulse.header->blocked_age_ms = cpu_to_le32(flags & 1);
		kvmhb_layers_load(&l->layers, &l->pulse, &l->saved);
		KUNIT_EXPECT_EQ_MSG(test, l->layers.partial, !!(flags & KVMHB_SAVED_SLOT_STILL),
				    "%u", flags);
		KUNIT_EXPECT_EQ_MSG(test, l->layers.softlockup,
				    !!(flags & KVMHB_SAVED_SLOT_LOCKED), "%u", flags);
		KUNIT_EXPECT_EQ_MSG(test, l->layers.blocked, flags & 1, "%u", flags);
		KUNIT_EXPECT_FALSE_MSG(test, kvmhb_layers_changed(&l->layers), "%u", flags);
		KUNIT_ASSERT_EQ(test, kvmhb_layers_save(&l->layers, l->moves), 2);
		KUNIT_EXPECT_EQ_MSG(test, l->moves[0].flags, flags, "%u", flags);
		/* A CPU of which nothing was said has just come. */
		KUNIT_EXPECT_EQ_MSG(test, l->moves[1].flags, KVMHB_SAVED_SLOT_ONLINE, "%u", flags);
		KUNIT_EXPECT_EQ_MSG(test, l->moves[1].run_ns, 0, "%u", flags);
	}
}

/* Without memory what is stale is found anew. */
static void layers_load_without_memory(struct kunit *test)
{
	struct layers_test *l = layers_test_init(test, 1);

	look_after(l, 0);
	l->moves[0].flags = KVMHB_SAVED_SLOT_ONLINE;
	l->moves[1].flags = KVMHB_SAVED_SLOT_ONLINE | KVMHB_SAVED_SLOT_STILL;
	l->saved.nr_seen = 2;
	no_memory = true;
	kvmhb_layers_load(&l->layers, &l->pulse, &l->saved);
	no_memory = false;
	KUNIT_EXPECT_EQ(test, l->layers.nr_slots, 1);
	KUNIT_EXPECT_FALSE(test, l->layers.partial);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(layers_grow_an_array),
	KUNIT_CASE(layers_of_a_slot),
	KUNIT_CASE(layers_of_a_scheduler),
	KUNIT_CASE(layers_of_who_waits),
	KUNIT_CASE(layers_of_the_next),
	KUNIT_CASE(layers_find_cpus),
	KUNIT_CASE(layers_without_memory),
	KUNIT_CASE(layers_change),
	KUNIT_CASE(layers_above),
	KUNIT_CASE(layers_forgive),
	KUNIT_CASE(layers_restart),
	KUNIT_CASE(layers_resume),
	KUNIT_CASE(layers_move),
	KUNIT_CASE(layers_load_flags),
	KUNIT_CASE(layers_load_without_memory),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_layers",
	.test_cases = cases,
};

kunit_test_suite(suite);
