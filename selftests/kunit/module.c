// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>

#include "test.h"

u64 test_ahead_ns;

MODULE_DESCRIPTION("KUnit tests of the heartbeat monitor");
MODULE_AUTHOR("The kvm-heartbeat authors");
MODULE_LICENSE("GPL");
