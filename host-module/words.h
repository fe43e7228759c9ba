/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The states of a monitor, their causes, the words that users see for them, and what the
 * guest's own words mean. One line makes a state or a cause: enum, word and the room for the
 * longest follow from these two tables. The words are ABI (Documentation/sysfs.rst), and so
 * are their numbers (Documentation/stream.rst): add at the end, never rename.
 */
#ifndef KVMHB_WORDS_H
#define KVMHB_WORDS_H

#include <linux/bits.h>
#include <linux/types.h>

/* What a monitor says of its guest. */
#define KVMHB_STATES(state) \
	state(DETACHED, "detached")		/* no VM */ \
	state(WAITING, "waiting")		/* VM attached, guest driver not armed */ \
	state(ALIVE, "alive")			/* beats arrive */ \
	state(DEGRADED, "degraded")		/* likewise, but a CPU or a layer is stale */ \
	state(LATE, "late")			/* one beat is overdue */ \
	state(UNRESPONSIVE, "unresponsive")	/* no beat for the timeout that it had */ \
	state(PAUSED, "paused")			/* the host does not let it run */ \
	state(STOPPED, "stopped")		/* the guest said that it will not beat */ \
	state(PANICKED, "panicked")		/* the guest kernel has panicked */

/* Why. */
#define KVMHB_CAUSES(cause) \
	cause(NONE, "none")			/* nothing to explain */ \
	cause(HUNG, "hung")			/* its CPUs execute, and take no interrupts */ \
	cause(HALTED, "halted")			/* its CPUs have halted, nothing wakes them */ \
	cause(BEAT_LOST, "beat-lost")		/* its CPUs take interrupts, but no beat comes */ \
	cause(KVM_ERROR, "kvm-error")		/* KVM cannot run it any more */ \
	cause(PARTIAL, "partial")		/* some of its CPUs are stale */ \
	cause(SOFTLOCKUP, "softlockup")		/* the scheduler of some of its CPUs is stale */ \
	cause(USERSPACE, "userspace")		/* its userspace does not feed its watchdog */ \
	cause(PAUSED, "paused")			/* VMM, signal, freezer or debugger holds it */ \
	cause(STARVED, "starved")		/* its vCPUs wait for host CPUs */ \
	cause(VMM_STUCK, "vmm-stuck")		/* a vCPU waits for its VMM */ \
	cause(HOST_BLOCKED, "host-blocked")	/* a vCPU is kept in the host's kernel */ \
	cause(HOST_DEGRADED, "host-degraded")	/* the host is late, or a CPU of it is dead */ \
	cause(SHUTDOWN, "shutdown")		/* the guest said that it halts or powers off */ \
	cause(REBOOT, "reboot")			/* ... that it restarts */ \
	cause(SUSPEND, "suspend")		/* ... that it suspends */ \
	cause(UNLOAD, "unload")			/* ... that its driver lets go of the device */ \
	cause(PANIC, "panic")			/* ... that it panicked, or it fell silent */ \
	cause(TRIPLE_FAULT, "triple-fault")	/* a CPU of it has shut down */ \
	cause(VMM_GONE, "vmm-gone")		/* the VMM closed the device, unannounced */ \
	cause(UNKNOWN, "unknown")		/* no evidence names a cause */ \
	cause(MIGRATED, "migrated")		/* the VM goes on elsewhere */ \
	cause(BLOCKED, "blocked")		/* its tasks wait for storage for too long */ \
	cause(NO_BOOT, "no-boot")		/* it has not armed by its deadline */ \
	cause(NO_SHUTDOWN, "no-shutdown")	/* it has not ended by its deadline */ \
	cause(DUMPING, "dumping")		/* its crash kernel lives, to save its memory */

#define KVMHB_STATE(name, word) KVMHB_##name,
enum kvmhb_state { KVMHB_STATES(KVMHB_STATE) KVMHB_NR_STATES };

#define KVMHB_CAUSE(name, word) KVMHB_CAUSE_##name,
enum kvmhb_cause { KVMHB_CAUSES(KVMHB_CAUSE) KVMHB_NR_CAUSES };

/* As large as the longest word. */
#define KVMHB_MEMBER(name, word) char name[sizeof(word)];
union kvmhb_word {
	union { KVMHB_STATES(KVMHB_MEMBER) } state;
	union { KVMHB_CAUSES(KVMHB_MEMBER) } cause;
};

#define KVMHB_WORD_SIZE	sizeof(union kvmhb_word)	/* of a word and its end, bytes */

/**
 * struct kvmhb_verdict - a state and why
 * @state: the state
 * @cause: the cause
 */
struct kvmhb_verdict {
	enum kvmhb_state state;
	enum kvmhb_cause cause;
};

const char *kvmhb_state_word(enum kvmhb_state state);
const char *kvmhb_cause_word(enum kvmhb_cause cause);
bool kvmhb_lifecycle(struct kvmhb_verdict *verdict, u32 word);
bool kvmhb_may_revive(const struct kvmhb_verdict *verdict, u32 lifecycle);
enum kvmhb_cause kvmhb_goodbye(enum kvmhb_cause said, const struct kvmhb_verdict *verdict);

#define KVMHB_CPU_LIST_LEN	(128 + sizeof(",..."))

void kvmhb_cpu_list(char *buf, const unsigned long *cpus);

/* What every beat asks is inline: calls would be a good part of its cost. */

/**
 * kvmhb_state_beats - whether a guest beats as it should in a state
 * @state: the state
 *
 * Return: true if the guest is not silent.
 */
static inline bool kvmhb_state_beats(enum kvmhb_state state)
{
	return state == KVMHB_ALIVE || state == KVMHB_DEGRADED;
}

/**
 * kvmhb_state_is_armed - whether beats count in a state
 * @state: the state, of which kvmhb_verdict_beat_state() knows better if it is unresponsive
 *
 * Return: true between the guest's arming and its goodbye.
 */
static inline bool kvmhb_state_is_armed(enum kvmhb_state state)
{
	return BIT(state) & (BIT(KVMHB_ALIVE) | BIT(KVMHB_DEGRADED) | BIT(KVMHB_LATE) |
			     BIT(KVMHB_UNRESPONSIVE) | BIT(KVMHB_PAUSED));
}

/**
 * kvmhb_verdict_is_overdue - whether a guest that is not armed has missed a deadline
 * @verdict: state and cause
 *
 * Return: true if it is unresponsive though it owes no beats.
 */
static inline bool kvmhb_verdict_is_overdue(const struct kvmhb_verdict *verdict)
{
	return verdict->state == KVMHB_UNRESPONSIVE && (verdict->cause == KVMHB_CAUSE_NO_BOOT ||
							verdict->cause == KVMHB_CAUSE_NO_SHUTDOWN);
}

/**
 * kvmhb_verdict_beat_state - the state, as far as beats go
 * @verdict: state and cause
 *
 * Return: the state, or one that is not armed if the guest is overdue.
 */
static inline enum kvmhb_state kvmhb_verdict_beat_state(const struct kvmhb_verdict *verdict)
{
	return kvmhb_verdict_is_overdue(verdict) ? KVMHB_STOPPED : verdict->state;
}

/**
 * kvmhb_verdict_is_armed - whether beats count
 * @verdict: state and cause
 *
 * Return: true between the guest's arming and its goodbye.
 */
static inline bool kvmhb_verdict_is_armed(const struct kvmhb_verdict *verdict)
{
	return kvmhb_state_is_armed(kvmhb_verdict_beat_state(verdict));
}

/**
 * kvmhb_verdict_beats - whether a guest beats as it should
 * @verdict: state and cause
 *
 * Return: true if it is not silent, be it that its crash kernel beats.
 */
static inline bool kvmhb_verdict_beats(const struct kvmhb_verdict *verdict)
{
	return kvmhb_state_beats(verdict->state) || verdict->cause == KVMHB_CAUSE_DUMPING;
}

/**
 * kvmhb_state_is_outage - whether a state says that the guest is dead
 * @state: the state
 *
 * Return: true if it is, or says so itself.
 */
static inline bool kvmhb_state_is_outage(enum kvmhb_state state)
{
	return state == KVMHB_UNRESPONSIVE || state == KVMHB_PANICKED;
}

#endif /* KVMHB_WORDS_H */
