// SPDX-License-Identifier: GPL-2.0
/*
 * What a monitor says of its guest, and how to wait for it
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "reports.h"

double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

char *attr_path(struct monitor *m, const char *name)
{
	static __thread char path[256];

	snprintf(path, sizeof(path), MDEV "%.36s/heartbeat/%s", m->uuid, name);
	return path;
}

int attr_set(struct monitor *m, const char *name, const char *text)
{
	return write_file(attr_path(m, name), text);
}

char *attr_text(struct monitor *m, const char *name)
{
	static __thread char text[256];
	int ret = read_file(attr_path(m, name), text, sizeof(text));

	if (ret)
		snprintf(text, sizeof(text), "(%s)", strerror(-ret));
	return text;
}

__u64 attr(struct monitor *m, const char *name)
{
	return strtoull(attr_text(m, name), NULL, 10);
}

bool is(struct monitor *m, const char *state, const char *cause)
{
	char now[32];

	snprintf(now, sizeof(now), "%s", attr_text(m, "state"));
	return !strcmp(now, state) && !strcmp(attr_text(m, "cause"), cause);
}

/* The file to poll for a file: steps have their own, all else changes with the state. */
static const char *polled_for(const char *name)
{
	return !strcmp(name, "actions") || !strncmp(name, "last_", 5) ? name : "state";
}

/* Wait, by poll(2), until a file says as given. */
bool becomes(struct monitor *m, const char *name, const char *text)
{
	struct pollfd pfd = { .events = POLLPRI };
	char seen[64];
	bool ok = false;

	pfd.fd = open(attr_path(m, polled_for(name)), O_RDONLY);
	/* To read it is what makes poll wait for the next change. */
	while (pread(pfd.fd, seen, sizeof(seen), 0) > 0) {
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
bool lives_until(struct monitor *m, struct page *page, unsigned int pulsing, bool rings,
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
bool judged_by(struct monitor *m, __u64 *silence_ns, __u64 *run_ns)
{
	return sscanf(attr_text(m, "evidence"), "state=%*s cause=%*s silence_ns=%llu run_ns=%llu",
		      silence_ns, run_ns) == 2;
}

/* Kernel messages that name the monitor, from the moment of opening on. */
int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	lseek(fd, 0, SEEK_END);
	return fd;
}

unsigned int log_lines(int fd, const char *needle)
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

int uevent_socket(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -1 : fd;
}

/* The next uevent of the monitor that tells of a change of state. */
bool uevent_next(int fd, struct monitor *m, char *buf, size_t size)
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
