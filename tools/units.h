/* SPDX-License-Identifier: GPL-2.0 */
/* Times as people write and read them. */
#ifndef HB_UNITS_H
#define HB_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define HB_TIME_LEN	32	/* of any time in words, and its end */

int hb_parse_time(const char *text, uint64_t *ns);
const char *hb_format_time(char buf[HB_TIME_LEN], uint64_t ns);
uint64_t hb_clock_ns(void);

#endif /* HB_UNITS_H */
