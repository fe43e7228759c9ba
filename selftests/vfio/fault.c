// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that the kernel makes on demand
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "monitor.h"

#define DEBUGFS "/sys/kernel/debug/"

/* How many more each may make: that one has fewer than before tells what failed. */
static const struct {
	const char *name;
	enum fault fault;
} kinds[] = {
	{ "failslab", FAULT_MEMORY },
	{ "fail_page_alloc", FAULT_MEMORY },
	{ "fail_usercopy", FAULT_COPY },
};

#define NR_KINDS (sizeof(kinds) / sizeof(*kinds))

static int nth = -1;
static int left[NR_KINDS];

static int set(const char *kind, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", kind, name);
	return write_file(path, text);
}

static int count_left(const char *kind)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), DEBUGFS "%s/times", kind);
	return read_file(path, text, sizeof(text)) ? -1 : atoi(text);
}

const char *faults_open(void)
{
	unsigned int i;

	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		return "the kernel makes no faults on demand (CONFIG_FAULT_INJECTION)";
	for (i = 0; i < NR_KINDS; i++) {
		/* Nothing in the log: there are thousands. */
		if (set(kinds[i].name, "verbose", "0") || set(kinds[i].name, "times", "1000000000"))
			return "the kernel does not make faults of all kinds, or has no debugfs";
		left[i] = count_left(kinds[i].name);
	}
	/* By default these fail only where nobody may wait for memory. */
	if (set("failslab", "ignore-gfp-wait", "N") ||
	    set("fail_page_alloc", "ignore-gfp-wait", "N") ||
	    set("fail_page_alloc", "ignore-gfp-highmem", "N") ||
	    set("fail_page_alloc", "min-order", "0"))
		return "the kernel makes no allocation fail that may wait";
	/* A page of ours that has yet to be read would take what is to fail elsewhere. */
	return mlockall(MCL_CURRENT) ? "memory cannot be locked" : NULL;
}

void faults_close(void)
{
	faults_only_in(NULL);
	close(nth);
}

/* Where a function of the kernel is, as debugfs takes it. */
static int find_function(const char *function, char *start, char *end, size_t size)
{
	unsigned long at, first = 0, next = ULONG_MAX;
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char line[512], name[256];

	if (!symbols)
		return -errno;
	while (fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%lx %*c %255s", &at, name) == 2 && !strcmp(name, function))
			first = at;
	rewind(symbols);
	while (fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%lx %*c %255s", &at, name) == 2 && at > first && at < next)
			next = at;
	fclose(symbols);
	snprintf(start, size, "%#lx", first);
	snprintf(end, size, "%#lx", next);
	return first ? 0 : -ENOENT;
}

int faults_only_in(const char *function)
{
	char start[24] = "0", end[24] = "0xffffffffffffffff";
	int ret = function ? find_function(function, start, end, sizeof(start)) : 0;
	unsigned int i;

	for (i = 0; i < NR_KINDS && !ret; i++)
		ret = set(kinds[i].name, "require-start", start) ?:
		      set(kinds[i].name, "require-end", end);
	return ret;
}

void fault_begin(unsigned int n)
{
	dprintf(nth, "%u", n);
}

enum fault fault_end(void)
{
	enum fault fault = FAULT_NONE;
	char text[16] = "";
	unsigned int i;
	bool made;
	int now;

	/* This copy may be the one that fails; then it was none before. */
	made = pread(nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	/* So may this one, which is as good. */
	dprintf(nth, "0");
	for (i = 0; i < NR_KINDS; i++) {
		now = count_left(kinds[i].name);
		if (made && now < left[i])
			fault = kinds[i].fault;
		left[i] = now;
	}
	return fault;
}
