// SPDX-License-Identifier: GPL-2.0
/*
 * act: what a guest does to be seen alive, many times over
 *
 *   act ring N             ring the doorbell of kvm-heartbeat N times
 *   act pet N              write one byte to /dev/watchdog N times
 *   act watch MS N         the same, once in MS milliseconds
 *   act send PORT MS N     send the host 16 bytes over vsock, once in MS
 *                          milliseconds, N times
 *
 * The first two go as fast as they can, and then print when it began and ended,
 * by the guest's TSC. No driver may be bound to the heartbeat device.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <linux/vm_sockets.h>

#include "kvm_heartbeat.h"

#define NSEC_PER_MSEC	1000000L
#define NSEC_PER_SEC	1000000000L

enum { EXIT_USAGE = 2 };

static unsigned long parse(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!value || *end)
		errx(EXIT_USAGE, "not a number above 0: %s", text);
	return value;
}

static long attribute(const char *device, const char *name)
{
	char path[256];
	FILE *file;
	long value;

	snprintf(path, sizeof(path), "%s/%s", device, name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%li", &value) != 1)
		err(EXIT_FAILURE, "%s", path);
	fclose(file);
	return value;
}

/* The folder of the heartbeat device in sysfs. */
static const char *find_device(void)
{
	glob_t devices;
	size_t i;

	if (glob("/sys/bus/pci/devices/*", 0, NULL, &devices))
		errx(EXIT_FAILURE, "there are no PCI devices");
	for (i = 0; i < devices.gl_pathc; i++)
		if (attribute(devices.gl_pathv[i], "vendor") == KVM_HEARTBEAT_PCI_VENDOR &&
		    attribute(devices.gl_pathv[i], "device") == KVM_HEARTBEAT_PCI_DEVICE)
			return devices.gl_pathv[i];
	errx(EXIT_FAILURE, "there is no heartbeat device");
}

static void enable_device(const char *device)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/enable", device);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		err(EXIT_FAILURE, "%s", path);
	close(fd);
}

static void *map(const char *device, int bar)
{
	char path[256];
	void *base;
	int fd;

	snprintf(path, sizeof(path), "%s/resource%d", device, bar);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "%s", path);
	base = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		err(EXIT_FAILURE, "mmap %s (is a driver bound?)", path);
	close(fd);
	return base;
}

static void done(unsigned long long begin, unsigned long long end)
{
	printf("%llu %llu\n", begin, end);
}

static void word(char *regs, enum kvm_heartbeat_lifecycle word)
{
	*(volatile __u32 *)(regs + KVM_HEARTBEAT_REG_LIFECYCLE) = word;
}

static void ring(char **args)
{
	unsigned long n = parse(args[0]);
	const char *device = find_device();
	volatile struct kvm_heartbeat_pulse_header *pulse;
	unsigned long long begin, end;
	char *regs;

	enable_device(device);
	regs = map(device, KVM_HEARTBEAT_BAR_REGS);
	pulse = map(device, KVM_HEARTBEAT_BAR_PULSE);

	pulse->config_ack = pulse->config_seq;
	word(regs, KVM_HEARTBEAT_ARM);
	begin = __rdtsc();
	/* Three instructions each. bench_guest.py takes that for a measure. */
	asm volatile("1: movl %1, (%2)\n\t"
		     "dec %0\n\t"
		     "jnz 1b"
		     : "+r" (n)
		     : "r" (0), "r" (regs + KVM_HEARTBEAT_REG_DOORBELL)
		     : "memory", "cc");
	end = __rdtsc();
	word(regs, KVM_HEARTBEAT_UNLOAD);
	done(begin, end);
}

static int open_watchdog(void)
{
	int fd = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		err(EXIT_FAILURE, "/dev/watchdog");
	return fd;
}

static void pet_watchdog(int fd)
{
	if (write(fd, "", 1) != 1)
		err(EXIT_FAILURE, "/dev/watchdog");
}

static void close_watchdog(int fd)
{
	/* Or closing it would not stop the watchdog, which resets the guest. */
	if (write(fd, "V", 1) != 1 || close(fd))
		err(EXIT_FAILURE, "/dev/watchdog");
}

static void pet(char **args)
{
	unsigned long n = parse(args[0]);
	unsigned long long begin, end;
	int fd = open_watchdog();

	begin = __rdtsc();
	while (n--)
		pet_watchdog(fd);
	end = __rdtsc();
	close_watchdog(fd);
	done(begin, end);
}

/* Sleep until the next multiple of an interval that is a part of a second. */
static void sleep_until_next(long interval)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += interval - time.tv_nsec % interval;
	if (time.tv_nsec >= NSEC_PER_SEC) {
		time.tv_nsec -= NSEC_PER_SEC;
		time.tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void watch(char **args)
{
	long interval = parse(args[0]) * NSEC_PER_MSEC;
	unsigned long n = parse(args[1]);
	int fd = open_watchdog();

	while (n--) {
		sleep_until_next(interval);
		pet_watchdog(fd);
	}
	close_watchdog(fd);
}

static void send_beats(char **args)
{
	struct sockaddr_vm host = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = parse(args[0]),
	};
	long interval = parse(args[1]) * NSEC_PER_MSEC;
	unsigned long n = parse(args[2]);
	char beat[16] = "";
	int fd;

	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&host, sizeof(host)))
		err(EXIT_FAILURE, "vsock port %u of the host", host.svm_port);

	while (n--) {
		sleep_until_next(interval);
		if (send(fd, beat, sizeof(beat), 0) != sizeof(beat))
			err(EXIT_FAILURE, "vsock");
	}
	close(fd);
}

static const struct command {
	const char *name;
	const char *synopsis;
	int args;
	void (*run)(char **args);
} commands[] = {
	{ "ring", "N", 1, ring },
	{ "pet", "N", 1, pet },
	{ "watch", "MS N", 2, watch },
	{ "send", "PORT MS N", 3, send_beats },
	{ }
};

int main(int argc, char **argv)
{
	const struct command *command;

	for (command = commands; command->name; command++) {
		if (argc - 2 != command->args || strcmp(argv[1], command->name))
			continue;
		command->run(argv + 2);
		return EXIT_SUCCESS;
	}

	for (command = commands; command->name; command++)
		fprintf(stderr, "usage: act %s %s\n", command->name, command->synopsis);
	return EXIT_USAGE;
}
