/* SPDX-License-Identifier: GPL-2.0 */
/* One HTTP request on stdin, one answer on stdout: what a socket-activated service has to say. */
#ifndef HB_HTTP_H
#define HB_HTTP_H

#include <stdio.h>

int hb_http_answer(const char *type, int (*body)(FILE *out));

#endif /* HB_HTTP_H */
