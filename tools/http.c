// SPDX-License-Identifier: GPL-2.0
/*
 * One HTTP request on stdin, one answer on stdout, for a service that a socket starts for each
 * connection. It knows one page. The client is not trusted: its request is bounded in size and in
 * time, and nothing of it is repeated in the answer.
 *
 * How long the answer may take to be read is the service's affair (RuntimeMaxSec=).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

#define HEAD_MAX	8192	/* of a request, bytes: what most servers allow */
#define HEAD_MS		5000	/* for all of it to arrive */
#define PAGE		"/metrics"

struct answer {
	int status;
	const char *reason;
	const char *say;	/* to the client, if it gets no page */
};

static const struct answer ok = { 200, "OK", NULL };
static const struct answer bad = { 400, "Bad Request", "This is no HTTP request. Ask: GET " PAGE };
static const struct answer elsewhere = { 404, "Not Found", "There is one page here: " PAGE };
/* Who asks nothing gets no answer: something only looked whether the port is open. */
static const struct answer nobody = { 0, NULL, NULL };
static const struct answer method = { 405, "Method Not Allowed", "Use GET." };
static const struct answer slow = { 408, "Request Timeout", "The request did not come in 5 s." };
static const struct answer large = {
	431, "Request Header Fields Too Large", "The request's head is above 8192 bytes: send less."
};

static const struct answer broken = {
	500, "Internal Server Error", "No metrics can be read: the service's log says why."
};

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Whether there is something to read before the deadline. */
static bool readable(long long deadline)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	long long left;
	int ready;

	do {
		left = deadline - now_ms();
		ready = poll(&in, 1, left > 0 ? (int)left : 0);
	} while (ready < 0 && errno == EINTR);
	return ready > 0;
}

/* Read a request up to the empty line that ends its head; NULL if all of it is there. */
static const struct answer *read_head(char *head)
{
	long long deadline = now_ms() + HEAD_MS;
	size_t length = 0;
	ssize_t got;

	while (length < HEAD_MAX) {
		if (!readable(deadline))
			return &slow;
		got = read(STDIN_FILENO, head + length, HEAD_MAX - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return length ? &bad : &nobody;
		length += (size_t)got;
		head[length] = '\0';
		/* A byte of 0 would hide what comes after it. */
		if (strlen(head) != length)
			return &bad;
		if (strstr(head, "\r\n\r\n") || strstr(head, "\n\n"))
			return NULL;
	}
	return &large;
}

/* What a request line asks for: METHOD TARGET HTTP/1.x */
static const struct answer *judge(char *head)
{
	char *line_end = head + strcspn(head, "\r\n");
	char *target, *version;

	*line_end = '\0';
	target = strchr(head, ' ');
	version = target ? strchr(target + 1, ' ') : NULL;
	if (!version || strncmp(version, " HTTP/1.", strlen(" HTTP/1.")))
		return &bad;
	*target++ = '\0';
	*version = '\0';
	/* Nothing here depends on a query, and Prometheus sends one if it is told to. */
	target[strcspn(target, "?")] = '\0';
	if (strcmp(target, PAGE))
		return &elsewhere;
	if (strcmp(head, "GET"))
		return &method;
	return NULL;
}

/* Whether it could be written is seen at the end, as of any output. */
static void write_answer(const struct answer *answer, const char *type, const char *text,
			 size_t length)
{
	printf("HTTP/1.1 %d %s\r\n", answer->status, answer->reason);
	printf("Content-Type: %s\r\n", type);
	printf("Content-Length: %zu\r\n", length);
	if (answer == &method)
		printf("Allow: GET\r\n");
	printf("Connection: close\r\n\r\n");
	fwrite(text, 1, length, stdout);
}

static void refuse(const struct answer *answer)
{
	char text[128];
	int length = snprintf(text, sizeof(text), "%s\n", answer->say);

	write_answer(answer, "text/plain; charset=utf-8", text, (size_t)length);
}

/**
 * hb_http_answer - answer the request on stdin
 * @type: the Content-Type of the page
 * @body: writes the page, and returns 0 if it could
 *
 * The caller flushes stdout.
 *
 * Return: 0 if there is an answer, even one that the client does not like; 1 if there is no page.
 */
int hb_http_answer(const char *type, int (*body)(FILE *out))
{
	char head[HEAD_MAX + 1];
	const struct answer *refusal = read_head(head);
	char *text = NULL;
	size_t length = 0;
	FILE *page;
	int failed;

	/* A client that is gone is an error of write(). */
	signal(SIGPIPE, SIG_IGN);
	if (refusal == &nobody)
		return 0;
	if (!refusal)
		refusal = judge(head);
	if (refusal) {
		refuse(refusal);
		return 0;
	}

	/* All of it before the first byte is sent: its length comes first, and an error before. */
	page = open_memstream(&text, &length);
	failed = !page || body(page);
	if (page && fclose(page))
		failed = 1;
	if (failed)
		refuse(&broken);
	else
		write_answer(&ok, type, text, length);
	free(text);
	return failed ? 1 : 0;
}
