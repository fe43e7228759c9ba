// SPDX-License-Identifier: GPL-2.0
/*
 * How programs are made: at random, from others, and from text
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static __u32 below(__u32 bound)
{
	return (__u32)mrand48() % bound;
}

/* Sizes, indices, offsets and limits of the device, and what is just beyond. */
static __u64 number(void)
{
	static const __u64 known[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 24, 32, 64, 0x18, 0x20, 0x24, 0x40, 0x44,
		126, 127, 128, 255, 256, 4092, 4095, 4096, 4097, 8192, 65536, 1000000, 1ULL << 31,
		(1ULL << 32) - 1, 1ULL << 32, 1ULL << 40, 1ULL << 63, ~0ULL,
	};

	switch (below(8)) {
	case 0:
		return (__u64)mrand48() << 32 ^ (__u32)mrand48();
	case 1:
		return 1ULL << below(64);
	case 2:
		return below(65536);
	default:
		return PICK(known, (__u32)mrand48());
	}
}

/* As a rule what the op is made for, and the first one, which more programs open. */
static __u8 file(enum kind kind)
{
	return kind == ANY || !below(8) ? below(NR_FDS) : kind + !below(3);
}

static void make_call(const struct program *program, struct call *call)
{
	/* Few calls are made for a VM: where there is one, one in four at least. */
	bool for_vm = program->opens & OPENS_KVM && !below(4);

	do
		call->op = below(nr_ops);
	while (for_vm && (ops[call->op].fd < VM || ops[call->op].fd == ANY));
	call->fd = file(ops[call->op].fd);
	call->other = file(ops[call->op].other);
	call->how = below(3) ? 0 : below(256);
	call->n = number();
	call->value = number();
}

static void make_head(struct program *program)
{
	program->rounds = 1 + below(3);
	program->antagonists = below(MAX_ANTAGONISTS + 1);
	program->opens = below(8) ? OPENS_A | below(OPENS_ALL + 1) : below(OPENS_ALL + 1);
	/* One file excludes the other. */
	if (program->opens & OPENS_CDEV && below(4))
		program->opens &= ~OPENS_A;
}

void program_make(struct program *program)
{
	unsigned int i;

	memset(program, 0, sizeof(*program));
	make_head(program);
	program->nr = 1 + below(MAX_CALLS);
	for (i = 0; i < program->nr; i++)
		make_call(program, &program->calls[i]);
}

static void insert(struct program *program, const struct call *call)
{
	unsigned int at = below(program->nr + 1);

	if (program->nr == MAX_CALLS)
		program->nr--;
	if (at > program->nr)
		at = program->nr;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->nr - at) * sizeof(*call));
	program->calls[at] = *call;
	program->nr++;
}

/* Change it in one way or several; @mate is another one, calls of which may be taken over. */
void program_mutate(struct program *program, const struct program *mate)
{
	unsigned int times = 1 + below(4);

	while (times--) {
		struct call *call = &program->calls[below(program->nr)], fresh;

		switch (below(9)) {
		case 0:
			make_head(program);
			break;
		case 1:
			make_call(program, &fresh);
			insert(program, &fresh);
			break;
		case 2:
			insert(program, &mate->calls[below(mate->nr)]);
			break;
		case 3:
			if (program->nr == 1)
				break;
			*call = program->calls[--program->nr];
			break;
		case 4:
			call->n = number();
			break;
		case 5:
			call->value = number();
			break;
		case 6:
			call->how = below(2) ? 0 : below(256);
			break;
		case 7:
			call->fd = file(ops[call->op].fd);
			call->other = file(ops[call->op].other);
			break;
		case 8:
			make_call(program, call);
			break;
		}
	}
}

void program_print(const struct program *program, char *text, size_t size)
{
	int at = snprintf(text, size, "%x %x %x", program->rounds, program->antagonists,
			  program->opens);
	unsigned int i;

	for (i = 0; i < program->nr; i++) {
		const struct call *call = &program->calls[i];

		at += snprintf(text + at, size - at, " %s.%x.%x.%x.%x.%llx", ops[call->op].name,
			       call->fd, call->other, call->how, call->n, call->value);
	}
}

static bool parse_call(struct call *call, const char *text, int *length)
{
	unsigned int fd, other, how, op;
	char name[16];

	if (sscanf(text, " %15[a-z].%x.%x.%x.%x.%llx%n", name, &fd, &other, &how, &call->n,
		   &call->value, length) != 6)
		return false;
	for (op = 0; op < nr_ops && strcmp(name, ops[op].name); op++)
		;
	call->op = op;
	call->fd = fd;
	call->other = other;
	call->how = how;
	return op < nr_ops;
}

bool program_parse(struct program *program, const char *text)
{
	unsigned int rounds, antagonists, opens;
	int length;

	memset(program, 0, sizeof(*program));
	if (sscanf(text, "%x %x %x%n", &rounds, &antagonists, &opens, &length) != 3)
		return false;
	program->rounds = rounds;
	program->antagonists = antagonists;
	program->opens = opens;
	text += length;
	while (program->nr < MAX_CALLS &&
	       parse_call(&program->calls[program->nr], text, &length)) {
		text += length;
		program->nr++;
	}
	while (isspace((unsigned char)*text))
		text++;
	return program->nr && antagonists <= MAX_ANTAGONISTS && !*text;
}
