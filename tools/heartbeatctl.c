// SPDX-License-Identifier: GPL-2.0
/* heartbeatctl: what kvm_heartbeat's monitors say, and how to tune them. See heartbeatctl(8). */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *what;
} commands[] = {
#define COMMAND(name, args, what)	{ #name, ctl_##name, args, what },
	CTL_COMMANDS(COMMAND)
#undef COMMAND
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(*commands))

static void help(void)
{
	puts("Usage: heartbeatctl COMMAND [ARGUMENTS]\n\n"
	     "What the monitors of kvm_heartbeat on this host say of their guests.\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-8s%-24s%s\n", commands[i].name, commands[i].args, commands[i].what);
	puts("\nVM is a UUID of a monitor, an unambiguous beginning of one, or the name of a VM.\n"
	     "heartbeatctl(8) has the rest.");
}

/* ctl_usage - say how a command is called; its exit status. */
int ctl_usage(const char *command)
{
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (!strcmp(commands[i].name, command))
			fprintf(stderr, "Usage: heartbeatctl %s%s%s\n", command,
				*commands[i].args ? " " : "", commands[i].args);
	}
	return CTL_USAGE;
}

/* Names are UTF-8, whatever the user's language. */
static void set_encoding(void)
{
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	int option, ret;

	set_encoding();
	/* Options of a command are its own. */
	while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			help();
			return 0;
		case 'V':
			puts("heartbeatctl " HB_VERSION);
			return 0;
		default:
			fputs("'heartbeatctl --help' lists the commands\n", stderr);
			return CTL_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		ctl_error("which command? 'heartbeatctl --help' lists them");
		return CTL_USAGE;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(commands[i].name, argv[0]))
			continue;
		optind = 0;
		ret = commands[i].run(argc, argv);
		if (fflush(stdout) || ferror(stdout)) {
			ctl_error("the output could not be written: %m");
			return ret ?: 1;
		}
		return ret;
	}
	ctl_error("there is no command '%s': 'heartbeatctl --help' lists them", argv[0]);
	return CTL_USAGE;
}
