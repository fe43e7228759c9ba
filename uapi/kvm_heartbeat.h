/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kvm-heartbeat: the paravirtual heartbeat device, as host and guest see it
 *
 * This header is the whole contract between the device model in the host and
 * the driver in the guest. Documentation/device.rst explains it in prose and
 * says what each side may rely on. All values are little-endian.
 */
#ifndef _UAPI_KVM_HEARTBEAT_H
#define _UAPI_KVM_HEARTBEAT_H

#include <linux/types.h>

/* PCI identity. The vendor number is shared: check the magic in BAR0 too. */
#define KVM_HEARTBEAT_PCI_VENDOR	0x1234
#define KVM_HEARTBEAT_PCI_DEVICE	0x4842
#define KVM_HEARTBEAT_PCI_REVISION	0x01

#define KVM_HEARTBEAT_BAR_REGS		0	/* registers, every access traps */
#define KVM_HEARTBEAT_BAR_PULSE		2	/* the pulse page, plain memory */

#define KVM_HEARTBEAT_MAGIC		0x5442484b	/* "KHBT" */
#define KVM_HEARTBEAT_VERSION		1

/* The bounds of the configuration; a driver refuses an interval outside. */
#define KVM_HEARTBEAT_INTERVAL_MIN_NS	1000000ULL		/* 1 ms */
#define KVM_HEARTBEAT_INTERVAL_MAX_NS	3600000000000ULL	/* 1 h */

/*
 * BAR0: registers. Reads of any size and alignment return the bytes at that
 * place, zero where nothing is defined. Of writes, as the VMM passes them on,
 * only 32-bit ones to exactly one of the two writable registers have an effect.
 */
#define KVM_HEARTBEAT_REG_MAGIC		0x00	/* ro, 32 bit */
#define KVM_HEARTBEAT_REG_VERSION	0x04	/* ro, 32 bit */
#define KVM_HEARTBEAT_REG_FEATURES	0x08	/* ro, 32 bit, bits below */
#define KVM_HEARTBEAT_REG_NR_SLOTS	0x0c	/* ro, 32 bit */
#define KVM_HEARTBEAT_REG_INTERVAL_NS	0x10	/* ro, 64 bit */
#define KVM_HEARTBEAT_REG_TIMEOUT_NS	0x18	/* ro, 64 bit */
#define KVM_HEARTBEAT_REG_LIFECYCLE	0x20	/* rw, enum kvm_heartbeat_lifecycle */
#define KVM_HEARTBEAT_REG_DOORBELL	0x40	/* wo, number of the CPU that rings */

/*
 * KVM_HEARTBEAT_REG_FEATURES: bits, of which a driver ignores those that it does
 * not know. LAYERS: the host judges every CPU's slot, and the ages of what lives
 * above a CPU's timer, scheduler and userspace. Without it nobody reads them.
 * REQUESTS: the host may ask the guest for something by the pulse page. Without it
 * the field there is reserved. BLOCKED: the host judges the age of the tasks that
 * wait for storage, too. CRASHES: the host knows the words of a kernel that crashes,
 * DUMPING and OOPS.
 */
#define KVM_HEARTBEAT_FEATURE_LAYERS	0x00000001
#define KVM_HEARTBEAT_FEATURE_REQUESTS	0x00000002
#define KVM_HEARTBEAT_FEATURE_BLOCKED	0x00000004
#define KVM_HEARTBEAT_FEATURE_CRASHES	0x00000008

/**
 * enum kvm_heartbeat_lifecycle - what the guest says of itself
 * @KVM_HEARTBEAT_NONE: nothing said since the device was last reset
 * @KVM_HEARTBEAT_ARM: a new incarnation beats from now on, and lives at this
 *	moment. Doorbells before it, or after any of the words below, mean nothing
 * @KVM_HEARTBEAT_SHUTDOWN: no more beats: halt or power-off
 * @KVM_HEARTBEAT_REBOOT: no more beats: restart, kexec included
 * @KVM_HEARTBEAT_SUSPEND: no more beats until %KVM_HEARTBEAT_ARM: suspend
 * @KVM_HEARTBEAT_UNLOAD: no more beats: the driver lets go of the device
 * @KVM_HEARTBEAT_PANIC: no more beats: the guest kernel has panicked
 * @KVM_HEARTBEAT_DUMPING: as %KVM_HEARTBEAT_ARM, but it is a crash kernel that beats:
 *	the one before it has crashed, and this one is there to save its memory
 * @KVM_HEARTBEAT_OOPS: the guest kernel has met a fault of its own, and may not
 *	survive it: a silence that begins within two beats is its end. Means nothing
 *	unless the guest is armed
 *
 * Written to %KVM_HEARTBEAT_REG_LIFECYCLE, which reads back the last value
 * that was accepted. Other values are ignored.
 */
enum kvm_heartbeat_lifecycle {
	KVM_HEARTBEAT_NONE = 0,
	KVM_HEARTBEAT_ARM = 1,
	KVM_HEARTBEAT_SHUTDOWN = 2,
	KVM_HEARTBEAT_REBOOT = 3,
	KVM_HEARTBEAT_SUSPEND = 4,
	KVM_HEARTBEAT_UNLOAD = 5,
	KVM_HEARTBEAT_PANIC = 6,
	KVM_HEARTBEAT_DUMPING = 7,
	KVM_HEARTBEAT_OOPS = 8,
};

/**
 * enum kvm_heartbeat_request - what the host asks the guest for
 * @KVM_HEARTBEAT_REQUEST_NONE: nothing, or nothing any more; not answered
 * @KVM_HEARTBEAT_REQUEST_BACKTRACE: to print the stacks of its CPUs
 * @KVM_HEARTBEAT_REQUEST_DUMP: to crash, so that it writes its dump
 */
enum kvm_heartbeat_request {
	KVM_HEARTBEAT_REQUEST_NONE = 0,
	KVM_HEARTBEAT_REQUEST_BACKTRACE = 1,
	KVM_HEARTBEAT_REQUEST_DUMP = 2,
};

/**
 * enum kvm_heartbeat_answer - what the guest says to a request
 * @KVM_HEARTBEAT_ANSWER_NONE: nothing yet
 * @KVM_HEARTBEAT_ANSWER_OBEYED: it does so now
 * @KVM_HEARTBEAT_ANSWER_REFUSED: who runs the guest does not allow that
 * @KVM_HEARTBEAT_ANSWER_UNKNOWN: its driver does not know this request
 * @KVM_HEARTBEAT_ANSWER_BUSY: it did so a moment ago, and does not do it again
 */
enum kvm_heartbeat_answer {
	KVM_HEARTBEAT_ANSWER_NONE = 0,
	KVM_HEARTBEAT_ANSWER_OBEYED = 1,
	KVM_HEARTBEAT_ANSWER_REFUSED = 2,
	KVM_HEARTBEAT_ANSWER_UNKNOWN = 3,
	KVM_HEARTBEAT_ANSWER_BUSY = 4,
};

/*
 * A request and its answer are words of one form: what is asked for, or said, in
 * the low 8 bits, and above them the number of the request, 24 bits, never 0.
 */
#define KVM_HEARTBEAT_REQUEST_WHAT	0x000000ff
#define KVM_HEARTBEAT_REQUEST_SEQ_SHIFT	8

/**
 * struct kvm_heartbeat_pulse_header - the start of BAR2
 * @magic: %KVM_HEARTBEAT_MAGIC
 * @version: %KVM_HEARTBEAT_VERSION
 * @config_seq: generation of the configuration: odd while the host writes it,
 *	even and changed once it has; read it before and after the values
 * @nr_slots: number of entries in the array of &struct kvm_heartbeat_slot that
 *	follows this header
 * @interval_ns: time between two beats, ns
 * @timeout_ns: silence after which the host calls the guest unresponsive, ns
 * @request: what the host asks for, &enum kvm_heartbeat_request, and the number of
 *	that request. A new number is a new request, to be obeyed and answered
 *	once; one that is there at %KVM_HEARTBEAT_ARM was meant for another
 *	kernel, and is neither
 * @reserved0: zero
 * @config_ack: the @config_seq by which the guest beats, written before
 *	%KVM_HEARTBEAT_ARM and before every beat. After a change of the interval
 *	the host judges by the longest interval and timeout set since the last
 *	beat that acknowledged, until one acknowledges the newest
 * @user_timeout_ms: the timeout of the guest's watchdog as userspace set it,
 *	ms; 0: userspace uses none and is not to be judged
 * @user_age_ms: for how long, ms, saturating, userspace has not pinged the
 *	watchdog, as the beats count it: each adds the time since the beat
 *	before it, but never more than one interval, so that a guest which the
 *	host gave no time does not look guilty. 0 at the first beat after a
 *	ping, and at %KVM_HEARTBEAT_ARM. Stored before @user_timeout_ms
 * @blocked_timeout_ms: for how long a task may sleep uninterruptibly, ms; 0:
 *	tasks are not looked at, and not to be judged
 * @blocked_age_ms: for how long, ms, saturating, the task has slept so that
 *	has done so for longest, as far as looks at the tasks saw it without a
 *	break. Each look adds the time since the look before it, but never more
 *	than looks are to be apart, so that a guest which the host gave no time
 *	does not look guilty. 0 if no task does, or none but those that wait
 *	for a file system which is frozen, and while the kernel has userspace
 *	frozen. Stored before @blocked_timeout_ms
 * @reserved1: zero
 * @request_ack: &enum kvm_heartbeat_answer, and the number of the request that it
 *	answers. Stored before the request is obeyed
 *
 * The first cache line is the host's to write, the second the guest's. The
 * host never reads back what it wrote here.
 */
struct kvm_heartbeat_pulse_header {
	__le32 magic;
	__le32 version;
	__le32 config_seq;
	__le32 nr_slots;
	__le64 interval_ns;
	__le64 timeout_ns;
	__le32 request;
	__u8 reserved0[28];

	__le32 config_ack;
	__le32 user_timeout_ms;
	__le32 user_age_ms;
	__le32 blocked_timeout_ms;
	__le32 blocked_age_ms;
	__u8 reserved1[40];
	__le32 request_ack;
};

#define KVM_HEARTBEAT_SLOT_ONLINE	0x00000001	/* this CPU pulses */

/**
 * struct kvm_heartbeat_slot - the pulse of one guest CPU, one cache line
 * @pulses: incremented by the CPU itself from its timer interrupt, at least
 *	once an interval; begins anew at 0 with each load of the driver
 * @flags: %KVM_HEARTBEAT_SLOT_ONLINE or zero; means nothing unless armed
 * @sched_age_ms: for how long, ms, saturating, this CPU's timer interrupt has
 *	come, but the driver's thread on this CPU was not scheduled: each pulse
 *	adds the time since the pulse before it, but never more than one
 *	interval, so that a CPU which the host gave no time does not look
 *	guilty. 0 while the CPU idles by choice, and when its timer starts.
 *	Stored before @pulses
 * @reserved: zero
 *
 * Slot n belongs to guest CPU n. A CPU whose number is @nr_slots or above has
 * no slot and may still ring the doorbell.
 */
struct kvm_heartbeat_slot {
	__le64 pulses;
	__le32 flags;
	__le32 sched_age_ms;
	__u8 reserved[48];
};

#endif /* _UAPI_KVM_HEARTBEAT_H */
