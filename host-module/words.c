// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "kvm_heartbeat.h"
#include "pulse.h"
#include "words.h"

/* In the tables' order, which is that of the enums. */
#define WORD(name, word) word,
static const char * const state_words[] = { KVMHB_STATES(WORD) };
static const char * const cause_words[] = { KVMHB_CAUSES(WORD) };
#undef WORD

/**
 * kvmhb_state_word - the word for a state
 * @state: below %KVMHB_NR_STATES
 *
 * Return: a static string of %KVMHB_WORD_SIZE bytes at the most.
 */
const char *kvmhb_state_word(enum kvmhb_state state)
{
	return state_words[state];
}

/**
 * kvmhb_cause_word - the word for a cause
 * @cause: below %KVMHB_NR_CAUSES
 *
 * Return: a static string of %KVMHB_WORD_SIZE bytes at the most.
 */
const char *kvmhb_cause_word(enum kvmhb_cause cause)
{
	return cause_words[cause];
}

/**
 * kvmhb_lifecycle - what follows from the guest's word about itself
 * @verdict: state and cause so far; replaced if the word is accepted
 * @word: what the guest wrote, trusted in nothing
 *
 * A guest that panicked, or its crash kernel, may still run the code of an orderly reboot;
 * only a new incarnation, a reset or the end of the VM takes the panic back. What an oops
 * means shows later.
 *
 * Return: whether the word was accepted.
 */
bool kvmhb_lifecycle(struct kvmhb_verdict *verdict, u32 word)
{
	static const struct kvmhb_verdict verdicts[] = {
		[KVM_HEARTBEAT_ARM]	 = { KVMHB_ALIVE, KVMHB_CAUSE_NONE },
		[KVM_HEARTBEAT_SHUTDOWN] = { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN },
		[KVM_HEARTBEAT_REBOOT]	 = { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT },
		[KVM_HEARTBEAT_SUSPEND]	 = { KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND },
		[KVM_HEARTBEAT_UNLOAD]	 = { KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD },
		[KVM_HEARTBEAT_PANIC]	 = { KVMHB_PANICKED, KVMHB_CAUSE_PANIC },
		[KVM_HEARTBEAT_DUMPING]	 = { KVMHB_PANICKED, KVMHB_CAUSE_DUMPING },
	};

	if (word == KVM_HEARTBEAT_OOPS)
		return kvmhb_verdict_is_armed(verdict);
	if (word == KVM_HEARTBEAT_NONE || word >= ARRAY_SIZE(verdicts))
		return false;
	if (verdict->state == KVMHB_PANICKED && word != KVM_HEARTBEAT_ARM &&
	    word != KVM_HEARTBEAT_DUMPING &&
	    !(word == KVM_HEARTBEAT_PANIC && verdict->cause == KVMHB_CAUSE_DUMPING))
		return false;

	*verdict = verdicts[word];
	return true;
}

/**
 * kvmhb_may_revive - whether a beat shows that a panic was none, or that its dump goes on
 * @verdict: state and cause
 * @lifecycle: the last word that was accepted
 *
 * Return: true if the guest is taken for dead without having said so itself: after an oops,
 * or in the midst of its dump.
 */
bool kvmhb_may_revive(const struct kvmhb_verdict *verdict, u32 lifecycle)
{
	return verdict->state == KVMHB_PANICKED && verdict->cause == KVMHB_CAUSE_PANIC &&
	       (lifecycle == KVM_HEARTBEAT_DUMPING || lifecycle == KVM_HEARTBEAT_OOPS);
}

/**
 * kvmhb_goodbye - how a guest's end is explained, should its VM end now
 * @said: the explanation so far, %KVMHB_CAUSE_NONE if there is none
 * @verdict: the new state and cause
 *
 * A VMM may reset the device between the guest's goodbye and its own: only a guest that
 * arms takes back what was said. What ends in the midst of its dump has panicked.
 *
 * Return: the cause, or %KVMHB_CAUSE_NONE.
 */
enum kvmhb_cause kvmhb_goodbye(enum kvmhb_cause said, const struct kvmhb_verdict *verdict)
{
	if (verdict->cause == KVMHB_CAUSE_DUMPING)
		return KVMHB_CAUSE_PANIC;
	if (verdict->state == KVMHB_STOPPED || verdict->state == KVMHB_PANICKED)
		return verdict->cause;
	return kvmhb_verdict_is_armed(verdict) ? KVMHB_CAUSE_NONE : said;
}

/**
 * kvmhb_cpu_list - write down which CPUs
 * @buf: where to, %KVMHB_CPU_LIST_LEN bytes
 * @cpus: bitmap of %KVMHB_PULSE_MAX_SLOTS bits
 *
 * A list that is longer than about 128 characters ends with ``,...`` instead: in a line
 * that has a bound it must leave room for what follows.
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
