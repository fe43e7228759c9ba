// SPDX-License-Identifier: GPL-2.0
#include "out.h"

/**
 * hb_out_json - write a text as a JSON string
 * @out: where to
 * @text: UTF-8
 */
void hb_out_json(FILE *out, const char *text)
{
	putc_unlocked('"', out);
	for (; *text; text++) {
		unsigned char byte = *text;

		if (byte < 0x20 || byte == 0x7f) {
			fprintf(out, "\\u%04x", byte);
			continue;
		}
		if (byte == '"' || byte == '\\')
			putc_unlocked('\\', out);
		putc_unlocked(byte, out);
	}
	putc_unlocked('"', out);
}

/**
 * hb_out_label - write a text as a label's value of OpenMetrics, with its quotes
 * @out: where to
 * @text: UTF-8
 */
void hb_out_label(FILE *out, const char *text)
{
	putc_unlocked('"', out);
	for (; *text; text++) {
		if (*text == '\n') {
			fputs_unlocked("\\n", out);
			continue;
		}
		if (*text == '"' || *text == '\\')
			putc_unlocked('\\', out);
		putc_unlocked(*text, out);
	}
	putc_unlocked('"', out);
}
