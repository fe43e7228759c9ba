// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "../host-module/words.h"
#include "texts.h"
#include "words.h"

#define WORD(name, word)	word,
static const char * const states[] = { KVMHB_STATES(WORD) };
static const char * const causes[] = { KVMHB_CAUSES(WORD) };
#undef WORD

#define NR(array)	(sizeof(array) / sizeof(*(array)))

const struct hb_words hb_states = { states, NR(states) };
const struct hb_words hb_causes = { causes, NR(causes) };

#define STATE_TEXT(name, word)	{ word, STATE_##name },
static const struct hb_text state_texts[] = { KVMHB_STATES(STATE_TEXT) };

#define CAUSE_TEXT(name, word)	{ word, CAUSE_##name },
static const struct hb_text cause_texts[] = { KVMHB_CAUSES(CAUSE_TEXT) };

#define PAIR(state, cause, means, todo)	{ state, { cause, means, todo } },
static const struct {
	const char *state;
	struct hb_text text;
} pair_texts[] = { PAIRS(PAIR) };

/**
 * hb_explain_state - what a state means
 * @state: its word
 *
 * Return: a text, or NULL if the word is of a newer module.
 */
const struct hb_text *hb_explain_state(const char *state)
{
	for (size_t i = 0; i < NR(state_texts); i++) {
		if (!strcmp(state_texts[i].word, state))
			return &state_texts[i];
	}
	return NULL;
}

/**
 * hb_explain_cause - what a cause means in a state
 * @state: word of the state
 * @cause: word of the cause
 *
 * Return: a text, or NULL if the word is of a newer module.
 */
const struct hb_text *hb_explain_cause(const char *state, const char *cause)
{
	for (size_t i = 0; i < NR(pair_texts); i++) {
		if (!strcmp(pair_texts[i].state, state) && !strcmp(pair_texts[i].text.word, cause))
			return &pair_texts[i].text;
	}
	for (size_t i = 0; i < NR(cause_texts); i++) {
		if (!strcmp(cause_texts[i].word, cause))
			return &cause_texts[i];
	}
	return NULL;
}
