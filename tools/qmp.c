// SPDX-License-Identifier: GPL-2.0
/* A QMP socket that the VMM itself listens at. It blocks: act.c ends it if it takes too long. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "act.h"

/* A name of a VM leads to the socket: it has to be that of the VMM that is meant. */
static int check_peer(int fd, const struct hb_job *job, const char *path, char why[HB_WHY_LEN])
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
	    (uint64_t)peer.pid != job->vmm_pid) {
		snprintf(why, HB_WHY_LEN, "%s is not the socket of process %" PRIu64 ": see the key qmp",
			 path, job->vmm_pid);
		return -1;
	}
	return 0;
}

static int connect_to(const struct hb_job *job, char why[HB_WHY_LEN])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (hb_act_expand(job, job->policy->qmp, address.sun_path, sizeof(address.sun_path))) {
		snprintf(why, HB_WHY_LEN, "the key qmp makes no path of a socket for this VM");
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		snprintf(why, HB_WHY_LEN, "%s: %s; see the key qmp", address.sun_path,
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (check_peer(fd, job, address.sun_path, why)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The answer to the command before. Events come at any time, and are none. */
static int take_answer(FILE *stream, const char *command, char why[HB_WHY_LEN])
{
	const char *said = "it is no QMP";
	json_error_t error;
	json_t *answer;

	while ((answer = json_loadf(stream, JSON_DISABLE_EOF_CHECK, &error))) {
		if (json_object_get(answer, "return") || json_object_get(answer, "QMP")) {
			json_decref(answer);
			return 0;
		}
		if (!json_unpack(answer, "{s:{s:s}}", "error", "desc", &said))
			break;
		json_decref(answer);
	}
	snprintf(why, HB_WHY_LEN, "QMP %s: %s", command, answer ? said : "the VMM did not answer");
	json_decref(answer);
	return -1;
}

static int run(int fd, FILE *stream, json_t *request, char why[HB_WHY_LEN])
{
	char command[64];

	snprintf(command, sizeof(command), "%s",
		 json_string_value(json_object_get(request, "execute")));
	if (json_dumpfd(request, fd, 0)) {
		snprintf(why, HB_WHY_LEN, "QMP %s: the VMM does not read", command);
		return -1;
	}
	return take_answer(stream, command, why);
}

static json_t *request_of(const struct hb_job *job)
{
	char path[4096], protocol[4096 + 5];

	if (job->step == HB_STEP_INJECT_NMI)
		return json_pack("{s:s}", "execute", "inject-nmi");
	if (job->step == HB_STEP_RESET)
		return json_pack("{s:s}", "execute", "system_reset");
	if (hb_act_expand(job, job->policy->dump, path, sizeof(path)))
		return NULL;
	snprintf(protocol, sizeof(protocol), "file:%s", path);
	return json_pack("{s:s, s:{s:b, s:s}}", "execute", "dump-guest-memory",
			 "arguments", "paging", 0, "protocol", protocol);
}

static int talk(int fd, FILE *stream, const struct hb_job *job, char why[HB_WHY_LEN])
{
	json_t *hello = json_pack("{s:s}", "execute", "qmp_capabilities");
	json_t *request = request_of(job);
	int ret = -1;

	if (!hello || !request)
		snprintf(why, HB_WHY_LEN, "the key dump makes no path for this VM");
	else if (!take_answer(stream, "greeting", why) && !run(fd, stream, hello, why))
		ret = run(fd, stream, request, why);
	json_decref(hello);
	json_decref(request);
	return ret;
}

/**
 * hb_act_qmp - take a step by QMP
 * @job: inject-nmi, reset or dump-guest-memory
 * @why: if it fails, what was wrong
 *
 * Return: 0, or -1.
 */
int hb_act_qmp(const struct hb_job *job, char why[HB_WHY_LEN])
{
	int fd = connect_to(job, why), ret;
	FILE *stream;

	if (fd < 0)
		return -1;
	stream = fdopen(fd, "r");
	if (!stream) {
		close(fd);
		return -1;
	}
	ret = talk(fd, stream, job, why);
	fclose(stream);
	return ret;
}
