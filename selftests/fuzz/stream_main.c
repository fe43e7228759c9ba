// SPDX-License-Identifier: GPL-2.0
/*
 * What drives stream_fuzz.c without libFuzzer: mutations that see no coverage, always the same
 * ones. And makes the seeds for those that do.
 *
 *   stream_fuzz N [SEED]	N streams; ends with one line of TAP
 *   stream_fuzz seeds DIR	the seeds, each in a file
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream_fuzz.h"

static u8 data[INPUT_SIZE];

size_t LLVMFuzzerMutate(u8 *bytes, size_t size, size_t max_size)
{
	size_t at = size ? rand() % size : 0;

	switch (rand() % 4) {
	case 0:
		return at;			/* cut off */
	case 1:
		if (size == max_size)
			return size;
		bytes[size] = rand();		/* one more */
		return size + 1;
	default:
		if (size)
			bytes[at] ^= 1 << rand() % 8;
		return size;
	}
}

static int write_seeds(const char *dir)
{
	unsigned int nr;

	for (nr = 0; nr < NR_SEEDS; nr++) {
		size_t size = make_seed(nr, data);
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/seed%02u", dir, nr);
		file = fopen(path, "w");
		if (!file || fwrite(data, size, 1, file) != 1 || fclose(file)) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

/* A finding ends the program before the line that says that there was none. */
static int fuzz(unsigned long runs, unsigned int seed)
{
	unsigned long run;

	srand(seed);
	for (run = 0; run < runs; run++) {
		size_t size = make_seed(rand() % NR_SEEDS, data);
		int times = rand() % 5;

		while (times--)
			size = LLVMFuzzerCustomMutator(data, size, sizeof(data), rand());
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("1..1\nok 1 - the parser of streams: %lu mutated ones, seed %u\n", runs, seed);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "seeds"))
		return write_seeds(argv[2]);
	if (argc < 2)
		return 2;
	return fuzz(strtoul(argv[1], NULL, 0), argc > 2 ? strtoul(argv[2], NULL, 0) : 1);
}
