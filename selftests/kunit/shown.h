/* SPDX-License-Identifier: GPL-2.0 */
/* All that a look at a guest sees, as a test says: the guest, the host, the time. */
#ifndef KVMHB_SHOWN_H
#define KVMHB_SHOWN_H

#include "evidence.h"
#include "host.h"

/**
 * struct shown - what looks see, in place of what there is
 * @now_ns: the time
 * @vcpus: what is known of each vCPU
 * @nr_vcpus: their number
 * @unknown: a bit for each of which nothing is known
 * @dead: KVM has given the VM up
 * @host: how the host is
 * @nr_cpus: its CPUs
 * @steal_ns: what was stolen from them
 * @resolution_ns: what it can tell
 * @answered_at_ns: when all of its CPUs answered last
 * @asked: how often they were asked
 * @late_ns: by how much the last look was late
 */
struct shown {
	u64 now_ns;
	struct kvmhb_vcpu vcpus[4];
	unsigned int nr_vcpus;
	unsigned int unknown;
	bool dead;
	struct kvmhb_host host;
	unsigned int nr_cpus;
	u64 steal_ns;
	u64 resolution_ns;
	u64 answered_at_ns;
	unsigned int asked;
	u64 late_ns;
};

/* What looks see now, or NULL: what there is. */
extern struct shown *shown;

#endif /* KVMHB_SHOWN_H */
