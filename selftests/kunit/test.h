/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit tests of the host module, a file for each of its files, which is included, as it exports
 * nothing. What a test needs of another file it links to, in that file's test.
 */
#ifndef KVMHB_TEST_H
#define KVMHB_TEST_H

#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/types.h>

#include "evidence.h"
#include "kvm_heartbeat.h"
#include "pulse.h"

#define MS	1000000ULL
#define SEC	(1000 * MS)
#define MINUTE	(60 * SEC)
#define HOUR	(60 * MINUTE)

/*
 * Where a vCPU is: executing or about to, busy in the host's kernel, at the VMM, or halted by
 * KVM or by the VMM.
 */
enum place { RUN, KERNEL, OUT, HALT, VMM_HALT };

static inline struct kvmhb_vcpu vcpu_at(enum place place)
{
	return (struct kvmhb_vcpu) {
		.pid = 7,
		.task = place == RUN || place == KERNEL ? 'R' : 'S',
		.running = place == RUN || place == KERNEL || place == HALT,
		.kernel = place == KERNEL || place == HALT,
		.halted = place == HALT || place == VMM_HALT,
		.exec_ns = 10 * SEC,
	};
}

static inline struct kvm_heartbeat_slot *slots_of(const struct kvmhb_pulse *pulse)
{
	return (struct kvm_heartbeat_slot *)(pulse->header + 1);
}

/*
 * The time, ahead of the host's if a test says so: hours pass at once. Files that judge include
 * this header first, with KVMHB_TEST_CLOCK; whoever sets timers goes by the host's time.
 */
extern u64 test_ahead_ns;

static inline u64 test_clock_ns(void)
{
	return ktime_get_ns() + READ_ONCE(test_ahead_ns);
}

#ifdef KVMHB_TEST_CLOCK
#define ktime_get_ns test_clock_ns
#define ktime_get_coarse_ns test_clock_ns
#endif

/* What host_test.c lets happen to the host. */
void host_sleeps_or_wakes(unsigned long event);
void host_cpu_is_deaf(unsigned int cpu, u64 since_ns);
bool host_cpu_answers(unsigned int cpu);
void host_was_asked_at(u64 at_ns);

#endif /* KVMHB_TEST_H */
