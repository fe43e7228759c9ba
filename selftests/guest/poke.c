// SPDX-License-Identifier: GPL-2.0
/*
 * poke: use and abuse the kvm-heartbeat device from the guest's userspace
 *
 *   poke read BAR OFF SIZE          print what is there
 *   poke write BAR OFF SIZE VALUE   write it
 *   poke storm N                    ring the doorbell N times, flat out
 *   poke lifecycle VALUE            write the lifecycle word, print it back
 *   poke scribble SEED N            N random 8-byte writes all over BAR2:
 *                                   counters that run backwards, absurd acks,
 *                                   flags and magics
 *   poke fuzz SEED N                N random reads and writes all over BAR0, of
 *                                   any size and alignment
 *
 * BAR is 0 or 2, SIZE is 1, 2, 4 or 8: one real access of that width. Numbers
 * are decimal, 0x hexadecimal or 0 octal. The same seed gives the same accesses.
 *
 * fuzz never says a word that the host would believe: a write that touches the
 * lifecycle register has the top bit of every byte of its value set, so however
 * the access is split on its way, what arrives is no value of
 * enum kvm_heartbeat_lifecycle. Doorbells it does ring.
 *
 * No driver need be bound. If one is, most kernels (CONFIG_IO_STRICT_DEVMEM)
 * refuse the mapping unless booted with iomem=relaxed: unbind it first.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 4 no such device (kselftest's
 * word for "skip").
 *
 * Build with gcc -static -O2 -Wall -Wextra -Werror -I../../uapi.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kvm_heartbeat.h"

#define __noreturn	__attribute__((__noreturn__))
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define MSB_OF_ALL	0x8080808080808080ULL

enum { EXIT_USAGE = 2, EXIT_SKIP = 4 };

struct bar {
	char *base;
	__u64 size;
};

static __noreturn __printf(2, 3)
void die(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("poke: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static __u64 parse(const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-'))
		die(EXIT_USAGE, "not a number: %s", text);
	return value;
}

/* -------------------------------------------------------------------------
 * The device
 */

/* A hexadecimal attribute of a PCI device, or -1. */
static long attribute(const char *device, const char *name)
{
	char path[512];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", device, name);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fscanf(file, "%li", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void find_device(char *device, size_t size)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(PCI_DEVICES);
	if (!dir)
		die(EXIT_SKIP, "%s: %s", PCI_DEVICES, strerror(errno));
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    attribute(entry->d_name, "vendor") != KVM_HEARTBEAT_PCI_VENDOR ||
		    attribute(entry->d_name, "device") != KVM_HEARTBEAT_PCI_DEVICE)
			continue;
		snprintf(device, size, "%s", entry->d_name);
		found = true;
	}
	closedir(dir);
	if (!found)
		die(EXIT_SKIP, "no heartbeat device");
}

/* Have the device decode memory accesses, unless it does. */
static void enable_device(const char *device)
{
	char path[512];
	FILE *file;

	if (attribute(device, "enable") > 0)
		return;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/enable", device);
	file = fopen(path, "w");
	if (!file || fputs("1", file) < 0 || fclose(file))
		die(EXIT_FAILURE, "%s: %s", path, strerror(errno));
}

static struct bar map_bar(unsigned int number)
{
	char device[256], path[512];
	struct bar bar;
	struct stat st;
	void *base;
	int fd;

	find_device(device, sizeof(device));
	enable_device(device);

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%u", device, number);
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die(EXIT_FAILURE, "%s: %s", path, strerror(errno));
	bar.size = st.st_size;
	base = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		die(EXIT_FAILURE, "mmap %s: %s%s", path, strerror(errno),
		    errno == EINVAL ? " (is a driver bound?)" : "");
	close(fd);
	bar.base = base;
	return bar;
}

static void check_access(const struct bar *bar, __u64 off, __u64 size)
{
	if (size != 1 && size != 2 && size != 4 && size != 8)
		die(EXIT_USAGE, "size must be 1, 2, 4 or 8");
	if (off > bar->size || size > bar->size - off)
		die(EXIT_USAGE, "beyond the BAR's %llu bytes", bar->size);
}

/* One access of exactly this width, neither split nor left out. */
#define ACCESS(type, at)	(*(volatile type *)(at))

/*
 * One access of the given size. The offset may be misaligned: on x86 the
 * device is to see it as it is.
 */
static __u64 get(const struct bar *bar, __u64 off, unsigned int size)
{
	void *at = bar->base + off;

	switch (size) {
	case 1:
		return ACCESS(__u8, at);
	case 2:
		return ACCESS(__u16, at);
	case 4:
		return ACCESS(__u32, at);
	default:
		return ACCESS(__u64, at);
	}
}

static void put(const struct bar *bar, __u64 off, unsigned int size,
		__u64 value)
{
	void *at = bar->base + off;

	switch (size) {
	case 1:
		ACCESS(__u8, at) = value;
		break;
	case 2:
		ACCESS(__u16, at) = value;
		break;
	case 4:
		ACCESS(__u32, at) = value;
		break;
	default:
		ACCESS(__u64, at) = value;
		break;
	}
}

/* -------------------------------------------------------------------------
 * Random accesses
 */

/* splitmix64: good enough, and the same everywhere. */
static __u64 next_random(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Extremes and small numbers are likelier to find a hole than noise is. */
static __u64 nasty_value(__u64 *state)
{
	__u64 noise = next_random(state);

	switch (next_random(state) % 6) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return noise % 256;
	case 3:
		return 1ULL << noise % 64;
	case 4:
		return -(noise % 256);
	default:
		return noise;
	}
}

static bool touches(__u64 off, unsigned int size, __u64 reg,
		    unsigned int reg_size)
{
	return off < reg + reg_size && reg < off + size;
}

/* -------------------------------------------------------------------------
 * Subcommands
 */

static unsigned int bar_number(const char *text)
{
	__u64 bar = parse(text);

	if (bar != KVM_HEARTBEAT_BAR_REGS && bar != KVM_HEARTBEAT_BAR_PULSE)
		die(EXIT_USAGE, "BAR must be 0 or 2");
	return bar;
}

static void do_read(char **args)
{
	__u64 off = parse(args[1]), size = parse(args[2]);
	struct bar bar = map_bar(bar_number(args[0]));

	check_access(&bar, off, size);
	printf("0x%0*llx\n", (int)size * 2, get(&bar, off, size));
}

static void do_write(char **args)
{
	__u64 off = parse(args[1]), size = parse(args[2]);
	__u64 value = parse(args[3]);
	struct bar bar = map_bar(bar_number(args[0]));

	check_access(&bar, off, size);
	if (size < 8 && value >> size * 8)
		die(EXIT_USAGE, "value does not fit");
	put(&bar, off, size, value);
}

static void do_storm(char **args)
{
	__u64 n = parse(args[0]), i;
	struct bar bar = map_bar(KVM_HEARTBEAT_BAR_REGS);
	struct timespec a, b;
	__u64 ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < n; i++)
		put(&bar, KVM_HEARTBEAT_REG_DOORBELL, 4, 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = (b.tv_sec - a.tv_sec) * 1000000000ULL + b.tv_nsec - a.tv_nsec;
	printf("%llu doorbells in %llu ns\n", n, ns);
}

static void do_lifecycle(char **args)
{
	__u64 value = parse(args[0]);
	struct bar bar = map_bar(KVM_HEARTBEAT_BAR_REGS);

	if (value > ~0U)
		die(EXIT_USAGE, "value does not fit");
	put(&bar, KVM_HEARTBEAT_REG_LIFECYCLE, 4, value);
	printf("%llu\n", get(&bar, KVM_HEARTBEAT_REG_LIFECYCLE, 4));
}

static void do_scribble(char **args)
{
	__u64 state = parse(args[0]), n = parse(args[1]), i;
	struct bar bar = map_bar(KVM_HEARTBEAT_BAR_PULSE);

	for (i = 0; i < n; i++) {
		__u64 off = next_random(&state) % (bar.size / 8) * 8;

		/* Half of them where the guest's words to the host are. */
		if (next_random(&state) & 1)
			off = next_random(&state) % 2 ?
				offsetof(struct kvm_heartbeat_pulse_header,
					 config_ack) :
				off / 64 * 64 + next_random(&state) % 2 * 8;
		put(&bar, off, 8, nasty_value(&state));
	}
	printf("%llu writes over %llu bytes\n", n, bar.size);
}

static void do_fuzz(char **args)
{
	__u64 state = parse(args[0]), n = parse(args[1]), i;
	struct bar bar = map_bar(KVM_HEARTBEAT_BAR_REGS);
	__u64 reads = 0, writes = 0, sum = 0;

	for (i = 0; i < n; i++) {
		unsigned int size = 1 << next_random(&state) % 4;
		/* Three of four where the registers are. */
		__u64 span = next_random(&state) % 4 ?
			KVM_HEARTBEAT_REG_DOORBELL + 16 : bar.size;
		__u64 off = next_random(&state) % (span - size + 1);
		__u64 value = nasty_value(&state);

		if (next_random(&state) & 1) {
			sum ^= get(&bar, off, size);
			reads++;
			continue;
		}
		if (touches(off, size, KVM_HEARTBEAT_REG_LIFECYCLE, 4))
			value |= MSB_OF_ALL;
		put(&bar, off, size, value);
		writes++;
	}
	printf("%llu reads (xor 0x%016llx), %llu writes\n",
	       reads, sum, writes);
}

static const struct command {
	const char *name;
	const char *synopsis;
	int args;
	void (*run)(char **args);
} commands[] = {
	{ "read", "BAR OFF SIZE", 3, do_read },
	{ "write", "BAR OFF SIZE VALUE", 4, do_write },
	{ "storm", "N", 1, do_storm },
	{ "lifecycle", "VALUE", 1, do_lifecycle },
	{ "scribble", "SEED N", 2, do_scribble },
	{ "fuzz", "SEED N", 2, do_fuzz },
	{ }
};

int main(int argc, char **argv)
{
	const struct command *command;

	for (command = commands; argc > 1 && command->name; command++) {
		if (strcmp(argv[1], command->name) || argc - 2 != command->args)
			continue;
		command->run(argv + 2);
		if (fflush(stdout) || ferror(stdout))
			die(EXIT_FAILURE, "stdout: %s", strerror(errno));
		return EXIT_SUCCESS;
	}

	for (command = commands; command->name; command++)
		fprintf(stderr, "usage: poke %s %s\n", command->name,
			command->synopsis);
	return EXIT_USAGE;
}
