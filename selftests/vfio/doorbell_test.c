// SPDX-License-Identifier: GPL-2.0
/*
 * The doorbell, written to or as an eventfd, and interrupts
 */
#include "vfio_test.h"

TEST_F(hb, doorbell_storm)
{
	int log = log_open();
	int i;

	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	log_lines(log, self->m.uuid);
	for (i = 0; i < 1000000; i++)
		reg_write(&self->m, KVM_HEARTBEAT_REG_DOORBELL, i * 2654435761U);
	EXPECT_EQ(1000000, attr(&self->m, "beats"));
	EXPECT_TRUE(is(&self->m, "alive", "none"));
	EXPECT_EQ(0, attr(&self->m, "missed"));
	EXPECT_EQ(0, log_lines(log, self->m.uuid));
	close(log);
}

/* A doorbell that was handed over as an eventfd rings like the other. */
TEST_F(hb, doorbell_eventfd)
{
	int fd = eventfd(0, 0), other = eventfd(0, 0);
	struct pollfd pfd = { .events = POLLPRI };
	char state[32];
	int i;

	ASSERT_EQ(0, set_doorbell(&self->m, fd, 5));
	EXPECT_EQ(-EEXIST, set_doorbell(&self->m, other, 5));
	EXPECT_EQ(-ENOSPC, set_doorbell(&self->m, other, 6));

	/* Before the guest has armed it means nothing. */
	ASSERT_TRUE(signal_eventfd(fd, 1));
	EXPECT_EQ(0, attr(&self->m, "beats"));

	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	for (i = 1; i <= 1000; i++)
		ASSERT_TRUE(signal_eventfd(fd, 1));
	EXPECT_EQ(1000, attr(&self->m, "beats"));
	ring(&self->m);
	EXPECT_EQ(1001, attr(&self->m, "beats"));

	/* It ends a silence. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
	ack(&self->m);
	ASSERT_TRUE(signal_eventfd(fd, 1));
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	pfd.fd = open(attr_path(&self->m, "state"), O_RDONLY);
	pread(pfd.fd, state, sizeof(state), 0);
	ack(&self->m);
	ASSERT_TRUE(signal_eventfd(fd, 1));
	EXPECT_TRUE(becomes(&self->m, "state", "alive"));
	close(pfd.fd);

	/* A reset leaves it in place. */
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	i = attr(&self->m, "beats");
	ASSERT_TRUE(signal_eventfd(fd, 1));
	EXPECT_EQ(i + 1, attr(&self->m, "beats"));

	/* Taken back, it rings no more, and may be given anew. */
	EXPECT_EQ(-ENODEV, set_doorbell(&self->m, -1, 6));
	EXPECT_EQ(0, set_doorbell(&self->m, -1, 5));
	EXPECT_EQ(-ENODEV, set_doorbell(&self->m, -1, 5));
	ASSERT_TRUE(signal_eventfd(fd, 1));
	EXPECT_EQ(i + 1, attr(&self->m, "beats"));
	EXPECT_EQ(0, set_doorbell(&self->m, other, ~0ULL));
	ASSERT_TRUE(signal_eventfd(other, 1));
	EXPECT_EQ(i + 2, attr(&self->m, "beats"));
	close(fd);
	close(other);
}

TEST_F(hb, doorbell_eventfd_refuses)
{
	struct vfio_device_ioeventfd good = {
		.argsz = sizeof(good),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = BAR0 + KVM_HEARTBEAT_REG_DOORBELL,
		.fd = eventfd(0, 0),
	};
	struct vfio_device_ioeventfd bad[10];
	unsigned int i;
	int file;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].argsz = 4;
	bad[1].flags = 0;
	bad[2].flags = VFIO_DEVICE_IOEVENTFD_64;
	bad[3].flags |= VFIO_DEVICE_IOEVENTFD_8;
	bad[4].flags |= 1U << 31;
	bad[5].offset += 4;
	bad[6].offset = BAR0 + KVM_HEARTBEAT_REG_LIFECYCLE;
	bad[7].offset += BAR2 - BAR0;
	bad[8].fd = -2;
	file = open("/dev/null", O_RDWR);
	bad[9].fd = file;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-1, ioctl(self->m.device, VFIO_DEVICE_IOEVENTFD, &bad[i]));
		EXPECT_EQ(EINVAL, errno);
	}
	close(file);
	EXPECT_EQ(-EBADF, set_doorbell(&self->m, file, 0));
	EXPECT_EQ(-1, ioctl(self->m.device, VFIO_DEVICE_IOEVENTFD, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_IOEVENTFD, &good));
	close(good.fd);
}

/* The file, its copy and the device go in any order. */
TEST_F(hb, doorbell_eventfd_ends)
{
	int fd, copy;

	fd = eventfd(0, 0);
	copy = dup(fd);
	ASSERT_EQ(0, set_doorbell(&self->m, fd, 0));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	close(fd);
	ASSERT_TRUE(signal_eventfd(copy, 1));
	EXPECT_EQ(1, attr(&self->m, "beats"));
	close(copy);
	EXPECT_EQ(1, attr(&self->m, "beats"));
	EXPECT_EQ(0, set_doorbell(&self->m, -1, 0));

	fd = eventfd(0, 0);
	ASSERT_EQ(0, set_doorbell(&self->m, fd, 0));
	monitor_close(&self->m);
	EXPECT_TRUE(signal_eventfd(fd, 1));
	close(fd);
	ASSERT_EQ(0, monitor_open(&self->m));
	EXPECT_EQ(-ENODEV, set_doorbell(&self->m, -1, 0));
}

TEST_F(hb, interrupts)
{
	const __u32 eventfd_trigger = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const __u32 none_trigger = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	const __u32 msi = VFIO_PCI_MSI_IRQ_INDEX;
	struct monitor *m = &self->m;
	int fd = eventfd(0, EFD_NONBLOCK);
	__u32 index;
	__u64 n;

	for (index = 0; index < VFIO_PCI_NUM_IRQS + 2; index++) {
		struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };
		int ret = ioctl(m->device, VFIO_DEVICE_GET_IRQ_INFO, &info);

		EXPECT_EQ(index < VFIO_PCI_NUM_IRQS ? 0 : -1, ret);
		if (!ret)
			EXPECT_EQ(index == VFIO_PCI_MSI_IRQ_INDEX ||
				  index == VFIO_PCI_ERR_IRQ_INDEX ||
				  index == VFIO_PCI_REQ_IRQ_INDEX, info.count);
	}

	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, 0, 2, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, 1, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, UINT32_MAX, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, 0, UINT32_MAX, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, 0, 1, 20, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, 0, 1, 3, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, VFIO_PCI_NUM_IRQS, 0, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, UINT32_MAX, 0, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK,
				   msi, 0, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, ~0U, msi, 0, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, 0, msi, 0, 1, 24, fd));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, 0, 1, 24, -2));
	EXPECT_EQ(-EBADF, set_irq(m, eventfd_trigger, msi, 0, 1, 24, 9999));
	EXPECT_EQ(-EINVAL, set_irq(m, eventfd_trigger, msi, 0, 1, 24, m->device));

	/* A change of the configuration interrupts the guest. */
	ASSERT_EQ(0, set_irq(m, eventfd_trigger, msi, 0, 1, 24, fd));
	EXPECT_EQ(-1, read(fd, &n, sizeof(n)));
	ASSERT_EQ(0, attr_set(m, "interval_ns", "1000000000"));
	EXPECT_EQ(sizeof(n), read(fd, &n, sizeof(n)));
	EXPECT_EQ(1, n);
	ASSERT_EQ(-EINVAL, attr_set(m, "timeout_ns", "1"));
	EXPECT_EQ(-1, read(fd, &n, sizeof(n)));
	/* To set what is set is none. */
	ASSERT_EQ(0, attr_set(m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(m, "timeout_ns", "2000000000"));
	EXPECT_EQ(-1, read(fd, &n, sizeof(n)));
	ASSERT_EQ(0, attr_set(m, "timeout_ns", "2000000001"));
	EXPECT_EQ(sizeof(n), read(fd, &n, sizeof(n)));
	ASSERT_EQ(0, attr_set(m, "timeout_ns", "0"));
	EXPECT_EQ(sizeof(n), read(fd, &n, sizeof(n)));

	/* The VMM may raise it itself. */
	EXPECT_EQ(0, set_irq(m, none_trigger, msi, 0, 1, 20, 0));
	EXPECT_EQ(sizeof(n), read(fd, &n, sizeof(n)));
	EXPECT_EQ(0, set_irq(m, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
			     msi, 0, 1, 24, 1));
	EXPECT_EQ(sizeof(n), read(fd, &n, sizeof(n)));
	EXPECT_EQ(0, set_irq(m, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
			     msi, 0, 1, 24, 0));
	EXPECT_EQ(-1, read(fd, &n, sizeof(n)));

	/* -1 takes it away, as does none at all. */
	EXPECT_EQ(0, set_irq(m, eventfd_trigger, msi, 0, 1, 24, -1));
	ASSERT_EQ(0, attr_set(m, "interval_ns", "2000000000"));
	EXPECT_EQ(-1, read(fd, &n, sizeof(n)));
	EXPECT_EQ(0, set_irq(m, eventfd_trigger, msi, 0, 1, 24, fd));
	EXPECT_EQ(0, set_irq(m, none_trigger, msi, 0, 0, 20, 0));
	ASSERT_EQ(0, attr_set(m, "interval_ns", "1000000000"));
	EXPECT_EQ(-1, read(fd, &n, sizeof(n)));
	close(fd);
}
