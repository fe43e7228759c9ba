/* SPDX-License-Identifier: GPL-2.0 */
/* The monitors as metrics of Prometheus. */
#ifndef HB_METRICS_H
#define HB_METRICS_H

#include <stdio.h>

int hb_metrics_open(FILE *out);
int hb_metrics_textfile(FILE *out);

#endif /* HB_METRICS_H */
