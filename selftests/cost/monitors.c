// SPDX-License-Identifier: GPL-2.0
/*
 * monitors N [TYPE]: N mediated devices in one process, each opened as by a VMM
 * and each with an eventfd, which is written to once a second: as many guests as
 * there is no memory for. N is a multiple of 100. TYPE is the folder of the
 * devices' type in sysfs. Without it there are the eventfds alone, and nobody
 * listens to them: what a beat is compared with.
 *
 * Commands come on stdin, a word a line. Each is answered by a line on stdout
 * when it is done:
 *
 *   create  make the devices; they go with their module
 *   open    open them, with an eventfd for each: bytes of a monitor's pulse page
 *   arm     if they are monitors: arm them, their eventfds are their doorbells
 *   beat    begin to beat, the devices spread evenly over the second
 *   cost    since the last such line: beats a tick, then the time that they took
 *           in the shortest tick, ns, then the ticks that came too late
 *   stop    stop, each a second after its last beat but one: when each has
 *           beaten last, ns of CLOCK_MONOTONIC
 *
 * Whatever fails is said on stderr and ends it.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "kvm_heartbeat.h"
#include "monitor.h"

/* No other program of the tests makes UUIDs that begin so. */
#define UUID "5e1f7e57-0000-4000-8ca1-%012x"

#define TICK_NS 10000000
#define TICKS 100	/* in a second */

struct beater {
	int device;
	int doorbell;
	__u64 last_ns;	/* the last beat, if this is the last second */
};

static const char *type;
static unsigned int nr_monitors;
static struct beater *beaters;
static int timer;

/* Since cost was last asked for. */
static __u64 shortest_ns, late_ticks;

static void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "monitors: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void create_all(void)
{
	char uuid[UUID_SIZE];
	unsigned int i;

	for (i = 0; i < nr_monitors; i++) {
		snprintf(uuid, sizeof(uuid), UUID, i);
		if (mdev_create(type, uuid))
			die("cannot create %s in %s", uuid, type);
	}
}

/* Arms the monitor, as a guest, and hands over its doorbell, as a VMM. */
static void arm(struct beater *b)
{
	struct monitor m = { .device = b->device };

	if (!ack(&m))
		die("cannot access the pulse page of device %td", b - beaters);
	if (reg_write(&m, KVM_HEARTBEAT_REG_LIFECYCLE, KVM_HEARTBEAT_ARM) != sizeof(__u32))
		die("device %td does not take a word", b - beaters);
	/* By a CPU that is not known. */
	if (set_doorbell(&m, b->doorbell, 0xffffffff))
		die("device %td does not take its doorbell (VFIO_DEVICE_IOEVENTFD)", b - beaters);
}

/* The size of BAR2, which is 0 if it has none. */
static __u64 pulse_size(int device)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR2_REGION_INDEX,
	};

	return ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) ? 0 : info.size;
}

static void open_devices(void)
{
	struct monitor m = { .container = -1 };
	unsigned int i;

	for (i = 0; i < nr_monitors; i++) {
		snprintf(m.uuid, sizeof(m.uuid), UUID, i);
		/* All in the container of the first one. */
		if (monitor_open(&m))
			die("cannot open device %s: %s", m.uuid, m.step);
		beaters[i].device = m.device;
	}
}

static void open_all(void)
{
	struct rlimit files = { 3 * nr_monitors + 64, 3 * nr_monitors + 64 };
	unsigned int i;

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("cannot have %u files open", 3 * nr_monitors + 64);
	if (type)
		open_devices();
	for (i = 0; i < nr_monitors; i++) {
		beaters[i].doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (beaters[i].doorbell < 0)
			die("cannot make an eventfd");
	}
}

static void ring_some(unsigned int tick, bool last)
{
	static const __u64 one = 1;
	__u64 begin_ns = now_ns(), took_ns;
	unsigned int i;

	for (i = tick; i < nr_monitors; i += TICKS) {
		if (last)
			beaters[i].last_ns = now_ns();
		if (write(beaters[i].doorbell, &one, sizeof(one)) != sizeof(one))
			die("cannot write to eventfd %u", i);
	}
	took_ns = now_ns() - begin_ns;
	if (took_ns < shortest_ns)
		shortest_ns = took_ns;
}

static void set_timer(long ns)
{
	struct itimerspec spec = { { 0, ns }, { 0, ns } };

	if (timerfd_settime(timer, 0, &spec, NULL))
		die("cannot set the timer");
}

/* Does as the next line says. Whether the beats shall end with the coming second. */
static bool obey(void)
{
	char *word = NULL;
	size_t size = 0;
	unsigned int i;
	bool stop;
	ssize_t len;

	len = getline(&word, &size, stdin);
	if (len <= 0)
		exit(0);
	word[len - 1] = 0;
	stop = !strcmp(word, "stop");
	if (!strcmp(word, "create")) {
		create_all();
	} else if (!strcmp(word, "open")) {
		open_all();
		printf("%llu", type ? pulse_size(beaters[0].device) : 0);
	} else if (!strcmp(word, "arm")) {
		for (i = 0; i < nr_monitors; i++)
			arm(&beaters[i]);
	} else if (!strcmp(word, "beat")) {
		set_timer(TICK_NS);
	} else if (!strcmp(word, "cost")) {
		printf("%u %llu %llu", nr_monitors / TICKS, shortest_ns, late_ticks);
		shortest_ns = -1;
		late_ticks = 0;
	} else if (!stop) {
		errno = EINVAL;
		die("'%s'", word);
	}
	free(word);
	if (!stop)
		puts("");
	return stop;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	unsigned int tick = 0, left = 0, i;
	__u64 due;

	if (argc > 1)
		nr_monitors = strtoul(argv[1], NULL, 10);
	if (!nr_monitors || nr_monitors % TICKS) {
		fprintf(stderr, "usage: monitors N [TYPE], N being a multiple of %u\n", TICKS);
		return 1;
	}
	type = argv[2];
	beaters = calloc(nr_monitors, sizeof(*beaters));
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (!beaters || timer < 0)
		die("cannot begin");
	fds[1] = (struct pollfd) { .fd = timer, .events = POLLIN };
	/* poll(2) does not see what stdio has read ahead. */
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			die("cannot wait");
		if (fds[0].revents && obey())
			left = TICKS;
		if (!fds[1].revents)
			continue;
		if (read(timer, &due, sizeof(due)) != sizeof(due))
			die("cannot read the timer");
		late_ticks += due - 1;
		for (; due; due--) {
			ring_some(tick, left);
			tick = (tick + 1) % TICKS;
			if (left && !--left) {
				set_timer(0);
				for (i = 0; i < nr_monitors; i++)
					printf("%llu ", beaters[i].last_ns);
				puts("");
				break;
			}
		}
	}
}
