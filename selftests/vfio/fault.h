/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults that the kernel makes on demand in the thread that asks for them: one allocation that
 * fails, or one copy from or to its memory (Documentation/fault-injection of the kernel).
 */
#ifndef FAULT_H
#define FAULT_H

enum fault { FAULT_NONE, FAULT_MEMORY, FAULT_COPY };

/* By the thread that will ask. NULL, or why there are no faults to be had. */
const char *faults_open(void);
void faults_close(void);

/* Count only what is called by this function of the kernel; NULL counts all. 0 or -errno. */
int faults_only_in(const char *function);

/* The @n-th from here on fails. What it was, if there were so many until the end. */
void fault_begin(unsigned int n);
enum fault fault_end(void);

#endif
