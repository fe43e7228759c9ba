// SPDX-License-Identifier: GPL-2.0
/*
 * Migration: what the device says that it can, its states, and a guest that goes on elsewhere
 */
#include "vfio_test.h"

/* Where the guest is, and where it goes. */
FIXTURE(pair)
{
	struct monitor from, to;
};

FIXTURE_SETUP(pair)
{
	ASSERT_EQ(0, monitor_create(&self->from, 'f'));
	ASSERT_EQ(0, monitor_create(&self->to, 't'));
	ASSERT_EQ(0, monitor_open(&self->from));
	ASSERT_EQ(0, monitor_open(&self->to));
	/* Hours, so that nobody's delay counts. */
	ASSERT_EQ(0, attr_set(&self->from, "interval_ns", "3600000000000"));
	ASSERT_EQ(0, attr_set(&self->to, "interval_ns", "1800000000000"));
}

FIXTURE_TEARDOWN(pair)
{
	monitor_close(&self->from);
	monitor_close(&self->to);
	EXPECT_EQ(0, monitor_remove(&self->from));
	EXPECT_EQ(0, monitor_remove(&self->to));
}

static void arm(struct monitor *m)
{
	ack(m);
	say(m, KVM_HEARTBEAT_ARM);
}

TEST_F(hb, migration_features)
{
	struct vfio_device_feature_migration migration = {};
	__u64 length = 0;

	ASSERT_EQ(0, feature(&self->m, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION,
			     &migration, sizeof(migration)));
	EXPECT_EQ(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P,
		  migration.flags & ~(__u64)FLAG_PRE_COPY);
	ASSERT_EQ(0, feature(&self->m, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
			     FEATURE_DATA_SIZE, &length, sizeof(length)));
	ASSERT_EQ(0, feature(&self->m, VFIO_DEVICE_FEATURE_GET | FEATURE_DATA_SIZE, &length,
			     sizeof(length)));
	EXPECT_LT(4096, length);
	EXPECT_GE(STREAM_MAX, length);
	EXPECT_EQ(-EINVAL, feature(&self->m, VFIO_DEVICE_FEATURE_SET | FEATURE_DATA_SIZE, &length,
				   sizeof(length)));
	EXPECT_EQ(-EINVAL, feature(&self->m, VFIO_DEVICE_FEATURE_GET | FEATURE_DATA_SIZE, &length,
				   4));
	EXPECT_EQ(-ENOTTY, feature(&self->m, VFIO_DEVICE_FEATURE_GET | 999, &length,
				   sizeof(length)));
	EXPECT_EQ(VFIO_DEVICE_STATE_RUNNING, mig_get(&self->m));
}

/* No page is dirty by a device that does no DMA; what the VMM has noted of others stays. */
TEST_F(hb, migration_dma_logging)
{
	static __u8 bitmap[4096], before[4096];
	struct vfio_device_feature_dma_logging_range range = { 0, 1 << 30 };
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = 4096,
		.num_ranges = 1,
		.ranges = (__u64)(unsigned long)&range,
	};
	struct vfio_device_feature_dma_logging_report report = {
		.length = 1 << 27,
		.page_size = 4096,
		.bitmap = (__u64)(unsigned long)bitmap,
	}, wrong;
	const __u32 start = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
	const __u32 stop = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
	const __u32 get = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
	struct monitor *m = &self->m;
	struct page *page = map_page(m);	/* as a VMM does before all else */
	int round;

	ASSERT_NE(MAP_FAILED, page);
	memset(before, 0xa5, sizeof(before));
	memcpy(bitmap, before, sizeof(bitmap));
	ASSERT_EQ(0, feature(m, VFIO_DEVICE_FEATURE_PROBE | get, &report, sizeof(report)));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, feature(m, start, &control, sizeof(control)));
		EXPECT_EQ(0, feature(m, get, &report, sizeof(report)));
		arm(m);
		ring(m);
		EXPECT_EQ(0, feature(m, get, &report, sizeof(report)));
		EXPECT_EQ(0, memcmp(bitmap, before, sizeof(bitmap)));
		ASSERT_EQ(0, feature(m, stop, NULL, 0));
	}

	wrong = report;
	wrong.page_size = 2048;
	EXPECT_EQ(-EINVAL, feature(m, get, &wrong, sizeof(wrong)));
	wrong.page_size = 3 * 4096;
	EXPECT_EQ(-EINVAL, feature(m, get, &wrong, sizeof(wrong)));
	wrong = report;
	wrong.iova = ~0xfffULL;
	EXPECT_EQ(-EOVERFLOW, feature(m, get, &wrong, sizeof(wrong)));
	EXPECT_EQ(-EINVAL, feature(m, get, &report, sizeof(report) - 8));
	EXPECT_EQ(-EINVAL, feature(m, VFIO_DEVICE_FEATURE_SET |
				   VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &report,
				   sizeof(report)));
	control.num_ranges = 0;
	EXPECT_EQ(-EINVAL, feature(m, start, &control, sizeof(control)));
	control.num_ranges = 1;
	range.iova = 1;
	EXPECT_EQ(-EINVAL, feature(m, start, &control, sizeof(control)));

	/* What else goes through the file does so still. */
	EXPECT_EQ(VFIO_DEVICE_STATE_RUNNING, mig_get(m));
	EXPECT_EQ(0, ioctl(m->device, VFIO_DEVICE_RESET));
	EXPECT_EQ(-1, ioctl(m->device, VFIO_DEVICE_FEATURE, NULL));
	EXPECT_EQ(EFAULT, errno);
	munmap(page, sizeof(*page));
}

static bool is_saving(__u32 state)
{
	return state == VFIO_DEVICE_STATE_STOP_COPY || state == PRE_COPY || state == PRE_COPY_P2P;
}

/* From each state into each other one. */
TEST_F(pair, migration_arcs)
{
	unsigned int states = has_precopy(&self->to) ? NR_MIG_STATES : PRE_COPY, now, next;
	struct monitor *m = &self->to;
	__u8 stream[STREAM_MAX];
	ssize_t length;
	int fd, in;

	arm(&self->from);
	length = mig_save(&self->from, stream);
	ASSERT_LT(0, length);
	for (now = VFIO_DEVICE_STATE_STOP; now < states; now++) {
		for (next = 0; next <= NR_MIG_STATES; next++) {
			bool can = next && next < states &&
				   !(now == VFIO_DEVICE_STATE_STOP_COPY && next >= PRE_COPY);
			bool file = next != now && ((is_saving(next) && !is_saving(now)) ||
						    next == VFIO_DEVICE_STATE_RESUMING);

			ASSERT_EQ(0, ioctl(m->device, VFIO_DEVICE_RESET));
			ASSERT_EQ(VFIO_DEVICE_STATE_RUNNING, mig_get(m));
			arm(m);
			ASSERT_EQ(0, mig_set(m, now, &in));
			if (now == VFIO_DEVICE_STATE_RESUMING)
				ASSERT_EQ(0, write_stream(in, stream, length, length));
			EXPECT_EQ(can, !mig_set(m, next, &fd)) TH_LOG("%u to %u", now, next);
			EXPECT_EQ(can ? next : now, mig_get(m)) TH_LOG("%u to %u", now, next);
			EXPECT_EQ(can && file, fd >= 0) TH_LOG("%u to %u", now, next);
			if (can && (next == VFIO_DEVICE_STATE_RUNNING || next == PRE_COPY))
				EXPECT_TRUE(is(m, "alive", "none")) TH_LOG("%u to %u", now, next);
			if (can && (next == VFIO_DEVICE_STATE_STOP ||
				    next == VFIO_DEVICE_STATE_STOP_COPY ||
				    next == VFIO_DEVICE_STATE_RESUMING))
				EXPECT_TRUE(is(m, "paused", "paused"))
					TH_LOG("%u to %u", now, next);
			close(in);
			close(fd);
		}
	}
}

/* Before the VM stands still there is nothing to be had. */
TEST_F(hb, migration_precopy)
{
	struct precopy_info info = { .argsz = sizeof(info), .flags = 7, .initial_bytes = 7,
				     .dirty_bytes = 7 };
	struct monitor *m = &self->m;
	__u8 stream[STREAM_MAX];
	int fd, none;

	if (!has_precopy(m))
		SKIP(return, "this kernel has no PRE_COPY");
	arm(m);
	ASSERT_EQ(0, mig_set(m, PRE_COPY, &fd));
	EXPECT_EQ(-ENOMSG, read_stream(fd, stream, sizeof(stream), 1));
	EXPECT_EQ(0, ioctl(fd, GET_PRECOPY_INFO, &info));
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(0, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	info.argsz = 23;
	EXPECT_EQ(-1, ioctl(fd, GET_PRECOPY_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(fd, GET_PRECOPY_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(fd, VFIO_DEVICE_RESET));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-EBADF, write_stream(fd, stream, 1, 1));
	EXPECT_TRUE(is(m, "alive", "none"));

	/* The file is the same one then. */
	ASSERT_EQ(0, mig_set(m, VFIO_DEVICE_STATE_STOP_COPY, &none));
	EXPECT_EQ(-1, none);
	EXPECT_LT(4096, read_stream(fd, stream, sizeof(stream), 1000));
	info.argsz = sizeof(info);
	EXPECT_EQ(-1, ioctl(fd, GET_PRECOPY_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
}

static const struct mig_row {
	const char *state, *cause, *stopped;
	__u32 word;
} mig_rows[] = {
	{ "waiting", "none", "waiting", 0 },
	{ "alive", "none", "paused", KVM_HEARTBEAT_ARM },
	{ "degraded", "userspace", "paused", KVM_HEARTBEAT_ARM },
	{ "degraded", "blocked", "paused", KVM_HEARTBEAT_ARM },
	{ "unresponsive", "unknown", "unresponsive", KVM_HEARTBEAT_ARM },
	{ "stopped", "suspend", "stopped", KVM_HEARTBEAT_SUSPEND },
	{ "panicked", "panic", "panicked", KVM_HEARTBEAT_PANIC },
	{ "panicked", "dumping", "panicked", KVM_HEARTBEAT_DUMPING },
};

static bool bring_into(struct monitor *m, const struct mig_row *row)
{
	struct page *page = map_page(m);
	bool ok;

	if (page == MAP_FAILED || attr_set(m, "timeout_ns", "7200000000000") ||
	    attr_set(m, "interval_ns", "3600000000000"))
		return false;
	if (row->word) {
		arm(m);
		ring(m);
	}
	if (!strcmp(row->state, "degraded")) {
		bool blocked = !strcmp(row->cause, "blocked");

		page->header.user_timeout_ms = blocked ? 0 : 1000;
		page->header.user_age_ms = 1000;
		page->header.blocked_timeout_ms = blocked ? 1000 : 0;
		page->header.blocked_age_ms = 1000;
		attr_set(m, "timeout_ns", "7300000000000");
	} else if (!strcmp(row->state, "unresponsive")) {
		attr_set(m, "interval_ns", "1000000");
		attr_set(m, "timeout_ns", "2000000");
		arm(m);
	} else if (row->word) {
		say(m, row->word);
	}
	ok = becomes(m, "state", row->state);
	munmap(page, sizeof(*page));
	return ok && is(m, row->state, row->cause);
}

/* There and back, in pieces of any size: all is as it was, and little is said of it. */
TEST_F(pair, migration_there_and_back)
{
	static const char * const same[] = {
		"beats", "missed", "outages", "interval_ns", "timeout_ns", "lifecycle",
		"boots", "panics", "resets",
	};
	struct monitor *from = &self->from, *to = &self->to, *other;
	unsigned int i, k, round = 0;
	__u8 stream[STREAM_MAX];
	char before[64];
	ssize_t length;
	int fd, log;

	for (i = 0; i < 2 * ARRAY_SIZE(mig_rows); i++, round++) {
		const struct mig_row *row = &mig_rows[i / 2];

		if (!(i & 1)) {
			ASSERT_EQ(0, ioctl(from->device, VFIO_DEVICE_RESET));
			ASSERT_TRUE(bring_into(from, row)) TH_LOG("%s", row->state);
		}
		log = log_open();
		ASSERT_EQ(0, mig_set(from, VFIO_DEVICE_STATE_STOP_COPY, &fd));
		EXPECT_TRUE(is(from, row->stopped, strcmp(row->stopped, "paused") ? row->cause :
			       "paused")) TH_LOG("%s", row->state);
		length = read_stream(fd, stream, sizeof(stream), i & 1 ? 1 : 1000);
		ASSERT_LT(4096, length);
		close(fd);
		EXPECT_EQ(0, log_lines(log, from->uuid));

		ASSERT_EQ(0, mig_set(to, VFIO_DEVICE_STATE_RESUMING, &fd));
		ASSERT_EQ(0, write_stream(fd, stream, length, i & 1 ? 1000 : 1));
		ASSERT_EQ(0, mig_set(to, VFIO_DEVICE_STATE_STOP, NULL));
		close(fd);
		for (k = 0; k < ARRAY_SIZE(same); k++) {
			snprintf(before, sizeof(before), "%s", attr_text(from, same[k]));
			EXPECT_STREQ(before, attr_text(to, same[k])) TH_LOG("%s", row->state);
		}
		EXPECT_EQ(reg_read(from, KVM_HEARTBEAT_REG_LIFECYCLE),
			  reg_read(to, KVM_HEARTBEAT_REG_LIFECYCLE));
		ASSERT_EQ(0, mig_set(to, VFIO_DEVICE_STATE_RUNNING, NULL));
		if (strcmp(row->state, "unresponsive"))
			EXPECT_TRUE(is(to, row->state, row->cause)) TH_LOG("%s", row->state);
		monitor_close(from);
		EXPECT_TRUE(is(from, "detached", "migrated")) TH_LOG("%s", row->state);
		close(log);

		ASSERT_EQ(0, monitor_open(from));
		other = from;
		from = to;
		to = other;
	}
	/* Who arms twice in a row is another kernel, and who arms after a suspend is not. */
	EXPECT_EQ(8, attr(from, "boots"));
	EXPECT_EQ(2, attr(from, "panics"));
	EXPECT_EQ(6, attr(from, "resets"));
}
