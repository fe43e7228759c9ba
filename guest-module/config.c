// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: the configuration, as the host publishes it
 *
 * The host may change it at any time. Reading it costs no exit, so every tick
 * does. What can't be read whole at once is left for the next tick: a host
 * that stops in the middle of an update must not hang a guest that looks.
 */
#include <asm/barrier.h>
#include <linux/compiler.h>

#include "kvmhb.h"

/**
 * kvmhb_interval_valid() - check an interval that came from the host
 * @interval_ns: the interval, ns
 *
 * Context: Any.
 * Return: whether it is within the bounds of the device specification.
 */
bool kvmhb_interval_valid(u64 interval_ns)
{
	return interval_ns >= KVM_HEARTBEAT_INTERVAL_MIN_NS &&
	       interval_ns <= KVM_HEARTBEAT_INTERVAL_MAX_NS;
}

/**
 * kvmhb_config_reread() - read a configuration anew
 * @hb: the device
 * @config: a configuration that was valid once; left alone if the host is
 *	changing it right now, or has written one that is out of bounds
 *
 * Context: Any. The caller owns @config.
 * Return: whether @config has changed.
 */
bool kvmhb_config_reread(struct kvmhb *hb, struct kvmhb_config *config)
{
	const struct kvm_heartbeat_pulse_header *pulse = hb->pulse;
	u64 interval_ns;
	u32 seq;

	/* virt_rmb(): the host that writes is SMP even when we are not. */
	seq = le32_to_cpu(READ_ONCE(pulse->config_seq));
	/* Pairs with the host's barrier between values and even number. */
	virt_rmb();
	interval_ns = le64_to_cpu(READ_ONCE(pulse->interval_ns));
	/* Pairs with the host's barrier between odd number and values. */
	virt_rmb();
	if (seq & 1 || seq != le32_to_cpu(READ_ONCE(pulse->config_seq)))
		return false;

	if (!kvmhb_interval_valid(interval_ns))
		return false;

	if (seq == config->seq && interval_ns == config->interval_ns)
		return false;

	WRITE_ONCE(config->seq, seq);
	WRITE_ONCE(config->interval_ns, interval_ns);
	return true;
}
