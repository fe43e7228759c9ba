// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the KUnit tests of the host module's pure files in userspace, with the sanitizers of the
 * compiler: prints KTAP, and fails if any test does. The headers in include/ are all that these
 * files and their tests see of the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <kunit/test.h>

u64 test_ahead_ns;

/* What is to be done when a test ends. */
struct action {
	void (*action)(void *data);
	void *data;
	struct action *before;
};

struct kunit {
	jmp_buf end;
	bool failed;
	struct action *actions;
};

static struct kunit_suite *suites;

/* In the order of the alphabet, whatever that of the linker is. */
void twin_add(struct kunit_suite *suite)
{
	struct kunit_suite **at = &suites;

	while (*at && strcmp((*at)->name, suite->name) < 0)
		at = &(*at)->next;
	suite->next = *at;
	*at = suite;
}

int kunit_add_action_or_reset(struct kunit *test, void (*action)(void *data), void *data)
{
	struct action *new = malloc(sizeof(*new));

	*new = (struct action) { action, data, test->actions };
	test->actions = new;
	return 0;
}

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	void *memory = calloc(1, size);

	kunit_add_action_or_reset(test, free, memory);
	return memory;
}

void twin_note(struct kunit *test, const char *format, ...)
{
	va_list args;

	printf("        # ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts("");
}

void twin_fail(struct kunit *test, bool fatal)
{
	test->failed = true;
	if (fatal)
		longjmp(test->end, 1);
}

static bool run(const struct kunit_case *test_case)
{
	struct kunit test = {};
	struct action *action;

	if (!setjmp(test.end))
		test_case->run(&test);
	while ((action = test.actions)) {
		test.actions = action->before;
		action->action(action->data);
		free(action);
	}
	return !test.failed;
}

static bool run_suite(const struct kunit_suite *suite)
{
	const struct kunit_case *test_case;
	bool good = true;
	int nr = 0;

	for (test_case = suite->test_cases; test_case->run; test_case++)
		nr++;
	printf("    KTAP version 1\n    # Subtest: %s\n    1..%d\n", suite->name, nr);
	nr = 0;
	for (test_case = suite->test_cases; test_case->run; test_case++) {
		bool passed = run(test_case);

		printf("    %s %d %s\n", passed ? "ok" : "not ok", ++nr, test_case->name);
		good &= passed;
	}
	return good;
}

int main(void)
{
	const struct kunit_suite *suite;
	bool good = true;
	int nr = 0;

	for (suite = suites; suite; suite = suite->next)
		nr++;
	printf("KTAP version 1\n1..%d\n", nr);
	nr = 0;
	for (suite = suites; suite; suite = suite->next) {
		bool passed = run_suite(suite);

		printf("%s %d %s\n", passed ? "ok" : "not ok", ++nr, suite->name);
		good &= passed;
	}
	return !good;
}
