// SPDX-License-Identifier: GPL-2.0
/*
 * The host module as a VMM meets it: through VFIO and sysfs, without KVM and
 * without a guest. What a hostile VMM or a guest behind it could try is tried
 * here. Runs on the rig's host; kselftest_harness.h is the kernel's own.
 *
 * That header defines the list of a program's tests: two objects that include it do
 * not link. So all topics are one unit of compilation.
 */
#define _GNU_SOURCE
#include "vfio_test.h"

/*
 * The order matters in one point: some of the reports' tests use up what all monitors
 * may log in 10 s. Those of outages wait for longer than that, before others read the log.
 */
#include "registers_test.c"
#include "lifecycle_test.c"
#include "reports_test.c"
#include "outage_test.c"
#include "settings_test.c"
#include "pulse_page_test.c"
#include "doorbell_test.c"
#include "reactions_test.c"
#include "migration_test.c"
#include "migration_refused_test.c"
#include "migration_end_test.c"
#include "races_test.c"

/* The harness has the arguments. */
static void __attribute__((constructor)) choose_way(void)
{
	monitor_by_cdev = getenv("KVMHB_CDEV");
}

TEST_HARNESS_MAIN
