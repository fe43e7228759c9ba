/* SPDX-License-Identifier: GPL-2.0 */
/* Takes steps: each in a child, which may wait for others while the daemon goes on. */
#ifndef HB_ACT_H
#define HB_ACT_H

#include <sys/types.h>

#include "names.h"
#include "policy.h"

#define HB_WHY_LEN	256	/* of what became of a step */

/**
 * struct hb_job - a step to be taken, and about whom
 * @policy: which has what the step needs
 * @step: the step
 * @uuid: of the monitor
 * @name: of the VM
 * @state: its state
 * @old: the state before
 * @cause: of the state
 * @vmm_pid: process of its VMM
 */
struct hb_job {
	const struct hb_policy *policy;
	enum hb_step step;
	const char *uuid;
	const char *name;
	const char *state;
	const char *old;
	const char *cause;
	uint64_t vmm_pid;
};

/* What a child does: 0, or -1 and why not. */
int hb_act_qmp(const struct hb_job *job, char why[HB_WHY_LEN]);
int hb_act_libvirt(const struct hb_job *job, char why[HB_WHY_LEN]);
int hb_act_masakari(const struct hb_job *job, char why[HB_WHY_LEN]);

int hb_act_expand(const struct hb_job *job, const char *pattern, char *path, size_t size);
uint64_t hb_act_timeout_ns(const struct hb_job *job);
pid_t hb_act_start(const struct hb_job *job, int *why_fd);

#endif /* HB_ACT_H */
