// SPDX-License-Identifier: GPL-2.0
#include "monitored.h"

#include "settings.c"

/* What users set, in minutes. */
static void settings_are_checked(struct kunit *test)
{
#define LEAVE	U64_MAX
	static const struct {
		const char *what;
		u64 interval, timeout;	/* or LEAVE */
		int ret;
		u64 new_interval, new_timeout;
		bool changes;
	} rows[] = {
		{ "the interval is too long", 61, LEAVE, -ERANGE, 30, 60, false },
		{ "too short", 0, LEAVE, -ERANGE, 30, 60, false },
		{ "the timeout is too long", LEAVE, 24 * 60 + 1, -ERANGE, 30, 60, false },
		{ "not above the interval", LEAVE, 30, -EINVAL, 30, 60, false },
		{ "the timeout follows", 40, LEAVE, 0, 40, 80, true },
		{ "as before", 40, LEAVE, 0, 40, 80, false },
		{ "nothing at all", LEAVE, LEAVE, 0, 40, 80, false },
		{ "the same timeout, but set", LEAVE, 80, 0, 40, 80, false },
		{ "it does not follow any more", 50, LEAVE, 0, 50, 80, true },
		{ "both", 10, 55, 0, 10, 55, true },
		{ "not above the timeout that is set", 55, LEAVE, -EINVAL, 10, 55, false },
		{ "longest", LEAVE, 24 * 60, 0, 10, 24 * 60, true },
		{ "it follows again", LEAVE, 0, 0, 10, 20, true },
		{ "and again", 60, LEAVE, 0, 60, 120, true },
	};
	struct monitor_test *m;
	int attached, i;

	for (attached = 0; attached < 2; attached++) {
		m = monitor_test_init(test, 30 * MINUTE, 0);
		if (attached)
			attach(m);
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			u64 interval_ns = rows[i].interval * MINUTE;
			u64 timeout_ns = rows[i].timeout * MINUTE;
			const u64 *interval = rows[i].interval == LEAVE ? NULL : &interval_ns;
			const u64 *timeout = rows[i].timeout == LEAVE ? NULL : &timeout_ns;
			u32 seq = m->pulse.config_seq;
			int changes = m->config_changes;
			int ret;

			ret = kvmhb_monitor_configure(&m->mon, interval, timeout);
			KUNIT_EXPECT_EQ_MSG(test, ret, rows[i].ret, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, read_of(m).timing.interval_ns,
					    rows[i].new_interval * MINUTE, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, read_of(m).timing.timeout_ns,
					    rows[i].new_timeout * MINUTE, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, m->config_changes - changes,
					    attached && rows[i].changes, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, m->pulse.config_seq - seq,
					    attached && rows[i].changes ? 2 : 0, "%s",
					    rows[i].what);
			if (!attached)
				continue;
			KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(m->pulse.header->interval_ns),
					    rows[i].new_interval * MINUTE, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(m->pulse.header->timeout_ns),
					    rows[i].new_timeout * MINUTE, "%s", rows[i].what);
		}
		kunit_release_action(test, monitor_test_exit, m);
	}
#undef LEAVE
}

static void set_interval(struct kunit *test, struct monitor_test *m, u64 interval_ns)
{
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, &interval_ns, NULL), 0);
}

/* What the guest is judged by, in minutes. */
static void expect_judged_by(struct kunit *test, struct monitor_test *m, u64 interval, u64 timeout,
			     bool retuning, const char *when)
{
	KUNIT_EXPECT_EQ_MSG(test, m->mon.timing.interval_ns, interval * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.timing.timeout_ns, timeout * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.judging.interval_ns, interval * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.tally.interval_ns, interval * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.retuning, retuning, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.tally.retuning, retuning, "%s", when);
}

/* Between a change of the interval and the beat that acknowledges it. */
static void settings_retune(struct kunit *test)
{
	struct monitor_test *m = monitor_test_init(test, 30 * MINUTE, 0);
	struct kvm_heartbeat_pulse_header *header;
	u64 timeout_ns = 50 * MINUTE;

	attach(m);
	header = m->pulse.header;
	header->config_ack = header->config_seq;
	say(m, KVM_HEARTBEAT_ARM);
	expect_judged_by(test, m, 30, 60, false, "at first");

	set_interval(test, m, 10 * MINUTE);
	expect_judged_by(test, m, 30, 60, true, "shorter");
	beat(m);
	expect_judged_by(test, m, 30, 60, true, "beats by the old one");
	silent_for(m, 40 * MINUTE);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "as long as it was to");
	set_interval(test, m, 45 * MINUTE);
	expect_judged_by(test, m, 45, 90, true, "longer than both");
	set_interval(test, m, 5 * MINUTE);
	expect_judged_by(test, m, 45, 90, true, "shortest");
	header->config_ack = cpu_to_le32(m->pulse.config_seq - 2);
	beat(m);
	expect_judged_by(test, m, 45, 90, true, "beats by the one before");
	KUNIT_EXPECT_EQ(test, m->wakes, 0);
	header->config_ack = header->config_seq;
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 1);
	expect_judged_by(test, m, 5, 10, false, "beats by the newest");
	KUNIT_EXPECT_EQ(test, read_of(m).gaps.n, 0);

	/* The guest has nothing to do with the timeout. */
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, NULL, &timeout_ns), 0);
	expect_judged_by(test, m, 5, 50, false, "timeout");
	KUNIT_EXPECT_EQ(test, m->config_changes, 4);

	/* Arming by it says so too; an end of the guest, or of its VM, leaves nobody to ask. */
	set_interval(test, m, 20 * MINUTE);
	set_interval(test, m, 10 * MINUTE);
	expect_judged_by(test, m, 20, 50, true, "once more");
	header->config_ack = header->config_seq;
	say(m, KVM_HEARTBEAT_ARM);
	expect_judged_by(test, m, 10, 50, false, "armed");
	set_interval(test, m, 5 * MINUTE);
	expect_judged_by(test, m, 10, 50, true, "before the reset");
	kvmhb_monitor_reset(&m->mon);
	expect_judged_by(test, m, 5, 50, false, "after the reset");
	say(m, KVM_HEARTBEAT_ARM);
	set_interval(test, m, 3 * MINUTE);
	expect_judged_by(test, m, 5, 50, true, "before the end");
	kvmhb_monitor_detach(&m->mon);
	expect_judged_by(test, m, 3, 50, false, "after the end");
	set_interval(test, m, 2 * MINUTE);
	expect_judged_by(test, m, 2, 50, false, "detached");
}

/* A shorter timeout is that of a silence that lasts, too. */
static void settings_of_a_silent_guest(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	u64 timeout_ns = 3 * HOUR;

	attach_and_arm(m);
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 10);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, NULL, &timeout_ns), 0);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "shorter");
	timeout_ns = 5 * HOUR;
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, NULL, &timeout_ns), 0);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "longer");
	KUNIT_EXPECT_EQ(test, read_of(m).outages, 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(settings_are_checked),
	KUNIT_CASE(settings_retune),
	KUNIT_CASE(settings_of_a_silent_guest),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_settings",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
