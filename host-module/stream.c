// SPDX-License-Identifier: GPL-2.0
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "kvm_heartbeat.h"
#include "pulse.h"
#include "stream.h"
#include "timing.h"
#include "words.h"

#define STREAM_MAGIC	0x4d48424b	/* "KBHM" */
#define STREAM_MAJOR	1		/* another one cannot be read */
#define STREAM_MINOR	0		/* a newer one has more, which is skipped */

/* The head. All that follows has the sizes that it gives, in this order. */
struct stream_head {
	__le32 magic;
	__le16 major, minor;
	__le32 length;		/* of all, bytes */
	__le32 crc;		/* of all but itself, which counts as 0 */
	__le32 features;
	__le32 nr_slots;
	__le32 fields_size;	/* of the fields together */
	__le32 config_size;
	__le32 slot_size;	/* of a slot that was seen */
	__le32 nr_seen;		/* how many were */
	__le32 pulse_size;
	__le32 reserved;
};

#define STREAM_FIELD(name, max)	+ 1
#define STREAM_NR_FIELDS	(0 KVMHB_SAVED_FIELDS(STREAM_FIELD))
#define STREAM_FIELDS_SIZE	(STREAM_NR_FIELDS * sizeof(__le64))
#define STREAM_SLOT_SIZE	(4 * sizeof(__le64))

static_assert(sizeof(struct stream_head) == KVMHB_STREAM_HEAD);

/* Of a VM of up to 62 vCPUs: its pulse page is of 4 KiB. */
static_assert(KVMHB_STREAM_HEAD + STREAM_FIELDS_SIZE + KVMHB_CONFIG_SPACE_USED +
	      62 * STREAM_SLOT_SIZE + 4096 <= 8192);

/**
 * kvmhb_stream_size - how long a stream may be that this version makes
 * @nr_slots: CPUs that the pulse page has room for
 * @pulse_size: bytes of that
 *
 * Return: bytes.
 */
size_t kvmhb_stream_size(u32 nr_slots, u32 pulse_size)
{
	return KVMHB_STREAM_HEAD + STREAM_FIELDS_SIZE + KVMHB_CONFIG_SPACE_USED +
	       nr_slots * STREAM_SLOT_SIZE + pulse_size;
}

/**
 * kvmhb_stream_max - how long a stream may be that is accepted
 * @target: what it has to fit
 *
 * Return: bytes: as long as of this version, and as much again for newer ones.
 */
size_t kvmhb_stream_max(const struct kvmhb_stream_target *target)
{
	return 2 * kvmhb_stream_size(target->nr_slots, target->pulse_size);
}

/* CRC-32 as zlib has it, of all but the field that holds it. */
static u32 stream_crc(const u8 *buf, size_t length)
{
	static const u8 zero[sizeof_field(struct stream_head, crc)];
	const size_t at = offsetof(struct stream_head, crc);
	u32 crc = crc32_le(~0U, buf, at);

	crc = crc32_le(crc, zero, sizeof(zero));
	return ~crc32_le(crc, buf + at + sizeof(zero), length - at - sizeof(zero));
}

static u8 *stream_put(u8 *at, u64 value)
{
	__le64 raw = cpu_to_le64(value);

	memcpy(at, &raw, sizeof(raw));
	return at + sizeof(raw);
}

static u64 stream_get(const u8 *at)
{
	__le64 raw;

	memcpy(&raw, at, sizeof(raw));
	return le64_to_cpu(raw);
}

/**
 * kvmhb_stream_make - make a stream
 * @buf: where to, as long as kvmhb_stream_size() says
 * @saved: what moves
 *
 * Return: its length, bytes.
 */
size_t kvmhb_stream_make(u8 *buf, const struct kvmhb_saved *saved)
{
	struct stream_head head = {
		.magic = cpu_to_le32(STREAM_MAGIC),
		.major = cpu_to_le16(STREAM_MAJOR),
		.minor = cpu_to_le16(STREAM_MINOR),
		.features = cpu_to_le32(saved->features),
		.nr_slots = cpu_to_le32(saved->nr_slots),
		.fields_size = cpu_to_le32(STREAM_FIELDS_SIZE),
		.config_size = cpu_to_le32(sizeof(saved->config)),
		.slot_size = cpu_to_le32(STREAM_SLOT_SIZE),
		.nr_seen = cpu_to_le32(saved->nr_seen),
		.pulse_size = cpu_to_le32(saved->pulse_size),
	};
	u8 *at = buf + sizeof(head);
	unsigned int nr;
	size_t length;

#define STREAM_PUT(name, max) at = stream_put(at, saved->name);
	KVMHB_SAVED_FIELDS(STREAM_PUT)
	memcpy(at, saved->config, sizeof(saved->config));
	at += sizeof(saved->config);
	for (nr = 0; nr < saved->nr_seen; nr++) {
		at = stream_put(at, saved->slots[nr].pulses);
		at = stream_put(at, saved->slots[nr].run_ns);
		at = stream_put(at, saved->slots[nr].sched_run_ns);
		at = stream_put(at, saved->slots[nr].flags);
	}
	memcpy(at, saved->pulse, saved->pulse_size);
	length = at + saved->pulse_size - buf;

	head.length = cpu_to_le32(length);
	memcpy(buf, &head, sizeof(head));
	head.crc = cpu_to_le32(stream_crc(buf, length));
	memcpy(buf, &head, sizeof(head));
	return length;
}

static int stream_refuse(const char **why, int error, const char *because)
{
	*why = because;
	return error;
}

/**
 * kvmhb_stream_parse_head - read how long a stream is, and whether it fits
 * @buf: its first %KVMHB_STREAM_HEAD bytes, trusted in nothing
 * @target: what it has to fit
 * @length: gets its length, bytes, at most kvmhb_stream_max()
 * @why: gets what is wrong with it
 *
 * Return: 0; -EPROTO if it is none, -EPROTONOSUPPORT if it is of another major version,
 * -EOPNOTSUPP if its device can do other things, -ENOSPC if its pulse page has room for
 * another number of CPUs, -EFBIG if it is too long, -EINVAL if it contradicts itself.
 */
int kvmhb_stream_parse_head(const u8 *buf, const struct kvmhb_stream_target *target,
			    size_t *length, const char **why)
{
	struct stream_head head;
	u64 parts;
	bool newer;

	memcpy(&head, buf, sizeof(head));
	if (le32_to_cpu(head.magic) != STREAM_MAGIC)
		return stream_refuse(why, -EPROTO, "this is no stream of a heartbeat device");
	if (le16_to_cpu(head.major) != STREAM_MAJOR)
		return stream_refuse(why, -EPROTONOSUPPORT, "the stream is of another major version: update the older host's module");
	newer = le16_to_cpu(head.minor) > STREAM_MINOR;

	if (le32_to_cpu(head.features) != target->features)
		return stream_refuse(why, -EOPNOTSUPP, "the stream's device has other features: use the same module on both hosts");
	if (le32_to_cpu(head.nr_slots) != target->nr_slots ||
	    le32_to_cpu(head.pulse_size) != target->pulse_size)
		return stream_refuse(why, -ENOSPC, "the stream's pulse page has room for another number of CPUs: start the target with as many vCPUs as the source was started with");
	if (le32_to_cpu(head.length) > kvmhb_stream_max(target))
		return stream_refuse(why, -EFBIG, "the stream is too long");

	if (le32_to_cpu(head.fields_size) < STREAM_FIELDS_SIZE ||
	    le32_to_cpu(head.config_size) != KVMHB_CONFIG_SPACE_USED ||
	    le32_to_cpu(head.slot_size) < STREAM_SLOT_SIZE ||
	    le32_to_cpu(head.nr_seen) > target->nr_slots)
		return stream_refuse(why, -EINVAL, "the stream's parts have impossible sizes");
	parts = sizeof(head) + (u64)le32_to_cpu(head.fields_size) + KVMHB_CONFIG_SPACE_USED +
		(u64)le32_to_cpu(head.slot_size) * le32_to_cpu(head.nr_seen) + target->pulse_size;
	if (newer ? parts > le32_to_cpu(head.length) : parts != le32_to_cpu(head.length))
		return stream_refuse(why, -EINVAL, "the stream is not as long as its parts");
	if (!newer && (le32_to_cpu(head.fields_size) != STREAM_FIELDS_SIZE ||
		       le32_to_cpu(head.slot_size) != STREAM_SLOT_SIZE || head.reserved))
		return stream_refuse(why, -EINVAL, "the stream's parts have impossible sizes");

	*length = le32_to_cpu(head.length);
	return 0;
}

/* Whether a guest may go on in a state: one in which its VM ran. */
static bool stream_state_is_possible(u64 state, u64 cause)
{
	switch (state) {
	case KVMHB_WAITING:
	case KVMHB_ALIVE:
		return cause == KVMHB_CAUSE_NONE;
	case KVMHB_DEGRADED:
		return cause == KVMHB_CAUSE_PARTIAL || cause == KVMHB_CAUSE_SOFTLOCKUP ||
		       cause == KVMHB_CAUSE_USERSPACE || cause == KVMHB_CAUSE_BLOCKED;
	case KVMHB_UNRESPONSIVE:
		return cause == KVMHB_CAUSE_HUNG || cause == KVMHB_CAUSE_HALTED ||
		       cause == KVMHB_CAUSE_BEAT_LOST || cause == KVMHB_CAUSE_KVM_ERROR ||
		       cause == KVMHB_CAUSE_UNKNOWN || cause == KVMHB_CAUSE_NO_BOOT ||
		       cause == KVMHB_CAUSE_NO_SHUTDOWN;
	case KVMHB_STOPPED:
		return cause == KVMHB_CAUSE_SHUTDOWN || cause == KVMHB_CAUSE_REBOOT ||
		       cause == KVMHB_CAUSE_SUSPEND || cause == KVMHB_CAUSE_UNLOAD;
	case KVMHB_PANICKED:
		return cause == KVMHB_CAUSE_PANIC || cause == KVMHB_CAUSE_TRIPLE_FAULT ||
		       cause == KVMHB_CAUSE_DUMPING;
	default:
		return false;
	}
}

/* What a guest is, or was until it missed a deadline: it has said nothing since. */
static struct kvmhb_verdict stream_before_deadline(const struct kvmhb_saved *saved)
{
	struct kvmhb_verdict verdict = { saved->state, saved->cause };

	if (!kvmhb_verdict_is_overdue(&verdict))
		return verdict;
	if (verdict.cause == KVMHB_CAUSE_NO_SHUTDOWN)
		return (struct kvmhb_verdict) { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN };
	if (saved->lifecycle == KVM_HEARTBEAT_REBOOT)
		return (struct kvmhb_verdict) { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT };
	return (struct kvmhb_verdict) { KVMHB_WAITING, KVMHB_CAUSE_NONE };
}

/* Whether that is the last word of a guest in a state: nothing else brings it there. */
static bool stream_word_is_possible(u64 word, u64 state, u64 cause)
{
	switch (cause) {
	case KVMHB_CAUSE_SHUTDOWN:
		return word == KVM_HEARTBEAT_SHUTDOWN;
	case KVMHB_CAUSE_REBOOT:
		return word == KVM_HEARTBEAT_REBOOT;
	case KVMHB_CAUSE_SUSPEND:
		return word == KVM_HEARTBEAT_SUSPEND;
	case KVMHB_CAUSE_UNLOAD:
		return word == KVM_HEARTBEAT_UNLOAD;
	case KVMHB_CAUSE_PANIC:
		return word == KVM_HEARTBEAT_PANIC || word == KVM_HEARTBEAT_DUMPING ||
		       word == KVM_HEARTBEAT_OOPS;
	case KVMHB_CAUSE_DUMPING:
		return word == KVM_HEARTBEAT_DUMPING;
	default:
		if (state == KVMHB_WAITING)
			return word == KVM_HEARTBEAT_NONE;
		return word == KVM_HEARTBEAT_ARM || word == KVM_HEARTBEAT_OOPS;
	}
}

/* Whether a VM's end may be explained so: by the state, or if it was reset, by one before. */
static bool stream_goodbye_is_possible(u64 goodbye, u64 state, u64 cause)
{
	switch (state) {
	case KVMHB_WAITING:
		return !goodbye || stream_state_is_possible(KVMHB_STOPPED, goodbye) ||
		       goodbye == KVMHB_CAUSE_PANIC || goodbye == KVMHB_CAUSE_TRIPLE_FAULT;
	case KVMHB_STOPPED:
	case KVMHB_PANICKED:
		return goodbye == (cause == KVMHB_CAUSE_DUMPING ? KVMHB_CAUSE_PANIC : cause);
	default:
		return !goodbye;
	}
}

/* Of a guest that is unresponsive: no beat is missed by one that owes none. */
static bool stream_outage_is_possible(const struct kvmhb_saved *saved,
				      const struct kvmhb_verdict *before)
{
	if (before->state != KVMHB_UNRESPONSIVE && saved->run_ns)
		return false;
	/* It has not beaten since it was attached or reset. */
	if (before->state == KVMHB_WAITING && saved->counted_ns)
		return false;
	return saved->outages;
}

/* What the fields of a stream say together. */
static bool stream_is_consistent(const struct kvmhb_saved *saved)
{
	struct kvmhb_verdict before;
	struct kvmhb_timing timing, judged;

	if (kvmhb_timing_make(&timing, saved->interval_ns, saved->timeout_set_ns) ||
	    kvmhb_timing_make(&judged, saved->judged_interval_ns, saved->judged_timeout_ns ?: 1))
		return false;
	/* While the guest has not acknowledged, it is judged more patiently, and never less. */
	if (judged.interval_ns < timing.interval_ns || judged.timeout_ns < timing.timeout_ns)
		return false;
	if (!saved->retuning && (judged.interval_ns != timing.interval_ns ||
				 judged.timeout_ns != timing.timeout_ns))
		return false;
	if (saved->config_seq & 1)
		return false;
	if (!stream_state_is_possible(saved->state, saved->cause))
		return false;
	before = stream_before_deadline(saved);
	if (!stream_word_is_possible(saved->lifecycle, before.state, before.cause) ||
	    !stream_goodbye_is_possible(saved->goodbye, before.state, before.cause))
		return false;
	/* Any word of the guest ends that. */
	if (saved->lost && before.state != KVMHB_WAITING)
		return false;
	if (saved->counted_ns > saved->silence_ns || saved->run_ns > saved->silence_ns)
		return false;
	switch (saved->state) {
	case KVMHB_UNRESPONSIVE:
		return stream_outage_is_possible(saved, &before);
	case KVMHB_STOPPED:
	case KVMHB_PANICKED:
		return !saved->counted_ns && !saved->run_ns;
	default:
		return !saved->silence_ns;
	}
}

/**
 * kvmhb_stream_parse - read a stream
 * @buf: the stream, whole, and trusted in nothing
 * @length: its length, bytes, as kvmhb_stream_parse_head() says
 * @target: what it has to fit
 * @saved: gets what it says, @slots with room for @target's; points into @buf
 * @why: gets what is wrong with it
 *
 * The PCI configuration space and the pulse page are the guest's to write, and not judged.
 *
 * Return: 0; as kvmhb_stream_parse_head(); -ENODATA if it is shorter than it says, -EFBIG if
 * it is longer; -EBADMSG if its checksum is wrong; -EINVAL if it says what cannot be. @saved
 * means nothing then.
 */
int kvmhb_stream_parse(const u8 *buf, size_t length, const struct kvmhb_stream_target *target,
		       struct kvmhb_saved *saved, const char **why)
{
	struct stream_head head;
	const u8 *at = buf + sizeof(head);
	size_t expected;
	unsigned int nr;
	int ret;

	if (length < sizeof(head))
		return stream_refuse(why, -ENODATA, "the stream ends too early");
	ret = kvmhb_stream_parse_head(buf, target, &expected, why);
	if (ret)
		return ret;
	if (length < expected)
		return stream_refuse(why, -ENODATA, "the stream ends too early");
	if (length > expected)
		return stream_refuse(why, -EFBIG, "the stream is longer than it says");
	memcpy(&head, buf, sizeof(head));
	if (le32_to_cpu(head.crc) != stream_crc(buf, length))
		return stream_refuse(why, -EBADMSG, "the stream's checksum is wrong: it was damaged on the way");

	saved->features = target->features;
	saved->nr_slots = target->nr_slots;
#define STREAM_GET(name, max)								\
	saved->name = stream_get(at);							\
	at += sizeof(__le64);								\
	if (saved->name > (max))							\
		return stream_refuse(why, -EINVAL, "the stream's " #name " is out of range");
	KVMHB_SAVED_FIELDS(STREAM_GET)
	at = buf + sizeof(head) + le32_to_cpu(head.fields_size);

	memcpy(saved->config, at, sizeof(saved->config));
	at += sizeof(saved->config);

	saved->nr_seen = le32_to_cpu(head.nr_seen);
	for (nr = 0; nr < saved->nr_seen; nr++) {
		struct kvmhb_saved_slot *slot = &saved->slots[nr];

		slot->pulses = stream_get(at);
		slot->run_ns = stream_get(at + 8);
		slot->sched_run_ns = stream_get(at + 16);
		slot->flags = stream_get(at + 24);
		at += le32_to_cpu(head.slot_size);
		if (slot->run_ns > KVMHB_SAVED_NS || slot->sched_run_ns > KVMHB_SAVED_NS ||
		    slot->flags & ~(u64)KVMHB_SAVED_SLOT_FLAGS)
			return stream_refuse(why, -EINVAL, "the stream's slots are out of range");
	}
	saved->pulse = at;
	saved->pulse_size = target->pulse_size;

	if (!stream_is_consistent(saved))
		return stream_refuse(why, -EINVAL, "the stream contradicts itself");
	return 0;
}
