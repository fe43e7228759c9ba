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

/* All of it, 32 bits at a time: after a reset, and after ones have been written everywhere. */
static const struct {
	u32 reset, ones;
} longs[KVMHB_CONFIG_SPACE_USED / 4] = {
	[PCI_VENDOR_ID / 4] = { 0x48421234, 0x48421234 },
	[PCI_COMMAND / 4] = { 0x00100000, 0x00100406 },
	[PCI_CLASS_REVISION / 4] = { 0x08800001, 0x08800001 },
	[PCI_CACHE_LINE_SIZE / 4] = { 0, 0xff },
	/* The sizing of the BARs. */
	[PCI_BASE_ADDRESS_0 / 4] = { 0, 0xfffff000 },
	[PCI_BASE_ADDRESS_2 / 4] = { 0x0000000c, 0xffff000c },
	[PCI_BASE_ADDRESS_3 / 4] = { 0, 0xffffffff },
	[PCI_SUBSYSTEM_VENDOR_ID / 4] = { 0x48421234, 0x48421234 },
	[PCI_CAPABILITY_LIST / 4] = { 0x40, 0x40 },
	[PCI_INTERRUPT_LINE / 4] = { 0, 0xff },
	/* MSI: its flags, its address, its data. */
	[0x40 / 4] = { 0x00800005, 0x00810005 },
	[0x44 / 4] = { 0, 0xfffffffc },
	[0x48 / 4] = { 0, 0xffffffff },
	[0x4c / 4] = { 0, 0xffff },
};

static void config_space(struct kunit *test)
{
	struct kvmhb_config_space *space;
	static u8 ones[PCI_CFG_SPACE_SIZE];
	static const u8 zeros[PCI_CFG_SPACE_SIZE];
	unsigned int i;

	space = kunit_kzalloc(test, sizeof(*space), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, space);
	memset(ones, 0xff, sizeof(ones));

	memset(space, 0xff, sizeof(*space));
	kvmhb_config_space_init(space, SZ_4K, SZ_64K);
	for (i = 0; i < ARRAY_SIZE(longs); i++)
		KUNIT_EXPECT_EQ_MSG(test, config_long(space, 4 * i), longs[i].reset, "%#x", 4 * i);
	kvmhb_config_space_write(space, 0, ones, sizeof(ones));
	for (i = 0; i < ARRAY_SIZE(longs); i++)
		KUNIT_EXPECT_EQ_MSG(test, config_long(space, 4 * i), longs[i].ones, "%#x", 4 * i);
	/* And back to zero, with what is hard-wired left as it is. */
	kvmhb_config_space_write(space, 0, zeros, sizeof(zeros));
	for (i = 0; i < ARRAY_SIZE(longs); i++)
		KUNIT_EXPECT_EQ_MSG(test, config_long(space, 4 * i), longs[i].reset, "%#x", 4 * i);

	/* A single byte at the end of a BAR, and in its middle: none beside it. */
	kvmhb_config_space_init(space, SZ_4K, SZ_64K);
	kvmhb_config_space_write(space, PCI_BASE_ADDRESS_0 + 3, ones, 1);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_0), 0xff000000);

	kvmhb_config_space_write(space, PCI_BASE_ADDRESS_0, zeros, 4);
	kvmhb_config_space_write(space, PCI_BASE_ADDRESS_0 + 2, ones, 1);
	KUNIT_EXPECT_EQ(test, config_long(space, PCI_BASE_ADDRESS_0), 0x00ff0000);

	/* Beyond what is used nothing is written. */
	kvmhb_config_space_write(space, KVMHB_CONFIG_SPACE_USED - 1, ones, 9);
	kvmhb_config_space_write(space, PCI_CFG_SPACE_SIZE - 1, ones, 1);
	KUNIT_EXPECT_EQ(test, space->regs_size, SZ_4K);
	KUNIT_EXPECT_EQ(test, space->pulse_size, SZ_64K);
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
