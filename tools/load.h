/* SPDX-License-Identifier: GPL-2.0 */
#ifndef HB_LOAD_H
#define HB_LOAD_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct hb_symbol - a function of a library
 * @name: its name
 * @at: the pointer to it, which is filled in
 */
struct hb_symbol {
	const char *name;
	void *at;
};

bool hb_load(const char *library, const struct hb_symbol *symbols, size_t nr);

#endif
