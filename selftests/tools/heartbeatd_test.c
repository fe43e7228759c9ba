// SPDX-License-Identifier: GPL-2.0
/*
 * Pure functions of heartbeatd, row by row, and what it saves. Prints TAP.
 *
 *     heartbeatd_test
 *     heartbeatd_test FOLDER STEP NAME UUID PID
 *
 * The second form takes a step of the first policy in FOLDER, as heartbeatd's child does, and
 * prints what became of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act.h"
#include "config.h"
#include "daemon.h"
#include "fleet.h"
#include "follow.h"
#include "saved.h"

#define S		UINT64_C(1000000000)
#define UUID		"11111111-2222-3333-4444-555555555555"
#define OTHER		"99999999-2222-3333-4444-555555555555"
#define NR(array)	(sizeof(array) / sizeof(*(array)))

static int number, failed;
static char folder[64], file[128];

static void row(int ok, const char *what, const char *of)
{
	printf("%sok %d %s: ", ok ? "" : "not ", ++number, what);
	for (; *of; of++)
		putchar(*of == '\n' ? '|' : *of);
	putchar('\n');
	failed |= !ok;
}

/* Standard error, while it is heard. */
static FILE *messages;
static int old_stderr;

static void hear(void)
{
	messages = tmpfile();
	old_stderr = dup(STDERR_FILENO);
	if (!messages || old_stderr < 0)
		abort();
	dup2(fileno(messages), STDERR_FILENO);
}

static void heard(char *said, size_t size)
{
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	rewind(messages);
	said[fread(said, 1, size - 1, messages)] = '\0';
	fclose(messages);
}

/* Mistakes that a configuration has, and what was printed of them. */
static int parse(const char *text, struct hb_policies *policies, char *said, size_t size)
{
	FILE *stream = fopen(file, "w");
	int errors;

	if (!stream)
		abort();
	fputs(text, stream);
	fclose(stream);
	hear();
	*policies = (struct hb_policies){ 0 };
	errors = hb_config_parse(file, policies);
	heard(said, size);
	return errors;
}

static void test_config(void)
{
#define LINE_50	"x x x x x x x x x x x x x x x x x x x x x x x x x "
	static const struct {
		const char *text;
		const char *said;	/* NULL: it has no mistake */
	} rows[] = {
		{ "", NULL },
		{ "# nothing\n; nothing\n", NULL },
		{ "[policy a]\nsteps = log\n", NULL },
		{ "[policy a]\nsteps: log ; for now\n", NULL },
		{ "[policy a]\nvm = web* " UUID "\n  db?\nstate = panicked\ncause = panic\n"
		  "steps = reset\n", NULL },
		{ "[policy a]\nsteps = hook\nhook = /bin/true a\n b\nhook_timeout = 1h30m\n",
		  NULL },
		{ "[policy a]\nstate = late paused\ncause = unknown starved\nsteps = log\n", NULL },
		{ "[policy a]\nsteps = log\n[policy b]\nsteps = reset\nqmp = /run/%n-%u-%p-%%\n",
		  NULL },
		{ "[policy a]\nsteps = masakari\nmasakari = https://c:15868/v1\nmasakari_token_file = /t\n", NULL },
		{ "[policy a]\nsteps = inject-nmi dump-guest-memory\ndump = /var/crash/%n\n",
		  NULL },

		{ "steps = log\n", ":1: this key is in no policy" },
		{ "[a]\n\nsteps = log\n", ":3: this key is in no policy" },
		{ "[policy ]\nsteps = log\n", ":2: this key is in no policy" },
		{ "[policy a]\nlog\n", ":2: this is neither" },
		{ "[policy a\nsteps = log\n", ":1: this is neither" },
		{ "[policy a]\nstep = log\n", ":2: there is no key 'step'" },
		{ "[policy a]\nsteps = log\nvm =\n", ":3: 'vm' has no value" },
		{ "[policy a]\nsteps = log kill\n", ":2: 'kill' is no step" },
		{ "[policy a]\nstate = dead\nsteps = log\n", ":2: 'dead' is no state" },
		{ "[policy a]\ncause = hung dead\nsteps = log\n", ":2: 'dead' is no cause" },
		{ "[policy a]\nvm = a\n", ":2: policy 'a': it has no steps" },
		{ "[policy a]\nsteps = log\ndelay = 5\n", ":3: '5' is no time" },
		{ "[policy a]\nsteps = log\ndelay = 2d\n", ":3: 2d is out of range: 0s to 1d00h" },
		{ "[policy a]\nsteps = log\ndelay = 1s\ndelay = 2s\n",
		  ":4: 'delay' is given twice" },
		{ "[policy a]\nsteps = log\nactions_max = 0\n", ":3: '0' is no limit" },
		{ "[policy a]\nsteps = log\nactions_max = 33\n", ":3: '33' is no limit" },
		{ "[policy a]\nsteps = log\nactions_max = -1\n", ":3: '-1' is no limit" },
		{ "[policy a]\nsteps = log\nactions_max = 3x\n", ":3: '3x' is no limit" },
		{ "[policy a]\nsteps = log\nactions_window = 10ms\n", ":3: 10ms is out of range" },
		{ "[policy a]\nsteps = log\n[policy b]\nsteps = log\n[policy a]\nsteps = log\n",
		  ":6: there is a policy 'a' already" },
		{ "[policy a]\nsteps = hook\n",
		  ":2: policy 'a': the step hook needs the key 'hook'" },
		{ "[policy a]\nsteps = hook\nhook = true\n",
		  "the hook 'true' is no absolute path" },
		{ "[policy a]\nsteps = dump-guest-memory\n", "needs the key 'dump'" },
		{ "[policy a]\nsteps = masakari\n", "needs the key 'masakari'" },
		{ "[policy a]\nsteps = masakari\nmasakari = file:///etc\n",
		  ":3: 'file:///etc' is no URL" },
		{ "[policy a]\nsteps = reset\nqmp = run\n", ":3: 'run' is no absolute path" },
		{ "[policy a]\nsteps = reset\nqmp = /run/%x\n", ":3: '%x' stands for nothing" },
		{ "[policy a]\nsteps = reset\nqmp = /run/%\n", ":3: '%' stands for nothing" },
		{ "[policy a]\nsteps = reset\nstate = unresponsive late\n",
		  "late (none) may only be logged" },
		{ "[policy a]\nsteps = log reset\nstate = degraded\n",
		  "degraded (none) may only be logged" },
		{ "[policy a]\nsteps = reset\nstate = paused\n",
		  "paused (none) may only be logged" },
		{ "[policy a]\nsteps = reset\ncause = hung unknown\n",
		  "(unknown) may only be logged" },
		{ "[policy a]\nsteps = hook\nhook = /x\nstate = panicked\ncause = dumping\n",
		  "panicked (dumping) may only be logged" },
		{ "[policy a]\nsteps = log\nvm = " LINE_50 LINE_50 LINE_50 LINE_50 "\n",
		  ":3: the line is longer than" },
	};
	struct hb_policies policies;
	char said[1024];

	for (size_t i = 0; i < NR(rows); i++) {
		int errors = parse(rows[i].text, &policies, said, sizeof(said));

		row(rows[i].said ? errors > 0 && strstr(said, rows[i].said) : !errors && !*said,
		    "parse", rows[i].text);
		if (failed)
			printf("# %d: %s\n", errors, said);
		hb_config_free(&policies);
	}

	parse("[policy a]\nsteps = kill\nfoo = 1\nbar\n", &policies, said, sizeof(said));
	row(strstr(said, ":2: ") && strstr(said, ":3: ") && strstr(said, ":4: "), "parse",
	    "all mistakes are told");
	hb_config_free(&policies);
	parse("[policy a]\nsteps = log hook\nhook = /x a\n  b c\n", &policies, said, sizeof(said));
	row(policies.nr == 1 && policies.all->hook.nr == 4 && !policies.all->hook.all[4] &&
	    !strcmp(policies.all->hook.all[3], "c") && policies.all->delay_ns == 10 * S &&
	    policies.all->actions_max == 3 && policies.all->window_ns == 3600 * S,
	    "parse", "arguments and defaults");
	hb_config_free(&policies);
}

static void test_find(void)
{
	static const char text[] =
		"[policy uuid]\nvm = " UUID "\nstate = late\nsteps = log\n"
		"[policy web]\nvm = web* x\ncause = hung\nsteps = reset\n"
		"[policy open]\ncause = unknown dumping\nsteps = log\n"
		"[policy panic]\nstate = panicked\nsteps = reset\n"
		"[policy nines]\nvm = 9999*\nsteps = log\n";
	static const struct {
		const char *uuid, *name, *state, *cause, *policy;
	} rows[] = {
		{ UUID, "web1", "unresponsive", "hung", "web" },
		{ OTHER, "web1", "panicked", "hung", "web" },
		{ UUID, "x", "unresponsive", "hung", "web" },
		{ UUID, "xy", "unresponsive", "hung", NULL },
		{ UUID, "", "unresponsive", "hung", NULL },
		{ UUID, "web1", "unresponsive", "halted", NULL },
		{ UUID, "web1", "unresponsive", "unknown", "open" },
		{ UUID, "web1", "panicked", "dumping", "open" },
		{ UUID, "web1", "panicked", "panic", "panic" },
		{ UUID, "web1", "late", "none", "uuid" },
		{ UUID, "web1", "late", "unknown", NULL },
		{ OTHER, UUID, "late", "none", NULL },
		{ UUID, "web1", "alive", "none", NULL },
		{ UUID, "web1", "degraded", "hung", NULL },
		{ OTHER, "db", "unresponsive", "halted", "nines" },
		{ OTHER, "db", "unresponsive", "a cause of a newer module", "nines" },
		{ OTHER, "db", "a state of a newer module", "hung", NULL },
	};
	struct hb_policies policies;
	char said[256], name[128];

	parse(text, &policies, said, sizeof(said));
	for (size_t i = 0; i < NR(rows); i++) {
		struct hb_view view = { rows[i].uuid, rows[i].name, rows[i].state, rows[i].cause,
			false };
		const struct hb_policy *policy = hb_policy_find(&policies, &view);

		snprintf(name, sizeof(name), "%.8s '%s' %s %s", rows[i].uuid, rows[i].name,
			 rows[i].state, rows[i].cause);
		row(policy ? rows[i].policy && !strcmp(policy->name, rows[i].policy) :
		    !rows[i].policy, "find a policy", name);
	}
	hb_config_free(&policies);
}

/* What happens to a VM at a time, and what is to be done then. */
struct moment {
	unsigned int at;		/* s */
	const char *is;			/* state cause; NULL: as before */
	const char *turn;		/* a step, "limited", or NULL */
};

/* As @is: the step has ended; the VM is muted at this moment. */
#define DONE	"(done)"
#define MUTED	"(muted)"

static const char steps_text[] =
	"[policy log]\nstate = late\nsteps = log\n"
	"[policy panic]\nstate = panicked\nsteps = log reset\ndelay = 20s\n"
	"[policy once]\ncause = halted\nsteps = reset\ndelay = 1s\nactions_max = 1\n"
	"actions_window = 1min\n"
	"[policy dead]\nsteps = inject-nmi log reset\nactions_max = 2\nactions_window = 1min\n";

static const struct moment in_order[] = {
	{ 0, "alive none", NULL }, { 1, "unresponsive hung", NULL }, { 10, NULL, NULL },
	{ 11, NULL, "inject-nmi" }, { 30, NULL, NULL }, { 31, DONE, NULL }, { 40, NULL, NULL },
	{ 41, NULL, "log" }, { 41, DONE, NULL }, { 50, NULL, NULL }, { 51, NULL, "reset" },
	{ 51, DONE, NULL }, { 500, NULL, NULL }, { 1000, "alive none", NULL }, { 2000, NULL, NULL },
	{ 0 }
};
static const struct moment comes_back[] = {
	{ 0, "unresponsive hung", NULL }, { 9, "alive none", NULL }, { 11, NULL, NULL },
	{ 20, "unresponsive hung", NULL }, { 29, NULL, NULL }, { 30, NULL, "inject-nmi" }, { 0 }
};
static const struct moment comes_back_unseen[] = {
	/* What is read says so before the trace does. */
	{ 0, "unresponsive hung", NULL }, { 10, "alive none", NULL }, { 60, NULL, NULL }, { 0 }
};
static const struct moment comes_back_meanwhile[] = {
	{ 0, "unresponsive hung", NULL }, { 10, NULL, "inject-nmi" }, { 11, "alive none", NULL },
	{ 12, DONE, NULL }, { 50, NULL, NULL }, { 60, "unresponsive hung", NULL },
	{ 70, NULL, "inject-nmi" }, { 0 }
};
static const struct moment begins_anew_while_it_runs[] = {
	{ 0, "unresponsive hung", NULL }, { 10, NULL, "inject-nmi" }, { 11, "alive none", NULL },
	{ 12, "unresponsive hung", NULL }, { 40, NULL, NULL }, { 41, DONE, NULL },
	{ 50, NULL, NULL },
	{ 51, NULL, "inject-nmi" }, { 0 }
};
static const struct moment held_by_unknown[] = {
	{ 0, "unresponsive unknown", NULL }, { 60, NULL, NULL }, { 61, "unresponsive hung", NULL },
	{ 70, NULL, NULL }, { 71, NULL, "inject-nmi" }, { 71, DONE, NULL },
	{ 72, "unresponsive unknown", NULL }, { 120, NULL, NULL },
	{ 121, "unresponsive hung", NULL },
	{ 130, NULL, NULL }, { 131, NULL, "log" }, { 0 }
};
static const struct moment held_by_pause[] = {
	{ 0, "unresponsive hung", NULL }, { 10, NULL, "inject-nmi" }, { 10, DONE, NULL },
	{ 12, "paused paused", NULL }, { 60, NULL, NULL }, { 61, "unresponsive hung", NULL },
	{ 70, NULL, NULL }, { 71, NULL, "log" }, { 0 }
};
static const struct moment held_by_dump[] = {
	{ 0, "panicked panic", NULL }, { 15, "panicked dumping", NULL }, { 100, NULL, NULL },
	{ 101, "waiting none", NULL }, { 200, NULL, NULL }, { 0 }
};
static const struct moment held_while_it_runs[] = {
	{ 0, "unresponsive hung", NULL }, { 10, NULL, "inject-nmi" }, { 11, "paused paused", NULL },
	{ 12, DONE, NULL }, { 60, NULL, NULL }, { 61, "unresponsive hung", NULL },
	{ 71, NULL, "log" }, { 0 }
};
static const struct moment innocent[] = {
	{ 0, "late starved", NULL }, { 10, NULL, "log" }, { 10, DONE, NULL }, { 100, NULL, NULL },
	{ 101, "paused paused", NULL }, { 200, NULL, NULL }, { 201, "degraded partial", NULL },
	{ 300, NULL, NULL }, { 0 }
};
static const struct moment panics_on_nmi[] = {
	{ 0, "unresponsive hung", NULL }, { 10, NULL, "inject-nmi" },
	{ 11, "panicked panic", NULL },
	{ 12, DONE, NULL }, { 31, NULL, NULL }, { 32, NULL, "log" }, { 32, DONE, NULL },
	{ 52, NULL, "reset" }, { 0 }
};
static const struct moment limit[] = {
	{ 0, "unresponsive halted", NULL }, { 1, NULL, "reset" }, { 1, DONE, NULL },
	{ 2, "waiting none", NULL }, { 3, "unresponsive halted", NULL }, { 4, NULL, "limited" },
	{ 50, NULL, NULL }, { 51, "alive none", NULL }, { 52, "unresponsive halted", NULL },
	{ 53, NULL, NULL }, { 300, NULL, NULL }, { 301, "alive none", NULL },
	{ 302, "unresponsive halted", NULL }, { 303, NULL, "reset" }, { 303, DONE, NULL },
	{ 304, "alive none", NULL }, { 305, "unresponsive halted", NULL }, { 306, NULL, "limited" },
	{ 0 }
};
static const struct moment log_is_no_action[] = {
	{ 0, "unresponsive hung", NULL }, { 10, NULL, "inject-nmi" }, { 10, DONE, NULL },
	{ 20, NULL, "log" }, { 20, DONE, NULL }, { 30, NULL, "reset" }, { 30, DONE, NULL },
	{ 31, "alive none", NULL }, { 32, "unresponsive hung", NULL }, { 42, NULL, "limited" },
	{ 0 }
};
static const struct moment muted[] = {
	{ 0, "unresponsive hung", NULL }, { 10, MUTED, NULL }, { 20, MUTED, NULL },
	{ 30, NULL, NULL }, { 39, NULL, NULL }, { 40, NULL, "inject-nmi" }, { 0 }
};
static const struct moment muted_and_back[] = {
	{ 0, "unresponsive hung", NULL }, { 10, MUTED, NULL }, { 15, "alive none", NULL },
	{ 30, NULL, NULL }, { 60, NULL, NULL }, { 0 }
};

static const char *turn_word(enum hb_turn turn, enum hb_step step)
{
	return turn == HB_TURN_STEP ? hb_steps[step].word :
	       turn == HB_TURN_LIMITED ? "limited" : "";
}

static void play(const struct hb_policies *policies, const struct moment *moment, const char *name)
{
	struct hb_course course = { .due_ns = HB_NEVER };
	char state[32] = "detached", cause[32] = "none";
	bool ok = true, first = true;

	for (; first || moment->at; moment++, first = false) {
		bool is_muted = moment->is && !strcmp(moment->is, MUTED);
		struct hb_view view = { UUID, "web1", state, cause, is_muted };
		enum hb_step step = HB_NR_STEPS;
		enum hb_turn turn;

		if (moment->is && !strcmp(moment->is, DONE))
			hb_course_done(&course, moment->at * S);
		else if (moment->is && !view.muted &&
			 sscanf(moment->is, "%31s %31s", state, cause) == 2)
			hb_course_see(&course, policies, &view, moment->at * S);
		turn = hb_course_turn(&course, policies, &view, moment->at * S, &step);
		if (strcmp(turn_word(turn, step), moment->turn ?: "")) {
			printf("# at %u s: %s instead of %s\n", moment->at, turn_word(turn, step),
			       moment->turn ?: "nothing");
			ok = false;
		}
	}
	row(ok, "steps", name);
}

static void test_steps(void)
{
	struct hb_policies policies;
	char said[256];

	parse(steps_text, &policies, said, sizeof(said));
#define PLAY(moments)	play(&policies, moments, #moments)
	PLAY(in_order);
	PLAY(comes_back);
	PLAY(comes_back_unseen);
	PLAY(comes_back_meanwhile);
	PLAY(begins_anew_while_it_runs);
	PLAY(held_by_unknown);
	PLAY(held_by_pause);
	PLAY(held_by_dump);
	PLAY(held_while_it_runs);
	PLAY(innocent);
	PLAY(panics_on_nmi);
	PLAY(limit);
	PLAY(log_is_no_action);
	PLAY(muted);
	PLAY(muted_and_back);
	hb_config_free(&policies);
}

static void test_expand(void)
{
	static const struct {
		const char *pattern, *name, *path;	/* path NULL: there is none */
	} rows[] = {
		{ "/run/%n.qmp", "web1", "/run/web1.qmp" },
		{ "/run/%u/%p/%%", "", "/run/" UUID "/42/%" },
		{ "/run/%n.qmp", "", NULL },
		{ "/run/%n", "..", NULL },
		{ "/run/%n", ".", NULL },
		{ "/run/%n", "../x", NULL },
		{ "/run/%n", "a/b", NULL },
		{ "/run/%n", "%p", "/run/%p" },
		{ "/%u%u%u", "", NULL },
	};

	for (size_t i = 0; i < NR(rows); i++) {
		struct hb_job job = { .uuid = UUID, .name = rows[i].name, .vmm_pid = 42 };
		char path[100];
		int ret = hb_act_expand(&job, rows[i].pattern, path, sizeof(path));

		row(rows[i].path ? !ret && !strcmp(path, rows[i].path) : ret, "expand",
		    rows[i].pattern);
	}
}

static void test_vmm(void)
{
	struct hb_vm vm = { .name = "web1" };
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	hb_vm_meet_vmm(&vm, 0, "");
	row(!strcmp(vm.name, "web1") && !vm.vmm_pid, "VMM", "one that has gone leaves its name");
	hb_vm_meet_vmm(&vm, getpid(), "web2");
	row(!strcmp(vm.name, "web2") && hb_vm_is_of(&vm, getpid()), "VMM", "one that comes");
	hb_vm_meet_vmm(&vm, getpid(), "");
	row(!strcmp(vm.name, "web2"), "VMM", "the same, not asked again");
	hb_vm_meet_vmm(&vm, child, "");
	row(!*vm.name && !hb_vm_is_of(&vm, getpid()) && hb_vm_is_of(&vm, child), "VMM",
	    "another without a name does not inherit one");
	vm.vmm_start++;
	row(!hb_vm_is_of(&vm, child), "VMM", "another that has its number");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void test_budget(void)
{
	struct hb_budget budget = { 0 };
	int told = 0;

	for (int i = 0; i < 100; i++)
		told += hb_budget_take(&budget, 5 * S + i);
	row(told == 20 && budget.kept_back == 80, "budget", "of ten seconds");
	row(!hb_budget_take(&budget, 15 * S - 1) && hb_budget_take(&budget, 15 * S), "budget",
	    "the next ten seconds have their own");
}

static void write_file(const char *text)
{
	FILE *stream = fopen(file, "w");

	if (!stream)
		abort();
	fputs(text, stream);
	fclose(stream);
}

static void test_saved(void)
{
	static const char * const damaged[] = {
		"", "{", "[]", "{\"version\": 2, \"boot\": \"\", \"vms\": []}",
		"{\"version\": 1, \"boot\": 1, \"vms\": []}", "{\"version\": 1}",
	};
	struct hb_policies policies, none = { 0 };
	struct hb_vms vms = { 0 }, again = { 0 };
	struct hb_vm *vm;
	char said[256];

	parse(steps_text, &policies, said, sizeof(said));
	row(!hb_saved_read("/nowhere/state", &again, &policies) && !again.nr, "saved", "no file");
	row(hb_saved_write("/nowhere/state", &vms) == -ENOENT, "saved", "no folder");
	row(!hb_vms_add(&vms, "short") && !hb_vms_add(&vms, UUID "0"), "saved", "no UUID");
	hb_vms_add(&vms, OTHER);
	vm = hb_vms_add(&vms, UUID);
	snprintf(vm->name, sizeof(vm->name), "%s", "web \"1\",\\\xc3\xa9");
	snprintf(vm->state, sizeof(vm->state), "%s", "unresponsive");
	snprintf(vm->cause, sizeof(vm->cause), "%s", "hung");
	vm->vmm_pid = 42;
	vm->vmm_start = 4711;
	for (int i = 0; i < HB_NR_COUNTERS; i++)
		vm->counters[i] = 10 + i;
	vm->course = (struct hb_course){ .policy = &policies.all[3], .next = 2, .limited = true,
		.due_ns = 5 * S, .running = true, .taken = { S, 2 * S }, .nr_taken = 2 };
	row(!hb_saved_write(file, &vms) && !hb_saved_read(file, &again, &policies) && again.nr == 2,
	    "saved", "written and read");
	vm = hb_vms_find(&again, UUID);
	row(vm && !strcmp(vm->name, "web \"1\",\\\xc3\xa9") && !strcmp(vm->state, "unresponsive") &&
	    !strcmp(vm->cause, "hung") && vm->vmm_pid == 42 && vm->vmm_start == 4711, "saved", "the VM");
	row(vm && vm->counters[0] == 10 && vm->counters[HB_NR_COUNTERS - 1] == 9 + HB_NR_COUNTERS,
	    "saved", "its counters");
	row(vm && vm->course.policy == &policies.all[3] && vm->course.next == 2 &&
	    vm->course.limited && vm->course.held && !vm->course.running &&
	    vm->course.due_ns == HB_NEVER && vm->course.nr_taken == 2 &&
	    vm->course.taken[1] == 2 * S, "saved", "its steps");
	hb_vms_free(&again);
	row(!hb_saved_read(file, &again, &none) && again.nr == 2 &&
	    !hb_vms_find(&again, UUID)->course.policy, "saved", "a policy that is no more");
	hb_vms_free(&again);
	write_file("{\"version\": 1, \"boot\": \"another\", \"vms\": [{}]}");
	row(!hb_saved_read(file, &again, &none) && !again.nr, "saved", "of another boot");
	for (size_t i = 0; i < NR(damaged); i++) {
		write_file(damaged[i]);
		row(hb_saved_read(file, &again, &none) == -EINVAL, "saved, and damaged",
		    damaged[i]);
	}
	hb_vms_free(&again);
	hb_vms_free(&vms);
	hb_config_free(&policies);
}

/*
 * What heartbeatd is told, and what it tells: the trace has one event at each look, sysfs no
 * monitor, and there is memory for an event source, or not.
 */
static struct hb_event traced;
static int trace_ret, fleet_ret, source_ret;
static int told_lost, told_events;

int hb_follow_read(struct hb_follow *follow,
		   void (*handle)(const struct hb_event *event, void *context), void *context)
{
	(void)follow;
	handle(&traced, context);
	return trace_ret;
}

int hb_fleet_read(struct hb_fleet *fleet, uint64_t files)
{
	(void)files;
	*fleet = (struct hb_fleet){ 0 };
	return fleet_ret;
}

void hb_fleet_free(struct hb_fleet *fleet)
{
	(void)fleet;
}

void hb_journal(enum hb_message message, int priority, const struct hb_about *about,
		const char *format, ...)
{
	(void)priority;
	(void)about;
	told_events += message == HB_MESSAGE_TRANSITION;
	told_lost += message == HB_MESSAGE_MISSED && strstr(format, "lost");
}

int sd_event_add_defer(sd_event *event, sd_event_source **source, sd_event_handler_t callback,
		       void *data)
{
	(void)event;
	(void)source;
	(void)callback;
	(void)data;
	return source_ret;
}

int sd_event_add_time_relative(sd_event *event, sd_event_source **source, clockid_t clock,
			       uint64_t usec, uint64_t accuracy, sd_event_time_handler_t callback,
			       void *data)
{
	(void)clock;
	(void)usec;
	(void)accuracy;
	(void)callback;
	return sd_event_add_defer(event, source, NULL, data);
}

int sd_event_add_time(sd_event *event, sd_event_source **source, clockid_t clock, uint64_t usec,
		      uint64_t accuracy, sd_event_time_handler_t callback, void *data)
{
	return sd_event_add_time_relative(event, source, clock, usec, accuracy, callback, data);
}

static struct hb_daemon new_daemon(void)
{
	static char follow;
	struct hb_daemon daemon = { .follow = (struct hb_follow *)&follow };

	if (sd_event_new(&daemon.event) < 0)
		abort();
	traced = (struct hb_event){
		.name = "state", .vm = UUID, .clock_ns = HB_NEVER, .old = "late",
		.new = "unresponsive", .cause = "hung",
	};
	trace_ret = 0;
	fleet_ret = 0;
	source_ret = 0;
	told_lost = 0;
	told_events = 0;
	return daemon;
}

static void test_lost(void)
{
	struct hb_daemon daemon = new_daemon();
	char said[256];

	hb_daemon_drain(&daemon);
	row(told_events == 1 && !told_lost && !daemon.behind, "lost", "nothing");
	traced.lost = -1;
	hb_daemon_drain(&daemon);
	hb_daemon_drain(&daemon);
	row(told_events == 3 && told_lost == 1 && daemon.behind, "lost", "told once");
	fleet_ret = -ENOMEM;
	hear();
	hb_daemon_look(&daemon);
	heard(said, sizeof(said));
	row(told_lost == 1 && daemon.behind && strstr(said, "cannot be read"), "lost",
	    "not told again before it is compared");
	fleet_ret = 0;
	hb_daemon_look(&daemon);
	row(told_lost == 1 && !daemon.behind, "lost", "compared");
	hb_daemon_drain(&daemon);
	row(told_lost == 2 && daemon.behind, "lost", "told again");
	hb_daemon_catch_up(&daemon);
	/* A monitor goes, of which too much is left to be told. */
	daemon.behind = true;
	hb_daemon_drain(&daemon);
	row(told_lost == 3, "lost", "told though it was to be compared anyway");
	hb_vms_free(&daemon.vms);
	sd_event_unref(daemon.event);
}

static int ends(const struct hb_daemon *daemon)
{
	int code = 0;

	return sd_event_get_exit_code(daemon->event, &code) >= 0 && code == 1;
}

/* Whether a function ends the daemon, and says why, if there is no event source for it. */
static void row_no_source(void (*function)(struct hb_daemon *daemon), const char *what)
{
	struct hb_daemon daemon = new_daemon();
	char said[256];

	parse(steps_text, &daemon.policies, said, sizeof(said));
	trace_ret = 1;
	function(&daemon);
	row(!ends(&daemon), "event source", what);
	source_ret = -ENOMEM;
	hear();
	function(&daemon);
	heard(said, sizeof(said));
	row(ends(&daemon) && strstr(said, "Cannot allocate memory"), "no event source", what);
	hb_vms_free(&daemon.vms);
	hb_config_free(&daemon.policies);
	sd_event_unref(daemon.event);
}

static void drain_known(struct hb_daemon *daemon)
{
	daemon->since_ns = HB_NEVER;
	traced.clock_ns = 0;
	hb_daemon_drain(daemon);
}

static void see_hung(struct hb_daemon *daemon)
{
	struct hb_vm *vm = hb_vms_find(&daemon->vms, UUID) ?: hb_vms_add(&daemon->vms, UUID);

	snprintf(vm->state, sizeof(vm->state), "unresponsive");
	snprintf(vm->cause, sizeof(vm->cause), "hung");
	hb_steps_see(daemon, vm);
}

static void test_no_source(void)
{
	row_no_source(drain_known, "for what is left of the trace");
	row_no_source(hb_daemon_save_soon, "for the next save");
	row_no_source(see_hung, "for a step that will be due");
}

/* Take a step in earnest, and wait for it. */
static int take(char **argv)
{
	struct hb_policies policies;
	struct hb_job job = { .name = argv[2], .uuid = argv[3], .state = "unresponsive",
		.old = "late", .cause = "hung", .vmm_pid = strtoul(argv[4], NULL, 10) };
	char why[HB_WHY_LEN] = "";
	int fd, status;
	pid_t child;

	if (hb_config_read(argv[0], &policies))
		return 2;
	job.policy = &policies.all[0];
	job.step = hb_step_by_word(argv[1]);
	child = hb_act_start(&job, &fd);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 2;
	if (read(fd, why, sizeof(why) - 1) > 0)
		puts(why);
	close(fd);
	hb_config_free(&policies);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

int main(int argc, char **argv)
{
	if (argc == 6)
		return take(argv + 1);
	snprintf(folder, sizeof(folder), "/tmp/heartbeatd_test.XXXXXX");
	if (!mkdtemp(folder))
		return 2;
	snprintf(file, sizeof(file), "%s/file", folder);
	puts("TAP version 13");
	test_config();
	test_find();
	test_steps();
	test_expand();
	test_vmm();
	test_budget();
	test_saved();
	test_lost();
	test_no_source();
	printf("1..%d\n", number);
	unlink(file);
	rmdir(folder);
	return failed;
}
