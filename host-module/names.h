/* SPDX-License-Identifier: GPL-2.0 */
/* The states of a monitor, their causes, and the words users see for them. */
#ifndef KVMHB_NAMES_H
#define KVMHB_NAMES_H

/**
 * enum kvmhb_state - what a monitor says of its guest
 * @KVMHB_DETACHED: no VM
 * @KVMHB_WAITING: VM attached, guest driver not armed
 * @KVMHB_ALIVE: beats arrive
 * @KVMHB_LATE: one beat is overdue
 * @KVMHB_UNRESPONSIVE: no beat for the whole timeout
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
	KVMHB_LATE,
	KVMHB_UNRESPONSIVE,
	KVMHB_STOPPED,
	KVMHB_PANICKED,
	KVMHB_NR_STATES
};

/**
 * enum kvmhb_cause - why a monitor is in its state
 * @KVMHB_CAUSE_NONE: nothing to explain
 * @KVMHB_CAUSE_SHUTDOWN: the guest said that it halts or powers off
 * @KVMHB_CAUSE_REBOOT: the guest said that it restarts
 * @KVMHB_CAUSE_SUSPEND: the guest said that it suspends
 * @KVMHB_CAUSE_UNLOAD: the guest said that its driver lets go of the device
 * @KVMHB_CAUSE_PANIC: the guest said that it panicked
 * @KVMHB_CAUSE_VMM_GONE: the VMM closed the device, or died, unannounced
 * @KVMHB_CAUSE_UNKNOWN: no evidence names a cause
 * @KVMHB_NR_CAUSES: number of causes
 *
 * The words are ABI (Documentation/sysfs.rst): add, never rename.
 */
enum kvmhb_cause {
	KVMHB_CAUSE_NONE,
	KVMHB_CAUSE_SHUTDOWN,
	KVMHB_CAUSE_REBOOT,
	KVMHB_CAUSE_SUSPEND,
	KVMHB_CAUSE_UNLOAD,
	KVMHB_CAUSE_PANIC,
	KVMHB_CAUSE_VMM_GONE,
	KVMHB_CAUSE_UNKNOWN,
	KVMHB_NR_CAUSES
};

const char *kvmhb_state_name(enum kvmhb_state state);
const char *kvmhb_cause_name(enum kvmhb_cause cause);

#endif /* KVMHB_NAMES_H */
