// SPDX-License-Identifier: GPL-2.0
/*
 * The files in sysfs: settings and statistics
 */
#include "vfio_test.h"

TEST_F(hb, retuning_waits_for_the_guest)
{
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	/* Long to short, and a beat of the old rhythm: the old 2 s and 4 s hold. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "1000000"));
	EXPECT_EQ(2 * MS, attr(&self->m, "timeout_ns"));
	ring(&self->m);
	/* Nor is it enough that the guest has seen it: it has to beat by it. */
	ack(&self->m);
	ASSERT_TRUE(becomes(&self->m, "outages", "1"));
	EXPECT_LE(4 * SEC, attr(&self->m, "last_beat_ns"));

	/* Now it does: from this beat on, 1 ms and 2 ms hold. */
	ring(&self->m);
	ASSERT_TRUE(becomes(&self->m, "outages", "2"));
	EXPECT_GT(4 * SEC, attr(&self->m, "last_beat_ns"));

	/* Short to long is patient at once. */
	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	EXPECT_TRUE(is(&self->m, "alive", "none"));

	/* A timeout alone asks nothing of the guest. */
	ack(&self->m);
	ring(&self->m);
	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "3600000000001"));
	EXPECT_EQ(3600 * SEC + 1, attr(&self->m, "timeout_ns"));
	EXPECT_TRUE(is(&self->m, "alive", "none"));
}

/* By which a program that creates mediated devices finds out what it could create. */
TEST_F(hb, type_says_what_it_is)
{
	static const char * const files[][2] = {
		{ "name", "KVM heartbeat monitor" },
		{ "description", "heartbeat monitor of one virtual machine" },
		{ "device_api", "vfio-pci" },
	};
	char path[128], text[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), HEARTBEAT_TYPE "/%s", files[i][0]);
		ASSERT_EQ(0, read_file(path, text, sizeof(text)));
		EXPECT_STREQ(files[i][1], text);
	}
}

TEST_F(hb, sysfs_refuses)
{
	static const struct {
		const char *name, *text;
		int ret;
	} rows[] = {
		{ "interval_ns", "", 0 },	/* write(2) of nothing does nothing */
		{ "interval_ns", "\n", -EINVAL },
		{ "interval_ns", "fast", -EINVAL },
		{ "interval_ns", "-1", -EINVAL },
		{ "interval_ns", "2s", -EINVAL },
		{ "interval_ns", "2e9", -EINVAL },
		{ "interval_ns", "2000000000 3", -EINVAL },
		{ "interval_ns", "18446744073709551616", -ERANGE },
		{ "interval_ns", "18446744073709551615", -ERANGE },
		{ "interval_ns", "0", -ERANGE },
		{ "interval_ns", "999999", -ERANGE },
		{ "interval_ns", "3600000000001", -ERANGE },
		{ "interval_ns", "5000000000", -EINVAL },	/* the timeout is 5 s */
		{ "interval_ns", "6000000000", -EINVAL },
		{ "timeout_ns", "five", -EINVAL },
		{ "timeout_ns", "-5", -EINVAL },
		{ "timeout_ns", "2000000000", -EINVAL },	/* so is the interval */
		{ "timeout_ns", "1", -EINVAL },
		{ "timeout_ns", "86400000000001", -ERANGE },
		{ "timeout_ns", "18446744073709551615", -ERANGE },
		{ "boot_timeout_ns", "10m", -EINVAL },
		{ "boot_timeout_ns", "-1", -EINVAL },
		{ "boot_timeout_ns", "86400000000001", -ERANGE },
		{ "shutdown_timeout_ns", "\n", -EINVAL },
		{ "shutdown_timeout_ns", "18446744073709551615", -ERANGE },
		{ "state", "alive", -EACCES },
		{ "beats", "0", -EACCES },
		{ "stale_vcpus", "0", -EACCES },
	};
	__u32 seq = reg_read(&self->m, 0);
	unsigned int i;

	ASSERT_EQ(0, attr_set(&self->m, "timeout_ns", "5000000000"));
	pread(self->m.device, &seq, 4, BAR2 + 8);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		__u32 after = 0;
		int ret;

		/* Root may open a read-only file for writing; sysfs then says EIO. */
		ret = attr_set(&self->m, rows[i].name, rows[i].text);
		if (ret == -EIO)
			ret = -EACCES;
		EXPECT_EQ(rows[i].ret, ret) TH_LOG("row %u", i);
		EXPECT_EQ(2 * SEC, attr(&self->m, "interval_ns"));
		EXPECT_EQ(5 * SEC, attr(&self->m, "timeout_ns"));
		pread(self->m.device, &after, 4, BAR2 + 8);
		EXPECT_EQ(seq, after) TH_LOG("row %u reached the guest", i);
	}
}

TEST_F(hb, sysfs_accepts)
{
	static const char * const deadlines[] = { "boot_timeout_ns", "shutdown_timeout_ns" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(deadlines); i++) {
		EXPECT_EQ(0, attr(&self->m, deadlines[i]));
		EXPECT_EQ(0, attr_set(&self->m, deadlines[i], "86400000000000\n"));
		EXPECT_EQ(86400 * SEC, attr(&self->m, deadlines[i]));
		EXPECT_EQ(0, attr_set(&self->m, deadlines[i], "0"));
		EXPECT_EQ(0, attr(&self->m, deadlines[i]));
	}
	EXPECT_EQ(4 * SEC, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "1000000\n"));
	EXPECT_EQ(2 * MS, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	EXPECT_EQ(7200 * SEC, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "86400000000000"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "5000000"));
	EXPECT_EQ(86400 * SEC, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "5000001"));
	EXPECT_EQ(5 * MS + 1, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "timeout_ns", "0"));
	EXPECT_EQ(10 * MS, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(0, attr_set(&self->m, "interval_ns", "0x5f5e100"));
	EXPECT_EQ(100 * MS, attr(&self->m, "interval_ns"));
	EXPECT_EQ(200 * MS, attr(&self->m, "timeout_ns"));
	EXPECT_EQ(100 * MS, reg_read(&self->m, KVM_HEARTBEAT_REG_INTERVAL_NS));
	EXPECT_EQ(200 * MS, reg_read(&self->m, KVM_HEARTBEAT_REG_TIMEOUT_NS));
}

TEST_F(hb, statistics)
{
	__u64 min, mean, max;
	int i;

	ASSERT_EQ(0, attr_set(&self->m, "interval_ns", "3600000000000"));
	ack(&self->m);
	say(&self->m, KVM_HEARTBEAT_ARM);
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_min_ns"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_mean_ns"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "interval_max_ns"));
	EXPECT_STREQ("(No data available)", attr_text(&self->m, "jitter_ns"));
	for (i = 0; i < 10; i++)
		ring(&self->m);
	EXPECT_EQ(10, attr(&self->m, "beats"));
	EXPECT_EQ(0, attr(&self->m, "missed"));
	min = attr(&self->m, "interval_min_ns");
	mean = attr(&self->m, "interval_mean_ns");
	max = attr(&self->m, "interval_max_ns");
	EXPECT_LT(0, max);
	EXPECT_LE(min, mean);
	EXPECT_LE(mean, max);
	EXPECT_GE(max, attr(&self->m, "jitter_ns"));
}
