// SPDX-License-Identifier: GPL-2.0
#include <dlfcn.h>
#include <string.h>

#include "load.h"

/**
 * hb_load - load a library where it is installed, so that building does not need it
 * @library: its file
 * @symbols: the functions of it that are used
 * @nr: how many
 *
 * Return: whether all of them are there; none may be called otherwise.
 */
bool hb_load(const char *library, const struct hb_symbol *symbols, size_t nr)
{
	void *handle = dlopen(library, RTLD_NOW);
	void *function;

	if (!handle)
		return false;
	for (size_t i = 0; i < nr; i++) {
		function = dlsym(handle, symbols[i].name);
		if (!function)
			return false;
		memcpy(symbols[i].at, &function, sizeof(function));
	}
	return true;
}
