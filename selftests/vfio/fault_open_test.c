// SPDX-License-Identifier: GPL-2.0
/*
 * The device opened, mapped and closed
 */
#include "fault_test.h"

static bool is_open(struct subject *s)
{
	return is(&s->m, "waiting", "none") && attr(&s->m, "vmm_pid") == getpid() &&
	       reg_read(&s->m, KVM_HEARTBEAT_REG_MAGIC) == KVM_HEARTBEAT_MAGIC;
}

static bool is_closed(struct subject *s)
{
	return is(&s->m, "detached", "vmm-gone");
}

static void undo_open(struct subject *s)
{
	close(s->m.device);
}

static void undo_close(struct subject *s)
{
	open_device(s);
}

TEST_F(faults, open_and_close)
{
	static const struct operation opens = { "open", open_device, is_open, undo_open };
	static const struct operation closes = {
		"close", close_device, is_closed, undo_close, .cannot_fail = true
	};

	make_faults(_metadata, &closes, &self->s);
	close_device(&self->s);
	make_faults(_metadata, &opens, &self->s);
	ASSERT_EQ(0, open_device(&self->s));
}

/* Where nothing else is near, so that page tables are allocated, too. */
#define PLACE ((void *)(1UL << 40))

static int map_device(struct subject *s)
{
	s->page = mmap(PLACE, sizeof(*s->page), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, s->m.device, BAR2);
	return result((long)s->page);
}

static bool is_mapped(struct subject *s)
{
	return s->page != MAP_FAILED && s->page->header.magic == KVM_HEARTBEAT_MAGIC;
}

static void undo_map(struct subject *s)
{
	munmap(s->page, sizeof(*s->page));
}

TEST_F(faults, map)
{
	static const struct operation op = { "map", map_device, is_mapped, undo_map };

	make_faults(_metadata, &op, &self->s);
}

/*
 * With KVM: as many vCPUs as have slots in one page, and more. A single fault does not keep the
 * module from having more pages, but from the one.
 */

#define FEW_VCPUS 2
#define NR_VCPUS 64
#define KVM_DEBUGFS "/sys/kernel/debug/kvm/"

static int tell_kvm(struct subject *s, __u64 attr)
{
	struct kvm_device_attr arg = {
		.group = KVM_DEV_VFIO_GROUP, .attr = attr, .addr = (unsigned long)&s->m.group,
	};

	return result(ioctl(s->kvm_vfio, KVM_SET_DEVICE_ATTR, &arg));
}

static bool has_slots(struct subject *s)
{
	return is_open(s) && reg_read(&s->m, KVM_HEARTBEAT_REG_NR_SLOTS) >= NR_VCPUS;
}

static bool add_vcpus(int vm, int *vcpus, int first, int end)
{
	int i;

	for (i = first; i < end; i++) {
		vcpus[i] = ioctl(vm, KVM_CREATE_VCPU, i);
		if (vcpus[i] < 0)
			return false;
	}
	return true;
}

static bool is_alive(struct subject *s)
{
	return is(&s->m, "alive", "none");
}

TEST_F(faults, with_kvm)
{
	static const struct operation opens_page = {
		"open with a VM", open_device, is_open, undo_open
	};
	static const struct operation opens_pages = {
		"open with more vCPUs", open_device, has_slots, undo_open
	};
	static const struct operation arms = { "arm", say_armed, is_alive, open_anew };
	struct kvm_create_device vfio = { .type = KVM_DEV_TYPE_VFIO };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, i;
	struct subject *s = &self->s;
	int vcpus[NR_VCPUS];
	char path[64];

	ASSERT_LE(0, kvm);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, vm);
	ASSERT_TRUE(add_vcpus(vm, vcpus, 0, FEW_VCPUS));
	snprintf(path, sizeof(path), KVM_DEBUGFS "%d-%d", getpid(), vm);
	ASSERT_EQ(0, access(path, F_OK)) TH_LOG("%s", path);
	ASSERT_EQ(0, ioctl(vm, KVM_CREATE_DEVICE, &vfio));
	s->kvm_vfio = vfio.fd;

	close_device(s);
	ASSERT_EQ(0, tell_kvm(s, KVM_DEV_VFIO_GROUP_ADD));
	make_faults(_metadata, &opens_page, s);
	ASSERT_TRUE(add_vcpus(vm, vcpus, FEW_VCPUS, NR_VCPUS));
	make_faults(_metadata, &opens_pages, s);
	ASSERT_EQ(0, open_device(s));
	make_faults(_metadata, &arms, s);

	/* The VM ends with the last who holds it: nobody has lost a reference. */
	close_device(s);
	close(vfio.fd);
	for (i = 0; i < NR_VCPUS; i++)
		close(vcpus[i]);
	close(vm);
	close(kvm);
	EXPECT_NE(0, access(path, F_OK)) TH_LOG("the VM is still there");
	ASSERT_EQ(0, open_device(s));
}
