// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever the host module does for a VMM or a user, done with one fault: an allocation, or a copy
 * from or to the caller's memory, that fails. The first one in it, the second, and so on, until
 * it is done without any. What is refused says why, has left nothing done, and succeeds at the
 * next attempt. What succeeds in spite of the fault has done all of it.
 *
 * A program of its own, as it unloads and loads the module. What looks for leaks runs after it
 * (in-host).
 */
#define _GNU_SOURCE
#include "fault_test.h"

#include "fault_open_test.c"
#include "fault_device_test.c"
#include "fault_migration_test.c"
#include "fault_files_test.c"
#include "fault_module_test.c"

TEST_HARNESS_MAIN
