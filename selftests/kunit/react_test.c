// SPDX-License-Identifier: GPL-2.0
#include "monitored.h"

/* What was reported of actions, the last one. */
static struct kvmhb_action reported;
static int nr_reported;

static void hear_action(struct kvmhb_reporter *reporter, const struct kvmhb_action *action)
{
	reported = *action;
	nr_reported++;
	kvmhb_report_action(reporter, action);
}

#define kvmhb_report_action hear_action

/* A host with a CPU that has yet to answer. */
static bool host_owes;

static bool host_is_asked(const struct kvmhb_watch *watch, u64 timeout_ns)
{
	return host_owes;
}

#define kvmhb_watch_ask_host host_is_asked

#include "react.c"

static const u64 hour_ns = HOUR;

static struct monitor_test *reacting_monitor(struct kunit *test, const char *on_unresponsive,
					     const char *on_panicked)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_plan unresponsive, panicked;
	const struct kvmhb_policy_change change = {
		.on_unresponsive = &unresponsive,
		.on_panicked = &panicked,
		.delay_ns = &hour_ns,
	};

	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&unresponsive, on_unresponsive), 0);
	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&panicked, on_panicked), 0);
	KUNIT_ASSERT_EQ(test, kvmhb_react_configure(&m->mon, &change), 0);
	nr_reported = 0;
	attach_and_arm(m);
	return m;
}

/* A look, the step that it finds due, and the look that follows that. */
static void react_now(struct monitor_test *m)
{
	look_now(m);
	flush_work(&m->mon.reactions->work);
	flush_work(&m->mon.turn.work);
}

static void silence_goes_on(struct monitor_test *m, u64 ns)
{
	time_passes(m, ns);
	react_now(m);
}

/* Without KVM nobody knows why a guest is silent: so it is said. */
static void falls_silent(struct monitor_test *m, enum kvmhb_cause cause)
{
	silent_for(m, 2 * HOUR);
	silent_for(m, 5 * HOUR);
	mutex_lock(&m->mon.lock);
	kvmhb_monitor_change(&m->mon, KVMHB_UNRESPONSIVE, cause);
	mutex_unlock(&m->mon.lock);
	react_now(m);
}

static void expect_shown(struct kunit *test, struct monitor_test *m, u64 actions,
			 enum kvmhb_step last, enum kvmhb_result result, const char *when)
{
	struct kvmhb_reactions_shown shown;

	kvmhb_react_show(&m->mon, &shown);
	KUNIT_EXPECT_EQ_MSG(test, shown.actions, actions, "%s", when);
	KUNIT_EXPECT_STREQ_MSG(test, kvmhb_step_word(shown.last), kvmhb_step_word(last),
			       "%s", when);
	KUNIT_EXPECT_STREQ_MSG(test, kvmhb_result_word(shown.last_result),
			       kvmhb_result_word(result), "%s", when);
}

/* The first at once, the others after a delay without a sign of life. */
static void react_step_by_step(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace pause", "none");

	falls_silent(m, KVMHB_CAUSE_HUNG);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "silent");
	KUNIT_EXPECT_EQ(test, m->config_changes, 1);
	silence_goes_on(m, HOUR / 2);
	silence_goes_on(m, HOUR / 4);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "too early");
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	silence_goes_on(m, HOUR / 4 + MINUTE);
	expect_shown(test, m, 2, KVMHB_STEP_PAUSE, KVMHB_RESULT_DONE, "an hour later");
	KUNIT_EXPECT_EQ(test, m->stops, 1);
	silence_goes_on(m, 20 * HOUR);
	expect_shown(test, m, 2, KVMHB_STEP_PAUSE, KVMHB_RESULT_DONE, "no more steps");
	KUNIT_EXPECT_EQ(test, nr_reported, 2);
	KUNIT_EXPECT_EQ(test, reported.verdict.cause, KVMHB_CAUSE_HUNG);
}

/* A guest that comes back is let alone; the next outage begins with the first step. */
static void react_signs_of_life(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace pause", "none");

	falls_silent(m, KVMHB_CAUSE_HUNG);
	silence_goes_on(m, HOUR / 2);
	beat(m);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "back");
	silence_goes_on(m, HOUR - MINUTE);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "back");
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	beat(m);

	falls_silent(m, KVMHB_CAUSE_HALTED);
	expect_shown(test, m, 2, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "silent again");
	KUNIT_EXPECT_EQ(test, m->stops, 0);
}

/* Just before the step is due a CPU of the guest takes an interrupt: it has time to beat first. */
static void react_not_while_it_stirs(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace pause", "none");

	slots_of(&m->pulse)[0].flags = cpu_to_le32(KVM_HEARTBEAT_SLOT_ONLINE);
	falls_silent(m, KVMHB_CAUSE_HUNG);
	time_passes(m, HOUR + MINUTE);
	le64_add_cpu(&slots_of(&m->pulse)[0].pulses, 1);
	react_now(m);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "it stirs");
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	silence_goes_on(m, 3 * HOUR);
	expect_shown(test, m, 2, KVMHB_STEP_PAUSE, KVMHB_RESULT_DONE, "it did not come back");
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* What a guest was asked for in an outage that is over is not asked for any more. */
static void react_takes_back_what_it_asked(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "dump", "none");
	struct kvm_heartbeat_pulse_header *header = m->pulse.header;

	falls_silent(m, KVMHB_CAUSE_HUNG);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(header->request) & KVM_HEARTBEAT_REQUEST_WHAT,
			KVM_HEARTBEAT_REQUEST_DUMP);
	beat(m);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(header->request) & KVM_HEARTBEAT_REQUEST_WHAT,
			KVM_HEARTBEAT_REQUEST_NONE);
}

static u32 asked_for(struct monitor_test *m)
{
	return le32_to_cpu(m->pulse.header->request) & KVM_HEARTBEAT_REQUEST_WHAT;
}

/* Nor when something else is done about it, nor when nothing is to be done. */
static void react_takes_back_sooner(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "dump pause", "none");

	falls_silent(m, KVMHB_CAUSE_HUNG);
	KUNIT_EXPECT_EQ(test, asked_for(m), KVM_HEARTBEAT_REQUEST_DUMP);
	silence_goes_on(m, HOUR + MINUTE);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
	KUNIT_EXPECT_EQ(test, asked_for(m), KVM_HEARTBEAT_REQUEST_NONE);

	beat(m);
	falls_silent(m, KVMHB_CAUSE_HUNG);
	KUNIT_EXPECT_EQ(test, asked_for(m), KVM_HEARTBEAT_REQUEST_DUMP);
	KUNIT_ASSERT_EQ(test, kvmhb_react_mute(&m->mon, HOUR), 0);
	KUNIT_EXPECT_EQ(test, asked_for(m), KVM_HEARTBEAT_REQUEST_NONE);
}

/* A beat that nobody has looked at yet is a sign of life, too. */
static void react_beaten_meanwhile(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace pause", "none");
	struct kvmhb_reactions *react = m->mon.reactions;

	falls_silent(m, KVMHB_CAUSE_HUNG);
	mutex_lock(&m->mon.lock);
	react->taking = true;
	queue_work(react_wq, &react->work);
	atomic64_set(&m->mon.tally.last_beat_at_ns, ktime_get_ns());
	mutex_unlock(&m->mon.lock);
	flush_work(&react->work);
	flush_work(&m->mon.turn.work);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	expect_verdict(test, m, KVMHB_ALIVE, KVMHB_CAUSE_NONE, "beaten");
}

/* A list that is changed while an outage lasts begins with its first step. */
static void react_another_list(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace", "none");
	struct kvmhb_plan plan;
	const struct kvmhb_policy_change change = { .on_unresponsive = &plan };
	const struct kvmhb_policy_change other = { .on_panicked = &plan };

	falls_silent(m, KVMHB_CAUSE_HUNG);
	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&plan, "pause"), 0);
	KUNIT_ASSERT_EQ(test, kvmhb_react_configure(&m->mon, &other), 0);
	react_now(m);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	KUNIT_ASSERT_EQ(test, kvmhb_react_configure(&m->mon, &change), 0);
	react_now(m);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
	expect_shown(test, m, 2, KVMHB_STEP_PAUSE, KVMHB_RESULT_DONE, "another list");
}

/* What the guest answers is shown, whatever else it writes there. */
static void react_answers(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace", "none");
	struct kvm_heartbeat_pulse_header *header = m->pulse.header;
	u32 seq;

	falls_silent(m, KVMHB_CAUSE_BEAT_LOST);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "asked");
	seq = le32_to_cpu(header->request) & ~KVM_HEARTBEAT_REQUEST_WHAT;
	header->request_ack = cpu_to_le32(seq | KVM_HEARTBEAT_ANSWER_REFUSED);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_REFUSED, "refused");
	header->request_ack = cpu_to_le32(seq | KVM_HEARTBEAT_ANSWER_OBEYED);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_OBEYED, "obeyed");
	header->request_ack = cpu_to_le32(seq | 0xff);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "nonsense");
	header->request_ack = cpu_to_le32((seq + 0x100) | KVM_HEARTBEAT_ANSWER_OBEYED);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_ASKED, "another request");

	/* It is still so when the page has gone. */
	header->request_ack = cpu_to_le32(seq | KVM_HEARTBEAT_ANSWER_OBEYED);
	kvmhb_monitor_reset(&m->mon);
	expect_shown(test, m, 1, KVMHB_STEP_BACKTRACE, KVMHB_RESULT_OBEYED, "reset");
}

/* Nobody acts on what nobody understands, nor on anything but an outage. */
static void react_not_about_the_innocent(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "pause", "pause");

	silent_for(m, 2 * HOUR);
	react_now(m);
	expect_verdict(test, m, KVMHB_LATE, KVMHB_CAUSE_NONE, "late");
	falls_silent(m, KVMHB_CAUSE_UNKNOWN);
	silence_goes_on(m, 5 * HOUR);
	KUNIT_EXPECT_EQ(test, m->stops, 0);

	kvmhb_monitor_pause(&m->mon);
	silence_goes_on(m, 5 * HOUR);
	kvmhb_monitor_resume(&m->mon);
	say(m, KVM_HEARTBEAT_UNLOAD);
	silence_goes_on(m, 5 * HOUR);
	kvmhb_monitor_reset(&m->mon);
	silence_goes_on(m, 5 * HOUR);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	KUNIT_EXPECT_EQ(test, nr_reported, 0);
}

/* No step is taken while the VMM has paused the VM, and no time passes for it. */
static void react_not_in_a_pause(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace pause", "none");

	falls_silent(m, KVMHB_CAUSE_HUNG);
	silence_goes_on(m, HOUR / 2);
	kvmhb_monitor_pause(&m->mon);
	silence_goes_on(m, 10 * HOUR);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	kvmhb_monitor_resume(&m->mon);
	react_now(m);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	silence_goes_on(m, HOUR);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* What a look finds after such a wait. Nothing comes of it, nor of the looks that follow. */
static u64 react_once(struct monitor_test *m, u64 waited_ns, bool held, bool *taking)
{
	struct kvmhb_reactions *react = m->mon.reactions;
	u64 look_in_ns;

	mutex_lock(&m->mon.lock);
	react->sequence.waited_ns = waited_ns;
	react->sequence.over = false;
	look_in_ns = kvmhb_react(&m->mon, 0, 0, held);
	*taking = react->taking;
	react->taking = false;
	react->sequence.over = true;
	mutex_unlock(&m->mon.lock);
	flush_work(&react->work);
	return look_in_ns;
}

/* Nor while anything else keeps it from running, unless it cannot run any more anyway. */
static void react_not_while_held(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "backtrace pause", "none");
	bool taking;

	falls_silent(m, KVMHB_CAUSE_HUNG);
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR - MINUTE, false, &taking), MINUTE);
	/* What is all but due is not waited for in nanoseconds. */
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR - 1, false, &taking), MS);
	KUNIT_EXPECT_FALSE(test, taking);
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR, true, &taking), REACT_HELD_NS);
	KUNIT_EXPECT_FALSE(test, taking);
	/* The guest's timer may be on that CPU. */
	host_owes = true;
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR, false, &taking), MS);
	KUNIT_EXPECT_FALSE(test, taking);
	host_owes = false;
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR, false, &taking), KVMHB_NO_DEADLINE);
	KUNIT_EXPECT_TRUE(test, taking);
	/* A step that was due, and is not taken yet, is not taken then either. */
	m->mon.reactions->taking = true;
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR, false, &taking), KVMHB_NO_DEADLINE);
	KUNIT_EXPECT_TRUE(test, taking);
	m->mon.reactions->taking = true;
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR, true, &taking), REACT_HELD_NS);
	KUNIT_EXPECT_FALSE(test, taking);

	mutex_lock(&m->mon.lock);
	kvmhb_monitor_change(&m->mon, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_KVM_ERROR);
	mutex_unlock(&m->mon.lock);
	KUNIT_EXPECT_EQ(test, react_once(m, HOUR, true, &taking), KVMHB_NO_DEADLINE);
	KUNIT_EXPECT_TRUE(test, taking);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
}

/* A guest that has panicked may have a crash kernel: the first step waits, too. */
static void react_to_a_panic(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "none", "pause kill");

	say(m, KVM_HEARTBEAT_PANIC);
	silence_goes_on(m, HOUR / 2);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	say(m, KVM_HEARTBEAT_ARM);
	silence_goes_on(m, HOUR - MINUTE);
	KUNIT_EXPECT_EQ(test, m->stops, 0);

	say(m, KVM_HEARTBEAT_PANIC);
	silence_goes_on(m, HOUR / 2);
	silence_goes_on(m, HOUR / 2 + MINUTE);
	expect_shown(test, m, 1, KVMHB_STEP_PAUSE, KVMHB_RESULT_DONE, "an hour later");
	kvmhb_monitor_detach(&m->mon);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* A pause in which the VM does nothing does not end the wait for its crash kernel. */
static void react_to_a_panic_and_a_pause(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "none", "pause");

	say(m, KVM_HEARTBEAT_PANIC);
	silence_goes_on(m, HOUR / 2);
	kvmhb_monitor_pause(&m->mon);
	silence_goes_on(m, 10 * HOUR);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	kvmhb_monitor_resume(&m->mon);
	flush_work(&m->mon.turn.work);
	KUNIT_EXPECT_NE(test, m->mon.turn.due_at_ns, 0);
	silence_goes_on(m, HOUR / 2 + MINUTE);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* Whoever writes a dump is let alone; when it falls silent, all begins anew. */
static void react_not_to_a_dump(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "none", "pause kill");
	unsigned int i;

	say(m, KVM_HEARTBEAT_PANIC);
	silence_goes_on(m, HOUR - MINUTE);
	say(m, KVM_HEARTBEAT_DUMPING);
	for (i = 0; i < 20; i++) {
		silence_goes_on(m, 2 * HOUR);
		beat(m);
	}
	silence_goes_on(m, 3 * HOUR);
	expect_shown(test, m, 0, KVMHB_STEP_NONE, KVMHB_RESULT_NONE, "it dumps");
	silence_goes_on(m, HOUR + MINUTE);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_PANIC, "silent");
	silence_goes_on(m, HOUR - MINUTE);
	expect_shown(test, m, 0, KVMHB_STEP_NONE, KVMHB_RESULT_NONE, "for less than the delay");
	beat(m);
	expect_verdict(test, m, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING, "back");
	silence_goes_on(m, 3 * HOUR);
	silence_goes_on(m, HOUR + MINUTE);
	silence_goes_on(m, HOUR - MINUTE);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	silence_goes_on(m, 2 * MINUTE);
	expect_shown(test, m, 1, KVMHB_STEP_PAUSE, KVMHB_RESULT_DONE, "an hour later");
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* A guest that panics before its driver has armed, and one whose list comes late. */
static void react_to_an_early_panic(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "none", "none");
	struct kvmhb_plan plan;
	const struct kvmhb_policy_change change = { .on_panicked = &plan };

	KUNIT_ASSERT_EQ(test, kvmhb_plan_parse(&plan, "pause"), 0);
	kvmhb_monitor_reset(&m->mon);
	time_passes(m, 100 * HOUR);
	say(m, KVM_HEARTBEAT_PANIC);
	time_passes(m, 100 * HOUR);
	KUNIT_ASSERT_EQ(test, kvmhb_react_configure(&m->mon, &change), 0);
	react_now(m);
	silence_goes_on(m, HOUR / 2);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	silence_goes_on(m, HOUR / 2 + MINUTE);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* After so many it is said once that there will be no more, until the window has passed. */
static void react_limited(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "pause", "none");
	const u64 two = 2, week_ns = 7 * 24 * HOUR;
	const struct kvmhb_policy_change change = { .max = &two, .window_ns = &week_ns };
	int i;

	KUNIT_ASSERT_EQ(test, kvmhb_react_configure(&m->mon, &change), 0);
	for (i = 0; i < 4; i++) {
		falls_silent(m, KVMHB_CAUSE_HUNG);
		beat(m);
		KUNIT_EXPECT_EQ(test, m->stops, min(i + 1, 2));
	}
	KUNIT_EXPECT_EQ(test, nr_reported, 3);
	KUNIT_EXPECT_EQ(test, reported.result, KVMHB_RESULT_LIMITED);
	expect_shown(test, m, 2, KVMHB_STEP_PAUSE, KVMHB_RESULT_DONE, "limited");

	/* The limit is the monitor's, not the VM's. */
	kvmhb_monitor_detach(&m->mon);
	attach_and_arm(m);
	falls_silent(m, KVMHB_CAUSE_HUNG);
	beat(m);
	KUNIT_EXPECT_EQ(test, m->stops, 2);
	beat(m);
	time_passes(m, week_ns);
	beat(m);
	falls_silent(m, KVMHB_CAUSE_HUNG);
	KUNIT_EXPECT_EQ(test, m->stops, 3);
}

static void mute_for(struct kunit *test, struct monitor_test *m, u64 ns)
{
	KUNIT_ASSERT_EQ(test, kvmhb_react_mute(&m->mon, ns), 0);
}

/* Nothing is said and done while it is mute, and what is still bad afterwards. */
static void react_muted(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "pause", "none");
	struct kvmhb_reactions_shown shown;

	KUNIT_EXPECT_EQ(test, kvmhb_react_mute(&m->mon, KVMHB_MUTE_MAX_NS + 1), -ERANGE);
	mute_for(test, m, 24 * HOUR);
	falls_silent(m, KVMHB_CAUSE_HUNG);
	expect_verdict(test, m, KVMHB_UNRESPONSIVE, KVMHB_CAUSE_HUNG, "muted");
	kvmhb_react_show(&m->mon, &shown);
	KUNIT_EXPECT_LE(test, shown.mute_ns, 17 * HOUR);
	KUNIT_EXPECT_GE(test, shown.mute_ns, 16 * HOUR);
	/* Late, unresponsive, and why. */
	KUNIT_EXPECT_EQ(test, shown.muted, 3);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	KUNIT_EXPECT_EQ(test, m->mon.outages.count, 1);

	/* Nothing is done before it is said what for. */
	silence_goes_on(m, 17 * HOUR);
	KUNIT_EXPECT_EQ(test, m->stops, 0);
	flush_delayed_work(&m->mon.reactions->unmute);
	react_now(m);
	kvmhb_react_show(&m->mon, &shown);
	KUNIT_EXPECT_EQ(test, shown.mute_ns, 0);
	KUNIT_EXPECT_EQ(test, shown.muted, 3);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* It can be made longer, and ended. */
static void react_mute_is_changed(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "pause", "none");
	struct kvmhb_reactions_shown shown;

	mute_for(test, m, HOUR);
	mute_for(test, m, 20 * HOUR);
	time_passes(m, 2 * HOUR);
	flush_delayed_work(&m->mon.reactions->unmute);
	kvmhb_react_show(&m->mon, &shown);
	KUNIT_EXPECT_GE(test, shown.mute_ns, 17 * HOUR);
	mute_for(test, m, 0);
	flush_delayed_work(&m->mon.reactions->unmute);
	kvmhb_react_show(&m->mon, &shown);
	KUNIT_EXPECT_EQ(test, shown.mute_ns, 0);
	beat(m);
	falls_silent(m, KVMHB_CAUSE_HUNG);
	KUNIT_EXPECT_EQ(test, m->stops, 1);
}

/* A mute that ends after the VM has: nobody is left on a list when its monitor goes. */
static void react_mute_outlives_the_vm(struct kunit *test)
{
	struct monitor_test *m = reacting_monitor(test, "none", "none");
	struct kvmhb_reporter *reporter = &m->mon.reporter;

	mute_for(test, m, HOUR);
	kvmhb_monitor_detach(&m->mon);
	KUNIT_EXPECT_NE(test, m->mon.reactions->held, 0);
	/* Whoever polls is told later. */
	reporter->notify_from_ns = U64_MAX;
	mute_for(test, m, 0);
	flush_delayed_work(&m->mon.reactions->unmute);
	kunit_release_action(test, monitor_test_exit, m);
	KUNIT_EXPECT_TRUE(test, list_empty(&reporter->notify_entry));
}

static void react_settings(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 delay_ns, max, window_ns;
		int ret;
	} rows[] = {
		{ "as it is", 10 * SEC, 3, HOUR, 0 },
		{ "the least", 0, 1, SEC, 0 },
		{ "the most", 24 * HOUR, KVMHB_ACTIONS_MAX, 7 * 24 * HOUR, 0 },
		{ "waits too long", 24 * HOUR + 1, 3, HOUR, -ERANGE },
		{ "none at all", 0, 0, HOUR, -ERANGE },
		{ "too many", 0, KVMHB_ACTIONS_MAX + 1, HOUR, -ERANGE },
		{ "far too many", 0, 1ULL << 32 | 1, HOUR, -ERANGE },
		{ "too short a window", 0, 3, SEC - 1, -ERANGE },
		{ "too long a window", 0, 3, 7 * 24 * HOUR + 1, -ERANGE },
	};
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_reactions_shown shown;
	unsigned int i;

	KUNIT_EXPECT_NULL(test, m->mon.reactions);
	kvmhb_react_show(&m->mon, &shown);
	KUNIT_EXPECT_EQ(test, shown.policy.delay_ns, 10 * SEC);
	KUNIT_EXPECT_EQ(test, shown.policy.max, 3);
	KUNIT_EXPECT_EQ(test, shown.policy.window_ns, HOUR);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct kvmhb_policy_change change = {
			.delay_ns = &rows[i].delay_ns,
			.max = &rows[i].max,
			.window_ns = &rows[i].window_ns,
		};

		KUNIT_EXPECT_EQ_MSG(test, kvmhb_react_configure(&m->mon, &change), rows[i].ret,
				    "%s", rows[i].what);
		kvmhb_react_show(&m->mon, &shown);
		KUNIT_EXPECT_EQ_MSG(test, shown.policy.window_ns,
				    rows[rows[i].ret ? 2 : i].window_ns, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, shown.policy.delay_ns,
				    rows[rows[i].ret ? 2 : i].delay_ns, "%s", rows[i].what);
		KUNIT_EXPECT_EQ_MSG(test, shown.policy.max,
				    rows[rows[i].ret ? 2 : i].max, "%s", rows[i].what);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(react_step_by_step),
	KUNIT_CASE(react_signs_of_life),
	KUNIT_CASE(react_not_while_it_stirs),
	KUNIT_CASE(react_takes_back_what_it_asked),
	KUNIT_CASE(react_takes_back_sooner),
	KUNIT_CASE(react_beaten_meanwhile),
	KUNIT_CASE(react_another_list),
	KUNIT_CASE(react_answers),
	KUNIT_CASE(react_not_about_the_innocent),
	KUNIT_CASE(react_not_in_a_pause),
	KUNIT_CASE(react_not_while_held),
	KUNIT_CASE(react_to_a_panic),
	KUNIT_CASE(react_to_a_panic_and_a_pause),
	KUNIT_CASE(react_not_to_a_dump),
	KUNIT_CASE(react_to_an_early_panic),
	KUNIT_CASE(react_limited),
	KUNIT_CASE(react_muted),
	KUNIT_CASE(react_mute_is_changed),
	KUNIT_CASE(react_mute_outlives_the_vm),
	KUNIT_CASE(react_settings),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_react",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
