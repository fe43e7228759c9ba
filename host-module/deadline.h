/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deadlines of a guest that is not armed: by when it has to boot, by when to end, and by when
 * its crash kernel has to beat again. Pure functions, tested by selftests/kunit.
 */
#ifndef KVMHB_DEADLINE_H
#define KVMHB_DEADLINE_H

#include <linux/types.h>

struct kvmhb_case;
struct kvmhb_ruling;
struct kvmhb_verdict;

/**
 * struct kvmhb_deadlines - the deadlines of one guest, and how much of one is over
 * @boot_ns: how long a guest may take until it arms, ns on the run clock; 0: as long as it likes
 * @shutdown_ns: likewise until it ends, once it has said so
 * @elapsed_ns: time since its deadline began, as far as it was looked at, ns
 * @run_ns: of it, the time in which it could have run, ns
 */
struct kvmhb_deadlines {
	u64 boot_ns;
	u64 shutdown_ns;
	u64 elapsed_ns;
	u64 run_ns;
};

u64 kvmhb_deadline_ns(const struct kvmhb_deadlines *deadlines,
		      const struct kvmhb_verdict *verdict, u64 timeout_ns);
u64 kvmhb_deadline_run_ns(const struct kvmhb_case *c, u64 elapsed_ns);
struct kvmhb_ruling kvmhb_deadline_rule(const struct kvmhb_case *c, u64 deadline_ns);

#endif /* KVMHB_DEADLINE_H */
