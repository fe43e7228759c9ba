// SPDX-License-Identifier: GPL-2.0
/*
 * A hostile VMM that learns: runs programs of calls on two monitors, each in a process of its own,
 * and keeps those that reach code of the host module which no program before them has reached.
 * kcov tells: the modules of the debug kernel are built for it. The kernel finds the mistakes;
 * what is judged here is that others come to no harm. Runs on the rig's host, prints TAP.
 *
 *   vmm_fuzz SECONDS [SEED]	says the seed first
 *   vmm_fuzz replay FILE	the programs that a run has left in its results
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "program.h"
#include "reports.h"

#define TRACE_WORDS	16384
#define NR_THREADS	(1 + MAX_ANTAGONISTS)
#define MAX_PLACES	32768		/* 2 to the 15th; the module has fewer */
#define MAX_KEPT	2048
#define NR_LOGGED	64
#define CHECK_EACH	16		/* programs */
#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"

static struct monitor victims[2];
static struct {
	int fd;
	unsigned long *words;
} traces[NR_THREADS];

static unsigned long places[MAX_PLACES];
static unsigned int nr_places;
static struct program kept[MAX_KEPT];
static unsigned int nr_kept;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* What programs reach */

static void traces_open(void)
{
	unsigned int i;

	for (i = 0; i < NR_THREADS; i++) {
		traces[i].fd = open("/sys/kernel/debug/kcov", O_RDWR);
		if (traces[i].fd < 0 || ioctl(traces[i].fd, KCOV_INIT_TRACE, TRACE_WORDS))
			die("/sys/kernel/debug/kcov: is this the debug kernel?");
		traces[i].words = mmap(NULL, TRACE_WORDS * sizeof(unsigned long),
				       PROT_READ | PROT_WRITE, MAP_SHARED, traces[i].fd, 0);
		if (traces[i].words == MAP_FAILED)
			die("mmap of kcov");
	}
}

/* In a thread of a VMM; it ends with the thread. */
static void trace_begin(unsigned int thread)
{
	if (ioctl(traces[thread].fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("KCOV_ENABLE");
}

static bool place_is_new(unsigned long place)
{
	unsigned int at = (place * 0x9e3779b97f4a7c15ULL) >> 49;	/* 15 bits */

	while (places[at] && places[at] != place)
		at = (at + 1) % MAX_PLACES;
	if (places[at])
		return false;
	places[at] = place;
	nr_places++;
	return true;
}

/* Take what the threads of a VMM that has ended have left; whether any of it is new. */
static bool traces_take(void)
{
	unsigned int i, found = 0;
	unsigned long n;

	for (i = 0; i < NR_THREADS; i++) {
		for (n = 1; n <= traces[i].words[0]; n++)
			found += place_is_new(traces[i].words[n]);
		traces[i].words[0] = 0;
	}
	return found;
}

/* Who removes monitors while they are in use, and makes them anew, as programs ask for it */

static int asked[2], answered[2];

static void *remover(void *unused)
{
	char which;

	while (read(asked[0], &which, 1) == 1) {
		if (which < 2 && (monitor_remove(&victims[(int)which]) ||
				  mdev_create(HEARTBEAT_TYPE, victims[(int)which].uuid)))
			die("a monitor could not be removed and made anew");
		if (which == 2)
			write(answered[1], &which, 1);
	}
	return NULL;
}

/* All that it was asked for is done. */
static void remover_settle(void)
{
	char which = 2;

	if (write(asked[1], &which, 1) != 1 || read(answered[0], &which, 1) != 1)
		die("the thread that removes");
}

/* One program after the other */

/* The last ones, each a line, for replay: what is running is in the file before it begins. */
static void log_program(const struct program *program, unsigned long number)
{
	static int fd = -1;
	char line[PROGRAM_TEXT + 32], text[PROGRAM_TEXT];

	if (fd < 0) {
		const char *dir = getenv("KVMHB_OUT");
		char path[4096];

		snprintf(path, sizeof(path), "%s/vmm_fuzz.programs", dir ?: ".");
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			die(path);
	}
	program_print(program, text, sizeof(text));
	snprintf(line, sizeof(line), "%-10lu %-*s\n", number, (int)sizeof(text) - 1, text);
	if (pwrite(fd, line, strlen(line), number % NR_LOGGED * strlen(line)) < 0)
		die("the log of programs");
}

/* Runs it, and waits until it and all that it has begun is over. */
static void run(const struct program *program)
{
	int pid = fork();

	if (pid < 0)
		die("fork");
	/* In both, before the one forks and the other waits. */
	setpgid(pid, pid);
	if (!pid)
		vmm(program, victims, asked[1], trace_begin);
	while (waitpid(-pid, NULL, 0) > 0)
		;
	remover_settle();
}

/* The next VMM finds a monitor as it should be. */
static bool next_is_well(struct monitor *m)
{
	bool ok = !monitor_remove(m) && !mdev_create(HEARTBEAT_TYPE, m->uuid) && !monitor_open(m);

	ok = ok && is(m, "waiting", "none") && ack(m);
	say(m, KVM_HEARTBEAT_ARM);
	ring(m);
	ok = ok && is(m, "alive", "none") && attr(m, "beats") == 1 && attr(m, "boots") == 1 &&
	     reg_read(m, KVM_HEARTBEAT_REG_MAGIC) == KVM_HEARTBEAT_MAGIC;
	monitor_close(m);
	ok = ok && is(m, "detached", "vmm-gone");
	if (!ok)
		fprintf(stderr, "# the next VMM: %s: %s %s\n", m->step, attr_text(m, "state"),
			attr_text(m, "cause"));
	return ok;
}

static bool both_are_well(void)
{
	return next_is_well(&victims[0]) && next_is_well(&victims[1]);
}

static bool none_got_beyond(void)
{
	if (*beyond)
		fprintf(stderr, "# granted: %s\n", beyond);
	return !*beyond;
}

/* Each has a folder in debugfs, named after the thread that made it. There are no others here. */
static bool no_vm_is_left(void)
{
	struct dirent *entry;
	DIR *dir = opendir(KVM_DEBUGFS);
	bool left = false;

	if (!dir)
		die(KVM_DEBUGFS ": is kvm loaded?");
	while ((entry = readdir(dir)))
		left |= isdigit(entry->d_name[0]);
	closedir(dir);
	return !left;
}

static double end_s;

static unsigned long fuzz(bool *well)
{
	unsigned long number;

	*well = true;
	for (number = 0; *well && !*beyond && no_vm_is_left() && now_s() < end_s; number++) {
		struct program program;

		if (!nr_kept || !(mrand48() & 3)) {
			program_make(&program);
		} else {
			program = kept[(__u32)mrand48() % nr_kept];
			program_mutate(&program, &kept[(__u32)mrand48() % nr_kept]);
		}
		log_program(&program, number);
		run(&program);
		if (traces_take() && nr_kept < MAX_KEPT)
			kept[nr_kept++] = program;
		if (number % CHECK_EACH == CHECK_EACH - 1)
			*well = both_are_well();
	}
	*well = *well && both_are_well();
	return number;
}

/* In the order of their numbers; the file begins anew after the last one. */
static unsigned long replay(const char *path, bool *well)
{
	static struct {
		unsigned long number;
		struct program program;
	} all[NR_LOGGED];
	char line[PROGRAM_TEXT + 32];
	unsigned int n = 0, i, first = 0;
	FILE *file = fopen(path, "r");
	int length;

	if (!file)
		die(path);
	while (n < NR_LOGGED && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lu %n", &all[n].number, &length) != 1 ||
		    !program_parse(&all[n].program, line + length))
			die("this is no program");
		if (all[n].number < all[first].number)
			first = n;
		n++;
	}
	fclose(file);
	for (i = 0; i < n; i++) {
		log_program(&all[(first + i) % n].program, all[(first + i) % n].number);
		run(&all[(first + i) % n].program);
		traces_take();
	}
	*well = n && both_are_well();
	return n;
}

static int result(int number, bool ok, const char *what)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", number, what);
	return !ok;
}

int main(int argc, char **argv)
{
	unsigned int seed = argc > 2 ? strtoul(argv[2], NULL, 0) : (unsigned int)time(NULL);
	struct innocent innocent;
	unsigned long number;
	pthread_t thread;
	bool well;
	int i;

	if (argc < 2) {
		fprintf(stderr, "How long? 'vmm_fuzz SECONDS [SEED]' or 'vmm_fuzz replay FILE'\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..5\n");
	beyond = mmap(NULL, BEYOND_TEXT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (beyond == MAP_FAILED)
		die("mmap");
	for (i = 0; i < 2; i++) {
		char uuid[UUID_SIZE];

		snprintf(uuid, sizeof(uuid), "5e1f7e57-0000-4000-8000-4b484254001%d", i + 1);
		monitor_init(&victims[i], uuid);
		monitor_remove(&victims[i]);
		if (mdev_create(HEARTBEAT_TYPE, uuid))
			die("a monitor could not be created");
	}
	/* The first, so that it has nothing of ours. */
	if (!innocent_begin(&innocent))
		die("an innocent VMM");
	traces_open();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe(asked) || pipe(answered) || pthread_create(&thread, NULL, remover, NULL))
		die("pthread_create");

	printf("# seed %u\n", seed);
	srand48(seed);
	end_s = now_s() + atof(argv[1]);
	if (argc > 2 && !strcmp(argv[1], "replay"))
		number = replay(argv[2], &well);
	else
		number = fuzz(&well);

	i = result(1, well, "The next VMM finds its monitor as it should be");
	i |= result(2, innocent_end(&innocent), "The innocent VMM beside them was judged rightly");
	i |= result(3, none_got_beyond(), "No VMM was granted what is beyond its device");
	i |= result(4, no_vm_is_left(), "No VM outlived its VMM");
	i |= result(5, nr_places > 0, "Programs reached the module's code");
	i |= monitor_remove(&victims[0]) | monitor_remove(&victims[1]);
	printf("# %lu programs: %u places in the code reached, by %u of them\n", number, nr_places,
	       nr_kept);
	return i;
}
