/* SPDX-License-Identifier: GPL-2.0 */
/* All words of states and causes that the module of this version has (host-module/words.h). */
#ifndef HB_WORDS_H
#define HB_WORDS_H

#include <stddef.h>

struct hb_words {
	const char * const *all;
	size_t nr;
};

extern const struct hb_words hb_states;
extern const struct hb_words hb_causes;

/**
 * struct hb_text - what a word means
 * @word: the word
 * @means: in sentences
 * @todo: what to do, in sentences
 */
struct hb_text {
	const char *word;
	const char *means;
	const char *todo;
};

const struct hb_text *hb_explain_state(const char *state);
const struct hb_text *hb_explain_cause(const char *state, const char *cause);

#endif /* HB_WORDS_H */
