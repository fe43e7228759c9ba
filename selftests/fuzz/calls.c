// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of a hostile VMM, and the VMM that performs them: in one thread in their order, in its
 * antagonists in other orders at the same time. Files are shared by all threads; what has been
 * closed may be used once more. Errors are ignored: it is the kernel that is tested, and what it
 * says to nonsense others test.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "migration.h"
#include "program.h"
#include "reports.h"

#define PAGE_BYTES	4096
#define NR_MAPS		4
#define HELD_FDS	512
#define MAX_VCPUS	8	/* of a VM: all have a slot in one page */

static struct monitor *victims;		/* two */
static int remover;			/* who is written to removes one and creates it anew */
static void (*thread_begins)(unsigned int thread);
static const struct program *program;
static atomic_bool ended;
static bool is_fork;

char *beyond;

/* Of all threads; that they race for them is meant. */
static _Atomic int fds[NR_FDS];
static void *_Atomic maps[NR_MAPS];
static __u8 stream[STREAM_MAX];
static _Atomic size_t stream_size;

static int fd_of(const struct call *call)
{
	return fds[call->fd % NR_FDS];
}

static int other_of(const struct call *call)
{
	return call->how & 8 ? -1 - (call->how >> 7) : fds[call->other % NR_FDS];
}

static void keep_at(unsigned int nr, int fd)
{
	if (fd >= 0)
		fds[nr % NR_FDS] = fd;
}

static void keep(const struct call *call, int fd)
{
	keep_at(call->other, fd);
}

/* In place of what was there: VMs cost too much for many to be kept. */
static void replace(const struct call *call, int fd)
{
	if (fd < 0)
		return;
	close(fds[call->other % NR_FDS]);
	keep(call, fd);
}

static struct monitor *victim_of(const struct call *call)
{
	return &victims[call->fd % 2];
}

/* Arguments. The last byte of one is the last of a page, and what follows cannot be accessed. */

static __thread __u8 *argument_page;

static void *argument(const struct call *call, const void *bytes, size_t size)
{
	__u8 *at = argument_page + PAGE_BYTES - size;
	size_t cut = 0;

	switch (call->how & 7) {
	case 4:					/* there is less of it than there should be */
		cut = 1 + call->value % size;
		break;
	case 5:					/* there is none */
		return (void *)(call->n & 1 ? 0 : 0xffff888000000000);
	}
	memcpy(at + cut, bytes, size - cut);
	/* It says that it is shorter or longer. */
	if ((call->how & 7) == 6 && size - cut >= sizeof(__u32))
		memcpy(at + cut, &call->n, sizeof(__u32));
	return at + cut;
}

/* What the call left in its argument, or NULL if it failed. */
static void *with_ioctl(const struct call *call, unsigned long request, const void *bytes,
			size_t size)
{
	void *arg = argument(call, bytes, size);

	return ioctl(fd_of(call), request, arg) ? NULL : arg;
}

static void call_get_info(const struct call *call)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	with_ioctl(call, VFIO_DEVICE_GET_INFO, &info, sizeof(info));
}

static void call_region_info(const struct call *call)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = call->n };

	with_ioctl(call, VFIO_DEVICE_GET_REGION_INFO, &info, sizeof(info));
}

static void call_irq_info(const struct call *call)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = call->n };

	with_ioctl(call, VFIO_DEVICE_GET_IRQ_INFO, &info, sizeof(info));
}

static void call_set_irqs(const struct call *call)
{
	static const __u32 flags[] = {
		VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
		VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK,
		VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
	};
	struct {
		struct vfio_irq_set set;
		__s32 fd;
	} arg = {
		{
			.argsz = sizeof(arg),
			.flags = PICK(flags, call->value),
			.index = VFIO_PCI_MSI_IRQ_INDEX + call->n % 4,
			.count = 1,
		},
		other_of(call),
	};

	if ((arg.set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK) == VFIO_IRQ_SET_DATA_NONE)
		arg.set.count = call->value >> 8 & 1;
	if (call->how & 16)
		arg.set.index = call->n;
	if (call->how & 32)
		arg.set.count = call->value;
	if (call->how & 64)
		arg.set.start = call->n;
	if (call->how & 128)
		arg.set.flags = call->value;
	with_ioctl(call, VFIO_DEVICE_SET_IRQS, &arg, sizeof(arg));
}

static void call_ioeventfd(const struct call *call)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg),
		.flags = call->how & 16 ? call->n : VFIO_DEVICE_IOEVENTFD_32,
		.offset = call->how & 32 ? call->value : BAR0 + KVM_HEARTBEAT_REG_DOORBELL,
		.data = call->value % 3,
		.fd = call->n & 1 ? -1 : other_of(call),
	};

	with_ioctl(call, VFIO_DEVICE_IOEVENTFD, &arg, sizeof(arg));
}

static void call_reset(const struct call *call)
{
	ioctl(fd_of(call), VFIO_DEVICE_RESET);
}

/* All features that there are, and numbers beyond; what follows the head is a number. */
static void call_feature(const struct call *call)
{
	static const __u32 what[] = {
		VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_SET,
		VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET,
		VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET,
	};
	struct {
		struct vfio_device_feature head;
		__u64 data[4];
	} arg = {
		.head.argsz = sizeof(arg),
		.head.flags = what[call->value % 4] | call->n % 12,
		.data = { call->value >> 8, call->n },
	};

	if (call->how & 16)
		arg.head.flags = call->n;
	with_ioctl(call, VFIO_DEVICE_FEATURE, &arg, sizeof(arg));
}

static void call_dirty(const struct call *call)
{
	static __u8 bitmap[PAGE_BYTES];
	struct vfio_device_feature_dma_logging_range range = { call->value, call->n };
	const struct vfio_device_feature_dma_logging_control control = {
		.page_size = call->how & 16 ? call->value : PAGE_BYTES,
		.num_ranges = call->how & 32 ? call->n : 1,
		.ranges = call->how & 64 ? call->value : (__u64)(unsigned long)&range,
	};
	const struct vfio_device_feature_dma_logging_report report = {
		.iova = call->value,
		.length = call->n,
		.page_size = PAGE_BYTES,
		.bitmap = call->how & 64 ? call->value : (__u64)(unsigned long)bitmap,
	};
	struct {
		struct vfio_device_feature head;
		__u8 data[sizeof(report)];
	} arg = { .head.argsz = sizeof(arg) };

	memcpy(arg.data, &control, sizeof(control));
	switch (call->n % 3) {
	case 0:
		arg.head.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
		break;
	case 1:
		arg.head.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
		break;
	case 2:
		arg.head.flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT;
		memcpy(arg.data, &report, sizeof(report));
		break;
	}
	with_ioctl(call, VFIO_DEVICE_FEATURE, &arg, sizeof(arg));
}

static void call_migrate(const struct call *call)
{
	struct {
		struct vfio_device_feature head;
		struct vfio_device_feature_mig_state state;
	} arg = {
		.head.argsz = sizeof(arg),
		.head.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		.state.device_state = call->how & 16 ? call->n : call->n % NR_MIG_STATES,
		.state.data_fd = -1,
	};
	void *result = with_ioctl(call, VFIO_DEVICE_FEATURE, &arg, sizeof(arg));

	/* One that was cut says what comes by chance: then its file is lost until the end. */
	if (result && !(call->how & 7)) {
		memcpy(&arg, result, sizeof(arg));
		keep(call, arg.state.data_fd);
	}
}

static void call_mig_state(const struct call *call)
{
	struct vfio_device_feature_mig_state state = {};
	struct monitor m = { .device = fd_of(call) };

	feature(&m, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &state,
		sizeof(state));
	has_precopy(&m);
}

static void call_precopy(const struct call *call)
{
	struct precopy_info info = { .argsz = sizeof(info) };

	with_ioctl(call, GET_PRECOPY_INFO, &info, sizeof(info));
}

static void call_any_ioctl(const struct call *call)
{
	__u64 bytes[8] = { 64, call->value, call->n };

	with_ioctl(call, _IO(VFIO_TYPE, VFIO_BASE + call->n % 32), bytes, sizeof(bytes));
	ioctl(fd_of(call), call->n, call->value);
}

/* Streams */

static void call_save(const struct call *call)
{
	struct monitor m = { .device = fd_of(call) };
	__u8 bytes[STREAM_MAX];
	ssize_t size = mig_save(&m, bytes);

	if (size <= 0)
		return;
	memcpy(stream, bytes, size);
	stream_size = size;
}

static void call_load(const struct call *call)
{
	struct monitor m = { .device = fd_of(call) };

	mig_load(&m, stream, stream_size);
}

static void call_stream_read(const struct call *call)
{
	ssize_t size = read(fd_of(call), argument(call, stream, PAGE_BYTES),
			    call->n % (PAGE_BYTES + 2));

	if (size > 0 && !(call->how & 7))
		memcpy(stream, argument_page, size);
}

static void call_stream_write(const struct call *call)
{
	size_t from = call->value % STREAM_MAX, size = STREAM_MAX - from;

	if (call->how & 16)
		from = 0, size = stream_size;
	if (call->how & 7)
		write(fd_of(call), argument(call, stream, PAGE_BYTES), call->n % (PAGE_BYTES + 2));
	else
		write(fd_of(call), stream + from, call->n % (size + 1));
}

/* One bit or one field of the stream is another one, and the checksum may be right again. */
static void call_stream_change(const struct call *call)
{
	size_t size = stream_size;

	if (size < 64)
		return;
	if (call->how & 16)
		stream[call->n % size] ^= 1 << call->value % 8;
	else
		memcpy(&stream[call->n % 48 * 8 % (size - 8)], &call->value, 8);
	if (call->how & 32)
		size = 48 + call->value % (STREAM_MAX - 48);
	stream_size = size;
	if (!(call->how & 64))
		seal_stream(stream, size);
}

/* Regions */

/* Of a device whose VM has no more vCPUs than MAX_VCPUS. */
static const struct {
	off_t start, size;
} regions[] = { { BAR0, 4096 }, { BAR2, 4096 }, { CONFIG, 256 } };

/*
 * The same file by a number that only its thread knows: above all that is opened. Whoever closes
 * or replaces the other meanwhile does not change which file it is.
 */
static int hold(const struct call *call)
{
	return fcntl(fd_of(call), F_DUPFD, HELD_FDS);
}

static bool is_device(int fd)
{
	char path[32], target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = 0;
	return strstr(target, "[vfio-device]") || strstr(target, "/dev/vfio/devices/");
}

/* A device must not answer beyond its regions. Lets go of the file. */
static void judge(const char *what, int held, off_t at, ssize_t granted)
{
	bool within = granted <= 0 || !is_device(held);
	unsigned int i;

	for (i = 0; !within && i < ARRAY_SIZE(regions); i++)
		within = at >= regions[i].start &&
			 at + granted <= regions[i].start + regions[i].size;
	if (!within)
		snprintf(beyond, BEYOND_TEXT, "%s of %zd bytes at %#llx", what, granted,
			 (unsigned long long)at);
	close(held);
}

/* As a rule in or across the end of a region that there is; else anywhere. */
static off_t place_of(const struct call *call)
{
	off_t start = PICK(regions, call->n >> 8).start, size = PICK(regions, call->n >> 8).size;

	switch (call->how >> 4 & 3) {
	case 1:
		return call->value;
	case 2:
		return ((off_t)(call->n >> 8) % 10 << 40) + call->value % 256;
	}
	return start + (call->n & 4 ? size - call->value % 9 : call->value % 256);
}

static size_t size_of(const struct call *call)
{
	return call->how & 64 ? call->n % PAGE_BYTES : 1 << call->n % 4;
}

static void call_read(const struct call *call)
{
	__u8 bytes[PAGE_BYTES] = {};
	size_t size = size_of(call);
	int held = hold(call);

	judge("a read", held, place_of(call),
	      pread(held, argument(call, bytes, size ?: 1), size, place_of(call)));
}

static void call_write(const struct call *call)
{
	__u8 bytes[PAGE_BYTES];
	size_t size = size_of(call);
	int held = hold(call);

	memset(bytes, call->value >> 32, sizeof(bytes));
	memcpy(bytes, &call->value, sizeof(call->value));
	judge("a write", held, place_of(call),
	      pwrite(held, argument(call, bytes, size ?: 1), size, place_of(call)));
}

static void call_say(const struct call *call)
{
	struct monitor m = { .device = fd_of(call) };

	say(&m, call->n % 10);
}

static void call_ring(const struct call *call)
{
	struct monitor m = { .device = fd_of(call) };
	unsigned int times = 1 + call->n % 8;

	while (times--)
		reg_write(&m, KVM_HEARTBEAT_REG_DOORBELL, call->value % 3);
}

static void call_ack(const struct call *call)
{
	struct monitor m = { .device = fd_of(call) };

	ack(&m);
}

/* Mappings. Others may unmap one that is written to: this is a way to end, too. */

static void call_map(const struct call *call)
{
	size_t size = PAGE_BYTES * (1 + (call->how & 16 ? call->n % 32 : 0));
	int prot = call->value & 1 ? PROT_READ : PROT_READ | PROT_WRITE;
	static const __u8 indices[] = { 2, 2, 2, 2, 0, 1, 3, 7, 9 };
	int held = hold(call);
	off_t at = BAR2;
	void *map;

	if (call->how & 32)
		at = ((off_t)PICK(indices, call->n >> 8) << 40) + call->value % 4 * PAGE_BYTES;
	map = mmap(NULL, size, call->how & 64 ? prot | PROT_EXEC : prot,
		   call->how & 128 ? MAP_PRIVATE : MAP_SHARED, held, at);
	if (map != MAP_FAILED)
		maps[call->value % NR_MAPS] = map;
	judge("a mapping", held, at, map == MAP_FAILED ? 0 : size);
}

static void call_unmap(const struct call *call)
{
	void *map = maps[call->value % NR_MAPS];

	if (!map)
		return;
	maps[call->value % NR_MAPS] = NULL;
	switch (call->n % 4) {
	case 0:
		maps[call->value % NR_MAPS] = mremap(map, PAGE_BYTES, 2 * PAGE_BYTES,
						     MREMAP_MAYMOVE) == MAP_FAILED ? map : NULL;
		break;
	case 1:
		mprotect(map, PAGE_BYTES, PROT_NONE);
		break;
	default:
		munmap(map, PAGE_BYTES);
	}
}

static void call_scribble(const struct call *call)
{
	volatile __u32 *map = maps[call->value % NR_MAPS];

	if (map)
		map[call->n % (PAGE_BYTES / 4)] = call->value >> 8;
}

/* A guest that lives: its first CPU pulses, and rings. */
static void call_live(const struct call *call)
{
	struct monitor m = { .device = fd_of(call) };
	struct page *map = maps[call->value % NR_MAPS];
	unsigned int times = 1 + call->n % 16;

	ack(&m);
	while (times--) {
		if (map) {
			map->slots[call->how % 62].flags = KVM_HEARTBEAT_SLOT_ONLINE;
			map->slots[call->how % 62].pulses++;
		}
		ring(&m);
		poll(NULL, 0, call->how & 16 ? 2 : 0);
	}
}

/* Files */

static void call_close(const struct call *call)
{
	close(fd_of(call));
	if (call->n & 1)
		fds[call->fd % NR_FDS] = -1;
}

static void call_dup(const struct call *call)
{
	keep(call, dup(fd_of(call)));
}

static void call_eventfd(const struct call *call)
{
	keep(call, eventfd(call->n, EFD_NONBLOCK | (call->how & 16 ? EFD_SEMAPHORE : 0)));
}

static void call_signal(const struct call *call)
{
	__u64 count = call->how & 16 ? call->value : 1;

	if (call->how & 32)
		read(fd_of(call), &count, sizeof(count));
	else
		write(fd_of(call), &count, sizeof(count));
}

static void call_poll(const struct call *call)
{
	struct pollfd pfd = { .fd = fd_of(call), .events = POLLIN | POLLPRI };

	poll(&pfd, 1, call->n % 4);
}

static void call_open(const struct call *call)
{
	struct monitor *m = victim_of(call), wrong;

	monitor_init(&wrong, call->how & 16 ? "no-such-monitor" : m->uuid);
	keep(call, ioctl(fds[GROUP + call->n % 2], VFIO_GROUP_GET_DEVICE_FD, wrong.uuid));
}

static void call_group(const struct call *call)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int container = other_of(call);

	switch (call->n % 4) {
	case 0:
		with_ioctl(call, VFIO_GROUP_GET_STATUS, &status, sizeof(status));
		break;
	case 1:
		ioctl(fd_of(call), VFIO_GROUP_UNSET_CONTAINER);
		break;
	default:
		with_ioctl(call, VFIO_GROUP_SET_CONTAINER, &container, sizeof(container));
	}
}

static void call_container(const struct call *call)
{
	ioctl(fd_of(call), VFIO_SET_IOMMU, call->n & 1 ? VFIO_TYPE1v2_IOMMU : call->value);
}

/* iommufd: what there is in one has numbers from 1 on, devices and address spaces alike. */

static void call_bind(const struct call *call)
{
	struct bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = other_of(call) };

	with_ioctl(call, BIND_IOMMUFD, &bind, sizeof(bind));
}

static void call_ioas(const struct call *call)
{
	struct ioas_alloc ioas = { .size = sizeof(ioas) };

	with_ioctl(call, IOAS_ALLOC, &ioas, sizeof(ioas));
}

static void call_attach(const struct call *call)
{
	struct attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = call->how & 16 ? call->value : 1 + call->value % 4,
	};
	struct detach_iommufd_pt detach = { .argsz = sizeof(detach) };

	if (call->n & 1)
		with_ioctl(call, DETACH_IOMMUFD_PT, &detach, sizeof(detach));
	else
		with_ioctl(call, ATTACH_IOMMUFD_PT, &attach, sizeof(attach));
}

/* The VM */

/*
 * It has one page of memory, where its vCPUs begin. They run for a moment and halt, again and
 * again. Without an interrupt controller of KVM's each halt leaves to the VMM.
 */
static int open_vm(void)
{
	/* mov $0xffff, %cx; loop .; hlt; and back to the first */
	static const __u8 code[] = { 0xb9, 0xff, 0xff, 0xe2, 0xfe, 0xf4, 0xeb, 0xf8 };
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct kvm_userspace_memory_region memory = {
		.guest_phys_addr = 0xfffff000, .memory_size = PAGE_BYTES,
		.userspace_addr = (unsigned long)page,
	};
	int kvm = open("/dev/kvm", O_RDWR), vm = ioctl(kvm, KVM_CREATE_VM, 0);

	close(kvm);
	memcpy(page + 0xff0, code, sizeof(code));
	ioctl(vm, KVM_SET_USER_MEMORY_REGION, &memory);
	return vm;
}

static int open_kvm_vfio(int vm)
{
	struct kvm_create_device vfio = { .type = KVM_DEV_TYPE_VFIO };

	return ioctl(vm, KVM_CREATE_DEVICE, &vfio) ? -1 : (int)vfio.fd;
}

static void call_vm(const struct call *call)
{
	replace(call, open_vm());
}

static void call_vcpu(const struct call *call)
{
	replace(call, ioctl(fd_of(call), KVM_CREATE_VCPU, call->n % MAX_VCPUS));
}

static void call_kvm_vfio(const struct call *call)
{
	replace(call, open_kvm_vfio(fd_of(call)));
}

/*
 * Of groups, but not of devices' own files: if one that KVM knows is bound while the device is open
 * by another, VFIO loses a reference to the VM (vfio_df_ioctl_bind_iommufd(), in 6.12 at least).
 */
static void call_tell(const struct call *call)
{
	int held = fcntl(other_of(call), F_DUPFD, HELD_FDS);
	struct kvm_device_attr attr = {
		.group = call->how & 16 ? call->n : KVM_DEV_VFIO_GROUP,
		.attr = call->n % 3 ? KVM_DEV_VFIO_GROUP_ADD : KVM_DEV_VFIO_GROUP_DEL,
		.addr = call->how & 32 ? call->value : (__u64)(unsigned long)&held,
	};

	if (!is_device(held))
		with_ioctl(call, KVM_SET_DEVICE_ATTR, &attr, sizeof(attr));
	close(held);
}

/* For some moments; or step by step, as a debugger does. */
static void call_run(const struct call *call)
{
	struct kvm_guest_debug debug = {
		.control = call->how & 16 ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP : 0,
	};
	unsigned int times = 1 + call->n % 8;

	ioctl(fd_of(call), KVM_SET_GUEST_DEBUG, &debug);
	while (times--)
		ioctl(fd_of(call), KVM_RUN, 0);
}

/* Why a vCPU has left KVM_RUN, in the VMM's own words. */
static void call_exit(const struct call *call)
{
	static const __u32 reasons[] = {
		KVM_EXIT_HLT, KVM_EXIT_SHUTDOWN, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_DEBUG,
		KVM_EXIT_FAIL_ENTRY,
	};
	struct kvm_run *run = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				   fd_of(call), 0);

	if (run == MAP_FAILED)
		return;
	run->exit_reason = call->how & 16 ? call->value : PICK(reasons, call->value);
	munmap(run, PAGE_BYTES);
}

/* One of the two monitors, by its own file or its group, of which KVM is told before. */
static void open_monitor(unsigned int nr, int container, int kvm_vfio)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP, .attr = KVM_DEV_VFIO_GROUP_ADD,
	};
	struct monitor m;

	monitor_init(&m, victims[nr].uuid);
	m.container = container;
	monitor_open_file(&m);
	attr.addr = (unsigned long)&m.group;
	ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &attr);
	monitor_open_device(&m);
	keep_at(DEVICE + nr, m.device);
	keep_at(GROUP + nr, m.group);
	keep_at(CONTAINER + nr, m.container);
}

static void call_open_cdev(const struct call *call)
{
	open_monitor(call->fd % 2, -1, -1);
}

/* The administrator, meanwhile */

static void call_attr_set(const struct call *call)
{
	static const char *const names[] = {
		"interval_ns", "timeout_ns", "boot_timeout_ns", "shutdown_timeout_ns", "mute_ns",
		"action_delay_ns", "actions_max", "actions_window_ns", "on_unresponsive",
		"on_panicked",
	};
	static const char *const numbers[] = {
		"0", "1", "1000000", "1000000", "3000000", "20000000", "3600000000000",
		"18446744073709551615", "-1", "",
	};
	static const char *const steps[] = {
		"none", "backtrace", "pause dump backtrace", "backtrace kill", "dump pause",
		"dump backtrace dump backtrace dump backtrace",
	};
	const char *name = PICK(names, call->n);
	bool is_plan = !strncmp(name, "on_", 3) || call->how & 16;

	attr_set(victim_of(call), name,
		 is_plan ? PICK(steps, call->value) : PICK(numbers, call->value));
}

static void call_attr_get(const struct call *call)
{
	static const char *const names[] = {
		"state", "evidence", "stale_vcpus", "actions", "downtime_ns", "last_beat_ns",
		"interval_mean_ns", "jitter_ns", "on_panicked", "vmm_pid",
	};

	attr_text(victim_of(call), PICK(names, call->n));
}

static void call_remove(const struct call *call)
{
	char which = call->fd % 2;

	write(remover, &which, 1);
}

/* The end */

static void call_fork(const struct call *call)
{
	if (!is_fork && !fork())
		is_fork = true;
}

static void call_die(const struct call *call)
{
	if (call->n & 1)
		kill(getpid(), SIGKILL);
	_exit(0);
}

const struct op ops[] = {
	{ "info", call_get_info, DEVICE, ANY },
	{ "regioninfo", call_region_info, DEVICE, ANY },
	{ "irqinfo", call_irq_info, DEVICE, ANY },
	{ "irqs", call_set_irqs, DEVICE, EVENT },
	{ "ioeventfd", call_ioeventfd, DEVICE, EVENT },
	{ "reset", call_reset, DEVICE, ANY },
	{ "feature", call_feature, DEVICE, ANY },
	{ "dirty", call_dirty, DEVICE, ANY },
	{ "migrate", call_migrate, DEVICE, STREAM },
	{ "migstate", call_mig_state, DEVICE, ANY },
	{ "precopy", call_precopy, STREAM, ANY },
	{ "anyioctl", call_any_ioctl, ANY, ANY },
	{ "save", call_save, DEVICE, ANY },
	{ "load", call_load, DEVICE, ANY },
	{ "streamread", call_stream_read, STREAM, ANY },
	{ "streamwrite", call_stream_write, STREAM, ANY },
	{ "change", call_stream_change, ANY, ANY },
	{ "read", call_read, DEVICE, ANY },
	{ "write", call_write, DEVICE, ANY },
	{ "say", call_say, DEVICE, ANY },
	{ "ring", call_ring, DEVICE, ANY },
	{ "ack", call_ack, DEVICE, ANY },
	{ "map", call_map, DEVICE, ANY },
	{ "unmap", call_unmap, ANY, ANY },
	{ "scribble", call_scribble, ANY, ANY },
	{ "live", call_live, DEVICE, ANY },
	{ "close", call_close, ANY, ANY },
	{ "dup", call_dup, ANY, ANY },
	{ "eventfd", call_eventfd, ANY, EVENT },
	{ "signal", call_signal, EVENT, ANY },
	{ "poll", call_poll, ANY, ANY },
	{ "open", call_open, ANY, DEVICE },
	{ "group", call_group, GROUP, CONTAINER },
	{ "container", call_container, CONTAINER, ANY },
	{ "opencdev", call_open_cdev, ANY, ANY },
	{ "bind", call_bind, GROUP, CONTAINER },
	{ "ioas", call_ioas, CONTAINER, ANY },
	{ "attach", call_attach, DEVICE, ANY },
	{ "vm", call_vm, ANY, VM },
	{ "vcpu", call_vcpu, VM, VCPU },
	{ "kvmvfio", call_kvm_vfio, VM, KVM_VFIO },
	{ "tell", call_tell, KVM_VFIO, GROUP },
	{ "run", call_run, VCPU, ANY },
	{ "exit", call_exit, VCPU, ANY },
	{ "set", call_attr_set, ANY, ANY },
	{ "get", call_attr_get, ANY, ANY },
	{ "remove", call_remove, ANY, ANY },
	{ "fork", call_fork, ANY, ANY },
	{ "die", call_die, ANY, ANY },
};

const unsigned int nr_ops = ARRAY_SIZE(ops);

static void thread_begin(unsigned int thread)
{
	argument_page = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(argument_page + PAGE_BYTES, PAGE_BYTES, PROT_NONE);
	thread_begins(thread);
}

/* The same calls, beginning elsewhere. What ends the VMM at once is left to the program's order. */
static void *antagonist(void *arg)
{
	unsigned int thread = (unsigned long)arg, at = thread * program->nr / 2;
	const struct call *call;

	thread_begin(thread);
	while (!ended) {
		call = &program->calls[at++ % program->nr];
		if (ops[call->op].perform != call_die && ops[call->op].perform != call_fork)
			ops[call->op].perform(call);
	}
	return NULL;
}

/* What could not be opened is not there: this, too, is something that a program may begin with. */
static void open_all(void)
{
	struct monitor a;
	unsigned int i;

	for (i = 0; i < NR_FDS; i++)
		fds[i] = -1;
	fds[EVENT] = eventfd(0, EFD_NONBLOCK);
	fds[EVENT + 1] = eventfd(0, EFD_NONBLOCK);
	if (program->opens & OPENS_KVM) {
		fds[VM] = open_vm();
		fds[VCPU] = ioctl(fds[VM], KVM_CREATE_VCPU, 0);
		fds[VCPU + 1] = ioctl(fds[VM], KVM_CREATE_VCPU, 1);
		fds[KVM_VFIO] = open_kvm_vfio(fds[VM]);
	}
	if (program->opens & OPENS_A)
		open_monitor(0, -1, fds[KVM_VFIO]);
	if (program->opens & OPENS_B)
		open_monitor(1, program->opens & OPENS_TOGETHER ? fds[CONTAINER] : -1,
			     fds[KVM_VFIO]);
	/* From here on all are opened so. */
	monitor_by_cdev = true;
	if (program->opens & OPENS_CDEV)
		open_monitor(0, -1, program->opens & OPENS_A ? -1 : fds[KVM_VFIO]);

	monitor_init(&a, victims[0].uuid);
	a.device = fds[DEVICE];
	if (program->opens & OPENS_PAGE) {
		maps[0] = map_page(&a);
		if (maps[0] == MAP_FAILED)
			maps[0] = NULL;
	}
	if (program->opens & OPENS_BRISK)
		attr_set(&a, "interval_ns", "1000000");
	if (program->opens & OPENS_ARMED) {
		ack(&a);
		say(&a, KVM_HEARTBEAT_ARM);
	}
}

/**
 * vmm - be a hostile VMM
 * @to_run: what it does
 * @of: the two monitors that it does it to, neither of them open
 * @to_remover: the file that it writes a byte to, 0 or 1, for one to be removed and made anew
 * @begin: called in each of its threads, with its number
 */
void vmm(const struct program *to_run, struct monitor *of, int to_remover,
	 void (*begin)(unsigned int thread))
{
	pthread_t threads[MAX_ANTAGONISTS];
	unsigned long i, round;

	program = to_run;
	victims = of;
	remover = to_remover;
	thread_begins = begin;
	thread_begin(0);
	open_all();
	for (i = 0; i < program->antagonists; i++)
		if (pthread_create(&threads[i], NULL, antagonist, (void *)(i + 1)))
			_exit(1);
	for (round = 0; round < program->rounds; round++)
		for (i = 0; i < program->nr; i++)
			ops[program->calls[i].op].perform(&program->calls[i]);
	if (is_fork)
		_exit(0);
	ended = true;
	for (i = 0; i < program->antagonists; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}
