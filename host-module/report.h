/* SPDX-License-Identifier: GPL-2.0 */
/* How a change of state reaches people and programs. */
#ifndef KVMHB_REPORT_H
#define KVMHB_REPORT_H

#include <linux/jiffies.h>
#include <linux/types.h>

#include "words.h"

struct kvmhb_monitor;

/*
 * What one guest may cause in the log and among the listeners to uevents, of
 * outages and of all else: 20 reports in 10 seconds. Trace and sysfs have it all.
 */
#define KVMHB_REPORT_INTERVAL	(10 * HZ)
#define KVMHB_REPORT_BURST	20

int kvmhb_reports_init(void);
void kvmhb_reports_exit(void);
void kvmhb_report_flush(struct kvmhb_monitor *mon);
void kvmhb_report_state(struct kvmhb_monitor *mon, enum kvmhb_state old,
			u64 last_beat_ns, u64 gone_ns);

#endif /* KVMHB_REPORT_H */
