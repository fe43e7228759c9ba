/* SPDX-License-Identifier: GPL-2.0 */
/* The monitors as metrics of Prometheus. */
#ifndef HB_METRICS_H
#define HB_METRICS_H

#include <stdio.h>

/* Of what hb_metrics_open() writes, over HTTP. */
#define HB_METRICS_OPEN_TYPE	"application/openmetrics-text; version=1.0.0; charset=utf-8"

int hb_metrics_open(FILE *out);
int hb_metrics_textfile(FILE *out);

#endif /* HB_METRICS_H */
