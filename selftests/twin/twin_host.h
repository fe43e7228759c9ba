/* SPDX-License-Identifier: GPL-2.0 */
/* What host.c tells the files under test, as somebody else may set it. */
#ifndef TWIN_HOST_H
#define TWIN_HOST_H

#include "host.h"

extern u64 twin_now_ns;
extern struct kvmhb_host twin_host;	/* but for what follows from the next two */
extern u64 twin_deaf_since_ns;		/* of a CPU that does not answer; 0 if all do */
extern u64 twin_asked_at_ns;
extern bool twin_asks;			/* set when the host's CPUs are asked */
extern u64 twin_steal_ns;

#endif /* TWIN_HOST_H */
