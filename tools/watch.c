// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ctl.h"
#include "units.h"
#include "watch.h"

#define SEC	UINT64_C(1000000000)

static volatile sig_atomic_t ended;

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

/* A file of each monitor is kept open. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void screen_begin(struct watch *watch)
{
	/* The terminal's own encoding counts here, not that of the names. */
	setlocale(LC_CTYPE, "");
	watch->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	set_escdelay(25);
	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	if (!has_colors())
		return;
	start_color();
	use_default_colors();
	init_pair(1, COLOR_YELLOW, -1);
	init_pair(2, COLOR_RED, -1);
}

/* Wait for a key, a change of state or the next refresh; then do what there is to do. */
static bool wait_and_handle(struct watch *watch, struct pollfd *fds, uint64_t refresh_ns)
{
	uint64_t now = hb_clock_ns();
	int key;

	fds[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	for (size_t i = 0; i < watch->nr; i++)
		fds[1 + i] = (struct pollfd){ .fd = watch->rows[i].fd, .events = POLLPRI };
	if (poll(fds, 1 + watch->nr, now < refresh_ns ? (refresh_ns - now) / 1000000 + 1 : 0) < 0 &&
	    errno != EINTR)
		return false;
	for (size_t i = 0; i < watch->nr; i++) {
		if (fds[1 + i].revents)
			watch_reread(&watch->rows[i]);
	}
	/* Also after a signal: the terminal may have another size. */
	while ((key = getch()) != ERR) {
		if (!watch_key(watch, key))
			return false;
	}
	return !(fds[0].revents & (POLLHUP | POLLERR | POLLNVAL));
}

static int loop(struct watch *watch)
{
	struct pollfd *fds = NULL;
	uint64_t refresh_ns = 0;
	int ret = 0;

	do {
		if (hb_clock_ns() >= refresh_ns) {
			ret = watch_refresh(watch);
			refresh_ns = hb_clock_ns() + SEC;
			free(fds);
			fds = calloc(watch->nr + 1, sizeof(*fds));
			if (!ret && !fds)
				ret = -ENOMEM;
			if (ret)
				break;
		}
		watch_choose(watch);
		watch_draw(watch);
	} while (wait_and_handle(watch, fds, refresh_ns) && !ended);
	free(fds);
	return ret;
}

/* ctl_watch - a live table */
int ctl_watch(int argc, char **argv)
{
	struct sigaction end = { .sa_handler = on_end };
	struct watch watch = { 0 };
	int ret = ctl_no_options(argc, argv, 0, 0);

	if (ret)
		return ret;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		ctl_error("a live table needs a terminal: use 'heartbeatctl list' or 'events'");
		return 1;
	}
	allow_files();
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	screen_begin(&watch);
	ret = loop(&watch);
	endwin();
	watch_free(&watch);
	if (!ret)
		return 0;
	errno = -ret;
	ctl_error("the monitors cannot be found: %m; see whether /sys is mounted");
	return 1;
}
