// SPDX-License-Identifier: GPL-2.0
/*
 * The tiny guests, and the memory that they are in
 */
#include <assert.h>
#include <err.h>
#include <linux/kvm.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "device.h"
#include "guest.h"
#include "hostile.h"
#include "kvm_heartbeat.h"
#include "vm.h"

/* In its physical memory, which begins at 0; device.h has the rest. */
#define LAPIC		0xfee00000

#define TIMER_VECTOR	0x20

struct gate {
	__u16 offset_low, selector, type, offset_mid;
	__u32 offset_high, reserved;
};

/* The guest's memory. Its first 4 GiB of addresses are mapped one to one. */
struct memory {
	__u64 pml4[512], pdpt[512], pd[4][512];
	__u64 gdt[4];
	struct gate idt[TIMER_VECTOR + 1];
	__u32 stop;		/* a guest that beats shall fall silent */
	char code[1024];
	char stacks[][128];
};

static struct memory *memory;
static size_t memory_size;

/*
 * The guests, in long mode, interrupts off. Each begins with these registers:
 * rdi: BAR0, rsi: BAR2, rbp: the CPU's slot, r11: the CPU's number, rbx: how often,
 * rcx: whether to halt or to spin after that, r8: generation of the configuration,
 * r9 and r10: count and divisor of the timer, r12: local APIC, r13: pulses so far, 0.
 * Those that are counted leave the TSC from before and after in r14 and r15.
 */
extern const char guest_code[], guest_end[], guest_tick[];
extern const char guest_ring[], guest_pulse[], guest_beat[];
extern const char guest_stop[], guest_panic[], guest_flap[], guest_fail[];

static void __attribute_used__ guest_assembly(void)
{
	asm volatile("guest_code:\n"
	/* Here everyone begins, who is to be judged by his slot and who is not. CPU 0 arms. */
	".Lonline:\n"
	"	movl	%[online], %c[flags](%%rbp)\n"
	".Larm:	test	%%r11d, %%r11d\n"
	"	jnz	1f\n"
	"	mov	%%r8d, %c[config_ack](%%rsi)\n"
	"	movl	%[arm], %c[lifecycle](%%rdi)\n"
	"1:	out	%%al, %[port_begun]\n"
	"	ret\n"

	".Lnow:	rdtsc\n"
	"	shl	$32, %%rdx\n"
	"	or	%%rdx, %%rax\n"
	"	ret\n"

	"guest_ring:\n"
	"	call	.Larm\n"
	"	call	.Lnow\n"
	"	mov	%%rax, %%r14\n"
	"1:	mov	%%r11d, %c[doorbell](%%rdi)\n"
	"	dec	%%rbx\n"
	"	jnz	1b\n"
	".Ldone:	call	.Lnow\n"
	"	mov	%%rax, %%r15\n"
	"	out	%%al, %[port_done]\n"

	"guest_pulse:\n"
	"	call	.Lonline\n"
	"	call	.Lnow\n"
	"	mov	%%rax, %%r14\n"
	"1:	inc	%%r13\n"
	"	mov	%%r13, %c[pulses](%%rbp)\n"
	"	cmp	%%rbx, %%r13\n"
	"	jne	1b\n"
	"	jmp	.Ldone\n"

	/* Local APIC: enable, set the timer's divisor, its vector and period, its count. */
	"guest_beat:\n"
	"	call	.Lonline\n"
	"	movl	$0x1ff, 0xf0(%%r12)\n"
	"	mov	%%r10d, 0x3e0(%%r12)\n"
	"	movl	$0x20000 + %c[timer_vector], 0x320(%%r12)\n"
	"	mov	%%r9d, 0x380(%%r12)\n"
	"	sti\n"
	"1:	hlt\n"
	"	jmp	1b\n"

	/*
	 * The timer's interrupt: count, ring, acknowledge. The last one does not return.
	 * It says that it follows each configuration, and beats as it began.
	 */
	"guest_tick:\n"
	"	inc	%%r13\n"
	"	mov	%%r13, %c[pulses](%%rbp)\n"
	"	test	%%r11d, %%r11d\n"
	"	jnz	1f\n"
	"	mov	%c[config_seq](%%rsi), %%eax\n"
	"	mov	%%eax, %c[config_ack](%%rsi)\n"
	"	mov	%%r11d, %c[doorbell](%%rdi)\n"
	"1:	movl	$0, 0xb0(%%r12)\n"
	"	cmp	%%rbx, %%r13\n"
	"	je	.Lstop\n"
	"	cmpl	$0, %c[stop]\n"
	"	jne	.Lstop\n"
	"	iretq\n"

	/*
	 * Bochs gives the host its interrupts back only if a guest that entered with its own
	 * off turns them off.
	 */
	"guest_stop:\n"
	"	call	.Lonline\n"
	".Lstop:	test	%%ecx, %%ecx\n"
	"	jnz	.Lhalt\n"
	"1:	cli\n"
	"	jmp	1b\n"
	".Lhalt:	hlt\n"
	"	jmp	.Lhalt\n"

	"guest_panic:\n"
	"	call	.Lonline\n"
	"	movl	%[panic], %c[lifecycle](%%rdi)\n"
	"	jmp	.Lhalt\n"

	/* Armed and not, and each is a change of state. */
	"guest_flap:\n"
	"	call	.Lonline\n"
	"1:	movl	%[arm], %c[lifecycle](%%rdi)\n"
	"	movl	%[unload], %c[lifecycle](%%rdi)\n"
	"	jmp	1b\n"

	/* A device is accessed by an instruction that KVM cannot emulate. */
	"guest_fail:\n"
	"	call	.Lonline\n"
	"	fnstenv	(%%rdi)\n"
	"guest_end:\n"
	: : [config_ack] "i" (offsetof(struct kvm_heartbeat_pulse_header, config_ack)),
	    [config_seq] "i" (offsetof(struct kvm_heartbeat_pulse_header, config_seq)),
	    [stop] "i" (offsetof(struct memory, stop)),
	    [pulses] "i" (offsetof(struct kvm_heartbeat_slot, pulses)),
	    [flags] "i" (offsetof(struct kvm_heartbeat_slot, flags)),
	    [online] "i" (KVM_HEARTBEAT_SLOT_ONLINE), [arm] "i" (KVM_HEARTBEAT_ARM),
	    [unload] "i" (KVM_HEARTBEAT_UNLOAD),
	    [panic] "i" (KVM_HEARTBEAT_PANIC),
	    [lifecycle] "i" (KVM_HEARTBEAT_REG_LIFECYCLE),
	    [doorbell] "i" (KVM_HEARTBEAT_REG_DOORBELL), [timer_vector] "i" (TIMER_VECTOR),
	    [port_begun] "i" (PORT_BEGUN), [port_done] "i" (PORT_DONE));
}

static const struct guest guests[] = {
	{ .name = "ring", .entry = guest_ring, .counted = true },
	{ .name = "pulse", .entry = guest_pulse, .counted = true },
	{ .name = "beat", .entry = guest_beat, .beats = true },
	{ .name = "spin", .entry = guest_stop, .silent = true },
	{ .name = "halt", .entry = guest_stop, .silent = true },
	{ .name = "flap", .entry = guest_flap },
	{ .name = "panic", .entry = guest_panic },
	{ .name = "fail", .entry = guest_fail, .silent = true },
	{ .name = "storm", .entry = guest_ring },	/* from 0 on: 2^64 times */
	{ .name = "hostile", .entry = guest_code, .counted = true, .hostile = true },
	{}
};

/* NULL if there is none of this name. */
const struct guest *guest_find(const char *name)
{
	const struct guest *guest;

	for (guest = guests; guest->name; guest++)
		if (!strcmp(name, guest->name))
			return guest;
	return NULL;
}

void memory_open(unsigned int nr_vcpus)
{
	__u64 tick = offsetof(struct memory, code) + (guest_tick - guest_code);
	size_t i;

	memory_size = offsetof(struct memory, stacks[nr_vcpus]) + 4095;
	memory_size -= memory_size % 4096;
	memory = get_memory(memory_size, -1, 0, "the guest's memory");

	/* Present and writable (3), and of the last level pages of 2 MiB (0x80). */
	memory->pml4[0] = offsetof(struct memory, pdpt) | 3;
	for (i = 0; i < 4; i++)
		memory->pdpt[i] = offsetof(struct memory, pd[i]) | 3;
	for (i = 0; i < 4 * 512; i++)
		memory->pd[i / 512][i % 512] = i << 21 | 0x83;
	memory->gdt[1] = 0x00af9b000000ffff;	/* 64-bit code */
	memory->gdt[2] = 0x00cf93000000ffff;	/* data */
	memory->idt[TIMER_VECTOR] = (struct gate) {
		.offset_low = tick, .selector = 8, .type = 0x8e00,
	};
	static_assert(sizeof(struct memory) < 0x10000, "the gate has more of the offset");
	if ((size_t)(guest_end - guest_code) > sizeof(memory->code))
		errx(1, "the guests do not fit: make room in struct memory");
	memcpy(memory->code, guest_code, guest_end - guest_code);
	set_memory(0, 0, memory, memory_size);
}

void memory_close(void)
{
	set_memory(0, 0, memory, 0);
	munmap(memory, memory_size);
}

void *memory_get(__u64 *size)
{
	*size = memory_size;
	return memory;
}

/* One that beats shall fall silent. */
void guest_silence(void)
{
	__atomic_store_n(&memory->stop, 1, __ATOMIC_RELAXED);
}

/*
 * The registers of vCPU @nr at the beginning of its guest: @sregs are as it was created. If there
 * are several devices, the vCPUs take turns to use one, and are the first CPU to it, the second...
 */
void guest_begin(const struct guest_run *how, unsigned int nr, struct kvm_regs *r,
		 struct kvm_sregs *sregs)
{
	static const __u8 divisors[] = { 11, 0, 1, 2, 3, 8, 9, 10 };	/* by 1, 2, 4 ... 128 */
	const struct device *dev = &devices[nr % nr_devices];
	unsigned int cpu = nr / nr_devices;
	unsigned int shift = 0;

	*r = (struct kvm_regs) {
		.rip = offsetof(struct memory, code) + (how->guest->entry - guest_code),
		.rsp = offsetof(struct memory, stacks[nr + 1]),
		.rflags = 2,
		.rdi = BAR0(dev->nr), .rsi = BAR2(dev->nr), .r11 = cpu, .r12 = LAPIC,
		.rbp = BAR2(dev->nr) + sizeof(struct kvm_heartbeat_pulse_header) +
		       cpu * sizeof(struct kvm_heartbeat_slot),
		.rbx = how->count, .rcx = how->then_halt,
	};

	if (how->guest->hostile)
		hostile_begin(nr, r);

	/* KVM's local APIC counts nanoseconds, in 32 bits. */
	r->r8 = device_config(dev, &r->r9);
	while (r->r9 >> shift > UINT32_MAX)
		shift++;
	if (shift >= sizeof(divisors) && how->guest->beats)
		errx(1, "an interval of %llu ns is too long for this guest's timer", r->r9);
	r->r9 >>= shift;
	r->r10 = divisors[shift % sizeof(divisors)];

	sregs->cs = (struct kvm_segment) {
		.selector = 8, .type = 11, .limit = -1, .present = 1, .s = 1, .l = 1, .g = 1,
	};
	sregs->ss = (struct kvm_segment) {
		.selector = 16, .type = 3, .limit = -1, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	sregs->ds = sregs->ss;
	sregs->es = sregs->ss;
	sregs->gdt.base = offsetof(struct memory, gdt);
	sregs->gdt.limit = sizeof(memory->gdt) - 1;
	sregs->idt.base = offsetof(struct memory, idt);
	sregs->idt.limit = sizeof(memory->idt) - 1;
	sregs->cr0 = 0x80000011;		/* paging, protected mode; and caches on */
	sregs->cr3 = offsetof(struct memory, pml4);
	sregs->cr4 = 0x20;		/* PAE */
	sregs->efer = 0x500;		/* long mode */
}
