/* SPDX-License-Identifier: GPL-2.0 */
/* What Documentation/proofs.rst lists, checked case by case. */
#ifndef PROVE_H
#define PROVE_H

#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>

#define MS	1000000ULL
#define SEC	(1000 * MS)
#define HOUR	(3600 * SEC)

/* Each returns how many cases it has seen, or ends the program. */
unsigned long prove_timing(void);
unsigned long prove_verdict(void);
unsigned long prove_deadline(void);
unsigned long prove_vcpu(void);
unsigned long prove_layers(void);
unsigned long prove_outage(void);
unsigned long prove_reaction(void);
unsigned long prove_paths(void);

/* One that does not hold ends the program. */
#define demand(holds, format, ...) do {							\
	if (!(holds)) {									\
		printf("not ok - %s:%d: %s: " format "\n", __FILE__, __LINE__, #holds,	\
		       ##__VA_ARGS__);							\
		exit(1);								\
	}										\
} while (0)

#endif /* PROVE_H */
