// SPDX-License-Identifier: GPL-2.0
#include <linux/pci_ids.h>
#include <linux/pci_regs.h>
#include <linux/string.h>

#include "config_space.h"
#include "kvm_heartbeat.h"

#define MSI_CAP		0x40	/* the only capability */

/* What is read after a reset, and the bits of it that a write changes. */
struct space_layout {
	u8 value[KVMHB_CONFIG_SPACE_USED];
	u8 writable[KVMHB_CONFIG_SPACE_USED];
};

/* Sets a little-endian field of @size bytes and which of its bits can be written. */
static void space_set(struct space_layout *space, unsigned int at, unsigned int size,
		      u32 value, u32 writable)
{
	unsigned int i;

	for (i = 0; i < size; i++) {
		space->value[at + i] = value >> (8 * i);
		space->writable[at + i] = writable >> (8 * i);
	}
}

/* Made anew for each write: there are few, and a table for each monitor would take memory. */
static void space_lay_out(struct space_layout *space, u32 regs_size, u32 pulse_size)
{
	memset(space, 0, sizeof(*space));

	space_set(space, PCI_VENDOR_ID, 2, KVM_HEARTBEAT_PCI_VENDOR, 0);
	space_set(space, PCI_DEVICE_ID, 2, KVM_HEARTBEAT_PCI_DEVICE, 0);
	space_set(space, PCI_COMMAND, 2, 0,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	space_set(space, PCI_STATUS, 2, PCI_STATUS_CAP_LIST, 0);
	space_set(space, PCI_REVISION_ID, 1, KVM_HEARTBEAT_PCI_REVISION, 0);
	space_set(space, PCI_CLASS_DEVICE, 2, PCI_CLASS_SYSTEM_OTHER, 0);
	space_set(space, PCI_CACHE_LINE_SIZE, 1, 0, 0xff);
	space_set(space, PCI_SUBSYSTEM_VENDOR_ID, 2, KVM_HEARTBEAT_PCI_VENDOR, 0);
	space_set(space, PCI_SUBSYSTEM_ID, 2, KVM_HEARTBEAT_PCI_DEVICE, 0);
	space_set(space, PCI_INTERRUPT_LINE, 1, 0, 0xff);

	space_set(space, PCI_BASE_ADDRESS_0, 4, PCI_BASE_ADDRESS_MEM_TYPE_32, ~(regs_size - 1));
	/* Of 64 bits, as the guest caches what is not in the hole below 4 GiB. */
	space_set(space, PCI_BASE_ADDRESS_2, 4,
		  PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH,
		  ~(pulse_size - 1));
	space_set(space, PCI_BASE_ADDRESS_3, 4, 0, ~0U);

	space_set(space, PCI_CAPABILITY_LIST, 1, MSI_CAP, 0);
	space_set(space, MSI_CAP + PCI_CAP_LIST_ID, 1, PCI_CAP_ID_MSI, 0);
	space_set(space, MSI_CAP + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT, PCI_MSI_FLAGS_ENABLE);
	space_set(space, MSI_CAP + PCI_MSI_ADDRESS_LO, 4, 0, ~3U);
	space_set(space, MSI_CAP + PCI_MSI_ADDRESS_HI, 4, 0, ~0U);
	space_set(space, MSI_CAP + PCI_MSI_DATA_64, 2, 0, 0xffff);
}

/**
 * kvmhb_config_space_init - give the configuration space its reset contents
 * @space: what to fill
 * @regs_size: bytes of BAR0, a power of two
 * @pulse_size: bytes of BAR2, a power of two
 */
void kvmhb_config_space_init(struct kvmhb_config_space *space, u32 regs_size, u32 pulse_size)
{
	struct space_layout layout;

	space_lay_out(&layout, regs_size, pulse_size);
	memcpy(space->value, layout.value, sizeof(space->value));
	space->regs_size = regs_size;
	space->pulse_size = pulse_size;
}

/**
 * kvmhb_config_space_write - write to the configuration space
 * @space: the configuration space; the caller serialises
 * @offset: where the write begins
 * @bytes: what is written
 * @count: how many bytes
 */
void kvmhb_config_space_write(struct kvmhb_config_space *space, unsigned int offset,
			      const u8 *bytes, size_t count)
{
	struct space_layout layout;
	size_t i;

	space_lay_out(&layout, space->regs_size, space->pulse_size);
	for (i = 0; i < count && offset + i < sizeof(space->value); i++) {
		u8 writable = layout.writable[offset + i];
		u8 *value = &space->value[offset + i];

		*value = (*value & ~writable) | (bytes[i] & writable);
	}
}
