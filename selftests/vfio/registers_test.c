// SPDX-License-Identifier: GPL-2.0
/*
 * What the device is: regions, registers, configuration space
 */
#include "vfio_test.h"

TEST_F(hb, info)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	__u32 index;

	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_EQ(VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET, info.flags);
	EXPECT_EQ(VFIO_PCI_NUM_REGIONS, info.num_regions);
	EXPECT_EQ(VFIO_PCI_NUM_IRQS, info.num_irqs);
	info.argsz = 3;
	EXPECT_EQ(-1, ioctl(self->m.device, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->m.device, VFIO_DEVICE_GET_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);

	for (index = 0; index < VFIO_PCI_NUM_REGIONS; index++) {
		struct vfio_region_info region = { .argsz = sizeof(region), .index = index };
		__u64 size = index == VFIO_PCI_BAR0_REGION_INDEX ? 4096 :
				index == VFIO_PCI_BAR2_REGION_INDEX ? 4096 :
				index == VFIO_PCI_CONFIG_REGION_INDEX ? 256 : 0;

		ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_GET_REGION_INFO, &region));
		EXPECT_EQ(size, region.size);
		EXPECT_EQ(index == VFIO_PCI_BAR2_REGION_INDEX,
			  !!(region.flags & VFIO_REGION_INFO_FLAG_MMAP));
	}
	for (index = VFIO_PCI_NUM_REGIONS; index; index <<= 1) {
		struct vfio_region_info region = { .argsz = sizeof(region), .index = index };

		EXPECT_EQ(-1, ioctl(self->m.device, VFIO_DEVICE_GET_REGION_INFO, &region));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, ioctl(self->m.device, 0x3bff, NULL));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(hb, registers_read_as_bytes)
{
	__u8 whole[128], part[128];
	unsigned int offset, size;
	__u8 *page;

	EXPECT_EQ(KVM_HEARTBEAT_MAGIC, reg_read(&self->m, KVM_HEARTBEAT_REG_MAGIC));
	EXPECT_EQ(KVM_HEARTBEAT_VERSION, reg_read(&self->m, KVM_HEARTBEAT_REG_VERSION));
	EXPECT_EQ(KVM_HEARTBEAT_FEATURE_LAYERS | KVM_HEARTBEAT_FEATURE_REQUESTS |
		  KVM_HEARTBEAT_FEATURE_BLOCKED | KVM_HEARTBEAT_FEATURE_CRASHES,
		  reg_read(&self->m, KVM_HEARTBEAT_REG_FEATURES));
	EXPECT_EQ(62, reg_read(&self->m, KVM_HEARTBEAT_REG_NR_SLOTS));
	EXPECT_EQ(2000000000, reg_read(&self->m, KVM_HEARTBEAT_REG_INTERVAL_NS));
	EXPECT_EQ(4000000000, reg_read(&self->m, KVM_HEARTBEAT_REG_TIMEOUT_NS));
	EXPECT_EQ(KVM_HEARTBEAT_NONE, reg_read(&self->m, KVM_HEARTBEAT_REG_LIFECYCLE));
	EXPECT_EQ(0, reg_read(&self->m, KVM_HEARTBEAT_REG_DOORBELL));

	ASSERT_EQ(sizeof(whole), pread(self->m.device, whole, sizeof(whole), BAR0));
	for (offset = 0; offset < 64; offset++) {
		for (size = 1; size <= 64; size++) {
			ASSERT_EQ(size, pread(self->m.device, part, size, BAR0 + offset));
			ASSERT_EQ(0, memcmp(whole + offset, part, size));
		}
	}

	page = calloc(1, 8192);
	EXPECT_EQ(4096, pread(self->m.device, page, 4096, BAR0));
	EXPECT_EQ(0, page[4095]);
	EXPECT_EQ(-1, pread(self->m.device, page, 4097, BAR0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->m.device, page, 1, BAR0 + 4096));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->m.device, page, 4, BAR0 + 4094));
	EXPECT_EQ(EINVAL, errno);
	free(page);
}

TEST_F(hb, writes_that_mean_nothing_do_nothing)
{
	const __u8 arm[8] = { KVM_HEARTBEAT_ARM };
	__u8 ones[4096];
	unsigned int offset, size;

	memset(ones, 0xff, sizeof(ones));
	for (offset = 0; offset < 4096; offset++) {
		for (size = 1; size <= 8; size++) {
			if (offset + size > 4096)
				continue;
			ASSERT_EQ(size, pwrite(self->m.device, ones, size, BAR0 + offset));
		}
	}
	EXPECT_EQ(4096, pwrite(self->m.device, ones, 4096, BAR0));
	EXPECT_EQ(-1, pwrite(self->m.device, ones, 4, BAR0 + 4096));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->m.device, ones, 4, BAR0 + 4093));
	EXPECT_EQ(EINVAL, errno);

	EXPECT_TRUE(is(&self->m, "waiting", "none"));
	EXPECT_EQ(0, attr(&self->m, "beats"));
	EXPECT_EQ(KVM_HEARTBEAT_MAGIC, reg_read(&self->m, KVM_HEARTBEAT_REG_MAGIC));

	/* What would mean something if it were 32 bits wide. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	for (size = 1; size <= sizeof(arm); size++) {
		if (size == 4)
			continue;
		ASSERT_EQ(size, pwrite(self->m.device, arm, size,
				       BAR0 + KVM_HEARTBEAT_REG_LIFECYCLE));
		EXPECT_TRUE(is(&self->m, "waiting", "none"));
	}
	say(&self->m, KVM_HEARTBEAT_ARM);
	for (size = 1; size <= sizeof(arm); size++)
		if (size != 4)
			ASSERT_EQ(size, pwrite(self->m.device, arm, size,
					       BAR0 + KVM_HEARTBEAT_REG_DOORBELL));
	EXPECT_EQ(0, attr(&self->m, "beats"));

	/* Regions that do not exist. */
	for (offset = 1; offset < 64; offset++) {
		if (offset == VFIO_PCI_BAR2_REGION_INDEX || offset == VFIO_PCI_CONFIG_REGION_INDEX)
			continue;
		EXPECT_EQ(-1, pwrite(self->m.device, ones, 4, (off_t)offset << 40));
		EXPECT_EQ(-1, pread(self->m.device, ones, 4, (off_t)offset << 40));
	}
}

TEST_F(hb, config_space)
{
	__u8 ones[256], space[257];
	__u32 value = 0;
	__u16 command = 6;

	memset(ones, 0xff, sizeof(ones));
	EXPECT_EQ(4, pread(self->m.device, &value, 4, CONFIG));
	EXPECT_EQ(0x48421234, value);
	EXPECT_EQ(256, pwrite(self->m.device, ones, 256, CONFIG));
	EXPECT_EQ(256, pread(self->m.device, space, 256, CONFIG));
	EXPECT_EQ(0x34, space[0]);
	EXPECT_EQ(0xf0, space[0x11]);
	EXPECT_EQ(4, pread(self->m.device, &value, 4, CONFIG + 0x18));
	EXPECT_EQ(0xfffff00c, value);
	EXPECT_EQ(4, pread(self->m.device, &value, 4, CONFIG + 0x1c));
	EXPECT_EQ(0xffffffff, value);
	EXPECT_EQ(-1, pread(self->m.device, space, 257, CONFIG));
	EXPECT_EQ(-1, pwrite(self->m.device, ones, 2, CONFIG + 255));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(2, pwrite(self->m.device, &command, 2, CONFIG + 4));
	EXPECT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	EXPECT_EQ(4, pread(self->m.device, &value, 4, CONFIG + 4));
	EXPECT_EQ(0x00100000, value);
}
