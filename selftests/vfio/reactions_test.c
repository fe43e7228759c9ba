// SPDX-License-Identifier: GPL-2.0
/*
 * What is done about a guest that is dead, how often, and when nothing is
 */
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "vfio_test.h"

TEST_F(hb, reactions_settings)
{
	static const struct {
		const char *name, *text;
		int ret;
		const char *shown;
	} rows[] = {
		{ "on_unresponsive", "backtrace,dump pause  kill\n", 0,
		  "backtrace dump pause kill" },
		{ "on_unresponsive", "shoot", -EINVAL, "backtrace dump pause kill" },
		{ "on_unresponsive", "kill kill", -EINVAL, "backtrace dump pause kill" },
		{ "on_unresponsive", "none kill", -EINVAL, "backtrace dump pause kill" },
		{ "on_unresponsive", "\n", -EINVAL, "backtrace dump pause kill" },
		{ "on_unresponsive", "none", 0, "none" },
		{ "on_panicked", "dump", 0, "dump" },
		{ "action_delay_ns", "0", 0, "0" },
		{ "action_delay_ns", "86400000000001", -ERANGE, "0" },
		{ "action_delay_ns", "soon", -EINVAL, "0" },
		{ "actions_max", "32", 0, "32" },
		{ "actions_max", "0", -ERANGE, "32" },
		{ "actions_max", "33", -ERANGE, "32" },
		{ "actions_window_ns", "1000000000", 0, "1000000000" },
		{ "actions_window_ns", "999999999", -ERANGE, "1000000000" },
		{ "mute_ns", "604800000000001", -ERANGE, "0" },
		{ "mute_ns", "-1", -EINVAL, "0" },
	};
	static const struct {
		const char *name, *text;
	} fresh[] = {
		{ "on_unresponsive", "none" }, { "on_panicked", "none" },
		{ "action_delay_ns", "10000000000" }, { "actions_max", "3" },
		{ "actions_window_ns", "3600000000000" }, { "actions", "0" },
		{ "last_action", "none" }, { "last_result", "none" }, { "mute_ns", "0" },
		{ "muted", "0" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fresh); i++)
		EXPECT_STREQ(fresh[i].text, attr_text(&self->m, fresh[i].name));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].ret, attr_set(&self->m, rows[i].name, rows[i].text))
			TH_LOG("%s: %s", rows[i].name, rows[i].text);
		EXPECT_STREQ(rows[i].shown, attr_text(&self->m, rows[i].name));
	}
}

static int listen_for_errors(struct monitor *m)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	if (fd >= 0 && set_irq(m, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			       VFIO_PCI_ERR_IRQ_INDEX, 0, 1, 24, fd)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool is_signalled(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	__u64 count;

	return poll(&pfd, 1, PATIENCE_MS) == 1 && read(fd, &count, sizeof(count)) == sizeof(count);
}

static bool has_come(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

/* Steps about a panic, without the wait. */
static int react_to_panics(struct monitor *m, const char *steps)
{
	return attr_set(m, "action_delay_ns", "0") ?: attr_set(m, "on_panicked", steps);
}

/* The VMM is told, and so is everybody: by file, log and uevent. */
TEST_F(hb, pause_asks_the_vmm)
{
	int err, log = log_open(), events = uevent_socket();
	char buf[4096];

	ASSERT_LE(0, events);
	ASSERT_EQ(0, react_to_panics(&self->m, "pause"));
	say(&self->m, KVM_HEARTBEAT_PANIC);
	/* Nobody listens. */
	ASSERT_TRUE(becomes(&self->m, "last_result", "unheard"));
	EXPECT_STREQ("pause", attr_text(&self->m, "last_action"));
	EXPECT_EQ(1, attr(&self->m, "actions"));

	err = listen_for_errors(&self->m);
	ASSERT_LE(0, err);
	say(&self->m, KVM_HEARTBEAT_ARM);
	EXPECT_FALSE(has_come(err));
	say(&self->m, KVM_HEARTBEAT_PANIC);
	ASSERT_TRUE(is_signalled(err));
	ASSERT_TRUE(becomes(&self->m, "last_result", "done"));
	EXPECT_EQ(2, attr(&self->m, "actions"));
	do {
		ASSERT_TRUE(uevent_next(events, &self->m, buf, sizeof(buf)));
	} while (!strstr(buf, "HEARTBEAT_RESULT=done "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_ACTION=pause "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=panicked "));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_CAUSE=panic "));
	EXPECT_EQ(1, log_lines(log, "action pause on panicked (panic): done"));
	close(err);
	close(events);
	close(log);
}

/* A VMM whose guest panics as soon as it may, and that then does nothing at all. */
static pid_t start_vmm(struct monitor *m, bool ends)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (monitor_open(m))
		_exit(1);
	say(m, KVM_HEARTBEAT_ARM);
	say(m, KVM_HEARTBEAT_PANIC);
	while (!ends)
		pause();
	_exit(2);
}

TEST(kill_ends_the_vmm)
{
	struct monitor m;
	int status;
	pid_t vmm;

	ASSERT_EQ(0, monitor_create(&m, '1'));
	ASSERT_EQ(0, react_to_panics(&m, "pause kill"));
	vmm = start_vmm(&m, false);
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_TRUE(becomes(&m, "state", "detached"));
	EXPECT_TRUE(is(&m, "detached", "panic"));
	EXPECT_EQ(2, attr(&m, "actions"));
	EXPECT_TRUE(becomes(&m, "last_result", "done"));
	EXPECT_STREQ("kill", attr_text(&m, "last_action"));
	EXPECT_EQ(0, monitor_remove(&m));
}

/* VMMs that end while they are being killed, and others that take their place. */
TEST(kill_races_the_end)
{
	struct monitor m;
	int status, i;
	pid_t vmm;

	ASSERT_EQ(0, monitor_create(&m, '1'));
	ASSERT_EQ(0, react_to_panics(&m, "pause kill"));
	ASSERT_EQ(0, attr_set(&m, "actions_max", "32"));
	ASSERT_EQ(0, attr_set(&m, "actions_window_ns", "1000000000"));
	for (i = 0; i < 40; i++) {
		vmm = start_vmm(&m, true);
		ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 2);
		ASSERT_TRUE(becomes(&m, "state", "detached"));
	}
	/* The monitor goes while steps are to be taken. */
	vmm = start_vmm(&m, true);
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	EXPECT_EQ(0, monitor_remove(&m));
}

/* The VMM has left its files to another process, and has ended; a third one has its number now. */
TEST(kill_spares_who_has_its_number)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	struct monitor *m;
	pid_t vmm, other;
	int status;

	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(0, monitor_create(m, '1'));
	ASSERT_EQ(0, react_to_panics(m, "kill"));
	vmm = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!vmm)
		_exit(monitor_open(m) ? 1 : 0);
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	ASSERT_EQ(0, status);
	args.set_tid = (__u64)(uintptr_t)&vmm;
	other = syscall(SYS_clone3, &args, sizeof(args));
	if (!other)
		for (;;)
			pause();
	ASSERT_EQ(vmm, other);

	say(m, KVM_HEARTBEAT_ARM);
	say(m, KVM_HEARTBEAT_PANIC);
	EXPECT_TRUE(becomes(m, "last_result", "gone"));
	EXPECT_STREQ("kill", attr_text(m, "last_action"));
	EXPECT_EQ(0, waitpid(other, &status, WNOHANG));
	kill(other, SIGKILL);
	waitpid(other, &status, 0);
	monitor_close(m);
	EXPECT_EQ(0, monitor_remove(m));
	munmap(m, sizeof(*m));
}

/* VMs that are about to move while steps are due: none is taken of one that does not run. */
TEST_F(hb, pause_races_the_move)
{
	int err = listen_for_errors(&self->m), i, fd;
	__u8 stream[STREAM_MAX];
	__u64 actions;

	ASSERT_LE(0, err);
	ASSERT_EQ(0, react_to_panics(&self->m, "pause"));
	ASSERT_EQ(0, attr_set(&self->m, "actions_max", "32"));
	for (i = 0; i < 30; i++) {	/* fewer than the limit */
		say(&self->m, KVM_HEARTBEAT_ARM);
		say(&self->m, KVM_HEARTBEAT_PANIC);
		ASSERT_EQ(0, mig_set(&self->m, VFIO_DEVICE_STATE_STOP_COPY, &fd));
		actions = attr(&self->m, "actions");
		ASSERT_LT(4096, read_stream(fd, stream, sizeof(stream), 100));
		EXPECT_EQ(actions, attr(&self->m, "actions"));
		EXPECT_TRUE(is(&self->m, "panicked", "panic"));
		close(fd);
		ASSERT_EQ(0, mig_set(&self->m, VFIO_DEVICE_STATE_RUNNING, NULL));
	}
	/* It goes on here after all, and is stopped. */
	actions = attr(&self->m, "actions");
	say(&self->m, KVM_HEARTBEAT_ARM);
	say(&self->m, KVM_HEARTBEAT_PANIC);
	while (attr(&self->m, "actions") == actions)
		ASSERT_TRUE(becomes(&self->m, "last_result", "done"));
	close(err);
}

/* The module goes as soon as it can, with steps that have yet to be taken. */
TEST(kill_races_the_unload)
{
	struct monitor m;
	int status, i;
	pid_t vmm;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, monitor_create(&m, '1'));
		ASSERT_EQ(0, react_to_panics(&m, "pause kill"));
		ASSERT_EQ(0, attr_set(&m, "mute_ns", i % 2 ? "1000000" : "0"));
		vmm = start_vmm(&m, true);
		ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
		/* Until the last of the VMM is gone it is in use. */
		while (system("rmmod kvm_heartbeat 2>/dev/null"))
			ASSERT_TRUE(becomes(&m, "state", "detached"));
		ASSERT_EQ(0, system("insmod \"$KVMHB_HOST_KO\""));
	}
}

/* Whoever floods the log with his changes does not hide what is done about them. */
TEST_F(hb, actions_in_a_flood)
{
	int err = listen_for_errors(&self->m), log = log_open(), i;
	unsigned int lines;

	ASSERT_LE(0, err);
	for (i = 0; i < 100; i++) {
		say(&self->m, KVM_HEARTBEAT_ARM);
		say(&self->m, KVM_HEARTBEAT_PANIC);
	}
	lines = log_lines(log, self->m.uuid);
	EXPECT_LE(1, lines);
	EXPECT_GT(100, lines);
	ASSERT_EQ(0, react_to_panics(&self->m, "pause"));
	ASSERT_TRUE(is_signalled(err));
	ASSERT_TRUE(becomes(&self->m, "last_result", "done"));
	EXPECT_EQ(1, log_lines(log, "action pause on panicked (panic): done"));
	close(log);
	close(err);
}

/* What a guest says so often as it can costs its VMM no more than the limit. */
TEST_F(hb, actions_have_a_limit)
{
	int err = listen_for_errors(&self->m), log = log_open(), events = uevent_socket();
	char buf[4096];
	int i;

	ASSERT_LE(0, err);
	ASSERT_LE(0, events);
	ASSERT_EQ(0, react_to_panics(&self->m, "pause"));
	ASSERT_EQ(0, attr_set(&self->m, "actions_max", "2"));
	for (i = 1; i <= 2; i++) {
		say(&self->m, KVM_HEARTBEAT_ARM);
		say(&self->m, KVM_HEARTBEAT_PANIC);
		ASSERT_TRUE(becomes(&self->m, "actions", i == 1 ? "1" : "2"));
		/* It counts when it begins, and is said when it has ended. */
		ASSERT_TRUE(becomes(&self->m, "last_result", "done"));
	}
	EXPECT_EQ(2, log_lines(log, "action pause on panicked (panic): done"));
	/* That there will be no more is said once. */
	say(&self->m, KVM_HEARTBEAT_ARM);
	say(&self->m, KVM_HEARTBEAT_PANIC);
	do {
		ASSERT_TRUE(uevent_next(events, &self->m, buf, sizeof(buf)));
	} while (!strstr(buf, "HEARTBEAT_RESULT=limited "));
	EXPECT_EQ(1, log_lines(log, "action pause on panicked (panic): limited"));
	for (i = 1; i <= 5; i++) {
		say(&self->m, KVM_HEARTBEAT_ARM);
		say(&self->m, KVM_HEARTBEAT_PANIC);
		usleep(20000);	/* it has the time to do so once more */
	}
	EXPECT_EQ(2, attr(&self->m, "actions"));
	EXPECT_EQ(0, log_lines(log, "action "));
	close(events);
	close(log);
	close(err);
}

/* Mutes that end while their monitors go. */
TEST(mute_races_the_end)
{
	struct monitor m;
	int i;

	for (i = 0; i < 60; i++) {
		ASSERT_EQ(0, monitor_create(&m, '1'));
		ASSERT_EQ(0, monitor_open(&m));
		ASSERT_EQ(0, attr_set(&m, "mute_ns", i % 2 ? "1000000" : "8000000"));
		say(&m, KVM_HEARTBEAT_ARM);
		say(&m, KVM_HEARTBEAT_PANIC);
		monitor_close(&m);
		ASSERT_EQ(0, monitor_remove(&m));
	}
}

TEST_F(hb, mute)
{
	int err = listen_for_errors(&self->m), log = log_open(), events = uevent_socket();
	char buf[4096];

	ASSERT_LE(0, err);
	ASSERT_LE(0, events);
	ASSERT_EQ(0, react_to_panics(&self->m, "pause"));
	ASSERT_EQ(0, attr_set(&self->m, "mute_ns", "3600000000000"));
	EXPECT_GE(3600 * SEC, attr(&self->m, "mute_ns"));
	EXPECT_LE(3000 * SEC, attr(&self->m, "mute_ns"));
	say(&self->m, KVM_HEARTBEAT_ARM);
	say(&self->m, KVM_HEARTBEAT_PANIC);
	EXPECT_TRUE(is(&self->m, "panicked", "panic"));
	EXPECT_EQ(2, attr(&self->m, "muted"));
	EXPECT_EQ(0, attr(&self->m, "actions"));
	EXPECT_EQ(0, log_lines(log, self->m.uuid));

	/* The first that is heard of it is how it is now. */
	ASSERT_EQ(0, attr_set(&self->m, "mute_ns", "1"));
	ASSERT_TRUE(uevent_next(events, &self->m, buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, "HEARTBEAT_STATE=panicked "));
	ASSERT_TRUE(is_signalled(err));
	ASSERT_TRUE(becomes(&self->m, "last_result", "done"));
	EXPECT_EQ(0, attr(&self->m, "mute_ns"));
	EXPECT_EQ(2, attr(&self->m, "muted"));
	EXPECT_EQ(2, log_lines(log, self->m.uuid));
	close(events);
	close(log);
	close(err);
}
