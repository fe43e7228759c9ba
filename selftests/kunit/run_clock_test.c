// SPDX-License-Identifier: GPL-2.0
/* What looks add up to, to the nanosecond: silence, what was denied of it, the window. */
#include "watched.h"

#include <linux/jiffies.h>
#include <linux/math64.h>

#define INTERVAL	(2 * SEC)
#define TIMEOUT		(4 * SEC)
/* A look that is later than this makes the host late. */
#define LATENESS	(400 * MS)

static void expect_silence(struct kunit *test, struct watched *w, u64 run_ns, u64 denied_ns,
			   u64 waited_ns, u64 host_ns, const char *what)
{
	KUNIT_EXPECT_EQ_MSG(test, w->c.run_ns, run_ns, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, w->c.denied_ns, denied_ns, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, w->c.waited_ns, waited_ns, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, w->c.host_ns, host_ns, "%s", what);
}

/* It is watched anew, and beats. */
static void begin(struct watched *w)
{
	kvmhb_watch_uninit(&w->watch);
	kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
	beat(w);
	look(w);
}

/* So much time after the last look, of which a vCPU waited for some. No slot moves. */
static void wait_in(struct watched *w, u64 ns, unsigned int nr, u64 waited_ns)
{
	unsigned int i;

	w->shown.now_ns += ns;
	for (i = 0; i < w->shown.nr_vcpus; i++)
		w->shown.vcpus[i].exec_ns += ns;
	w->shown.vcpus[nr].exec_ns -= waited_ns;
	w->shown.vcpus[nr].run_delay_ns += waited_ns;
}

/* A second each. As much is denied to the guest as to the vCPU to which most is. */
static void run_clock_adds_up(struct kunit *test)
{
	static const struct {
		const char *what;
		struct {
			u64 exec_ms, halted_ms, waited_ms;
		} vcpus[2];
		u64 denied_ms, waited_ms;
	} rows[] = {
		{ "both execute", { { 1000 }, { 1000 } } },
		{ "one halts", { { 1000 }, { 400, 600 } } },
		{ "the first waits", { { 700, 0, 300 }, { 1000 } }, 300, 300 },
		{ "the last waits", { { 1000 }, { 700, 0, 300 } }, 300, 300 },
		{ "both, the first for longer", { { 500, 0, 500 }, { 700, 0, 300 } }, 500, 500 },
		{ "both, the last for longer", { { 700, 0, 300 }, { 500, 0, 500 } }, 500, 500 },
		{ "one waits, one is held up", { { 800, 0, 200 }, { 300 } }, 700, 200 },
		{ "a wait that began before", { { 0, 0, 1700 }, { 1000 } }, 1000, 1000 },
		{ "nobody waits any more", { { 1000 }, { 1000 } } },
	};
	struct watched *w = watched_init(test);
	u64 run_ns = 0, denied_ns = 0, waited_ns = 0;
	int i, nr;

	expect_silence(test, w, 0, 0, 0, 0, "it beats");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		w->shown.now_ns += SEC;
		for (nr = 0; nr < 2; nr++) {
			w->shown.vcpus[nr].exec_ns += rows[i].vcpus[nr].exec_ms * MS;
			w->shown.vcpus[nr].halted_ns += rows[i].vcpus[nr].halted_ms * MS;
			w->shown.vcpus[nr].run_delay_ns += rows[i].vcpus[nr].waited_ms * MS;
		}
		look(w);
		run_ns += SEC - rows[i].denied_ms * MS;
		denied_ns += rows[i].denied_ms * MS;
		waited_ns += rows[i].waited_ms * MS;
		expect_silence(test, w, run_ns, denied_ns, waited_ns, 0, rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.just_denied_ns, rows[i].denied_ms * MS, "%s",
				    rows[i].what);
		KUNIT_EXPECT_EQ(test, w->c.silence_ns, (i + 1) * SEC);
	}
}

/* Who comes, and who is not known for a while. */
static void run_clock_of_the_unknown(struct kunit *test)
{
	struct watched *w = watched_init(test);
	unsigned int nr;

	for (nr = 0; nr < 2; nr++) {
		begin(w);
		w->shown.unknown = 1 << nr;
		wait_in(w, SEC, nr, SEC);
		look(w);
		expect_silence(test, w, SEC, 0, 0, 0, "not known");
		KUNIT_EXPECT_EQ(test, w->c.vcpus[KVMHB_SPINNING] + w->c.vcpus[KVMHB_UNCLEAR], 2);
		w->shown.unknown = 0;
		wait_in(w, SEC, nr, 400 * MS);
		look(w);
		/* All of what it waited for meanwhile is new. */
		expect_silence(test, w, SEC, SEC, SEC, 0, "known again");
	}

	begin(w);
	KUNIT_EXPECT_EQ(test, w->c.nr_vcpus, 2);
	w->shown.nr_vcpus = 3;
	look_after(w, SEC);
	expect_silence(test, w, 0, SEC, 0, 0, "a new thread");
	KUNIT_EXPECT_EQ(test, w->c.nr_vcpus, 3);
	look_after(w, SEC);
	expect_silence(test, w, SEC, SEC, 0, 0, "no more");

	KUNIT_EXPECT_FALSE(test, w->c.dead);
	w->shown.dead = true;
	look(w);
	KUNIT_EXPECT_TRUE(test, w->c.dead);
}

/* While a halt ends, KVM counts it nowhere for a moment. In all other cases its sum counts. */
static void run_clock_when_a_halt_ends(struct kunit *test)
{
	static const struct {
		const char *what;
		struct kvmhb_vcpu then, now;
		bool ends;
	} rows[] = {
		{ "ends", { .pid = 7, .task = 'S', .running = true, .halted = true },
		  { .pid = 7, .task = 'R', .running = true }, true },
		{ "in another thread", { .pid = 6, .task = 'S', .running = true },
		  { .pid = 7, .task = 'R', .running = true } },
		{ "of another thread that was outside", { .pid = 6, .task = 'S' },
		  { .pid = 7, .task = 'R', .running = true } },
		{ "was outside", { .pid = 7, .task = 'S' },
		  { .pid = 7, .task = 'R', .running = true } },
		{ "is outside", { .pid = 7, .task = 'S', .running = true },
		  { .pid = 7, .task = 'R' } },
		{ "sleeps", { .pid = 7, .task = 'S', .running = true },
		  { .pid = 7, .task = 'S', .running = true } },
	};
	struct watched *w = watched_init(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		w->shown.vcpus[0] = rows[i].then;
		w->shown.vcpus[0].halted_ns = 10 * SEC;
		begin(w);
		wait_in(w, SEC, 0, 0);
		w->shown.vcpus[0] = rows[i].now;
		w->shown.vcpus[0].halted_ns = 9 * SEC;
		look(w);
		wait_in(w, 2 * SEC, 0, 0);
		w->shown.vcpus[0] = rows[i].now;
		w->shown.vcpus[0].exits = 1;
		w->shown.vcpus[0].halted_ns = 11 * SEC;
		look(w);
		KUNIT_EXPECT_EQ_MSG(test, w->c.just_denied_ns, rows[i].ends ? SEC : 0, "%s",
				    rows[i].what);
	}
}

/* Silence begins at a beat. In favour of the guest all that was denied came after it. */
static void run_clock_of_beats(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 ago_ms, waited_ms, late_ms;		/* two seconds after the look before */
		u64 denied_ms, of_waited_ms, host_ms;
	} rows[] = {
		{ "a moment ago", 0, 500, 0, 0, 0, 0 },
		{ "after less than was denied", 300, 500, 0, 300, 300, 0 },
		{ "after more", 700, 500, 0, 500, 500, 0 },
		{ "the host's timer was late", 300, 0, 350, 300, 0, 300 },
		{ "it was late before", 700, 0, 350, 350, 0, 350 },
		{ "both", 1000, 100, 350, 350, 100, 250 },
	};
	struct watched *w = watched_init(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *what = rows[i].what;
		u64 denied_ns = rows[i].denied_ms * MS, ago_ns = rows[i].ago_ms * MS;

		begin(w);
		wait_in(w, SEC, 1, 900 * MS);
		look(w);
		expect_silence(test, w, 100 * MS, 900 * MS, 900 * MS, 0, "before");
		wait_in(w, 2 * SEC, 0, rows[i].waited_ms * MS);
		w->look.due_at_ns = w->shown.now_ns - rows[i].late_ms * MS;
		w->look.last_beat_at_ns = w->shown.now_ns - ago_ns;
		look(w);
		expect_silence(test, w, ago_ns - denied_ns, denied_ns, rows[i].of_waited_ms * MS,
			       rows[i].host_ms * MS, what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.silence_ns, ago_ns, "%s", what);
		w->look.due_at_ns = 0;
		/* That beat counts once. */
		wait_in(w, SEC, 0, 600 * MS);
		look(w);
		expect_silence(test, w, ago_ns - denied_ns + 400 * MS, denied_ns + 600 * MS,
			       rows[i].of_waited_ms * MS + 600 * MS, rows[i].host_ms * MS, what);
	}

	/* After the look was begun. */
	w->shown.now_ns += SEC;
	w->look.last_beat_at_ns = w->shown.now_ns + 1;
	look(w);
	expect_silence(test, w, 0, 0, 0, 0, "in the look");
	KUNIT_EXPECT_EQ(test, w->c.silence_ns, 0);
}

/* A guest that was silent for a timeout and is back: its other CPUs have a timeout to follow. */
static void run_clock_when_it_is_back(struct kunit *test)
{
	struct watched *w = watched_init(test);
	u64 short_ns;

	for (short_ns = 0; short_ns < 2; short_ns++) {
		begin(w);
		wait_in(w, TIMEOUT - short_ns, 0, 0);
		look(w);
		KUNIT_EXPECT_EQ(test, w->c.run_ns, TIMEOUT - short_ns);
		KUNIT_EXPECT_EQ(test, w->c.partial, !short_ns);
		wait_in(w, SEC, 0, 0);
		beat(w);
		look(w);
		KUNIT_EXPECT_EQ(test, w->c.partial, !!short_ns);
		KUNIT_EXPECT_EQ(test, w->c.stale_in_ns, short_ns ? U64_MAX : TIMEOUT);
	}

	begin(w);
	wait_in(w, TIMEOUT, 0, 0);
	look(w);
	wait_in(w, SEC, 0, 0);
	look(w);
	KUNIT_EXPECT_TRUE(test, w->c.partial);
	KUNIT_EXPECT_EQ(test, w->c.run_ns, TIMEOUT + SEC);
}

/* What was stolen from the host is judged after four ticks: more than a tenth is too much. */
static void run_clock_of_the_robbed(struct kunit *test)
{
	const u64 span_ns = 4 * TICK_NSEC, tenth_ns = 4 * div_u64(span_ns, 10);
	const struct {
		const char *what;
		u64 ns, stolen_ns;
		bool robbed;
	} rows[] = {
		{ "not judged yet", span_ns - 1, tenth_ns + 1, false },
		{ "judged, with the time before", 1, 0, true },
		{ "nothing any more", span_ns, 0, false },
		{ "a tenth of four CPUs", span_ns, tenth_ns, false },
		{ "more than a tenth", span_ns, tenth_ns + 1, true },
		{ "so it is until it is judged anew", span_ns - 1, tenth_ns, true },
		{ "judged anew", 1, 0, false },
		{ "a tenth of a longer time", 10 * span_ns, 40 * div_u64(span_ns, 10), false },
	};
	struct watched *w = watched_init(test);
	int i;

	w->shown.nr_cpus = 4;
	/* What was stolen before counts for nobody. */
	look_after(w, span_ns - 1);
	w->shown.steal_ns = HOUR;
	kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		w->shown.steal_ns += rows[i].stolen_ns;
		look_after(w, rows[i].ns);
		KUNIT_EXPECT_EQ_MSG(test, w->c.host_late, rows[i].robbed, "%s", rows[i].what);
	}

	/* All of a silence may have been stolen. A CPU that stands still is found all the same. */
	begin(w);
	look_after(w, SEC);
	wait_in(w, SEC, 0, 300 * MS);
	w->shown.steal_ns += 4 * SEC;
	look(w);
	KUNIT_EXPECT_TRUE(test, w->c.host_late);
	expect_silence(test, w, SEC, SEC, 300 * MS, 700 * MS, "robbed");
	KUNIT_EXPECT_EQ(test, w->c.just_denied_ns, SEC);
	KUNIT_EXPECT_EQ(test, w->c.stale_in_ns, TIMEOUT - 700 * MS);

	/* That is forgotten with the silence, and by a watch that begins anew. */
	kvmhb_watch_restart(&w->watch, w->look.kvm, &w->pulse);
	beat(w);
	look_after(w, TICK_NSEC);
	KUNIT_EXPECT_FALSE(test, w->c.host_late);
	expect_silence(test, w, TICK_NSEC, 0, 0, 0, "begins anew");
}

/*
 * The vCPUs of a VM had their time, whatever the look waited for; but not if the timer did. Of a
 * host that was late nobody knows for how long it ran nothing. Two seconds after the last look.
 */
static void run_clock_of_late_looks(struct kunit *test)
{
	static const struct {
		const char *what;
		bool no_kvm, no_timer, not_asked;
		u64 late_ns, timer_late_ns, waited_ns;
		u64 told_ns, denied_ns, host_ns;
		bool host_late;
	} rows[] = {
		{ "no timer", .no_timer = true },
		{ "in time" },
		{ "the timer in time", .late_ns = LATENESS, .told_ns = LATENESS },
		{ "later than a host may be", .late_ns = LATENESS + 1, .told_ns = LATENESS + 1,
		  .denied_ns = 2 * SEC, .host_ns = 2 * SEC, .host_late = true },
		{ "the timer late", .late_ns = 300 * MS, .timer_late_ns = 200 * MS,
		  .told_ns = 300 * MS, .denied_ns = 200 * MS, .host_ns = 200 * MS },
		{ "the timer has not come", .not_asked = true, .late_ns = 300 * MS,
		  .told_ns = 300 * MS, .denied_ns = 300 * MS, .host_ns = 300 * MS },
		{ "the timer after the look", .late_ns = 300 * MS, .timer_late_ns = 350 * MS,
		  .told_ns = 300 * MS, .denied_ns = 300 * MS, .host_ns = 300 * MS },
		{ "due before the last look", .late_ns = 3 * SEC, .told_ns = 2 * SEC,
		  .denied_ns = 2 * SEC, .host_ns = 2 * SEC, .host_late = true },
		{ "a vCPU waited for less", .late_ns = 300 * MS, .timer_late_ns = 300 * MS,
		  .waited_ns = 100 * MS, .told_ns = 300 * MS, .denied_ns = 300 * MS,
		  .host_ns = 200 * MS },
		{ "a vCPU waited for longer", .late_ns = 300 * MS, .timer_late_ns = 300 * MS,
		  .waited_ns = 500 * MS, .told_ns = 300 * MS, .denied_ns = 500 * MS },
		{ "without KVM", .no_kvm = true, .late_ns = LATENESS, .told_ns = LATENESS,
		  .denied_ns = LATENESS, .host_ns = LATENESS },
	};
	struct watched *w = watched_init(test);
	struct kvm *kvm = w->look.kvm;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *what = rows[i].what;

		w->look.kvm = rows[i].no_kvm ? NULL : kvm;
		w->look.due_at_ns = 0;
		w->look.asked_at_ns = 0;
		begin(w);
		wait_in(w, 2 * SEC, 0, rows[i].waited_ns);
		if (!rows[i].no_timer) {
			w->look.due_at_ns = w->shown.now_ns - rows[i].late_ns;
			w->look.asked_at_ns = w->look.due_at_ns + rows[i].timer_late_ns;
		}
		if (rows[i].not_asked)
			w->look.asked_at_ns = 0;
		look(w);
		expect_silence(test, w, 2 * SEC - rows[i].denied_ns, rows[i].denied_ns,
			       rows[i].waited_ns, rows[i].host_ns, what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.host_late, rows[i].host_late, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->shown.late_ns, rows[i].told_ns, "%s", what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.nr_vcpus, rows[i].no_kvm ? 0 : 2, "%s", what);
	}
}

/* Looks two seconds after the last, at a host whose CPU 5 answers later or not yet. */
static void run_clock_of_deaf_hosts(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 deaf_ns, asking_ns, resolution_ns, timer_late_ns;
		u64 denied_ns;
		bool deaf;
	} rows[] = {
		{ "answered" },
		{ "answered later", 300 * MS, .denied_ns = 300 * MS },
		{ "has just been asked", 0, 1 },
		{ "has not answered", LATENESS, LATENESS, .denied_ns = LATENESS },
		{ "has not answered for too long", LATENESS + 1, LATENESS + 1,
		  .denied_ns = 2 * SEC, .deaf = true },
		{ "for what this host can tell", 500 * MS, 500 * MS, 500 * MS,
		  .denied_ns = 500 * MS },
		{ "for longer than that", 500 * MS, 500 * MS + 1, 500 * MS,
		  .denied_ns = 2 * SEC, .deaf = true },
		{ "answered what was asked before", 3 * SEC, .denied_ns = 2 * SEC },
		{ "the timer late by less", 300 * MS, .timer_late_ns = 200 * MS,
		  .denied_ns = 300 * MS },
		{ "the timer late by more", 200 * MS, .timer_late_ns = 300 * MS,
		  .denied_ns = 300 * MS },
	};
	const struct kvmhb_verdict verdict = { KVMHB_LATE, KVMHB_CAUSE_NONE };
	struct watched *w = watched_init(test);
	int i;

	w->shown.host.unheard_cpu = 5;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		w->shown.host.asking_ns = 0;
		w->shown.resolution_ns = rows[i].resolution_ns ?: 8 * MS;
		w->look.due_at_ns = 0;
		begin(w);
		wait_in(w, 2 * SEC, 0, 0);
		w->shown.host.deaf_ns += rows[i].deaf_ns;
		w->shown.host.asking_ns = rows[i].asking_ns;
		if (rows[i].timer_late_ns)
			w->look.due_at_ns = w->shown.now_ns - rows[i].timer_late_ns;
		look(w);
		expect_silence(test, w, 2 * SEC - rows[i].denied_ns, rows[i].denied_ns, 0,
			       rows[i].denied_ns, rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.host_late, rows[i].deaf, "%s", rows[i].what);
		kvmhb_watch_keep(&w->watch, &verdict, &w->c);
		KUNIT_EXPECT_EQ_MSG(test, w->watch.judged.deaf_cpu, rows[i].deaf ? 5 : -1, "%s",
				    rows[i].what);
	}
}

/* Guests were frozen for an unknown time. */
static void run_clock_of_a_host_that_slept(struct kunit *test)
{
	struct watched *w = watched_init(test);

	look_after(w, SEC);
	w->shown.host.sleeps++;
	look_after(w, SEC);
	expect_silence(test, w, SEC, SEC, 0, 0, "slept");
	KUNIT_EXPECT_FALSE(test, w->c.host_late);
	look_after(w, SEC);
	expect_silence(test, w, 2 * SEC, SEC, 0, 0, "awake");
	w->shown.host.sleeps++;
	begin(w);
	look_after(w, SEC);
	expect_silence(test, w, SEC, 0, 0, 0, "slept before");
}

/* What the guest does is seen from when a beat is due. */
static void run_clock_window(struct kunit *test)
{
	static const struct {
		const char *what;
		unsigned int irqs;	/* a bit for each vCPU that takes one, in this second */
		bool pulses;
		u64 window_ns;
		unsigned int living;
		bool pulsing;
	} rows[] = {
		{ "not due", 3, true, 0, 0, false },
		{ "not yet due", 3, true, 0, 0, false },
		{ "due: it does nothing", 0, false, SEC, 0, false },
		{ "takes an interrupt", 1, false, 2 * SEC, 1, false },
		{ "which counts since then, as does a pulse", 0, true, 3 * SEC, 1, true },
		{ "the other one does, too", 2, false, 4 * SEC, 2, true },
	};
	const struct kvmhb_ruling goes_on = { .stirs = true }, anew = { .new_window = true };
	struct watched *w = watched_init(test);
	int i, nr;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		wait_in(w, SEC, 0, 0);
		for (nr = 0; nr < 2; nr++) {
			w->shown.vcpus[nr].irqs += !!(rows[i].irqs & (1 << nr));
			if (rows[i].pulses)
				pulse(w, nr);
		}
		look(w);
		KUNIT_EXPECT_EQ_MSG(test, w->c.window_ns, rows[i].window_ns, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.vcpus[KVMHB_LIVING], rows[i].living, "%s",
				    rows[i].what);
		/* In no time nobody does anything. */
		KUNIT_EXPECT_EQ_MSG(test, w->c.vcpus[KVMHB_SPINNING] +
				    w->c.vcpus[KVMHB_UNCLEAR], 2 - rows[i].living, "%s",
				    rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, w->c.pulsing, rows[i].pulsing, "%s", rows[i].what);
	}

	/* As a ruling wants it. */
	kvmhb_watch_heed(&w->watch, &goes_on);
	wait_in(w, SEC, 0, 0);
	look(w);
	KUNIT_EXPECT_TRUE(test, w->c.stirred);
	KUNIT_EXPECT_EQ(test, w->c.window_ns, 5 * SEC);
	KUNIT_EXPECT_TRUE(test, w->c.pulsing);
	kvmhb_watch_heed(&w->watch, &anew);
	wait_in(w, SEC, 0, 0);
	look(w);
	KUNIT_EXPECT_FALSE(test, w->c.stirred);
	KUNIT_EXPECT_EQ(test, w->c.window_ns, SEC);
	KUNIT_EXPECT_EQ(test, w->c.vcpus[KVMHB_SPINNING], 2);
	KUNIT_EXPECT_FALSE(test, w->c.pulsing);

	/* A beat ends it. */
	w->shown.vcpus[0].irqs++;
	look_after(w, SEC);
	KUNIT_EXPECT_TRUE(test, w->c.pulsing);
	beat(w);
	look_after(w, SEC);
	KUNIT_EXPECT_EQ(test, w->c.window_ns, 0);
	KUNIT_EXPECT_EQ(test, w->c.vcpus[KVMHB_LIVING], 0);
	KUNIT_EXPECT_FALSE(test, w->c.pulsing);

	/* Who pulsed for a while, and is stale, does not pulse. */
	look_after(w, SEC);
	look_after(w, SEC);
	look_after(w, SEC);
	KUNIT_EXPECT_TRUE(test, w->c.pulsing);
	wait_in(w, TIMEOUT - 1, 0, 0);
	look(w);
	KUNIT_EXPECT_TRUE(test, w->c.pulsing);
	wait_in(w, 1, 0, 0);
	look(w);
	KUNIT_EXPECT_FALSE(test, w->c.pulsing);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(run_clock_adds_up),
	KUNIT_CASE(run_clock_of_the_unknown),
	KUNIT_CASE(run_clock_when_a_halt_ends),
	KUNIT_CASE(run_clock_of_beats),
	KUNIT_CASE(run_clock_when_it_is_back),
	KUNIT_CASE(run_clock_of_the_robbed),
	KUNIT_CASE(run_clock_of_late_looks),
	KUNIT_CASE(run_clock_of_deaf_hosts),
	KUNIT_CASE(run_clock_of_a_host_that_slept),
	KUNIT_CASE(run_clock_window),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_run_clock",
	.test_cases = cases,
};

kunit_test_suite(suite);
