/* SPDX-License-Identifier: GPL-2.0 */
/* What may hold up whoever does it, for ever: a child does it. */
#ifndef HB_CHILD_H
#define HB_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "names.h"

/**
 * struct hb_found - names that a child finds, in memory that it shares with its parent
 * @at: which name it is at; only while this grows is it waited for
 * @nr: of @names
 * @names: all empty at first
 */
struct hb_found {
	volatile size_t at;
	size_t nr;
	char names[][HB_NAME_LEN];
};

struct hb_found *hb_found_new(size_t nr);
void hb_found_free(struct hb_found *found);
void hb_child_find(void (*find)(const void *what, struct hb_found *found), const void *what,
		   struct hb_found *found);

#endif /* HB_CHILD_H */
