// SPDX-License-Identifier: GPL-2.0
/* What the headers in include/ leave of the kernel. */
#include <stdarg.h>
#include <stdio.h>

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#undef snprintf
#undef scnprintf

void *kmemdup(const void *from, size_t size, int gfp)
{
	void *copy = malloc(size);

	return memcpy(copy, from, size);
}

long shim_strscpy(char *to, const char *from, size_t size)
{
	int length;

	if (!size || size > INT_MAX)
		return -E2BIG;
	length = snprintf(to, size, "%s", from);
	return (size_t)length < size ? length : -E2BIG;
}

/* A list of the bits that are set, such as "1,3-5". */
static int print_list(char *buf, size_t size, const unsigned long *map, int bits)
{
	int first, last, length = 0;

	if (size)
		buf[0] = '\0';
	for (first = 0; first < bits; first++) {
		char range[32];

		if (!test_bit(first, map))
			continue;
		for (last = first; last + 1 < bits && test_bit(last + 1, map); last++)
			;
		snprintf(range, sizeof(range), first == last ? "%s%d" : "%s%d-%d",
			 length ? "," : "", first, last);
		if ((size_t)length < size)
			snprintf(buf + length, size - length, "%s", range);
		length += strlen(range);
		first = last;
	}
	return length;
}

int shim_snprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	if (strcmp(format, "%*pbl")) {
		length = vsnprintf(buf, size, format, args);
	} else {
		int bits = va_arg(args, int);

		length = print_list(buf, size, va_arg(args, const unsigned long *), bits);
	}
	va_end(args);
	return length;
}

int shim_scnprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(buf, size, format, args);
	va_end(args);
	return (size_t)length < size ? length : (int)size - 1;
}
