/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program: what a hostile VMM calls, in this order. Between vmm_fuzz.c, which runs programs and
 * keeps those that reach something new, program.c, which makes them, and calls.c, which performs
 * their calls.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define MAX_CALLS	16
#define MAX_ANTAGONISTS	2

#define ARRAY_SIZE(list)	(sizeof(list) / sizeof((list)[0]))
#define PICK(list, number)	((list)[(number) % ARRAY_SIZE(list)])

/* Room for a program as text. */
#define PROGRAM_TEXT	1024

/**
 * struct call - one call; what a number stands for, its op says
 * @op: index in ops[]
 * @fd: which of the VMM's files it is of
 * @other: which file it names, or leaves its result in
 * @how: what is wrong with its argument; 0 if nothing
 * @n: a number
 * @value: another one
 */
struct call {
	__u8 op, fd, other, how;
	__u32 n;
	__u64 value;
};

/**
 * struct program - what a VMM does from its start to its end
 * @nr: how many calls
 * @rounds: how often all of them
 * @antagonists: how many threads do the same at the same time
 * @opens: what it has before its first call, OPENS_*
 * @calls: the calls
 */
struct program {
	__u8 nr, rounds, antagonists, opens;
	struct call calls[MAX_CALLS];
};

#define OPENS_A		1	/* the first monitor, by its group */
#define OPENS_B		2	/* the second one */
#define OPENS_TOGETHER	4	/* in the same container */
#define OPENS_CDEV	8	/* the first one by its own file, with iommufd */
#define OPENS_PAGE	16	/* the pulse page is mapped */
#define OPENS_ARMED	32	/* and the guest has armed the device */
#define OPENS_KVM	64	/* a VM with two vCPUs, which the devices are told of */
#define OPENS_BRISK	128	/* the first monitor looks at its guest every few ms */
#define OPENS_ALL	255

/*
 * The VMM's files: there are two of each kind at first, or as many as could be opened. A device's
 * own file is a group until it is bound, and an iommufd is a container.
 */
#define NR_FDS		20
enum kind {
	DEVICE = 0, GROUP = 2, CONTAINER = 4, EVENT = 6, STREAM = 8, VM = 10, KVM_VFIO = 12,
	VCPU = 14, ANY = NR_FDS
};

/**
 * struct op - what can be called
 * @name: as the text of a program has it
 * @perform: does it
 * @fd: what it is made for
 * @other: what it takes or gives, or %ANY
 */
struct op {
	const char *name;
	void (*perform)(const struct call *call);
	enum kind fd, other;
};

/* Of all VMMs together: what one of them was granted beyond the device's regions, or "". */
#define BEYOND_TEXT	64
extern char *beyond;

extern const struct op ops[];
extern const unsigned int nr_ops;

void program_make(struct program *program);
void program_mutate(struct program *program, const struct program *mate);
void program_print(const struct program *program, char *text, size_t size);
bool program_parse(struct program *program, const char *text);

struct monitor;

/* The VMM of a program: does not return. @begin is told which thread it is called in. */
void vmm(const struct program *program, struct monitor *victims, int remover,
	 void (*begin)(unsigned int thread));

/* The VMM that does nothing wrong, see innocent.c. */
struct innocent {
	int pid, ask;
};

bool innocent_begin(struct innocent *innocent);
bool innocent_end(struct innocent *innocent);

#endif /* PROGRAM_H */
