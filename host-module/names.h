/* SPDX-License-Identifier: GPL-2.0 */
/* The states of a monitor, their causes, and the words users see for them. */
#ifndef KVMHB_NAMES_H
#define KVMHB_NAMES_H

/**
 * enum kvmhb_state - what a monitor says of its guest
 * @KVMHB_DETACHED: no VM
 * @KVMHB_WAITING: VM attached, guest driver not armed
 * @KVMHB_ALIVE: beats arrive
 * @KVMHB_DEGRADED: beats arrive, but a CPU or a layer of the guest is stale
 * @KVMHB_LATE: one beat is overdue
 * @KVMHB_UNRESPONSIVE: no beat for the whole timeout, and it could have beaten
 * @KVMHB_PAUSED: the host does not let it run
 * @KVMHB_STOPPED: the guest said that it will not beat
 * @KVMHB_PANICKED: the guest kernel said that it panicked
 * @KVMHB_NR_STATES: number of states
 *
 * The words are ABI (Documentation/sysfs.rst): add, never rename.
 */
enum kvmhb_state {
	KVMHB_DETACHED,
	KVMHB_WAITING,
	KVMHB_ALIVE,
	KVMHB_DEGRADED,
	KVMHB_LATE,
	KVMHB_UNRESPONSIVE,
	KVMHB_PAUSED,
	KVMHB_STOPPED,
	KVMHB_PANICKED,
	KVMHB_NR_STATES
};

/**
 * enum kvmhb_cause - why a monitor is in its state
 * @KVMHB_CAUSE_NONE: nothing to explain
 * @KVMHB_CAUSE_HUNG: its CPUs execute, and take no interrupts
 * @KVMHB_CAUSE_HALTED: its CPUs have halted, and nothing wakes them
 * @KVMHB_CAUSE_BEAT_LOST: its CPUs take interrupts, but it does not beat
 * @KVMHB_CAUSE_KVM_ERROR: KVM cannot run it any more
 * @KVMHB_CAUSE_PARTIAL: some of its CPUs are stale
 * @KVMHB_CAUSE_SOFTLOCKUP: the scheduler of some of its CPUs is stale
 * @KVMHB_CAUSE_USERSPACE: its userspace does not feed its watchdog
 * @KVMHB_CAUSE_PAUSED: the VMM, a signal, the freezer or a debugger holds it
 * @KVMHB_CAUSE_STARVED: its vCPUs wait for host CPUs
 * @KVMHB_CAUSE_VMM_STUCK: a vCPU waits for its VMM
 * @KVMHB_CAUSE_HOST_BLOCKED: a vCPU sleeps in the host's kernel, as for memory
 * @KVMHB_CAUSE_HOST_DEGRADED: the host itself is late, or is short of time, or a CPU of
 *	it does not answer
 * @KVMHB_CAUSE_SHUTDOWN: the guest said that it halts or powers off
 * @KVMHB_CAUSE_REBOOT: the guest said that it restarts
 * @KVMHB_CAUSE_SUSPEND: the guest said that it suspends
 * @KVMHB_CAUSE_UNLOAD: the guest said that its driver lets go of the device
 * @KVMHB_CAUSE_PANIC: the guest said that it panicked
 * @KVMHB_CAUSE_TRIPLE_FAULT: a CPU of it has shut down
 * @KVMHB_CAUSE_VMM_GONE: the VMM closed the device, or died, unannounced
 * @KVMHB_CAUSE_UNKNOWN: no evidence names a cause
 * @KVMHB_NR_CAUSES: number of causes
 *
 * The words are ABI (Documentation/sysfs.rst): add, never rename.
 */
enum kvmhb_cause {
	KVMHB_CAUSE_NONE,
	KVMHB_CAUSE_HUNG,
	KVMHB_CAUSE_HALTED,
	KVMHB_CAUSE_BEAT_LOST,
	KVMHB_CAUSE_KVM_ERROR,
	KVMHB_CAUSE_PARTIAL,
	KVMHB_CAUSE_SOFTLOCKUP,
	KVMHB_CAUSE_USERSPACE,
	KVMHB_CAUSE_PAUSED,
	KVMHB_CAUSE_STARVED,
	KVMHB_CAUSE_VMM_STUCK,
	KVMHB_CAUSE_HOST_BLOCKED,
	KVMHB_CAUSE_HOST_DEGRADED,
	KVMHB_CAUSE_SHUTDOWN,
	KVMHB_CAUSE_REBOOT,
	KVMHB_CAUSE_SUSPEND,
	KVMHB_CAUSE_UNLOAD,
	KVMHB_CAUSE_PANIC,
	KVMHB_CAUSE_TRIPLE_FAULT,
	KVMHB_CAUSE_VMM_GONE,
	KVMHB_CAUSE_UNKNOWN,
	KVMHB_NR_CAUSES
};

const char *kvmhb_state_name(enum kvmhb_state state);
const char *kvmhb_cause_name(enum kvmhb_cause cause);

#define KVMHB_CPU_LIST_LEN	(128 + sizeof(",..."))

void kvmhb_cpu_list(char *buf, const unsigned long *cpus);

#endif /* KVMHB_NAMES_H */
