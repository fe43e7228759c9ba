/* SPDX-License-Identifier: GPL-2.0 */
/* Texts of others inside of texts of a format: escaped as it wants them. */
#ifndef HB_OUT_H
#define HB_OUT_H

#include <stdio.h>

void hb_out_json(FILE *out, const char *text);
void hb_out_label(FILE *out, const char *text);

#endif /* HB_OUT_H */
