// SPDX-License-Identifier: GPL-2.0
/*
 * Migration: streams that a device does not take, and others that nobody ever made
 */
#include "vfio_test.h"

static void put(__u8 *stream, size_t at, size_t size, __u64 value)
{
	memcpy(stream + at, &value, size);	/* little-endian, as this machine is */
}

/* Where things are in a stream: Documentation/stream.rst. */
enum {
	AT_MAGIC = 0, AT_MAJOR = 4, AT_LENGTH = 8, AT_FEATURES = 16, AT_NR_SLOTS = 20,
	AT_NR_SEEN = 36, AT_INTERVAL = 48, AT_STATE = 48 + 7 * 8,
};

/* Each is refused with an errno and one line that says why, and leaves the target as it was. */
TEST_F(pair, migration_refused)
{
	static const struct {
		const char *why;
		int ret;
		size_t at, size;
		__u64 value;
		bool sealed;
		int longer;	/* than it says */
		bool apart;	/* what is too much comes by itself */
	} rows[] = {
		{ "no stream of a heartbeat device", -EPROTO, AT_MAGIC, 4, 0x4b564d21 },
		{ "another major version", -EPROTONOSUPPORT, AT_MAJOR, 2, 2 },
		{ "other features", -EOPNOTSUPP, AT_FEATURES, 4, 1 },
		{ "another number of CPUs", -ENOSPC, AT_NR_SLOTS, 4, 61 },
		{ "too long", -EFBIG, AT_LENGTH, 4, 0xffffffff },
		{ "impossible sizes", -EINVAL, AT_NR_SEEN, 4, 63 },
		{ "checksum", -EBADMSG, AT_INTERVAL, 8, 1000000 },
		{ "interval_ns is out of range", -EINVAL, AT_INTERVAL, 8, 3600000000001, true },
		{ "contradicts itself", -EINVAL, AT_STATE, 8, 4, true },
		{ "longer than it says", -EFBIG, 0, 0, 0, true, 1 },
		{ "longer than it says", -EFBIG, 0, 0, 0, true, 1, true },
		{ "too long", -EFBIG, 0, 0, 0, true, 100000 },
		{ "ends too early", -ENODATA, 0, 0, 0, true, -1 },
		{ "ends too early", -ENODATA, 0, 0, 0, true, -STREAM_MAX },
	};
	static __u8 good[STREAM_MAX], bad[STREAM_MAX + 100000];
	struct monitor *to = &self->to;
	size_t length, given;
	int fd, log, reasons, ret;
	unsigned int i;

	arm(&self->from);
	ring(&self->from);
	length = mig_save(&self->from, good);
	ASSERT_LT(4096, (ssize_t)length);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(bad, 0, sizeof(bad));
		memcpy(bad, good, length);
		put(bad, rows[i].at, rows[i].size, rows[i].value);
		if (rows[i].sealed)
			seal_stream(bad, length);
		given = rows[i].longer < 0 && (size_t)-rows[i].longer > length ? 0 :
			length + rows[i].longer;

		log = log_open();
		reasons = log_open();
		ASSERT_EQ(0, mig_set(to, VFIO_DEVICE_STATE_RESUMING, &fd));
		ret = write_stream(fd, bad, given, rows[i].apart ? length : sizeof(bad));
		/* That it is too short is known when there is no more. */
		EXPECT_EQ(rows[i].ret == -ENODATA ? 0 : rows[i].ret, ret) TH_LOG("%s", rows[i].why);
		/* Whatever the VMM tries then is refused for the same reason, said once. */
		EXPECT_EQ(rows[i].ret, mig_set(to, VFIO_DEVICE_STATE_STOP, NULL));
		EXPECT_EQ(rows[i].ret, mig_set(to, VFIO_DEVICE_STATE_RUNNING, NULL));
		EXPECT_EQ(rows[i].ret, write_stream(fd, good, length, length));
		EXPECT_EQ(VFIO_DEVICE_STATE_RESUMING, mig_get(to));
		/* What had begun to go on is over, which is a line too. */
		EXPECT_EQ(1 + rows[i].apart, log_lines(log, to->uuid)) TH_LOG("%s", rows[i].why);
		EXPECT_EQ(1, log_lines(reasons, rows[i].why)) TH_LOG("%s", rows[i].why);
		close(fd);
		EXPECT_TRUE(is(to, "waiting", "none"));
		EXPECT_EQ(1800000000000, attr(to, "interval_ns"));
		EXPECT_EQ(0, attr(to, "beats"));
		ASSERT_EQ(0, ioctl(to->device, VFIO_DEVICE_RESET));
		close(log);
		close(reasons);
	}
	ASSERT_EQ(0, mig_load(to, good, length));
	EXPECT_TRUE(is(to, "paused", "paused"));
	EXPECT_EQ(1, attr(to, "beats"));
}

/* A device that refuses a stream which is none: how many lines say so. */
static unsigned int refuse_once(struct monitor *m)
{
	static const __u8 nothing[64];
	unsigned int lines;
	int fd, log;

	log = log_open();
	if (mig_set(m, VFIO_DEVICE_STATE_RESUMING, &fd) ||
	    write_stream(fd, nothing, sizeof(nothing), sizeof(nothing)) != -EPROTO)
		return -1;
	lines = log_lines(log, "no stream of a heartbeat device");
	close(log);
	close(fd);
	return ioctl(m->device, VFIO_DEVICE_RESET) ? -1 : lines;
}

/* A VMM that tries without end is told no more, and nobody else is told less for that. */
TEST_F(pair, migration_refusals_are_a_vmms_own)
{
	double begin = now_s();
	unsigned int lines = 0, one;
	int i, log;

	for (i = 0; i < 1000; i++) {
		one = refuse_once(&self->from);
		ASSERT_GE(1, one);
		lines += one;
	}
	EXPECT_LE(1, lines);
	EXPECT_GE(20 * ((now_s() - begin) / 10 + 2), lines);
	EXPECT_EQ(1, refuse_once(&self->to));

	/* Nor does it hide that its own guest is dead. */
	log = log_open();
	say(&self->from, KVM_HEARTBEAT_PANIC);
	EXPECT_EQ(1, log_lines(log, "guest is panicked"));
	close(log);
}

/* A few changes of any kind; returns the new length. */
static size_t mutate(__u8 *stream, size_t length, unsigned int *seed)
{
	static const __u64 values[] = {
		0, 1, 2, 7, 8, 63, 64, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 60,
		(1ULL << 60) + 1, 1ULL << 63, UINT64_MAX, 3600000000000, 1000000,
	};
	int changes = 1 + rand_r(seed) % 4;
	size_t at;

	while (changes--) {
		/* Half of them where it says what it is, and not in the pulse page. */
		at = rand_r(seed) % (rand_r(seed) & 1 ? length : length < 400 ? length : 400);
		switch (rand_r(seed) % 5) {
		case 0:
			stream[at] ^= 1 << rand_r(seed) % 8;
			break;
		case 1:
			stream[at] = rand_r(seed);
			break;
		case 2:
		case 3:
			at &= ~7UL;
			if (at + 8 <= length)
				put(stream, at, 8, values[rand_r(seed) % ARRAY_SIZE(values)]);
			break;
		case 4:
			if (rand_r(seed) & 1)
				length = at ?: 1;
			else if (length + 100 <= STREAM_MAX)
				length += rand_r(seed) % 100;
			break;
		}
	}
	return length;
}

/* What was accepted is a state that there is, and the guest goes on in it. */
static bool makes_sense(struct monitor *m)
{
	static const char * const states[] = {
		"waiting", "alive", "degraded", "late", "unresponsive", "paused", "stopped",
		"panicked",
	};
	__u64 interval = attr(m, "interval_ns"), timeout = attr(m, "timeout_ns");
	char state[32];	/* at one moment */
	unsigned int i;

	snprintf(state, sizeof(state), "%s", attr_text(m, "state"));
	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(states[i], state))
			break;
	return i < ARRAY_SIZE(states) && interval >= MS && interval <= 3600 * SEC &&
	       timeout > interval && timeout <= 86400 * SEC &&
	       attr(m, "missed") < 1ULL << 63 && attr(m, "downtime_ns") < 1ULL << 63;
}

TEST_F(pair, migration_mutated)
{
	unsigned int rounds = getenv("KVMHB_FUZZ") ? atoi(getenv("KVMHB_FUZZ")) : 200;
	unsigned int seed = 1, round, accepted = 0, kind;
	static __u8 good[3][STREAM_MAX], bad[STREAM_MAX];
	struct monitor *to = &self->to;
	size_t length[3], given;

	for (kind = 0; kind < 3; kind++) {
		arm(&self->from);
		ring(&self->from);
		if (kind == 1) {
			ASSERT_EQ(0, attr_set(&self->from, "interval_ns", "1000000"));
			arm(&self->from);
			ASSERT_TRUE(becomes(&self->from, "state", "unresponsive"));
		} else if (kind == 2) {
			say(&self->from, KVM_HEARTBEAT_PANIC);
		}
		length[kind] = mig_save(&self->from, good[kind]);
		ASSERT_LT(4096, (ssize_t)length[kind]);
		ASSERT_EQ(0, mig_set(&self->from, VFIO_DEVICE_STATE_RUNNING, NULL));
	}

	for (round = 0; round < rounds; round++) {
		kind = round % 3;
		memcpy(bad, good[kind], sizeof(bad));
		given = mutate(bad, length[kind], &seed);
		if (round & 1) {
			/* As long as it is, for most. */
			if (given >= 12 && rand_r(&seed) % 4)
				put(bad, AT_LENGTH, 4, given);
			seal_stream(bad, given);
		}
		if (!mig_load(to, bad, given)) {
			accepted++;
			ASSERT_TRUE(makes_sense(to)) TH_LOG("round %u", round);
			ASSERT_EQ(0, mig_set(to, VFIO_DEVICE_STATE_RUNNING, NULL));
			ring(to);
			ASSERT_TRUE(makes_sense(to)) TH_LOG("round %u", round);
		} else {
			ASSERT_TRUE(is(to, "waiting", "none")) TH_LOG("round %u", round);
		}
		ASSERT_EQ(0, ioctl(to->device, VFIO_DEVICE_RESET));
		ASSERT_TRUE(is(to, "waiting", "none")) TH_LOG("round %u", round);
		if (round % 20 == 19) {
			ASSERT_EQ(0, mig_load(to, good[0], length[0]));
			ASSERT_EQ(0, mig_set(to, VFIO_DEVICE_STATE_RUNNING, NULL));
			ASSERT_TRUE(is(to, "alive", "none")) TH_LOG("round %u", round);
			ASSERT_EQ(0, ioctl(to->device, VFIO_DEVICE_RESET));
		}
	}
	TH_LOG("%u of %u streams were accepted", accepted, rounds);
	EXPECT_LT(0, accepted);
	EXPECT_GT(rounds, 2 * accepted);
}
