// SPDX-License-Identifier: GPL-2.0
/*
 * peer: the host's side of what others use to see whether a guest is alive
 *
 *   peer ping SOCKET       ask the guest agent behind a unix socket for an answer
 *   peer vsock PORT        wait for a guest to connect, and read 16 bytes
 *
 * It says "ready" when it can be talked to. Then, for each line of its input,
 * which is a number, it does that so many times, and prints when that began and
 * ended, by the TSC. It ends by SIGALRM if it has nothing to do for ten minutes.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <x86intrin.h>

#include <linux/vm_sockets.h>

#define PATIENCE	600	/* s */

enum { EXIT_USAGE = 2 };

/* What the guest agent sends when it was asked is one line. */
static void ask(int fd)
{
	static const char request[] = "{\"execute\":\"guest-ping\"}\n";
	static const char expected[] = "{\"return\": {}}\n";
	const size_t length = strlen(expected);
	char answer[sizeof(expected)];

	if (send(fd, request, strlen(request), 0) != (ssize_t)strlen(request))
		err(EXIT_FAILURE, "the guest agent's socket");
	if (recv(fd, answer, length, MSG_WAITALL) != (ssize_t)length ||
	    memcmp(answer, expected, length))
		errx(EXIT_FAILURE, "no answer to guest-ping, but: %.*s",
		     (int)length, answer);
}

static void receive(int fd)
{
	char beat[16];

	if (recv(fd, beat, sizeof(beat), MSG_WAITALL) != sizeof(beat))
		errx(EXIT_FAILURE, "the guest sent no more messages");
}

static int connect_agent(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		errx(EXIT_USAGE, "too long for a socket: %s", path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err(EXIT_FAILURE, "%s", path);
	puts("ready");
	return fd;
}

static int accept_guest(const char *port)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = strtoul(port, NULL, 10),
	};
	int listener, fd;

	listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1))
		err(EXIT_FAILURE, "vsock port %s", port);
	puts("ready");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(EXIT_FAILURE, "vsock port %s", port);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned long long begin;
	void (*act)(int fd);
	unsigned long i, n;
	int fd;

	setlinebuf(stdout);
	alarm(PATIENCE);
	if (argc == 3 && !strcmp(argv[1], "ping")) {
		fd = connect_agent(argv[2]);
		act = ask;
	} else if (argc == 3 && !strcmp(argv[1], "vsock")) {
		fd = accept_guest(argv[2]);
		act = receive;
	} else {
		fputs("usage: peer ping SOCKET | peer vsock PORT\n", stderr);
		return EXIT_USAGE;
	}

	while (scanf("%lu", &n) == 1) {
		alarm(PATIENCE);
		begin = __rdtsc();
		for (i = 0; i < n; i++)
			act(fd);
		printf("%llu %llu\n", begin, __rdtsc());
	}
	return EXIT_SUCCESS;
}
