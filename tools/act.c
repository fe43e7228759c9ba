// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "act.h"

#define SEC	UINT64_C(1000000000)

/* What NMI, reset and notification may take: a VMM that answers does so at once. */
#define SHORT_NS	(30 * SEC)

/**
 * hb_act_timeout_ns - how long a step may take
 * @job: the step
 *
 * Return: nanoseconds.
 */
uint64_t hb_act_timeout_ns(const struct hb_job *job)
{
	if (job->step == HB_STEP_HOOK)
		return job->policy->hook_timeout_ns;
	return job->step == HB_STEP_DUMP ? job->policy->dump_timeout_ns : SHORT_NS;
}

/* A name is what a VMM says: it must not lead out of a folder. */
static const char *as_file(const char *name)
{
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return NULL;
	return name;
}

/**
 * hb_act_expand - make a path of a pattern
 * @job: about which VM
 * @pattern: with %n (name), %u (UUID of the monitor), %p (process of the VMM), %%
 * @path: the path
 * @size: of @path
 *
 * Return: 0, or -1 if there is no such path: it would be too long, or the VM has no fit name.
 */
int hb_act_expand(const struct hb_job *job, const char *pattern, char *path, size_t size)
{
	char pid[24], one[2] = "";
	size_t used = 0;

	snprintf(pid, sizeof(pid), "%" PRIu64, job->vmm_pid);
	for (; *pattern; pattern++) {
		const char *part = one;

		*one = *pattern;
		if (*pattern == '%') {
			pattern++;
			part = *pattern == 'n' ? as_file(job->name) : *pattern == 'u' ? job->uuid :
			       *pattern == 'p' ? pid : "%";
		}
		if (!part || used + strlen(part) >= size)
			return -1;
		memcpy(path + used, part, strlen(part));
		used += strlen(part);
	}
	path[used] = '\0';
	return 0;
}

static void set(const char *name, const char *value)
{
	char variable[64];

	snprintf(variable, sizeof(variable), "KVM_HEARTBEAT_%s", name);
	setenv(variable, value, 1);
}

/* The hook gets a plain environment, and what it is about. */
static void run_hook(const struct hb_job *job, char why[HB_WHY_LEN])
{
	char pid[24];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	snprintf(pid, sizeof(pid), "%" PRIu64, job->vmm_pid);
	set("UUID", job->uuid);
	set("VM", job->name);
	set("STATE", job->state);
	set("OLD", job->old);
	set("CAUSE", job->cause);
	set("VMM_PID", pid);
	set("POLICY", job->policy->name);
	dup2(null, STDIN_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execv(job->policy->hook.all[0], job->policy->hook.all);
	snprintf(why, HB_WHY_LEN, "%s cannot be run: %s", job->policy->hook.all[0],
		 strerror(errno));
}

static int take(const struct hb_job *job, char why[HB_WHY_LEN])
{
	switch (job->step) {
	case HB_STEP_HOOK:
		run_hook(job, why);
		return -1;
	case HB_STEP_MASAKARI:
		return hb_act_masakari(job, why);
	case HB_STEP_LOG:
	case HB_NR_STEPS:
		return 0;
	default:
		return job->policy->qmp ? hb_act_qmp(job, why) : hb_act_libvirt(job, why);
	}
}

/*
 * Its group can be killed as a whole. If the daemon dies, so does the child: it would hold the
 * daemon's lock, and nobody would end it.
 */
static void be_child(void)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/**
 * hb_act_start - begin a step
 * @job: the step
 * @why_fd: readable once the step has ended: what became of it, in words, or nothing. It does not
 *	wait, as what the child has left behind may hold the other end.
 *
 * Return: the child, whose exit status is 0 if all went well, and which leads a group of processes;
 * or -1.
 */
pid_t hb_act_start(const struct hb_job *job, int *why_fd)
{
	char why[HB_WHY_LEN] = "";
	int ends[2], ret;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -1;
	child = fork();
	if (!child) {
		be_child();
		ret = take(job, why);
		if (write(ends[1], why, strlen(why)) < 0)
			_exit(2);
		_exit(ret ? 1 : 0);
	}
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return -1;
	}
	/* Both do it: whoever comes second finds it done. */
	setpgid(child, child);
	*why_fd = ends[0];
	return child;
}
