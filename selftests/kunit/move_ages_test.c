// SPDX-License-Identifier: GPL-2.0
/* Ages of a guest that is paused or moves, and how its time on a monitor ends. */
#include "moved.h"

/* An outage does not last while the VM is paused, however it ends. */
static void ages_of_an_outage_that_ends_paused(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_readings before, r;

	bring_into(m, KVMHB_UNRESPONSIVE);
	before = read_of(m);
	kvmhb_monitor_pause(&m->mon);
	time_passes(m, 10 * HOUR);
	kvmhb_monitor_reset(&m->mon);
	r = read_of(m);
	expect_goes_on(test, r.downtime_ns, before.downtime_ns, "reset");
	KUNIT_EXPECT_EQ(test, r.missed, before.missed);
	kvmhb_monitor_detach(&m->mon);

	bring_into(m, KVMHB_UNRESPONSIVE);
	before = read_of(m);
	kvmhb_monitor_pause(&m->mon);
	time_passes(m, 10 * HOUR);
	kvmhb_monitor_detach(&m->mon);
	r = read_of(m);
	expect_goes_on(test, r.downtime_ns, before.downtime_ns, "detached");
	KUNIT_EXPECT_EQ(test, r.missed, before.missed);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(ages_of_an_outage_that_ends_paused),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_move_ages",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
