// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

/* What people and programs hear, while a test listens. */
static struct {
	bool listens;
	unsigned int lines, uevents, notifications;
	char line[256], uevent[512];
} heard;

static const char error_level[] = KERN_ERR;

static __printf(3, 4) void hear_line(const char *level, const struct device *dev,
				     const char *fmt, ...)
{
	va_list args;
	int len;

	if (!heard.listens)
		return;
	heard.lines++;
	len = scnprintf(heard.line, sizeof(heard.line), "%c ", level[1]);
	va_start(args, fmt);
	vscnprintf(heard.line + len, sizeof(heard.line) - len, fmt, args);
	va_end(args);
}

static int hear_uevent(struct kobject *kobj, enum kobject_action action, char *env[])
{
	size_t len = 0;

	if (!heard.listens)
		return 0;
	heard.uevents++;
	for (; *env; env++)
		len += scnprintf(heard.uevent + len, sizeof(heard.uevent) - len, "%s\n", *env);
	return action != KOBJ_CHANGE ? -EINVAL : 0;
}

static void hear_notification(struct kobject *kobj, const char *dir, const char *attr)
{
	if (heard.listens)
		heard.notifications++;
}

#undef dev_printk
#define dev_printk hear_line
#undef dev_err
#define dev_err(dev, ...) hear_line(error_level, dev, __VA_ARGS__)
#define kobject_uevent_env hear_uevent
#define sysfs_notify hear_notification

#include "report.c"

static void stop_listening(void *unused)
{
	memset(&heard, 0, sizeof(heard));
}

static void listen(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, stop_listening, NULL), 0);
	heard.listens = true;
}

/* The lines are ABI. */
static void report_lines(struct kunit *test)
{
	static const struct {
		enum kvmhb_state old;
		struct kvmhb_verdict new;
		u64 last_beat_ms, gone_ms;
		unsigned long stale;
		const char *line;	/* behind its level */
	} rows[] = {
		{ KVMHB_DETACHED, { KVMHB_WAITING, KVMHB_CAUSE_NONE }, 0, 0, 0,
		  "6 guest is waiting\n" },
		{ KVMHB_WAITING, { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, 0, 1500, 0,
		  "6 guest is alive\n" },
		{ KVMHB_ALIVE, { KVMHB_LATE, KVMHB_CAUSE_NONE }, 3000, 0, 0,
		  "5 guest is late, last heartbeat 3.000 s ago\n" },
		{ KVMHB_LATE, { KVMHB_LATE, KVMHB_CAUSE_STARVED }, 4001, 0, 0,
		  "5 guest is late, last heartbeat 4.001 s ago (starved)\n" },
		{ KVMHB_LATE, { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG }, 4020, 0, 0,
		  "4 guest is unresponsive, last heartbeat 4.020 s ago (hung)\n" },
		{ KVMHB_UNRESPONSIVE, { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, 0, 61234, 0,
		  "5 guest is alive, gone 61.234 s\n" },
		{ KVMHB_LATE, { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED }, 2000, 0, 0,
		  "5 guest is paused, last heartbeat 2.000 s ago\n" },
		{ KVMHB_PAUSED, { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, 0, 9, 0,
		  "5 guest is alive, gone 0.009 s\n" },
		{ KVMHB_ALIVE, { KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL }, 0, 0, 0x16,
		  "4 guest is degraded, stale CPUs 1-2,4 (partial)\n" },
		{ KVMHB_DEGRADED, { KVMHB_DEGRADED, KVMHB_CAUSE_USERSPACE }, 0, 0, 0,
		  "4 guest is degraded (userspace)\n" },
		{ KVMHB_DEGRADED, { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, 0, 1000, 0,
		  "6 guest is alive\n" },
		{ KVMHB_WAITING, { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, 0, 0, 0,
		  "4 guest is panicked (panic)\n" },
		{ KVMHB_ALIVE, { KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT }, 5000, 0, 0,
		  "4 guest is panicked, last heartbeat 5.000 s ago (triple-fault)\n" },
		{ KVMHB_ALIVE, { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT }, 5000, 0, 0,
		  "6 guest is stopped (reboot)\n" },
		{ KVMHB_STOPPED, { KVMHB_DETACHED, KVMHB_CAUSE_VMM_GONE }, 5000, 0, 0,
		  "6 guest is detached (vmm-gone)\n" },
	};
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS) = {};
	char text[TEXT_LEN], line[TEXT_LEN + 4];
	const char *level;
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct kvmhb_transition t = {
			.old = rows[i].old,
			.new = rows[i].new,
			.last_beat_ns = rows[i].last_beat_ms * MS,
			.gone_ns = rows[i].gone_ms * MS,
			.stale = stale,
		};

		stale[0] = rows[i].stale;
		level = report_text(text, &t);
		snprintf(line, sizeof(line), "%c %s\n", level[1], text);
		KUNIT_EXPECT_STREQ(test, line, rows[i].line);
	}
}

static struct kvmhb_transition from_to(enum kvmhb_state old, enum kvmhb_state new)
{
	static const unsigned long none[BITS_TO_LONGS(KVMHB_PULSE_MAX_SLOTS)];

	return (struct kvmhb_transition) {
		.old = old, .new = { new }, .vmm_pid = 77, .stale = none,
	};
}

/* By a reporter whose limits are far away. */
static void report_one(struct kunit *test, const struct kvmhb_transition *t)
{
	static struct device dev = { .init_name = "kvm_heartbeat_kunit" };
	struct kvmhb_reporter reporter = {};

	memset(windows, 0, sizeof(windows));
	kvmhb_reporter_init(&reporter, &dev);
	kvmhb_report(&reporter, t);
	kvmhb_report_flush(&reporter);
	memset(windows, 0, sizeof(windows));
}

/* The uevent has all that there is to say, and says it as the log does. */
static void report_uevents(struct kunit *test)
{
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS) = {};
	struct kvmhb_transition t = from_to(KVMHB_LATE, KVMHB_UNRESPONSIVE);
	unsigned int cpu;

	KUNIT_ASSERT_EQ(test, kvmhb_reports_init(), 0);
	listen(test);
	t.new.cause = KVMHB_CAUSE_HUNG;
	t.last_beat_ns = 4020 * MS;
	report_one(test, &t);
	KUNIT_EXPECT_STREQ(test, heard.line,
			   "4 guest is unresponsive, last heartbeat 4.020 s ago (hung)\n");
	KUNIT_EXPECT_STREQ(test, heard.uevent,
			   "HEARTBEAT_OLD=late\n"
			   "HEARTBEAT_STATE=unresponsive\n"
			   "HEARTBEAT_CAUSE=hung\n"
			   "HEARTBEAT_VMM_PID=77\n"
			   "HEARTBEAT_UUID=kvm_heartbeat_kunit\n"
			   "HEARTBEAT_MESSAGE=guest is unresponsive, last heartbeat 4.020 s ago (hung)\n");

	/* Also where the log waits until it is over. */
	t = from_to(KVMHB_ALIVE, KVMHB_PAUSED);
	t.by_vmm = true;
	t.last_beat_ns = 2000 * MS;
	report_one(test, &t);
	KUNIT_EXPECT_EQ(test, heard.lines, 1);
	KUNIT_EXPECT_EQ(test, heard.uevents, 2);
	KUNIT_EXPECT_NOT_NULL(test, strstr(heard.uevent, "paused, last heartbeat 2.000 s ago\n"));

	/* The longest ones come to their end. */
	t = from_to(KVMHB_ALIVE, KVMHB_DEGRADED);
	t.new.cause = KVMHB_CAUSE_SOFTLOCKUP;
	t.stale = stale;
	for (cpu = 1; cpu < KVMHB_PULSE_MAX_SLOTS; cpu += 2)
		__set_bit(cpu, stale);
	report_one(test, &t);
	KUNIT_EXPECT_NOT_NULL(test, strstr(heard.line, ",... (softlockup)\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(heard.uevent, ",... (softlockup)\n"));
	t = from_to(KVMHB_LATE, KVMHB_UNRESPONSIVE);
	t.new.cause = KVMHB_CAUSE_HOST_DEGRADED;
	t.last_beat_ns = U64_MAX;
	t.vmm_pid = INT_MIN;
	report_one(test, &t);
	KUNIT_EXPECT_NOT_NULL(test, strstr(heard.uevent, "VMM_PID=-2147483648\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(heard.uevent, "073.709 s ago (host-degraded)\n"));
	kvmhb_reports_exit();
}

/* A guest that is late time and again does not hide its own outage, nor what it became. */
static void report_flood(struct kunit *test)
{
	const struct kvmhb_transition late = from_to(KVMHB_ALIVE, KVMHB_LATE);
	const struct kvmhb_transition outage = from_to(KVMHB_LATE, KVMHB_UNRESPONSIVE);
	const struct kvmhb_transition back = from_to(KVMHB_UNRESPONSIVE, KVMHB_ALIVE);
	static struct device dev = { .init_name = "kvm_heartbeat_kunit" };
	struct kvmhb_reporter reporter = {};
	unsigned int i;

	/* What was left of it is the monitor's test. */
	memset(windows, 0, sizeof(windows));
	KUNIT_ASSERT_EQ(test, kvmhb_reports_init(), 0);
	listen(test);
	kvmhb_reporter_init(&reporter, &dev);
	kvmhb_report(&reporter, &late);
	KUNIT_EXPECT_STREQ(test, heard.uevent,
			   "HEARTBEAT_OLD=alive\n"
			   "HEARTBEAT_STATE=late\n"
			   "HEARTBEAT_CAUSE=none\n"
			   "HEARTBEAT_VMM_PID=77\n"
			   "HEARTBEAT_UUID=kvm_heartbeat_kunit\n"
			   "HEARTBEAT_MESSAGE=guest is late\n");
	KUNIT_EXPECT_EQ(test, heard.notifications, 2);
	for (i = 1; i < 3 * REPORT_BURST; i++)
		kvmhb_report(&reporter, &late);
	KUNIT_EXPECT_EQ(test, heard.lines, REPORT_BURST);
	KUNIT_EXPECT_EQ(test, heard.uevents, REPORT_BURST);
	kvmhb_report(&reporter, &outage);
	kvmhb_report(&reporter, &back);
	KUNIT_EXPECT_EQ(test, heard.lines, REPORT_BURST + 2);
	KUNIT_EXPECT_EQ(test, heard.uevents, REPORT_BURST + 2);
	KUNIT_EXPECT_STREQ(test, heard.uevent,
			   "HEARTBEAT_OLD=unresponsive\n"
			   "HEARTBEAT_STATE=alive\n"
			   "HEARTBEAT_CAUSE=none\n"
			   "HEARTBEAT_VMM_PID=77\n"
			   "HEARTBEAT_UUID=kvm_heartbeat_kunit\n"
			   "HEARTBEAT_MESSAGE=guest is alive, gone 0.000 s\n");

	/* Who polls is woken for the last one too. */
	reporter.notify_from_ns = U64_MAX;
	kvmhb_report(&reporter, &late);
	kvmhb_report_flush(&reporter);
	KUNIT_EXPECT_TRUE(test, list_empty(&reporter.notify_entry));
	KUNIT_EXPECT_GE(test, heard.notifications, 4);
	heard.listens = false;
	kvmhb_reports_exit();
}

/* Guests that flap do not hide from the log one that has not yet been in it. */
static void report_window_of_all(struct kunit *test)
{
	struct kvmhb_reporter flaps = {}, other = {};
	unsigned int i, logged = 0;

	memset(windows, 0, sizeof(windows));
	for (i = 0; i < 2 * ALL_BURST; i++)
		logged += report_may_log(&flaps, false);
	KUNIT_EXPECT_EQ(test, logged, ALL_BURST + 1);
	KUNIT_EXPECT_EQ(test, windows[false].missed, 2 * ALL_BURST - logged);
	KUNIT_EXPECT_TRUE(test, report_may_log(&other, false));
	KUNIT_EXPECT_FALSE(test, report_may_log(&other, false));
	KUNIT_EXPECT_TRUE(test, report_may_log(&flaps, true));
	memset(windows, 0, sizeof(windows));
}

/* Whoever tries without end is told no more; others are, and that his guest is dead is said. */
static void report_refusals(struct kunit *test)
{
	const struct kvmhb_transition outage = from_to(KVMHB_LATE, KVMHB_UNRESPONSIVE);
	static struct device dev = { .init_name = "kvm_heartbeat_kunit" };
	static struct device other_dev = { .init_name = "kvm_heartbeat_kunit_other" };
	static struct kvmhb_reporter reporter, other;	/* large, with lockdep */
	unsigned int i;

	memset(windows, 0, sizeof(windows));
	KUNIT_ASSERT_EQ(test, kvmhb_reports_init(), 0);
	listen(test);
	kvmhb_reporter_init(&reporter, &dev);
	kvmhb_reporter_init(&other, &other_dev);
	for (i = 0; i < 3 * REPORT_BURST; i++)
		kvmhb_report_refusal(&reporter, "it is none");
	KUNIT_EXPECT_EQ(test, heard.lines, REPORT_BURST);
	KUNIT_EXPECT_STREQ(test, heard.line, "3 the guest cannot go on here: it is none\n");
	kvmhb_report_refusal(&other, "it is none");
	KUNIT_EXPECT_EQ(test, heard.lines, REPORT_BURST + 1);
	kvmhb_report(&reporter, &outage);
	KUNIT_EXPECT_EQ(test, heard.lines, REPORT_BURST + 2);
	heard.listens = false;
	kvmhb_report_flush(&reporter);
	kvmhb_reports_exit();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(report_lines),
	KUNIT_CASE(report_uevents),
	KUNIT_CASE(report_flood),
	KUNIT_CASE(report_refusals),
	KUNIT_CASE(report_window_of_all),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_report",
	.test_cases = cases,
};

kunit_test_suite(suite);
