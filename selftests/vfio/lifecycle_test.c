// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a monitor: words of the guest, resets, the end of the VMM, removal
 */
#include "vfio_test.h"

TEST_F(hb, lifecycle)
{
	static const struct {
		__u32 word;
		const char *state, *cause;
	} rows[] = {
		{ KVM_HEARTBEAT_ARM, "alive", "none" },
		{ KVM_HEARTBEAT_SHUTDOWN, "stopped", "shutdown" },
		{ KVM_HEARTBEAT_REBOOT, "stopped", "reboot" },
		{ KVM_HEARTBEAT_SUSPEND, "stopped", "suspend" },
		{ KVM_HEARTBEAT_UNLOAD, "stopped", "unload" },
		{ KVM_HEARTBEAT_ARM, "alive", "none" },
		{ KVM_HEARTBEAT_PANIC, "panicked", "panic" },
		{ KVM_HEARTBEAT_DUMPING, "panicked", "dumping" },
		{ KVM_HEARTBEAT_ARM, "alive", "none" },
		{ KVM_HEARTBEAT_OOPS, "alive", "none" },
		{ KVM_HEARTBEAT_DUMPING, "panicked", "dumping" },
		{ KVM_HEARTBEAT_PANIC, "panicked", "panic" },
	};
	unsigned int i;

	/* A doorbell before the guest is armed is no beat. */
	ring(&self->m);
	EXPECT_EQ(0, attr(&self->m, "beats"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "last_beat_ns"));
	EXPECT_TRUE(is(&self->m, "waiting", "none"));

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		say(&self->m, rows[i].word);
		EXPECT_TRUE(is(&self->m, rows[i].state, rows[i].cause));
		EXPECT_EQ(rows[i].word, reg_read(&self->m, KVM_HEARTBEAT_REG_LIFECYCLE));
		say(&self->m, 9);
		say(&self->m, 0);
		say(&self->m, UINT32_MAX);
		EXPECT_TRUE(is(&self->m, rows[i].state, rows[i].cause));
		EXPECT_EQ(rows[i].word, reg_read(&self->m, KVM_HEARTBEAT_REG_LIFECYCLE));
	}

	/* Panicked: only a new incarnation or a reset changes that. */
	ring(&self->m);
	say(&self->m, KVM_HEARTBEAT_REBOOT);
	EXPECT_TRUE(is(&self->m, "panicked", "panic"));
	EXPECT_EQ(0, attr(&self->m, "beats"));
	EXPECT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	EXPECT_TRUE(is(&self->m, "waiting", "none"));
	EXPECT_EQ(KVM_HEARTBEAT_NONE, reg_read(&self->m, KVM_HEARTBEAT_REG_LIFECYCLE));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "last_beat_ns"));
}

static bool counts(struct monitor *m, __u64 boots, __u64 panics, __u64 resets)
{
	bool ok = attr(m, "boots") == boots && attr(m, "panics") == panics &&
		  attr(m, "resets") == resets;

	if (!ok)
		fprintf(stderr, "# boots %llu, panics %llu, resets %llu\n", attr(m, "boots"),
			attr(m, "panics"), attr(m, "resets"));
	return ok;
}

/* How often a guest began and ended, for as long as its VM lasts. */
TEST_F(hb, boots_panics_resets)
{
	enum { RESET = 100 };
	static const struct {
		__u32 word;		/* or RESET */
		__u64 boots, panics, resets;
	} rows[] = {
		/* As QEMU does before the guest begins. */
		{ RESET, 0, 0, 0 },
		{ RESET, 0, 0, 0 },
		{ KVM_HEARTBEAT_ARM, 1, 0, 0 },
		/* Panic and reset, time and again; and what it says after the panic. */
		{ KVM_HEARTBEAT_PANIC, 1, 1, 0 },
		{ KVM_HEARTBEAT_PANIC, 1, 1, 0 },
		{ KVM_HEARTBEAT_REBOOT, 1, 1, 0 },
		{ RESET, 1, 1, 1 },
		{ RESET, 1, 1, 1 },
		{ KVM_HEARTBEAT_ARM, 2, 1, 1 },
		{ KVM_HEARTBEAT_PANIC, 2, 2, 1 },
		{ RESET, 2, 2, 2 },
		/* It panics before its driver is armed. */
		{ KVM_HEARTBEAT_PANIC, 2, 3, 2 },
		{ RESET, 2, 3, 3 },
		/* No new kernel: suspend, with and without QEMU's reset; rmmod and insmod. */
		{ KVM_HEARTBEAT_ARM, 3, 3, 3 },
		{ KVM_HEARTBEAT_SUSPEND, 3, 3, 3 },
		{ KVM_HEARTBEAT_ARM, 3, 3, 3 },
		{ KVM_HEARTBEAT_SUSPEND, 3, 3, 3 },
		{ RESET, 3, 3, 4 },
		{ KVM_HEARTBEAT_ARM, 3, 3, 4 },
		{ KVM_HEARTBEAT_UNLOAD, 3, 3, 4 },
		{ KVM_HEARTBEAT_ARM, 3, 3, 4 },
		/* A guest without its driver is reset. */
		{ KVM_HEARTBEAT_UNLOAD, 3, 3, 4 },
		{ RESET, 3, 3, 5 },
		{ KVM_HEARTBEAT_ARM, 4, 3, 5 },
		/* Its crash kernel is no boot, and its panic no other one. */
		{ KVM_HEARTBEAT_DUMPING, 4, 4, 5 },
		{ KVM_HEARTBEAT_PANIC, 4, 4, 5 },
		{ KVM_HEARTBEAT_DUMPING, 4, 4, 5 },
		/* One that is hung is reset; a crash kernel that does not say so, kexec. */
		{ RESET, 4, 4, 6 },
		{ KVM_HEARTBEAT_ARM, 5, 4, 6 },
		{ KVM_HEARTBEAT_ARM, 6, 4, 6 },
		{ KVM_HEARTBEAT_REBOOT, 6, 4, 6 },
		{ KVM_HEARTBEAT_ARM, 7, 4, 6 },
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ret = 0;
		if (rows[i].word == RESET)
			ret = ioctl(self->m.device, VFIO_DEVICE_RESET);
		else
			say(&self->m, rows[i].word);
		ASSERT_EQ(0, ret);
		EXPECT_TRUE(counts(&self->m, rows[i].boots, rows[i].panics, rows[i].resets))
			TH_LOG("row %u", i);
	}
	/* They last until the next VM. */
	monitor_close(&self->m);
	EXPECT_TRUE(counts(&self->m, 7, 4, 6));
	ASSERT_EQ(0, monitor_open(&self->m));
	EXPECT_TRUE(counts(&self->m, 0, 0, 0));
}

/* The device is reset under a driver that does not notice: its beats are heard. */
TEST_F(hb, reset_under_the_driver)
{
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "200000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ring(&self->m);
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	/* This one was on its way. */
	ring(&self->m);
	EXPECT_TRUE(is(&self->m, "waiting", "none"));

	usleep(200000);	/* an interval: the next one was not */
	ring(&self->m);
	ASSERT_TRUE(becomes(&self->m, "state", "alive"));
	EXPECT_EQ(KVM_HEARTBEAT_ARM, reg_read(&self->m, KVM_HEARTBEAT_REG_LIFECYCLE));
	EXPECT_TRUE(counts(&self->m, 1, 0, 1));
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));

	/* A guest that had said goodbye rings in vain. */
	say(&self->m, KVM_HEARTBEAT_UNLOAD);
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	ring(&self->m);
	usleep(200000);
	ring(&self->m);
	EXPECT_TRUE(is(&self->m, "waiting", "none"));
}

TEST_F(hb, what_is_left_when_the_vmm_closes)
{
	static const struct {
		__u32 word;
		const char *cause;
		bool reset;
	} rows[] = {
		{ 0, "vmm-gone" },
		{ KVM_HEARTBEAT_ARM, "vmm-gone" },
		{ KVM_HEARTBEAT_SHUTDOWN, "shutdown" },
		{ KVM_HEARTBEAT_UNLOAD, "unload" },
		{ KVM_HEARTBEAT_PANIC, "panic" },
		{ KVM_HEARTBEAT_DUMPING, "panic" },
		/* As QEMU does when it unplugs the device from a slot without power. */
		{ KVM_HEARTBEAT_UNLOAD, "unload", true },
		{ KVM_HEARTBEAT_PANIC, "panic", true },
		{ KVM_HEARTBEAT_ARM, "vmm-gone", true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(getpid(), attr(&self->m, "vmm_pid"));
		say(&self->m, KVM_HEARTBEAT_ARM);
		ring(&self->m);
		EXPECT_EQ(1, attr(&self->m, "beats"));
		if (rows[i].word)
			say(&self->m, rows[i].word);
		if (rows[i].reset) {
			EXPECT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
			EXPECT_TRUE(is(&self->m, "waiting", "none"));
		}
		monitor_close(&self->m);
		EXPECT_TRUE(is(&self->m, "detached", rows[i].cause));
		EXPECT_EQ(0, attr(&self->m, "vmm_pid"));

		/* The next VM under the same UUID begins anew. */
		ASSERT_EQ(0, monitor_open(&self->m));
		EXPECT_TRUE(is(&self->m, "waiting", "none"));
		EXPECT_EQ(0, attr(&self->m, "beats"));
		EXPECT_EQ(KVM_HEARTBEAT_NONE, reg_read(&self->m, KVM_HEARTBEAT_REG_LIFECYCLE));
	}
}

static void *remove_thread(void *arg)
{
	return (void *)(long)monitor_remove(arg);
}

/* Removing a monitor that is in use asks the VMM for it, and waits. */
TEST(removal_asks_the_vmm)
{
	struct monitor m;
	struct pollfd pfd = { .events = POLLIN };
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, monitor_create(&m, '2'));
	ASSERT_EQ(0, monitor_open(&m));
	pfd.fd = eventfd(0, 0);
	ASSERT_EQ(0, set_irq(&m, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			     VFIO_PCI_REQ_IRQ_INDEX, 0, 1, 24, pfd.fd));
	say(&m, KVM_HEARTBEAT_ARM);
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_thread, &m));
	ASSERT_EQ(1, poll(&pfd, 1, PATIENCE_MS));
	/* Still in use: whoever has it open may go on. */
	ring(&m);
	EXPECT_EQ(KVM_HEARTBEAT_ARM, reg_read(&m, KVM_HEARTBEAT_REG_LIFECYCLE));
	monitor_close(&m);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(0, (long)ret);
	EXPECT_EQ(-ENOENT, attr_set(&m, "interval_ns", "1000000000"));
	close(pfd.fd);
}

TEST(unloading_is_refused_while_in_use)
{
	struct monitor m;

	ASSERT_EQ(0, monitor_create(&m, '3'));
	ASSERT_EQ(0, monitor_open(&m));
	EXPECT_NE(0, system("rmmod kvm_heartbeat 2>/dev/null"));
	EXPECT_TRUE(is(&m, "waiting", "none"));
	monitor_close(&m);
	EXPECT_EQ(0, monitor_remove(&m));
}

TEST(creation_refuses)
{
	struct monitor m;

	EXPECT_EQ(-EINVAL, mdev_create(HEARTBEAT_TYPE, "not-a-uuid"));
	ASSERT_EQ(0, monitor_create(&m, '4'));
	EXPECT_EQ(-EEXIST, mdev_create(HEARTBEAT_TYPE, m.uuid));
	EXPECT_EQ(0, monitor_remove(&m));
	EXPECT_EQ(-ENOENT, monitor_open(&m));
}
