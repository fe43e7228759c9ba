// SPDX-License-Identifier: GPL-2.0
/*
 * The guest that does whatever a guest can do to its host
 *
 * What its vCPUs do is made here from a seed, as a list of operations for each, which a small
 * loop in the guest carries out. The same seed makes the same lists. They go by phases, which
 * all vCPUs begin together: so a storm is one of all CPUs, and a silence is one.
 */
#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "device.h"
#include "hostile.h"
#include "kvm_heartbeat.h"
#include "vm.h"

/* Where this is in the guest's physical memory, and in which slot; device.h has the rest. */
#define HOSTILE		0x40000000ULL
#define HOSTILE_SLOT	(1 + MAX_DEVICES)

/* One operation: where the guest's code for it is, and the registers rdi, r8 and rcx. */
struct op {
	__u64 code, address, value, count;
};

#define PHASE_OPS	512	/* of a vCPU in a phase, at most */
#define BAR0_SIZE	4096

struct hostile {
	char code[512];
	__u32 met;		/* how often a vCPU has come to the end of a phase */
	struct op ops[];
};

static struct hostile *hostile;
static size_t hostile_size;
static __u64 ops_of_vcpu;

/*
 * r13: the next operation, r11: the CPU's number. The TSC from before and after is left in
 * r14 and r15. Operations of one access do it rcx times.
 */
extern const char hostile_code[], hostile_end[], hostile_done[];
extern const char hostile_write8[], hostile_write16[], hostile_write32[], hostile_write64[];
extern const char hostile_read8[], hostile_read16[], hostile_read32[], hostile_read64[];
extern const char hostile_fill[], hostile_load[], hostile_add[], hostile_copy[];
extern const char hostile_wait[], hostile_meet[], hostile_reset[];

static void __attribute_used__ hostile_assembly(void)
{
	asm volatile("hostile_code:\n"
	"	out	%%al, %[port_begun]\n"
	"	rdtsc\n"
	"	shl	$32, %%rdx\n"
	"	lea	(%%rdx, %%rax), %%r14\n"
	".Lnext:	mov	(%%r13), %%rdx\n"
	"	mov	8(%%r13), %%rdi\n"
	"	mov	16(%%r13), %%r8\n"
	"	mov	24(%%r13), %%rcx\n"
	"	add	$32, %%r13\n"
	"	jmp	*%%rdx\n"

	"hostile_write8:\n"
	"	mov	%%r8b, (%%rdi)\n"
	"	loop	hostile_write8\n"
	"	jmp	.Lnext\n"
	"hostile_write16:\n"
	"	mov	%%r8w, (%%rdi)\n"
	"	loop	hostile_write16\n"
	"	jmp	.Lnext\n"
	"hostile_write32:\n"
	"	mov	%%r8d, (%%rdi)\n"
	"	loop	hostile_write32\n"
	"	jmp	.Lnext\n"
	"hostile_write64:\n"
	"	mov	%%r8, (%%rdi)\n"
	"	loop	hostile_write64\n"
	"	jmp	.Lnext\n"
	"hostile_read8:\n"
	"	mov	(%%rdi), %%al\n"
	"	loop	hostile_read8\n"
	"	jmp	.Lnext\n"
	"hostile_read16:\n"
	"	mov	(%%rdi), %%ax\n"
	"	loop	hostile_read16\n"
	"	jmp	.Lnext\n"
	"hostile_read32:\n"
	"	mov	(%%rdi), %%eax\n"
	"	loop	hostile_read32\n"
	"	jmp	.Lnext\n"
	"hostile_read64:\n"
	"	mov	(%%rdi), %%rax\n"
	"	loop	hostile_read64\n"
	"	jmp	.Lnext\n"
	/* Strings of rcx bytes. */
	"hostile_fill:\n"
	"	mov	%%r8, %%rax\n"
	"	rep stosb\n"
	"	jmp	.Lnext\n"
	"hostile_load:\n"
	"	mov	%%rdi, %%rsi\n"
	"	rep lodsb\n"
	"	jmp	.Lnext\n"
	"hostile_add:\n"
	"	lock addl	%%r8d, (%%rdi)\n"
	"	loop	hostile_add\n"
	"	jmp	.Lnext\n"
	/* From rdi to r8, as config_seq to config_ack. */
	"hostile_copy:\n"
	"	mov	(%%rdi), %%eax\n"
	"	mov	%%eax, (%%r8)\n"
	"	jmp	.Lnext\n"

	/* For r8 ticks of the TSC. */
	"hostile_wait:\n"
	"	rdtsc\n"
	"	shl	$32, %%rdx\n"
	"	add	%%rax, %%rdx\n"
	"	add	%%rdx, %%r8\n"
	"1:	pause\n"
	"	rdtsc\n"
	"	shl	$32, %%rdx\n"
	"	add	%%rax, %%rdx\n"
	"	cmp	%%r8, %%rdx\n"
	"	jb	1b\n"
	"	jmp	.Lnext\n"
	/* Until r8 have come here. */
	"hostile_meet:\n"
	"	lock incl	(%%rdi)\n"
	"1:	pause\n"
	"	cmp	%%r8d, (%%rdi)\n"
	"	jb	1b\n"
	"	jmp	.Lnext\n"
	"hostile_reset:\n"
	"	out	%%al, %[port_reset]\n"
	"	jmp	.Lnext\n"
	"hostile_done:\n"
	"	rdtsc\n"
	"	shl	$32, %%rdx\n"
	"	lea	(%%rdx, %%rax), %%r15\n"
	"	out	%%al, %[port_done]\n"
	"hostile_end:\n"
	: : [port_begun] "i" (PORT_BEGUN), [port_done] "i" (PORT_DONE),
	    [port_reset] "i" (PORT_RESET));
}

/* What a vCPU's list is made with. */
struct maker {
	struct op *next;
	__u64 random;
	unsigned int cpu, nr_vcpus;
	__u64 interval_ns;
	int tsc_khz;
	__u64 words, rings;	/* of all vCPUs */
};

/* splitmix64: good enough, and the same everywhere. */
static __u64 next_random(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static __u64 below(struct maker *m, __u64 limit)
{
	return next_random(&m->random) % limit;
}

/* Any value, and more often one that somebody may stumble over. */
static __u64 any_value(struct maker *m)
{
	__u64 noise = next_random(&m->random);

	switch (below(m, 6)) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return noise % 16;
	case 3:
		return 1ULL << noise % 64;
	case 4:
		return (1ULL << noise % 64) - 1;
	default:
		return noise;
	}
}

static void add(struct maker *m, const char *code, __u64 address, __u64 value, __u64 count)
{
	*m->next++ = (struct op) { HOSTILE + (code - hostile_code), address, value, count };
}

static __u64 header(size_t offset)
{
	return BAR2(0) + offset;
}

#define HEADER(field) header(offsetof(struct kvm_heartbeat_pulse_header, field))

static void say(struct maker *m, __u32 word)
{
	add(m, hostile_write32, BAR0(0) + KVM_HEARTBEAT_REG_LIFECYCLE, word, 1);
	m->words++;
}

/* A beat as it should be, but for the number of the CPU. */
static void beat(struct maker *m, __u64 count)
{
	add(m, hostile_copy, HEADER(config_seq), HEADER(config_ack), 1);
	add(m, hostile_write32, BAR0(0) + KVM_HEARTBEAT_REG_DOORBELL, any_value(m), count);
	m->rings += count;
}

static void arm(struct maker *m)
{
	add(m, hostile_copy, HEADER(config_seq), HEADER(config_ack), 1);
	say(m, KVM_HEARTBEAT_ARM);
}

/* For between nothing and @limit_ns. */
static void pause_for(struct maker *m, __u64 limit_ns)
{
	add(m, hostile_wait, 0, below(m, limit_ns) * m->tsc_khz / 1000000, 1);
}

/* BAR0 in all ways, at its registers and elsewhere, at its end and beyond. */
static void access_registers(struct maker *m)
{
	static const char *const all[] = {
		hostile_write8, hostile_write16, hostile_write32, hostile_write64, hostile_read8,
		hostile_read16, hostile_read32, hostile_read64, hostile_fill, hostile_load,
		hostile_add,
	};
	static const struct {
		__u64 from, size;
	} places[] = {
		{ 0, 0x80 }, { 0, BAR0_SIZE }, { BAR0_SIZE - 16, 32 },
		{ BAR0_SIZE, BAR_STRIDE / 2 },
	};
	unsigned int i, place;

	for (i = 0; i < 40; i++) {
		place = below(m, 4);
		add(m, all[below(m, sizeof(all) / sizeof(*all))],
		    BAR0(0) + places[place].from + below(m, places[place].size), any_value(m),
		    1 + below(m, 20));
	}
}

static void storm_of_words(struct maker *m)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		say(m, below(m, 8) ? below(m, KVM_HEARTBEAT_OOPS + 2) : any_value(m));
}

/* Two words, each of which is a change of state. */
static void flap_by_words(struct maker *m)
{
	static const __u32 words[] = { KVM_HEARTBEAT_PANIC, KVM_HEARTBEAT_UNLOAD,
				       KVM_HEARTBEAT_DUMPING };
	__u32 word = words[below(m, 3)];
	unsigned int i;

	for (i = 0; i < 60; i++) {
		arm(m);
		say(m, word);
	}
}

static void storm_of_beats(struct maker *m)
{
	arm(m);
	beat(m, 300);
}

/* One vCPU beats as it should, and the others write all over the page. */
static void scribble(struct maker *m)
{
	static const char *const writes[] = { hostile_write8, hostile_write16, hostile_write32,
					      hostile_write64 };
	unsigned int i;

	if (!m->cpu)
		arm(m);
	for (i = 0; i < 150; i++) {
		if (m->cpu)
			/* Half of it to the header, and to the slots of the first CPUs. */
			add(m, writes[below(m, 4)], header(below(m, below(m, 2) ? 4088 : 384)),
			    any_value(m), 1 + below(m, 4));
		else
			beat(m, 1);
	}
}

/* Alive, and silent for about the timeout, which is twice the interval; in turns. */
static void fall_silent(struct maker *m)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		if (!m->cpu) {
			arm(m);
			beat(m, 2);
		}
		pause_for(m, 6 * m->interval_ns);
	}
}

/* The VMM resets the device, while the others beat and speak. */
static void reset(struct maker *m)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		arm(m);
		beat(m, 1 + below(m, 10));
		if (!m->cpu)
			add(m, hostile_reset, 0, 0, 1);
	}
}

/* Answers to what nobody has asked for, and to what somebody may have. */
static void answer(struct maker *m)
{
	__u32 number;
	unsigned int i;

	for (i = 0; i < 60; i++) {
		number = below(m, 2) ? any_value(m) : 1 + below(m, 8);
		add(m, hostile_write32, HEADER(request_ack),
		    number << KVM_HEARTBEAT_REQUEST_SEQ_SHIFT | below(m, 6), 1);
		if (!below(m, 4))
			add(m, hostile_copy, HEADER(request), HEADER(request_ack), 1);
		if (!below(m, 8))
			say(m, below(m, 2) ? KVM_HEARTBEAT_ARM : KVM_HEARTBEAT_PANIC);
		beat(m, 1);
	}
}

static void (*const phases[])(struct maker *) = {
	access_registers, storm_of_words, flap_by_words, storm_of_beats, scribble, fall_silent,
	reset, answer,
};

static void make_list(struct maker *m, const struct guest_run *how)
{
	__u64 plan = how->seed, phase;
	struct op *begin;

	for (phase = 0; phase <= how->count; phase++) {
		begin = m->next;
		if (phase < how->count)
			phases[next_random(&plan) % (sizeof(phases) / sizeof(*phases))](m);
		else
			flap_by_words(m);
		add(m, hostile_meet, HOSTILE + offsetof(struct hostile, met),
		    (phase + 1) * m->nr_vcpus, 1);
		if (m->next - begin > PHASE_OPS)
			errx(1, "a phase has %td operations: make room", m->next - begin);
	}
	/* The last word of many, and whoever listens is to hear of it. */
	if (!m->cpu) {
		arm(m);
		say(m, KVM_HEARTBEAT_SHUTDOWN);
	}
	add(m, hostile_done, 0, 0, 1);
}

/* The device is there, and its interval set. */
void hostile_open(const struct guest_run *how, unsigned int nr_vcpus, int tsc_khz)
{
	struct maker m = { .nr_vcpus = nr_vcpus, .tsc_khz = tsc_khz };

	ops_of_vcpu = (how->count + 1) * PHASE_OPS + 4;
	hostile_size = offsetof(struct hostile, ops[ops_of_vcpu * nr_vcpus]) + 4095;
	hostile_size -= hostile_size % 4096;
	hostile = get_memory(hostile_size, -1, 0, "the hostile guest's memory");
	if ((size_t)(hostile_end - hostile_code) > sizeof(hostile->code))
		errx(1, "the hostile guest does not fit: make room in struct hostile");
	memcpy(hostile->code, hostile_code, hostile_end - hostile_code);
	device_config(&devices[0], &m.interval_ns);
	for (m.cpu = 0; m.cpu < nr_vcpus; m.cpu++) {
		/* Each vCPU has another sequence, and the phases have their own. */
		m.random = ~how->seed ^ m.cpu << 16;
		m.next = &hostile->ops[m.cpu * ops_of_vcpu];
		make_list(&m, how);
	}
	set_memory(HOSTILE_SLOT, HOSTILE, hostile, hostile_size);
	printf("hostile words=%llu rings=%llu\n", m.words, m.rings);
}

void hostile_close(void)
{
	set_memory(HOSTILE_SLOT, HOSTILE, hostile, 0);
	munmap(hostile, hostile_size);
}

void hostile_begin(unsigned int nr, struct kvm_regs *r)
{
	r->rip = HOSTILE;
	r->r13 = HOSTILE + offsetof(struct hostile, ops[nr * ops_of_vcpu]);
}
