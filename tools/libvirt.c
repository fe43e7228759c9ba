// SPDX-License-Identifier: GPL-2.0
/*
 * libvirt is loaded only where it is installed, and only if a monitor's VM has no name by its
 * process: one that does not run. A daemon that does not answer must hold up nobody, so a child
 * asks it, and has a deadline.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libvirt.h"
#include "units.h"

#define DEADLINE_NS	UINT64_C(2000000000)

/* What the child says of a monitor. Less than PIPE_BUF: it comes whole. */
struct answer {
	size_t which;
	char name[HB_NAME_LEN];
};

/* Those of libvirt's functions that are used, so that building does not need libvirt. */
static struct {
	void *(*open)(const char *uri);
	int (*list)(void *conn, void ***domains, unsigned int flags);
	char *(*xml)(void *domain, unsigned int flags);
	const char *(*name)(void *domain);
	void (*on_error)(void *context, void (*handler)(void *context, void *error));
} lib;

static void no_message(void *context, void *error)
{
	(void)context;
	(void)error;
}

static bool load(void)
{
	void *handle = dlopen("libvirt.so.0", RTLD_NOW);

	if (!handle)
		return false;
	lib.open = dlsym(handle, "virConnectOpenReadOnly");
	lib.list = dlsym(handle, "virConnectListAllDomains");
	lib.xml = dlsym(handle, "virDomainGetXMLDesc");
	lib.name = dlsym(handle, "virDomainGetName");
	lib.on_error = dlsym(handle, "virSetErrorFunc");
	return lib.open && lib.list && lib.xml && lib.name && lib.on_error;
}

static int compare_uuid(const void *uuid, const void *monitor)
{
	return strncmp(uuid, ((const struct hb_monitor *)monitor)->uuid, HB_UUID_LEN);
}

/* Tell the name for each monitor that the domain's XML, as libvirt writes it, gives the domain. */
static void tell_domain(const struct hb_fleet *fleet, const char *xml, const char *name, int fd)
{
	const struct hb_monitors *monitors = &fleet->monitors;
	const struct hb_monitor *monitor;
	struct answer answer;

	while ((xml = strstr(xml, "uuid='"))) {
		xml += strlen("uuid='");
		monitor = bsearch(xml, monitors->all, monitors->nr, sizeof(*monitor), compare_uuid);
		if (!monitor)
			continue;
		answer.which = monitor - monitors->all;
		snprintf(answer.name, sizeof(answer.name), "%s", name);
		if (write(fd, &answer, sizeof(answer)) != sizeof(answer))
			return;
	}
}

static void tell_all(const struct hb_fleet *fleet, int fd)
{
	void *conn, **domains;
	int nr;

	if (!load())
		return;
	lib.on_error(NULL, no_message);
	conn = lib.open("qemu:///system");
	nr = conn ? lib.list(conn, &domains, 0) : 0;
	for (int i = 0; i < nr; i++) {
		char *xml = lib.xml(domains[i], 0);
		const char *name = lib.name(domains[i]);

		if (xml && name)
			tell_domain(fleet, xml, name, fd);
		free(xml);
	}
}

/* One answer, in time. */
static bool next_answer(int fd, uint64_t end, struct answer *answer)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t now = hb_clock_ns();

	if (now >= end || poll(&poll_fd, 1, (end - now) / 1000000 + 1) != 1)
		return false;
	return read(fd, answer, sizeof(*answer)) == sizeof(*answer);
}

static bool take_answers(struct hb_fleet *fleet, int fd)
{
	uint64_t end = hb_clock_ns() + DEADLINE_NS;
	struct answer answer;
	bool any = false;

	while (next_answer(fd, end, &answer)) {
		char *name = fleet->names[answer.which];

		if (*name)
			continue;
		memcpy(name, answer.name, HB_NAME_LEN);
		hb_name_clean(name);
		any = true;
	}
	return any;
}

static bool all_named(const struct hb_fleet *fleet)
{
	for (size_t i = 0; i < fleet->monitors.nr; i++) {
		if (!*fleet->names[i])
			return false;
	}
	return true;
}

/**
 * hb_libvirt_names - ask libvirt for the names of VMs that have none by their process, once
 * @fleet: all monitors, whose names are filled in
 *
 * Return: whether it had any.
 */
bool hb_libvirt_names(struct hb_fleet *fleet)
{
	int ends[2];
	pid_t child;
	bool any;

	if (fleet->asked || all_named(fleet) || pipe(ends))
		return false;
	fleet->asked = true;
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		tell_all(fleet, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	any = child > 0 && take_answers(fleet, ends[0]);
	close(ends[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return any;
}
