// SPDX-License-Identifier: GPL-2.0
/* The content of a stream: what its fields may say, each by itself and together. */
#include "streamed.h"

#include "timing.h"

static void put_le64(u64 value, u8 *at)
{
	__le64 raw = cpu_to_le64(value);

	memcpy(at, &raw, sizeof(raw));
}

/* The bound of each field. */
static void stream_bounds(struct kunit *test)
{
	static const struct {
		const char *name;
		u64 max;
	} rows[] = {
#define FIELD_ROW(name, max) { #name, max },
		KVMHB_SAVED_FIELDS(FIELD_ROW)
#undef FIELD_ROW
	};
	struct streamed *s = streamed_init(test);
	char out_of_range[64];
	unsigned int i;
	u8 *at;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		at = s->buf + KVMHB_STREAM_HEAD + i * sizeof(__le64);
		snprintf(out_of_range, sizeof(out_of_range), "the stream's %s is out of range",
			 rows[i].name);
		make(s);
		put_le64(rows[i].max, at);
		parse_sealed(s);
		KUNIT_EXPECT_STRNEQ(test, s->why, out_of_range);
		put_le64(rows[i].max + 1, at);
		KUNIT_EXPECT_EQ_MSG(test, parse_sealed(s), -EINVAL, "%s", rows[i].name);
		KUNIT_EXPECT_STREQ(test, s->why, out_of_range);
		put_le64(U64_MAX, at);
		KUNIT_EXPECT_EQ_MSG(test, parse_sealed(s), -EINVAL, "%s", rows[i].name);
	}

	for (i = 0; i < 3; i++) {
		struct kvmhb_saved_slot *slot = &s->made_slots[NR_SEEN - 1];
		const struct kvmhb_saved_slot good = *slot;

		if (i == 0)
			slot->run_ns = KVMHB_SAVED_NS + 1;
		else if (i == 1)
			slot->sched_run_ns = KVMHB_SAVED_NS + 1;
		else
			slot->flags = KVMHB_SAVED_SLOT_FLAGS + 1;
		KUNIT_EXPECT_EQ_MSG(test, parse_made(s), -EINVAL, "of a slot, %u", i);
		*slot = good;
	}
	s->made_slots[NR_SEEN - 1].run_ns = KVMHB_SAVED_NS;
	s->made_slots[NR_SEEN - 1].sched_run_ns = KVMHB_SAVED_NS;
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);
}

/* The word that a guest has said, and how its end would be explained, in state and cause. */
static void say_what_led_there(struct kvmhb_saved *saved)
{
	static const u32 words[KVMHB_NR_CAUSES] = {
		[KVMHB_CAUSE_SHUTDOWN] = 2,
		[KVMHB_CAUSE_REBOOT] = 3,
		[KVMHB_CAUSE_SUSPEND] = 4,
		[KVMHB_CAUSE_UNLOAD] = 5,
		[KVMHB_CAUSE_PANIC] = 6,
		[KVMHB_CAUSE_NO_BOOT] = 3,
		[KVMHB_CAUSE_NO_SHUTDOWN] = 2,
		[KVMHB_CAUSE_DUMPING] = 7,
	};
	bool gone = saved->state == KVMHB_STOPPED || saved->state == KVMHB_PANICKED;

	saved->lifecycle = saved->state == KVMHB_WAITING ? 0 : words[saved->cause] ?: 1;
	saved->goodbye = gone ? saved->cause : KVMHB_CAUSE_NONE;
	if (saved->cause == KVMHB_CAUSE_DUMPING && gone)
		saved->goodbye = KVMHB_CAUSE_PANIC;
	if (saved->cause == KVMHB_CAUSE_NO_BOOT)
		saved->goodbye = KVMHB_CAUSE_REBOOT;
	if (saved->cause == KVMHB_CAUSE_NO_SHUTDOWN)
		saved->goodbye = KVMHB_CAUSE_SHUTDOWN;
}

/* In which states a guest goes on, and why. */
static void stream_states(struct kunit *test)
{
	static const struct {
		enum kvmhb_state state;
		u32 causes;
	} rows[] = {
#define C(name) BIT(KVMHB_CAUSE_##name)
		{ KVMHB_WAITING, C(NONE) },
		{ KVMHB_ALIVE, C(NONE) },
		{ KVMHB_DEGRADED, C(PARTIAL) | C(SOFTLOCKUP) | C(USERSPACE) | C(BLOCKED) },
		{ KVMHB_UNRESPONSIVE, C(HUNG) | C(HALTED) | C(BEAT_LOST) | C(KVM_ERROR) |
				      C(UNKNOWN) | C(NO_BOOT) | C(NO_SHUTDOWN) },
		{ KVMHB_STOPPED, C(SHUTDOWN) | C(REBOOT) | C(SUSPEND) | C(UNLOAD) },
		{ KVMHB_PANICKED, C(PANIC) | C(TRIPLE_FAULT) | C(DUMPING) },
#undef C
	};
	struct streamed *s = streamed_init(test);
	unsigned int state, cause, i;
	bool can;

	s->made.counted_ns = 0;
	s->made.run_ns = 0;
	for (state = 0; state < KVMHB_NR_STATES; state++) {
		for (cause = 0; cause < KVMHB_NR_CAUSES; cause++) {
			can = false;
			for (i = 0; i < ARRAY_SIZE(rows); i++)
				can |= rows[i].state == state && rows[i].causes & BIT(cause);
			s->made.state = state;
			s->made.cause = cause;
			s->made.silence_ns = state == KVMHB_UNRESPONSIVE ? SEC : 0;
			say_what_led_there(&s->made);
			KUNIT_EXPECT_EQ_MSG(test, parse_made(s), can ? 0 : -EINVAL, "%s (%s)",
					    kvmhb_state_word(state), kvmhb_cause_word(cause));
		}
	}
}

/* Which word led to a state, and how the end of a VM in it is explained. */
static void stream_words(struct kunit *test)
{
	static const struct {
		enum kvmhb_state state;
		enum kvmhb_cause cause;
		u32 words, goodbyes;
	} rows[] = {
#define W(name) BIT(KVM_HEARTBEAT_##name)
#define C(name) BIT(KVMHB_CAUSE_##name)
		{ KVMHB_WAITING, KVMHB_CAUSE_NONE, W(NONE),
		  C(NONE) | C(SHUTDOWN) | C(REBOOT) | C(SUSPEND) | C(UNLOAD) | C(PANIC) |
		  C(TRIPLE_FAULT) },
		{ KVMHB_ALIVE, KVMHB_CAUSE_NONE, W(ARM) | W(OOPS), C(NONE) },
		{ KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, W(ARM) | W(OOPS), C(NONE) },
		{ KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG, W(ARM) | W(OOPS), C(NONE) },
		{ KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN, W(SHUTDOWN), C(SHUTDOWN) },
		{ KVMHB_STOPPED, KVMHB_CAUSE_REBOOT, W(REBOOT), C(REBOOT) },
		{ KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND, W(SUSPEND), C(SUSPEND) },
		{ KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD, W(UNLOAD), C(UNLOAD) },
		{ KVMHB_PANICKED, KVMHB_CAUSE_PANIC, W(PANIC) | W(DUMPING) | W(OOPS), C(PANIC) },
		{ KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT, W(ARM) | W(OOPS), C(TRIPLE_FAULT) },
		{ KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, W(DUMPING), C(PANIC) },
#undef C
#undef W
	};
	struct streamed *s = streamed_init(test);
	unsigned int i, n;

	s->made.counted_ns = 0;
	s->made.run_ns = 0;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		s->made.state = rows[i].state;
		s->made.cause = rows[i].cause;
		s->made.silence_ns = rows[i].state == KVMHB_UNRESPONSIVE ? SEC : 0;
		say_what_led_there(&s->made);
		for (n = KVM_HEARTBEAT_NONE; n <= KVM_HEARTBEAT_OOPS; n++) {
			s->made.lifecycle = n;
			KUNIT_EXPECT_EQ_MSG(test, !parse_made(s), !!(rows[i].words & BIT(n)),
					    "row %u, word %u", i, n);
		}
		say_what_led_there(&s->made);
		for (n = KVMHB_CAUSE_NONE; n < KVMHB_NR_CAUSES; n++) {
			s->made.goodbye = n;
			KUNIT_EXPECT_EQ_MSG(test, !parse_made(s), !!(rows[i].goodbyes & BIT(n)),
					    "row %u, goodbye %u", i, n);
		}
	}
}

/* A guest that has missed a deadline is as it was before, but for the outage. */
static void stream_missed_deadlines(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 cause, lifecycle, goodbye, lost, counted_ns, run_ns;
		int ret;
	} rows[] = {
#define ROW(cause, word, goodbye, ...) \
		{ #cause ", " #word ", " #goodbye, KVMHB_CAUSE_##cause, KVM_HEARTBEAT_##word, \
		  KVMHB_CAUSE_##goodbye, __VA_ARGS__ }
		ROW(NO_BOOT, NONE, NONE, 0, 0, 0, 0),
		ROW(NO_BOOT, NONE, NONE, 1, 0, 0, 0),		/* was reset */
		ROW(NO_BOOT, NONE, PANIC, 0, 0, 0, 0),		/* after that */
		ROW(NO_BOOT, NONE, HUNG, 0, 0, 0, -EINVAL),
		ROW(NO_BOOT, NONE, NONE, 0, 1, 0, -EINVAL),	/* no beat is known */
		ROW(NO_BOOT, NONE, NONE, 0, 0, 1, -EINVAL),
		ROW(NO_BOOT, REBOOT, REBOOT, 0, SEC, 0, 0),
		ROW(NO_BOOT, REBOOT, REBOOT, 0, 0, 0, 0),	/* has never armed */
		ROW(NO_BOOT, REBOOT, REBOOT, 1, 0, 0, -EINVAL),
		ROW(NO_BOOT, REBOOT, NONE, 0, 0, 0, -EINVAL),
		ROW(NO_BOOT, REBOOT, REBOOT, 0, SEC, SEC, -EINVAL),
		ROW(NO_BOOT, ARM, NONE, 0, 0, 0, -EINVAL),
		ROW(NO_BOOT, SHUTDOWN, SHUTDOWN, 0, 0, 0, -EINVAL),
		ROW(NO_SHUTDOWN, SHUTDOWN, SHUTDOWN, 0, SEC, 0, 0),
		ROW(NO_SHUTDOWN, SHUTDOWN, SHUTDOWN, 0, SEC + 1, 0, -EINVAL),
		ROW(NO_SHUTDOWN, SHUTDOWN, NONE, 0, 0, 0, -EINVAL),
		ROW(NO_SHUTDOWN, REBOOT, REBOOT, 0, 0, 0, -EINVAL),
		ROW(NO_SHUTDOWN, NONE, NONE, 0, 0, 0, -EINVAL),
#undef ROW
	};
	struct streamed *s = streamed_init(test);
	unsigned int i;

	s->made.silence_ns = SEC;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		s->made.cause = rows[i].cause;
		s->made.lifecycle = rows[i].lifecycle;
		s->made.goodbye = rows[i].goodbye;
		s->made.lost = rows[i].lost;
		s->made.counted_ns = rows[i].counted_ns;
		s->made.run_ns = rows[i].run_ns;
		KUNIT_EXPECT_EQ_MSG(test, parse_made(s), rows[i].ret, "row %u: %s", i,
				    rows[i].what);
	}
	s->made.cause = KVMHB_CAUSE_NO_SHUTDOWN;
	s->made.lifecycle = KVM_HEARTBEAT_SHUTDOWN;
	s->made.goodbye = KVMHB_CAUSE_SHUTDOWN;
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);
	s->made.outages = 0;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
}

/* Fields that do not go together; each row by itself, of a stream that is right. */
static void stream_contradictions(struct kunit *test)
{
	static const struct {
		const char *what;
		size_t at;
		u64 value;
		int ret;
	} rows[] = {
#define ROW(field, value, ret) \
		{ #field " is " #value, offsetof(struct kvmhb_saved, field), value, ret }
		ROW(interval_ns, 0, -EINVAL),
		ROW(interval_ns, MS - 1, -EINVAL),
		ROW(interval_ns, MS, 0),
		ROW(interval_ns, 500 * MS, -EINVAL),	/* the timeout */
		ROW(timeout_set_ns, 0, 0),
		ROW(timeout_set_ns, 200 * MS, -EINVAL),	/* the interval */
		ROW(timeout_set_ns, 5 * SEC, 0),	/* as judged by */
		ROW(timeout_set_ns, 6 * SEC, -EINVAL),	/* longer */
		ROW(judged_interval_ns, 200 * MS - 1, -EINVAL),
		ROW(judged_interval_ns, 200 * MS, 0),
		ROW(judged_interval_ns, 5 * SEC, -EINVAL),
		ROW(judged_timeout_ns, 0, -EINVAL),
		ROW(judged_timeout_ns, 2 * SEC, -EINVAL),
		ROW(retuning, 0, -EINVAL),		/* judged by something else */
		ROW(config_seq, 5, -EINVAL),
		ROW(config_seq, 0, 0),
		ROW(goodbye, KVMHB_CAUSE_HUNG, -EINVAL),
		ROW(goodbye, KVMHB_CAUSE_VMM_GONE, -EINVAL),
		ROW(goodbye, KVMHB_CAUSE_MIGRATED, -EINVAL),
		ROW(goodbye, KVMHB_CAUSE_SHUTDOWN, -EINVAL),	/* it is armed */
		ROW(lifecycle, KVM_HEARTBEAT_NONE, -EINVAL),
		ROW(lifecycle, KVM_HEARTBEAT_SHUTDOWN, -EINVAL),
		ROW(lost, 1, -EINVAL),
		ROW(outages, 0, -EINVAL),		/* it is in one */
		ROW(counted_ns, 23 * SEC, 0),
		ROW(counted_ns, 23 * SEC + 1, -EINVAL),
		ROW(run_ns, 23 * SEC, 0),
		ROW(run_ns, 23 * SEC + 1, -EINVAL),
		ROW(silence_ns, 22 * SEC - 1, -EINVAL),
		ROW(silence_ns, KVMHB_SAVED_NS, 0),
		ROW(beats, KVMHB_SAVED_COUNT, 0),
#undef ROW
	};
	struct streamed *s = streamed_init(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 *field = (u64 *)((u8 *)&s->made + rows[i].at);
		u64 good = *field;

		*field = rows[i].value;
		KUNIT_EXPECT_EQ_MSG(test, parse_made(s), rows[i].ret, "%s", rows[i].what);
		*field = good;
	}
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);

	/* Who has acknowledged is judged by what is configured. */
	s->made.retuning = 0;
	s->made.judged_interval_ns = s->made.interval_ns;
	s->made.judged_timeout_ns = s->made.timeout_set_ns;
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);
	s->made.judged_interval_ns++;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
	s->made.judged_interval_ns--;
	s->made.judged_timeout_ns++;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
	s->made.judged_timeout_ns--;

	/* A guest that beats is not silent. */
	s->made.state = KVMHB_ALIVE;
	s->made.cause = KVMHB_CAUSE_NONE;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
	s->made.silence_ns = 0;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
	s->made.counted_ns = 0;
	s->made.run_ns = 0;
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);
	s->made.state = KVMHB_STOPPED;
	s->made.cause = KVMHB_CAUSE_SHUTDOWN;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
	say_what_led_there(&s->made);
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);

	/* One that has stopped has a last beat, but no outage. */
	s->made.silence_ns = SEC;
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);
	s->made.run_ns = 1;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
	s->made.run_ns = 0;
	s->made.counted_ns = 1;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);

	/* Likewise one that has panicked. */
	s->made.state = KVMHB_PANICKED;
	s->made.cause = KVMHB_CAUSE_PANIC;
	say_what_led_there(&s->made);
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
	s->made.counted_ns = 0;
	KUNIT_EXPECT_EQ(test, parse_made(s), 0);
	s->made.run_ns = 1;
	KUNIT_EXPECT_EQ(test, parse_made(s), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(stream_bounds),
	KUNIT_CASE(stream_states),
	KUNIT_CASE(stream_words),
	KUNIT_CASE(stream_missed_deadlines),
	KUNIT_CASE(stream_contradictions),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_stream_content",
	.test_cases = cases,
};

kunit_test_suite(suite);
