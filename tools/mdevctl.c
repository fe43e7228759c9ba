// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"
#include "mdevctl.h"

extern char **environ;

/* Whether anything but line feeds can be read: it prints one also if it has nothing to say. */
static bool drain(int fd)
{
	char buf[256];
	bool any = false;
	ssize_t len;

	while ((len = read(fd, buf, sizeof(buf))) > 0 || (len < 0 && errno == EINTR))
		for (ssize_t i = 0; i < len; i++)
			any |= buf[i] != '\n';
	return any;
}

static int wait_for(pid_t child, const char *what)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	ctl_error("'mdevctl %s' has failed, and says why above", what);
	return 1;
}

/**
 * hb_mdevctl - run mdevctl
 * @args: argv, ended by NULL, beginning with "mdevctl"
 * @says: if not NULL, whether it printed anything; otherwise it prints to our standard error
 *
 * Its standard output is not ours, which has the UUID alone.
 *
 * Return: 0, or the exit status once the reason was said.
 */
int hb_mdevctl(const char * const *args, bool *says)
{
	posix_spawn_file_actions_t files;
	int ends[2], error;
	pid_t child;

	if (pipe(ends)) {
		ctl_error("no pipe to mdevctl: %m");
		return 1;
	}
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, says ? ends[1] : STDERR_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&files, ends[0]);
	posix_spawn_file_actions_addclose(&files, ends[1]);
	error = posix_spawnp(&child, "mdevctl", &files, NULL, (char **)args, environ);
	posix_spawn_file_actions_destroy(&files);
	close(ends[1]);
	if (!error && says)
		*says = drain(ends[0]);
	close(ends[0]);
	if (!error)
		return wait_for(child, args[1]);
	errno = error;
	if (error == ENOENT)
		ctl_error("mdevctl is missing: install the package mdevctl");
	else
		ctl_error("mdevctl cannot be run: %m");
	return 1;
}
