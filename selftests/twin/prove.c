// SPDX-License-Identifier: GPL-2.0
/*
 * prove [NAME...]: checks what Documentation/proofs.rst promises of the pure files, and of the run
 * clock, case by case, within the bounds that it names. Prints TAP; ends at the first case that
 * breaks a promise, which it describes.
 */
#include "prove.h"

static const struct {
	const char *name;
	unsigned long (*prove)(void);
} proofs[] = {
	{ "timing", prove_timing },
	{ "verdict", prove_verdict },
	{ "deadline", prove_deadline },
	{ "vcpu", prove_vcpu },
	{ "layers", prove_layers },
	{ "outage", prove_outage },
	{ "reaction", prove_reaction },
	{ "paths", prove_paths },
};

static bool chosen(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	unsigned int i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(proofs); i++)
		nr += chosen(proofs[i].name, argc, argv);
	if (!nr) {
		fprintf(stderr, "prove: there is none of that name\n");
		return 2;
	}
	printf("1..%u\n", nr);
	nr = 0;
	for (i = 0; i < ARRAY_SIZE(proofs); i++) {
		if (!chosen(proofs[i].name, argc, argv))
			continue;
		printf("ok %u - %s: ", nr + 1, proofs[i].name);
		printf("%lu cases\n", proofs[i].prove());
		fflush(stdout);
		nr++;
	}
	return 0;
}
