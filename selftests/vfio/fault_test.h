/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of all topics do with faults: an operation, with one fault after the other
 */
#ifndef FAULT_TEST_H
#define FAULT_TEST_H

#include <linux/kvm.h>
#include <sys/syscall.h>

#include "fault.h"
#include "vfio_test.h"

/* What an operation is about. */
struct subject {
	struct monitor m;
	const char *file, *text;	/* in sysfs */
	int event;			/* an eventfd */
	int transfer;			/* the file of a stream */
	__u8 stream[STREAM_MAX];
	ssize_t length;
	struct page *page;
	__u32 value;			/* that was read */
	int kvm_vfio;
};

struct operation {
	const char *name;
	int (*run)(struct subject *s);	/* 0 or -errno */
	bool (*done)(struct subject *s);
	void (*undo)(struct subject *s);
	bool answers_last;		/* it may be done though it was refused */
	bool cannot_fail;
	int core_answers;		/* what the kernel's core may make of -ENOMEM */
};

static int result(long ret)
{
	return ret < 0 ? -errno : 0;
}

static int result_of(ssize_t done, size_t size)
{
	return done < 0 ? -errno : done == (ssize_t)size ? 0 : -EIO;
}

/* Until there is none to be made any more. */
static void make_faults(struct __test_metadata *_metadata, const struct operation *op,
			struct subject *s)
{
	unsigned int n, refused = 0;
	enum fault fault;
	int ret;

	for (n = 1;; n++) {
		fault_begin(n);
		ret = op->run(s);
		fault = fault_end();
		if (fault == FAULT_NONE)
			break;
		/* Nobody may go on with what was not copied. */
		if (fault == FAULT_COPY || (ret && (!op->core_answers || ret != op->core_answers)))
			ASSERT_EQ(fault == FAULT_COPY ? -EFAULT : -ENOMEM, ret)
				TH_LOG("%s, fault %u", op->name, n);
		if (ret) {
			bool done = op->done(s);

			ASSERT_TRUE(!done || op->answers_last)
				TH_LOG("%s, fault %u: refused, and done", op->name, n);
			if (done)
				op->undo(s);
			ASSERT_EQ(0, op->run(s)) TH_LOG("%s, after fault %u", op->name, n);
			refused++;
		}
		ASSERT_TRUE(op->done(s)) TH_LOG("%s, fault %u: %d", op->name, n, ret);
		op->undo(s);
	}
	ASSERT_EQ(0, ret) TH_LOG("%s", op->name);
	ASSERT_TRUE(op->done(s)) TH_LOG("%s", op->name);
	op->undo(s);
	/* If nothing was refused, nothing was tried. */
	EXPECT_NE(op->cannot_fail, !!refused) TH_LOG("%s", op->name);
	EXPECT_NE(1, n) TH_LOG("%s", op->name);
	printf("#  %s: %u faults, %u refusals\n", op->name, n - 1, refused);
	fflush(stdout);
}

static void do_nothing(struct subject *s)
{
}

FIXTURE(faults)
{
	struct subject s;
};

FIXTURE_SETUP(faults)
{
	const char *why = faults_open();
	struct subject *s = &self->s;

	if (why)
		SKIP(return, "%s", why);
	s->transfer = -1;
	s->event = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(0, monitor_create(&s->m, 'f'));
	ASSERT_EQ(0, monitor_open(&s->m));
}

static bool module_is_free(void)
{
	char users[16];

	return !read_file("/sys/module/kvm_heartbeat/refcnt", users, sizeof(users)) &&
	       !strcmp(users, "0");
}

FIXTURE_TEARDOWN(faults)
{
	struct subject *s = &self->s;

	if (s->transfer >= 0)
		close(s->transfer);
	close(s->event);
	monitor_close(&s->m);
	EXPECT_EQ(0, monitor_remove(&s->m));
	EXPECT_TRUE(module_is_free());
	faults_close();
}

/* What more than one topic does. */

static int create(struct subject *s)
{
	return mdev_create(HEARTBEAT_TYPE, s->m.uuid);
}

static int destroy(struct subject *s)
{
	return monitor_remove(&s->m);
}

static int open_device(struct subject *s)
{
	return monitor_open_device(&s->m);
}

static int close_device(struct subject *s)
{
	return result(close(s->m.device));
}

static void undo_all(struct subject *s)
{
	ioctl(s->m.device, VFIO_DEVICE_RESET);
}

/* A fresh device, whose monitor has seen no vCPU. */
static void open_anew(struct subject *s)
{
	close_device(s);
	open_device(s);
}

static int say_armed(struct subject *s)
{
	return result_of(reg_write(&s->m, KVM_HEARTBEAT_REG_LIFECYCLE, KVM_HEARTBEAT_ARM), 4);
}

static void undo_read(struct subject *s)
{
	s->value = 0;
}

static bool is_answered(struct subject *s)
{
	return s->value;
}

#endif
