// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "names.h"

/**
 * hb_name_clean - make a name fit to be shown
 * @name: what a VMM said, trusted in nothing; each character that cannot be seen becomes ?
 *
 * Control characters move the cursor. Those without a width turn the direction of what follows, or
 * make two names look the same.
 *
 * A program calls setlocale() with a locale of UTF-8 before, or all beyond ASCII becomes ?.
 */
void hb_name_clean(char *name)
{
	size_t left = strlen(name), len;
	mbstate_t state = { 0 };
	wchar_t wide;

	for (; left; name += len, left -= len) {
		len = mbrtowc(&wide, name, left, &state);
		if (len > left) {
			/* No character of this encoding, or the beginning of one. */
			memset(&state, 0, sizeof(state));
			len = 1;
			*name = '?';
		} else if (wcwidth(wide) < 1) {
			memset(name, '?', len);
		}
	}
}

/* Copy an option up to the next comma; QEMU doubles one that is part of it. */
static const char *copy_value(const char *from, const char *end, char name[HB_NAME_LEN])
{
	size_t len = 0;

	for (; from < end; from++) {
		if (*from == ',') {
			from++;
			if (from == end || *from != ',')
				break;
		}
		if (len < HB_NAME_LEN - 1)
			name[len++] = *from;
	}
	name[len] = '\0';
	return from;
}

/* The value of -name: [guest=]NAME first, or guest=NAME anywhere. */
static void name_of_option(const char *option, size_t len, char name[HB_NAME_LEN])
{
	const char *end = option + len, *at = option;
	char value[HB_NAME_LEN];

	while (at < end) {
		bool first = at == option;

		at = copy_value(at, end, value);
		if (!strncmp(value, "guest=", 6) || (first && !strchr(value, '='))) {
			memcpy(name, value, sizeof(value));
			if (!strncmp(value, "guest=", 6))
				memmove(name, name + 6, strlen(name + 6) + 1);
		}
	}
}

/**
 * hb_name_of_cmdline - the name that QEMU's command line gives a VM
 * @args: as in /proc/PID/cmdline, each argument with its end
 * @len: of @args
 * @name: the name, empty if there is none; the last one counts, as with QEMU
 */
void hb_name_of_cmdline(const char *args, size_t len, char name[HB_NAME_LEN])
{
	const char *end = args + len;
	bool is_name = false;

	*name = '\0';
	while (args < end) {
		size_t arg = strnlen(args, end - args);

		if (is_name)
			name_of_option(args, arg, name);
		is_name = (arg == 5 && !memcmp(args, "-name", 5)) ||
			  (arg == 6 && !memcmp(args, "--name", 6));
		args += arg + 1;
	}
	hb_name_clean(name);
}

/**
 * hb_uuid_of_cmdline - the UUID that QEMU's -uuid gives a VM, which is not that of its monitor
 * @args: as in /proc/PID/cmdline, each argument with its end
 * @len: of @args
 * @uuid: the UUID, empty if there is none; the last one counts, as with QEMU
 */
void hb_uuid_of_cmdline(const char *args, size_t len, char uuid[HB_NAME_LEN])
{
	const char *end = args + len;
	bool is_uuid = false;

	*uuid = '\0';
	while (args < end) {
		size_t arg = strnlen(args, end - args);

		if (is_uuid)
			snprintf(uuid, HB_NAME_LEN, "%.*s", (int)arg, args);
		is_uuid = (arg == 5 && !memcmp(args, "-uuid", 5)) ||
			  (arg == 6 && !memcmp(args, "--uuid", 6));
		args += arg + 1;
	}
	hb_name_clean(uuid);
}

static bool begins_uuid(const char *uuid, const char *word)
{
	for (; *word; uuid++, word++) {
		if (tolower((unsigned char)*word) != *uuid)
			return false;
	}
	return true;
}

/**
 * hb_resolve - find the monitor that a user means
 * @monitors: all of them
 * @names: of their VMs
 * @word: a name, or a UUID or its beginning
 * @which: number of the monitor, or of the first one that it may be
 *
 * A name counts before the beginning of a UUID, but not before a whole one: a VM cannot pass
 * for another by its name.
 *
 * Return: whether there is one, none, or more than one.
 */
enum hb_match hb_resolve(const struct hb_monitors *monitors, const char (*names)[HB_NAME_LEN],
			 const char *word, size_t *which)
{
	size_t nr_named = 0, nr_begun = 0, begun = 0, named = 0;

	for (size_t i = 0; *word && i < monitors->nr; i++) {
		if (begins_uuid(monitors->all[i].uuid, word)) {
			if (strlen(word) == HB_UUID_LEN) {
				*which = i;
				return HB_MATCH_ONE;
			}
			if (!nr_begun++)
				begun = i;
		}
		if (!strcmp(names[i], word) && !nr_named++)
			named = i;
	}
	*which = nr_named ? named : begun;
	nr_named = nr_named ?: nr_begun;
	return nr_named == 1 ? HB_MATCH_ONE : nr_named ? HB_MATCH_MANY : HB_MATCH_NONE;
}
