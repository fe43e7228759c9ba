// SPDX-License-Identifier: GPL-2.0
#include "kvm_heartbeat.h"
#include "life.h"

/*
 * Whether the kernel that arms is another one than that which has spoken last. A driver arms
 * once, and again only after it has said that it suspends or lets go. A VMM resets the device
 * at the end of a suspend; a guest whose driver has let go and that is reset then reboots.
 */
static bool life_is_new_kernel(enum kvmhb_state state, enum kvmhb_cause goodbye)
{
	switch (goodbye) {
	case KVMHB_CAUSE_SUSPEND:
		return false;
	case KVMHB_CAUSE_UNLOAD:
		return state != KVMHB_STOPPED;
	default:
		return true;
	}
}

/**
 * kvmhb_life_word - the guest says a word
 * @life: what was counted
 * @word: the word, trusted in nothing; not one that is only inferred from beats
 * @state: the guest's state before it
 * @goodbye: as kvmhb_goodbye() has it before it
 */
void kvmhb_life_word(struct kvmhb_life *life, u32 word, enum kvmhb_state state,
		     enum kvmhb_cause goodbye)
{
	if (word == KVM_HEARTBEAT_ARM && life_is_new_kernel(state, goodbye))
		life->boots++;
}

/**
 * kvmhb_life_change - the guest's state changes, or only its cause
 * @life: what was counted
 * @old: its state so far
 * @new: its new state
 */
void kvmhb_life_change(struct kvmhb_life *life, enum kvmhb_state old, enum kvmhb_state new)
{
	if (old != new && new == KVMHB_PANICKED)
		life->panics++;
}

/**
 * kvmhb_life_reset - the device is reset
 * @life: what was counted
 * @lifecycle: the last word that was accepted since the reset before, %KVM_HEARTBEAT_NONE if
 *	there was none: a VMM resets its devices several times before the guest begins
 */
void kvmhb_life_reset(struct kvmhb_life *life, u32 lifecycle)
{
	if (lifecycle != KVM_HEARTBEAT_NONE)
		life->resets++;
}
