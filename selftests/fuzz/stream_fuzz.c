// SPDX-License-Identifier: GPL-2.0
/*
 * stream_fuzz: mutated streams against the parser of host-module/stream.c, built as it is.
 *
 * What may be accepted is written down here once more, by number and to the byte, as
 * Documentation/migration.rst says it, and not by the parser's own tables: the two must agree on
 * every input. The numbers are ABI. If one of them has to change, so does the version of the
 * stream.
 *
 * An input is a byte that chooses the target, and then the stream.
 */
#include <errno.h>
#include <linux/kernel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "stream.h"
#include "stream_fuzz.h"
#include "timing.h"
#include "words.h"

#define HEAD		48
#define FIELDS		264
#define CONFIG		80
#define SLOT		32
#define NS		0x1000000000000000ULL
#define INTERVAL_MAX	3600000000000ULL
#define TIMEOUT_MAX	86400000000000ULL

/* Of the head, by byte. */
#define AT_MAJOR	4
#define AT_MINOR	6
#define AT_LENGTH	8
#define AT_CRC		12
#define AT_FEATURES	16
#define AT_NR_SLOTS	20
#define AT_FIELDS_SIZE	24
#define AT_CONFIG_SIZE	28
#define AT_SLOT_SIZE	32
#define AT_NR_SEEN	36
#define AT_PULSE_SIZE	40
#define AT_RESERVED	44

static const struct {
	const char *name;
	u64 max;
} fields[] = {
	{ "interval_ns", INTERVAL_MAX },
	{ "timeout_set_ns", TIMEOUT_MAX },
	{ "judged_interval_ns", INTERVAL_MAX },
	{ "judged_timeout_ns", TIMEOUT_MAX },
	{ "retuning", 1 },
	{ "config_seq", 0xffffffff },
	{ "acked_seq", 0xffffffff },
	{ "state", 8 },
	{ "cause", 25 },
	{ "lifecycle", 8 },
	{ "goodbye", 25 },
	{ "lost", 1 },
	{ "beats", NS },
	{ "missed", NS },
	{ "outages", NS },
	{ "downtime_ns", NS },
	{ "gaps_n", NS },
	{ "gaps_sum_ns", NS },
	{ "gaps_min_ns", NS },
	{ "gaps_max_ns", NS },
	{ "gaps_mean8_ns", NS },
	{ "gaps_dev4_ns", NS },
	{ "restart_gaps", 1 },
	{ "silence_ns", NS },
	{ "counted_ns", NS },
	{ "run_ns", NS },
	{ "judged_state", 8 },
	{ "judged_cause", 25 },
	{ "judged_silence_ns", NS },
	{ "judged_run_ns", NS },
	{ "boots", 0xffffffff },
	{ "panics", 0xffffffff },
	{ "resets", 0xffffffff },
};

#define NR_FIELDS	ARRAY_SIZE(fields)

static_assert(NR_FIELDS * 8 == FIELDS);

/* The same names, and what the parser says of each. */
#define NAME(name, max)	#name,
static const char * const saved_names[] = { KVMHB_SAVED_FIELDS(NAME) };

static_assert(ARRAY_SIZE(saved_names) == NR_FIELDS);

/*
 * In which states, with which cause, and after which word a guest may go on; and what then explains
 * its end. Without a word, before a reset it may have said any goodbye.
 */
static const struct {
	unsigned int state, cause, word, goodbye;
} pairs[] = {
	{ 1, 0, 0, 0 },							/* waiting */
	{ 2, 0, 1, 0 }, { 2, 0, 8, 0 },					/* alive */
	{ 3, 5, 1, 0 }, { 3, 6, 1, 0 }, { 3, 7, 1, 0 }, { 3, 22, 1, 0 },	/* degraded */
	{ 3, 5, 8, 0 }, { 3, 6, 8, 0 }, { 3, 7, 8, 0 }, { 3, 22, 8, 0 },	/* likewise */
	{ 5, 1, 1, 0 }, { 5, 2, 1, 0 }, { 5, 3, 1, 0 }, { 5, 4, 1, 0 },	/* unresponsive */
	{ 5, 20, 1, 0 },						/* likewise */
	{ 5, 1, 8, 0 }, { 5, 2, 8, 0 }, { 5, 3, 8, 0 }, { 5, 4, 8, 0 },	/* likewise */
	{ 5, 20, 8, 0 },						/* likewise */
	{ 5, 23, 0, 0 }, { 5, 23, 3, 14 }, { 5, 24, 2, 13 },		/* likewise, overdue */
	{ 7, 13, 2, 13 }, { 7, 14, 3, 14 }, { 7, 15, 4, 15 }, { 7, 16, 5, 16 },	/* stopped */
	{ 8, 17, 6, 17 }, { 8, 18, 1, 18 }, { 8, 18, 8, 18 },		/* panicked */
	{ 8, 17, 7, 17 }, { 8, 17, 8, 17 }, { 8, 25, 7, 17 },		/* likewise */
};

#define NR_PAIRS	ARRAY_SIZE(pairs)

static const struct kvmhb_stream_target targets[] = {
	{ .features = 1, .nr_slots = 3, .pulse_size = 256 },	/* small, so fast */
	{ .features = 1, .nr_slots = 62, .pulse_size = 4096 },
	{ .features = 1, .nr_slots = 1022, .pulse_size = 65536 },
};

#define NR_TARGETS	ARRAY_SIZE(targets)

static const int errors[] = {
	EPROTO, EPROTONOSUPPORT, EOPNOTSUPP, ENOSPC, EFBIG, EINVAL, EBADMSG, ENODATA,
};

#define NR_ERRORS	ARRAY_SIZE(errors)

static unsigned long accepted, refused[NR_ERRORS];

#define demand(what) do {								\
	if (!(what)) {									\
		fprintf(stderr, "stream_fuzz: line %d: broken: %s\n", __LINE__, #what);	\
		abort();								\
	}										\
} while (0)

static void *copy_of(const void *bytes, size_t size)
{
	void *copy = malloc(size ?: 1);

	demand(copy);
	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

static u64 get(const u8 *at, unsigned int size)
{
	u64 value = 0;

	while (size--)
		value = value << 8 | at[size];
	return value;
}

static void put(u8 *at, unsigned int size, u64 value)
{
	for (; size--; value >>= 8)
		*at++ = value;
}

static u64 field(const u8 *stream, const char *name)
{
	size_t i;

	for (i = 0; i < NR_FIELDS; i++)
		if (!strcmp(fields[i].name, name))
			return get(stream + HEAD + 8 * i, 8);
	abort();
}

static u32 crc_of(const u8 *stream, size_t size)
{
	static const u8 zero[4];
	u32 crc = crc32(0, stream, AT_CRC);

	crc = crc32(crc, zero, sizeof(zero));
	return crc32(crc, stream + AT_CRC + 4, size - AT_CRC - 4);
}

static bool is_pair(u64 state, u64 cause)
{
	size_t i;

	for (i = 0; i < NR_PAIRS; i++)
		if (pairs[i].state == state && pairs[i].cause == cause)
			return true;
	return false;
}

/* It owes no beats: it has let a deadline pass. */
static bool is_overdue(u64 state, u64 cause)
{
	return state == 5 && cause >= 23;
}

/* What the guest said last, and what explains its end. */
static bool words_may_be(const u8 *stream)
{
	u64 state = field(stream, "state"), cause = field(stream, "cause");
	u64 goodbye = field(stream, "goodbye");
	u64 word = field(stream, "lifecycle");
	size_t i;

	for (i = 0; i < NR_PAIRS; i++)
		if (pairs[i].state == state && pairs[i].cause == cause && pairs[i].word == word)
			break;
	if (i == NR_PAIRS)
		return false;
	if (!word)
		return !goodbye || is_pair(7, goodbye) || goodbye == 17 || goodbye == 18;
	return goodbye == pairs[i].goodbye && !field(stream, "lost");
}

static bool fields_may_be(const u8 *stream)
{
	u64 interval = field(stream, "interval_ns"), timeout = field(stream, "timeout_set_ns");
	u64 judged = field(stream, "judged_interval_ns");
	u64 patience = field(stream, "judged_timeout_ns");
	u64 state = field(stream, "state");
	u64 silence = field(stream, "silence_ns");
	size_t i;

	for (i = 0; i < NR_FIELDS; i++)
		if (get(stream + HEAD + 8 * i, 8) > fields[i].max)
			return false;
	if (interval < 1000000 || (timeout && timeout <= interval))
		return false;
	timeout = timeout ?: 2 * interval;
	if (judged < interval || patience < timeout || patience <= judged)
		return false;
	if (!field(stream, "retuning") && (judged != interval || patience != timeout))
		return false;
	if (field(stream, "config_seq") % 2)
		return false;
	if (!is_pair(state, field(stream, "cause")) || !words_may_be(stream))
		return false;
	if (field(stream, "counted_ns") > silence || field(stream, "run_ns") > silence)
		return false;
	/* Its run clock says nothing, and without a word there was no beat. */
	if (is_overdue(state, field(stream, "cause")) &&
	    (field(stream, "run_ns") ||
	     (!field(stream, "lifecycle") && field(stream, "counted_ns"))))
		return false;
	if (state == 5)
		return field(stream, "outages");
	return !field(stream, "counted_ns") && !field(stream, "run_ns") &&
	       (state >= 7 || !silence);
}

/* Whether a stream is to be accepted. */
static bool may_be(const u8 *stream, size_t size, const struct kvmhb_stream_target *target)
{
	u64 minor, fields_size, slot_size, nr_seen, parts, i;

	if (size < HEAD + FIELDS + CONFIG + target->pulse_size ||
	    size > 2 * (HEAD + FIELDS + CONFIG + target->nr_slots * SLOT + target->pulse_size))
		return false;
	if (memcmp(stream, "KBHM", 4) || get(stream + AT_MAJOR, 2) != 1)
		return false;
	if (get(stream + AT_LENGTH, 4) != size || get(stream + AT_CRC, 4) != crc_of(stream, size))
		return false;
	if (get(stream + AT_FEATURES, 4) != target->features ||
	    get(stream + AT_NR_SLOTS, 4) != target->nr_slots ||
	    get(stream + AT_CONFIG_SIZE, 4) != CONFIG ||
	    get(stream + AT_PULSE_SIZE, 4) != target->pulse_size)
		return false;

	minor = get(stream + AT_MINOR, 2);
	fields_size = get(stream + AT_FIELDS_SIZE, 4);
	slot_size = get(stream + AT_SLOT_SIZE, 4);
	nr_seen = get(stream + AT_NR_SEEN, 4);
	if (fields_size < FIELDS || slot_size < SLOT || nr_seen > target->nr_slots)
		return false;
	parts = HEAD + fields_size + CONFIG + slot_size * nr_seen + target->pulse_size;
	if (parts > size)
		return false;
	if (!minor && (parts != size || fields_size != FIELDS || slot_size != SLOT ||
		       get(stream + AT_RESERVED, 4)))
		return false;

	for (i = 0; i < nr_seen; i++) {
		const u8 *slot = stream + HEAD + fields_size + CONFIG + slot_size * i;

		if (get(slot + 8, 8) > NS || get(slot + 16, 8) > NS || get(slot + 24, 8) > 7)
			return false;
	}
	return fields_may_be(stream);
}

/* What was made of an accepted stream is what it says. */
static void check_saved(const struct kvmhb_saved *saved, const u8 *stream, size_t size,
			const struct kvmhb_stream_target *target)
{
#define VALUE(name, max)	saved->name,
	const u64 values[] = { KVMHB_SAVED_FIELDS(VALUE) };
	const u8 *at = stream + HEAD + get(stream + AT_FIELDS_SIZE, 4);
	size_t i;

	for (i = 0; i < NR_FIELDS; i++) {
		demand(!strcmp(saved_names[i], fields[i].name));
		demand(values[i] == get(stream + HEAD + 8 * i, 8));
	}
	demand(saved->features == target->features);
	demand(saved->nr_slots == target->nr_slots);
	demand(sizeof(saved->config) == CONFIG && !memcmp(saved->config, at, CONFIG));
	at += CONFIG;

	demand(saved->nr_seen == get(stream + AT_NR_SEEN, 4));
	for (i = 0; i < saved->nr_seen; i++) {
		demand(saved->slots[i].pulses == get(at, 8));
		demand(saved->slots[i].run_ns == get(at + 8, 8));
		demand(saved->slots[i].sched_run_ns == get(at + 16, 8));
		demand(saved->slots[i].flags == get(at + 24, 8));
		at += get(stream + AT_SLOT_SIZE, 4);
	}
	demand(saved->pulse == at && saved->pulse_size == target->pulse_size);
	demand(at + saved->pulse_size <= stream + size);
}

static int count_error(int ret, const char *why)
{
	size_t i;

	demand(why && *why);
	for (i = 0; i < NR_ERRORS; i++) {
		if (ret == -errors[i]) {
			refused[i]++;
			return ret;
		}
	}
	fprintf(stderr, "stream_fuzz: error %d is not documented: %s\n", ret, why);
	abort();
}

/* Parses what is in memory that is exactly as long as it is said to be: ASAN sees to the rest. */
static int parse(const u8 *stream, size_t size, const struct kvmhb_stream_target *target,
		 struct kvmhb_saved *saved)
{
	const char *why = NULL;
	size_t length = 0;
	int ret, head = 0;

	if (size >= HEAD) {
		u8 *first = copy_of(stream, HEAD);

		head = kvmhb_stream_parse_head(first, target, &length, &why);
		free(first);
		if (head)
			demand(why && *why);
		else
			demand(length >= HEAD && length <= kvmhb_stream_max(target));
	}
	why = NULL;
	ret = kvmhb_stream_parse(stream, size, target, saved, &why);
	if (size >= HEAD && head)
		demand(ret == head);
	if (!ret)
		demand(length == size);
	return ret ? count_error(ret, why) : 0;
}

/* An accepted stream, made again, says the same; of this version, by the same bytes. */
static void check_made_again(const struct kvmhb_saved *saved, const u8 *stream, size_t size,
			     const struct kvmhb_stream_target *target)
{
	size_t room = kvmhb_stream_size(target->nr_slots, target->pulse_size), length;
	struct kvmhb_saved again = { .slots = calloc(target->nr_slots, sizeof(*again.slots)) };
	u8 *made = malloc(room);

	demand(made && again.slots);
	length = kvmhb_stream_make(made, saved);
	demand(length <= room);
	if (!get(stream + AT_MINOR, 2))
		demand(length == size && !memcmp(made, stream, size));
	made = realloc(made, length);
	demand(made && !parse(made, length, target, &again));
	check_saved(&again, made, length, target);
#define SAME(name, max)	demand(again.name == saved->name);
	KVMHB_SAVED_FIELDS(SAME)
	demand(again.nr_seen == saved->nr_seen);
	demand(!memcmp(again.slots, saved->slots, saved->nr_seen * sizeof(*again.slots)));
	demand(!memcmp(again.config, saved->config, sizeof(again.config)));
	demand(!memcmp(again.pulse, saved->pulse, saved->pulse_size));
	free(again.slots);
	free(made);
}

/* An accepted stream that is damaged, by a bit or by a byte more or less, is refused. */
static void check_damaged(u8 *stream, size_t size, const struct kvmhb_stream_target *target)
{
	struct kvmhb_saved saved = { .slots = calloc(target->nr_slots, sizeof(*saved.slots)) };
	size_t bit = get(stream + AT_CRC, 4) % (8 * size);
	u8 *other;

	demand(saved.slots);
	stream[bit / 8] ^= 1 << bit % 8;
	demand(parse(stream, size, target, &saved));
	stream[bit / 8] ^= 1 << bit % 8;

	other = copy_of(stream, size - 1);
	demand(parse(other, size - 1, target, &saved) == -ENODATA);
	other = realloc(other, size + 1);
	demand(other);
	memcpy(other, stream, size);
	other[size] = 0;
	demand(parse(other, size + 1, target, &saved) == -EFBIG);
	free(other);
	free(saved.slots);
}

static void print_counts(void)
{
	size_t i;

	fprintf(stderr, "stream_fuzz: %lu streams accepted; refused, damaged ones among them:",
		accepted);
	for (i = 0; i < NR_ERRORS; i++)
		fprintf(stderr, " %s %lu", strerrorname_np(errors[i]), refused[i]);
	fputc('\n', stderr);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool counts;
	const struct kvmhb_stream_target *target;
	struct kvmhb_saved saved = {};
	u8 *stream;
	int ret;

	if (!counts)
		atexit(print_counts);
	counts = true;
	if (!size)
		return 0;
	target = &targets[*data++ % NR_TARGETS];
	size--;

	stream = copy_of(data, size);
	saved.slots = calloc(target->nr_slots, sizeof(*saved.slots));
	demand(saved.slots);
	ret = parse(stream, size, target, &saved);
	demand(!ret == may_be(stream, size, target));
	if (!ret) {
		accepted++;
		check_saved(&saved, stream, size, target);
		check_made_again(&saved, stream, size, target);
		check_damaged(stream, size, target);
	}
	free(saved.slots);
	free(stream);
	return 0;
}

/* Mutations. xorshift64*: the same seed makes the same ones everywhere. */
static u64 random_state;

static u64 any(u64 below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return below ? (random_state * 0x2545f4914f6cdd1dULL >> 16) % below : 0;
}

static u64 any_number(u64 max)
{
	switch (any(10)) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return max;
	case 3:
		return max + 1;
	case 4:
		return max - 1;
	case 5:
		return 1ULL << any(64);
	case 6:
		return -1ULL >> any(64);
	case 7:
		return any(32);
	case 8:
		return any(max);
	default:
		return any(1ULL << 32) << 32 | any(1ULL << 32);
	}
}

static void mutate_field(u8 *stream)
{
	u8 *at = stream + HEAD;
	size_t i = any(NR_FIELDS);
	size_t pair;

	switch (any(5)) {
	case 0:		/* another one's value */
		memcpy(at + 8 * i, at + 8 * any(NR_FIELDS), 8);
		break;
	case 1:		/* a state and a cause, and what has to go with them */
		pair = any(2 * NR_PAIRS);
		put(at + 8 * 7, 8, pair < NR_PAIRS ? pairs[pair].state : any(9));
		put(at + 8 * 8, 8, pair < NR_PAIRS ? pairs[pair].cause : any(25) * any(2));
		if (pair < NR_PAIRS) {
			put(at + 8 * 9, 8, pairs[pair].word);
			put(at + 8 * 10, 8, pairs[pair].goodbye);
			put(at + 8 * 11, 8, 0);
		}
		if (get(at + 8 * 7, 8) != 5) {
			memset(at + 8 * 24, 0, 2 * 8);
			put(at + 8 * 23, 8, get(at + 8 * 7, 8) < 7 ? 0 : any_number(NS));
		}
		if (is_overdue(get(at + 8 * 7, 8), get(at + 8 * 8, 8)))
			memset(at + 8 * (25 - any(2)), 0, 8);
		if (get(at + 8 * 7, 8) == 5 && !get(at + 8 * 14, 8))
			put(at + 8 * 14, 8, 1);
		break;
	case 2:		/* intervals and timeouts close to each other */
		put(at + 8 * any(4), 8, 500000000 * any(8));
		put(at + 8 * 4, 8, any(2));
		break;
	default:
		put(at + 8 * i, 8, any_number(fields[i].max));
	}
}

static void mutate_slots(u8 *stream, size_t size)
{
	u64 at = HEAD + get(stream + AT_FIELDS_SIZE, 4) + CONFIG;

	at += get(stream + AT_SLOT_SIZE, 4) * any(get(stream + AT_NR_SEEN, 4)) + 8 * any(4);
	if (at + 8 <= size)
		put(stream + at, 8, any_number(any(2) ? NS : 7));
}

static void mutate_head(u8 *stream)
{
	unsigned int at = 4 * any(HEAD / 4);

	if (at == AT_MAJOR)
		put(stream + at + 2 * any(2), 2, any(4));
	else
		put(stream + at, 4, any(2) ? any_number(1022) : get(stream + at, 4) + any(5) - 2);
}

/* Makes room for more bytes; false if there is none. */
static bool insert(u8 *stream, size_t *size, size_t max_size, size_t at, size_t more)
{
	if (at > *size || more > max_size - *size)
		return false;
	memmove(stream + at + more, stream + at, *size - at);
	memset(stream + at, 0, more);
	*size += more;
	return true;
}

/* Makes a part longer: as a newer version may, or as none may. */
static size_t mutate_sizes(u8 *stream, size_t size, size_t max_size)
{
	size_t fields_size = get(stream + AT_FIELDS_SIZE, 4);
	size_t slot_size = get(stream + AT_SLOT_SIZE, 4);
	size_t nr_seen = get(stream + AT_NR_SEEN, 4);
	size_t more = 1 + any(16), nr;

	if (nr_seen > 1022)
		return size;
	if (any(4))
		put(stream + AT_MINOR, 2, 1 + any(3));
	switch (any(5)) {
	case 0:		/* more fields */
		if (insert(stream, &size, max_size, HEAD + fields_size, more))
			put(stream + AT_FIELDS_SIZE, 4, fields_size + more);
		break;
	case 1:		/* more in each slot */
		for (nr = nr_seen; nr; nr--)
			if (!insert(stream, &size, max_size,
				    HEAD + fields_size + CONFIG + nr * slot_size, more))
				return size;
		put(stream + AT_SLOT_SIZE, 4, slot_size + more);
		break;
	case 2:		/* more slots */
		if (insert(stream, &size, max_size, HEAD + fields_size + CONFIG, more * slot_size))
			put(stream + AT_NR_SEEN, 4, nr_seen + more);
		break;
	case 3:		/* so much that 32 bits do not hold it, all together */
		put(stream + AT_SLOT_SIZE, 4, slot_size ^ 1U << 31);
		break;
	default:	/* more parts */
		insert(stream, &size, max_size, size, more);
	}
	return size;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	u8 *stream = data + 1;
	unsigned int times;

	random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	times = 1 + any(3);
	while (times--) {
		if (size < 1 + HEAD + FIELDS) {
			size = LLVMFuzzerMutate(data, size, max_size);
			continue;
		}
		switch (any(16)) {
		case 0 ... 3:
			size = LLVMFuzzerMutate(data, size, max_size);
			break;
		case 4 ... 6:
			mutate_slots(stream, size - 1);
			break;
		case 7 ... 8:
			mutate_head(stream);
			break;
		case 9:
			size = mutate_sizes(stream, size - 1, max_size - 1) + 1;
			break;
		default:
			mutate_field(stream);
		}
	}

	/* Right again, so that what is behind these checks is reached. */
	if (size >= 1 + HEAD && any(16)) {
		if (any(2))
			put(stream + AT_LENGTH, 4, size - 1);
		put(stream + AT_CRC, 4, crc_of(stream, size - 1));
	}
	return size;
}

/**
 * make_seed - an input to begin with, of a stream that is accepted
 * @nr: which, below %NR_SEEDS
 * @data: gets it, with room for %INPUT_SIZE bytes
 *
 * Return: its length, bytes.
 */
size_t make_seed(unsigned int nr, u8 *data)
{
	/* Of large ones there is less to be found in more time. */
	unsigned int size = nr == NR_SEEDS - 1 ? NR_TARGETS - 1 : nr % (NR_TARGETS - 1);
	const struct kvmhb_stream_target *target = &targets[size];
	size_t pair = nr * NR_PAIRS / NR_SEEDS;
	struct kvmhb_saved saved = {
		.features = target->features,
		.nr_slots = target->nr_slots,
		.nr_seen = nr / 2 % 3 * target->nr_slots / 2,
		.pulse_size = target->pulse_size,
		.interval_ns = 1000000000,
		.judged_interval_ns = 1000000000 * (1 + nr % 5 % 2),
		.judged_timeout_ns = 2000000000 * (1 + nr % 5 % 2),
		.retuning = nr % 5 % 2,
		.config_seq = 4,
		.acked_seq = 2,
		.state = pairs[pair].state,
		.cause = pairs[pair].cause,
		.lifecycle = pairs[pair].word,
		.goodbye = pairs[pair].goodbye,
		.beats = 1000,
		.outages = 3,
		.downtime_ns = 5000000000,
		.gaps_n = 900,
		.gaps_sum_ns = 900000000000,
	};
	u8 *pulse = calloc(1, target->pulse_size);
	unsigned int slot;
	size_t length;

	saved.slots = calloc(target->nr_slots, sizeof(*saved.slots));
	demand(pulse && saved.slots);
	saved.pulse = pulse;
	if (saved.state == 5) {
		saved.silence_ns = 9000000000;
		saved.counted_ns = 1000000000;
		saved.run_ns = 8000000000;
	}
	if (is_overdue(saved.state, saved.cause)) {
		saved.counted_ns = saved.lifecycle ? 1000000000 : 0;
		saved.run_ns = 0;
	}
	for (slot = 0; slot < saved.nr_seen; slot++)
		saved.slots[slot] = (struct kvmhb_saved_slot) { slot, 2, 3, slot % 8 };

	data[0] = size;
	length = kvmhb_stream_make(data + 1, &saved);
	free(saved.slots);
	free(pulse);
	return 1 + length;
}
