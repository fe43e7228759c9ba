// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include <linux/gfp.h>

/* A host whose memory is in pieces, if a test says so. */
static bool fragmented;

static void *alloc_row(size_t size, gfp_t gfp)
{
	return fragmented && size > PAGE_SIZE ? NULL : alloc_pages_exact(size, gfp);
}

#undef alloc_pages_exact
#define alloc_pages_exact alloc_row

#include "pulse.c"

static void pulse_page(struct kunit *test)
{
	const struct kvmhb_timing slow = { 2 * SEC, 4 * SEC };
	const struct kvmhb_timing fast = { 200 * MS, 400 * MS };
	static const struct {
		unsigned int nr_vcpus;
		size_t size;
		u32 nr_slots;
	} sizes[] = {
		{ 0, SZ_4K, 62 },
		{ 62, SZ_4K, 62 },
		{ 63, SZ_8K, 126 },
		{ 1022, SZ_64K, 1022 },
		{ 1023, SZ_64K, 1022 },
		{ UINT_MAX, SZ_64K, 1022 },
	};
	struct kvmhb_pulse pulse;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, sizes[i].nr_vcpus), 0);
		KUNIT_EXPECT_EQ(test, pulse.size, sizes[i].size);
		KUNIT_EXPECT_EQ(test, pulse.nr_slots, sizes[i].nr_slots);
		kvmhb_pulse_uninit(&pulse);
	}

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	kvmhb_pulse_reset(&pulse, &slow);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->magic), KVM_HEARTBEAT_MAGIC);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->nr_slots), 62);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 2);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pulse.header->interval_ns), 2 * SEC);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pulse.header->timeout_ns), 4 * SEC);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);

	pulse.header->config_ack = pulse.header->config_seq;
	KUNIT_EXPECT_EQ(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);

	kvmhb_pulse_publish(&pulse, &fast);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 4);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pulse.header->interval_ns), 200 * MS);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);

	/* What the guest scribbles over the host's words does not come back. */
	memset(pulse.header, 0xff, pulse.size);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);
	kvmhb_pulse_publish(&pulse, &slow);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 6);
	KUNIT_EXPECT_EQ(test, pulse.nr_slots, 62);

	/* An acknowledgment from before a reset is none after it. */
	pulse.header->config_ack = pulse.header->config_seq;
	kvmhb_pulse_reset(&pulse, &slow);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_ack), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(pulse.header->config_seq), 8);
	KUNIT_EXPECT_NE(test, kvmhb_pulse_ack(&pulse), pulse.config_seq);
	kvmhb_pulse_uninit(&pulse);
}

static void pulse_pages(struct kunit *test)
{
	static const struct {
		unsigned long first, nr;
		bool there;
	} rows[] = {
		{ 0, 1, true },
		{ 0, 2, true },
		{ 1, 1, true },
		{ 0, 3, false },
		{ 1, 2, false },
		{ 2, 1, false },
		{ 3, 1, false },
		{ 0, ULONG_MAX, false },
		{ 1, ULONG_MAX, false },
		{ ULONG_MAX, 1, false },
		{ ULONG_MAX, 3, false },
	};
	const struct kvmhb_pulse pulse = { .size = 2 * PAGE_SIZE };
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_has_pages(&pulse, rows[i].first, rows[i].nr),
				    rows[i].there, "row %d", i);
}

/* Many CPUs, and no pages in a row for them. */
static void pulse_of_pieces(struct kunit *test)
{
	const struct kvmhb_timing timing = { 2 * SEC, 4 * SEC };
	struct kvmhb_pulse pulse;
	unsigned long nr;
	int pieces;

	for (pieces = 0; pieces < 2; pieces++) {
		fragmented = pieces;
		KUNIT_EXPECT_EQ(test, kvmhb_pulse_init(&pulse, 1022), 0);
		fragmented = false;
		KUNIT_ASSERT_NOT_NULL(test, pulse.header);
		KUNIT_EXPECT_EQ(test, is_vmalloc_addr(pulse.header), pieces);
		KUNIT_EXPECT_EQ(test, pulse.size, SZ_64K);
		KUNIT_EXPECT_NULL(test, memchr_inv(pulse.header, 0, pulse.size));
		kvmhb_pulse_reset(&pulse, &timing);

		/* What is mapped for the guest is what the host reads. */
		for (nr = 0; nr < SZ_64K / PAGE_SIZE; nr++) {
			u8 *page = page_address(kvmhb_pulse_page(&pulse, nr));

			page[PAGE_SIZE - 1] = nr + 1;
			KUNIT_EXPECT_EQ(test, ((u8 *)pulse.header)[(nr + 1) * PAGE_SIZE - 1],
					nr + 1);
		}
		kvmhb_pulse_uninit(&pulse);
	}
}

static void pulse_slots(struct kunit *test)
{
	static const struct {
		u32 flags;
		bool online;
	} rows[] = {
		{ 0, false },
		{ KVM_HEARTBEAT_SLOT_ONLINE, true },
		{ ~KVM_HEARTBEAT_SLOT_ONLINE, false },
		{ U32_MAX, true },
	};
	struct kvm_heartbeat_slot *last;
	struct kvmhb_pulse pulse;
	struct kvmhb_slot seen;
	int i;

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 63), 0);
	last = slots_of(&pulse) + pulse.nr_slots - 1;
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)(last + 1), (u8 *)pulse.header + pulse.size);

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		last->flags = cpu_to_le32(rows[i].flags);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_slot(&pulse, 125).online, rows[i].online,
				    "row %d", i);
	}
	last->pulses = cpu_to_le64(0x0123456789abcdefULL);
	last->sched_age_ms = cpu_to_le32(1500);
	seen = kvmhb_pulse_slot(&pulse, 125);
	KUNIT_EXPECT_EQ(test, seen.pulses, 0x0123456789abcdefULL);
	KUNIT_EXPECT_EQ(test, seen.sched_age_ns, 1500 * MS);
	last->sched_age_ms = cpu_to_le32(U32_MAX);
	KUNIT_EXPECT_EQ(test, kvmhb_pulse_slot(&pulse, 125).sched_age_ns, U32_MAX * MS);

	/* Its neighbour is another's. */
	seen = kvmhb_pulse_slot(&pulse, 124);
	KUNIT_EXPECT_FALSE(test, seen.online);
	KUNIT_EXPECT_EQ(test, seen.pulses, 0);
	KUNIT_EXPECT_EQ(test, seen.sched_age_ns, 0);
	kvmhb_pulse_uninit(&pulse);
}

/* Userspace, and the tasks that wait for storage: an age, and a timeout for it. */
static void pulse_ages(struct kunit *test)
{
	static const struct {
		u32 timeout_ms, age_ms;
		bool stale;
	} rows[] = {
		{ 0, 0, false },
		{ 0, U32_MAX, false },	/* nobody has opened the watchdog, or looks at tasks */
		{ 1000, 0, false },
		{ 1000, 999, false },
		{ 1000, 1000, true },
		{ 1000, U32_MAX, true },
		{ U32_MAX, U32_MAX - 1, false },
		{ U32_MAX, U32_MAX, true },
	};
	struct kvmhb_pulse pulse;
	int i;

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		pulse.header->user_timeout_ms = cpu_to_le32(rows[i].timeout_ms);
		pulse.header->user_age_ms = cpu_to_le32(rows[i].age_ms);
		pulse.header->blocked_timeout_ms = 0;
		pulse.header->blocked_age_ms = 0;
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_user_stale(&pulse), rows[i].stale,
				    "row %d", i);
		KUNIT_EXPECT_FALSE_MSG(test, kvmhb_pulse_blocked(&pulse), "row %d", i);

		pulse.header->user_timeout_ms = 0;
		pulse.header->user_age_ms = 0;
		pulse.header->blocked_timeout_ms = cpu_to_le32(rows[i].timeout_ms);
		pulse.header->blocked_age_ms = cpu_to_le32(rows[i].age_ms);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_blocked(&pulse), rows[i].stale, "row %d", i);
		KUNIT_EXPECT_FALSE_MSG(test, kvmhb_pulse_user_stale(&pulse), "row %d", i);
	}
	kvmhb_pulse_uninit(&pulse);
}

static u32 request_word(u32 seq, u32 what)
{
	return seq << KVM_HEARTBEAT_REQUEST_SEQ_SHIFT | what;
}

static u32 asked(const struct kvmhb_pulse *pulse)
{
	return le32_to_cpu(pulse->header->request);
}

static void pulse_requests(struct kunit *test)
{
	const struct kvmhb_timing timing = { 2 * SEC, 4 * SEC };
	struct kvmhb_pulse pulse;
	u32 first, second;

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	kvmhb_pulse_reset(&pulse, &timing);
	KUNIT_EXPECT_EQ(test, asked(&pulse), 0);

	first = kvmhb_pulse_request(&pulse, KVM_HEARTBEAT_REQUEST_BACKTRACE);
	KUNIT_EXPECT_NE(test, first, 0);
	KUNIT_EXPECT_EQ(test, asked(&pulse),
			request_word(first, KVM_HEARTBEAT_REQUEST_BACKTRACE));
	second = kvmhb_pulse_request(&pulse, KVM_HEARTBEAT_REQUEST_DUMP);
	KUNIT_EXPECT_NE(test, second, first);
	KUNIT_EXPECT_EQ(test, asked(&pulse), request_word(second, KVM_HEARTBEAT_REQUEST_DUMP));

	/* Whether the guest has seen it or not, there is no other of that number. */
	kvmhb_pulse_withdraw(&pulse);
	KUNIT_EXPECT_EQ(test, asked(&pulse), request_word(second, KVM_HEARTBEAT_REQUEST_NONE));

	/* What the guest scribbles there is not what the host goes on from. */
	memset(pulse.header, 0xff, pulse.size);
	KUNIT_EXPECT_EQ(test, kvmhb_pulse_request(&pulse, KVM_HEARTBEAT_REQUEST_DUMP), second + 1);
	kvmhb_pulse_reset(&pulse, &timing);
	KUNIT_EXPECT_EQ(test, asked(&pulse), request_word(second + 1, KVM_HEARTBEAT_REQUEST_NONE));
	KUNIT_EXPECT_EQ(test, kvmhb_pulse_request(&pulse, KVM_HEARTBEAT_REQUEST_DUMP), second + 2);

	/* After the last number comes the first one, which is not 0. */
	pulse.request_seq = 0xffffff;
	KUNIT_EXPECT_EQ(test, kvmhb_pulse_request(&pulse, KVM_HEARTBEAT_REQUEST_DUMP), 1);
	kvmhb_pulse_uninit(&pulse);
}

static void pulse_answers(struct kunit *test)
{
	static const struct {
		u32 ack;
		enum kvm_heartbeat_answer answer;	/* to request 5 */
	} rows[] = {
		{ 0, KVM_HEARTBEAT_ANSWER_NONE },
		{ 0x500, KVM_HEARTBEAT_ANSWER_NONE },
		{ 0x501, KVM_HEARTBEAT_ANSWER_OBEYED },
		{ 0x502, KVM_HEARTBEAT_ANSWER_REFUSED },
		{ 0x503, KVM_HEARTBEAT_ANSWER_UNKNOWN },
		{ 0x504, KVM_HEARTBEAT_ANSWER_BUSY },
		{ 0x505, KVM_HEARTBEAT_ANSWER_NONE },	/* what would that be? */
		{ 0x5ff, KVM_HEARTBEAT_ANSWER_NONE },
		{ 0x401, KVM_HEARTBEAT_ANSWER_NONE },	/* to another request */
		{ 0x601, KVM_HEARTBEAT_ANSWER_NONE },
		{ 0x80000501, KVM_HEARTBEAT_ANSWER_NONE },
		{ U32_MAX, KVM_HEARTBEAT_ANSWER_NONE },
	};
	struct kvmhb_pulse pulse;
	int i;

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		pulse.header->request_ack = cpu_to_le32(rows[i].ack);
		KUNIT_EXPECT_EQ_MSG(test, kvmhb_pulse_answer(&pulse, 5), rows[i].answer,
				    "row %d", i);
	}
	kvmhb_pulse_uninit(&pulse);
}

/* Where the page goes, what was asked before is not asked again, and the numbers go on. */
static void pulse_requests_move(struct kunit *test)
{
	static const struct {
		u32 here;	/* the number of the last request of this page */
		u32 word;	/* of the page that is loaded */
		u32 next;
	} rows[] = {
		{ 0, 0, 1 },
		{ 0, 0x700, 8 },
		{ 0, 0x701, 8 },
		{ 0, 0x7ff, 8 },
		{ 7, 0x301, 8 },			/* a snapshot of its own */
		{ 3, 0x701, 8 },
		{ 7, 0, 8 },
		{ 0xfffffe, 0x201, 3 },			/* they wrapped around */
		{ 2, 0xfffffe01, 3 },
		{ 0, U32_MAX, 1 },			/* what a guest may write */
		{ 0, 0x7fffff02, 0x800000 },
		{ 5, 0x80000502, 6 },
	};
	const struct kvmhb_timing timing = { 2 * SEC, 4 * SEC };
	struct kvm_heartbeat_pulse_header *from;
	struct kvmhb_pulse pulse;
	int i;

	KUNIT_ASSERT_EQ(test, kvmhb_pulse_init(&pulse, 1), 0);
	from = kunit_kzalloc(test, pulse.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, from);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		pulse.request_seq = rows[i].here;
		from->request = cpu_to_le32(rows[i].word);
		kvmhb_pulse_load(&pulse, from, 2, &timing);
		/* The number is there, for where the page goes from here. */
		KUNIT_EXPECT_EQ_MSG(test, asked(&pulse),
				    request_word(rows[i].next - 1, KVM_HEARTBEAT_REQUEST_NONE),
				    "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test,
				    kvmhb_pulse_request(&pulse, KVM_HEARTBEAT_REQUEST_BACKTRACE),
				    rows[i].next, "row %d", i);
	}
	kvmhb_pulse_uninit(&pulse);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(pulse_page),
	KUNIT_CASE(pulse_pages),
	KUNIT_CASE(pulse_of_pieces),
	KUNIT_CASE(pulse_slots),
	KUNIT_CASE(pulse_ages),
	KUNIT_CASE(pulse_requests),
	KUNIT_CASE(pulse_answers),
	KUNIT_CASE(pulse_requests_move),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_pulse",
	.test_cases = cases,
};

kunit_test_suite(suite);
