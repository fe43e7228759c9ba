// SPDX-License-Identifier: GPL-2.0
/*
 * vmm: the least that gives a guest the heartbeat device, see print_usage() below
 *
 * For those who write a VMM: what the device needs of one is in device_open(), with
 * ../vfio/monitor.c, in map_page(), set_doorbell() and device_access(), and main() has
 * the order. The rest is a machine without PCI, whose tiny guests know where the device
 * is.
 *
 * Build with gcc -O2 -Wall -Wextra -Werror -I../../uapi -I../vfio vmm.c ../vfio/monitor.c.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "kvm_heartbeat.h"
#include "monitor.h"

/* Where things are in the guest's physical memory, which begins at 0. */
#define BAR0		0x80000000
#define BAR2		0x90000000
#define LAPIC		0xfee00000

/* To these ports each vCPU says that it has begun, and that it has done what it had to. */
#define PORT_BEGUN	0x10
#define PORT_DONE	0x11

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

struct vcpu {
	unsigned int nr;
	int fd, stats;
	bool stepped;
	off_t exits;		/* where the statistics have the number of exits */
	__u64 exits_begun;
	struct kvm_run *run;
	struct kvm_sregs sregs;	/* as it was created, and so the next two */
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	pthread_t thread;
	sem_t go;
};

/* Why a vCPU is kicked, in kvm_run::immediate_exit: for KVM each means to leave. */
enum { STOP = 1, LOOK = 2 };

struct guest {
	const char *name, *entry;
	bool counted;		/* is done, and measured */
	bool silent;		/* at some time */
};

/* The arguments. */
static const char *uuid;
static bool ioeventfd;
static unsigned int nr_vcpus = 1;
static __u64 rounds;
static size_t touched;
static bool has_debugger;
static const struct guest *guest;
static __u64 count;
static bool then_halt;

/* The machine. */
static int kvm, vm, kvm_vfio, doorbell = -1;
static struct monitor monitor = { .container = -1, .group = -1, .device = -1 };
static struct vfio_region_info regs = { .argsz = sizeof(regs), .index = KVM_HEARTBEAT_BAR_REGS };
static struct vfio_region_info pulse = { .argsz = sizeof(pulse), .index = KVM_HEARTBEAT_BAR_PULSE };
static struct kvm_heartbeat_pulse_header *page;
static struct memory *memory;
static struct vcpu *vcpus;
static size_t memory_size, run_size;

static sem_t begun, parked;
static int done, signals;
static bool stepping;	/* the debugger has all vCPUs go step by step */

/*
 * The guests, in long mode, interrupts off. Each begins with these registers:
 * rdi: BAR0, rsi: BAR2, rbp: the CPU's slot, r11: the CPU's number, rbx: how often,
 * rcx: whether to halt or to spin after that, r8: generation of the configuration,
 * r9 and r10: count and divisor of the timer, r12: local APIC, r13: pulses so far, 0.
 * Those that are counted leave the TSC from before and after in r14 and r15.
 */
extern const char guest_code[], guest_end[], guest_tick[];
extern const char guest_ring[], guest_pulse[], guest_beat[], guest_stop[], guest_fail[];

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

	"guest_stop:\n"
	"	call	.Lonline\n"
	".Lstop:	test	%%ecx, %%ecx\n"
	"	jnz	2f\n"
	"1:	jmp	1b\n"
	"2:	hlt\n"
	"	jmp	2b\n"

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
	    [lifecycle] "i" (KVM_HEARTBEAT_REG_LIFECYCLE),
	    [doorbell] "i" (KVM_HEARTBEAT_REG_DOORBELL), [timer_vector] "i" (TIMER_VECTOR),
	    [port_begun] "i" (PORT_BEGUN), [port_done] "i" (PORT_DONE));
}

static const struct guest guests[] = {
	{ .name = "ring", .entry = guest_ring, .counted = true },
	{ .name = "pulse", .entry = guest_pulse, .counted = true },
	{ .name = "beat", .entry = guest_beat },
	{ .name = "spin", .entry = guest_stop, .silent = true },
	{ .name = "halt", .entry = guest_stop, .silent = true },
	{ .name = "fail", .entry = guest_fail, .silent = true },
	{ .name = "storm", .entry = guest_ring },	/* from 0 on: 2^64 times */
	{}
};

static noreturn void print_usage(void)
{
	fputs("usage: vmm [-m UUID] [-d exit|ioeventfd] [-c VCPUS] [-r ROUNDS] [-s] [-t KIB]\n"
	      "           GUEST [ARGS]\n"
	      "\n"
	      "Run a tiny guest with the heartbeat device, until it is done or SIGTERM or SIGINT comes.\n"
	      "\n"
	      "  -m UUID     the monitor; without it the guest has memory for a pulse page, and\n"
	      "              nobody takes note of what it writes to the registers\n"
	      "  -d exit     the doorbell is a write like any other: an exit to this program, which\n"
	      "              passes it on (default)\n"
	      "  -d ioeventfd\n"
	      "              KVM hands the doorbell to the host module by an eventfd\n"
	      "  -c VCPUS    how many (default 1)\n"
	      "  -r ROUNDS   of a guest that falls silent: when the monitor says unresponsive, reset,\n"
	      "              wait for a random part of an interval, and begin again; then say\n"
	      "              'rounds ROUNDS'\n"
	      "  -s          at SIGUSR2, have the vCPUs execute one instruction at a time, as fast as\n"
	      "              it goes, and take no interrupts, as a debugger does; at the next, go on\n"
	      "  -t KIB      use so much new memory for each access that this program passes on\n"
	      "\n"
	      "GUEST, when it has armed:\n"
	      "  ring N      ring the doorbell N times, on each vCPU, and say at what cost:\n"
	      "              'ring count=N ns=TIME exits=NUMBER', without beginning and end\n"
	      "  pulse N     count up the slot N times, likewise\n"
	      "  beat [K [spin|halt]]\n"
	      "              every interval, count up every vCPU's slot, and vCPU 0 rings; after\n"
	      "              K times (0 or none: never), or when SIGUSR2 has come, spin (default)\n"
	      "              or halt, interrupts off\n"
	      "  spin, halt  that, at once\n"
	      "  fail        do what KVM cannot emulate, so that KVM gives the guest up\n"
	      "  storm       ring for ever, as fast as it goes, on each vCPU\n"
	      "All but ring and pulse say 'up' when all vCPUs run.\n", stderr);
	exit(2);
}

static int check(int ret, const char *what)
{
	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

static void *get_memory(size_t size, int fd, off_t offset, const char *what)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);

	if (mem == MAP_FAILED)
		err(1, "cannot map %s", what);
	return mem;
}

/* Size 0 takes the slot away. */
static void set_memory(__u32 slot, __u64 address, void *mem, __u64 size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = address,
		.userspace_addr = (uintptr_t)mem, .memory_size = size,
	};

	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static void memory_open(void)
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

static void vm_open(void)
{
	struct rlimit files;

	/* A vCPU takes three. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		err(1, "/dev/kvm: is kvm_amd or kvm_intel loaded, and may you use it?");
	vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	check(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	run_size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	memory_open();
}

static void stats_open(struct vcpu *vcpu)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	size_t size;
	__u32 i;

	vcpu->stats = check(ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL),
			    "KVM_GET_STATS_FD, which Linux has since 5.14");
	if (pread(vcpu->stats, &header, sizeof(header), 0) != sizeof(header))
		err(1, "cannot read the statistics of vCPU %u", vcpu->nr);
	size = sizeof(*desc) + header.name_size;
	desc = malloc(size);
	if (!desc)
		err(1, "no memory");
	for (i = 0; i < header.num_desc; i++) {
		if (pread(vcpu->stats, desc, size, header.desc_offset + i * size) != (ssize_t)size)
			err(1, "cannot read the statistics of vCPU %u", vcpu->nr);
		if (!strcmp(desc->name, "exits"))
			break;
	}
	if (i == header.num_desc)
		errx(1, "this kernel does not count the exits of a vCPU");
	vcpu->exits = header.data_offset + desc->offset;
	free(desc);
}

static __u64 vcpu_exits(struct vcpu *vcpu)
{
	__u64 exits;

	if (pread(vcpu->stats, &exits, sizeof(exits), vcpu->exits) != sizeof(exits))
		err(1, "cannot read the statistics of vCPU %u", vcpu->nr);
	return exits;
}

/*
 * What the guests use: TSC, PAE and a local APIC, and long mode. No MTRRs: where KVM heeds
 * them, as it may if there is a VFIO device, all memory would be uncached until they are set.
 */
static const struct {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[2];
} cpuid = {
	.head.nent = 2,
	.entries = {
		{ .function = 1, .edx = 1 << 4 | 1 << 6 | 1 << 9 },
		{ .function = 0x80000001, .edx = 1 << 29 },
	},
};

static void vcpu_open(struct vcpu *vcpu, unsigned int nr)
{
	vcpu->nr = nr;
	vcpu->fd = ioctl(vm, KVM_CREATE_VCPU, nr);
	if (vcpu->fd < 0)
		err(1, "cannot create vCPU %u", nr);
	check(ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid), "KVM_SET_CPUID2");
	vcpu->run = get_memory(run_size, vcpu->fd, 0, "struct kvm_run");
	check(ioctl(vcpu->fd, KVM_GET_SREGS, &vcpu->sregs), "KVM_GET_SREGS");
	check(ioctl(vcpu->fd, KVM_GET_LAPIC, &vcpu->lapic), "KVM_GET_LAPIC");
	check(ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &vcpu->events), "KVM_GET_VCPU_EVENTS");
	stats_open(vcpu);
	sem_init(&vcpu->go, 0, 0);
}

static void vcpu_close(struct vcpu *vcpu)
{
	close(vcpu->stats);
	munmap(vcpu->run, run_size);
	close(vcpu->fd);
}

/* Newer headers say KVM_DEV_VFIO_FILE, _ADD and _DEL; the numbers are the same. */
static void tell_kvm(__u64 attr, const char *what)
{
	struct kvm_device_attr arg = {
		.group = KVM_DEV_VFIO_GROUP, .attr = attr, .addr = (uintptr_t)&monitor.group,
	};

	check(ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &arg), what);
}

/* A step of opening the monitor. */
static void check_step(int ret)
{
	if (ret)
		errx(1, "%s: %s: %s", uuid, monitor.step, strerror(-ret));
}

/*
 * Open the monitor's device. What comes when is not arbitrary: the module sees the VM
 * and its vCPUs when the device is opened, if KVM has been told of the group by then
 * and the vCPUs are there.
 */
static void device_open(void)
{
	struct kvm_create_device vfio = { .type = KVM_DEV_TYPE_VFIO };

	monitor_init(&monitor, uuid);
	check_step(monitor_open_group(&monitor));

	check(ioctl(vm, KVM_CREATE_DEVICE, &vfio), "KVM_CREATE_DEVICE, of type VFIO");
	kvm_vfio = vfio.fd;
	tell_kvm(KVM_DEV_VFIO_GROUP_ADD, "KVM_DEV_VFIO_GROUP_ADD");

	check_step(monitor_open_device(&monitor));
	check(ioctl(monitor.device, VFIO_DEVICE_GET_REGION_INFO, &regs),
	      "VFIO_DEVICE_GET_REGION_INFO");
	check(ioctl(monitor.device, VFIO_DEVICE_GET_REGION_INFO, &pulse),
	      "VFIO_DEVICE_GET_REGION_INFO");
}

static void device_close(void)
{
	close(monitor.device);
	monitor.device = -1;
	tell_kvm(KVM_DEV_VFIO_GROUP_DEL, "KVM_DEV_VFIO_GROUP_DEL");
	close(kvm_vfio);
	monitor_close(&monitor);
}

/* The pulse page is memory: the guest's accesses do not leave it. */
static void map_page(void)
{
	if (!uuid) {
		pulse.size = sizeof(*page) + nr_vcpus * sizeof(struct kvm_heartbeat_slot) + 4095;
		pulse.size -= pulse.size % 4096;
		regs.size = 4096;
	}
	page = get_memory(pulse.size, monitor.device, pulse.offset, "the pulse page");
	if (uuid && page->nr_slots < nr_vcpus)
		errx(1, "the pulse page has only %u slots: use no more vCPUs", page->nr_slots);
	set_memory(1, BAR2, page, pulse.size);
}

static void unmap_page(void)
{
	set_memory(1, BAR2, page, 0);
	munmap(page, pulse.size);
}

/* As a VMM does that emulates something big. */
static void touch_memory(void)
{
	void *mem = get_memory(touched, -1, 0, "memory to touch");

	memset(mem, 1, touched);
	munmap(mem, touched);
}

/* BAR0 is no memory: what does not come by the eventfd exits, and comes here. */
static void device_access(struct kvm_run *run)
{
	off_t where = regs.offset + run->mmio.phys_addr - BAR0;
	ssize_t ret;

	if (run->mmio.phys_addr < BAR0 || run->mmio.phys_addr + run->mmio.len > BAR0 + regs.size)
		errx(1, "the guest wants what is not there, at %#llx", run->mmio.phys_addr);
	if (touched)
		touch_memory();
	if (!uuid)
		return;
	if (run->mmio.is_write)
		ret = pwrite(monitor.device, run->mmio.data, run->mmio.len, where);
	else
		ret = pread(monitor.device, run->mmio.data, run->mmio.len, where);
	if (ret != run->mmio.len)
		err(1, "cannot pass on an access at %#llx of BAR0", run->mmio.phys_addr - BAR0);
}

/*
 * An eventfd for the doorbell, which KVM signals, and the module listens to. It serves
 * nothing else. As it does not tell which CPU rings, it stands for none.
 */
static void set_doorbell(bool on)
{
	struct kvm_ioeventfd kvm_side = {
		.addr = BAR0 + KVM_HEARTBEAT_REG_DOORBELL, .len = 4, .fd = doorbell,
		.flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};
	struct vfio_device_ioeventfd module_side = {
		.argsz = sizeof(module_side), .flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = regs.offset + KVM_HEARTBEAT_REG_DOORBELL, .data = 0xffffffff,
		.fd = on ? doorbell : -1,
	};

	/* No beat is lost: while only the module is there, a write still exits. */
	if (uuid && on)
		check(ioctl(monitor.device, VFIO_DEVICE_IOEVENTFD, &module_side),
		      "VFIO_DEVICE_IOEVENTFD: use -d exit with a host module that has it not");
	check(ioctl(vm, KVM_IOEVENTFD, &kvm_side), "KVM_IOEVENTFD");
	if (uuid && !on)
		check(ioctl(monitor.device, VFIO_DEVICE_IOEVENTFD, &module_side),
		      "VFIO_DEVICE_IOEVENTFD");
}

static void doorbell_open(void)
{
	doorbell = check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	set_doorbell(true);
}

static void doorbell_close(void)
{
	set_doorbell(false);
	close(doorbell);
}

/* The generation of the configuration, and its interval. The host changes it in no time. */
static __u32 read_config(__u64 *interval_ns)
{
	__u32 seq;

	do {
		seq = __atomic_load_n(&page->config_seq, __ATOMIC_ACQUIRE);
		*interval_ns = __atomic_load_n(&page->interval_ns, __ATOMIC_ACQUIRE);
	} while (seq & 1 || seq != __atomic_load_n(&page->config_seq, __ATOMIC_RELAXED));
	return seq;
}

/* As created, but in long mode, and at the beginning of its guest. */
static void vcpu_reset(struct vcpu *vcpu)
{
	static const __u8 divisors[] = { 11, 0, 1, 2, 3, 8, 9, 10 };	/* by 1, 2, 4 ... 128 */
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs = vcpu->sregs;
	unsigned int shift = 0;
	struct kvm_regs r = {
		.rip = offsetof(struct memory, code) + (guest->entry - guest_code),
		.rsp = offsetof(struct memory, stacks[vcpu->nr + 1]),
		.rflags = 2,
		.rdi = BAR0, .rsi = BAR2, .r11 = vcpu->nr, .r12 = LAPIC,
		.rbp = BAR2 + sizeof(*page) + vcpu->nr * sizeof(struct kvm_heartbeat_slot),
		.rbx = count, .rcx = then_halt,
	};

	/* KVM's local APIC counts nanoseconds, in 32 bits. */
	r.r8 = read_config(&r.r9);
	while (r.r9 >> shift > UINT32_MAX)
		shift++;
	if (shift >= sizeof(divisors) && guest->entry == guest_beat)
		errx(1, "an interval of %llu ns is too long for this guest's timer", r.r9);
	r.r9 >>= shift;
	r.r10 = divisors[shift % sizeof(divisors)];

	sregs.cs = (struct kvm_segment) {
		.selector = 8, .type = 11, .limit = -1, .present = 1, .s = 1, .l = 1, .g = 1,
	};
	sregs.ss = (struct kvm_segment) {
		.selector = 16, .type = 3, .limit = -1, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	sregs.ds = sregs.ss;
	sregs.es = sregs.ss;
	sregs.gdt.base = offsetof(struct memory, gdt);
	sregs.gdt.limit = sizeof(memory->gdt) - 1;
	sregs.idt.base = offsetof(struct memory, idt);
	sregs.idt.limit = sizeof(memory->idt) - 1;
	sregs.cr0 = 0x80000011;		/* paging, protected mode; and caches on */
	sregs.cr3 = offsetof(struct memory, pml4);
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* long mode */

	check(ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable), "KVM_SET_MP_STATE");
	check(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(vcpu->fd, KVM_SET_REGS, &r), "KVM_SET_REGS");
	check(ioctl(vcpu->fd, KVM_SET_LAPIC, &vcpu->lapic), "KVM_SET_LAPIC");
	check(ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &vcpu->events), "KVM_SET_VCPU_EVENTS");
}

/* Say what it cost. The exit by which it comes here is not counted. */
static void vcpu_done(struct vcpu *vcpu)
{
	__u64 exits = vcpu_exits(vcpu) - vcpu->exits_begun - 1;
	int khz = check(ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0), "KVM_GET_TSC_KHZ");
	struct kvm_regs r;

	check(ioctl(vcpu->fd, KVM_GET_REGS, &r), "KVM_GET_REGS");
	printf("%s count=%llu ns=%.0f exits=%llu\n", guest->name, count,
	       (r.r15 - r.r14) * 1e6 / khz, exits);
	eventfd_write(done, 1);
}

static void vcpu_debug(struct vcpu *vcpu, bool on)
{
	struct kvm_guest_debug debug = { };

	if (on)
		debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
				KVM_GUESTDBG_BLOCKIRQ;
	check(ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug), "KVM_SET_GUEST_DEBUG");
	vcpu->stepped = on;
}

/* Until it is kicked or done. */
static void vcpu_run(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	bool step;

	for (;;) {
		step = __atomic_load_n(&stepping, __ATOMIC_RELAXED);
		if (step != vcpu->stepped)
			vcpu_debug(vcpu, step);
		if (ioctl(vcpu->fd, KVM_RUN, 0)) {
			if (errno != EINTR && errno != EAGAIN)
				err(1, "vCPU %u does not run", vcpu->nr);
			if (__atomic_exchange_n(&run->immediate_exit, 0, __ATOMIC_RELAXED) == STOP)
				return;
			continue;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_MMIO:
			device_access(run);
			break;
		case KVM_EXIT_IO:
			if (run->io.port == PORT_DONE) {
				vcpu_done(vcpu);
				return;
			}
			vcpu->exits_begun = vcpu_exits(vcpu);
			sem_post(&begun);
			break;
		case KVM_EXIT_DEBUG:
			break;
		case KVM_EXIT_INTERNAL_ERROR:
			warnx("vCPU %u: KVM cannot run it any more", vcpu->nr);
			return;
		default:
			errx(1, "vCPU %u ends with KVM's exit reason %u, see linux/kvm.h", vcpu->nr,
			     run->exit_reason);
		}
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;

	for (;;) {
		sem_wait(&vcpu->go);
		vcpu_run(vcpu);
		sem_post(&parked);
	}
	return NULL;
}

/* Its use is that it interrupts. */
static void kicked(int signal)
{
	(void)signal;
}

/* The flag is for one that is about to enter the guest, the signal for one that is in it. */
static void kick_vcpus(int why)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++) {
		__atomic_store_n(&vcpus[nr].run->immediate_exit, why, __ATOMIC_RELAXED);
		pthread_kill(vcpus[nr].thread, SIGUSR1);
	}
}

/* From the beginning. */
static void start_vcpus(void)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++) {
		vcpu_reset(&vcpus[nr]);
		vcpus[nr].run->immediate_exit = 0;
	}
	for (nr = 0; nr < nr_vcpus; nr++)
		sem_post(&vcpus[nr].go);
}

static void stop_vcpus(void)
{
	unsigned int nr;

	kick_vcpus(STOP);
	for (nr = 0; nr < nr_vcpus; nr++)
		sem_wait(&parked);
}

/* The main thread hears of signals by poll(2); SIGUSR1 is for the vCPUs' threads. */
static void threads_open(void)
{
	/* KVM_RUN is not restarted, all else is. */
	struct sigaction kick = { .sa_handler = kicked, .sa_flags = SA_RESTART };
	unsigned int nr;
	sigset_t heard;

	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGINT);
	sigaddset(&heard, SIGUSR2);
	sigprocmask(SIG_BLOCK, &heard, NULL);
	signals = check(signalfd(-1, &heard, SFD_CLOEXEC), "signalfd");
	sigaction(SIGUSR1, &kick, NULL);
	done = check(eventfd(0, EFD_CLOEXEC), "eventfd");
	sem_init(&begun, 0, 0);
	sem_init(&parked, 0, 0);
	for (nr = 0; nr < nr_vcpus; nr++) {
		errno = pthread_create(&vcpus[nr].thread, NULL, vcpu_thread, &vcpus[nr]);
		if (errno)
			err(1, "cannot start the thread of vCPU %u", nr);
	}
}

/* They are parked. */
static void threads_close(void)
{
	unsigned int nr;

	for (nr = 0; nr < nr_vcpus; nr++) {
		pthread_cancel(vcpus[nr].thread);
		pthread_join(vcpus[nr].thread, NULL);
	}
	close(done);
	close(signals);
}

/* Until there is something in @fd. Return: false if a signal has come that is to end us. */
static bool wait_for(int fd, short events)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = fd, .events = events },
	};
	struct signalfd_siginfo signal;

	for (;;) {
		check(poll(fds, 2, -1), "poll");
		if (!fds[0].revents)
			return true;
		check(read(signals, &signal, sizeof(signal)), "cannot read a signal");
		if (signal.ssi_signo != SIGUSR2)
			return false;
		if (has_debugger) {
			__atomic_store_n(&stepping, !stepping, __ATOMIC_SEQ_CST);
			kick_vcpus(LOOK);
		} else {
			__atomic_store_n(&memory->stop, 1, __ATOMIC_RELAXED);
		}
	}
}

static void wait_done(void)
{
	eventfd_t more, all;

	for (all = 0; all < nr_vcpus && wait_for(done, POLLIN); all += more)
		eventfd_read(done, &more);
}

/* Until the monitor says so. Return: false if a signal came first. */
static bool wait_state(int state, const char *wanted)
{
	char now[32];
	ssize_t len;

	do {
		/* Reading is what makes poll wait for the next one. */
		len = check(pread(state, now, sizeof(now) - 1, 0), "cannot read the state");
		now[len] = 0;
		if (!strcmp(strtok(now, "\n"), wanted))
			return true;
	} while (wait_for(state, POLLPRI));
	return false;
}

/* Silence after silence, from started vCPUs to stopped ones. Return: how many there were. */
static __u64 run_rounds(void)
{
	__u64 round = 0, ns;
	struct timespec phase;
	char path[256];
	bool silent;
	int state;

	snprintf(path, sizeof(path), MDEV "%s/heartbeat/state", uuid);
	state = check(open(path, O_RDONLY | O_CLOEXEC), path);
	srandom(1);
	for (;;) {
		silent = wait_state(state, "unresponsive");
		stop_vcpus();
		if (!silent || ++round == rounds)
			break;
		check(ioctl(monitor.device, VFIO_DEVICE_RESET), "VFIO_DEVICE_RESET");
		/* Or what was said of this round might be taken for the next. */
		if (!wait_state(state, "waiting"))
			break;
		read_config(&ns);
		ns = ns * (random() / (RAND_MAX + 1.0));
		phase = (struct timespec) { ns / 1000000000, ns % 1000000000 };
		nanosleep(&phase, NULL);
		start_vcpus();
	}
	close(state);
	return round;
}

static __u64 parse(const char *text, const char *what, __u64 max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > max)
		errx(2, "'%s' is not %s, at most %llu", text, what, max);
	return value;
}

static void parse_guest(int argc, char **argv)
{
	for (guest = guests; argc && guest->name && strcmp(argv[0], guest->name); guest++)
		;
	if (!argc || !guest->name || argc > (guest->entry == guest_beat ? 3 : 1 + guest->counted))
		print_usage();
	if (argc > 1)
		count = parse(argv[1], "a number of times", UINT64_MAX);
	if (guest->counted && !count)
		print_usage();
	then_halt = !strcmp(argv[argc > 2 ? 2 : 0], "halt");
	if (argc > 2 && !then_halt && strcmp(argv[2], "spin"))
		print_usage();
	if (rounds && !(uuid && (guest->silent || (guest->entry == guest_beat && count))))
		errx(2, "-r is for a guest with a monitor that falls silent: beat K, spin or halt");
	if (guest->entry == guest_beat && !uuid)
		errx(2, "beat needs a monitor (-m), which has the interval");
}

int main(int argc, char **argv)
{
	unsigned int nr;
	__u64 silences;
	int option;

	while ((option = getopt(argc, argv, "+m:d:c:r:st:")) != -1) {
		if (option == 'm')
			uuid = optarg;
		else if (option == 'd' && (!strcmp(optarg, "exit") || !strcmp(optarg, "ioeventfd")))
			ioeventfd = !strcmp(optarg, "ioeventfd");
		else if (option == 'c')
			nr_vcpus = parse(optarg, "a number of vCPUs", UINT16_MAX);
		else if (option == 'r')
			rounds = parse(optarg, "a number of rounds", UINT64_MAX);
		else if (option == 's')
			has_debugger = true;
		else if (option == 't')
			touched = parse(optarg, "a number of KiB", 1 << 20) << 10;
		else
			print_usage();
	}
	parse_guest(argc - optind, argv + optind);
	vcpus = calloc(nr_vcpus, sizeof(*vcpus));
	if (!nr_vcpus || !vcpus)
		print_usage();
	setlinebuf(stdout);

	vm_open();
	for (nr = 0; nr < nr_vcpus; nr++)
		vcpu_open(&vcpus[nr], nr);
	if (uuid)
		device_open();
	map_page();
	if (ioeventfd)
		doorbell_open();
	threads_open();

	start_vcpus();
	/* What is counted is not to be disturbed by us. */
	if (!guest->counted) {
		for (nr = 0; nr < nr_vcpus; nr++)
			sem_wait(&begun);
		puts("up");
	}
	if (rounds) {
		silences = run_rounds();
		printf("rounds %llu\n", silences);
	} else {
		wait_done();
		stop_vcpus();
	}

	threads_close();
	if (ioeventfd)
		doorbell_close();
	unmap_page();
	if (uuid)
		device_close();
	for (nr = 0; nr < nr_vcpus; nr++)
		vcpu_close(&vcpus[nr]);
	set_memory(0, 0, memory, 0);
	munmap(memory, memory_size);
	close(vm);
	close(kvm);
	return 0;
}
