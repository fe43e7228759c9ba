// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that fall silent, and those that come back
 */
#include "vfio_test.h"

TEST_F(hb, outage)
{
	static const char judged[] = "state=unresponsive cause=unknown silence_ns=";
	__u64 downtime, silence, run;

	EXPECT_STREQ("(No data available)", attr_text(&self->m, "evidence"));
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "20000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "unknown"));
	/* Without KVM nothing is known of vCPUs: one line. */
	EXPECT_EQ(0, strncmp(judged, attr_text(&self->m, "evidence"), strlen(judged)));
	EXPECT_EQ(NULL, strchr(attr_text(&self->m, "evidence"), '\n'));
	ASSERT_TRUE(judged_by(&self->m, &silence, &run));
	EXPECT_LE(40 * MS, run);
	EXPECT_LE(run, silence);
	EXPECT_LE(silence, attr(&self->m, "last_beat_ns"));
	EXPECT_EQ(1, attr(&self->m, "outages"));
	EXPECT_LE(40 * MS, attr(&self->m, "last_beat_ns"));
	EXPECT_LE(40 * MS, attr(&self->m, "downtime_ns"));
	EXPECT_LE(1, attr(&self->m, "missed"));

	/* One silence, two outages: no time of it is counted twice. */
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "86400000000000"));
	EXPECT_TRUE(is(&self->m, "late", "none"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "0"));
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_EQ(2, attr(&self->m, "outages"));
	downtime = attr(&self->m, "downtime_ns");
	EXPECT_GE(attr(&self->m, "last_beat_ns"), downtime);

	/* No new beat is due for a long time: what follows is not racing. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	EXPECT_TRUE(is(&self->m, "alive", "none"));
	ring(&self->m);
	EXPECT_TRUE(is(&self->m, "alive", "none"));
	EXPECT_EQ(2, attr(&self->m, "outages"));
	EXPECT_LE(downtime, attr(&self->m, "downtime_ns"));
	EXPECT_EQ(attr(&self->m, "downtime_ns"), attr(&self->m, "downtime_ns"));
}

/* A guest that owes no beats, but has to boot, and to end. */
TEST_F(hb, deadlines)
{
	static const char judged[] = "state=unresponsive cause=no-boot silence_ns=";
	int log = log_open();
	__u64 silence, run;

	/* It has been waiting for as long as it likes. */
	ASSERT_EQ(0, attr_set(&self->m, "boot_timeout_ns", "50000000"));
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "no-boot"));
	EXPECT_EQ(0, strncmp(judged, attr_text(&self->m, "evidence"), strlen(judged)));
	ASSERT_TRUE(judged_by(&self->m, &silence, &run));
	EXPECT_LE(50 * MS, run);
	EXPECT_LE(run, silence);
	EXPECT_EQ(1, log_lines(log, "guest is unresponsive (no-boot)"));
	EXPECT_EQ(1, attr(&self->m, "outages"));
	EXPECT_EQ(0, attr(&self->m, "missed"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "suspicion"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "last_beat_ns"));
	ring(&self->m);
	EXPECT_EQ(0, attr(&self->m, "beats"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "no-boot"));

	/* A reset is another boot, with a deadline of its own. */
	ASSERT_EQ(0, attr_set(&self->m, "boot_timeout_ns", "86400000000000"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "no-boot"));
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	EXPECT_TRUE(is(&self->m, "waiting", "none"));
	ASSERT_EQ(0, attr_set(&self->m, "boot_timeout_ns", "1000000"));
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_EQ(2, attr(&self->m, "outages"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	EXPECT_TRUE(is(&self->m, "alive", "none"));
	EXPECT_EQ(1, attr(&self->m, "boots"));
	EXPECT_LE(1, attr(&self->m, "downtime_ns"));

	/* It reboots, and does not come back. */
	say(&self->m, KVM_HEARTBEAT_REBOOT);
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "no-boot"));

	/* It ends, and stays. */
	ASSERT_EQ(0, attr_set(&self->m, "shutdown_timeout_ns", "20000000"));
	say(&self->m, KVM_HEARTBEAT_SHUTDOWN);
	ASSERT_TRUE(becomes(&self->m, "cause", "no-shutdown"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "no-shutdown"));
	EXPECT_EQ(KVM_HEARTBEAT_SHUTDOWN, reg_read(&self->m, KVM_HEARTBEAT_REG_LIFECYCLE));
	EXPECT_EQ(4, attr(&self->m, "outages"));
	monitor_close(&self->m);
	EXPECT_TRUE(is(&self->m, "detached", "shutdown"));
	close(log);
}

TEST_F(hb, recovery_by_a_beat)
{
	int fd = uevent_socket();
	char buf[4096];
	__u64 missed;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "1200000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	/* The gap from arming to the first beat is no interval either. */
	ring(&self->m);
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	missed = attr(&self->m, "missed");
	ring(&self->m);
	/* By uevents, as the guest may be late again before we look. */
	do {
		ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	} while (!strstr(buf, "HEARTBEAT_OLD=unresponsive "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=alive "));
	EXPECT_EQ(2, attr(&self->m, "beats"));
	EXPECT_LE(1, attr(&self->m, "outages"));
	EXPECT_LE(1200 * MS, attr(&self->m, "downtime_ns"));
	EXPECT_LE(missed, attr(&self->m, "missed"));
	/* The gap that ended an outage is downtime, not an interval. */
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_max_ns"));
	close(fd);
}

/* Suspicion grows with a silence, and decides nothing. */
TEST_F(hb, suspicion)
{
	__u64 calm;

	EXPECT_STREQ("(No data available)", attr_text(&self->m, "suspicion"));
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	calm = attr(&self->m, "suspicion");
	EXPECT_GE(100, calm);

	/* Milliseconds of silence are much for an interval of 1 ms. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "120000000000"));
	ack(&self->m);
	ring(&self->m);
	ASSERT_TRUE(becomes(&self->m, "state", "late"));
	/* Late is half an interval beyond the mean, and a deviation is a quarter. */
	EXPECT_LE(1643, attr(&self->m, "suspicion"));
	EXPECT_EQ(0, attr(&self->m, "outages"));

	say(&self->m, KVM_HEARTBEAT_UNLOAD);
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "suspicion"));
}

static atomic_bool hog_may_end;

static void *await_outage(void *arg)
{
	bool seen = becomes(arg, "state", "unresponsive");

	atomic_store(&hog_may_end, true);
	return (void *)seen;
}

/* Who has a CPU to itself, by real-time priority, keeps no timer there from expiring. */
TEST_F(hb, a_real_time_hog_hides_nothing)
{
	struct sched_param fifo = { .sched_priority = 50 }, other = {};
	cpu_set_t all, mine, rest;
	pthread_t thread;
	double end;
	void *seen;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	CPU_ZERO(&mine);
	CPU_SET(sched_getcpu(), &mine);
	CPU_XOR(&rest, &all, &mine);
	if (!CPU_COUNT(&rest))
		SKIP(return, "needs a second CPU");

	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "86400000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(becomes(&self->m, "state", "late"));

	atomic_store(&hog_may_end, false);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(rest), &rest));
	ASSERT_EQ(0, pthread_create(&thread, NULL, await_outage, &self->m));
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(mine), &mine));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &fifo));
	/* A look, and the timer of the next one, on this CPU. */
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "5000000000"));
	for (end = now_s() + 20; !atomic_load(&hog_may_end) && now_s() < end;)
		;
	EXPECT_TRUE(atomic_load(&hog_may_end));
	sched_setscheduler(0, SCHED_OTHER, &other);
	sched_setaffinity(0, sizeof(all), &all);
	ASSERT_EQ(0, pthread_join(thread, &seen));
	EXPECT_TRUE((long)seen);
}

/*
 * Fall silent together, until all are unresponsive. Returns how often one of them was
 * held because of the host, or -1.
 */
static int silent_together(struct monitor *m, int n)
{
	char buf[4096];
	int fds[3], i, held = 0;

	for (i = 0; i < n; i++) {
		fds[i] = uevent_socket();
		if (fds[i] < 0 || monitor_create(&m[i], 'a' + i) || monitor_open(&m[i]) ||
		    attr_set(&m[i], "timeout_ns", "8000000000"))
			return -1;
	}
	for (i = 0; i < n; i++)
		say(&m[i], KVM_HEARTBEAT_ARM);
	for (i = 0; i < n; i++) {
		do {
			if (!uevent_next(fds[i], &m[i], buf, sizeof(buf)))
				return -1;
			if (strstr(buf, "HEARTBEAT_CAUSE=host-degraded "))
				held++;
		} while (!strstr(buf, "HEARTBEAT_STATE=unresponsive "));
		close(fds[i]);
	}
	return held;
}

/* However many are silent at the same time, each is judged by itself. */
TEST(a_crowd_delays_nobody)
{
	__u64 silence = 0, run = 0;
	struct monitor m[3];
	bool excused;
	int held, i;

	held = silent_together(m, 3);
	ASSERT_LE(0, held);
	for (i = 0, excused = false; i < 3; i++) {
		EXPECT_TRUE(is(&m[i], "unresponsive", "unknown"));
		EXPECT_EQ(1, attr(&m[i], "outages"));
		EXPECT_TRUE(judged_by(&m[i], &silence, &run));
		excused |= silence - run > 800 * MS;
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
	/* But this host may have been late itself, by a tenth of the timeout. */
	EXPECT_TRUE(!held || excused);
}
