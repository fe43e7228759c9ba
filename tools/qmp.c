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

/* Bytes that a VMM may say, trusted in nothing: QEMU's answers come nowhere near that. */
#define SAID_MAX	1048576

struct peer {
	int fd;
	FILE *stream;
	size_t left;
};

/* Byte by byte: jansson would read on into what follows, and lose it. */
static size_t read_byte(void *buf, size_t size, void *data)
{
	struct peer *peer = data;
	int byte = size && peer->left ? fgetc(peer->stream) : EOF;

	if (byte == EOF)
		return 0;
	peer->left--;
	*(char *)buf = byte;
	return 1;
}

/* The answer to the command before. Events come at any time, and are none. */
static int take_answer(struct peer *peer, const char *command, char why[HB_WHY_LEN])
{
	const char *said = "it is no QMP";
	json_error_t error;
	json_t *answer;

	while ((answer = json_load_callback(read_byte, peer, JSON_DISABLE_EOF_CHECK, &error))) {
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

static int run(struct peer *peer, json_t *request, char why[HB_WHY_LEN])
{
	char command[64];

	snprintf(command, sizeof(command), "%s",
		 json_string_value(json_object_get(request, "execute")));
	if (json_dumpfd(request, peer->fd, 0)) {
		snprintf(why, HB_WHY_LEN, "QMP %s: the VMM does not read", command);
		return -1;
	}
	return take_answer(peer, command, why);
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

static int talk(struct peer *peer, const struct hb_job *job, char why[HB_WHY_LEN])
{
	json_t *hello = json_pack("{s:s}", "execute", "qmp_capabilities");
	json_t *request = request_of(job);
	int ret = -1;

	if (!hello || !request)
		snprintf(why, HB_WHY_LEN, "the key dump makes no path for this VM");
	else if (!take_answer(peer, "greeting", why) && !run(peer, hello, why))
		ret = run(peer, request, why);
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
	struct peer peer = { .fd = connect_to(job, why), .left = SAID_MAX };
	int ret;

	if (peer.fd < 0)
		return -1;
	peer.stream = fdopen(peer.fd, "r");
	if (!peer.stream) {
		snprintf(why, HB_WHY_LEN, "out of memory");
		close(peer.fd);
		return -1;
	}
	ret = talk(&peer, job, why);
	fclose(peer.stream);
	return ret;
}
