// SPDX-License-Identifier: GPL-2.0
/* The form of a stream. */
#include "streamed.h"

#include "stream.c"

static struct stream_head *head_of(struct streamed *s)
{
	return (struct stream_head *)s->buf;
}

static void expect_as_made(struct kunit *test, struct streamed *s)
{
#define EXPECT_FIELD(name, max) KUNIT_EXPECT_EQ(test, s->read.name, s->made.name);
	KVMHB_SAVED_FIELDS(EXPECT_FIELD)
#undef EXPECT_FIELD
	KUNIT_EXPECT_EQ(test, s->read.features, s->made.features);
	KUNIT_EXPECT_EQ(test, s->read.nr_slots, s->made.nr_slots);
	KUNIT_EXPECT_EQ(test, memcmp(s->read.config, s->made.config, sizeof(s->made.config)), 0);
	KUNIT_EXPECT_EQ(test, s->read.nr_seen, s->made.nr_seen);
	KUNIT_EXPECT_EQ(test, memcmp(s->read_slots, s->made_slots,
				     s->made.nr_seen * sizeof(*s->made_slots)), 0);
	KUNIT_EXPECT_EQ(test, s->read.pulse_size, s->made.pulse_size);
	KUNIT_EXPECT_EQ(test, memcmp(s->read.pulse, s->pulse, sizeof(s->pulse)), 0);
}

/* What is made is read, with any number of slots, and is as long as was announced. */
static void stream_is_read_as_made(struct kunit *test)
{
	struct streamed *s = streamed_init(test);
	size_t length;

	for (s->made.nr_seen = 0; s->made.nr_seen <= NR_SLOTS; s->made.nr_seen++) {
		make(s);
		KUNIT_ASSERT_EQ_MSG(test, kvmhb_stream_parse(s->buf, s->length, &target, &s->read,
							     &s->why), 0, "%s", s->why);
		expect_as_made(test, s);
		KUNIT_EXPECT_EQ(test, kvmhb_stream_parse_head(s->buf, &target, &length, &s->why),
				0);
		KUNIT_EXPECT_EQ(test, length, s->length);
		KUNIT_EXPECT_LE(test, s->length, kvmhb_stream_size(NR_SLOTS, sizeof(s->pulse)));
	}
	KUNIT_EXPECT_EQ(test, s->length, kvmhb_stream_size(NR_SLOTS, sizeof(s->pulse)));
	KUNIT_EXPECT_LE(test, s->length, 8192);
	/* What each version reads first: magic, major, minor. */
	KUNIT_EXPECT_EQ(test, memcmp(s->buf, "KBHM\1\0\0\0", 8), 0);
	KUNIT_EXPECT_EQ(test, kvmhb_stream_max(&target), 2 * s->length);
}

/* Their places are ABI: what is new is at the end, and is added here. */
static void stream_fields_stay(struct kunit *test)
{
	static const char * const fields[] = {
		"interval_ns", "timeout_set_ns", "judged_interval_ns", "judged_timeout_ns",
		"retuning", "config_seq", "acked_seq", "state", "cause", "lifecycle", "goodbye",
		"lost", "beats", "missed", "outages", "downtime_ns", "gaps_n", "gaps_sum_ns",
		"gaps_min_ns", "gaps_max_ns", "gaps_mean8_ns", "gaps_dev4_ns", "restart_gaps",
		"silence_ns", "counted_ns", "run_ns", "judged_state", "judged_cause",
		"judged_silence_ns", "judged_run_ns", "boots", "panics", "resets",
	};
#define FIELD_NAME(name, max) #name,
	static const char * const has[] = { KVMHB_SAVED_FIELDS(FIELD_NAME) };
#undef FIELD_NAME
	unsigned int i;

	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(has), ARRAY_SIZE(fields));
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		KUNIT_EXPECT_STREQ(test, has[i], fields[i]);
}

/* One bit is enough, wherever it is. */
static void stream_damage_is_seen(struct kunit *test)
{
	struct streamed *s = streamed_init(test);
	size_t at;
	int ret;

	make(s);
	for (at = 0; at < s->length; at++) {
		s->buf[at] ^= 1 << at % 8;
		ret = kvmhb_stream_parse(s->buf, s->length, &target, &s->read, &s->why);
		KUNIT_EXPECT_LT_MSG(test, ret, 0, "byte %zu", at);
		if (at >= sizeof(struct stream_head))
			KUNIT_EXPECT_EQ_MSG(test, ret, -EBADMSG, "byte %zu", at);
		s->buf[at] ^= 1 << at % 8;
	}
	KUNIT_EXPECT_EQ(test, parse_sealed(s), 0);
}

/* Whatever is missing, and whatever is too much. */
static void stream_of_another_length(struct kunit *test)
{
	struct streamed *s = streamed_init(test);
	size_t length;
	int ret;

	make(s);
	for (length = 0; length < s->length; length++) {
		/* Beyond it nobody reads: KASAN would see that. */
		u8 *part = kmemdup(s->buf, length, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, part);
		ret = kvmhb_stream_parse(part, length, &target, &s->read, &s->why);
		KUNIT_EXPECT_EQ_MSG(test, ret, -ENODATA, "%zu bytes", length);
		kfree(part);
	}
	KUNIT_EXPECT_EQ(test, kvmhb_stream_parse(s->buf, s->length + 1, &target, &s->read, &s->why),
			-EFBIG);
	/* A head alone says already what is wrong with it. */
	s->buf[0]++;
	KUNIT_EXPECT_EQ(test, kvmhb_stream_parse(s->buf, KVMHB_STREAM_HEAD, &target, &s->read,
						 &s->why), -EPROTO);
}

/* What a head may not say, each by itself. */
static void stream_heads(struct kunit *test)
{
	static const struct {
		const char *what;
		size_t at;		/* of 32 bits */
		u32 value;
		int ret;
	} rows[] = {
#define ROW(what, field, value, ret) { what, offsetof(struct stream_head, field), value, ret }
		ROW("another magic", magic, KVM_HEARTBEAT_MAGIC, -EPROTO),
		ROW("an older major version", major, 0, -EPROTONOSUPPORT),
		ROW("a newer major version", major, 2, -EPROTONOSUPPORT),
		ROW("less features", features, 0, -EOPNOTSUPP),
		ROW("more features", features, 3, -EOPNOTSUPP),
		ROW("less slots", nr_slots, NR_SLOTS - 1, -ENOSPC),
		ROW("more slots", nr_slots, NR_SLOTS + 1, -ENOSPC),
		ROW("a smaller page", pulse_size, 2048, -ENOSPC),
		ROW("a larger page", pulse_size, 8192, -ENOSPC),
		ROW("too long", length, 2 * 8192, -EFBIG),
		ROW("much too long", length, U32_MAX, -EFBIG),
		ROW("less long than its parts", length, 4096, -EINVAL),
		ROW("without length", length, 0, -EINVAL),
		ROW("a field less", fields_size, STREAM_FIELDS_SIZE - 8, -EINVAL),
		ROW("a field more", fields_size, STREAM_FIELDS_SIZE + 8, -EINVAL),
		ROW("fields without end", fields_size, U32_MAX, -EINVAL),
		ROW("less configuration space", config_size, KVMHB_CONFIG_SPACE_USED - 4, -EINVAL),
		ROW("more configuration space", config_size, KVMHB_CONFIG_SPACE_USED + 4, -EINVAL),
		ROW("smaller slots", slot_size, STREAM_SLOT_SIZE - 8, -EINVAL),
		ROW("larger slots", slot_size, STREAM_SLOT_SIZE + 8, -EINVAL),
		ROW("slots without end", slot_size, U32_MAX, -EINVAL),
		ROW("less slots seen", nr_seen, NR_SEEN - 1, -EINVAL),
		ROW("more slots seen", nr_seen, NR_SEEN + 1, -EINVAL),
		ROW("more seen than there are", nr_seen, NR_SLOTS + 1, -EINVAL),
		ROW("seen without end", nr_seen, U32_MAX, -EINVAL),
		ROW("what is reserved", reserved, 1, -EINVAL),
#undef ROW
	};
	struct streamed *s = streamed_init(test);
	unsigned int i;
	size_t length;
	__le32 raw;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		make(s);
		raw = cpu_to_le32(rows[i].value);
		memcpy(s->buf + rows[i].at, &raw, sizeof(raw));
		KUNIT_EXPECT_EQ_MSG(test, parse_sealed(s), rows[i].ret, "%s", rows[i].what);
		KUNIT_EXPECT_NE_MSG(test, s->why[0], 0, "%s", rows[i].what);
		/* All that can be known then is known before the rest has come. */
		KUNIT_EXPECT_EQ_MSG(test,
				    kvmhb_stream_parse_head(s->buf, &target, &length, &s->why),
				    rows[i].ret, "%s", rows[i].what);
	}
	/* A slot more or less by both numbers is another page. */
	make(s);
	head_of(s)->nr_seen = 0;
	head_of(s)->slot_size = cpu_to_le32(NR_SEEN * STREAM_SLOT_SIZE);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
}

/* Makes room in the stream for as many bytes, of which nobody knows what they say. */
static void insert(struct streamed *s, size_t at, size_t bytes)
{
	memmove(s->buf + at + bytes, s->buf + at, s->length - at);
	memset(s->buf + at, 0xa5, bytes);
	s->length += bytes;
	head_of(s)->length = cpu_to_le32(s->length);
}

/* A newer minor version has longer parts, and more of them: what is known of it is read. */
static void stream_of_a_newer_minor(struct kunit *test)
{
	const size_t slots_at = sizeof(struct stream_head) + STREAM_FIELDS_SIZE +
				KVMHB_CONFIG_SPACE_USED;
	struct streamed *s = streamed_init(test);
	int nr;

	make(s);
	head_of(s)->minor = cpu_to_le16(STREAM_MINOR + 1);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), 0);
	expect_as_made(test, s);

	insert(s, s->length, 100);
	for (nr = NR_SEEN; nr > 0; nr--)
		insert(s, slots_at + nr * STREAM_SLOT_SIZE, 16);
	head_of(s)->slot_size = cpu_to_le32(STREAM_SLOT_SIZE + 16);
	insert(s, sizeof(struct stream_head) + STREAM_FIELDS_SIZE, 24);
	head_of(s)->fields_size = cpu_to_le32(STREAM_FIELDS_SIZE + 24);
	head_of(s)->reserved = cpu_to_le32(1);
	KUNIT_EXPECT_EQ_MSG(test, parse_sealed(s), 0, "%s", s->why);
	expect_as_made(test, s);

	/* It says so itself; and a longer one is only accepted up to a bound. */
	head_of(s)->minor = cpu_to_le16(STREAM_MINOR);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
	head_of(s)->minor = cpu_to_le16(U16_MAX);
	insert(s, s->length, kvmhb_stream_max(&target) - s->length);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), 0);
	insert(s, s->length, 1);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EFBIG);

	/* What is known has to be there. */
	make(s);
	head_of(s)->minor = cpu_to_le16(STREAM_MINOR + 1);
	head_of(s)->fields_size = cpu_to_le32(STREAM_FIELDS_SIZE + 8);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
	head_of(s)->fields_size = cpu_to_le32(STREAM_FIELDS_SIZE - 8);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
}

/* The sizes of this version are what they are, though all parts be there. */
static void stream_of_other_sizes(struct kunit *test)
{
	const size_t slots_at = sizeof(struct stream_head) + STREAM_FIELDS_SIZE +
				KVMHB_CONFIG_SPACE_USED;
	struct streamed *s = streamed_init(test);

	make(s);
	insert(s, sizeof(struct stream_head) + STREAM_FIELDS_SIZE, 8);
	head_of(s)->fields_size = cpu_to_le32(STREAM_FIELDS_SIZE + 8);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
	head_of(s)->minor = cpu_to_le16(STREAM_MINOR + 1);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), 0);

	s->made.nr_seen = 0;
	make(s);
	head_of(s)->slot_size = cpu_to_le32(STREAM_SLOT_SIZE + 8);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
	head_of(s)->minor = cpu_to_le16(STREAM_MINOR + 1);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), 0);
	/* Those of a newer one are not smaller. */
	head_of(s)->slot_size = cpu_to_le32(STREAM_SLOT_SIZE - 8);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);

	/* Nobody has room for more slots than there are. */
	s->made.nr_seen = NR_SLOTS;
	make(s);
	insert(s, slots_at + NR_SLOTS * STREAM_SLOT_SIZE, STREAM_SLOT_SIZE);
	head_of(s)->nr_seen = cpu_to_le32(NR_SLOTS + 1);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
	head_of(s)->minor = cpu_to_le16(STREAM_MINOR + 1);
	KUNIT_EXPECT_EQ(test, parse_sealed(s), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(stream_is_read_as_made),
	KUNIT_CASE(stream_fields_stay),
	KUNIT_CASE(stream_damage_is_seen),
	KUNIT_CASE(stream_of_another_length),
	KUNIT_CASE(stream_heads),
	KUNIT_CASE(stream_of_a_newer_minor),
	KUNIT_CASE(stream_of_other_sizes),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_stream",
	.test_cases = cases,
};

kunit_test_suite(suite);
