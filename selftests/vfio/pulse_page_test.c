// SPDX-License-Identifier: GPL-2.0
/*
 * The pulse page: how it is mapped, and what its slots and ages make of a guest
 */
#include "vfio_test.h"

/* What is mapped is not kept: it would keep the device open. */
static bool can_map(struct monitor *m, size_t size, int flags, off_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, m->device, offset);

	return map != MAP_FAILED && !munmap(map, size);
}

TEST_F(hb, pulse_page_mapping)
{
	struct monitor *m = &self->m;
	void *map;

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->device, BAR2);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(KVM_HEARTBEAT_MAGIC, *(__u32 *)map);
	munmap(map, 4096);

	EXPECT_FALSE(can_map(m, 8192, MAP_SHARED, BAR2));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, BAR2 + 4096));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, BAR2 + (1L << 39)));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, BAR0));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, CONFIG));
	EXPECT_FALSE(can_map(m, 4096, MAP_PRIVATE, BAR2));
}

TEST_F(hb, pulse_page_past_the_end)
{
	__u8 buf[4097];

	EXPECT_EQ(4096, pread(self->m.device, buf, 4096, BAR2));
	EXPECT_EQ(0, pread(self->m.device, buf, 0, BAR2 + 4096));
	EXPECT_EQ(-1, pread(self->m.device, buf, 4097, BAR2));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->m.device, buf, 1, BAR2 + 4096));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->m.device, buf, 8, BAR2 + 4090));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->m.device, buf, 1, BAR2 + (1L << 39)));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * Whatever the guest writes over the page, the host goes by its own notes. The guest
 * may call itself ill; it beats all the same.
 */
TEST_F(hb, pulse_page_scribbled)
{
	__u64 *map;
	int round, i;

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, self->m.device, BAR2);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	say(&self->m, KVM_HEARTBEAT_ARM);
	srandom(1);
	for (round = 0; round < 200; round++) {
		for (i = 0; i < 512; i++)
			map[i] = round == 0 ? UINT64_MAX : round == 1 ? 0 :
				 ((__u64)random() << 33) ^ random();
		ring(&self->m);
		ASSERT_EQ(0, attr_set(&self->m, "interval_ns",
				      round & 1 ? "3600000000000" : "1800000000000"));
		if (round == 0) {
			/* For its schedulers to be stale, it would have to say so for longer. */
			ASSERT_TRUE(is(&self->m, "degraded", "blocked"));
			ASSERT_STREQ("", attr_text(&self->m, "stale_vcpus"));
		} else if (round == 1) {
			ASSERT_TRUE(is(&self->m, "alive", "none"));
			ASSERT_STREQ("", attr_text(&self->m, "stale_vcpus"));
		}
		ASSERT_TRUE(!strcmp("alive", attr_text(&self->m, "state")) ||
			    !strcmp("degraded", attr_text(&self->m, "state")));
		ASSERT_EQ(62, reg_read(&self->m, KVM_HEARTBEAT_REG_NR_SLOTS));
		ASSERT_EQ(round + 1, attr(&self->m, "beats"));
	}
	/* Reset makes it whole. */
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	EXPECT_EQ(KVM_HEARTBEAT_MAGIC, *(__u32 *)map);
	EXPECT_EQ(0, map[511]);
	munmap(map, 4096);
}

/* What is in the place of a request is not what the host asks for, and no reset leaves it there. */
TEST_F(hb, requests_end_with_a_reset)
{
	struct page *page = map_page(&self->m);
	__u8 none[28] = {};

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(0x20, offsetof(struct kvm_heartbeat_pulse_header, request));
	EXPECT_EQ(0x7c, offsetof(struct kvm_heartbeat_pulse_header, request_ack));
	EXPECT_EQ(0, page->header.request);
	EXPECT_EQ(0, page->header.request_ack);
	page->header.request = 7 << KVM_HEARTBEAT_REQUEST_SEQ_SHIFT | KVM_HEARTBEAT_REQUEST_DUMP;
	page->header.request_ack = 7 << KVM_HEARTBEAT_REQUEST_SEQ_SHIFT |
				   KVM_HEARTBEAT_ANSWER_OBEYED;
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	EXPECT_EQ(0, page->header.request);
	EXPECT_EQ(0, page->header.request_ack);
	EXPECT_EQ(0, memcmp(page->header.reserved0, none, sizeof(none)));
	munmap(page, sizeof(*page));
}

/*
 * What the guest says of its userspace and of its tasks is judged at once, an age of a
 * scheduler never by itself.
 */
TEST_F(hb, layers)
{
	static const struct {
		__u32 flags, sched_age_ms, user_timeout_ms, user_age_ms;
		__u32 blocked_timeout_ms, blocked_age_ms;
		const char *cause;
	} rows[] = {
		{ 1, 0, 0, 0, 0, 0, "none" },
		{ 1, UINT32_MAX, 0, 0, 0, 0, "none" },
		{ 0, UINT32_MAX, 0, 0, 0, 0, "none" },
		{ 1, 0, 0, UINT32_MAX, 0, 0, "none" },
		{ 1, 0, 1000, 999, 0, 0, "none" },
		{ 1, 0, 1000, 1000, 0, 0, "userspace" },
		{ 1, 0, UINT32_MAX, UINT32_MAX, 0, 0, "userspace" },
		{ 1, UINT32_MAX, 1000, 1000, 0, 0, "userspace" },
		{ 1, 0, 1000, 0, 0, 0, "none" },
		{ 1, 0, 0, 0, 0, UINT32_MAX, "none" },
		{ 1, 0, 0, 0, 1000, 999, "none" },
		{ 1, 0, 0, 0, 1000, 1000, "blocked" },
		{ 1, 0, 1000, 1000, 1000, 1000, "blocked" },
		{ 1, 0, 1000, 1000, 1000, 999, "userspace" },
		{ 0, UINT32_MAX, 0, 0, UINT32_MAX, UINT32_MAX, "blocked" },
		{ 1, 0, 0, 0, 1000, 0, "none" },
	};
	struct page *page = map_page(&self->m);
	struct kvm_heartbeat_slot *slot = &page->slots[7];
	unsigned int i;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *state = strcmp(rows[i].cause, "none") ? "degraded" : "alive";

		slot->flags = rows[i].flags;
		slot->sched_age_ms = rows[i].sched_age_ms;
		page->header.user_timeout_ms = rows[i].user_timeout_ms;
		page->header.user_age_ms = rows[i].user_age_ms;
		page->header.blocked_timeout_ms = rows[i].blocked_timeout_ms;
		page->header.blocked_age_ms = rows[i].blocked_age_ms;
		/* A new timeout makes the monitor look, by 7200 s in the end. */
		ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "7300000000000"));
		ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "7200000000000"));
		EXPECT_TRUE(is(&self->m, state, rows[i].cause)) TH_LOG("row %u", i);
		EXPECT_STREQ("", attr_text(&self->m, "stale_vcpus"));
	}
	munmap(page, sizeof(*page));
}

/* A guest that beats, but one CPU does not; what lies above says less than that. */
TEST_F(hb, a_cpu_stands_still)
{
	struct page *page = map_page(&self->m);
	struct monitor *m = &self->m;
	int log = log_open();

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(m, "timeout_ns", "3000000000"));
	ack(m);
	say(m, KVM_HEARTBEAT_ARM);
	/* CPU 3 is offline, and of the others nothing is known. */
	page->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	page->slots[1].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	page->slots[2].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	page->slots[3].pulses = 1;

	ASSERT_TRUE(lives_until(m, page, 1 << 0 | 1 << 2, true, "cause", "partial"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 2, true, "stale_vcpus", "1"));
	EXPECT_LE(1, log_lines(log, "guest is degraded, stale CPUs 1 (partial)"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0, true, "stale_vcpus", "1-2"));

	page->slots[0].sched_age_ms = UINT32_MAX;
	page->header.user_timeout_ms = 1000;
	page->header.user_age_ms = 1000;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "stale_vcpus", "2"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "cause", "partial"));
	page->slots[2].flags = 0;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "cause", "softlockup"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "stale_vcpus", "0"));
	page->slots[0].sched_age_ms = 0;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "cause", "userspace"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "stale_vcpus", ""));
	page->header.user_age_ms = 0;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "state", "alive"));
	EXPECT_STREQ("", attr_text(m, "stale_vcpus"));
	close(log);
	munmap(page, sizeof(*page));
}

/* A guest that pulses but does not beat is late for as long as it pulses. */
TEST_F(hb, a_beat_is_lost)
{
	struct page *page = map_page(&self->m);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "3000000000"));
	ack(&self->m);
	page->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	say(&self->m, KVM_HEARTBEAT_ARM);
	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, false, "cause", "beat-lost"));
	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, false, "state", "late"));
	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, true, "state", "alive"));

	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, false, "cause", "beat-lost"));
	EXPECT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "unknown"));
	munmap(page, sizeof(*page));
}
