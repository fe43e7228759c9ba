/* SPDX-License-Identifier: GPL-2.0 */
/* A monitor, its clock and its guest: what tests of monitor.c, lifetime.c and settings.c share. */
#ifndef KVMHB_MONITORED_H
#define KVMHB_MONITORED_H

#define KVMHB_TEST_CLOCK
#include "test.h"

#include <linux/device.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "monitor.h"

#define PATIENCE	(60 * HZ)	/* on a host that is busy, and emulated */

/**
 * struct said - a transition that was reported
 * @old: the state before
 * @new: state and cause since
 * @vmm_pid: the VMM
 * @last_beat_ns: time since the last beat, ns
 * @gone_ns: length of the silence that ended, ns
 * @stale: how many CPUs were stale
 * @at_ns: when it was, ns of CLOCK_MONOTONIC
 * @outages: how many outages were counted then
 * @downtime_ns: and how long they were, those that had ended, ns
 */
struct said {
	enum kvmhb_state old;
	struct kvmhb_verdict new;
	pid_t vmm_pid;
	u64 last_beat_ns;
	u64 gone_ns;
	unsigned int stale;
	u64 at_ns;
	u64 outages;
	u64 downtime_ns;
};

/* A monitor, and a VM that runs without KVM: what is seen of its guest is its pulse page. */
struct monitor_test {
	struct kvmhb_monitor mon;
	struct kvmhb_pulse pulse;
	int config_changes;
	int stops;
	int wakes;
	void (*wake)(struct kvmhb_tally *tally);
	wait_queue_head_t heard;

	spinlock_t lock;	/* of all below */
	struct said said[16];
	unsigned int nr_said;
};

static inline void hear_config_change(struct kvmhb_monitor *mon)
{
	struct monitor_test *m = container_of(mon, struct monitor_test, mon);

	/* Nobody else takes it: the guest is not armed. */
	if (!kvmhb_state_is_armed(mon->verdict.state)) {
		if (!mutex_trylock(&mon->lock))
			return;
		mutex_unlock(&mon->lock);
	}
	m->config_changes++;
}

static inline bool hear_stop(struct kvmhb_monitor *mon)
{
	container_of(mon, struct monitor_test, mon)->stops++;
	return true;
}

static const struct kvmhb_monitor_ops test_ops = {
	.config_changed = hear_config_change,
	.stop = hear_stop,
};

static inline void count_wake(struct kvmhb_tally *tally)
{
	struct monitor_test *m = container_of(tally, struct monitor_test, mon.tally);

	m->wakes++;
	m->wake(tally);
}

static inline void attach(struct monitor_test *m)
{
	const struct kvmhb_vm vm = { .pulse = &m->pulse, .vmm = task_tgid(current) };

	kvmhb_monitor_attach(&m->mon, &vm);
}

static inline void monitor_test_exit(void *data)
{
	struct monitor_test *m = data;

	if (m->mon.verdict.state != KVMHB_DETACHED)
		kvmhb_monitor_detach(&m->mon);
	kvmhb_monitor_stop(&m->mon);
	kvmhb_monitor_uninit(&m->mon);
	root_device_unregister(m->mon.tally.dev);
	kvmhb_pulse_uninit(&m->pulse);
	WRITE_ONCE(test_ahead_ns, 0);
}

static inline struct monitor_test *monitor_test_named(struct kunit *test, const char *name,
						      u64 interval_ns, u64 timeout_set_ns)
{
	struct monitor_test *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct kvmhb_config config = { .timeout_set_ns = timeout_set_ns };
	struct device *dev = root_device_register(name);

	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	if (!m || kvmhb_timing_make(&config.timing, interval_ns, timeout_set_ns) ||
	    kvmhb_pulse_init(&m->pulse, 4)) {
		root_device_unregister(dev);
		kunit_skip(test, "no memory");
	}
	spin_lock_init(&m->lock);
	init_waitqueue_head(&m->heard);
	kvmhb_monitor_init(&m->mon, dev, &config, &test_ops);
	m->wake = m->mon.tally.wake;
	m->mon.tally.wake = count_wake;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, monitor_test_exit, m), 0);
	return m;
}

static inline struct monitor_test *monitor_test_init(struct kunit *test, u64 interval_ns,
						     u64 timeout_set_ns)
{
	return monitor_test_named(test, "kvm_heartbeat_kunit", interval_ns, timeout_set_ns);
}

/* Hours, so that nobody's delay counts. */
static inline struct monitor_test *patient_monitor(struct kunit *test)
{
	return monitor_test_init(test, HOUR, 4 * HOUR);
}

static inline void look_now(struct monitor_test *m)
{
	kvmhb_turn_now(&m->mon.turn);
	flush_work(&m->mon.turn.work);
}

static inline void say(struct monitor_test *m, u32 word)
{
	kvmhb_monitor_lifecycle(&m->mon, word);
	look_now(m);
}

static inline void beat(struct monitor_test *m)
{
	kvmhb_tally_beat(&m->mon.tally, 0);
	flush_work(&m->mon.turn.work);
}

static inline void attach_and_arm(struct monitor_test *m)
{
	attach(m);
	say(m, KVM_HEARTBEAT_ARM);
}

/* It was not to be looked at meanwhile, so nobody is late. */
static inline void time_passes(struct monitor_test *m, u64 ns)
{
	mutex_lock(&m->mon.lock);
	m->mon.turn.due_at_ns = 0;
	WRITE_ONCE(test_ahead_ns, test_ahead_ns + ns);
	mutex_unlock(&m->mon.lock);
}

static inline void silent_for(struct monitor_test *m, u64 ns)
{
	time_passes(m, ns);
	look_now(m);
}

/* Not inline, as each call would have readings of its own on the caller's stack. */
static noinline __maybe_unused struct kvmhb_readings read_of(struct monitor_test *m)
{
	struct kvmhb_readings readings;

	kvmhb_monitor_read(&m->mon, &readings);
	return readings;
}

static inline void expect_verdict(struct kunit *test, struct monitor_test *m,
				  enum kvmhb_state state, enum kvmhb_cause cause,
				  const char *when)
{
	const struct kvmhb_verdict expected = { state, cause };
	enum kvmhb_state beat_state = kvmhb_verdict_beat_state(&expected);
	struct kvmhb_verdict verdict = read_of(m).verdict;

	if (cause == KVMHB_CAUSE_DUMPING)
		beat_state = KVMHB_ALIVE;
	else if (kvmhb_may_revive(&expected, m->mon.lifecycle))
		beat_state = KVMHB_UNRESPONSIVE;

	KUNIT_EXPECT_STREQ_MSG(test, kvmhb_state_word(verdict.state), kvmhb_state_word(state),
			       "%s", when);
	KUNIT_EXPECT_STREQ_MSG(test, kvmhb_cause_word(verdict.cause), kvmhb_cause_word(cause),
			       "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.tally.state, beat_state, "%s", when);
}

static inline int monitor_suite_init(struct kunit_suite *suite)
{
	return kvmhb_monitors_init();
}

static inline void monitor_suite_exit(struct kunit_suite *suite)
{
	kvmhb_monitors_exit();
}

#endif /* KVMHB_MONITORED_H */
