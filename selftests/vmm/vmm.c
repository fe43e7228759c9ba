// SPDX-License-Identifier: GPL-2.0
/*
 * vmm: the least that gives a guest the heartbeat device, see print_usage() below
 *
 * For those who write a VMM: what the device needs of one is in device.c, with
 * ../vfio/monitor.c, and main() has the order; what it needs to move with its VM is in
 * migrate.c. The rest is a machine without PCI (vm.c, vcpu.c), which can be saved (image.c),
 * and whose tiny guests (guest.c) know where the device is.
 *
 * Build with gcc -O2 -Wall -Wextra -Werror -I../../uapi -I../vfio *.c ../vfio/monitor.c.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "guest.h"
#include "hostile.h"
#include "image.h"
#include "migrate.h"
#include "vcpu.h"
#include "vm.h"

/* The arguments. */
static bool ioeventfd;
static __u64 rounds;
static bool has_debugger;
static const char *input, *output;
static struct guest_run how;	/* without input */

static int signals;

static noreturn void print_usage(void)
{
	fputs("usage: vmm [-m UUID]... [-f] [-d exit|ioeventfd] [-c VCPUS] [-r ROUNDS] [-s]\n"
	      "           [-t KIB] [-o FILE] GUEST [ARGS] | -i FILE\n"
	      "\n"
	      "Run a tiny guest with the heartbeat device, until it is done or SIGTERM or SIGINT comes.\n"
	      "\n"
	      "  -m UUID     the monitor; without it the guest has memory for a pulse page, and\n"
	      "              nobody takes note of what it writes to the registers. With several,\n"
	      "              each has a device, which the vCPUs take turns to use: with two, vCPUs\n"
	      "              0, 2 ... are CPUs 0, 1 ... of the first\n"
	      "  -f          open the devices by files of their own and an iommufd, not by groups\n"
	      "  -d exit     the doorbell is a write like any other: an exit to this program, which\n"
	      "              passes it on (default)\n"
	      "  -d ioeventfd\n"
	      "              KVM hands the doorbell to the host module by an eventfd\n"
	      "  -c VCPUS    how many (default 1)\n"
	      "  -r ROUNDS   of a guest that falls silent: when the monitor says unresponsive, reset,\n"
	      "              wait for a random part of an interval, and begin again; then say\n"
	      "              'rounds ROUNDS'\n"
	      "  -s          at SIGUSR2, have the vCPUs execute one instruction at a time, as fast as\n"
	      "              it goes, and take no interrupts, as a debugger does; at the next, go on\n"
	      "  -t KIB      use so much new memory for each access that this program passes on\n"
	      "  -o FILE     at SIGHUP, stop, save the VM to FILE, which may be a pipe, and say\n"
	      "              'saved bytes=NUMBER ns=TIME' of the devices' streams. Then end at SIGTERM:\n"
	      "              the VM goes on elsewhere. Or go on at SIGHUP, and say 'up'; likewise if\n"
	      "              it cannot be saved\n"
	      "  -i FILE     go on with the VM that was saved there; say 'restored bytes=NUMBER ns=TIME\n"
	      "              run_ns=TIME' of the devices' streams, to load and then to run, and 'up'\n"
	      "\n"
	      "GUEST, when it has armed:\n"
	      "  ring N      ring the doorbell N times, on each vCPU, and say at what cost:\n"
	      "              'ring count=N ns=TIME exits=NUMBER', without beginning and end\n"
	      "  pulse N     count up the slot N times, likewise\n"
	      "  beat [K [spin|halt]]\n"
	      "              every interval, count up every vCPU's slot, and vCPU 0 rings; after\n"
	      "              K times (0 or none: never), or when SIGUSR2 has come, spin (default)\n"
	      "              or halt, interrupts off\n"
	      "  spin, halt  that, at once\n"
	      "  panic       say that it panicked, and halt\n"
	      "  fail        do what KVM cannot emulate, so that KVM gives the guest up\n"
	      "  storm       ring for ever, as fast as it goes, on each vCPU\n"
	      "  flap        unload and arm for ever, likewise\n"
	      "  hostile N SEED\n"
	      "              whatever a guest can do to its host, in N phases, and not armed at first;\n"
	      "              then shut down, and say so as ring does. The same seed makes each vCPU do\n"
	      "              the same. This program resets the device when the guest tells it to, passes\n"
	      "              on what is beyond BAR0, and does not end before a signal comes\n"
	      "All but ring, pulse and hostile say 'up' when all vCPUs run.\n", stderr);
	exit(2);
}

/* Who had us save the VM says where it goes on. Return: whether that is elsewhere. */
static bool wait_moved(void)
{
	struct signalfd_siginfo signal;

	do
		check(read(signals, &signal, sizeof(signal)), "cannot read a signal");
	while (signal.ssi_signo == SIGUSR2);
	return signal.ssi_signo != SIGHUP;
}

/* Return: whether the VM goes on elsewhere. If not, it runs. */
static bool move(void)
{
	/* A pipe waits for its other end here, while the VM still runs. */
	int file = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool moved;

	if (file < 0) {
		warn("%s", output);
		return false;
	}
	stop_vcpus();
	moved = image_save(file);
	close(file);
	if (moved && !wait_moved()) {
		moved = false;
		devices_run();
	}
	if (!moved) {
		start_vcpus();
		puts("up");
	}
	return moved;
}

/* Until there is something in @fd. Return: false if a signal has come that is to end us. */
static bool wait_for(int fd, short events)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = fd, .events = events },
	};
	struct signalfd_siginfo signal;

	for (;;) {
		check(poll(fds, 2, -1), "poll");
		if (!fds[0].revents)
			return true;
		check(read(signals, &signal, sizeof(signal)), "cannot read a signal");
		if (signal.ssi_signo == SIGHUP) {
			if (move())
				return false;
			continue;
		}
		if (signal.ssi_signo != SIGUSR2)
			return false;
		if (has_debugger)
			step_vcpus();
		else
			guest_silence();
	}
}

static void wait_done(void)
{
	eventfd_t more, all;

	for (all = 0; all < nr_vcpus && wait_for(done, POLLIN); all += more)
		eventfd_read(done, &more);
}

/* Until the monitor says so. Return: false if a signal came first. */
static bool wait_state(int state, const char *wanted)
{
	char now[32];
	ssize_t len;

	do {
		/* Reading is what makes poll wait for the next one. */
		len = check(pread(state, now, sizeof(now) - 1, 0), "cannot read the state");
		now[len] = 0;
		if (!strcmp(strtok(now, "\n"), wanted))
			return true;
	} while (wait_for(state, POLLPRI));
	return false;
}

/* Silence after silence, from started vCPUs to stopped ones. Return: how many there were. */
static __u64 run_rounds(void)
{
	__u64 round = 0, ns;
	struct timespec phase;
	char path[256];
	bool silent;
	int state;

	snprintf(path, sizeof(path), MDEV "%s/heartbeat/state", devices[0].uuid);
	state = check(open(path, O_RDONLY | O_CLOEXEC), path);
	srandom(1);
	for (;;) {
		silent = wait_state(state, "unresponsive");
		stop_vcpus();
		if (!silent || ++round == rounds)
			break;
		device_reset(&devices[0]);
		/* Or what was said of this round might be taken for the next. */
		if (!wait_state(state, "waiting"))
			break;
		device_config(&devices[0], &ns);
		ns = ns * (random() / (RAND_MAX + 1.0));
		phase = (struct timespec) { ns / 1000000000, ns % 1000000000 };
		nanosleep(&phase, NULL);
		reset_vcpus(&how);
		start_vcpus();
	}
	close(state);
	return round;
}

static __u64 parse(const char *text, const char *what, __u64 max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > max)
		errx(2, "'%s' is not %s, at most %llu", text, what, max);
	return value;
}

static void parse_guest(int argc, char **argv)
{
	const struct guest *guest = argc ? guest_find(argv[0]) : NULL;

	if (!guest || argc > (guest->beats ? 3 : 1 + guest->counted + guest->hostile))
		print_usage();
	how.guest = guest;
	if (argc > 1)
		how.count = parse(argv[1], "a number of times", UINT64_MAX);
	if (guest->counted && !how.count)
		print_usage();
	if (guest->hostile) {
		if (argc < 3 || !devices[0].uuid || nr_devices > 1)
			errx(2, "hostile needs a number of phases, a seed, and one monitor (-m)");
		how.seed = parse(argv[2], "a seed", UINT64_MAX);
		careless = true;
	} else {
		how.then_halt = !strcmp(argv[argc > 2 ? 2 : 0], "halt");
		if (argc > 2 && !how.then_halt && strcmp(argv[2], "spin"))
			print_usage();
	}
	if (rounds && !(devices[0].uuid && (guest->silent || (guest->beats && how.count))))
		errx(2, "-r is for a guest with a monitor that falls silent: beat K, spin or halt");
	if (rounds && nr_devices > 1)
		errx(2, "-r is for one monitor");
	if (guest->beats && !devices[0].uuid)
		errx(2, "beat needs a monitor (-m), which has the interval");
	if (output && (!devices[0].uuid || guest->counted || rounds))
		errx(2, "-o is for a guest with a monitor, not for ring, pulse, hostile and -r");
}

/* The main thread hears of signals by poll(2). Before there are threads: they inherit the mask. */
static void signals_open(void)
{
	sigset_t heard;

	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGINT);
	sigaddset(&heard, SIGUSR2);
	if (output)
		sigaddset(&heard, SIGHUP);
	/* A pipe whose other end is gone is an error like any other. */
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &heard, NULL);
	signals = check(signalfd(-1, &heard, SFD_CLOEXEC), "signalfd");
}

/* What kind of VM is in there is known first of all: it decides what is opened. */
static int open_input(struct image_head *head)
{
	int file = check(open(input, O_RDONLY | O_CLOEXEC), input);

	image_read_head(file, head);
	if (head->nr_devices != nr_devices)
		errx(1, "%s has a VM of %u monitors: give as many", input, head->nr_devices);
	nr_vcpus = head->nr_vcpus;
	return file;
}

int main(int argc, char **argv)
{
	struct image_head head;
	unsigned int nr_monitors = 0;
	int file = -1;
	__u64 silences;
	int option;

	while ((option = getopt(argc, argv, "+m:fd:c:r:st:o:i:")) != -1) {
		if (option == 'm' && nr_monitors < MAX_DEVICES)
			devices[nr_monitors++].uuid = optarg;
		else if (option == 'f')
			monitor_by_cdev = true;
		else if (option == 'd' && (!strcmp(optarg, "exit") || !strcmp(optarg, "ioeventfd")))
			ioeventfd = !strcmp(optarg, "ioeventfd");
		else if (option == 'c')
			nr_vcpus = parse(optarg, "a number of vCPUs", UINT16_MAX);
		else if (option == 'r')
			rounds = parse(optarg, "a number of rounds", UINT64_MAX);
		else if (option == 's')
			has_debugger = true;
		else if (option == 't')
			touched = parse(optarg, "a number of KiB", 1 << 20) << 10;
		else if (option == 'o')
			output = optarg;
		else if (option == 'i')
			input = optarg;
		else
			print_usage();
	}
	if (nr_monitors)
		nr_devices = nr_monitors;
	if (!input)
		parse_guest(argc - optind, argv + optind);
	else if (!devices[0].uuid || rounds || argc > optind)
		print_usage();
	if (input)
		file = open_input(&head);
	if (nr_vcpus < nr_devices)
		errx(2, "each monitor needs a vCPU (-c)");
	setlinebuf(stdout);

	vm_open();
	memory_open(nr_vcpus);
	vcpus_open();
	devices_open(nr_vcpus, ioeventfd);
	if (!input && how.guest->hostile)
		hostile_open(&how, nr_vcpus, vcpu_tsc_khz(&vcpus[0]));
	signals_open();
	threads_open();

	if (input) {
		image_restore(file, &head);
		close(file);
		start_vcpus();
		puts("up");
	} else {
		reset_vcpus(&how);
		start_vcpus();
		/* What is counted is not to be disturbed by us. */
		if (!how.guest->counted) {
			wait_begun();
			puts("up");
		}
	}
	if (rounds) {
		silences = run_rounds();
		printf("rounds %llu\n", silences);
	} else {
		/* Who hears from the vCPUs that they are done may have signalled already. */
		if (!input && how.guest->hostile)
			wait_for(-1, 0);
		else
			wait_done();
		stop_vcpus();
	}

	threads_close();
	close(signals);
	devices_close();
	vcpus_close();
	if (!input && how.guest->hostile)
		hostile_close();
	memory_close();
	vm_close();
	return 0;
}
