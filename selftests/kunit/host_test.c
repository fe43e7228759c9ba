// SPDX-License-Identifier: GPL-2.0
#define KVMHB_TEST_CLOCK
#include "test.h"

#include <linux/smp.h>

/* A host whose CPUs answer at once, as those do that have gone offline. */
static int answer_at_once(int cpu, call_single_data_t *question)
{
	return -ENXIO;
}

#define smp_call_function_single_async answer_at_once

#include "host.c"

/* What looks were late of late, for as long as that is. */
static void resolution_of_the_host(struct kunit *test)
{
	lateness.new_ns = 0;
	lateness.old_ns = 0;
	lateness.end = jiffies + HZ;
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 2 * TICK_NSEC);
	kvmhb_host_late(30 * MS);
	kvmhb_host_late(20 * MS);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 60 * MS);

	lateness.end = jiffies - 1;
	kvmhb_host_late(25 * MS);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 60 * MS);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 50 * MS);
	kvmhb_host_late(HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 200 * MS);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 2 * TICK_NSEC);
}

void host_sleeps_or_wakes(unsigned long event)
{
	host_pm_event(NULL, event, NULL);
}

void host_cpu_is_deaf(unsigned int cpu, u64 since_ns)
{
	cpumask_set_cpu(cpu, &round.unheard);
	round.asked_at_ns = since_ns;
	round.asking = true;
}

/* Returns whether all have answered now. */
bool host_cpu_answers(unsigned int cpu)
{
	host_heard(cpu);
	return !round.asking;
}

static struct kunit_case cases[] = {
	KUNIT_CASE(resolution_of_the_host),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_host",
	.test_cases = cases,
};

kunit_test_suite(suite);
