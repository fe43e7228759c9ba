/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests use of KUnit. twin.c has the functions. */
#ifndef SHIM_KUNIT_TEST_H
#define SHIM_KUNIT_TEST_H

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/types.h>

struct kunit;

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
};

#define KUNIT_CASE(function)	{ function, #function }

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
	struct kunit_suite *next;
};

void twin_add(struct kunit_suite *suite);

#define kunit_test_suite(suite)						\
	static void __attribute__((__constructor__)) add_suite(void)	\
	{								\
		twin_add(&(suite));					\
	}

/* Freed when the test ends, before which the actions are taken, the last one first. */
void *kunit_kzalloc(struct kunit *test, size_t size, int gfp);
int kunit_add_action_or_reset(struct kunit *test, void (*action)(void *data), void *data);

void __attribute__((__format__(__printf__, 2, 3)))
twin_note(struct kunit *test, const char *format, ...);
void twin_fail(struct kunit *test, bool fatal);

/* What is said last is the test's own message, if it has one. */
#define TWIN_REFUTE(test, fatal, what, left, right, ...) do {				\
	twin_note(test, "%s:%d: " what, __FILE__, __LINE__, left, right);		\
	twin_note(test, " " __VA_ARGS__);						\
	twin_fail(test, fatal);								\
} while (0)

#define TWIN_COMPARE(test, fatal, left, op, right, ...) do {				\
	__typeof__(left) _left = (left);						\
	__typeof__(right) _right = (right);						\
											\
	if (!(_left op _right))								\
		TWIN_REFUTE(test, fatal, #left " " #op " " #right ": %#llx, %#llx",	\
			    (long long)_left, (long long)_right, __VA_ARGS__);		\
} while (0)

#define TWIN_STRCMP(test, fatal, left, op, right, ...) do {				\
	const char *_left = (left), *_right = (right);					\
											\
	if (!(strcmp(_left, _right) op 0))						\
		TWIN_REFUTE(test, fatal, #left " " #op " " #right ": %s, %s", _left, _right, \
			    __VA_ARGS__);						\
} while (0)

#define TWIN_BOOL(test, fatal, value, expected, ...) \
	TWIN_COMPARE(test, fatal, !!(value), ==, expected, __VA_ARGS__)

#define TWIN_PTR(test, fatal, left, op, right, ...) \
	TWIN_COMPARE(test, fatal, (uintptr_t)(left), op, (uintptr_t)(right), __VA_ARGS__)

#define KUNIT_EXPECT_EQ_MSG(test, l, r, ...)	TWIN_COMPARE(test, false, l, ==, r, __VA_ARGS__)
#define KUNIT_EXPECT_NE_MSG(test, l, r, ...)	TWIN_COMPARE(test, false, l, !=, r, __VA_ARGS__)
#define KUNIT_EXPECT_LT_MSG(test, l, r, ...)	TWIN_COMPARE(test, false, l, <, r, __VA_ARGS__)
#define KUNIT_EXPECT_LE_MSG(test, l, r, ...)	TWIN_COMPARE(test, false, l, <=, r, __VA_ARGS__)
#define KUNIT_EXPECT_GT_MSG(test, l, r, ...)	TWIN_COMPARE(test, false, l, >, r, __VA_ARGS__)
#define KUNIT_EXPECT_GE_MSG(test, l, r, ...)	TWIN_COMPARE(test, false, l, >=, r, __VA_ARGS__)
#define KUNIT_EXPECT_TRUE_MSG(test, v, ...)	TWIN_BOOL(test, false, v, true, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE_MSG(test, v, ...)	TWIN_BOOL(test, false, v, false, __VA_ARGS__)
#define KUNIT_EXPECT_STREQ_MSG(test, l, r, ...)	TWIN_STRCMP(test, false, l, ==, r, __VA_ARGS__)
#define KUNIT_EXPECT_STRNEQ_MSG(test, l, r, ...) TWIN_STRCMP(test, false, l, !=, r, __VA_ARGS__)
#define KUNIT_EXPECT_PTR_EQ_MSG(test, l, r, ...) TWIN_PTR(test, false, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_EQ_MSG(test, l, r, ...)	TWIN_COMPARE(test, true, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_LT_MSG(test, l, r, ...)	TWIN_COMPARE(test, true, l, <, r, __VA_ARGS__)
#define KUNIT_ASSERT_LE_MSG(test, l, r, ...)	TWIN_COMPARE(test, true, l, <=, r, __VA_ARGS__)
#define KUNIT_ASSERT_GE_MSG(test, l, r, ...)	TWIN_COMPARE(test, true, l, >=, r, __VA_ARGS__)
#define KUNIT_ASSERT_TRUE_MSG(test, v, ...)	TWIN_BOOL(test, true, v, true, __VA_ARGS__)

#define KUNIT_EXPECT_EQ(test, l, r)	KUNIT_EXPECT_EQ_MSG(test, l, r, "")
#define KUNIT_EXPECT_NE(test, l, r)	KUNIT_EXPECT_NE_MSG(test, l, r, "")
#define KUNIT_EXPECT_LT(test, l, r)	KUNIT_EXPECT_LT_MSG(test, l, r, "")
#define KUNIT_EXPECT_LE(test, l, r)	KUNIT_EXPECT_LE_MSG(test, l, r, "")
#define KUNIT_EXPECT_GT(test, l, r)	KUNIT_EXPECT_GT_MSG(test, l, r, "")
#define KUNIT_EXPECT_GE(test, l, r)	KUNIT_EXPECT_GE_MSG(test, l, r, "")
#define KUNIT_EXPECT_TRUE(test, v)	KUNIT_EXPECT_TRUE_MSG(test, v, "")
#define KUNIT_EXPECT_FALSE(test, v)	KUNIT_EXPECT_FALSE_MSG(test, v, "")
#define KUNIT_EXPECT_STREQ(test, l, r)	KUNIT_EXPECT_STREQ_MSG(test, l, r, "")
#define KUNIT_EXPECT_STRNEQ(test, l, r)	KUNIT_EXPECT_STRNEQ_MSG(test, l, r, "")
#define KUNIT_EXPECT_PTR_EQ(test, l, r)	KUNIT_EXPECT_PTR_EQ_MSG(test, l, r, "")
#define KUNIT_EXPECT_NULL(test, p)	KUNIT_EXPECT_PTR_EQ_MSG(test, p, NULL, "")
#define KUNIT_ASSERT_EQ(test, l, r)	KUNIT_ASSERT_EQ_MSG(test, l, r, "")
#define KUNIT_ASSERT_GE(test, l, r)	KUNIT_ASSERT_GE_MSG(test, l, r, "")
#define KUNIT_ASSERT_NOT_NULL(test, p)	KUNIT_ASSERT_TRUE_MSG(test, p, "")

#endif /* SHIM_KUNIT_TEST_H */
