// SPDX-License-Identifier: GPL-2.0
#define KVMHB_TEST_CLOCK
#include "test.h"

#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "monitor.h"

#define MINUTE		(60 * SEC)
#define PATIENCE	(60 * HZ)	/* on a host that is busy, and emulated */

/**
 * struct said - a transition that was reported
 * @old: the state before
 * @new: state and cause since
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
	int wakes;
	wait_queue_head_t heard;

	spinlock_t lock;	/* of all below */
	struct said said[16];
	unsigned int nr_said;
};

static void hear_report(struct kvmhb_reporter *reporter, const struct kvmhb_transition *t)
{
	struct monitor_test *m = container_of(reporter, struct monitor_test, mon.reporter);

	spin_lock(&m->lock);
	if (m->nr_said < ARRAY_SIZE(m->said))
		m->said[m->nr_said++] = (struct said) {
			.old = t->old,
			.new = t->new,
			.last_beat_ns = t->last_beat_ns,
			.gone_ns = t->gone_ns,
			.stale = bitmap_weight(t->stale, KVMHB_PULSE_MAX_SLOTS),
			.at_ns = ktime_get_ns(),
			.outages = m->mon.outages.count,
			.downtime_ns = m->mon.outages.downtime_ns,
		};
	spin_unlock(&m->lock);
	kvmhb_report(reporter, t);
	wake_up_all(&m->heard);
}

#define kvmhb_report hear_report

#include "lifetime.c"
#include "monitor.c"
#include "settings.c"

static void hear_config_change(struct kvmhb_monitor *mon)
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

static void count_wake(struct kvmhb_tally *tally)
{
	container_of(tally, struct monitor_test, mon.tally)->wakes++;
	monitor_wake(tally);
}

static void attach(struct monitor_test *m)
{
	const struct kvmhb_vm vm = { .pulse = &m->pulse, .vmm_pid = 77 };

	kvmhb_monitor_attach(&m->mon, &vm);
}

static void monitor_test_exit(void *data)
{
	struct monitor_test *m = data;

	if (m->mon.verdict.state != KVMHB_DETACHED)
		kvmhb_monitor_detach(&m->mon);
	kvmhb_monitor_uninit(&m->mon);
	root_device_unregister(m->mon.dev);
	kvmhb_pulse_uninit(&m->pulse);
	WRITE_ONCE(test_ahead_ns, 0);
}

static struct monitor_test *monitor_test_init(struct kunit *test, u64 interval_ns,
					      u64 timeout_set_ns)
{
	struct monitor_test *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct kvmhb_config config = { .timeout_set_ns = timeout_set_ns };
	struct device *dev = root_device_register("kvm_heartbeat_kunit");

	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	if (!m || kvmhb_timing_make(&config.timing, interval_ns, timeout_set_ns) ||
	    kvmhb_pulse_init(&m->pulse, 4)) {
		root_device_unregister(dev);
		kunit_skip(test, "no memory");
	}
	spin_lock_init(&m->lock);
	init_waitqueue_head(&m->heard);
	kvmhb_monitor_init(&m->mon, dev, &config, hear_config_change);
	m->mon.tally.wake = count_wake;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, monitor_test_exit, m), 0);
	return m;
}

/* Hours, so that nobody's delay counts. */
static struct monitor_test *patient_monitor(struct kunit *test)
{
	return monitor_test_init(test, HOUR, 4 * HOUR);
}

static void look_now(struct monitor_test *m)
{
	kvmhb_turn_now(&m->mon.turn);
	flush_work(&m->mon.turn.work);
}

static void say(struct monitor_test *m, u32 word)
{
	kvmhb_monitor_lifecycle(&m->mon, word);
	look_now(m);
}

static void beat(struct monitor_test *m)
{
	kvmhb_tally_beat(&m->mon.tally, 0);
	flush_work(&m->mon.turn.work);
}

static void attach_and_arm(struct monitor_test *m)
{
	attach(m);
	say(m, KVM_HEARTBEAT_ARM);
}

/* It was not to be looked at meanwhile, so nobody is late. */
static void time_passes(struct monitor_test *m, u64 ns)
{
	mutex_lock(&m->mon.lock);
	m->mon.turn.due_at_ns = 0;
	WRITE_ONCE(test_ahead_ns, test_ahead_ns + ns);
	mutex_unlock(&m->mon.lock);
}

static void silent_for(struct monitor_test *m, u64 ns)
{
	time_passes(m, ns);
	look_now(m);
}

static struct kvmhb_readings read_of(struct monitor_test *m)
{
	struct kvmhb_readings readings;

	kvmhb_monitor_read(&m->mon, &readings);
	return readings;
}

static void expect_verdict(struct kunit *test, struct monitor_test *m, enum kvmhb_state state,
			   enum kvmhb_cause cause, const char *when)
{
	struct kvmhb_verdict verdict = read_of(m).verdict;

	KUNIT_EXPECT_STREQ_MSG(test, kvmhb_state_word(verdict.state), kvmhb_state_word(state),
			       "%s", when);
	KUNIT_EXPECT_STREQ_MSG(test, kvmhb_cause_word(verdict.cause), kvmhb_cause_word(cause),
			       "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.tally.state, state, "%s", when);
}

/* The guest's words, one after the other, and what is left of them when its VM ends. */
static void monitor_words(struct kunit *test)
{
	static const struct {
		const char *what;
		u32 word;		/* or RESET */
		u32 lifecycle;		/* the last one accepted */
		struct kvmhb_verdict verdict;
		enum kvmhb_cause goodbye;
	} rows[] = {
#define RESET	U32_MAX
		{ "nothing said", KVM_HEARTBEAT_NONE, KVM_HEARTBEAT_NONE,
		  { KVMHB_WAITING, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ "no word", 7, KVM_HEARTBEAT_NONE,
		  { KVMHB_WAITING, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ "arms", KVM_HEARTBEAT_ARM, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ "no word again", U32_MAX - 1, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ "suspends", KVM_HEARTBEAT_SUSPEND, KVM_HEARTBEAT_SUSPEND,
		  { KVMHB_STOPPED, KVMHB_CAUSE_SUSPEND }, KVMHB_CAUSE_SUSPEND },
		{ "resumes", KVM_HEARTBEAT_ARM, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ "unloads", KVM_HEARTBEAT_UNLOAD, KVM_HEARTBEAT_UNLOAD,
		  { KVMHB_STOPPED, KVMHB_CAUSE_UNLOAD }, KVMHB_CAUSE_UNLOAD },
		{ "reboots", KVM_HEARTBEAT_REBOOT, KVM_HEARTBEAT_REBOOT,
		  { KVMHB_STOPPED, KVMHB_CAUSE_REBOOT }, KVMHB_CAUSE_REBOOT },
		{ "is reset", RESET, KVM_HEARTBEAT_NONE,
		  { KVMHB_WAITING, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_REBOOT },
		{ "panics before it arms", KVM_HEARTBEAT_PANIC, KVM_HEARTBEAT_PANIC,
		  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, KVMHB_CAUSE_PANIC },
		{ "and reboots", KVM_HEARTBEAT_REBOOT, KVM_HEARTBEAT_PANIC,
		  { KVMHB_PANICKED, KVMHB_CAUSE_PANIC }, KVMHB_CAUSE_PANIC },
		{ "arms once more", KVM_HEARTBEAT_ARM, KVM_HEARTBEAT_ARM,
		  { KVMHB_ALIVE, KVMHB_CAUSE_NONE }, KVMHB_CAUSE_VMM_GONE },
		{ "shuts down", KVM_HEARTBEAT_SHUTDOWN, KVM_HEARTBEAT_SHUTDOWN,
		  { KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN }, KVMHB_CAUSE_SHUTDOWN },
	};
	struct monitor_test *m;
	int last, i;

	for (last = 0; last < ARRAY_SIZE(rows); last++) {
		m = patient_monitor(test);
		expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_NONE, "before");
		attach(m);
		expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "at first");
		for (i = 0; i <= last; i++) {
			if (rows[i].word == RESET)
				kvmhb_monitor_reset(&m->mon);
			else
				say(m, rows[i].word);
			expect_verdict(test, m, rows[i].verdict.state, rows[i].verdict.cause,
				       rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, read_of(m).lifecycle, rows[i].lifecycle, "%s",
					    rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, !!m->mon.turn.due_at_ns,
					    rows[i].verdict.state == KVMHB_ALIVE, "%s",
					    rows[i].what);
		}
		kvmhb_monitor_detach(&m->mon);
		expect_verdict(test, m, KVMHB_DETACHED, rows[last].goodbye, rows[last].what);
		KUNIT_EXPECT_EQ_MSG(test, m->mon.turn.due_at_ns, 0, "%s", rows[last].what);
		KUNIT_EXPECT_NULL(test, m->mon.turn.patrol);
		KUNIT_EXPECT_NULL(test, m->mon.tally.pulse);
		KUNIT_EXPECT_NULL(test, m->mon.vm.pulse);
		KUNIT_EXPECT_FALSE(test, work_busy(&m->mon.turn.work));
		/* There is one device of that name at a time. */
		kunit_release_action(test, monitor_test_exit, m);
	}
#undef RESET
}

static bool has_said(struct monitor_test *m, enum kvmhb_state state, unsigned int *at)
{
	bool has;

	spin_lock(&m->lock);
	while (*at < m->nr_said && m->said[*at].new.state != state)
		(*at)++;
	has = *at < m->nr_said;
	spin_unlock(&m->lock);
	return has;
}

/* Waits until that state is reported, beginning with the report @at, and moves @at to it. */
static void await_report(struct kunit *test, struct monitor_test *m, enum kvmhb_state state,
			 unsigned int *at)
{
	KUNIT_ASSERT_TRUE_MSG(test, wait_event_timeout(m->heard, has_said(m, state, at), PATIENCE),
			      "%s", kvmhb_state_word(state));
}

/* By the time of the host: no look is asked for here. */
static void monitor_in_time(struct kunit *test)
{
	struct monitor_test *m = monitor_test_init(test, 20 * MS, 40 * MS);
	unsigned int at = 0;
	u64 armed_at_ns;

	attach(m);
	kvmhb_monitor_lifecycle(&m->mon, KVM_HEARTBEAT_ARM);
	armed_at_ns = kvmhb_tally_last_beat_at_ns(&m->mon.tally);
	await_report(test, m, KVMHB_ALIVE, &at);
	await_report(test, m, KVMHB_LATE, &at);
	KUNIT_EXPECT_EQ(test, m->said[at].old, KVMHB_ALIVE);
	KUNIT_EXPECT_GE(test, m->said[at].at_ns, armed_at_ns + 30 * MS);
	KUNIT_EXPECT_GE(test, m->said[at].last_beat_ns, 30 * MS);
	await_report(test, m, KVMHB_UNRESPONSIVE, &at);
	KUNIT_EXPECT_EQ(test, m->said[at].old, KVMHB_LATE);
	KUNIT_EXPECT_EQ(test, m->said[at].new.cause, KVMHB_CAUSE_UNKNOWN);
	KUNIT_EXPECT_GE(test, m->said[at].at_ns, armed_at_ns + 40 * MS);
	KUNIT_EXPECT_EQ(test, m->said[at].outages, 1);

	/* It wakes who is to see it. */
	kvmhb_tally_beat(&m->mon.tally, 0);
	await_report(test, m, KVMHB_ALIVE, &at);
	KUNIT_EXPECT_EQ(test, m->said[at].old, KVMHB_UNRESPONSIVE);
	KUNIT_EXPECT_GE(test, m->said[at].gone_ns, 40 * MS);
	KUNIT_EXPECT_EQ(test, m->said[at].outages, 1);
	KUNIT_EXPECT_EQ(test, m->said[at].downtime_ns, m->said[at].gone_ns);

	/* And falls silent again. */
	await_report(test, m, KVMHB_LATE, &at);
	say(m, KVM_HEARTBEAT_SHUTDOWN);
	expect_verdict(test, m, KVMHB_STOPPED, KVMHB_CAUSE_SHUTDOWN, "at last");
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&m->mon.turn.timer));
}

static int show_silence(const struct kvmhb_judgement *judged, char *buf)
{
	*(u64 *)buf = judged->silence_ns;
	return judged->verdict.cause;
}

/* What a silence leaves behind. */
static void monitor_counts_silence(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_readings r;
	u64 silence_ns;

	attach_and_arm(m);
	beat(m);
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 0);
	silent_for(m, 7 * HOUR / 5);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "not yet late");
	silent_for(m, HOUR / 5);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 1);
	silent_for(m, 11 * HOUR / 5);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "not yet too late");
	silent_for(m, 2 * HOUR / 5);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent");

	/* So far 4.2 hours: 3 beats did not come. */
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.beats, 2);
	KUNIT_EXPECT_EQ(test, r.missed, 3);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_GE(test, r.last_beat_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_GT(test, r.suspicion_milli, 5000);
	KUNIT_EXPECT_EQ(test, atomic64_read(&m->mon.tally.missed), 0);
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_show_judgement(&m->mon, (char *)&silence_ns,
							   show_silence), KVMHB_CAUSE_UNKNOWN);
	KUNIT_EXPECT_GE(test, silence_ns, 21 * HOUR / 5);

	/* The first beat wakes, once, and is counted with what it ends. */
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 1);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	KUNIT_EXPECT_FALSE(test, m->mon.tally.attention);
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 1);
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.beats, 4);
	KUNIT_EXPECT_EQ(test, r.missed, 3);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_EQ(test, r.downtime_ns, m->said[m->nr_said - 1].gone_ns);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_LT(test, r.last_beat_ns, HOUR);
	KUNIT_EXPECT_EQ(test, r.gaps.n, 2);
	KUNIT_EXPECT_LT(test, r.suspicion_milli, 1000);

	/* A word ends a silence as well. */
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 5);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent again");
	say(m, KVM_HEARTBEAT_ARM);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "armed again");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.missed, 6);
	KUNIT_EXPECT_EQ(test, r.outages, 2);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 42 * HOUR / 5);
	KUNIT_EXPECT_LT(test, r.last_beat_ns, HOUR);
}

/* A time that the guest did not have is not held against it. */
static void monitor_excuses(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	attach_and_arm(m);
	beat(m);
	beat(m);
	silent_for(m, 2 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	m->mon.watch.host.sleeps--;
	silent_for(m, 3 * HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "the host slept");
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 1);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	KUNIT_EXPECT_EQ(test, read_of(m).missed, 1);
	KUNIT_EXPECT_EQ(test, read_of(m).outages, 0);
	KUNIT_EXPECT_EQ(test, read_of(m).downtime_ns, 0);
}

/* Who looks when, by what there is to see. */
static void monitor_looks_again(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_monitor *mon = &m->mon;

	attach(m);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&mon->turn), 0);
	say(m, KVM_HEARTBEAT_ARM);
	KUNIT_EXPECT_NOT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_EQ(test, mon->turn.due_at_ns,
			mon->watch.seen_at_ns + MONITOR_BLIND_INTERVALS * HOUR);
	KUNIT_EXPECT_EQ(test, kvmhb_turn_due_at_ns(&mon->turn),
			kvmhb_tally_last_beat_at_ns(&mon->tally) + 3 * HOUR / 2);

	/* A little later it may be late: that is exact. So is a silence. */
	silent_for(m, HOUR + HOUR / 5);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "not yet late");
	KUNIT_EXPECT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&mon->turn.timer));
	silent_for(m, HOUR);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	KUNIT_EXPECT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_TRUE(test, mon->tally.attention);

	/* Its CPUs pulse: that is to be seen once an interval. */
	slots_of(&m->pulse)->flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	say(m, KVM_HEARTBEAT_ARM);
	KUNIT_EXPECT_NOT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_EQ(test, mon->turn.beat_due_ns, 0);
	KUNIT_EXPECT_LE(test, mon->turn.due_at_ns, mon->watch.seen_at_ns + 3 * HOUR / 2);
	KUNIT_EXPECT_GT(test, mon->turn.due_at_ns, mon->watch.seen_at_ns + HOUR);

	/* A goodbye is heard at once, and nobody looks from the next look on. */
	kvmhb_monitor_lifecycle(mon, KVM_HEARTBEAT_REBOOT);
	expect_verdict(test, m, KVMHB_STOPPED, KVMHB_CAUSE_REBOOT, "stopped");
	look_now(m);
	KUNIT_EXPECT_NULL(test, mon->turn.patrol);
	KUNIT_EXPECT_EQ(test, mon->turn.due_at_ns, 0);
}

/* What a patrol or the lane may do itself, and what it leaves to a worker. */
static void monitor_takes_turns(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_monitor *mon = &m->mon;

	attach_and_arm(m);
	mutex_lock(&mon->lock);
	KUNIT_EXPECT_FALSE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_LANE, 0));
	KUNIT_EXPECT_FALSE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_PATROL, 1));
	KUNIT_EXPECT_EQ(test, mon->turn.asked_at_ns, 0);
	mutex_unlock(&mon->lock);

	/* Nothing is to be said of it. */
	time_passes(m, HOUR);
	KUNIT_EXPECT_TRUE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_PATROL, 1));
	KUNIT_EXPECT_LT(test, ktime_get_ns() - mon->watch.seen_at_ns, HOUR);

	/* There is, but not by a patrol. */
	time_passes(m, HOUR);
	KUNIT_EXPECT_FALSE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_PATROL, 1));
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "for a worker");
	KUNIT_EXPECT_EQ(test, mon->turn.asked_at_ns, 1);
	KUNIT_EXPECT_TRUE(test, kvmhb_monitor_take_turn(&mon->turn, KVMHB_LOOKER_LANE, 0));
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "by the lane");
}

/* The device is reset, with its VM or under a guest that knows nothing of it. */
static void monitor_reset(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_monitor *mon = &m->mon;
	struct kvmhb_readings r;
	u32 seq;

	attach(m);
	kvmhb_monitor_reset(mon);
	KUNIT_EXPECT_FALSE(test, mon->tally.lost);
	say(m, KVM_HEARTBEAT_ARM);
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 5);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "silent");
	seq = m->pulse.config_seq;
	memset(m->pulse.header, 0xff, m->pulse.size);
	kvmhb_monitor_reset(mon);
	expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "reset");
	KUNIT_EXPECT_EQ(test, le32_to_cpu(m->pulse.header->config_seq), seq + 2);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(m->pulse.header->config_ack), 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(m->pulse.header->interval_ns), HOUR);
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.lifecycle, KVM_HEARTBEAT_NONE);
	KUNIT_EXPECT_FALSE(test, r.has_beaten);
	KUNIT_EXPECT_EQ(test, r.missed, 3);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 21 * HOUR / 5);

	/* Its driver rings on, past another reset: so it lives. */
	kvmhb_monitor_reset(mon);
	beat(m);
	beat(m);
	expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "one was under way");
	time_passes(m, HOUR / 2);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "found");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.lifecycle, KVM_HEARTBEAT_ARM);
	KUNIT_EXPECT_TRUE(test, r.has_beaten);
	KUNIT_EXPECT_EQ(test, r.beats, 0);
	KUNIT_EXPECT_FALSE(test, mon->tally.lost);
	beat(m);
	KUNIT_EXPECT_EQ(test, read_of(m).beats, 1);

	/* A guest that says something is not lost any more, nor is one that has stopped. */
	kvmhb_monitor_reset(mon);
	KUNIT_EXPECT_TRUE(test, mon->tally.lost);
	say(m, KVM_HEARTBEAT_SHUTDOWN);
	KUNIT_EXPECT_FALSE(test, mon->tally.lost);
	kvmhb_monitor_reset(mon);
	KUNIT_EXPECT_FALSE(test, mon->tally.lost);
	say(m, KVM_HEARTBEAT_ARM);
	kvmhb_monitor_reset(mon);
	kvmhb_monitor_detach(mon);
	KUNIT_EXPECT_FALSE(test, mon->tally.lost);
}

/* Another VM: all counters begin anew, and not before it comes. */
static void monitor_another_vm(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_readings r;

	attach_and_arm(m);
	beat(m);
	beat(m);
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 5);
	KUNIT_EXPECT_EQ(test, read_of(m).vmm_pid, 77);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_VMM_GONE, "gone");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.vmm_pid, 0);
	KUNIT_EXPECT_EQ(test, r.beats, 2);
	KUNIT_EXPECT_EQ(test, r.missed, 3);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_EQ(test, r.gaps.n, 1);
	KUNIT_EXPECT_TRUE(test, r.has_beaten);
	KUNIT_EXPECT_EQ(test, m->mon.watch.judged.verdict.state, KVMHB_UNRESPONSIVE);

	attach(m);
	expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "another");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.vmm_pid, 77);
	KUNIT_EXPECT_EQ(test, r.beats, 0);
	KUNIT_EXPECT_EQ(test, r.missed, 0);
	KUNIT_EXPECT_EQ(test, r.outages, 0);
	KUNIT_EXPECT_EQ(test, r.downtime_ns, 0);
	KUNIT_EXPECT_EQ(test, r.gaps.n, 0);
	KUNIT_EXPECT_FALSE(test, r.has_beaten);
	KUNIT_EXPECT_EQ(test, m->mon.watch.judged.verdict.state, KVMHB_DETACHED);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_VMM_GONE, "gone again");
}

/* What users set, in minutes. */
static void monitor_is_configured(struct kunit *test)
{
#define LEAVE	U64_MAX
	static const struct {
		const char *what;
		u64 interval, timeout;	/* or LEAVE */
		int ret;
		u64 new_interval, new_timeout;
		bool changes;
	} rows[] = {
		{ "the interval is too long", 61, LEAVE, -ERANGE, 30, 60, false },
		{ "too short", 0, LEAVE, -ERANGE, 30, 60, false },
		{ "the timeout is too long", LEAVE, 24 * 60 + 1, -ERANGE, 30, 60, false },
		{ "not above the interval", LEAVE, 30, -EINVAL, 30, 60, false },
		{ "the timeout follows", 40, LEAVE, 0, 40, 80, true },
		{ "as before", 40, LEAVE, 0, 40, 80, false },
		{ "nothing at all", LEAVE, LEAVE, 0, 40, 80, false },
		{ "the same timeout, but set", LEAVE, 80, 0, 40, 80, false },
		{ "it does not follow any more", 50, LEAVE, 0, 50, 80, true },
		{ "both", 10, 55, 0, 10, 55, true },
		{ "not above the timeout that is set", 55, LEAVE, -EINVAL, 10, 55, false },
		{ "longest", LEAVE, 24 * 60, 0, 10, 24 * 60, true },
		{ "it follows again", LEAVE, 0, 0, 10, 20, true },
		{ "and again", 60, LEAVE, 0, 60, 120, true },
	};
	struct monitor_test *m;
	int attached, i;

	for (attached = 0; attached < 2; attached++) {
		m = monitor_test_init(test, 30 * MINUTE, 0);
		if (attached)
			attach(m);
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			u64 interval_ns = rows[i].interval * MINUTE;
			u64 timeout_ns = rows[i].timeout * MINUTE;
			const u64 *interval = rows[i].interval == LEAVE ? NULL : &interval_ns;
			const u64 *timeout = rows[i].timeout == LEAVE ? NULL : &timeout_ns;
			u32 seq = m->pulse.config_seq;
			int changes = m->config_changes;
			int ret;

			ret = kvmhb_monitor_configure(&m->mon, interval, timeout);
			KUNIT_EXPECT_EQ_MSG(test, ret, rows[i].ret, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, read_of(m).timing.interval_ns,
					    rows[i].new_interval * MINUTE, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, read_of(m).timing.timeout_ns,
					    rows[i].new_timeout * MINUTE, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, m->config_changes - changes,
					    attached && rows[i].changes, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, m->pulse.config_seq - seq,
					    attached && rows[i].changes ? 2 : 0, "%s",
					    rows[i].what);
			if (!attached)
				continue;
			KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(m->pulse.header->interval_ns),
					    rows[i].new_interval * MINUTE, "%s", rows[i].what);
			KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(m->pulse.header->timeout_ns),
					    rows[i].new_timeout * MINUTE, "%s", rows[i].what);
		}
		kunit_release_action(test, monitor_test_exit, m);
	}
#undef LEAVE
}

static void set_interval(struct kunit *test, struct monitor_test *m, u64 interval_ns)
{
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, &interval_ns, NULL), 0);
}

/* What the guest is judged by, in minutes. */
static void expect_judged_by(struct kunit *test, struct monitor_test *m, u64 interval, u64 timeout,
			     bool retuning, const char *when)
{
	KUNIT_EXPECT_EQ_MSG(test, m->mon.timing.interval_ns, interval * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.timing.timeout_ns, timeout * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.judging.interval_ns, interval * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.tally.interval_ns, interval * MINUTE, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.retuning, retuning, "%s", when);
	KUNIT_EXPECT_EQ_MSG(test, m->mon.tally.retuning, retuning, "%s", when);
}

/* Between a change of the interval and the beat that acknowledges it. */
static void monitor_retunes(struct kunit *test)
{
	struct monitor_test *m = monitor_test_init(test, 30 * MINUTE, 0);
	struct kvm_heartbeat_pulse_header *header;
	u64 timeout_ns = 50 * MINUTE;

	attach(m);
	header = m->pulse.header;
	header->config_ack = header->config_seq;
	say(m, KVM_HEARTBEAT_ARM);
	expect_judged_by(test, m, 30, 60, false, "at first");

	set_interval(test, m, 10 * MINUTE);
	expect_judged_by(test, m, 30, 60, true, "shorter");
	beat(m);
	expect_judged_by(test, m, 30, 60, true, "beats by the old one");
	silent_for(m, 40 * MINUTE);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "as long as it was to");
	set_interval(test, m, 45 * MINUTE);
	expect_judged_by(test, m, 45, 90, true, "longer than both");
	set_interval(test, m, 5 * MINUTE);
	expect_judged_by(test, m, 45, 90, true, "shortest");
	header->config_ack = cpu_to_le32(m->pulse.config_seq - 2);
	beat(m);
	expect_judged_by(test, m, 45, 90, true, "beats by the one before");
	KUNIT_EXPECT_EQ(test, m->wakes, 0);
	header->config_ack = header->config_seq;
	beat(m);
	KUNIT_EXPECT_EQ(test, m->wakes, 1);
	expect_judged_by(test, m, 5, 10, false, "beats by the newest");
	KUNIT_EXPECT_EQ(test, read_of(m).gaps.n, 0);

	/* The guest has nothing to do with the timeout. */
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, NULL, &timeout_ns), 0);
	expect_judged_by(test, m, 5, 50, false, "timeout");
	KUNIT_EXPECT_EQ(test, m->config_changes, 4);

	/* Arming by it says so too; an end of the guest, or of its VM, leaves nobody to ask. */
	set_interval(test, m, 20 * MINUTE);
	set_interval(test, m, 10 * MINUTE);
	expect_judged_by(test, m, 20, 50, true, "once more");
	header->config_ack = header->config_seq;
	say(m, KVM_HEARTBEAT_ARM);
	expect_judged_by(test, m, 10, 50, false, "armed");
	set_interval(test, m, 5 * MINUTE);
	expect_judged_by(test, m, 10, 50, true, "before the reset");
	kvmhb_monitor_reset(&m->mon);
	expect_judged_by(test, m, 5, 50, false, "after the reset");
	say(m, KVM_HEARTBEAT_ARM);
	set_interval(test, m, 3 * MINUTE);
	expect_judged_by(test, m, 5, 50, true, "before the end");
	kvmhb_monitor_detach(&m->mon);
	expect_judged_by(test, m, 3, 50, false, "after the end");
	set_interval(test, m, 2 * MINUTE);
	expect_judged_by(test, m, 2, 50, false, "detached");
}

/* A shorter timeout is that of a silence that lasts, too. */
static void monitor_timeout_changes(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	u64 timeout_ns = 3 * HOUR;

	attach_and_arm(m);
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 10);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, NULL, &timeout_ns), 0);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_UNKNOWN, "shorter");
	timeout_ns = 5 * HOUR;
	KUNIT_EXPECT_EQ(test, kvmhb_monitor_configure(&m->mon, NULL, &timeout_ns), 0);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "longer");
	KUNIT_EXPECT_EQ(test, read_of(m).outages, 1);
}

/* An hour in which the guest beats, and those of its first CPUs pulse. */
static void living_hour(struct monitor_test *m, unsigned int cpus)
{
	unsigned int nr;

	for (nr = 0; nr < cpus; nr++)
		le64_add_cpu(&slots_of(&m->pulse)[nr].pulses, 1);
	time_passes(m, HOUR);
	beat(m);
	look_now(m);
}

/* A guest with three CPUs that are online. */
static void monitor_stale_cpus(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	DECLARE_BITMAP(cpus, KVMHB_PULSE_MAX_SLOTS);
	unsigned int nr, hour;

	attach(m);
	for (nr = 0; nr < 3; nr++)
		slots_of(&m->pulse)[nr].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	say(m, KVM_HEARTBEAT_ARM);
	for (hour = 0; hour < 3; hour++)
		living_hour(m, 1);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "not yet");
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(cpus, KVMHB_PULSE_MAX_SLOTS));
	living_hour(m, 1);
	expect_verdict(test, m, KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, "two of three");
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_EQ(test, cpus[0], 6);
	KUNIT_EXPECT_EQ(test, m->said[m->nr_said - 1].stale, 2);

	/* Nothing is said twice; other CPUs are. */
	nr = m->nr_said;
	living_hour(m, 1);
	KUNIT_EXPECT_EQ(test, m->nr_said, nr);
	living_hour(m, 2);
	expect_verdict(test, m, KVMHB_DEGRADED, KVMHB_CAUSE_PARTIAL, "one of three");
	KUNIT_EXPECT_EQ(test, m->nr_said, nr + 1);
	KUNIT_EXPECT_EQ(test, m->said[m->nr_said - 1].stale, 1);
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_EQ(test, cpus[0], 4);
	living_hour(m, 3);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "none of three");
	kvmhb_monitor_stale(&m->mon, cpus);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(cpus, KVMHB_PULSE_MAX_SLOTS));
}

static int monitor_suite_init(struct kunit_suite *suite)
{
	return kvmhb_monitors_init();
}

static void monitor_suite_exit(struct kunit_suite *suite)
{
	kvmhb_monitors_exit();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(monitor_words),
	KUNIT_CASE(monitor_in_time),
	KUNIT_CASE(monitor_counts_silence),
	KUNIT_CASE(monitor_excuses),
	KUNIT_CASE(monitor_looks_again),
	KUNIT_CASE(monitor_takes_turns),
	KUNIT_CASE(monitor_reset),
	KUNIT_CASE(monitor_another_vm),
	KUNIT_CASE(monitor_is_configured),
	KUNIT_CASE(monitor_retunes),
	KUNIT_CASE(monitor_timeout_changes),
	KUNIT_CASE(monitor_stale_cpus),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_monitor",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
