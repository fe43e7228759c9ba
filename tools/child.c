// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

/* Longer than a daemon or a VMM that is well takes for an answer, and shorter than people wait. */
#define PATIENCE_MS	2000

/* Children that were ended and not reaped yet: one that waits in the kernel may take for ever. */
#define ENDED_MAX	32
static pid_t ended[ENDED_MAX];
static size_t nr_ended;

static size_t size_of(size_t nr)
{
	return sizeof(struct hb_found) + nr * HB_NAME_LEN;
}

/**
 * hb_found_new - have room for names
 * @nr: how many
 *
 * Return: what hb_found_free() frees, or NULL.
 */
struct hb_found *hb_found_new(size_t nr)
{
	struct hb_found *found = mmap(NULL, size_of(nr), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (found == MAP_FAILED)
		return NULL;
	found->nr = nr;
	return found;
}

/**
 * hb_found_free - forget names
 * @found: what hb_found_new() returned
 */
void hb_found_free(struct hb_found *found)
{
	munmap(found, size_of(found->nr));
}

/* One that waits for a CPU is not stuck, however long that takes. */
static bool is_runnable(pid_t child)
{
	char path[32], stat[256], *end = NULL;
	ssize_t len = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, stat, sizeof(stat) - 1);
		close(fd);
	}
	if (len > 0) {
		stat[len] = '\0';
		end = strrchr(stat, ')');
	}
	return end && !strncmp(end, ") R", 3);
}

/* The child has the other end of the pipe until it ends. */
static void wait_while_it_grows(pid_t child, int end, const struct hb_found *found)
{
	struct pollfd fd = { .fd = end };
	size_t before;
	int ready;

	do {
		before = found->at;
		ready = poll(&fd, 1, PATIENCE_MS);
	} while ((ready < 0 && errno == EINTR) ||
		 (!ready && (found->at != before || is_runnable(child))));
}

/* These alone: a program may have other children, whose status it wants to know. */
static void reap_ended(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < nr_ended; i++) {
		if (!waitpid(ended[i], NULL, WNOHANG))
			ended[kept++] = ended[i];
	}
	nr_ended = kept;
}

/**
 * hb_child_find - let a child find names, as long as it gets on
 * @find: finds the names from @found->at on, and counts that
 * @what: passed to @find
 * @found: filled in
 *
 * Nothing is found while too many of such children do not end: the host as a whole is ill.
 */
void hb_child_find(void (*find)(const void *what, struct hb_found *found), const void *what,
		   struct hb_found *found)
{
	int ends[2];
	pid_t child;

	reap_ended();
	if (nr_ended == ENDED_MAX || pipe2(ends, O_CLOEXEC))
		return;
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		find(what, found);
		_exit(0);
	}
	close(ends[1]);
	if (child > 0) {
		wait_while_it_grows(child, ends[0], found);
		kill(child, SIGKILL);
		ended[nr_ended++] = child;
	}
	close(ends[0]);
	reap_ended();
}
