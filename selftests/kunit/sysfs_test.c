// SPDX-License-Identifier: GPL-2.0
#include "test.h"

#include "sysfs.c"

#define HEAD "state=unresponsive cause=hung silence_ns=18446744073709551615 run_ns=5"

/* What a verdict was found by; of a dead guest on a host one of whose CPUs was deaf. */
static void evidence_names_the_deaf(struct kunit *test)
{
	struct kvmhb_judgement judged = {
		.verdict = { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		.silence_ns = U64_MAX,
		.run_ns = 5,
		.deaf_cpu = -1,
	};
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, sysfs_show_judgement(&judged, page), strlen(page));
	KUNIT_EXPECT_STREQ(test, page, HEAD "\n");
	judged.deaf_cpu = 0;
	KUNIT_EXPECT_EQ(test, sysfs_show_judgement(&judged, page), strlen(page));
	KUNIT_EXPECT_STREQ(test, page, HEAD " host_cpu=0\n");
	judged.verdict.state = KVMHB_DETACHED;
	KUNIT_EXPECT_EQ(test, sysfs_show_judgement(&judged, page), -ENODATA);
}

/* The vCPUs for which a page has room, whatever is known of them, and no line is cut. */
static void evidence_fits_a_page(struct kunit *test)
{
	static const char last[] = " queued_ns=18446744073709551615\n";
	struct kvmhb_judgement judged = {
		.verdict = { KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG },
		.nr_vcpus = 100,
		.deaf_cpu = 4095,
	};
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	unsigned int i, nr_lines = 0;
	int len;

	judged.vcpus = kunit_kcalloc(test, judged.nr_vcpus, sizeof(*judged.vcpus), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_NOT_NULL(test, judged.vcpus);
	for (i = 0; i < judged.nr_vcpus; i++) {
		memset(&judged.vcpus[i], 0xff, sizeof(judged.vcpus[i]));
		judged.vcpus[i].pid = S32_MIN;
		judged.vcpus[i].task = 'R';
		judged.vcpus[i].running = true;
		judged.vcpus[i].halted = true;
	}

	len = sysfs_show_judgement(&judged, page);
	KUNIT_ASSERT_EQ(test, len, strlen(page));
	KUNIT_ASSERT_GT(test, len, PAGE_SIZE / 2);
	KUNIT_EXPECT_STREQ(test, page + len - strlen(last), last);
	for (i = 0; i < len; i++)
		nr_lines += page[i] == '\n';
	KUNIT_EXPECT_LT(test, nr_lines, judged.nr_vcpus);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(evidence_names_the_deaf),
	KUNIT_CASE(evidence_fits_a_page),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_sysfs",
	.test_cases = cases,
};

kunit_test_suite(suite);
