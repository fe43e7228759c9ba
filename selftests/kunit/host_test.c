// SPDX-License-Identifier: GPL-2.0
#define KVMHB_TEST_CLOCK
#include "test.h"

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/smp.h>

#include "host.h"

static unsigned int nr_asked;

/* A host whose CPUs answer at once, as those do that have gone offline. */
static int answer_at_once(int cpu, call_single_data_t *question)
{
	nr_asked++;
	return -ENXIO;
}

static bool leaves;

static bool is_online(unsigned int cpu)
{
	return !leaves && cpu_online(cpu);
}

bool real_host_answered(u64 since_ns);
static void answer_meanwhile(unsigned int ms);

#define cpu_online is_online
#define msleep answer_meanwhile
#define smp_call_function_single_async answer_at_once
#define kvmhb_host_answered real_host_answered

#include "host.c"

#undef kvmhb_host_answered

static unsigned int nr_waits;

/* Who waits for CPU 0 is answered at the second time. */
static void answer_meanwhile(unsigned int ms)
{
	if (++nr_waits == 2)
		host_heard(0);
}

static bool answers_at_once = true;

/* So that no other test has to look twice, they answer before they are asked. */
bool kvmhb_host_answered(u64 since_ns)
{
	if (answers_at_once)
		kvmhb_host_ask();
	return real_host_answered(since_ns);
}

/* What looks were late of late, for as long as that is. */
static void resolution_of_the_host(struct kunit *test)
{
	lateness.new_ns = 0;
	lateness.old_ns = 0;
	lateness.end = jiffies + HZ;
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 2 * TICK_NSEC);
	kvmhb_host_late(30 * MS);
	kvmhb_host_late(20 * MS);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 60 * MS);

	lateness.end = jiffies - 1;
	kvmhb_host_late(25 * MS);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 60 * MS);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 50 * MS);
	kvmhb_host_late(HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 200 * MS);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	lateness.end = jiffies - 1;
	kvmhb_host_late(0);
	KUNIT_EXPECT_EQ(test, kvmhb_host_resolution_ns(), 2 * TICK_NSEC);
}

/* One whose timers are held back does not answer, whatever interrupts it takes. */
static void host_answers_by_timer(struct kunit *test)
{
	struct kvmhb_answerer *self;
	unsigned long flags, end;

	nr_asked = 0;
	round.asked_at_ns = 0;
	kvmhb_host_ask();
	KUNIT_EXPECT_EQ(test, nr_asked, num_online_cpus());
	KUNIT_EXPECT_TRUE(test, real_host_answered(1));

	local_irq_save(flags);
	self = this_cpu_ptr(&answerers);
	host_cpu_is_deaf(self->cpu, ktime_get_ns());
	host_hear(self);
	/* What it answered just before is no sign that it lives. */
	KUNIT_EXPECT_FALSE(test, real_host_answered(1));
	local_irq_restore(flags);
	for (end = jiffies + 10 * HZ; !real_host_answered(1) && time_before(jiffies, end);)
		cpu_relax();
	KUNIT_EXPECT_TRUE(test, cpumask_empty(&round.unheard));
	round.asking = false;
}

/* One that goes offline gives its timers away, and its answer with them. */
static void host_hears_of_who_leaves(struct kunit *test)
{
	unsigned long flags;

	local_irq_save(flags);
	host_cpu_is_deaf(smp_processor_id(), ktime_get_ns());
	leaves = true;
	host_hear(this_cpu_ptr(&answerers));
	leaves = false;
	local_irq_restore(flags);
	KUNIT_EXPECT_FALSE(test, round.asking);
	KUNIT_EXPECT_TRUE(test, cpumask_empty(&round.unheard));
}

/* An answer is the module's code: as long as one is owed, it stays. */
static void host_waits_for_answers(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, kvmhb_host_init(), 0);
	nr_waits = 0;
	kvmhb_host_exit();
	KUNIT_EXPECT_EQ(test, nr_waits, 0);

	KUNIT_ASSERT_EQ(test, kvmhb_host_init(), 0);
	host_cpu_is_deaf(0, ktime_get_ns());
	kvmhb_host_exit();
	KUNIT_EXPECT_EQ(test, nr_waits, 2);
	KUNIT_EXPECT_FALSE(test, round.asking);
}

void host_sleeps_or_wakes(unsigned long event)
{
	host_pm_event(NULL, event, NULL);
}

void host_cpu_is_deaf(unsigned int cpu, u64 since_ns)
{
	cpumask_set_cpu(cpu, &round.unheard);
	round.asked_at_ns = since_ns;
	round.asking = true;
}

/* That was the last question, and they have answered it. U64_MAX: they answer at once again. */
void host_was_asked_at(u64 at_ns)
{
	answers_at_once = at_ns == U64_MAX;
	round.asked_at_ns = answers_at_once ? 0 : at_ns;
}

/* Returns whether all have answered now. */
bool host_cpu_answers(unsigned int cpu)
{
	host_heard(cpu);
	return !round.asking;
}

static struct kunit_case cases[] = {
	KUNIT_CASE(resolution_of_the_host),
	KUNIT_CASE(host_answers_by_timer),
	KUNIT_CASE(host_hears_of_who_leaves),
	KUNIT_CASE(host_waits_for_answers),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_host",
	.test_cases = cases,
};

kunit_test_suite(suite);
