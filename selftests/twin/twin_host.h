/* SPDX-License-Identifier: GPL-2.0 */
/* What host.c tells the files under test, as somebody else may set it. */
#ifndef TWIN_HOST_H
#define TWIN_HOST_H

#include "host.h"

extern u64 twin_now_ns;
extern struct kvmhb_host twin_host;

#endif /* TWIN_HOST_H */
