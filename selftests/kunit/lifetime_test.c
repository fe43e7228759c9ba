// SPDX-License-Identifier: GPL-2.0
#include "monitored.h"

static bool has_shut_down;

static bool vm_has_shut_down(struct kvm *kvm)
{
	return has_shut_down;
}

#define kvmhb_evidence_has_shut_down vm_has_shut_down

#include "lifetime.c"

/* The device is reset, with its VM or under a guest that knows nothing of it. */
static void lifetime_reset(struct kunit *test)
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

	/* The same kernel, of which the second reset had heard nothing. */
	KUNIT_EXPECT_EQ(test, r.life.boots, 1);
	KUNIT_EXPECT_EQ(test, r.life.resets, 1);
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
	KUNIT_EXPECT_EQ(test, mon->life.boots, 2);
	KUNIT_EXPECT_EQ(test, mon->life.resets, 4);

	/* It was hung, and another kernel comes in its place. */
	KUNIT_EXPECT_TRUE(test, mon->tally.lost);
	say(m, KVM_HEARTBEAT_ARM);
	KUNIT_EXPECT_EQ(test, mon->life.boots, 3);
	kvmhb_monitor_reset(mon);
	kvmhb_monitor_detach(mon);
	KUNIT_EXPECT_FALSE(test, mon->tally.lost);
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.life.boots, 3);
	KUNIT_EXPECT_EQ(test, r.life.panics, 0);
	KUNIT_EXPECT_EQ(test, r.life.resets, 5);
}

/* Another VM: all counters begin anew, and not before it comes. */
static void lifetime_another_vm(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);
	struct kvmhb_readings r;

	attach_and_arm(m);
	beat(m);
	beat(m);
	silent_for(m, 2 * HOUR);
	silent_for(m, 11 * HOUR / 5);
	KUNIT_EXPECT_EQ(test, read_of(m).vmm_pid, current->tgid);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_VMM_GONE, "gone");
	KUNIT_EXPECT_EQ(test, m->said[0].vmm_pid, current->tgid);
	KUNIT_EXPECT_EQ(test, m->said[m->nr_said - 1].new.state, KVMHB_DETACHED);
	KUNIT_EXPECT_EQ(test, m->said[m->nr_said - 1].vmm_pid, current->tgid);
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.vmm_pid, 0);
	KUNIT_EXPECT_EQ(test, r.beats, 2);
	KUNIT_EXPECT_EQ(test, r.missed, 3);
	KUNIT_EXPECT_EQ(test, r.outages, 1);
	KUNIT_EXPECT_GE(test, r.downtime_ns, 21 * HOUR / 5);
	KUNIT_EXPECT_EQ(test, r.life.boots, 1);
	KUNIT_EXPECT_EQ(test, r.gaps.n, 1);
	KUNIT_EXPECT_TRUE(test, r.has_beaten);
	KUNIT_EXPECT_EQ(test, m->mon.watch.judged.verdict.state, KVMHB_UNRESPONSIVE);

	attach(m);
	expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "another");
	r = read_of(m);
	KUNIT_EXPECT_EQ(test, r.vmm_pid, current->tgid);
	KUNIT_EXPECT_EQ(test, r.beats, 0);
	KUNIT_EXPECT_EQ(test, r.missed, 0);
	KUNIT_EXPECT_EQ(test, r.outages, 0);
	KUNIT_EXPECT_EQ(test, r.downtime_ns, 0);
	KUNIT_EXPECT_EQ(test, r.life.boots, 0);
	KUNIT_EXPECT_EQ(test, r.gaps.n, 0);
	KUNIT_EXPECT_FALSE(test, r.has_beaten);
	KUNIT_EXPECT_EQ(test, m->mon.watch.judged.verdict.state, KVMHB_DETACHED);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_VMM_GONE, "gone again");
}

static void expect_said(struct kunit *test, const struct said *said, enum kvmhb_state state,
			enum kvmhb_cause cause)
{
	KUNIT_EXPECT_STREQ(test, kvmhb_state_word(said->new.state), kvmhb_state_word(state));
	KUNIT_EXPECT_STREQ(test, kvmhb_cause_word(said->new.cause), kvmhb_cause_word(cause));
}

/* A CPU has met a triple fault: nobody hears of it until the VMM resets the guest, or ends. */
static void lifetime_triple_fault(struct kunit *test)
{
	struct monitor_test *m = patient_monitor(test);

	attach_and_arm(m);
	has_shut_down = true;
	kvmhb_monitor_reset(&m->mon);
	expect_said(test, &m->said[m->nr_said - 2], KVMHB_PANICKED, KVMHB_CAUSE_TRIPLE_FAULT);
	expect_said(test, &m->said[m->nr_said - 1], KVMHB_WAITING, KVMHB_CAUSE_NONE);
	KUNIT_EXPECT_EQ(test, read_of(m).life.panics, 1);

	/* Of one that is not armed nothing follows. */
	kvmhb_monitor_reset(&m->mon);
	expect_verdict(test, m, KVMHB_WAITING, KVMHB_CAUSE_NONE, "reset again");
	KUNIT_EXPECT_EQ(test, read_of(m).life.panics, 1);

	say(m, KVM_HEARTBEAT_ARM);
	kvmhb_monitor_detach(&m->mon);
	expect_verdict(test, m, KVMHB_DETACHED, KVMHB_CAUSE_TRIPLE_FAULT, "the VMM ends");
	KUNIT_EXPECT_EQ(test, read_of(m).life.panics, 2);
	has_shut_down = false;
}

static struct kunit_case cases[] = {
	KUNIT_CASE(lifetime_reset),
	KUNIT_CASE(lifetime_another_vm),
	KUNIT_CASE(lifetime_triple_fault),
	{}
};

static struct kunit_suite suite = {
	.name = "kvm_heartbeat_lifetime",
	.suite_init = monitor_suite_init,
	.suite_exit = monitor_suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
