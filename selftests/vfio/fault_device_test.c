// SPDX-License-Identifier: GPL-2.0
/*
 * An open device: regions, questions, interrupts, the doorbell
 */
#include "fault_test.h"

static int read_registers(struct subject *s)
{
	s->value = 0;
	return result_of(pread(s->m.device, &s->value, 4, BAR0 + KVM_HEARTBEAT_REG_MAGIC), 4);
}

static int read_page(struct subject *s)
{
	s->value = 0;
	return result_of(pread(s->m.device, &s->value, 4, BAR2), 4);
}

static bool is_magic(struct subject *s)
{
	return s->value == KVM_HEARTBEAT_MAGIC;
}

static int ring_once(struct subject *s)
{
	return result_of(reg_write(&s->m, KVM_HEARTBEAT_REG_DOORBELL, 0), 4);
}

static bool has_rung(struct subject *s)
{
	return attr(&s->m, "beats") == s->value + 1;
}

static void count_ring(struct subject *s)
{
	s->value++;
}

static int say_panicked(struct subject *s)
{
	return result_of(reg_write(&s->m, KVM_HEARTBEAT_REG_LIFECYCLE, KVM_HEARTBEAT_PANIC), 4);
}

static bool is_panicked(struct subject *s)
{
	return is(&s->m, "panicked", "panic");
}

/* A slot of the page, and the register of PCI that a guest writes first. */
#define SLOT_FLAGS (BAR2 + offsetof(struct page, slots[0].flags))
#define PCI_COMMAND (CONFIG + 4)

static int write_to(struct subject *s, off_t where, __u16 value)
{
	return result_of(pwrite(s->m.device, &value, 2, where), 2);
}

static bool has(struct subject *s, off_t where, __u16 value)
{
	__u16 is = ~value;

	return pread(s->m.device, &is, 2, where) == 2 && is == value;
}

static int write_slot(struct subject *s)
{
	return write_to(s, SLOT_FLAGS, KVM_HEARTBEAT_SLOT_ONLINE);
}

static bool slot_is_written(struct subject *s)
{
	return has(s, SLOT_FLAGS, KVM_HEARTBEAT_SLOT_ONLINE);
}

static void undo_slot(struct subject *s)
{
	write_to(s, SLOT_FLAGS, 0);
}

/* What is seen of its CPUs needs memory; without, it is seen at a later look. */
static int pulse_and_arm(struct subject *s)
{
	return write_slot(s) ?: say_armed(s);
}

static int write_config(struct subject *s)
{
	return write_to(s, PCI_COMMAND, 2);
}

static bool config_is_written(struct subject *s)
{
	return has(s, PCI_COMMAND, 2);
}

static void undo_config(struct subject *s)
{
	write_to(s, PCI_COMMAND, 0);
}

static int read_config(struct subject *s)
{
	s->value = 0;
	return result_of(pread(s->m.device, &s->value, 2, CONFIG), 2);
}

static bool is_vendor(struct subject *s)
{
	return s->value == KVM_HEARTBEAT_PCI_VENDOR;
}

TEST_F(faults, regions)
{
	static const struct operation ops[] = {
		{ "read BAR0", read_registers, is_magic, undo_read },
		{ "read BAR2", read_page, is_magic, undo_read },
		{ "read the configuration space", read_config, is_vendor, undo_read },
		{ "write to BAR2", write_slot, slot_is_written, undo_slot },
		{ "write to the configuration space", write_config, config_is_written,
		  undo_config },
		{ "arm", say_armed, is_alive, open_anew },
		{ "arm with a CPU that pulses", pulse_and_arm, is_alive, open_anew },
		{ "panic", say_panicked, is_panicked, undo_all },
	};
	static const struct operation rings = { "ring", ring_once, has_rung, count_ring };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		make_faults(_metadata, &ops[i], &self->s);
	ASSERT_EQ(0, say_armed(&self->s));
	self->s.value = 0;
	make_faults(_metadata, &rings, &self->s);
}

/* What a VMM asks for */

static int get_info(struct subject *s)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int ret = result(ioctl(s->m.device, VFIO_DEVICE_GET_INFO, &info));

	s->value = info.num_regions == VFIO_PCI_NUM_REGIONS;
	return ret;
}

static int get_region_info(struct subject *s)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_BAR2_REGION_INDEX,
	};
	int ret = result(ioctl(s->m.device, VFIO_DEVICE_GET_REGION_INFO, &info));

	s->value = info.size == sizeof(struct page) || info.size == 4096;
	return ret;
}

static int get_irq_info(struct subject *s)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = VFIO_PCI_MSI_IRQ_INDEX };
	int ret = result(ioctl(s->m.device, VFIO_DEVICE_GET_IRQ_INFO, &info));

	s->value = info.count == 1;
	return ret;
}

static int get_migration(struct subject *s)
{
	struct vfio_device_feature_migration can = {};
	int ret = feature(&s->m, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION, &can,
			  sizeof(can));

	s->value = can.flags & VFIO_MIGRATION_STOP_COPY;
	return ret;
}

static int get_state(struct subject *s)
{
	int ret = mig_get(&s->m);

	s->value = ret == VFIO_DEVICE_STATE_RUNNING;
	return ret < 0 ? ret : 0;
}

static int get_data_size(struct subject *s)
{
	__u64 length = 0;
	int ret = feature(&s->m, VFIO_DEVICE_FEATURE_GET | FEATURE_DATA_SIZE, &length,
			  sizeof(length));

	s->value = length > 4096;
	return ret;
}

TEST_F(faults, questions)
{
	static const struct operation ops[] = {
		{ "GET_INFO", get_info, is_answered, undo_read },
		{ "GET_REGION_INFO", get_region_info, is_answered, undo_read },
		{ "GET_IRQ_INFO", get_irq_info, is_answered, undo_read },
		{ "how it migrates", get_migration, is_answered, undo_read },
		{ "the state of the migration", get_state, is_answered, undo_read },
		{ "how much migrates", get_data_size, is_answered, undo_read },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		make_faults(_metadata, &ops[i], &self->s);
}

/* Interrupts, and a doorbell that KVM rings */

static int trigger(struct subject *s, __u32 data, __u32 count, int fd)
{
	return set_irq(&s->m, data | VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_PCI_MSI_IRQ_INDEX, 0,
		       count, 24, fd);
}

static int set_interrupt(struct subject *s)
{
	return trigger(s, VFIO_IRQ_SET_DATA_EVENTFD, 1, s->event);
}

static void take_interrupt(struct subject *s)
{
	trigger(s, VFIO_IRQ_SET_DATA_EVENTFD, 1, -1);
}

static int interrupt(struct subject *s)
{
	return trigger(s, VFIO_IRQ_SET_DATA_BOOL, 1, 1);
}

/* Since it was last asked. */
static bool is_interrupted(struct subject *s)
{
	__u64 times;

	return read(s->event, &times, sizeof(times)) == sizeof(times) && times == 1;
}

static bool has_interrupt(struct subject *s)
{
	trigger(s, VFIO_IRQ_SET_DATA_NONE, 1, 0);
	return is_interrupted(s);
}

TEST_F(faults, interrupts)
{
	static const struct operation sets = {
		"set an interrupt", set_interrupt, has_interrupt, take_interrupt
	};
	static const struct operation interrupts = {
		"interrupt", interrupt, is_interrupted, do_nothing
	};

	make_faults(_metadata, &sets, &self->s);
	ASSERT_EQ(0, set_interrupt(&self->s));
	make_faults(_metadata, &interrupts, &self->s);
}

static int hang_bell(struct subject *s)
{
	return set_doorbell(&s->m, s->event, 0);
}

static int take_bell(struct subject *s)
{
	return set_doorbell(&s->m, -1, 0);
}

static bool bell_hangs(struct subject *s)
{
	__u64 before = attr(&s->m, "beats");

	signal_eventfd(s->event, 1);
	return attr(&s->m, "beats") == before + 1;
}

static bool bell_is_taken(struct subject *s)
{
	return !bell_hangs(s);
}

static void undo_hang(struct subject *s)
{
	take_bell(s);
}

static void undo_take(struct subject *s)
{
	hang_bell(s);
}

TEST_F(faults, doorbell)
{
	static const struct operation hangs = { "hang", hang_bell, bell_hangs, undo_hang };
	static const struct operation takes = { "take", take_bell, bell_is_taken, undo_take };

	ASSERT_EQ(0, say_armed(&self->s));
	make_faults(_metadata, &hangs, &self->s);
	ASSERT_EQ(0, hang_bell(&self->s));
	make_faults(_metadata, &takes, &self->s);
}
