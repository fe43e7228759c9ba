/* SPDX-License-Identifier: GPL-2.0 */
/* Between stream_fuzz.c and whoever drives it: libFuzzer, by its names, or stream_main.c. */
#ifndef STREAM_FUZZ_H
#define STREAM_FUZZ_H

#include <linux/types.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed);
/* libFuzzer's own, or that of stream_main.c. */
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);

#define INPUT_SIZE	(1 + 2 * (48 + 30 * 8 + 0x50 + 1022 * 32 + 65536))
#define NR_SEEDS	18

size_t make_seed(unsigned int nr, u8 *data);

#endif /* STREAM_FUZZ_H */
