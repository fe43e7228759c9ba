// SPDX-License-Identifier: GPL-2.0
/*
 * What changes a guest's state: a word of the guest, and looks at it. Whatever else does,
 * the VMM (lifetime.c) or a user (settings.c), ends here too, in monitor_set_verdict().
 */
#include <linux/bitmap.h>
#include <linux/pid.h>

#include "kvm_heartbeat.h"
#include "monitor.h"
#include "verdict.h"

/**
 * kvmhb_monitor_now_ns - the time, for all that is said of the guest
 * @mon: the monitor
 *
 * Return: ns of CLOCK_MONOTONIC; it stands still while the VM is paused.
 */
u64 kvmhb_monitor_now_ns(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	return mon->paused_at_ns ?: ktime_get_ns();
}

/* The state, as far as beats go: those of a crash kernel count, and those of the dead. */
static enum kvmhb_state monitor_beat_state(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	if (mon->verdict.cause == KVMHB_CAUSE_DUMPING)
		return KVMHB_ALIVE;
	if (kvmhb_may_revive(&mon->verdict, mon->lifecycle))
		return KVMHB_UNRESPONSIVE;
	return kvmhb_verdict_beat_state(&mon->verdict);
}

/**
 * kvmhb_monitor_missing - what a silence that still lasts adds to the missed beats
 * @mon: the monitor
 *
 * Return: the number of beats.
 */
u64 kvmhb_monitor_missing(const struct kvmhb_monitor *mon)
{
	u64 excused_ns = kvmhb_tally_excused_ns(&mon->tally, mon->outages.silent_since_ns);

	lockdep_assert_held(&mon->lock);

	return kvmhb_outages_missing(&mon->outages, monitor_beat_state(mon),
				     mon->timing.interval_ns, excused_ns,
				     kvmhb_monitor_now_ns(mon));
}

/**
 * kvmhb_monitor_judge_by - set what the guest is judged by
 * @mon: the monitor
 * @timing: how often it has to beat
 * @retuning: until it has beaten by what is configured
 */
void kvmhb_monitor_judge_by(struct kvmhb_monitor *mon, struct kvmhb_timing timing, bool retuning)
{
	lockdep_assert_held(&mon->lock);

	mon->timing = timing;
	mon->retuning = retuning;
	kvmhb_tally_retune(&mon->tally, timing.interval_ns, retuning);
}

/* The guest has said, with a beat or its arming, that it beats by what is configured. */
static void monitor_end_retuning(struct kvmhb_monitor *mon)
{
	if (!mon->retuning || !kvmhb_tally_has_acked(&mon->tally))
		return;
	kvmhb_monitor_judge_by(mon, mon->config.timing, false);
	/* Since when its other CPUs have not pulsed says nothing yet of how often they do now. */
	kvmhb_layers_resume(&mon->watch.layers);
}

/* What is to be reported of a guest, but for how it was before. */
static struct kvmhb_transition monitor_transition(struct kvmhb_monitor *mon,
						  struct kvmhb_verdict new, u64 last_at_ns,
						  unsigned long *stale)
{
	lockdep_assert_held(&mon->lock);

	kvmhb_watch_stale(&mon->watch, stale);
	return (struct kvmhb_transition) {
		.old = mon->verdict.state,
		.new = new,
		.vmm_pid = pid_nr(mon->vm.vmm),
		.last_beat_ns = last_at_ns ? kvmhb_minus(kvmhb_monitor_now_ns(mon), last_at_ns) : 0,
		.stale = stale,
		.by_vmm = mon->paused_at_ns || mon->leaving,
		.arrived = mon->arrived,
	};
}

/**
 * kvmhb_monitor_deadline_ns - the deadline that the guest has now
 * @mon: the monitor
 *
 * Return: ns on the run clock, or 0 if there is none.
 */
u64 kvmhb_monitor_deadline_ns(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	return kvmhb_deadline_ns(mon->deadlines, &mon->verdict, mon->judging.timeout_ns);
}

/**
 * kvmhb_monitor_begin_deadline - the deadline that the guest has now begins, if it has one
 * @mon: the monitor
 */
void kvmhb_monitor_begin_deadline(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	if (!mon->deadlines)
		return;
	mon->deadlines->elapsed_ns = 0;
	mon->deadlines->run_ns = 0;
	/* Of the run clock of a guest that is not armed nobody knew until now. */
	if (kvmhb_monitor_deadline_ns(mon))
		kvmhb_watch_restart(&mon->watch, mon->vm.kvm, mon->vm.pulse);
}

/**
 * kvmhb_monitor_has_beaten - whether a guest that is silent has beaten since
 * @mon: the monitor
 *
 * Return: true if the next look will find it alive, or its crash kernel.
 */
bool kvmhb_monitor_has_beaten(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	return kvmhb_state_is_armed(monitor_beat_state(mon)) &&
	       !kvmhb_verdict_beats(&mon->verdict) &&
	       kvmhb_tally_last_beat_at_ns(&mon->tally) != mon->outages.silent_since_ns;
}

/* One printed the oops, and another one may ring before that gets to it. */
#define OOPS_BEATS	2

/**
 * kvmhb_monitor_has_oopsed - whether a silence that begins now is the end of a guest's kernel
 * @mon: the monitor
 *
 * Return: true if the guest has not beaten on since it said that it met a fault.
 */
bool kvmhb_monitor_has_oopsed(const struct kvmhb_monitor *mon)
{
	u32 beats = atomic64_read(&mon->tally.beats);

	lockdep_assert_held(&mon->lock);

	return mon->lifecycle == KVM_HEARTBEAT_OOPS && beats - mon->oops_beats <= OOPS_BEATS;
}

/**
 * kvmhb_monitor_watches - whether a guest is looked at though it is not armed
 * @mon: the monitor
 *
 * Return: true if it has a deadline, or something is to be done about its outage.
 */
bool kvmhb_monitor_watches(const struct kvmhb_monitor *mon)
{
	return kvmhb_monitor_deadline_ns(mon) || kvmhb_react_watches(mon);
}

/*
 * The one place where state and cause change. @last_at_ns is the beat judged by, @judged what
 * it was judged by else, or NULL.
 */
static void monitor_set_verdict(struct kvmhb_monitor *mon, struct kvmhb_verdict new, u64 last_at_ns,
				const struct kvmhb_judgement *judged)
{
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS);
	struct kvmhb_transition transition = monitor_transition(mon, new, last_at_ns, stale);

	lockdep_assert_held(&mon->lock);

	transition.judged = judged;
	transition.gone_ns = kvmhb_outages_change(&mon->outages,
						  kvmhb_verdict_beats(&mon->verdict) ?
						  KVMHB_ALIVE : mon->verdict.state, new.state,
						  last_at_ns, kvmhb_monitor_now_ns(mon));
	kvmhb_life_change(&mon->life, mon->verdict.state, new.state);
	mon->goodbye = kvmhb_goodbye(mon->goodbye, &new);
	mon->verdict = new;
	if (kvmhb_state_beats(new.state))
		mon->living = new.cause;
	ASSERT_EXCLUSIVE_WRITER(mon->tally.state);
	WRITE_ONCE(mon->tally.state, monitor_beat_state(mon));
	kvmhb_monitor_begin_deadline(mon);
	transition.muted = !kvmhb_react_to(mon);
	kvmhb_report(&mon->reporter, &transition);
}

/**
 * kvmhb_monitor_announce - announce the state, if it is a bad one, as if it were new
 * @mon: the monitor
 */
void kvmhb_monitor_announce(struct kvmhb_monitor *mon)
{
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS);
	struct kvmhb_transition transition =
		monitor_transition(mon, mon->verdict, kvmhb_tally_last_beat_at_ns(&mon->tally),
				   stale);

	lockdep_assert_held(&mon->lock);

	kvmhb_report_again(&mon->reporter, &transition);
}

/**
 * kvmhb_monitor_change - a verdict that does not come from looking
 * @mon: the monitor
 * @state: the new state
 * @cause: and the cause
 */
void kvmhb_monitor_change(struct kvmhb_monitor *mon, enum kvmhb_state state,
			  enum kvmhb_cause cause)
{
	if (state != mon->verdict.state || cause != mon->verdict.cause)
		monitor_set_verdict(mon, (struct kvmhb_verdict) { state, cause },
				    kvmhb_tally_last_beat_at_ns(&mon->tally), NULL);
}

/*
 * Of a guest without KVM and without a pulse there is nothing to be seen but its
 * beats. The patrol notices a pulse of CPU 0; for that of any other CPU alone it is
 * looked at every so many intervals.
 */
#define MONITOR_BLIND_INTERVALS	256

/* Sees to it that the next look is made, ns after the last one. */
static void monitor_look_again(struct kvmhb_monitor *mon, u64 look_in_ns)
{
	u64 interval_ns = mon->judging.interval_ns;
	u64 seen_at_ns = mon->watch.seen_at_ns;

	lockdep_assert_held(&mon->lock);

	if (look_in_ns == KVMHB_NO_DEADLINE)
		kvmhb_turn_never(&mon->turn);
	else if (!kvmhb_state_beats(mon->verdict.state) ||
		 look_in_ns <= kvmhb_patrol_early_ns(interval_ns))
		kvmhb_turn_on_timer(&mon->turn, seen_at_ns + look_in_ns);
	else if (!mon->vm.kvm && !mon->watch.layers.partial &&
		 mon->watch.layers.stale_in_ns == U64_MAX)
		kvmhb_turn_on_patrol(&mon->turn, interval_ns,
				     seen_at_ns + MONITOR_BLIND_INTERVALS * interval_ns,
				     kvmhb_late_ns(&mon->judging));
	else
		kvmhb_turn_on_patrol(&mon->turn, interval_ns, seen_at_ns + look_in_ns, 0);
}

/* Whether a verdict says something that was not yet said. */
static bool monitor_is_news(const struct kvmhb_monitor *mon, const struct kvmhb_verdict *new,
			    const struct kvmhb_case *c)
{
	if (new->state != mon->verdict.state || new->cause != mon->verdict.cause)
		return true;
	return new->state == KVMHB_DEGRADED && c->stale_anew && !c->host_asked;
}

/* Says what follows from a case, one thing after the other. Returns when to look again. */
static u64 monitor_rule(struct kvmhb_monitor *mon, u64 last_at_ns, struct kvmhb_case *c)
{
	struct kvmhb_ruling ruling;

	lockdep_assert_held(&mon->lock);

	for (;;) {
		ruling = kvmhb_rule(c);
		kvmhb_watch_heed(&mon->watch, &ruling);
		if (!monitor_is_news(mon, &ruling.verdict, c))
			break;
		/* It beat while we looked: what was seen is of two moments, and no outage. */
		if (ruling.verdict.state == KVMHB_UNRESPONSIVE &&
		    kvmhb_tally_last_beat_at_ns(&mon->tally) != last_at_ns)
			return 0;

		/* What an outage was judged by is still to be read when it is over. */
		if (ruling.verdict.state != KVMHB_ALIVE)
			kvmhb_watch_keep(&mon->watch, &ruling.verdict, c);
		monitor_set_verdict(mon, ruling.verdict, last_at_ns, &mon->watch.judged);
		if (!kvmhb_state_is_armed(mon->verdict.state))
			return KVMHB_NO_DEADLINE;
		c->so_far = mon->verdict;
		c->beaten = false;
		c->stale_anew = false;
	}
	return ruling.look_in_ns;
}

/* Sees how the guest is by now. */
static void monitor_watch(struct kvmhb_monitor *mon, u64 last_at_ns, struct kvmhb_case *c)
{
	const struct kvmhb_look look = {
		.kvm = mon->vm.kvm,
		.pulse = mon->vm.pulse,
		.timing = mon->judging,
		.so_far = mon->verdict,
		.last_beat_at_ns = last_at_ns,
		.beaten = kvmhb_verdict_is_armed(&mon->verdict) &&
			  !kvmhb_state_beats(mon->verdict.state) &&
			  last_at_ns != mon->outages.silent_since_ns,
		.oopsed = kvmhb_monitor_has_oopsed(mon),
		.due_at_ns = kvmhb_turn_due_at_ns(&mon->turn),
		.asked_at_ns = READ_ONCE(mon->turn.asked_at_ns),
	};

	lockdep_assert_held(&mon->lock);

	kvmhb_watch_look(&mon->watch, &look, c);
}

/* Looks at an armed guest. Returns when to look again, ns from then. */
static u64 monitor_look_at_armed(struct kvmhb_monitor *mon, struct kvmhb_case *c)
{
	u64 last_at_ns = kvmhb_tally_ask(&mon->tally);

	monitor_watch(mon, last_at_ns, c);
	kvmhb_tally_excuse(&mon->tally, last_at_ns, kvmhb_minus(c->silence_ns, c->run_ns));
	return monitor_rule(mon, last_at_ns, c);
}

/* Sees whether a guest's deadline is over. Returns when to look again, ns from then. */
static u64 monitor_keep_deadline(struct kvmhb_monitor *mon, u64 last_at_ns, struct kvmhb_case *c,
				 u64 elapsed_ns)
{
	u64 deadline_ns = kvmhb_monitor_deadline_ns(mon);
	struct kvmhb_deadlines *deadlines = mon->deadlines;
	struct kvmhb_ruling ruling;

	lockdep_assert_held(&mon->lock);

	if (!deadline_ns)
		return KVMHB_NO_DEADLINE;

	/* Of a crash kernel's silence the watch keeps count, as of any other's. */
	if (mon->verdict.cause != KVMHB_CAUSE_DUMPING) {
		deadlines->elapsed_ns += elapsed_ns;
		deadlines->run_ns += kvmhb_deadline_run_ns(c, elapsed_ns);
		c->silence_ns = deadlines->elapsed_ns;
		c->run_ns = deadlines->run_ns;
	}
	ruling = kvmhb_deadline_rule(c, deadline_ns);
	if (monitor_is_news(mon, &ruling.verdict, c)) {
		kvmhb_watch_keep(&mon->watch, &ruling.verdict, c);
		monitor_set_verdict(mon, ruling.verdict, last_at_ns, &mon->watch.judged);
	}
	return ruling.look_in_ns;
}

/* Sees how a guest that is not armed is by now. Returns the beat that it is judged by. */
static u64 monitor_watch_unarmed(struct kvmhb_monitor *mon, struct kvmhb_case *c)
{
	/* A crash kernel that beats from here on wakes us, and is not judged by that beat. */
	u64 last_at_ns = kvmhb_tally_ask(&mon->tally);

	lockdep_assert_held(&mon->lock);

	monitor_watch(mon, last_at_ns, c);
	if (mon->verdict.cause == KVMHB_CAUSE_DUMPING)
		kvmhb_tally_excuse(&mon->tally, last_at_ns, kvmhb_minus(c->silence_ns, c->run_ns));
	return last_at_ns;
}

/*
 * Looks at a guest that is armed, or is to be looked at all the same, and sees to what is to be
 * done about it. Returns when to look again, ns from then.
 */
static u64 monitor_look_and_react(struct kvmhb_monitor *mon)
{
	u64 before_ns = mon->watch.seen_at_ns;
	u64 look_in_ns = KVMHB_NO_DEADLINE;
	u64 elapsed_ns, run_ns, last_at_ns;
	struct kvmhb_case c;
	bool held;

	lockdep_assert_held(&mon->lock);

	if (kvmhb_verdict_is_armed(&mon->verdict)) {
		look_in_ns = monitor_look_at_armed(mon, &c);
		elapsed_ns = mon->watch.seen_at_ns - before_ns;
		run_ns = elapsed_ns - mon->watch.just_denied_ns;
	} else if (kvmhb_monitor_watches(mon)) {
		last_at_ns = monitor_watch_unarmed(mon, &c);
		elapsed_ns = mon->watch.seen_at_ns - before_ns;
		run_ns = kvmhb_deadline_run_ns(&c, elapsed_ns);
		look_in_ns = monitor_keep_deadline(mon, last_at_ns, &c, elapsed_ns);
	} else {
		return KVMHB_NO_DEADLINE;
	}

	if (likely(!mon->reactions))
		return look_in_ns;
	/* Nothing is done to a guest that cannot answer, nor to one that may be coming back. */
	held = kvmhb_all_out(&c) || c.host_late || c.host_asked || mon->watch.stirs;
	return min(look_in_ns, kvmhb_react(mon, elapsed_ns, run_ns, held));
}

/*
 * Takes back what was concluded of a guest, or of its crash kernel, if it has beaten since. A dump
 * goes on, too, if its user gives it more time.
 */
static void monitor_revive(struct kvmhb_monitor *mon)
{
	bool dumps = mon->lifecycle == KVM_HEARTBEAT_DUMPING;
	u64 silence_ns;

	lockdep_assert_held(&mon->lock);

	if (likely(!kvmhb_may_revive(&mon->verdict, mon->lifecycle)))
		return;
	silence_ns = kvmhb_minus(ktime_get_ns(), kvmhb_tally_last_beat_at_ns(&mon->tally));
	if (!kvmhb_monitor_has_beaten(mon) && !(dumps && silence_ns < mon->judging.timeout_ns))
		return;
	/* Its CPUs are as those of one that arms. */
	kvmhb_watch_restart(&mon->watch, mon->vm.kvm, mon->vm.pulse);
	if (dumps)
		kvmhb_monitor_change(mon, KVMHB_PANICKED, KVMHB_CAUSE_DUMPING);
	else
		kvmhb_monitor_change(mon, KVMHB_ALIVE, KVMHB_CAUSE_NONE);
}

/*
 * The next beat of a silent guest wakes a worker, who finds it alive. While the VM is paused he
 * would find nothing, each time: it may not beat, but nobody keeps it from ringing.
 */
static void monitor_ask_for_attention(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	WRITE_ONCE(mon->tally.attention,
		   !mon->paused_at_ns && !kvmhb_verdict_beats(&mon->verdict));
}

/**
 * kvmhb_monitor_look - look at the guest, if its VM runs, and bring the state up to date
 * @mon: the monitor
 */
void kvmhb_monitor_look(struct kvmhb_monitor *mon)
{
	u64 look_in_ns = KVMHB_NO_DEADLINE;

	lockdep_assert_held(&mon->lock);

	monitor_end_retuning(mon);
	mon->judging = kvmhb_timing_resolved(&mon->timing, kvmhb_host_resolution_ns());
	if (!mon->paused_at_ns) {
		monitor_revive(mon);
		look_in_ns = monitor_look_and_react(mon);
	}
	monitor_ask_for_attention(mon);
	monitor_look_again(mon, look_in_ns);
}

/* The guest says itself what was concluded of it. No beat takes that back. */
static void monitor_confirm_panic(struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	atomic64_add(kvmhb_monitor_missing(mon), &mon->tally.missed);
	mon->lifecycle = KVM_HEARTBEAT_PANIC;
	WRITE_ONCE(mon->tally.state, monitor_beat_state(mon));
}

/* Takes the guest's word, or that of its beats. Does not look: a word may come at any rate. */
static void monitor_hear(struct kvmhb_monitor *mon, u32 word)
{
	struct kvmhb_verdict new = mon->verdict;
	bool retuning = mon->retuning;
	u64 due_at_ns = 0;
	bool again;

	lockdep_assert_held(&mon->lock);

	if (word == KVM_HEARTBEAT_PANIC && kvmhb_may_revive(&mon->verdict, mon->lifecycle)) {
		monitor_confirm_panic(mon);
		return;
	}
	if (!kvmhb_lifecycle(&new, word))
		return;
	if (word == KVM_HEARTBEAT_OOPS) {
		mon->lifecycle = word;
		mon->oops_beats = atomic64_read(&mon->tally.beats);
		return;
	}

	atomic64_add(kvmhb_monitor_missing(mon), &mon->tally.missed);
	mon->lifecycle = word;
	WRITE_ONCE(mon->tally.lost, false);
	if (word == KVM_HEARTBEAT_ARM || word == KVM_HEARTBEAT_DUMPING) {
		kvmhb_tally_arm(&mon->tally);
		monitor_end_retuning(mon);
		kvmhb_watch_restart(&mon->watch, mon->vm.kvm, mon->vm.pulse);
		due_at_ns = mon->watch.seen_at_ns + kvmhb_late_ns(&mon->judging);
	}
	again = new.state == mon->verdict.state && new.cause == mon->verdict.cause;
	kvmhb_monitor_change(mon, new.state, new.cause);
	monitor_ask_for_attention(mon);
	/* As often as a user sets an interval: the turn is still that of the one before. */
	if (retuning && !mon->retuning)
		kvmhb_turn_now(&mon->turn);
	/* A guest that is not armed has its turn on a timer, which may come too early. */
	if (again && !kvmhb_verdict_is_armed(&mon->verdict))
		return;
	kvmhb_turn_bring_forward(&mon->turn, due_at_ns);
	if (kvmhb_monitor_watches(mon))
		kvmhb_turn_now(&mon->turn);
}

/*
 * Whether a beat is overdue, and there will be something to say about it. As of the last tick:
 * who fell silent since then may be spoken of by whoever looks.
 */
static bool monitor_is_silent(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	return kvmhb_tally_last_beat_at_ns(&mon->tally) + kvmhb_late_ns(&mon->judging) <=
	       ktime_get_coarse_ns();
}

/**
 * kvmhb_monitor_take_turn - the monitor's &kvmhb_look_fn
 * @turn: its turn
 * @by: who looks
 * @asked_at_ns: when a timer asked for it
 *
 * Return: false if the look is left to a worker.
 */
bool kvmhb_monitor_take_turn(struct kvmhb_turn *turn, enum kvmhb_looker by, u64 asked_at_ns)
{
	struct kvmhb_monitor *mon = container_of(turn, struct kvmhb_monitor, turn);
	bool looks;

	if (by == KVMHB_LOOKER_WORKER)
		mutex_lock(&mon->lock);
	else if (!mutex_trylock(&mon->lock))
		return false;

	if (asked_at_ns)
		WRITE_ONCE(turn->asked_at_ns, asked_at_ns);
	looks = by != KVMHB_LOOKER_PATROL || !monitor_is_silent(mon);
	if (looks && kvmhb_tally_is_found(&mon->tally))
		/* No boot: the driver has not noticed. Nor has that of a crash kernel. */
		monitor_hear(mon, mon->goodbye == KVMHB_CAUSE_PANIC ? KVM_HEARTBEAT_DUMPING :
			     KVM_HEARTBEAT_ARM);
	else if (looks)
		kvmhb_monitor_look(mon);
	mutex_unlock(&mon->lock);
	return looks;
}

/**
 * kvmhb_monitor_lifecycle - the guest said something about itself
 * @mon: the monitor
 * @word: what the guest wrote, any value
 */
void kvmhb_monitor_lifecycle(struct kvmhb_monitor *mon, u32 word)
{
	mutex_lock(&mon->lock);
	kvmhb_life_word(&mon->life, word, mon->verdict.state, mon->goodbye);
	monitor_hear(mon, word);
	mutex_unlock(&mon->lock);
}
