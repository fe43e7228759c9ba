// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "names.h"
#include "pulse.h"

static const char * const state_names[] = {
	[KVMHB_DETACHED]	= "detached",
	[KVMHB_WAITING]		= "waiting",
	[KVMHB_ALIVE]		= "alive",
	[KVMHB_DEGRADED]	= "degraded",
	[KVMHB_LATE]		= "late",
	[KVMHB_UNRESPONSIVE]	= "unresponsive",
	[KVMHB_PAUSED]		= "paused",
	[KVMHB_STOPPED]		= "stopped",
	[KVMHB_PANICKED]	= "panicked",
};

static_assert(ARRAY_SIZE(state_names) == KVMHB_NR_STATES);

static const char * const cause_names[] = {
	[KVMHB_CAUSE_NONE]		= "none",
	[KVMHB_CAUSE_HUNG]		= "hung",
	[KVMHB_CAUSE_HALTED]		= "halted",
	[KVMHB_CAUSE_BEAT_LOST]		= "beat-lost",
	[KVMHB_CAUSE_KVM_ERROR]		= "kvm-error",
	[KVMHB_CAUSE_PARTIAL]		= "partial",
	[KVMHB_CAUSE_SOFTLOCKUP]	= "softlockup",
	[KVMHB_CAUSE_USERSPACE]		= "userspace",
	[KVMHB_CAUSE_PAUSED]		= "paused",
	[KVMHB_CAUSE_STARVED]		= "starved",
	[KVMHB_CAUSE_VMM_STUCK]		= "vmm-stuck",
	[KVMHB_CAUSE_HOST_BLOCKED]	= "host-blocked",
	[KVMHB_CAUSE_HOST_DEGRADED]	= "host-degraded",
	[KVMHB_CAUSE_SHUTDOWN]		= "shutdown",
	[KVMHB_CAUSE_REBOOT]		= "reboot",
	[KVMHB_CAUSE_SUSPEND]		= "suspend",
	[KVMHB_CAUSE_UNLOAD]		= "unload",
	[KVMHB_CAUSE_PANIC]		= "panic",
	[KVMHB_CAUSE_TRIPLE_FAULT]	= "triple-fault",
	[KVMHB_CAUSE_VMM_GONE]		= "vmm-gone",
	[KVMHB_CAUSE_UNKNOWN]		= "unknown",
};

static_assert(ARRAY_SIZE(cause_names) == KVMHB_NR_CAUSES);

/**
 * kvmhb_state_name - the word for a state
 * @state: below %KVMHB_NR_STATES
 *
 * Return: a static string. Context: any.
 */
const char *kvmhb_state_name(enum kvmhb_state state)
{
	return state_names[state];
}

/**
 * kvmhb_cause_name - the word for a cause
 * @cause: below %KVMHB_NR_CAUSES
 *
 * Return: a static string. Context: any.
 */
const char *kvmhb_cause_name(enum kvmhb_cause cause)
{
	return cause_names[cause];
}

/**
 * kvmhb_cpu_list - write down which CPUs
 * @buf: where to, %KVMHB_CPU_LIST_LEN bytes
 * @cpus: bitmap of %KVMHB_PULSE_MAX_SLOTS bits
 *
 * A list that is longer than about 128 characters ends with ``,...`` instead: in a line
 * that has a bound it must leave room for what follows.
 *
 * Context: any.
 */
void kvmhb_cpu_list(char *buf, const unsigned long *cpus)
{
	char *end;

	if (snprintf(buf, KVMHB_CPU_LIST_LEN, "%*pbl", KVMHB_PULSE_MAX_SLOTS, cpus) <
	    KVMHB_CPU_LIST_LEN)
		return;
	/* The last comma with which the rest still fits: no number is cut. */
	buf[KVMHB_CPU_LIST_LEN - sizeof("...")] = '\0';
	end = strrchr(buf, ',') + 1;
	strscpy(end, "...", buf + KVMHB_CPU_LIST_LEN - end);
}
