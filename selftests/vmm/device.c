// SPDX-License-Identifier: GPL-2.0
/*
 * The heartbeat device, as any VMM gives it to its guest
 */
#include <err.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "guest.h"
#include "kvm_heartbeat.h"
#include "vm.h"

struct device devices[MAX_DEVICES];
unsigned int nr_devices = 1;
size_t touched;
bool careless;

static int kvm_vfio = -1;

/*
 * Tell KVM of the group, or of the device's own file: newer headers say KVM_DEV_VFIO_FILE,
 * _ADD and _DEL; the numbers are the same.
 */
static void tell_kvm(struct device *dev, __u64 attr, const char *what)
{
	int file = dev->monitor.group < 0 ? dev->monitor.device : dev->monitor.group;
	struct kvm_device_attr arg = {
		.group = KVM_DEV_VFIO_GROUP, .attr = attr, .addr = (uintptr_t)&file,
	};

	check(ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &arg), what);
}

/* A step of opening the monitor. */
static void check_step(struct device *dev, int ret)
{
	if (ret)
		errx(1, "%s: %s: %s", dev->uuid, dev->monitor.step, strerror(-ret));
}

/*
 * Open the monitor's device. What comes when is not arbitrary: the module sees the VM
 * and its vCPUs when the device is opened, if KVM has been told of its file by then
 * and the vCPUs are there.
 */
static void monitored_open(struct device *dev)
{
	monitor_init(&dev->monitor, dev->uuid);
	check_step(dev, monitor_open_file(&dev->monitor));

	tell_kvm(dev, KVM_DEV_VFIO_GROUP_ADD, "KVM_DEV_VFIO_GROUP_ADD");

	check_step(dev, monitor_open_device(&dev->monitor));
	check(ioctl(dev->monitor.device, VFIO_DEVICE_GET_REGION_INFO, &dev->regs),
	      "VFIO_DEVICE_GET_REGION_INFO");
	check(ioctl(dev->monitor.device, VFIO_DEVICE_GET_REGION_INFO, &dev->pulse),
	      "VFIO_DEVICE_GET_REGION_INFO");
}

static void monitored_close(struct device *dev)
{
	tell_kvm(dev, KVM_DEV_VFIO_GROUP_DEL, "KVM_DEV_VFIO_GROUP_DEL");
	monitor_close(&dev->monitor);
}

/* The pulse page is memory: the guest's accesses do not leave it. */
static void map_page(struct device *dev)
{
	if (!dev->uuid) {
		dev->pulse.size = sizeof(*dev->page) + 4095;
		dev->pulse.size += dev->nr_cpus * sizeof(struct kvm_heartbeat_slot);
		dev->pulse.size -= dev->pulse.size % 4096;
		dev->regs.size = 4096;
	}
	dev->page = get_memory(dev->pulse.size, dev->monitor.device, dev->pulse.offset,
			       "the pulse page");
	if (dev->uuid && dev->page->nr_slots < dev->nr_cpus)
		errx(1, "the pulse page has only %u slots: use no more vCPUs",
		     dev->page->nr_slots);
	set_memory(1 + dev->nr, BAR2(dev->nr), dev->page, dev->pulse.size);
}

static void unmap_page(struct device *dev)
{
	set_memory(1 + dev->nr, BAR2(dev->nr), dev->page, 0);
	munmap(dev->page, dev->pulse.size);
}

/* As a VMM does that emulates something big. */
static void touch_memory(void)
{
	void *mem = get_memory(touched, -1, 0, "memory to touch");

	memset(mem, 1, touched);
	munmap(mem, touched);
}

/* BAR0 is no memory: what does not come by the eventfd exits, and comes here. */
void device_access(struct kvm_run *run)
{
	__u64 nr = (run->mmio.phys_addr - BAR0(0)) / BAR_STRIDE;
	struct device *dev = &devices[nr < nr_devices ? nr : 0];
	__u64 offset = run->mmio.phys_addr - BAR0(dev->nr);
	bool beyond = offset >= dev->regs.size || offset + run->mmio.len > dev->regs.size;
	ssize_t ret;

	if (beyond && !careless)
		errx(1, "the guest wants what is not there, at %#llx", run->mmio.phys_addr);
	if (touched)
		touch_memory();
	if (!dev->uuid)
		return;
	offset += dev->regs.offset;
	if (run->mmio.is_write)
		ret = pwrite(dev->monitor.device, run->mmio.data, run->mmio.len, offset);
	else
		ret = pread(dev->monitor.device, run->mmio.data, run->mmio.len, offset);
	if (beyond && ret >= 0)
		errx(1, "the device takes an access at %#llx, where it has no BAR0",
		     offset - dev->regs.offset);
	if (!beyond && ret != run->mmio.len)
		err(1, "cannot pass on an access at %#llx of BAR0", offset - dev->regs.offset);
}

void device_reset(struct device *dev)
{
	check(ioctl(dev->monitor.device, VFIO_DEVICE_RESET), "VFIO_DEVICE_RESET");
}

/*
 * An eventfd for the doorbell, which KVM signals, and the module listens to. It serves
 * nothing else. As it does not tell which CPU rings, it stands for none.
 */
static void set_doorbell(struct device *dev, bool on)
{
	struct kvm_ioeventfd kvm_side = {
		.addr = BAR0(dev->nr) + KVM_HEARTBEAT_REG_DOORBELL, .len = 4, .fd = dev->doorbell,
		.flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};
	struct vfio_device_ioeventfd module_side = {
		.argsz = sizeof(module_side), .flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = dev->regs.offset + KVM_HEARTBEAT_REG_DOORBELL, .data = 0xffffffff,
		.fd = on ? dev->doorbell : -1,
	};

	/* No beat is lost: while only the module is there, a write still exits. */
	if (dev->uuid && on)
		check(ioctl(dev->monitor.device, VFIO_DEVICE_IOEVENTFD, &module_side),
		      "VFIO_DEVICE_IOEVENTFD: use -d exit with a host module that has it not");
	check(ioctl(vm, KVM_IOEVENTFD, &kvm_side), "KVM_IOEVENTFD");
	if (dev->uuid && !on)
		check(ioctl(dev->monitor.device, VFIO_DEVICE_IOEVENTFD, &module_side),
		      "VFIO_DEVICE_IOEVENTFD");
}

/* @nr_cpus of the guest use it. Whoever restores a VM opens its devices likewise. */
static void device_open(struct device *dev, unsigned int nr_cpus, bool ioeventfd)
{
	dev->nr = dev - devices;
	dev->nr_cpus = nr_cpus;
	dev->regs = (struct vfio_region_info) {
		.argsz = sizeof(dev->regs), .index = KVM_HEARTBEAT_BAR_REGS,
	};
	dev->pulse = (struct vfio_region_info) {
		.argsz = sizeof(dev->pulse), .index = KVM_HEARTBEAT_BAR_PULSE,
	};
	dev->monitor.device = -1;
	dev->doorbell = -1;
	if (dev->uuid)
		monitored_open(dev);
	map_page(dev);
	if (ioeventfd) {
		dev->doorbell = check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
		set_doorbell(dev, true);
	}
}

static void device_close(struct device *dev)
{
	if (dev->doorbell >= 0) {
		set_doorbell(dev, false);
		close(dev->doorbell);
	}
	unmap_page(dev);
	if (dev->uuid)
		monitored_close(dev);
}

void devices_open(unsigned int nr_vcpus, bool ioeventfd)
{
	struct kvm_create_device vfio = { .type = KVM_DEV_TYPE_VFIO };
	unsigned int nr;

	if (devices[0].uuid) {
		check(ioctl(vm, KVM_CREATE_DEVICE, &vfio), "KVM_CREATE_DEVICE, of type VFIO");
		kvm_vfio = vfio.fd;
	}
	for (nr = 0; nr < nr_devices; nr++)
		device_open(&devices[nr], (nr_vcpus - 1 - nr) / nr_devices + 1, ioeventfd);
}

void devices_close(void)
{
	unsigned int nr;

	for (nr = 0; nr < nr_devices; nr++)
		device_close(&devices[nr]);
	if (kvm_vfio >= 0)
		close(kvm_vfio);
}

/* The generation of the configuration, and its interval. The host changes it in no time. */
__u32 device_config(const struct device *dev, __u64 *interval_ns)
{
	__u32 seq;

	do {
		seq = __atomic_load_n(&dev->page->config_seq, __ATOMIC_ACQUIRE);
		*interval_ns = __atomic_load_n(&dev->page->interval_ns, __ATOMIC_ACQUIRE);
	} while (seq & 1 || seq != __atomic_load_n(&dev->page->config_seq, __ATOMIC_RELAXED));
	return seq;
}
