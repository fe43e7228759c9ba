// SPDX-License-Identifier: GPL-2.0
/*
 * Migration: how it ends other than by another one's taking over, in each of its states
 */
#include "vfio_test.h"

/* What the VMM keeps of a transfer that is over is of no use, and does no harm. */
static bool is_dead(int fd)
{
	__u8 byte = 0;

	return read_stream(fd, &byte, 1, 1) == ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ?
						-ENODEV : -EBADF) &&
	       write_stream(fd, &byte, 1, 1) == ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY ?
						 -ENODEV : -EBADF);
}

enum ending { RESET, STOP, RUN, CLOSE, NR_ENDINGS };

/* In each state, with the file open. */
TEST_F(pair, migration_ends)
{
	unsigned int states = has_precopy(&self->to) ? NR_MIG_STATES : PRE_COPY, state;
	struct monitor *m = &self->to;
	__u8 stream[STREAM_MAX];
	enum ending ending;
	ssize_t length;
	int fd;

	arm(&self->from);
	length = mig_save(&self->from, stream);
	ASSERT_LT(4096, length);
	for (state = VFIO_DEVICE_STATE_STOP; state < states; state++) {
		for (ending = 0; ending < NR_ENDINGS; ending++) {
			bool loads = state == VFIO_DEVICE_STATE_RESUMING && ending != RESET;

			arm(m);
			ASSERT_EQ(0, mig_set(m, state, &fd)) TH_LOG("%u", state);
			if (loads)
				ASSERT_EQ(0, write_stream(fd, stream, length, 1000));
			if (ending == RESET) {
				ASSERT_EQ(0, ioctl(m->device, VFIO_DEVICE_RESET));
				EXPECT_EQ(VFIO_DEVICE_STATE_RUNNING, mig_get(m));
				EXPECT_TRUE(is(m, "waiting", "none"));
			} else if (ending == STOP) {
				ASSERT_EQ(0, mig_set(m, VFIO_DEVICE_STATE_STOP, NULL));
				EXPECT_TRUE(is(m, "paused", "paused"));
				ASSERT_EQ(0, mig_set(m, VFIO_DEVICE_STATE_RUNNING, NULL));
			} else if (ending == RUN) {
				ASSERT_EQ(0, mig_set(m, VFIO_DEVICE_STATE_RUNNING, NULL));
				EXPECT_TRUE(is(m, "alive", "none"));
			} else {
				monitor_close(m);
				EXPECT_TRUE(is(m, "detached", "vmm-gone"));
				EXPECT_TRUE(fd < 0 || is_dead(fd)) TH_LOG("%u, closed", state);
				ASSERT_EQ(0, monitor_open(m));
				EXPECT_TRUE(is(m, "waiting", "none"));
				EXPECT_EQ(VFIO_DEVICE_STATE_RUNNING, mig_get(m));
			}
			EXPECT_TRUE(fd < 0 || is_dead(fd)) TH_LOG("%u, %d", state, ending);
			if (fd >= 0)
				close(fd);
		}
	}
}

/* How many objects of 8 KiB the kernel has, or -1 if that cannot be read. */
static long count_large_objects(bool shrink)
{
	long sum = 0, objects;
	char line[256], name[64], path[128];
	FILE *caches = fopen("/proc/slabinfo", "re");

	if (!caches)
		return -1;
	while (fgets(line, sizeof(line), caches)) {
		if (sscanf(line, "%63s %ld", name, &objects) != 2 ||
		    strncmp(name, "kmalloc-", 8) || !strstr(name, "-8k"))
			continue;
		sum += objects;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
		if (shrink)
			write_file(path, "1");
	}
	fclose(caches);
	return sum;
}

/*
 * A stream's room, and the one by which a refused one is undone, are two of them. KASAN keeps what
 * was freed until its cache is to shrink.
 */
static long large_objects(void)
{
	count_large_objects(true);
	return count_large_objects(false);
}

/* Only the VMM's limit of files bounds how many it keeps. */
TEST_F(hb, migration_files_that_are_over_hold_no_memory)
{
	int fds[64];
	unsigned int i;
	long before;

	ASSERT_EQ(0, mig_set(&self->m, VFIO_DEVICE_STATE_RESUMING, &fds[0]));
	before = large_objects();
	ASSERT_LT(0, before);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (i)
			ASSERT_EQ(0, mig_set(&self->m, VFIO_DEVICE_STATE_RESUMING, &fds[i]));
		ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
		EXPECT_TRUE(is_dead(fds[i]));
	}
	/* What others have meanwhile is less than one of each. */
	EXPECT_LT(large_objects(), before + (long)ARRAY_SIZE(fds) / 2);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* It has moved if the whole stream was taken, and the VM has not run since. */
TEST_F(hb, migration_has_moved)
{
	static const struct {
		const char *what;
		size_t leaves;	/* bytes of the stream */
		__u32 then;	/* a state, or 0 for a reset; STOP_COPY: it stays so */
		const char *cause;
	} rows[] = {
		{ "taken", 0, VFIO_DEVICE_STATE_STOP_COPY, "migrated" },
		{ "but for a byte", 1, VFIO_DEVICE_STATE_STOP_COPY, "vmm-gone" },
		{ "not at all", STREAM_MAX, VFIO_DEVICE_STATE_STOP_COPY, "vmm-gone" },
		{ "taken, and stopped", 0, VFIO_DEVICE_STATE_STOP, "migrated" },
		{ "taken, but not resumed", 0, VFIO_DEVICE_STATE_RUNNING_P2P, "migrated" },
		{ "cancelled", 0, VFIO_DEVICE_STATE_RUNNING, "vmm-gone" },
		{ "reset", 0, 0, "vmm-gone" },
		{ "another comes in", 0, VFIO_DEVICE_STATE_RESUMING, "vmm-gone" },
	};
	struct monitor *m = &self->m;
	__u8 stream[STREAM_MAX];
	__u64 length;
	unsigned int i;
	int fd, log;

	ASSERT_EQ(0, feature(m, VFIO_DEVICE_FEATURE_GET | FEATURE_DATA_SIZE, &length,
			     sizeof(length)));
	ASSERT_EQ(0, attr_set(m, "interval_ns", "3600000000000"));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		arm(m);
		log = log_open();
		ASSERT_EQ(0, mig_set(m, VFIO_DEVICE_STATE_STOP_COPY, &fd));
		if (rows[i].leaves < STREAM_MAX) {
			/* No slot was seen, so it is shorter than it may be: read to its end. */
			ssize_t all = read_stream(fd, stream, sizeof(stream), 1);

			ASSERT_LT(4096, all);
			EXPECT_GE(length, all);
			if (rows[i].leaves) {
				/* Another time, but for the last byte. */
				close(fd);
				ASSERT_EQ(0, mig_set(m, VFIO_DEVICE_STATE_RUNNING, NULL));
				ASSERT_EQ(0, mig_set(m, VFIO_DEVICE_STATE_STOP_COPY, &fd));
				EXPECT_EQ(all - 1, read_stream(fd, stream, all - 1, 7));
			}
		}
		ASSERT_EQ(0, rows[i].then ? mig_set(m, rows[i].then, NULL) :
			  ioctl(m->device, VFIO_DEVICE_RESET)) TH_LOG("%s", rows[i].what);
		monitor_close(m);
		EXPECT_TRUE(is(m, "detached", rows[i].cause)) TH_LOG("%s", rows[i].what);
		/* That it has gone, and no more; later there may have been too many lines. */
		if (!i)
			EXPECT_EQ(1, log_lines(log, m->uuid));
		close(log);
		close(fd);
		ASSERT_EQ(0, monitor_open(m));
	}
}

/*
 * From all sides at once: nothing may break, and the VMM may end in any state. Uses up what may be
 * logged of refused streams: others come first.
 */
static atomic_bool moving;
static atomic_int moving_fds[256], nr_moving_fds;

static void *race_states(void *arg)
{
	unsigned int seed = (unsigned long)pthread_self();
	int fd;

	while (moving) {
		if (!mig_set(arg, 1 + rand_r(&seed) % 7, &fd) && fd >= 0) {
			int nr = atomic_fetch_add(&nr_moving_fds, 1);

			/* None is closed before all is over: its number would be another file's. */
			if (nr >= (int)ARRAY_SIZE(moving_fds)) {
				close(fd);
				break;
			}
			moving_fds[nr] = fd;
		}
	}
	return NULL;
}

static void *race_transfers(void *arg)
{
	static __u8 buf[2][STREAM_MAX];
	__u8 *mine = buf[(unsigned long)arg];
	unsigned int seed = 3 + (unsigned long)arg;

	while (moving) {
		int n = nr_moving_fds, fd;

		if (!n)
			continue;
		if (n > (int)ARRAY_SIZE(moving_fds))
			n = ARRAY_SIZE(moving_fds);
		fd = moving_fds[n - 1];
		if (fd <= 0)
			continue;
		read(fd, mine, 1 + rand_r(&seed) % STREAM_MAX);
		write(fd, mine, 1 + rand_r(&seed) % STREAM_MAX);
	}
	return NULL;
}

static void *race_migration_resets(void *arg)
{
	struct monitor *m = arg;

	while (moving) {
		ioctl(m->device, VFIO_DEVICE_RESET);
		ack(m);
		say(m, KVM_HEARTBEAT_ARM);
		ring(m);
		usleep(2000);
	}
	return NULL;
}

TEST_F(pair, migration_at_once)
{
	pthread_t threads[5];
	int round, i;

	for (round = 0; round < 4; round++) {
		nr_moving_fds = 0;
		memset(moving_fds, 0, sizeof(moving_fds));
		moving = true;
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_states, &self->to));
			ASSERT_EQ(0, pthread_create(&threads[2 + i], NULL, race_transfers,
						    (void *)(long)i));
		}
		ASSERT_EQ(0, pthread_create(&threads[4], NULL, race_migration_resets, &self->to));
		for (i = 0; i < 40; i++) {
			attr_set(&self->to, "interval_ns", i & 1 ? "1000000" : "3000000");
			attr_text(&self->to, "downtime_ns");
		}
		moving = false;
		for (i = 0; i < 5; i++)
			pthread_join(threads[i], NULL);

		/* In whatever state that is. */
		monitor_close(&self->to);
		EXPECT_STREQ("detached", attr_text(&self->to, "state"));
		for (i = 0; i < (int)ARRAY_SIZE(moving_fds); i++)
			if (moving_fds[i] > 0)
				close(moving_fds[i]);
		ASSERT_EQ(0, monitor_open(&self->to));
		ASSERT_TRUE(is(&self->to, "waiting", "none"));
		ASSERT_EQ(0, attr_set(&self->to, "interval_ns", "1000000"));
		arm(&self->to);
		ASSERT_TRUE(becomes(&self->to, "state", "unresponsive"));
	}
}
