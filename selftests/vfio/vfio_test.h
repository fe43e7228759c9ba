/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of all topics are written with
 */
#ifndef VFIO_TEST_H
#define VFIO_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "kselftest.h"
#include "kselftest_harness.h"
#include "migration.h"
#include "monitor.h"
#include "reports.h"

#define MS 1000000ULL
#define SEC (1000 * MS)

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

/* A monitor of its own for a test, or for a part of one, named by @last. */
static int monitor_create(struct monitor *m, unsigned char last)
{
	char uuid[UUID_SIZE];

	snprintf(uuid, sizeof(uuid), "5e1f7e57-0000-4000-8000-4b48425400%02x", last);
	monitor_init(m, uuid);
	/* A test that failed before may have left it. */
	monitor_remove(m);
	return mdev_create(HEARTBEAT_TYPE, m->uuid);
}

FIXTURE(hb)
{
	struct monitor m;
};

FIXTURE_SETUP(hb)
{
	ASSERT_EQ(0, monitor_create(&self->m, '1'));
	ASSERT_TRUE(is(&self->m, "detached", "none"));
	ASSERT_EQ(0, monitor_open(&self->m));
	ASSERT_TRUE(is(&self->m, "waiting", "none"));
}

FIXTURE_TEARDOWN(hb)
{
	monitor_close(&self->m);
	EXPECT_EQ(0, monitor_remove(&self->m));
}

#endif
