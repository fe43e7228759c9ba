// SPDX-License-Identifier: GPL-2.0
/*
 * The host module as a VMM meets it: through VFIO and sysfs, without KVM and
 * without a guest. What a hostile VMM or a guest behind it could try is tried
 * here. Runs on the rig's host; kselftest_harness.h is the kernel's own.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm_heartbeat.h"
#include "kselftest.h"
#include "kselftest_harness.h"

#define CREATE "/sys/class/mdev_bus/kvm_heartbeat/mdev_supported_types/kvm_heartbeat-vm/create"
#define MDEV "/sys/bus/mdev/devices/"
#define UUID "5e1f7e57-0000-4000-8000-4b48425400%02x"

#define BAR0 ((off_t)VFIO_PCI_BAR0_REGION_INDEX << 40)
#define BAR2 ((off_t)VFIO_PCI_BAR2_REGION_INDEX << 40)
#define CONFIG ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

#define MS 1000000ULL
#define SEC (1000 * MS)

/* Long enough for any emulated machine; only a failure waits for it. */
#define PATIENCE_MS 120000
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	ret = ret < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = read(fd, buf, size - 1);
	ret = ret < 0 ? -errno : ret;
	close(fd);
	if (ret < 0)
		return ret;
	buf[ret] = 0;
	if (ret && buf[ret - 1] == '\n')
		buf[ret - 1] = 0;
	return 0;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* One monitor, and a device opened on it as a VMM would. */
struct monitor {
	char uuid[37];
	int container, group, device;
};

static char *attr_path(struct monitor *m, const char *name)
{
	static __thread char path[256];

	snprintf(path, sizeof(path), MDEV "%.36s/heartbeat/%s", m->uuid, name);
	return path;
}

static int attr_set(struct monitor *m, const char *name, const char *text)
{
	return write_file(attr_path(m, name), text);
}

static char *attr_text(struct monitor *m, const char *name)
{
	static __thread char text[256];
	int ret = read_file(attr_path(m, name), text, sizeof(text));

	if (ret)
		snprintf(text, sizeof(text), "(%s)", strerror(-ret));
	return text;
}

static __u64 attr(struct monitor *m, const char *name)
{
	return strtoull(attr_text(m, name), NULL, 10);
}

static int monitor_remove(struct monitor *m)
{
	char path[256];

	snprintf(path, sizeof(path), MDEV "%.36s/remove", m->uuid);
	return write_file(path, "1");
}

static int monitor_create(struct monitor *m, unsigned char last)
{
	snprintf(m->uuid, sizeof(m->uuid), UUID, last);
	m->device = -1;
	m->group = -1;
	m->container = -1;
	/* A test that failed before may have left it. */
	monitor_remove(m);
	return write_file(CREATE, m->uuid);
}

static int monitor_open(struct monitor *m)
{
	char path[128], link[256], *number;
	ssize_t len;

	snprintf(path, sizeof(path), MDEV "%s/iommu_group", m->uuid);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return -errno;
	link[len] = 0;
	number = strrchr(link, '/');
	snprintf(path, sizeof(path), "/dev/vfio%.16s", number);

	m->container = open("/dev/vfio/vfio", O_RDWR);
	m->group = open(path, O_RDWR);
	if (m->container < 0 || m->group < 0 ||
	    ioctl(m->group, VFIO_GROUP_SET_CONTAINER, &m->container) ||
	    ioctl(m->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	m->device = ioctl(m->group, VFIO_GROUP_GET_DEVICE_FD, m->uuid);
	return m->device < 0 ? -errno : 0;
}

static void monitor_close(struct monitor *m)
{
	if (m->device >= 0)
		close(m->device);
	if (m->group >= 0)
		close(m->group);
	if (m->container >= 0)
		close(m->container);
	m->device = -1;
	m->group = -1;
	m->container = -1;
}

static ssize_t reg_write(struct monitor *m, unsigned int reg, __u32 value)
{
	return pwrite(m->device, &value, sizeof(value), BAR0 + reg);
}

static __u32 reg_read(struct monitor *m, unsigned int reg)
{
	__u32 value = 0xdeadbeef;

	if (pread(m->device, &value, sizeof(value), BAR0 + reg) != sizeof(value))
		return 0xdeadbeef;
	return value;
}

static void say(struct monitor *m, __u32 word)
{
	reg_write(m, KVM_HEARTBEAT_REG_LIFECYCLE, word);
}

static void ring(struct monitor *m)
{
	reg_write(m, KVM_HEARTBEAT_REG_DOORBELL, 0);
}

/* Acknowledge the configuration, as a driver does before it beats by it. */
static void ack(struct monitor *m)
{
	__u32 seq = 0;

	pread(m->device, &seq, sizeof(seq),
	      BAR2 + offsetof(struct kvm_heartbeat_pulse_header, config_seq));
	pwrite(m->device, &seq, sizeof(seq),
	       BAR2 + offsetof(struct kvm_heartbeat_pulse_header, config_ack));
}

/* The pulse page of a VM with as many CPUs as have a slot in 4 KiB. */
struct page {
	struct kvm_heartbeat_pulse_header header;
	struct kvm_heartbeat_slot slots[62];
};

static struct page *map_page(struct monitor *m)
{
	return mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, m->device,
		    BAR2);
}

static bool is(struct monitor *m, const char *state, const char *cause)
{
	char now[32];

	snprintf(now, sizeof(now), "%s", attr_text(m, "state"));
	return !strcmp(now, state) && !strcmp(attr_text(m, "cause"), cause);
}

/* Wait, by poll(2) on the state, until a file says as given. */
static bool becomes(struct monitor *m, const char *name, const char *text)
{
	struct pollfd pfd = { .fd = open(attr_path(m, "state"), O_RDONLY), .events = POLLPRI };
	bool ok = false;
	char state[32];

	/* Reading the state is what makes poll wait for the next one. */
	while (pread(pfd.fd, state, sizeof(state), 0) > 0) {
		ok = !strcmp(attr_text(m, name), text);
		if (ok || poll(&pfd, 1, PATIENCE_MS) != 1)
			break;
	}
	close(pfd.fd);
	if (!ok)
		fprintf(stderr, "# %s is '%s', waited for '%s'\n", name, attr_text(m, name), text);
	return ok;
}

/*
 * Live, until a file says as given: several times an interval of a second, the CPUs
 * of @pulsing move their slots, and the doorbell is rung if the guest @rings.
 */
static bool lives_until(struct monitor *m, struct page *page, unsigned int pulsing, bool rings,
			const char *name, const char *text)
{
	struct pollfd pfd = { .fd = open(attr_path(m, "state"), O_RDONLY), .events = POLLPRI };
	double end = now_s() + PATIENCE_MS / 1000;
	bool ok = false;
	char state[32];
	int cpu;

	while (!ok && now_s() < end) {
		for (cpu = 0; cpu < 32; cpu++)
			if (pulsing & 1U << cpu)
				page->slots[cpu].pulses++;
		if (rings)
			ring(m);
		pread(pfd.fd, state, sizeof(state), 0);
		ok = !strcmp(attr_text(m, name), text);
		if (!ok)
			poll(&pfd, 1, 200);
	}
	close(pfd.fd);
	if (!ok)
		fprintf(stderr, "# %s is '%s', waited for '%s'\n", name, attr_text(m, name), text);
	return ok;
}

/* Time of silence, by the clock and by the run clock, at the last judgement. */
static bool judged_by(struct monitor *m, __u64 *silence_ns, __u64 *run_ns)
{
	return sscanf(attr_text(m, "evidence"), "state=%*s cause=%*s silence_ns=%llu run_ns=%llu",
		      silence_ns, run_ns) == 2;
}

/* Kernel messages that name the monitor, from the moment of opening on. */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	lseek(fd, 0, SEEK_END);
	return fd;
}

static unsigned int log_lines(int fd, const char *needle)
{
	char line[1024];
	unsigned int n = 0;
	ssize_t len;

	for (;;) {
		len = read(fd, line, sizeof(line) - 1);
		if (len < 0 && errno == EPIPE)
			continue;	/* overwritten: go on with what is left */
		if (len <= 0)
			return n;
		line[len] = 0;
		if (strstr(line, needle))
			n++;
	}
}

static int uevent_socket(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -1 : fd;
}

/* The next uevent of the monitor that tells of a change of state. */
static bool uevent_next(int fd, struct monitor *m, char *buf, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t len, i;

	while (poll(&pfd, 1, PATIENCE_MS) == 1) {
		len = recv(fd, buf, size - 1, 0);
		if (len <= 0)
			return false;
		buf[len] = 0;
		for (i = 0; i < len; i++)
			if (!buf[i])
				buf[i] = ' ';
		if (strstr(buf, m->uuid) && strstr(buf, "HEARTBEAT_STATE="))
			return true;
	}
	return false;
}

FIXTURE(hb)
{
	struct monitor m;
};

FIXTURE_SETUP(hb)
{
	ASSERT_EQ(0, monitor_create(&self->m, '1'));
	ASSERT_TRUE(is(&self->m, "detached", "none"));
	ASSERT_EQ(0, monitor_open(&self->m));
	ASSERT_TRUE(is(&self->m, "waiting", "none"));
}

FIXTURE_TEARDOWN(hb)
{
	monitor_close(&self->m);
	EXPECT_EQ(0, monitor_remove(&self->m));
}

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
	EXPECT_EQ(KVM_HEARTBEAT_FEATURE_LAYERS, reg_read(&self->m, KVM_HEARTBEAT_REG_FEATURES));
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
		say(&self->m, 7);
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

TEST_F(hb, outage)
{
	static const char judged[] = "state=unresponsive cause=unknown silence_ns=";
	__u64 downtime, silence, run;

	EXPECT_STREQ("(No data available)", attr_text(&self->m, "evidence"));
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "20000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "unknown"));
	/* Without KVM nothing is known of vCPUs: one line. */
	EXPECT_EQ(0, strncmp(judged, attr_text(&self->m, "evidence"), strlen(judged)));
	EXPECT_EQ(NULL, strchr(attr_text(&self->m, "evidence"), '\n'));
	ASSERT_TRUE(judged_by(&self->m, &silence, &run));
	EXPECT_LE(40 * MS, run);
	EXPECT_LE(run, silence);
	EXPECT_LE(silence, attr(&self->m, "last_beat_ns"));
	EXPECT_EQ(1, attr(&self->m, "outages"));
	EXPECT_LE(40 * MS, attr(&self->m, "last_beat_ns"));
	EXPECT_LE(40 * MS, attr(&self->m, "downtime_ns"));
	EXPECT_LE(1, attr(&self->m, "missed"));

	/* One silence, two outages: no time of it is counted twice. */
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "86400000000000"));
	EXPECT_TRUE(is(&self->m, "late", "none"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "0"));
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_EQ(2, attr(&self->m, "outages"));
	downtime = attr(&self->m, "downtime_ns");
	EXPECT_GE(attr(&self->m, "last_beat_ns"), downtime);

	/* No new beat is due for a long time: what follows is not racing. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	EXPECT_TRUE(is(&self->m, "alive", "none"));
	ring(&self->m);
	EXPECT_TRUE(is(&self->m, "alive", "none"));
	EXPECT_EQ(2, attr(&self->m, "outages"));
	EXPECT_LE(downtime, attr(&self->m, "downtime_ns"));
	EXPECT_EQ(attr(&self->m, "downtime_ns"), attr(&self->m, "downtime_ns"));
}

TEST_F(hb, recovery_by_a_beat)
{
	int fd = uevent_socket();
	char buf[4096];
	__u64 missed;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "1200000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	/* The gap from arming to the first beat is no interval either. */
	ring(&self->m);
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	missed = attr(&self->m, "missed");
	ring(&self->m);
	/* By uevents, as the guest may be late again before we look. */
	do {
		ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	} while (!strstr(buf, "HEARTBEAT_OLD=unresponsive "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=alive "));
	EXPECT_EQ(2, attr(&self->m, "beats"));
	EXPECT_LE(1, attr(&self->m, "outages"));
	EXPECT_LE(1200 * MS, attr(&self->m, "downtime_ns"));
	EXPECT_LE(missed, attr(&self->m, "missed"));
	/* The gap that ended an outage is downtime, not an interval. */
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_max_ns"));
	close(fd);
}

TEST_F(hb, retuning_waits_for_the_guest)
{
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	/* Long to short, and a beat of the old rhythm: the old 2 s and 4 s hold. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
	EXPECT_EQ(2 * MS, attr(&self->m, "timeout_ns"));
	ring(&self->m);
	/* Nor is it enough that the guest has seen it: it has to beat by it. */
	ack(&self->m);
	ASSERT_TRUE(becomes(&self->m, "outages", "1"));
	EXPECT_LE(4 * SEC, attr(&self->m, "last_beat_ns"));

	/* Now it does: from this beat on, 1 ms and 2 ms hold. */
	ring(&self->m);
	ASSERT_TRUE(becomes(&self->m, "outages", "2"));
	EXPECT_GT(4 * SEC, attr(&self->m, "last_beat_ns"));

	/* Short to long is patient at once. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	EXPECT_TRUE(is(&self->m, "alive", "none"));

	/* A timeout alone asks nothing of the guest. */
	ack(&self->m);
	ring(&self->m);
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "3600000000001"));
	EXPECT_EQ(3600 * SEC + 1, attr(&self->m, "timeout_ns"));
	EXPECT_TRUE(is(&self->m, "alive", "none"));
}

TEST_F(hb, sysfs_refuses)
{
	static const struct {
		const char *name, *text;
		int ret;
	} rows[] = {
		{ "interval_ns", "", 0 },	/* write(2) of nothing does nothing */
		{ "interval_ns", "\n", -EINVAL },
		{ "interval_ns", "fast", -EINVAL },
		{ "interval_ns", "-1", -EINVAL },
		{ "interval_ns", "2s", -EINVAL },
		{ "interval_ns", "2e9", -EINVAL },
		{ "interval_ns", "2000000000 3", -EINVAL },
		{ "interval_ns", "18446744073709551616", -ERANGE },
		{ "interval_ns", "18446744073709551615", -ERANGE },
		{ "interval_ns", "0", -ERANGE },
		{ "interval_ns", "999999", -ERANGE },
		{ "interval_ns", "3600000000001", -ERANGE },
		{ "interval_ns", "5000000000", -EINVAL },	/* the timeout is 5 s */
		{ "interval_ns", "6000000000", -EINVAL },
		{ "timeout_ns", "five", -EINVAL },
		{ "timeout_ns", "-5", -EINVAL },
		{ "timeout_ns", "2000000000", -EINVAL },	/* so is the interval */
		{ "timeout_ns", "1", -EINVAL },
		{ "timeout_ns", "86400000000001", -ERANGE },
		{ "timeout_ns", "18446744073709551615", -ERANGE },
		{ "state", "alive", -EACCES },
		{ "beats", "0", -EACCES },
		{ "stale_vcpus", "0", -EACCES },
	};
	__u32 seq = reg_read(&self->m, 0);
	unsigned int i;

	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "5000000000"));
	pread(self->m.device, &seq, 4, BAR2 + 8);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		__u32 after = 0;
		int ret;

		/* Root may open a read-only file for writing; sysfs then says EIO. */
		ret = attr_set(&self->m, rows[i].name, rows[i].text);
		if (ret == -EIO)
			ret = -EACCES;
		EXPECT_EQ(rows[i].ret, ret) TH_LOG("row %u", i);
		EXPECT_EQ(2 * SEC, attr(&self->m, "interval_ns"));
		EXPECT_EQ(5 * SEC, attr(&self->m, "timeout_ns"));
		pread(self->m.device, &after, 4, BAR2 + 8);
		EXPECT_EQ(seq, after) TH_LOG("row %u reached the guest", i);
	}
}

TEST_F(hb, sysfs_accepts)
{
	EXPECT_EQ(4 * SEC, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "1000000\n"));
	EXPECT_EQ(2 * MS, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	EXPECT_EQ(7200 * SEC, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "86400000000000"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "5000000"));
	EXPECT_EQ(86400 * SEC, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "5000001"));
	EXPECT_EQ(5 * MS + 1, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "0"));
	EXPECT_EQ(10 * MS, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "0x5f5e100"));
	EXPECT_EQ(100 * MS, attr(&self->m, "interval_ns"));
	EXPECT_EQ(200 * MS, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(100 * MS, reg_read(&self->m, KVM_HEARTBEAT_REG_INTERVAL_NS));
	EXPECT_EQ(200 * MS, reg_read(&self->m, KVM_HEARTBEAT_REG_TIMEOUT_NS));
}

TEST_F(hb, statistics)
{
	__u64 min, mean, max;
	int i;

	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_min_ns"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_mean_ns"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_max_ns"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "jitter_ns"));
	for (i = 0; i < 10; i++)
		ring(&self->m);
	EXPECT_EQ(10, attr(&self->m, "beats"));
	EXPECT_EQ(0, attr(&self->m, "missed"));
	min = attr(&self->m, "interval_min_ns");
	mean = attr(&self->m, "interval_mean_ns");
	max = attr(&self->m, "interval_max_ns");
	EXPECT_LT(0, max);
	EXPECT_LE(min, mean);
	EXPECT_LE(mean, max);
	EXPECT_GE(max, attr(&self->m, "jitter_ns"));
}

/* Suspicion grows with a silence, and decides nothing. */
TEST_F(hb, suspicion)
{
	__u64 calm;

	EXPECT_STREQ("(No data available)", attr_text(&self->m, "suspicion"));
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	calm = attr(&self->m, "suspicion");
	EXPECT_GE(100, calm);

	/* Milliseconds of silence are much for an interval of 1 ms. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "120000000000"));
	ack(&self->m);
	ring(&self->m);
	ASSERT_TRUE(becomes(&self->m, "state", "late"));
	/* Late is half an interval beyond the mean, and a deviation is a quarter. */
	EXPECT_LE(1643, attr(&self->m, "suspicion"));
	EXPECT_EQ(0, attr(&self->m, "outages"));

	say(&self->m, KVM_HEARTBEAT_UNLOAD);
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "suspicion"));
}

/* What is mapped is not kept: it would keep the device open. */
static bool can_map(struct monitor *m, size_t size, int flags, off_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, m->device, offset);

	return map != MAP_FAILED && !munmap(map, size);
}

TEST_F(hb, pulse_page_mapping)
{
	struct monitor *m = &self->m;
	void *map;

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->device, BAR2);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(KVM_HEARTBEAT_MAGIC, *(__u32 *)map);
	munmap(map, 4096);

	EXPECT_FALSE(can_map(m, 8192, MAP_SHARED, BAR2));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, BAR2 + 4096));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, BAR2 + (1L << 39)));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, BAR0));
	EXPECT_FALSE(can_map(m, 4096, MAP_SHARED, CONFIG));
	EXPECT_FALSE(can_map(m, 4096, MAP_PRIVATE, BAR2));
}

TEST_F(hb, pulse_page_past_the_end)
{
	__u8 buf[4097];

	EXPECT_EQ(4096, pread(self->m.device, buf, 4096, BAR2));
	EXPECT_EQ(0, pread(self->m.device, buf, 0, BAR2 + 4096));
	EXPECT_EQ(-1, pread(self->m.device, buf, 4097, BAR2));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->m.device, buf, 1, BAR2 + 4096));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->m.device, buf, 8, BAR2 + 4090));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->m.device, buf, 1, BAR2 + (1L << 39)));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * Whatever the guest writes over the page, the host goes by its own notes. The guest
 * may call itself ill; it beats all the same.
 */
TEST_F(hb, pulse_page_scribbled)
{
	__u64 *map;
	int round, i;

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, self->m.device, BAR2);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	say(&self->m, KVM_HEARTBEAT_ARM);
	srandom(1);
	for (round = 0; round < 200; round++) {
		for (i = 0; i < 512; i++)
			map[i] = round == 0 ? UINT64_MAX : round == 1 ? 0 :
				 ((__u64)random() << 33) ^ random();
		ring(&self->m);
		ASSERT_EQ(0, attr_set(&self->m, "interval_ns",
				      round & 1 ? "3600000000000" : "1800000000000"));
		if (round == 0) {
			/* For its schedulers to be stale, it would have to say so for longer. */
			ASSERT_TRUE(is(&self->m, "degraded", "userspace"));
			ASSERT_STREQ("", attr_text(&self->m, "stale_vcpus"));
		} else if (round == 1) {
			ASSERT_TRUE(is(&self->m, "alive", "none"));
			ASSERT_STREQ("", attr_text(&self->m, "stale_vcpus"));
		}
		ASSERT_TRUE(!strcmp("alive", attr_text(&self->m, "state")) ||
			    !strcmp("degraded", attr_text(&self->m, "state")));
		ASSERT_EQ(62, reg_read(&self->m, KVM_HEARTBEAT_REG_NR_SLOTS));
		ASSERT_EQ(round + 1, attr(&self->m, "beats"));
	}
	/* Reset makes it whole. */
	ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
	EXPECT_EQ(KVM_HEARTBEAT_MAGIC, *(__u32 *)map);
	EXPECT_EQ(0, map[511]);
	munmap(map, 4096);
}

/* What the guest says of its userspace is judged at once, an age of a scheduler never by itself. */
TEST_F(hb, layers)
{
	static const struct {
		__u32 flags, sched_age_ms, user_timeout_ms, user_age_ms;
		const char *cause;
	} rows[] = {
		{ 1, 0, 0, 0, "none" },
		{ 1, UINT32_MAX, 0, 0, "none" },
		{ 0, UINT32_MAX, 0, 0, "none" },
		{ 1, 0, 0, UINT32_MAX, "none" },
		{ 1, 0, 1000, 999, "none" },
		{ 1, 0, 1000, 1000, "userspace" },
		{ 1, 0, UINT32_MAX, UINT32_MAX, "userspace" },
		{ 1, UINT32_MAX, 1000, 1000, "userspace" },
		{ 1, 0, 1000, 0, "none" },
	};
	struct page *page = map_page(&self->m);
	struct kvm_heartbeat_slot *slot = &page->slots[7];
	unsigned int i;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *state = strcmp(rows[i].cause, "none") ? "degraded" : "alive";

		slot->flags = rows[i].flags;
		slot->sched_age_ms = rows[i].sched_age_ms;
		page->header.user_timeout_ms = rows[i].user_timeout_ms;
		page->header.user_age_ms = rows[i].user_age_ms;
		/* A new timeout makes the monitor look, by 7200 s in the end. */
		ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "7300000000000"));
		ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "7200000000000"));
		EXPECT_TRUE(is(&self->m, state, rows[i].cause)) TH_LOG("row %u", i);
		EXPECT_STREQ("", attr_text(&self->m, "stale_vcpus"));
	}
	munmap(page, sizeof(*page));
}

/* A guest that beats, but one CPU does not; what lies above says less than that. */
TEST_F(hb, a_cpu_stands_still)
{
	struct page *page = map_page(&self->m);
	struct monitor *m = &self->m;
	int log = log_open();

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(m, "timeout_ns", "3000000000"));
	ack(m);
	say(m, KVM_HEARTBEAT_ARM);
	/* CPU 3 is offline, and of the others nothing is known. */
	page->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	page->slots[1].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	page->slots[2].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	page->slots[3].pulses = 1;

	ASSERT_TRUE(lives_until(m, page, 1 << 0 | 1 << 2, true, "cause", "partial"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 2, true, "stale_vcpus", "1"));
	EXPECT_LE(1, log_lines(log, "guest is degraded, stale CPUs 1 (partial)"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0, true, "stale_vcpus", "1-2"));

	page->slots[0].sched_age_ms = UINT32_MAX;
	page->header.user_timeout_ms = 1000;
	page->header.user_age_ms = 1000;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "stale_vcpus", "2"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "cause", "partial"));
	page->slots[2].flags = 0;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "cause", "softlockup"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "stale_vcpus", "0"));
	page->slots[0].sched_age_ms = 0;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "cause", "userspace"));
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "stale_vcpus", ""));
	page->header.user_age_ms = 0;
	EXPECT_TRUE(lives_until(m, page, 1 << 0 | 1 << 1, true, "state", "alive"));
	EXPECT_STREQ("", attr_text(m, "stale_vcpus"));
	close(log);
	munmap(page, sizeof(*page));
}

/* A guest that pulses but does not beat is late for as long as it pulses. */
TEST_F(hb, a_beat_is_lost)
{
	struct page *page = map_page(&self->m);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "3000000000"));
	ack(&self->m);
	page->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	say(&self->m, KVM_HEARTBEAT_ARM);
	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, false, "cause", "beat-lost"));
	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, false, "state", "late"));
	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, true, "state", "alive"));

	EXPECT_TRUE(lives_until(&self->m, page, 1 << 0, false, "cause", "beat-lost"));
	EXPECT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_TRUE(is(&self->m, "unresponsive", "unknown"));
	munmap(page, sizeof(*page));
}

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

static int set_doorbell(struct monitor *m, int fd, __u64 data)
{
	struct vfio_device_ioeventfd bell = {
		.argsz = sizeof(bell),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = BAR0 + KVM_HEARTBEAT_REG_DOORBELL,
		.data = data,
		.fd = fd,
	};

	return ioctl(m->device, VFIO_DEVICE_IOEVENTFD, &bell) ? -errno : 0;
}

/* Signals an eventfd as KVM does on a write to the doorbell. */
static bool signal_eventfd(int fd, __u64 count)
{
	return write(fd, &count, sizeof(count)) == sizeof(count);
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

/* A guest that changes its mind all the time fills neither log nor memory. */
TEST_F(hb, lifecycle_storm)
{
	int log = log_open(), outages = log_open();
	double begin = now_s();
	unsigned int lines;
	int i;

	for (i = 0; i < 20000; i++)
		say(&self->m, i % 6);

	/* What matters is not crowded out. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));
	EXPECT_LE(1, log_lines(outages, "guest is unresponsive"));

	for (i = 0; i < 20000; i++)
		say(&self->m, i % 7);
	lines = log_lines(log, self->m.uuid);
	/* Twice 20 lines in 10 s, each with one that says how many were kept back. */
	EXPECT_LE(1, lines);
	EXPECT_GE(42 * ((now_s() - begin) / 10 + 2), lines);
	close(outages);
	close(log);
}

/* How often whoever polls the state is woken until the guest has shut down, or -1. */
static void *listen_until_shutdown(void *arg)
{
	struct monitor *m = arg;
	struct pollfd pfd = { .events = POLLPRI };
	long wakes = 0;
	char state[32];

	/* The texts of files are in static memory: read them by ourselves. */
	pfd.fd = open(attr_path(m, "cause"), O_RDONLY);
	for (;;) {
		ssize_t len = pread(pfd.fd, state, sizeof(state), 0);

		if (len > 0 && !strncmp(state, "shutdown\n", len))
			break;
		if (len <= 0 || poll(&pfd, 1, PATIENCE_MS) != 1) {
			wakes = -1;
			break;
		}
		wakes++;
	}
	close(pfd.fd);
	return (void *)wakes;
}

/* Those who poll are woken at most once in 10 ms, and are told of the last change. */
TEST_F(hb, listeners_are_not_kept_busy)
{
	double begin = now_s();
	pthread_t thread;
	void *wakes;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, listen_until_shutdown, &self->m));
	for (i = 0; i < 20000; i++) {
		say(&self->m, KVM_HEARTBEAT_UNLOAD);
		say(&self->m, KVM_HEARTBEAT_ARM);
	}
	say(&self->m, KVM_HEARTBEAT_SHUTDOWN);
	ASSERT_EQ(0, pthread_join(thread, &wakes));
	EXPECT_LE(0, (long)wakes);
	EXPECT_GE((now_s() - begin) * 100 + 3, (long)wakes);
}

static atomic_bool hog_may_end;

static void *await_outage(void *arg)
{
	bool seen = becomes(arg, "state", "unresponsive");

	atomic_store(&hog_may_end, true);
	return (void *)seen;
}

/* Who has a CPU to itself, by real-time priority, keeps no timer there from expiring. */
TEST_F(hb, a_real_time_hog_hides_nothing)
{
	struct sched_param fifo = { .sched_priority = 50 }, other = {};
	cpu_set_t all, mine, rest;
	pthread_t thread;
	double end;
	void *seen;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	CPU_ZERO(&mine);
	CPU_SET(sched_getcpu(), &mine);
	CPU_XOR(&rest, &all, &mine);
	if (!CPU_COUNT(&rest))
		SKIP(return, "needs a second CPU");

	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000000"));
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "86400000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(becomes(&self->m, "state", "late"));

	atomic_store(&hog_may_end, false);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(rest), &rest));
	ASSERT_EQ(0, pthread_create(&thread, NULL, await_outage, &self->m));
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(mine), &mine));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &fifo));
	/* A look, and the timer of the next one, on this CPU. */
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "5000000000"));
	for (end = now_s() + 20; !atomic_load(&hog_may_end) && now_s() < end;)
		;
	EXPECT_TRUE(atomic_load(&hog_may_end));
	sched_setscheduler(0, SCHED_OTHER, &other);
	sched_setaffinity(0, sizeof(all), &all);
	ASSERT_EQ(0, pthread_join(thread, &seen));
	EXPECT_TRUE((long)seen);
}

TEST_F(hb, uevents)
{
	int fd = uevent_socket();
	char buf[4096];

	ASSERT_LE(0, fd);
	say(&self->m, KVM_HEARTBEAT_ARM);
	ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, "ACTION=change "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_OLD=waiting "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=alive "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_CAUSE=none "));
	say(&self->m, KVM_HEARTBEAT_PANIC);
	ASSERT_TRUE(uevent_next(fd, &self->m, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_OLD=alive "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=panicked "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_CAUSE=panic "));
	close(fd);
}

static int set_irq(struct monitor *m, __u32 flags, __u32 index, __u32 start,
		   __u32 count, __u32 argsz, __s32 fd)
{
	struct {
		struct vfio_irq_set set;
		__s32 fd;
	} arg = { { argsz, flags, index, start, count }, fd };

	return ioctl(m->device, VFIO_DEVICE_SET_IRQS, &arg) ? -errno : 0;
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

/*
 * Fall silent together, until all are unresponsive. Returns how often one of them was
 * held because of the host, or -1.
 */
static int silent_together(struct monitor *m, int n)
{
	char buf[4096];
	int fds[3], i, held = 0;

	for (i = 0; i < n; i++) {
		fds[i] = uevent_socket();
		if (fds[i] < 0 || monitor_create(&m[i], 'a' + i) || monitor_open(&m[i]) ||
		    attr_set(&m[i], "timeout_ns", "8000000000"))
			return -1;
	}
	for (i = 0; i < n; i++)
		say(&m[i], KVM_HEARTBEAT_ARM);
	for (i = 0; i < n; i++) {
		do {
			if (!uevent_next(fds[i], &m[i], buf, sizeof(buf)))
				return -1;
			if (strstr(buf, "HEARTBEAT_CAUSE=host-degraded "))
				held++;
		} while (!strstr(buf, "HEARTBEAT_STATE=unresponsive "));
		close(fds[i]);
	}
	return held;
}

/* One line a word, and two for panic and rearming, were there no limits. */
TEST(all_together_log_no_flood)
{
	enum { MONITORS = 60, WORDS = 40 };
	struct monitor m[MONITORS];
	double begin = now_s();
	unsigned int lines = 0;
	int log = log_open();
	int i, word;

	for (i = 0; i < MONITORS; i++) {
		ASSERT_EQ(0, monitor_create(&m[i], i));
		ASSERT_EQ(0, monitor_open(&m[i]));
		for (word = 0; word < WORDS; word++) {
			say(&m[i], KVM_HEARTBEAT_ARM);
			say(&m[i], KVM_HEARTBEAT_UNLOAD);
			say(&m[i], KVM_HEARTBEAT_ARM);
			say(&m[i], KVM_HEARTBEAT_PANIC);
		}
		EXPECT_TRUE(is(&m[i], "panicked", "panic"));
		lines += log_lines(log, " guest is ");
	}
	/* 500 and 500 in 10 s; the windows need not begin when we do. */
	EXPECT_LE(lines, 1000 * ((unsigned int)((now_s() - begin) / 10) + 2));
	EXPECT_GE(lines, 900);
	close(log);
	for (i = 0; i < MONITORS; i++) {
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
}

/* Guests that panic time and again use up their own share of the log, not another's. */
TEST(those_who_flap_hide_nobody)
{
	enum { MONITORS = 60, PANICS = 20 };
	struct monitor m[MONITORS + 1];
	int log = log_open();
	int i, panic;

	for (i = 0; i <= MONITORS; i++) {
		ASSERT_EQ(0, monitor_create(&m[i], i));
		ASSERT_EQ(0, monitor_open(&m[i]));
		for (panic = 0; panic < (i < MONITORS ? PANICS : 1); panic++) {
			say(&m[i], KVM_HEARTBEAT_ARM);
			say(&m[i], KVM_HEARTBEAT_PANIC);
		}
	}
	/* They have many lines, and the last of them has its one. */
	EXPECT_EQ(1, log_lines(log, m[MONITORS].uuid) >= 1);
	close(log);
	for (i = 0; i <= MONITORS; i++) {
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
}

/* However many are silent at the same time, each is judged by itself. */
TEST(a_crowd_delays_nobody)
{
	__u64 silence = 0, run = 0;
	struct monitor m[3];
	bool excused;
	int held, i;

	held = silent_together(m, 3);
	ASSERT_LE(0, held);
	for (i = 0, excused = false; i < 3; i++) {
		EXPECT_TRUE(is(&m[i], "unresponsive", "unknown"));
		EXPECT_EQ(1, attr(&m[i], "outages"));
		EXPECT_TRUE(judged_by(&m[i], &silence, &run));
		excused |= silence - run > 800 * MS;
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
	/* But this host may have been late itself, by a tenth of the timeout. */
	EXPECT_TRUE(!held || excused);
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

	EXPECT_EQ(-EINVAL, write_file(CREATE, "not-a-uuid"));
	ASSERT_EQ(0, monitor_create(&m, '4'));
	EXPECT_EQ(-EEXIST, write_file(CREATE, m.uuid));
	EXPECT_EQ(0, monitor_remove(&m));
	EXPECT_EQ(-ENOENT, monitor_open(&m));
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

/* All of it at once, from as many sides as there are: nothing may break. */
static atomic_bool racing;

static void *race_beats(void *arg)
{
	while (racing)
		ring(arg);
	return NULL;
}

static void *race_words(void *arg)
{
	unsigned int seed = 1;

	while (racing)
		say(arg, rand_r(&seed) % 8);
	return NULL;
}

static void race_tuning(struct monitor *m, unsigned int rounds)
{
	unsigned int seed = 2;

	while (rounds--) {
		int r = rand_r(&seed) % 4;

		attr_set(m, "interval_ns", r & 1 ? "1000000" : "3000000");
		attr_set(m, "timeout_ns", r & 2 ? "0" : "4000000");
		attr_text(m, "downtime_ns");
	}
}

static void *race_resets(void *arg)
{
	struct monitor *m = arg;

	while (racing) {
		ioctl(m->device, VFIO_DEVICE_RESET);
		ack(m);
	}
	return NULL;
}

static void *race_interrupts(void *arg)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	while (racing) {
		set_irq(arg, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			VFIO_PCI_MSI_IRQ_INDEX, 0, 1, 24, fd);
		set_irq(arg, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			VFIO_PCI_MSI_IRQ_INDEX, 0, 1, 24, -1);
	}
	close(fd);
	return NULL;
}

/* Signalled without end, while another thread gives and takes it. */
static int race_eventfd = -1;

static void *race_signals(void *arg)
{
	while (racing)
		signal_eventfd(race_eventfd, 1);
	return NULL;
}

static void *race_doorbells(void *arg)
{
	while (racing) {
		set_doorbell(arg, race_eventfd, 0);
		set_doorbell(arg, -1, 0);
	}
	return NULL;
}

TEST_F(hb, everything_at_once)
{
	static void *(*const racers[])(void *) = {
		race_beats, race_words, race_resets, race_interrupts, race_signals,
		race_doorbells,
	};
	enum { N = ARRAY_SIZE(racers) };
	pthread_t threads[N];
	int round, i;

	race_eventfd = eventfd(0, EFD_NONBLOCK);
	for (round = 0; round < 4; round++) {
		racing = true;
		for (i = 0; i < N; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, racers[i], &self->m));
		race_tuning(&self->m, 60);
		racing = false;
		for (i = 0; i < N; i++)
			pthread_join(threads[i], NULL);

		/* It still works. */
		ASSERT_EQ(0, ioctl(self->m.device, VFIO_DEVICE_RESET));
		ASSERT_TRUE(is(&self->m, "waiting", "none"));
		ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "0"));
		ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
		ack(&self->m);
		say(&self->m, KVM_HEARTBEAT_ARM);
		ASSERT_TRUE(becomes(&self->m, "state", "unresponsive"));

		/* And the VMM may die in any state. */
		monitor_close(&self->m);
		ASSERT_TRUE(is(&self->m, "detached", "vmm-gone"));
		ASSERT_EQ(0, monitor_open(&self->m));
	}
	close(race_eventfd);
}

static void *race_readings(void *arg)
{
	while (racing)
		attr_text(arg, "downtime_ns");
	return NULL;
}

/* Whoever reads holds the lock, and a patrol does not wait for it: others then look. */
TEST_F(hb, readers_on_patrol)
{
	struct page *page = map_page(&self->m);
	struct monitor *m = &self->m;
	pthread_t threads[3];
	int i;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, attr_set(m, "interval_ns", "20000000"));
	ack(m);
	page->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
	say(m, KVM_HEARTBEAT_ARM);
	racing = true;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_readings, m));
	for (i = 0; i < 1000; i++) {
		page->slots[0].pulses++;
		ring(m);
		poll(NULL, 0, 3);
	}
	racing = false;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_TRUE(becomes(m, "state", "unresponsive"));
	munmap(page, sizeof(*page));
}

/* A VM that beats once, with intervals of two kinds, and ends. */
static void *race_visits(void *arg)
{
	struct monitor *m = arg;
	unsigned int round;

	for (round = 0; racing; round++) {
		if (!monitor_open(m)) {
			attr_set(m, "interval_ns", round & 1 ? "1000000000" : "2000000000");
			ack(m);
			say(m, KVM_HEARTBEAT_ARM);
			ring(m);
		}
		monitor_close(m);
	}
	return NULL;
}

/* Those that beat alike are looked at together; each by itself, while others come and go. */
TEST(guests_share_a_patrol)
{
	enum { STAY = 3, VISIT = 3, ILL = 1 };
	struct monitor m[STAY + VISIT];
	double end = now_s() + PATIENCE_MS / 1000;
	pthread_t threads[VISIT];
	struct page *pages[STAY];
	bool seen = false;
	int i;

	for (i = 0; i < STAY + VISIT; i++)
		ASSERT_EQ(0, monitor_create(&m[i], i));
	for (i = 0; i < STAY; i++) {
		ASSERT_EQ(0, monitor_open(&m[i]));
		pages[i] = map_page(&m[i]);
		ASSERT_NE(MAP_FAILED, pages[i]);
		ASSERT_EQ(0, attr_set(&m[i], "interval_ns", "1000000000"));
		/* However long we may be kept from beating. */
		ASSERT_EQ(0, attr_set(&m[i], "timeout_ns",
				      i == ILL ? "3000000000" : "3600000000000"));
		ack(&m[i]);
		pages[i]->slots[0].flags = KVM_HEARTBEAT_SLOT_ONLINE;
		pages[i]->slots[1].flags = KVM_HEARTBEAT_SLOT_ONLINE;
		say(&m[i], KVM_HEARTBEAT_ARM);
	}
	racing = true;
	for (i = 0; i < VISIT; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_visits, &m[STAY + i]));

	/* One CPU of one of them stands still. */
	while (!seen && now_s() < end) {
		for (i = 0; i < STAY; i++) {
			pages[i]->slots[0].pulses++;
			if (i != ILL)
				pages[i]->slots[1].pulses++;
			ring(&m[i]);
		}
		poll(NULL, 0, 200);
		seen = !strcmp(attr_text(&m[ILL], "stale_vcpus"), "1");
	}
	EXPECT_TRUE(seen);

	racing = false;
	for (i = 0; i < VISIT; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < STAY + VISIT; i++) {
		if (i < STAY && i != ILL)
			EXPECT_EQ(0, attr(&m[i], "outages"));
		if (i < STAY)
			munmap(pages[i], sizeof(*pages[i]));
		monitor_close(&m[i]);
		EXPECT_EQ(0, monitor_remove(&m[i]));
	}
}

TEST_HARNESS_MAIN
