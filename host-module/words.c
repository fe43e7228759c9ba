// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "words.h"
#include "pulse.h"

/* In the tables' order, which is that of the enums. */
#define WORD(name, word) word,
static const char * const state_words[] = { KVMHB_STATES(WORD) };
static const char * const cause_words[] = { KVMHB_CAUSES(WORD) };
#undef WORD

/**
 * kvmhb_state_word - the word for a state
 * @state: below %KVMHB_NR_STATES
 *
 * Return: a static string of %KVMHB_WORD_SIZE bytes at the most. Context: any.
 */
const char *kvmhb_state_word(enum kvmhb_state state)
{
	return state_words[state];
}

/**
 * kvmhb_cause_word - the word for a cause
 * @cause: below %KVMHB_NR_CAUSES
 *
 * Return: a static string of %KVMHB_WORD_SIZE bytes at the most. Context: any.
 */
const char *kvmhb_cause_word(enum kvmhb_cause cause)
{
	return cause_words[cause];
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
