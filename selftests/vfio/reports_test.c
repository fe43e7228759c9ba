// SPDX-License-Identifier: GPL-2.0
/*
 * What is said of a guest, to whom, and not too often
 */
#include "vfio_test.h"

/* Whether an uevent names the monitor and its VMM, and has no less to say than this. */
static bool uevent_says(struct monitor *m, const char *buf, const char *message)
{
	char pid[64], uuid[64], text[256];

	snprintf(pid, sizeof(pid), " HEARTBEAT_VMM_PID=%d ", getpid());
	snprintf(uuid, sizeof(uuid), " HEARTBEAT_UUID=%.36s ", m->uuid);
	snprintf(text, sizeof(text), " HEARTBEAT_MESSAGE=%s", message);
	return strstr(buf, pid) && strstr(buf, uuid) && strstr(buf, text);
}

TEST_F(hb, uevents)
{
	int fd = uevent_socket(), log = log_open();
	char buf[4096], *message, *end;

	ASSERT_LE(0, fd);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, "ACTION=change "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_OLD=waiting "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=alive "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_CAUSE=none "));
	EXPECT_TRUE(uevent_says(&self->m, buf, "guest is alive "));
	say(&self->m, KVM_HEARTBEAT_PANIC);
	ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_OLD=alive "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=panicked "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_CAUSE=panic "));
	EXPECT_TRUE(uevent_says(&self->m, buf, "guest is panicked, last heartbeat "));

	/* It is what the log says. */
	message = strstr(buf, "guest is panicked");
	end = strstr(buf, " (panic) ");
	ASSERT_NE(NULL, message);
	ASSERT_NE(NULL, end);
	end[strlen(" (panic)")] = 0;
	EXPECT_EQ(1, log_lines(log, message));
	close(log);

	/* Of a VMM that has gone it says which one it was. */
	monitor_close(&self->m);
	ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=detached "));
	EXPECT_TRUE(uevent_says(&self->m, buf, "guest is detached (panic) "));
	EXPECT_EQ(0, attr(&self->m, "vmm_pid"));
	ASSERT_EQ(0, monitor_open(&self->m));
	close(fd);
}

/* A pause that the VMM announces is no line in the log, but an event. */
TEST_F(hb, uevent_of_a_pause)
{
	int fd = uevent_socket(), log;
	char buf[4096];

	ASSERT_LE(0, fd);
	/* An hour, so that nobody's delay counts. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	log = log_open();
	ASSERT_EQ(0, mig_set(&self->m, VFIO_DEVICE_STATE_STOP, NULL));
	ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=paused "));
	EXPECT_TRUE(uevent_says(&self->m, buf, "guest is paused, last heartbeat "));
	EXPECT_EQ(0, log_lines(log, self->m.uuid));
	ASSERT_EQ(0, mig_set(&self->m, VFIO_DEVICE_STATE_RUNNING, NULL));
	close(log);
	close(fd);
}

/* A guest that changes its mind all the time fills neither log nor memory. */
TEST_F(hb, lifecycle_storm)
{
	int log = log_open(), outages = log_open();
	double begin = now_s();
	unsigned int lines;
	int i;

	for (i = 0; i < 20000; i++)
		say(&self->m, i % 6);

	/* What matters is not crowded out. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_LE(1, log_lines(outages, "guest is unresponsive"));

	for (i = 0; i < 20000; i++)
		say(&self->m, i % 7);
	lines = log_lines(log, self->m.uuid);
	/* Twice 20 lines in 10 s, each with one that says how many were kept back. */
	EXPECT_LE(1, lines);
	EXPECT_GE(42 * ((now_s() - begin) / 10 + 2), lines);
	close(outages);
	close(log);
}

/* How often whoever polls the state is woken until the guest has shut down, or -1. */
static void *listen_until_shutdown(void *arg)
{
	struct monitor *m = arg;
	struct pollfd pfd = { .events = POLLPRI };
	long wakes = 0;
	char state[32];

	/* The texts of files are in static memory: read them by ourselves. */
	pfd.fd = open(attr_path(m, "cause"), O_RDONLY);
	for (;;) {
		ssize_t len = pread(pfd.fd, state, sizeof(state), 0);

		if (len > 0 && !strncmp(state, "shutdown\n", len))
			break;
		if (len <= 0 || poll(&pfd, 1, PATIENCE_MS) != 1) {
			wakes = -1;
			break;
		}
		wakes++;
	}
	close(pfd.fd);
	return (void *)wakes;
}

/* Those who poll are woken at most once in 10 ms, and are told of the last change. */
TEST_F(hb, listeners_are_not_kept_busy)
{
	double begin = now_s();
	pthread_t thread;
	void *wakes;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, listen_until_shutdown, &self->m));
	for (i = 0; i < 20000; i++) {
		say(&self->m, KVM_HEARTBEAT_UNLOAD);
		say(&self->m, KVM_HEARTBEAT_ARM);
	}
	say(&self->m, KVM_HEARTBEAT_SHUTDOWN);
	ASSERT_EQ(0, pthread_join(thread, &wakes));
	EXPECT_LE(0, (long)wakes);
	EXPECT_GE((now_s() - begin) * 100 + 3, (long)wakes);
}

/* One line a word, and two for panic and rearming, were there no limits. */
TEST(all_together_log_no_flood)
{
	enum { MONITORS = 60, WORDS = 40 };
	struct monitor m[MONITORS];
	double begin = now_s();
	unsigned int lines = 0;
	int log = log_open();
	int i, word;

	for (i = 0; i < MONITORS; i++) {
		ASSERT_EQ(0, monitor_create(&m[i], i));
		ASSERT_EQ(0, monitor_open(&m[i]));
		for (word = 0; word < WORDS; word++) {
			say(&m[i], KVM_HEARTBEAT_ARM);
			say(&m[i], KVM_HEARTBEAT_UNLOAD);
			say(&m[i], KVM_HEARTBEAT_ARM);
			say(&m[i], KVM_HEARTBEAT_PANIC);
		}
		EXPECT_TRUE(is(&m[i], "panicked", "panic"));
		lines += log_lines(log, " guest is ");
	}
	/* 500 and 500 in 10 s; the windows need not begin when we do. */
	EXPECT_LE(lines, 1000 * ((unsigned int)((now_s() - begin) / 10) + 2));
	EXPECT_GE(lines, 900);
	close(log);
	for (i = 0; i < MONITORS; i++) {
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
}

/* Guests that panic time and again use up their own share of the log, not another's. */
TEST(those_who_flap_hide_nobody)
{
	enum { MONITORS = 60, PANICS = 20 };
	struct monitor m[MONITORS + 1];
	int log = log_open();
	int i, panic;

	for (i = 0; i <= MONITORS; i++) {
		ASSERT_EQ(0, monitor_create(&m[i], i));
		ASSERT_EQ(0, monitor_open(&m[i]));
		for (panic = 0; panic < (i < MONITORS ? PANICS : 1); panic++) {
			say(&m[i], KVM_HEARTBEAT_ARM);
			say(&m[i], KVM_HEARTBEAT_PANIC);
		}
	}
	/* They have many lines, and the last of them has its one. */
	EXPECT_EQ(1, log_lines(log, m[MONITORS].uuid) >= 1);
	close(log);
	for (i = 0; i <= MONITORS; i++) {
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
}
