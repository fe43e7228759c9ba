// SPDX-License-Identifier: GPL-2.0
/*
 * What stands in for evidence.c and host.c: a VM whose vCPUs show what a test says, and a host
 * that sleeps, and whose CPUs are deaf, if a test says so.
 */
#include <linux/ktime.h>
#include <linux/kvm_host.h>
#include <linux/jiffies.h>

#include "evidence.h"
#include "twin_host.h"

/* The clock of a host that has just booted: it goes on when a test says so. */
u64 twin_now_ns = 100000000000ULL;
struct kvmhb_host twin_host;
u64 twin_deaf_since_ns;
u64 twin_asked_at_ns = U64_MAX;
bool twin_asks;
u64 twin_steal_ns;

u64 ktime_get_ns(void)
{
	return twin_now_ns;
}

unsigned int kvmhb_evidence_nr_vcpus(struct kvm *kvm)
{
	return kvm ? atomic_read(&kvm->online_vcpus) : 0;
}

bool kvmhb_evidence_dead(struct kvm *kvm)
{
	return false;
}

bool kvmhb_evidence_vcpu(struct kvm *kvm, unsigned int nr, const struct kvmhb_vcpu *then,
			 struct kvmhb_vcpu *evidence)
{
	if (!kvm || !kvm->seen)
		return false;
	*evidence = kvm->seen[nr];
	return true;
}

u64 kvmhb_evidence_steal_ns(void)
{
	return twin_steal_ns;
}

void kvmhb_host_late(u64 late_ns)
{
}

u64 kvmhb_host_resolution_ns(void)
{
	return 2 * TICK_NSEC;
}

void kvmhb_host_ask(void)
{
	twin_asks = true;
}

bool kvmhb_host_answered(u64 since_ns)
{
	return !twin_deaf_since_ns && twin_asked_at_ns >= since_ns;
}

void kvmhb_host_look(struct kvmhb_host *host)
{
	*host = twin_host;
	if (!twin_deaf_since_ns)
		return;
	host->asking_ns = twin_now_ns - twin_deaf_since_ns;
	host->deaf_ns += host->asking_ns;
}

void host_sleeps_or_wakes(unsigned long event)
{
	twin_host.sleeps++;
}

void host_cpu_is_deaf(unsigned int cpu, u64 since_ns)
{
	twin_host.unheard_cpu = cpu;
	twin_deaf_since_ns = since_ns;
}

void host_was_asked_at(u64 at_ns)
{
	twin_asked_at_ns = at_ns;
}

bool host_cpu_answers(unsigned int cpu)
{
	twin_host.deaf_ns += twin_now_ns - twin_deaf_since_ns;
	twin_deaf_since_ns = 0;
	return true;
}
