// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "kvm_heartbeat.h"
#include "pulse.h"
#include "timing.h"

/* A bound on what one VM can make the host allocate. */
#define KVMHB_PULSE_MAX_SIZE	SZ_64K

/* What numbers of requests are counted by. */
#define REQUEST_SEQ_MASK	(U32_MAX >> KVM_HEARTBEAT_REQUEST_SEQ_SHIFT)

static_assert(sizeof(struct kvm_heartbeat_pulse_header) +
	      KVMHB_PULSE_MAX_SLOTS * sizeof(struct kvm_heartbeat_slot) == KVMHB_PULSE_MAX_SIZE);

/**
 * kvmhb_pulse_init - allocate a pulse page
 * @pulse: what to initialise; kvmhb_pulse_reset() fills the page itself
 * @nr_vcpus: CPUs that need a slot; more get one if the page has room
 *
 * Pages in a row, if there are any: to read them the host needs no mapping of its own, nor
 * memory for one.
 *
 * Return: 0 or -ENOMEM.
 */
int kvmhb_pulse_init(struct kvmhb_pulse *pulse, unsigned int nr_vcpus)
{
	size_t size = sizeof(struct kvm_heartbeat_pulse_header) +
		      (size_t)nr_vcpus * sizeof(struct kvm_heartbeat_slot);
	gfp_t row = GFP_KERNEL_ACCOUNT | __GFP_ZERO;

	size = clamp_t(size_t, size, PAGE_SIZE, max_t(size_t, KVMHB_PULSE_MAX_SIZE, PAGE_SIZE));
	size = roundup_pow_of_two(size);

	if (size > PAGE_SIZE)
		row |= __GFP_NORETRY | __GFP_NOWARN;
	pulse->header = alloc_pages_exact(size, row);
	if (!pulse->header && size > PAGE_SIZE)
		pulse->header = __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!pulse->header)
		return -ENOMEM;

	pulse->size = size;
	/* Of larger pages, if that is what the host has, not all is used. */
	pulse->nr_slots = min_t(size_t, (size - sizeof(struct kvm_heartbeat_pulse_header)) /
					sizeof(struct kvm_heartbeat_slot), KVMHB_PULSE_MAX_SLOTS);
	pulse->config_seq = 0;
	pulse->request_seq = 0;
	return 0;
}

/**
 * kvmhb_pulse_uninit - free a pulse page
 * @pulse: what kvmhb_pulse_init() initialised
 */
void kvmhb_pulse_uninit(struct kvmhb_pulse *pulse)
{
	if (is_vmalloc_addr(pulse->header))
		vfree(pulse->header);
	else
		free_pages_exact(pulse->header, pulse->size);
	pulse->header = NULL;
}

/**
 * kvmhb_pulse_page - one of the pages that a pulse page is made of
 * @pulse: the pulse page
 * @nr: which, see kvmhb_pulse_has_pages()
 *
 * Return: the page, which may be mapped elsewhere too.
 */
struct page *kvmhb_pulse_page(const struct kvmhb_pulse *pulse, unsigned long nr)
{
	const u8 *at = (const u8 *)pulse->header + nr * PAGE_SIZE;

	return is_vmalloc_addr(at) ? vmalloc_to_page(at) : virt_to_page(at);
}

/**
 * kvmhb_pulse_publish - tell the guest how often to beat
 * @pulse: the pulse page
 * @timing: the configuration
 */
void kvmhb_pulse_publish(struct kvmhb_pulse *pulse, const struct kvmhb_timing *timing)
{
	struct kvm_heartbeat_pulse_header *header = pulse->header;

	WRITE_ONCE(header->config_seq, cpu_to_le32(pulse->config_seq + 1));
	/* Odd before the values; pairs with the guest's second read of the seq. */
	smp_wmb();
	WRITE_ONCE(header->interval_ns, cpu_to_le64(timing->interval_ns));
	WRITE_ONCE(header->timeout_ns, cpu_to_le64(timing->timeout_ns));
	WRITE_ONCE(pulse->config_seq, pulse->config_seq + 2);
	/* The values before even; pairs with the guest's first read of the seq. */
	smp_store_release(&header->config_seq, cpu_to_le32(pulse->config_seq));
}

static void pulse_ask(struct kvmhb_pulse *pulse, enum kvm_heartbeat_request what)
{
	/* One store: who sees the number sees what is asked for. */
	WRITE_ONCE(pulse->header->request,
		   cpu_to_le32(pulse->request_seq << KVM_HEARTBEAT_REQUEST_SEQ_SHIFT | what));
}

/**
 * kvmhb_pulse_request - ask the guest for something
 * @pulse: the pulse page
 * @what: what for
 *
 * The guest looks when it is interrupted, so call config_changed() then. Context: any. The
 * caller sees to it that the page is not reset or loaded meanwhile.
 *
 * Return: the number of the request, never 0 and no other's before it.
 */
u32 kvmhb_pulse_request(struct kvmhb_pulse *pulse, enum kvm_heartbeat_request what)
{
	/* Wraps around, and leaves out 0. */
	pulse->request_seq = (pulse->request_seq + 1) & REQUEST_SEQ_MASK ?: 1;
	pulse_ask(pulse, what);
	return pulse->request_seq;
}

/**
 * kvmhb_pulse_withdraw - ask the guest for nothing any more
 * @pulse: the pulse page
 *
 * A guest that comes back to life later than that does nothing. One that has seen the request
 * does as it was asked, and may still answer. The number stays in the page, since a VM that
 * migrates takes it along there. Context: as kvmhb_pulse_request().
 */
void kvmhb_pulse_withdraw(struct kvmhb_pulse *pulse)
{
	pulse_ask(pulse, KVM_HEARTBEAT_REQUEST_NONE);
}

/**
 * kvmhb_pulse_answer - what the guest says to a request
 * @pulse: the pulse page
 * @seq: the number of the request
 *
 * Return: what the guest wrote; %KVM_HEARTBEAT_ANSWER_NONE if that is nothing, answers another
 * request, or is no answer that we know. Context: any.
 */
enum kvm_heartbeat_answer kvmhb_pulse_answer(const struct kvmhb_pulse *pulse, u32 seq)
{
	u32 ack = le32_to_cpu(READ_ONCE(pulse->header->request_ack));
	u32 answer = ack & KVM_HEARTBEAT_REQUEST_WHAT;

	if (ack >> KVM_HEARTBEAT_REQUEST_SEQ_SHIFT != seq || answer > KVM_HEARTBEAT_ANSWER_BUSY)
		return KVM_HEARTBEAT_ANSWER_NONE;
	return answer;
}

/* Writes what never changes. */
static void pulse_identify(struct kvmhb_pulse *pulse)
{
	struct kvm_heartbeat_pulse_header *header = pulse->header;

	WRITE_ONCE(header->magic, cpu_to_le32(KVM_HEARTBEAT_MAGIC));
	WRITE_ONCE(header->version, cpu_to_le32(KVM_HEARTBEAT_VERSION));
	WRITE_ONCE(header->nr_slots, cpu_to_le32(pulse->nr_slots));
}

/**
 * kvmhb_pulse_reset - give the pulse page the contents of a fresh device
 * @pulse: the pulse page
 * @timing: the configuration to publish in it
 *
 * The generation goes on, so that no acknowledgment of an earlier incarnation
 * is taken for one of the next. So do the numbers of requests; nothing is asked for any more.
 */
void kvmhb_pulse_reset(struct kvmhb_pulse *pulse, const struct kvmhb_timing *timing)
{
	struct kvm_heartbeat_pulse_header *header = pulse->header;

	/* While beats and looks read: half a value is no worse than what a guest may write. */
	data_race(memset(header, 0, pulse->size));
	pulse_identify(pulse);
	kvmhb_pulse_withdraw(pulse);
	kvmhb_pulse_publish(pulse, timing);
}

/* Any number will do to go on from, so it may be the guest's word. */
static void pulse_load_request_seq(struct kvmhb_pulse *pulse)
{
	u32 request = le32_to_cpu(READ_ONCE(pulse->header->request));
	u32 seq = request >> KVM_HEARTBEAT_REQUEST_SEQ_SHIFT;

	/* The later one of the two, of numbers of so many bits that wrap around. */
	if ((s32)((seq - pulse->request_seq) << KVM_HEARTBEAT_REQUEST_SEQ_SHIFT) > 0)
		pulse->request_seq = seq;
}

/**
 * kvmhb_pulse_load - give the pulse page the contents of another one
 * @pulse: the pulse page; no guest runs that has it
 * @bytes: as many as its size, from a guest
 * @config_seq: the generation that was published there, even
 * @timing: and the configuration
 *
 * What the host writes is written anew. No generation that this page ever had comes back: the
 * guest then takes the same configuration for a new one.
 *
 * A request that the guest has not seen is withdrawn: a snapshot may be loaded long after there
 * was a reason for it. The next one gets a number that is new for the guest, by what the page
 * says of the last one. A guest that writes another number there misses a request,
 * which it can do anyway.
 */
void kvmhb_pulse_load(struct kvmhb_pulse *pulse, const void *bytes, u32 config_seq,
		      const struct kvmhb_timing *timing)
{
	/* Wraps around. */
	bool used = (s32)(pulse->config_seq - config_seq) > 0;

	/* While looks read it, as when it is reset. */
	data_race(memcpy(pulse->header, bytes, pulse->size));
	pulse_identify(pulse);
	pulse_load_request_seq(pulse);
	kvmhb_pulse_withdraw(pulse);
	if (!used)
		WRITE_ONCE(pulse->config_seq, config_seq - 2);
	kvmhb_pulse_publish(pulse, timing);
}

/**
 * kvmhb_pulse_ack - by which configuration the guest says that it beats
 * @pulse: the pulse page
 *
 * Return: what the guest wrote, any value; if it lies, it is judged by an
 * interval that it does not keep.
 */
u32 kvmhb_pulse_ack(const struct kvmhb_pulse *pulse)
{
	return le32_to_cpu(READ_ONCE(pulse->header->config_ack));
}
