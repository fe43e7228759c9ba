/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is to be done about which transition, and when: pure functions, without a clock and without
 * a file. The daemon tells what it sees and is told what is due.
 */
#ifndef HB_POLICY_H
#define HB_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line a step: its word, whether it does something to a VM or tells somebody outside. */
#define HB_STEPS(step) \
	step(LOG, "log", false) \
	step(INJECT_NMI, "inject-nmi", true) \
	step(RESET, "reset", true) \
	step(DUMP, "dump-guest-memory", true) \
	step(HOOK, "hook", true) \
	step(MASAKARI, "masakari", true)

#define HB_STEP(name, word, acts)	HB_STEP_##name,
enum hb_step { HB_STEPS(HB_STEP) HB_NR_STEPS };
#undef HB_STEP

struct hb_step_info {
	const char *word;
	bool acts;
};

extern const struct hb_step_info hb_steps[HB_NR_STEPS];

#define HB_STEPS_MAX	16	/* in a policy */
#define HB_ACTIONS_MAX	32	/* in a window */
#define HB_NEVER	UINT64_MAX

/* Words in their order. */
struct hb_list {
	char **all;
	size_t nr;
};

/**
 * struct hb_policy - a section of the configuration
 * @name: of the section
 * @line: where it begins
 * @vms: patterns of names and UUIDs; none: all VMs
 * @states: words; none: unresponsive and panicked
 * @causes: words; none: all but those about which nothing may be done
 * @steps: what to do, in this order
 * @nr_steps: how many
 * @delay_ns: before each step
 * @actions_max: how many steps that act may be taken in @window_ns, for a VM
 * @window_ns: for how long such a step counts
 * @qmp: pattern of the path of the VM's QMP socket; NULL: libvirt is asked
 * @dump: pattern of the path of a dump
 * @dump_timeout_ns: how long a dump may take
 * @hook: program and arguments
 * @hook_timeout_ns: how long it may take
 * @masakari: URL of the API
 * @token_file: file with the token for it, or NULL
 * @host: what the API calls this host; NULL: as it calls itself
 */
struct hb_policy {
	char *name;
	int line;
	struct hb_list vms;
	struct hb_list states;
	struct hb_list causes;
	enum hb_step steps[HB_STEPS_MAX];
	size_t nr_steps;
	uint64_t delay_ns;
	uint64_t actions_max;
	uint64_t window_ns;
	char *qmp;
	char *dump;
	uint64_t dump_timeout_ns;
	struct hb_list hook;
	uint64_t hook_timeout_ns;
	char *masakari;
	char *token_file;
	char *host;
};

struct hb_policies {
	struct hb_policy *all;
	size_t nr;
};

/* A VM as it is now. */
struct hb_view {
	const char *uuid;
	const char *name;
	const char *state;
	const char *cause;
	bool muted;
};

/**
 * struct hb_course - how far the steps about an outage are
 * @policy: the policy, or NULL if nothing is to be done
 * @next: number of the next step
 * @due_ns: when it is due; %HB_NEVER while something else has to happen first
 * @running: a step has been begun, and has not ended
 * @held: no step may be taken until state or cause change
 * @muted: the VM was muted when a step was due
 * @limited: the limit has been told, and no step was taken since
 * @taken: when steps were taken that act, the last ones; outlives the outage
 * @nr_taken: how many of them there are
 */
struct hb_course {
	const struct hb_policy *policy;
	size_t next;
	uint64_t due_ns;
	bool running;
	bool held;
	bool muted;
	bool limited;
	uint64_t taken[HB_ACTIONS_MAX];
	size_t nr_taken;
};

/* What to do when a step may be due. */
enum hb_turn {
	HB_TURN_NOTHING,
	HB_TURN_STEP,
	HB_TURN_LIMITED,	/* say so */
};

int hb_step_by_word(const char *word);
bool hb_policy_may_act(const char *state, const char *cause);
const struct hb_policy *hb_policy_find(const struct hb_policies *policies,
				       const struct hb_view *view);
void hb_course_see(struct hb_course *course, const struct hb_policies *policies,
		   const struct hb_view *view, uint64_t now_ns);
enum hb_turn hb_course_turn(struct hb_course *course, const struct hb_policies *policies,
			    const struct hb_view *view, uint64_t now_ns, enum hb_step *step);
void hb_course_done(struct hb_course *course, uint64_t now_ns);
void hb_course_end(struct hb_course *course);

#endif /* HB_POLICY_H */
