// SPDX-License-Identifier: GPL-2.0
/*
 * hog SECONDS [CPULIST]: let no ordinary task run
 *
 * A real-time thread on each online CPU, or on each of CPULIST ("0,2-3"), spins
 * until SECONDS of CLOCK_MONOTONIC have passed. Interrupts are served as ever.
 *
 * Kernels keep some time for ordinary tasks from such as we are: by a limit for
 * all real-time tasks, and from 6.12 on by a server on each CPU, which only
 * debugfs can turn off, so mount that. Both are off meanwhile, and then as they
 * were before. They stay off if hog is killed.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ONLINE		"/sys/devices/system/cpu/online"
#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"
#define FAIR_RUNTIME	"/sys/kernel/debug/sched/fair_server/cpu%d/runtime"

enum { EXIT_USAGE = 2 };

/* A setting of the kernel, with what it was before. */
struct knob {
	char path[80];
	char old[32];
};

static struct knob rt_runtime = { .path = RT_RUNTIME }, fair_runtime[CPU_SETSIZE];
static pthread_t threads[CPU_SETSIZE];
static struct timespec end;

static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "r");

	if (!file || !fgets(line, size, file))
		err(EXIT_FAILURE, "%s", path);
	fclose(file);
}

static bool write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, line, strlen(line)) >= 0;

	if (!done)
		warn("%s", path);
	if (fd >= 0)
		close(fd);
	return done;
}

static void turn(struct knob *knob, const char *to)
{
	read_line(knob->path, knob->old, sizeof(knob->old));
	if (!write_line(knob->path, to))
		exit(EXIT_FAILURE);
}

/* At exit, for whatever reason. */
static void turn_all_back(void)
{
	bool done = true;
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (*fair_runtime[cpu].old)
			done &= write_line(fair_runtime[cpu].path, fair_runtime[cpu].old);
	if (*rt_runtime.old)
		done &= write_line(rt_runtime.path, rt_runtime.old);
	if (!done)
		_exit(EXIT_FAILURE);
}

static long parse(const char *text, char **rest)
{
	long value;

	errno = 0;
	value = strtol(text, rest, 10);
	if (errno || *rest == text || value < 0)
		errx(EXIT_USAGE, "not a number: '%s'", text);
	return value;
}

/* The kernel's own format, without its strides: "0,2-3". */
static void parse_cpus(const char *list, cpu_set_t *cpus)
{
	const char *at = list;
	long first, last;
	char *rest;

	CPU_ZERO(cpus);
	for (;; at = rest + 1) {
		first = parse(at, &rest);
		last = first;
		if (*rest == '-')
			last = parse(rest + 1, &rest);
		if (last < first || last >= CPU_SETSIZE)
			errx(EXIT_USAGE, "no list of CPUs: '%s'", list);
		while (first <= last)
			CPU_SET(first++, cpus);
		if (!*rest || *rest == '\n')
			return;
		if (*rest != ',')
			errx(EXIT_USAGE, "no list of CPUs: '%s'", list);
	}
}

static void *spin(void *unused)
{
	struct timespec now;

	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	return unused;
}

static void start(int cpu)
{
	struct sched_param param = { .sched_priority = 98 };
	pthread_attr_t attr;
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(only), &only);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	errno = pthread_create(&threads[cpu], &attr, spin, NULL);
	if (errno)
		err(EXIT_FAILURE, "no real-time thread on CPU %d", cpu);
	pthread_attr_destroy(&attr);
}

int main(int argc, char **argv)
{
	/* Above the threads: or the first could keep us from starting the others. */
	struct sched_param param = { .sched_priority = 99 };
	char online[4096], *rest;
	cpu_set_t cpus;
	long seconds;
	int cpu;

	if (argc != 2 && argc != 3)
		errx(EXIT_USAGE, "usage: hog SECONDS [CPULIST]");
	seconds = parse(argv[1], &rest);
	if (*rest || seconds > INT_MAX)
		errx(EXIT_USAGE, "no number of seconds: '%s'", argv[1]);
	read_line(ONLINE, online, sizeof(online));
	parse_cpus(argc == 3 ? argv[2] : online, &cpus);

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(EXIT_FAILURE, "SCHED_FIFO");
	atexit(turn_all_back);
	turn(&rt_runtime, "-1");
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct knob *knob = &fair_runtime[cpu];

		snprintf(knob->path, sizeof(knob->path), FAIR_RUNTIME, cpu);
		if (CPU_ISSET(cpu, &cpus) && !access(knob->path, F_OK))
			turn(knob, "0");
	}

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			start(cpu);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			pthread_join(threads[cpu], NULL);
	return EXIT_SUCCESS;
}
