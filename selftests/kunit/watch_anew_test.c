// SPDX-License-Identifier: GPL-2.0
/* When a watch begins anew, in part or as a whole: what held the guest up is over, or it moved. */
#include "watched.h"

#include <linux/bitmap.h>
#include <linux/slab.h>

#include "saved.h"

#define TIMEOUT		(4 * SEC)

/* Where a guest is for a second that ends with a look. */
enum where { LIVES, IS_OUT, IS_HALF_OUT, HALTS_OUT, DEAF, OUT_AND_DEAF };

static void spend(struct watched *w, enum where where)
{
	unsigned int nr;

	w->shown.now_ns += SEC;
	for (nr = 0; nr < 2; nr++) {
		struct kvmhb_vcpu *vcpu = &w->shown.vcpus[nr];
		const struct kvmhb_vcpu before = *vcpu;
		enum place place = RUN;

		if (where == IS_OUT || where == OUT_AND_DEAF || (where == IS_HALF_OUT && !nr))
			place = OUT;
		else if (where == HALTS_OUT)
			place = VMM_HALT;
		*vcpu = vcpu_at(place);
		vcpu->exec_ns = before.exec_ns + (place == RUN ? SEC : 0);
		vcpu->run_delay_ns = before.run_delay_ns;
		vcpu->irqs = before.irqs;
	}
	w->shown.host.asking_ns = where == DEAF || where == OUT_AND_DEAF ? SEC : 0;
	pulse(w, 0);
	look(w);
}

/* Two seconds that are the guest's own, and one in which a vCPU waits. CPU 1 does not pulse. */
static void begin(struct watched *w)
{
	kvmhb_watch_uninit(&w->watch);
	kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
	beat(w);
	spend(w, LIVES);
	w->shown.now_ns += SEC;
	w->shown.vcpus[0].run_delay_ns += SEC;
	spend(w, LIVES);
}

/* What was held up is about to happen, once nothing holds it up any more. */
static void watch_of_who_was_held_up(struct kunit *test)
{
	static const struct {
		const char *what;
		enum where where[4];
		unsigned int run_s, denied_s, waited_s, host_s;
		unsigned int slot_s;	/* how long CPU 1 stood still */
		bool anew;
		enum kvmhb_state so_far;
	} rows[] = {
		{ "lives on", { LIVES, LIVES, LIVES, LIVES }, 6, 1, 1, 0, 6 },
		{ "left for a moment", { LIVES, LIVES, IS_OUT, LIVES }, 5, 2, 1, 0, 5 },
		{ "was out", { LIVES, IS_OUT, IS_OUT, LIVES }, .anew = true },
		{ "was half out", { LIVES, IS_HALF_OUT, IS_HALF_OUT, LIVES }, 4, 3, 1, 0, 4 },
		{ "is out", { LIVES, IS_OUT, IS_OUT, IS_OUT }, 3, 4, 1, 0, 3 },
		{ "halted there", { LIVES, HALTS_OUT, HALTS_OUT, LIVES }, .anew = true },
		{ "host was deaf", { LIVES, DEAF, DEAF, LIVES }, 0, 7, 1, 6, 0, true },
		{ "host is deaf", { LIVES, DEAF, DEAF, DEAF }, 3, 4, 1, 3, 3 },
		{ "out instead", { LIVES, DEAF, DEAF, HALTS_OUT }, 3, 4, 1, 2, 3 },
		{ "deaf instead", { LIVES, IS_OUT, IS_OUT, DEAF }, 3, 4, 1, 1, 3 },
		{ "was both", { DEAF, OUT_AND_DEAF, OUT_AND_DEAF, LIVES }, .anew = true },
		{ "is out still", { DEAF, OUT_AND_DEAF, OUT_AND_DEAF, IS_OUT }, 2, 5, 1, 1, 2 },
		{ "is deaf still", { DEAF, OUT_AND_DEAF, OUT_AND_DEAF, DEAF }, 2, 5, 1, 2, 2 },
		/* Who was accused before stays so until it beats. */
		{ "accused on a deaf host", { LIVES, DEAF, DEAF, LIVES }, 4, 3, 1, 2, 0, true,
		  KVMHB_UNRESPONSIVE },
		{ "paused on a deaf host", { LIVES, DEAF, DEAF, LIVES }, 0, 7, 1, 6, 0, true,
		  KVMHB_PAUSED },
	};
	struct watched *w = watched_init(test);
	int i, second;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *what = rows[i].what;

		w->look.so_far.state = rows[i].so_far;
		begin(w);
		for (second = 0; second < 4; second++)
			spend(w, rows[i].where[second]);
		KUNIT_EXPECT_EQ_MSG(test, w->c.run_ns, rows[i].run_s * SEC, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.denied_ns, rows[i].denied_s * SEC, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.waited_ns, rows[i].waited_s * SEC, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.host_ns, rows[i].host_s * SEC, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->watch.layers.slots[1].run_ns, rows[i].slot_s * SEC,
				    "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.window_ns, rows[i].anew ? 0 : 4 * SEC, "%s", what);
	}
}

/* An hour in which the guest is paused, the host sleeps, and much is stolen from that. */
static void pause(struct watched *w)
{
	w->shown.now_ns += HOUR;
	w->shown.steal_ns += HOUR;
	w->shown.host.sleeps++;
	w->shown.vcpus[0].irqs++;
	w->shown.vcpus[1].run_delay_ns += HOUR;
}

/* An outage goes on after a pause as if that had not been. */
static void watch_of_an_outage(struct kunit *test)
{
	const struct kvmhb_ruling stirs = { .stirs = true };
	struct watched *w = watched_init(test);

	begin(w);
	spend(w, LIVES);
	kvmhb_watch_heed(&w->watch, &stirs);
	pause(w);
	w->look.last_beat_at_ns += HOUR;
	kvmhb_watch_resume(&w->watch, w->look.kvm, true, w->look.last_beat_at_ns);
	spend(w, LIVES);
	KUNIT_EXPECT_EQ(test, w->c.run_ns, 4 * SEC);
	KUNIT_EXPECT_EQ(test, w->c.denied_ns, SEC);
	KUNIT_EXPECT_EQ(test, w->c.waited_ns, SEC);
	KUNIT_EXPECT_EQ(test, w->c.silence_ns, 5 * SEC);
	KUNIT_EXPECT_FALSE(test, w->c.host_late);
	KUNIT_EXPECT_FALSE(test, w->c.resuming);
	KUNIT_EXPECT_FALSE(test, w->c.stirred);
	/* What the vCPUs did before says nothing. */
	KUNIT_EXPECT_EQ(test, w->c.window_ns, SEC);
	KUNIT_EXPECT_EQ(test, w->c.vcpus[KVMHB_SPINNING], 2);
	/* CPU 1 was not stale, and has all of its time. */
	KUNIT_EXPECT_EQ(test, w->c.stale_in_ns, TIMEOUT - SEC);
}

/* Any other silence ends. What the guest owes begins when a vCPU runs, or when it beats. */
static void watch_of_who_is_resumed(struct kunit *test)
{
	static const struct {
		const char *what;
		enum place place;
		u64 exits;
		bool beats;
		bool resuming, forgiven;
	} rows[] = {
		{ "nothing yet", OUT, 0, false, true, false },
		{ "runs", RUN, 0, false, false, true },
		{ "ran, and left again", OUT, 1, false, false, true },
		{ "beat, and is out", OUT, 0, true, false, false },
	};
	struct watched *w = watched_init(test);
	unsigned int nr;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *what = rows[i].what;

		/* CPU 1 is stale. */
		begin(w);
		spend(w, LIVES);
		spend(w, LIVES);
		KUNIT_EXPECT_TRUE(test, w->c.partial);
		for (nr = 0; nr < 2; nr++)
			w->shown.vcpus[nr] = vcpu_at(OUT);
		look(w);
		pause(w);
		beat(w);
		kvmhb_watch_resume(&w->watch, w->look.kvm, false, w->look.last_beat_at_ns);
		look(w);
		KUNIT_EXPECT_TRUE_MSG(test, w->c.resuming, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.run_ns, 0, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.denied_ns, 0, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.waited_ns, 0, "%s", what);

		w->shown.now_ns += SEC;
		w->shown.vcpus[1] = vcpu_at(rows[i].place);
		w->shown.vcpus[1].exits = rows[i].exits;
		if (rows[i].beats)
			w->look.last_beat_at_ns = w->shown.now_ns - MS;
		look(w);
		KUNIT_EXPECT_EQ_MSG(test, w->c.run_ns, 0, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.denied_ns, rows[i].forgiven ? 0 :
				    rows[i].beats ? MS : SEC, "%s", what);
		KUNIT_EXPECT_TRUE_MSG(test, w->c.partial, "%s", what);
		look(w);
		KUNIT_EXPECT_EQ_MSG(test, w->c.resuming, rows[i].resuming, "%s", what);
		KUNIT_EXPECT_TRUE_MSG(test, w->c.partial, "%s", what);
	}

	/* Of a guest of which nothing is seen nothing is to be awaited. */
	kvmhb_watch_uninit(&w->watch);
	kvmhb_watch_restart(&w->watch, NULL, &w->pulse);
	w->look.kvm = NULL;
	beat(w);
	kvmhb_watch_resume(&w->watch, NULL, false, w->look.last_beat_at_ns);
	w->shown.now_ns += SEC;
	look(w);
	KUNIT_EXPECT_FALSE(test, w->c.resuming);
	KUNIT_EXPECT_EQ(test, w->c.run_ns, SEC);
}

/* Of a new incarnation nothing is known, whatever was of the old one, or of the host meanwhile. */
static void watch_of_who_begins_anew(struct kunit *test)
{
	static const struct {
		const char *what;
		enum where where;
		bool stirs, resumes, late;
		u64 silent_ns;
	} rows[] = {
		{ "lived", LIVES },
		{ "was out", IS_OUT },
		{ "host was deaf", DEAF },
		{ "stirred", LIVES, .stirs = true },
		{ "was resumed", LIVES, .resumes = true },
		{ "host was late", LIVES, .late = true },
		{ "was silent for a timeout", LIVES, .silent_ns = 9 * SEC },
	};
	struct watched *w = watched_init(test);
	int i, nr;

	w->look.timing = (struct kvmhb_timing) { SEC, 9 * SEC };
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct kvmhb_ruling ruling = { .stirs = rows[i].stirs };
		const char *what = rows[i].what;

		begin(w);
		spend(w, rows[i].where);
		w->shown.now_ns += rows[i].silent_ns;
		for (nr = 0; nr < 2; nr++)
			w->shown.vcpus[nr].exec_ns += rows[i].silent_ns;
		if (rows[i].late)
			w->look.due_at_ns = w->shown.now_ns;
		spend(w, rows[i].where);
		w->look.due_at_ns = 0;
		kvmhb_watch_heed(&w->watch, &ruling);
		if (rows[i].resumes)
			kvmhb_watch_resume(&w->watch, w->look.kvm, false, w->shown.now_ns);

		w->shown.host.asking_ns = 0;
		pause(w);
		beat(w);
		kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
		w->shown.answered_at_ns = w->shown.now_ns - SEC;
		w->shown.now_ns += SEC;
		for (nr = 0; nr < 2; nr++)
			w->shown.vcpus[nr].exec_ns += SEC;
		spend(w, LIVES);
		KUNIT_EXPECT_EQ_MSG(test, w->c.run_ns, 2 * SEC, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.denied_ns, 0, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.waited_ns, 0, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.host_ns, 0, "%s", what);
		KUNIT_EXPECT_FALSE_MSG(test, w->c.stirred, "%s", what);
		KUNIT_EXPECT_FALSE_MSG(test, w->c.resuming, "%s", what);
		KUNIT_EXPECT_FALSE_MSG(test, w->c.host_late, "%s", what);
		KUNIT_EXPECT_FALSE_MSG(test, w->c.host_asked, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.stale_in_ns, 7 * SEC, "%s", what);
	}

	/* Its silence begins at its last beat, also if that is known. */
	begin(w);
	kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
	spend(w, LIVES);
	KUNIT_EXPECT_EQ(test, w->c.silence_ns, 4 * SEC);
	KUNIT_EXPECT_EQ(test, w->c.run_ns, 4 * SEC);
}

/* The host's CPUs are asked from when the guest may be accused; what they answered is not old. */
static void watch_asks_the_host(struct kunit *test)
{
	static const struct {
		const char *what;
		struct kvmhb_timing timing;
		u64 resolution_ns, answered_ns;
		bool asked;
	} rows[] = {
		{ "half of a timeout ago", { 2 * SEC, 4 * SEC }, 8 * MS, 2 * SEC },
		{ "before that", { 2 * SEC, 4 * SEC }, 8 * MS, 2 * SEC + 1, true },
		{ "within what a host can tell", { 2 * MS, 4 * MS }, 50 * MS, 50 * MS },
		{ "before that", { 2 * MS, 4 * MS }, 50 * MS, 50 * MS + 1, true },
		{ "20 ms ago", { 2 * MS, 4 * MS }, 8 * MS, 20 * MS },
		{ "before that", { 2 * MS, 4 * MS }, 8 * MS, 20 * MS + 1, true },
	};
	struct watched *w = watched_init(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		w->look.timing = rows[i].timing;
		w->shown.resolution_ns = rows[i].resolution_ns;
		w->shown.asked = 0;
		kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
		beat(w);
		/* Nobody asks about a guest that beats. */
		w->shown.answered_at_ns = 0;
		look(w);
		KUNIT_EXPECT_EQ_MSG(test, w->shown.asked, 0, "%s", rows[i].what);
		KUNIT_EXPECT_FALSE_MSG(test, w->c.host_asked, "%s", rows[i].what);
		w->shown.now_ns += 2 * SEC;
		w->shown.answered_at_ns = w->shown.now_ns + SEC - rows[i].answered_ns;
		spend(w, LIVES);
		KUNIT_EXPECT_EQ_MSG(test, w->c.host_asked, rows[i].asked, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, w->shown.asked, 1, "%s", rows[i].what);
	}
}

/* What the last verdict was found by is kept as it was. */
static void watch_keeps(struct kunit *test)
{
	const struct kvmhb_verdict verdict = { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL };
	struct watched *w = watched_init(test);
	const struct kvmhb_judgement *judged = &w->watch.judged;
	DECLARE_BITMAP(cpus, KVMHB_PULSE_MAX_SLOTS);
	unsigned int nr;

	begin(w);
	spend(w, LIVES);
	spend(w, LIVES);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_changed(&w->watch.layers));
	kvmhb_watch_keep(&w->watch, &verdict, &w->c);
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_changed(&w->watch.layers));
	spend(w, IS_OUT);
	KUNIT_EXPECT_EQ(test, judged->verdict.state, KVMHB_DEGRADED);
	KUNIT_EXPECT_EQ(test, judged->verdict.cause, KVMHB_CAUSE_PARTIAL);
	KUNIT_EXPECT_EQ(test, judged->silence_ns, 5 * SEC);
	KUNIT_EXPECT_EQ(test, judged->run_ns, 4 * SEC);
	KUNIT_EXPECT_EQ(test, judged->deaf_cpu, -1);
	KUNIT_ASSERT_EQ(test, judged->nr_vcpus, 2);
	for (nr = 0; nr < 2; nr++) {
		KUNIT_EXPECT_TRUE(test, judged->vcpus[nr].running);
		KUNIT_EXPECT_EQ(test, judged->vcpus[nr].exec_ns, w->shown.vcpus[nr].exec_ns);
	}

	/* CPUs that are stale, and no other, whatever was in the bitmap. */
	memset(cpus, 0xff, sizeof(cpus));
	kvmhb_watch_stale(&w->watch, cpus);
	KUNIT_EXPECT_EQ(test, bitmap_weight(cpus, KVMHB_PULSE_MAX_SLOTS), 1);
	KUNIT_EXPECT_EQ(test, cpus[0], 2);
	spend(w, LIVES);
	w->shown.now_ns += TIMEOUT;
	for (nr = 0; nr < 2; nr++)
		w->shown.vcpus[nr].exec_ns += TIMEOUT;
	pulse(w, 1);
	look(w);
	kvmhb_watch_stale(&w->watch, cpus);
	KUNIT_EXPECT_EQ(test, cpus[0], 1);
}

/* A silence of ten seconds, of which seven were the guest's own. CPU 0 stands still. */
static void expect_moved(struct kunit *test, struct watched *w)
{
	KUNIT_EXPECT_EQ(test, w->c.silence_ns, 10 * SEC);
	KUNIT_EXPECT_EQ(test, w->c.run_ns, 7 * SEC);
	KUNIT_EXPECT_EQ(test, w->c.denied_ns, 3 * SEC);
	KUNIT_EXPECT_EQ(test, w->c.waited_ns, 0);
	KUNIT_EXPECT_EQ(test, w->c.host_ns, 0);
	KUNIT_EXPECT_TRUE(test, w->c.partial);
	KUNIT_EXPECT_TRUE(test, kvmhb_layers_is_stale(&w->watch.layers, 0));
	KUNIT_EXPECT_FALSE(test, kvmhb_layers_is_stale(&w->watch.layers, 1));
}

/* What another host has seen goes on here. */
static void watch_moves(struct kunit *test)
{
	const struct kvmhb_verdict verdict = { KVMHB_LATE, KVMHB_CAUSE_STARVED };
	struct kvmhb_saved_slot slots[2] = {
		{ .flags = KVMHB_SAVED_SLOT_ONLINE | KVMHB_SAVED_SLOT_STILL, .run_ns = HOUR },
		{ .flags = KVMHB_SAVED_SLOT_ONLINE },
	};
	struct watched *w = watched_init(test);
	struct kvmhb_saved *saved = kunit_kzalloc(test, sizeof(*saved), GFP_KERNEL);
	const struct kvmhb_judgement *judged = &w->watch.judged;

	KUNIT_ASSERT_NOT_NULL(test, saved);
	*saved = (struct kvmhb_saved) {
		.silence_ns = 10 * SEC,
		.run_ns = 7 * SEC,
		.judged_state = KVMHB_UNRESPONSIVE,
		.judged_cause = KVMHB_CAUSE_HUNG,
		.judged_silence_ns = 6 * SEC,
		.judged_run_ns = 5 * SEC,
		.nr_seen = 2,
		.slots = slots,
	};
	/* Of what was seen here before nothing is left. */
	begin(w);
	spend(w, DEAF);
	kvmhb_watch_keep(&w->watch, &verdict, &w->c);
	spend(w, LIVES);
	w->look.last_beat_at_ns = w->shown.now_ns - 10 * SEC;
	slots[0].pulses = le64_to_cpu(w->slots[0].pulses);
	kvmhb_watch_load(&w->watch, &w->pulse, saved, w->look.last_beat_at_ns);
	KUNIT_EXPECT_EQ(test, judged->verdict.state, KVMHB_UNRESPONSIVE);
	KUNIT_EXPECT_EQ(test, judged->verdict.cause, KVMHB_CAUSE_HUNG);
	KUNIT_EXPECT_EQ(test, judged->silence_ns, 6 * SEC);
	KUNIT_EXPECT_EQ(test, judged->run_ns, 5 * SEC);
	KUNIT_EXPECT_EQ(test, judged->deaf_cpu, -1);
	KUNIT_EXPECT_EQ(test, judged->nr_vcpus, 0);

	look(w);
	expect_moved(test, w);
	kvmhb_watch_resume(&w->watch, w->look.kvm, true, w->look.last_beat_at_ns);
	look(w);
	expect_moved(test, w);
}

/* A second of which CPU 1 has pulses, or a scheduler, of its own, or none. The guest beats. */
static void beats_without(struct watched *w, bool pulses, bool schedules)
{
	w->shown.now_ns += SEC;
	w->shown.vcpus[0].exec_ns += SEC;
	w->shown.vcpus[1].exec_ns += SEC;
	w->slots[1].sched_age_ms = cpu_to_le32(schedules ? 0 : U32_MAX);
	pulse(w, 0);
	if (pulses)
		pulse(w, 1);
	beat(w);
	look(w);
}

/* Whether other CPUs are stale than those that were reported. */
static void watch_of_what_was_reported(struct kunit *test)
{
	struct watched *w = watched_init(test);
	const struct kvmhb_verdict degraded = { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL };
	int second;

	for (second = 0; second < 4; second++) {
		KUNIT_EXPECT_FALSE(test, w->c.stale_anew);
		beats_without(w, false, true);
	}
	KUNIT_EXPECT_TRUE(test, w->c.partial);
	KUNIT_EXPECT_TRUE(test, w->c.stale_anew);
	kvmhb_watch_keep(&w->watch, &degraded, &w->c);
	beats_without(w, false, true);
	KUNIT_EXPECT_TRUE(test, w->c.partial);
	KUNIT_EXPECT_FALSE(test, w->c.stale_anew);

	/* That none is any more is no news of a CPU, */
	beats_without(w, true, true);
	KUNIT_EXPECT_FALSE(test, w->c.partial);
	KUNIT_EXPECT_FALSE(test, w->c.stale_anew);
	kvmhb_watch_keep(&w->watch, &degraded, &w->c);

	/* and a scheduler alone is. */
	for (second = 0; second < 4; second++)
		beats_without(w, true, false);
	KUNIT_EXPECT_TRUE(test, w->c.softlockup);
	KUNIT_EXPECT_TRUE(test, w->c.stale_anew);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(watch_of_who_was_held_up),
	KUNIT_CASE(watch_of_an_outage),
	KUNIT_CASE(watch_of_who_is_resumed),
	KUNIT_CASE(watch_of_who_begins_anew),
	KUNIT_CASE(watch_asks_the_host),
	KUNIT_CASE(watch_keeps),
	KUNIT_CASE(watch_moves),
	KUNIT_CASE(watch_of_what_was_reported),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_watch_anew",
	.test_cases = cases,
};

kunit_test_suite(suite);
