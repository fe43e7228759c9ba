// SPDX-License-Identifier: GPL-2.0
/*
 * heartbeatd: the journal has each transition, and policies are carried out.
 *
 * Transitions come from the trace: it has each of them, in their order and with their time, also
 * those that uevents and poll(2) leave out. What the trace cannot tell, because nobody followed or
 * too much happened, the counters of sysfs do. Uevents tell only that the module or a monitor comes
 * or goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libudev.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config.h"
#include "daemon.h"
#include "saved.h"

#define CONFIG_FOLDER	"/etc/kvm-heartbeat"
#define MODULE		"/sys/module/kvm_heartbeat"
#define STATE_FOLDER	"/var/lib/kvm-heartbeat"

static int on_trace(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	hb_daemon_look(data);
	return 0;
}

static int begin_follow(struct hb_daemon *daemon)
{
	static const char * const names[] = { "state", "action", NULL };
	char instance[32] = "heartbeatd";
	const char *why;

	if (daemon->dry)
		snprintf(instance, sizeof(instance), "heartbeatd-%d", getpid());
	daemon->follow = hb_follow_open(instance, names, &why);
	if (!daemon->follow) {
		fprintf(stderr, "heartbeatd: %s\n", why);
		return -1;
	}
	if (sd_event_add_io(daemon->event, &daemon->follow_source, hb_follow_fd(daemon->follow),
			    EPOLLIN, on_trace, daemon) < 0)
		return -1;
	hb_daemon_catch_up(daemon);
	return 0;
}

static void end_follow(struct hb_daemon *daemon)
{
	daemon->follow_source = sd_event_source_disable_unref(daemon->follow_source);
	if (daemon->follow)
		hb_follow_close(daemon->follow);
	daemon->follow = NULL;
}

static void on_module(struct hb_daemon *daemon, const char *action)
{
	if (!strcmp(action, "add") && !daemon->follow && begin_follow(daemon))
		sd_event_exit(daemon->event, 1);
	if (!strcmp(action, "remove")) {
		end_follow(daemon);
		hb_daemon_save_soon(daemon);
	}
}

/* Uevents were lost. Each of them may have been about the module or a monitor. */
static void look_around(struct hb_daemon *daemon)
{
	bool loaded = !access(MODULE, F_OK);

	hb_daemon_drain(daemon);
	if (daemon->follow && !(loaded && hb_follow_lives(daemon->follow)))
		on_module(daemon, "remove");
	if (daemon->follow)
		hb_daemon_catch_up(daemon);
	else if (loaded)
		on_module(daemon, "add");
}

static int on_uevent(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct udev_monitor *monitor = data;
	struct hb_daemon *daemon = udev_get_userdata(udev_monitor_get_udev(monitor));
	struct udev_device *device = udev_monitor_receive_device(monitor);
	const char *action, *name, *subsystem;
	struct hb_vm *vm;

	(void)source;
	(void)fd;
	(void)events;
	if (!device) {
		if (errno == ENOBUFS)
			look_around(daemon);
		return 0;
	}
	action = udev_device_get_action(device) ?: "";
	name = udev_device_get_sysname(device) ?: "";
	subsystem = udev_device_get_subsystem(device) ?: "";
	if (!strcmp(subsystem, "module") && !strcmp(name, "kvm_heartbeat")) {
		on_module(daemon, action);
	} else if (!strcmp(subsystem, "mdev") && !strcmp(action, "remove")) {
		/* What is left to tell of it would make it known again. */
		if (!hb_daemon_drain(daemon))
			daemon->behind = true;
		vm = hb_vms_find(&daemon->vms, name);
		if (vm)
			hb_vms_drop(&daemon->vms, vm);
		hb_daemon_save_soon(daemon);
	}
	udev_device_unref(device);
	return 0;
}

/* The kernel's own: no udevd has to run. It lives as long as the daemon. */
static int watch_uevents(struct hb_daemon *daemon)
{
	struct udev *udev = udev_new();
	struct udev_monitor *monitor = udev ? udev_monitor_new_from_netlink(udev, "kernel") : NULL;

	int ret;

	if (!monitor)
		return -errno;
	udev_set_userdata(udev, daemon);
	ret = udev_monitor_filter_add_match_subsystem_devtype(monitor, "module", NULL) ?:
	      udev_monitor_filter_add_match_subsystem_devtype(monitor, "mdev", NULL) ?:
	      udev_monitor_enable_receiving(monitor);
	if (ret < 0)
		return ret;
	return sd_event_add_io(daemon->event, NULL, udev_monitor_get_fd(monitor), EPOLLIN,
			       on_uevent, monitor);
}

static int add_sources(struct hb_daemon *daemon)
{
	int ret = sd_event_default(&daemon->event);

	if (ret >= 0)
		ret = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_set_watchdog(daemon->event, true);
	return ret < 0 ? ret : watch_uevents(daemon);
}

static int prepare(struct hb_daemon *daemon)
{
	sigset_t signals;
	int ret;

	/* sd-event takes them where it waits; children have them as usual. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	ret = add_sources(daemon);
	if (ret < 0) {
		fprintf(stderr, "heartbeatd: it cannot begin: %s; see whether memory or files are short\n",
			strerror(-ret));
		return -1;
	}
	return access(MODULE, F_OK) ? 0 : begin_follow(daemon);
}

static int run(struct hb_daemon *daemon)
{
	int ret = 1;

	if (!prepare(daemon)) {
		hb_daemon_save(daemon, NULL);
		if (daemon->dry)
			puts("ready");
		fflush(stdout);
		sd_notify(0, "READY=1");
		ret = sd_event_loop(daemon->event);
		sd_notify(0, "STOPPING=1");
		hb_daemon_save(daemon, NULL);
	}
	end_follow(daemon);
	return ret ? 1 : 0;
}

/* Two daemons would take each step twice. */
static int lock_state(const char *state_file)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", state_file);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		fprintf(stderr, "heartbeatd: %s: %m; run it as root, and see that the folder exists\n",
			path);
		return -1;
	}
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	fprintf(stderr, "heartbeatd: another one runs with %s: stop it, or try --dry-run\n",
		state_file);
	return -1;
}

static void load(struct hb_daemon *daemon)
{
	int ret = hb_saved_read(daemon->state_file, &daemon->vms, &daemon->policies);

	if (ret)
		fprintf(stderr, "heartbeatd: %s cannot be read: %s; what was missed is not told\n",
			daemon->state_file, strerror(-ret));
}

static int print_usage(FILE *out)
{
	fputs("usage: heartbeatd [--config FOLDER] [--state FILE] [--dry-run | --check]\n"
	      "Journals what the monitors of kvm_heartbeat say, and carries out policies.\n"
	      "  --check          check the configuration, and end\n"
	      "  --dry-run        print what would be journalled and done, and do nothing\n"
	      "  --config FOLDER  instead of " CONFIG_FOLDER "\n"
	      "  --state FILE     instead of " STATE_FOLDER "/state\n"
	      "See heartbeatd(8).\n", out);
	return out == stderr ? 2 : 0;
}

/* Until a signal comes. */
static int serve(struct hb_daemon *daemon)
{
	int ret = 1;

	hb_journal_dry = daemon->dry;
	if (daemon->dry) {
		daemon->state_file = NULL;
		ret = run(daemon);
	} else if (!lock_state(daemon->state_file)) {
		load(daemon);
		ret = run(daemon);
	}
	hb_vms_free(&daemon->vms);
	sd_event_unref(daemon->event);
	return ret;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'c' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "config", required_argument, NULL, 'f' },
		{ "state", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 }
	};
	struct hb_daemon daemon = { .state_file = STATE_FOLDER "/state" };
	const char *config = CONFIG_FOLDER;
	bool check = false;
	int option, ret;

	/* A daemon has no language, but names of VMs may have any. */
	setlocale(LC_CTYPE, "C.UTF-8");
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			check = true;
		else if (option == 'n')
			daemon.dry = true;
		else if (option == 'f')
			config = optarg;
		else if (option == 's')
			daemon.state_file = optarg;
		else if (option == 'v')
			return puts("heartbeatd " HB_VERSION) < 0;
		else
			return print_usage(option == 'h' ? stdout : stderr);
	}
	if (optind < argc)
		return print_usage(stderr);
	ret = hb_config_read(config, &daemon.policies) ? 1 : 0;
	if (!ret && !check)
		ret = serve(&daemon);
	hb_config_free(&daemon.policies);
	return ret;
}
