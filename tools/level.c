// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "level.h"

static bool is(const char *word, const char *other)
{
	return !strcmp(word, other);
}

/* A VM that ended without a goodbye is worth a look; one that said goodbye is none of ours. */
static enum hb_level level_of_end(const char *cause)
{
	return is(cause, "vmm-gone") || is(cause, "panic") || is(cause, "triple-fault") ||
	       is(cause, "dumping") ? HB_WARNING : HB_OK;
}

/**
 * hb_level - how bad a state is
 * @reading: with state and cause
 *
 * Return: the level; %HB_UNKNOWN for words of a newer module.
 */
enum hb_level hb_level(const struct hb_reading *reading)
{
	const char *state = hb_text(reading, HB_FILE_STATE);
	const char *cause = hb_text(reading, HB_FILE_CAUSE);

	if (is(state, "alive") || is(state, "waiting") || is(state, "stopped"))
		return HB_OK;
	if (is(state, "detached"))
		return level_of_end(cause);
	if (is(state, "degraded") || is(state, "late") || is(state, "paused") ||
	    is(cause, "dumping"))
		return HB_WARNING;
	return is(state, "unresponsive") || is(state, "panicked") ? HB_CRITICAL : HB_UNKNOWN;
}
