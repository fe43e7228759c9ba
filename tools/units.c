// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "units.h"

#define SEC	UINT64_C(1000000000)

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", SEC },
	{ "min", 60 * SEC },
	{ "m", 60 * SEC },
	{ "h", 3600 * SEC },
	{ "d", 86400 * SEC },
};

static const struct unit *parse_unit(const char **text)
{
	size_t len = 0;

	while (isalpha((unsigned char)(*text)[len]))
		len++;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strlen(units[i].name) == len && !strncmp(units[i].name, *text, len)) {
			*text += len;
			return &units[i];
		}
	}
	return NULL;
}

/* Digits, as an integer of at most 19 of them, which fit in 64 bits. How many, or -1. */
static int parse_digits(const char **text, uint64_t *number)
{
	int nr = 0;

	for (*number = 0; isdigit((unsigned char)**text); (*text)++) {
		if (++nr > 19)
			return -1;
		*number = 10 * *number + (**text - '0');
	}
	return nr;
}

/* A number with a unit, such as 1.5s. A fraction of a nanosecond is cut off. */
static int parse_part(const char **text, uint64_t *ns)
{
	uint64_t whole, fraction = 0, divisor = 1;
	const struct unit *unit;
	int before, after = 0;

	before = parse_digits(text, &whole);
	if (**text == '.') {
		(*text)++;
		after = parse_digits(text, &fraction);
	}
	if (before < 0 || after < 0)
		return -ERANGE;
	unit = parse_unit(text);
	if (!unit || before + after == 0)
		return -EINVAL;
	for (; after; after--)
		divisor *= 10;
	*ns = (__uint128_t)fraction * unit->ns / divisor;
	if (__builtin_mul_overflow(whole, unit->ns, &whole) ||
	    __builtin_add_overflow(*ns, whole, ns))
		return -ERANGE;
	return 0;
}

/**
 * hb_parse_time - read a time
 * @text: such as 2s, 500ms, 1.5s, 1h30m; 0 needs no unit
 * @ns: the time
 *
 * Return: 0, -EINVAL if it is none, or -ERANGE if it is too large for 64 bits.
 */
int hb_parse_time(const char *text, uint64_t *ns)
{
	uint64_t part;
	int ret;

	*ns = 0;
	if (!strcmp(text, "0"))
		return 0;
	do {
		ret = parse_part(&text, &part);
		if (ret)
			return ret;
		if (__builtin_add_overflow(*ns, part, ns))
			return -ERANGE;
	} while (*text);
	return 0;
}

/* With three decimals at most, and none that says nothing. */
static void format_decimal(char *buf, uint64_t ns, uint64_t unit, const char *name)
{
	int len = snprintf(buf, HB_TIME_LEN, "%u.%03u", (unsigned int)(ns / unit),
			   (unsigned int)(ns % unit * 1000 / unit));

	while (buf[len - 1] == '0')
		len--;
	if (buf[len - 1] == '.')
		len--;
	snprintf(buf + len, HB_TIME_LEN - len, "%s", name);
}

/**
 * hb_format_time - write a time
 * @buf: where to
 * @ns: the time, of which what is less than a thousandth of the unit is cut off
 *
 * Return: @buf.
 */
const char *hb_format_time(char buf[HB_TIME_LEN], uint64_t ns)
{
	uint64_t s = ns / SEC;

	if (!ns)
		snprintf(buf, HB_TIME_LEN, "0s");
	else if (ns < 1000)
		snprintf(buf, HB_TIME_LEN, "%uns", (unsigned int)ns);
	else if (ns < 1000000)
		format_decimal(buf, ns, 1000, "us");
	else if (ns < SEC)
		format_decimal(buf, ns, 1000000, "ms");
	else if (s < 60)
		format_decimal(buf, ns, SEC, "s");
	else if (s < 3600)
		snprintf(buf, HB_TIME_LEN, "%um%02us", (unsigned int)(s / 60),
			 (unsigned int)(s % 60));
	else if (s < 86400)
		snprintf(buf, HB_TIME_LEN, "%uh%02um", (unsigned int)(s / 3600),
			 (unsigned int)(s / 60 % 60));
	else
		snprintf(buf, HB_TIME_LEN, "%llud%02uh", (unsigned long long)(s / 86400),
			 (unsigned int)(s / 3600 % 24));
	return buf;
}

/**
 * hb_clock_ns - the time on the monotonic clock
 *
 * Return: nanoseconds.
 */
uint64_t hb_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SEC + now.tv_nsec;
}
