// SPDX-License-Identifier: GPL-2.0
#define KVMHB_TEST_CLOCK
#include "test.h"

#include <linux/cpumask.h>
#include <linux/kvm_host.h>
#include <linux/suspend.h>

#include "shown.h"

/* Whoever looks sees what is shown, if anything is. */
struct shown *shown;

static u64 clock_shown(void)
{
	return shown ? shown->now_ns : ktime_get_ns();
}

static unsigned int nr_vcpus_shown(struct kvm *kvm)
{
	return shown && kvm ? shown->nr_vcpus : kvmhb_evidence_nr_vcpus(kvm);
}

static bool dead_shown(struct kvm *kvm)
{
	return shown ? shown->dead : kvmhb_evidence_dead(kvm);
}

static bool vcpu_shown(struct kvm *kvm, unsigned int nr, const struct kvmhb_vcpu *then,
		       struct kvmhb_vcpu *evidence)
{
	if (!shown)
		return kvmhb_evidence_vcpu(kvm, nr, then, evidence);
	if (shown->unknown & (1 << nr))
		return false;
	*evidence = shown->vcpus[nr];
	return true;
}

static u64 steal_shown(void)
{
	return shown ? shown->steal_ns : kvmhb_evidence_steal_ns();
}

static unsigned int nr_cpus_shown(void)
{
	return shown ? shown->nr_cpus : num_online_cpus();
}

static void host_shown(struct kvmhb_host *host)
{
	if (shown)
		*host = shown->host;
	else
		kvmhb_host_look(host);
}

static void late_shown(u64 late_ns)
{
	if (shown)
		shown->late_ns = late_ns;
	else
		kvmhb_host_late(late_ns);
}

static u64 resolution_shown(void)
{
	return shown ? shown->resolution_ns : kvmhb_host_resolution_ns();
}

static void ask_shown(void)
{
	if (shown)
		shown->asked++;
	else
		kvmhb_host_ask();
}

static bool answered_shown(u64 since_ns)
{
	return shown ? shown->answered_at_ns >= since_ns : kvmhb_host_answered(since_ns);
}

#undef ktime_get_ns
#undef num_online_cpus
#define ktime_get_ns clock_shown
#define num_online_cpus nr_cpus_shown
#define kvmhb_evidence_nr_vcpus nr_vcpus_shown
#define kvmhb_evidence_dead dead_shown
#define kvmhb_evidence_vcpu vcpu_shown
#define kvmhb_evidence_steal_ns steal_shown
#define kvmhb_host_look host_shown
#define kvmhb_host_late late_shown
#define kvmhb_host_resolution_ns resolution_shown
#define kvmhb_host_ask ask_shown
#define kvmhb_host_answered answered_shown

#include "watch.c"

/* A watch over a guest whose VMM runs without KVM: what is seen of it is its pulse page. */
struct watch_test {
	struct kvmhb_timing timing;
	struct kvmhb_pulse pulse;
	struct kvmhb_watch watch;
	struct kvmhb_case seen;
	struct kvm_heartbeat_slot *slots;
};

static void watch_test_exit(void *data)
{
	struct watch_test *w = data;

	kvmhb_watch_uninit(&w->watch);
	kvmhb_pulse_uninit(&w->pulse);
}

/* Four CPUs, of which the last is offline. Hours, so that nobody's delay counts. */
static struct watch_test *watch_test_init(struct kunit *test)
{
	struct watch_test *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->timing = (struct kvmhb_timing) { HOUR, 4 * HOUR };
	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&w->pulse, 4), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, watch_test_exit, w), 0);
	w->slots = slots_of(&w->pulse);
	for (i = 0; i < 3; i++)
		w->slots[i].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	kvmhb_watch_restart(&w->watch, NULL, &w->pulse);
	return w;
}

static void move_slot(struct watch_test *w, unsigned int nr)
{
	le64_add_cpu(&w->slots[nr].pulses, 1);
}

/* A look, so much time after the last. */
static void look_after(struct watch_test *w, u64 ns, u64 last_beat_at_ns)
{
	const struct kvmhb_look look = {
		.pulse = &w->pulse,
		.timing = w->timing,
		.last_beat_at_ns = last_beat_at_ns,
	};

	w->watch.seen_at_ns -= ns;
	kvmhb_watch_look(&w->watch, &look, &w->seen);
}

static unsigned int stale_cpus(struct watch_test *w)
{
	DECLARE_BITMAP(cpus, KVMHB_PULSE_MAX_SLOTS);

	kvmhb_watch_stale(&w->watch, cpus);
	return bitmap_weight(cpus, KVMHB_PULSE_MAX_SLOTS);
}

static void watch_slots(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	int hour;

	look_after(w, 0, 0);
	for (hour = 1; hour < 4; hour++) {
		move_slot(w, 0);
		look_after(w, HOUR, 0);
		KUNIT_EXPECT_FALSE(test, watch->layers.partial);
		KUNIT_EXPECT_LE(test, watch->layers.stale_in_ns, (4 - hour) * HOUR);
		KUNIT_EXPECT_GT(test, watch->layers.stale_in_ns, (3 - hour) * HOUR);
	}

	move_slot(w, 0);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 2);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&w->watch.layers, 1));
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&w->watch.layers, 2));
	/* Who is stale is so already: the next is the one that moved. */
	KUNIT_EXPECT_EQ(test, watch->layers.stale_in_ns, 4 * HOUR);

	/* One moves, the other goes; one that comes has all of its time. */
	move_slot(w, 1);
	w->slots[2].flags = 0;
	w->slots[3].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	look_after(w, 2 * HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);

	/* A CPU of the host that was dead answers: what it owed to slots is about to come. */
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	host_cpu_is_deaf(1, ktime_get_ns() - HOUR);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->deaf);
	KUNIT_EXPECT_TRUE(test, host_cpu_answers(1));
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);

	/* A new incarnation is not judged by what the old one left. */
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 3);
	kvmhb_watch_restart(watch, NULL, &w->pulse);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_FALSE(test, watch->pulsing);
}

/* A VM with two vCPUs that have not run yet, and a CPU plugged in with a gap in the numbers. */
static void watch_gap_in_the_numbers(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	struct kvm *kvm = kunit_kzalloc(test, sizeof(*kvm), GFP_KERNEL);
	const struct kvmhb_look look = { .kvm = kvm, .pulse = &w->pulse, .timing = w->timing };
	int looks;

	KUNIT_ASSERT_NOT_NULL(test, kvm);
	xa_init(&kvm->vcpu_array);
	atomic_set(&kvm->online_vcpus, 2);
	kvmhb_watch_uninit(watch);

	/* When the guest arms, all are looked at; after that each has its turn. */
	w->slots[2].flags = 0;
	w->slots[7].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	kvmhb_watch_restart(watch, kvm, &w->pulse);
	KUNIT_EXPECT_EQ(test, watch->layers.nr_slots, 8);
	w->slots[w->pulse.nr_slots - 1].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	for (looks = 0; looks < 32; looks++) {
		watch->seen_at_ns = ktime_get_ns();
		kvmhb_watch_look(watch, &look, &w->seen);
	}
	KUNIT_EXPECT_EQ(test, watch->layers.nr_slots, w->pulse.nr_slots);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);

	/* Neither they nor any other moves. */
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 4);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&watch->layers, 7));
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&watch->layers, w->pulse.nr_slots - 1));
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&watch->layers, 2));
}

/* What moves when a beat is due and does not come is a sign of life, for a while. */
static void watch_pulsing(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);

	look_after(w, 0, 0);
	move_slot(w, 0);
	look_after(w, HOUR, 0);
	look_after(w, 12 * HOUR, 0);
	KUNIT_EXPECT_FALSE(test, w->watch.pulsing);

	move_slot(w, 0);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, w->watch.pulsing);
	look_after(w, 12 * HOUR, 0);
	KUNIT_EXPECT_FALSE(test, w->watch.pulsing);
}

/* When a guest comes back, the CPU that rings is the first to. */
static void watch_comes_back(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);

	look_after(w, 0, 0);
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, w->watch.layers.partial);
	move_slot(w, 0);
	look_after(w, 2 * HOUR, 1);
	KUNIT_EXPECT_FALSE(test, w->watch.layers.partial);
	move_slot(w, 0);
	look_after(w, 4 * HOUR, 2);
	KUNIT_EXPECT_TRUE(test, w->watch.layers.partial);
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&w->watch.layers, 0));
}

/* A beat that came while the guest was looked at, and is known at the next look. */
static void watch_beat_at_a_look(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	u64 beat_ns;

	look_after(w, HOUR, 0);
	beat_ns = w->watch.seen_at_ns - 1;
	look_after(w, 0, beat_ns);
	KUNIT_EXPECT_LE(test, w->watch.run_ns, w->watch.seen_at_ns - beat_ns);
}

/* A look, so much time after the last, at a guest whose CPUs all pulse. */
static void look_at_living(struct watch_test *w, u64 ns)
{
	unsigned int nr;

	for (nr = 0; nr < w->pulse.nr_slots; nr++)
		move_slot(w, nr);
	look_after(w, ns, 0);
}

static void watch_layers(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;

	/* An age counts if it is a timeout, and the CPU had that. */
	w->slots[2].sched_age_ms = cpu_to_le32(4 * 3600 * 1000 - 1);
	w->slots[3].sched_age_ms = cpu_to_le32(U32_MAX);
	look_at_living(w, 5 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);
	w->slots[2].sched_age_ms = cpu_to_le32(4 * 3600 * 1000);
	look_at_living(w, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 1);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&w->watch.layers, 2));
	KUNIT_EXPECT_FALSE(test, watch->layers.userspace);
	KUNIT_EXPECT_FALSE(test, watch->layers.blocked);
	KUNIT_EXPECT_FALSE(test, w->seen.blocked);
	w->slots[2].sched_age_ms = 0;
	look_at_living(w, 5 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	w->slots[2].sched_age_ms = cpu_to_le32(U32_MAX);
	look_at_living(w, 3 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	look_at_living(w, HOUR);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);

	/* Below two seconds it says nothing, however short the timeout is. */
	w->timing = (struct kvmhb_timing) { 10 * MS, 20 * MS };
	w->slots[2].sched_age_ms = 0;
	look_at_living(w, 20 * MS);
	w->slots[2].sched_age_ms = cpu_to_le32(1999);
	look_at_living(w, HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	w->slots[2].sched_age_ms = cpu_to_le32(2000);
	look_at_living(w, 20 * MS);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	w->timing = (struct kvmhb_timing) { HOUR, 4 * HOUR };

	/* One CPU waits for another that is dead, and has a moment when that is back. */
	w->slots[2].sched_age_ms = cpu_to_le32(U32_MAX);
	move_slot(w, 0);
	move_slot(w, 2);
	look_after(w, 5 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	look_at_living(w, HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_FALSE(test, watch->layers.softlockup);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 0);
	look_at_living(w, 4 * HOUR);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);

	/* A page full of nonsense: every CPU is there, and each has an old scheduler. */
	memset(w->pulse.header, 0xff, w->pulse.size);
	look_at_living(w, 0);
	look_at_living(w, 4 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->layers.partial);
	KUNIT_EXPECT_TRUE(test, watch->layers.softlockup);
	KUNIT_EXPECT_TRUE(test, watch->layers.userspace);
	KUNIT_EXPECT_TRUE(test, watch->layers.blocked);
	KUNIT_EXPECT_TRUE(test, w->seen.blocked);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 62);

	/* The lower layer names the CPUs. */
	look_after(w, 2 * HOUR, 0);
	move_slot(w, 5);
	look_after(w, 2 * HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->layers.partial);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 61);
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&w->watch.layers, 5));
}

static void watch_run_clock(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	struct kvmhb_look look = { .pulse = &w->pulse };
	u64 run_ns, before_ns, slot_ns;
	bool at_once;

	look_after(w, HOUR, 0);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_GE(test, watch->run_ns, 2 * HOUR);
	KUNIT_EXPECT_LT(test, watch->run_ns, 3 * HOUR);
	KUNIT_EXPECT_FALSE(test, watch->host_late);
	KUNIT_EXPECT_EQ(test, w->seen.run_ns, watch->run_ns);
	KUNIT_EXPECT_EQ(test, w->seen.nr_vcpus, 0);

	/* Asleep for an hour, or for none: nobody knows. */
	run_ns = watch->run_ns;
	host_sleeps_or_wakes(PM_SUSPEND_PREPARE);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_EQ(test, watch->run_ns, run_ns);
	host_sleeps_or_wakes(PM_POST_SUSPEND);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_EQ(test, watch->run_ns, run_ns);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_GE(test, watch->run_ns, run_ns + HOUR);

	/* Time was stolen from the host; how much is not known from one look to the next. */
	watch->steal_ns -= 1000 * HOUR;
	before_ns = watch->seen_at_ns;
	look_after(w, 3 * TICK_NSEC, 0);
	/* Unless this host took a tick more for it. */
	at_once = watch->seen_at_ns - before_ns >= 4 * TICK_NSEC;
	KUNIT_EXPECT_EQ(test, watch->host_late, at_once);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_EQ(test, watch->host_late, !at_once);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->host_late);

	/* All of a silence may have been stolen; a CPU that stands still is found all the same. */
	run_ns = watch->run_ns;
	slot_ns = watch->layers.slots[0].run_ns;
	watch->steal_ns -= 1000 * HOUR;
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->host_late);
	KUNIT_EXPECT_EQ(test, watch->run_ns, run_ns);
	KUNIT_EXPECT_GE(test, watch->layers.slots[0].run_ns, slot_ns + HOUR);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->host_late);

	/* A CPU of the host does not answer, and then it does: what it owed is to come. */
	run_ns = watch->run_ns;
	host_cpu_is_deaf(1, watch->seen_at_ns - HOUR);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_EQ(test, watch->run_ns, run_ns);
	KUNIT_EXPECT_TRUE(test, watch->host_late);
	KUNIT_EXPECT_TRUE(test, watch->deaf);
	KUNIT_EXPECT_EQ(test, watch->host.unheard_cpu, 1);
	KUNIT_EXPECT_TRUE(test, host_cpu_answers(1));
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, watch->host_late);
	KUNIT_EXPECT_EQ(test, watch->run_ns, 0);
	/* How long it has been silent is not forgotten: that may happen time and again. */
	KUNIT_EXPECT_GE(test, watch->denied_ns, run_ns + 2 * HOUR);
	/* The host is to blame for that. */
	KUNIT_EXPECT_GE(test, watch->host_ns, run_ns + 2 * HOUR);
	KUNIT_EXPECT_LE(test, watch->host_ns, watch->denied_ns);

	/* Who was accused before is not taken for innocent now. */
	look_after(w, HOUR, 0);
	run_ns = watch->run_ns;
	host_cpu_is_deaf(1, watch->seen_at_ns - HOUR);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_TRUE(test, watch->deaf);
	KUNIT_EXPECT_TRUE(test, host_cpu_answers(1));
	look.timing = w->timing;
	look.so_far = (struct kvmhb_verdict) { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HALTED };
	kvmhb_watch_look(watch, &look, &w->seen);
	KUNIT_EXPECT_FALSE(test, watch->deaf);
	KUNIT_EXPECT_GE(test, watch->run_ns, run_ns);
	look.so_far = (struct kvmhb_verdict) { };

	/* A beat, since the last look. */
	look_after(w, HOUR, S64_MAX);
	KUNIT_EXPECT_EQ(test, watch->run_ns, 0);

	/* A look that is late by less than what makes a host late: that alone is the host's. */
	watch->seen_at_ns = ktime_get_ns() - HOUR;
	look.timing = w->timing;
	look.last_beat_at_ns = watch->last_beat_at_ns;
	look.due_at_ns = watch->seen_at_ns + 50 * MINUTE;
	/* Without vCPUs nothing else is known of the host's CPUs. */
	look.asked_at_ns = look.due_at_ns;
	kvmhb_watch_look(watch, &look, &w->seen);
	KUNIT_EXPECT_FALSE(test, watch->host_late);
	KUNIT_EXPECT_EQ(test, watch->run_ns, 50 * MINUTE);
}

/* A look five hours after the last, which the host made late. Returns when that was. */
static u64 look_late(struct watch_test *w)
{
	const struct kvmhb_look look = {
		.pulse = &w->pulse,
		.timing = { 1 * MS, 2 * MS },
		.due_at_ns = 1,
		.asked_at_ns = 1,
	};

	w->watch.seen_at_ns -= 5 * HOUR;
	kvmhb_watch_look(&w->watch, &look, &w->seen);
	return w->watch.seen_at_ns;
}

/* What the host's CPUs answered before it was late says nothing of how they are since. */
static void watch_asks_a_late_host_anew(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;

	look_after(w, 3 * HOUR, 0);
	host_was_asked_at(watch->seen_at_ns);
	look_after(w, HOUR, 0);
	KUNIT_EXPECT_FALSE(test, w->seen.host_asked);

	host_was_asked_at(look_late(w) - 1);
	KUNIT_EXPECT_TRUE(test, w->seen.host_late);
	look_after(w, 0, 0);
	KUNIT_EXPECT_FALSE(test, w->seen.host_late);
	KUNIT_EXPECT_TRUE(test, w->seen.host_asked);

	host_was_asked_at(look_late(w));
	look_after(w, 0, 0);
	KUNIT_EXPECT_FALSE(test, w->seen.host_asked);
	host_was_asked_at(U64_MAX);
}

/* A CPU that was stale before a pause is so after it, whenever the vCPUs are seen to run. */
static void watch_stale_over_a_pause(struct kunit *test)
{
	struct watch_test *w = watch_test_init(test);
	struct kvmhb_watch *watch = &w->watch;
	struct kvm *kvm = kunit_kzalloc(test, sizeof(*kvm), GFP_KERNEL);
	struct kvmhb_look look = {
		.kvm = kvm,
		.pulse = &w->pulse,
		.timing = w->timing,
	};

	KUNIT_ASSERT_NOT_NULL(test, kvm);
	xa_init(&kvm->vcpu_array);
	atomic_set(&kvm->online_vcpus, 1);
	kvmhb_watch_restart(watch, kvm, &w->pulse);
	move_slot(w, 0);
	look_after(w, 5 * HOUR, 0);
	move_slot(w, 0);
	look_after(w, HOUR, 0);
	KUNIT_ASSERT_EQ(test, stale_cpus(w), 2);

	look.last_beat_at_ns = ktime_get_ns();
	kvmhb_watch_resume(watch, kvm, false, look.last_beat_at_ns);
	KUNIT_EXPECT_TRUE(test, watch->resuming);
	kvmhb_watch_look(watch, &look, &w->seen);
	KUNIT_EXPECT_EQ(test, stale_cpus(w), 2);
	KUNIT_EXPECT_LE(test, watch->run_ns, 60 * SEC);
	/* The one that moves has all of its time. */
	KUNIT_EXPECT_GT(test, watch->layers.stale_in_ns, 3 * HOUR);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(watch_slots),
	KUNIT_CASE(watch_gap_in_the_numbers),
	KUNIT_CASE(watch_pulsing),
	KUNIT_CASE(watch_comes_back),
	KUNIT_CASE(watch_beat_at_a_look),
	KUNIT_CASE(watch_layers),
	KUNIT_CASE(watch_run_clock),
	KUNIT_CASE(watch_asks_a_late_host_anew),
	KUNIT_CASE(watch_stale_over_a_pause),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_watch",
	.test_cases = cases,
};

kunit_test_suite(suite);
