// SPDX-License-Identifier: GPL-2.0
#include <linux/pci_regs.h>
#include <linux/sizes.h>

#include "test.h"

#include "config_space.c"

static u32 config_long(const struct kvmhb_config_space *space, unsigned int at)
{
	return space->value[at] | space->value[at + 1] << 8 |
	       space->value[at + 2] << 16 | (u32)space->value[at + 3] << 24;
}

static void config_space(struct kunit *test)
{
	struct kvmhb_config_space *space;
	static u8 ones[PCI_CFG_SPACE_SIZE];
	static const u8 zeros[PCI_CFG_SPACE_SIZE];

	space = kunit_kzalloc(test, sizeof(*space), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, space);
	memset(ones, 0xff, sizeof(ones));

	kvmhb_config_space_init(space, SZ_4K, SZ_64K);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_VENDOR_ID), 0x48421234);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_CLASS_REVISION), 0x08800001);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00800005);

	/* All ones everywhere: the sizing of the BARs, and nothing else moves. */
	kvmhb_config_space_write(space, 0, ones, sizeof(ones));
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_VENDOR_ID), 0x48421234);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_COMMAND), 0x00100406);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_CLASS_REVISION), 0x08800001);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_0), 0xfffff000);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_1), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_2), 0xffff000c);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_3), 0xffffffff);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_ROM_ADDRESS), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00810005);

	/* And back to zero, with what is hard-wired left as it is. */
	kvmhb_config_space_write(space, 0, zeros, sizeof(zeros));
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_VENDOR_ID), 0x48421234);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_COMMAND), 0x00100000);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_2), 0x0000000c);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_3), 0);
	KUNIT_EXPECT_EQ(test, config_long(space, 0x40), 0x00800005);

	/* A single byte in the middle of a BAR. */
	kvmhb_config_space_init(space, SZ_4K, SZ_64K);
	kvmhb_config_space_write(space, PCI_BASE_ADDRESS_0 + 3, ones, 1);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_0), 0xff000000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(config_space),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_config_space",
	.test_cases = cases,
};

kunit_test_suite(suite);
