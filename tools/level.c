// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "level.h"

static bool is(const char *word, const char *other)
{
	return !strcmp(word, other);
}

/**
 * hb_level - how bad a state is
 * @reading: with state and cause
 *
 * A monitor without a VM is well, however its VM ended: `virsh destroy` leaves a monitor as a VMM
 * that was killed does, for good, and only whoever supervises VMs knows which should run. Likewise
 * one whose VM is held, as by `virsh suspend`. One beat that is overdue is no reason to look. The
 * alert rules of tools/prometheus agree.
 *
 * Return: the level; %HB_UNKNOWN for words of a newer module.
 */
enum hb_level hb_level(const struct hb_reading *reading)
{
	const char *state = hb_text(reading, HB_FILE_STATE);
	const char *cause = hb_text(reading, HB_FILE_CAUSE);

	if (is(state, "alive") || is(state, "waiting") || is(state, "stopped") ||
	    is(state, "detached") || is(state, "paused") ||
	    (is(state, "late") && (is(cause, "none") || is(cause, "paused"))))
		return HB_OK;
	if (is(state, "degraded") || is(state, "late") || is(cause, "dumping"))
		return HB_WARNING;
	return is(state, "unresponsive") || is(state, "panicked") ? HB_CRITICAL : HB_UNKNOWN;
}
