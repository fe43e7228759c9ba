// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM says that its VM does not run, that it runs again, or that it goes on elsewhere. What
 * is seen of the guest while it does not run says nothing, and its clocks stand still.
 */
#include <linux/kernel.h>

#include "monitor.h"
#include "trace.h"

/**
 * kvmhb_monitor_pause - the VM does not run any more
 * @mon: the monitor, attached
 *
 * Does nothing if it did not run before.
 */
void kvmhb_monitor_pause(struct kvmhb_monitor *mon)
{
	mutex_lock(&mon->lock);
	if (!mon->paused_at_ns) {
		/* A beat that came with the pause ends a silence first, and time is time. */
		if (kvmhb_monitor_has_beaten(mon) || kvmhb_monitor_deadline_ns(mon))
			kvmhb_monitor_look(mon);
		mon->paused_at_ns = ktime_get_ns();
		/* Who is accused stays so: nothing of it is taken back. */
		if (kvmhb_verdict_is_armed(&mon->verdict) &&
		    mon->verdict.state != KVMHB_UNRESPONSIVE) {
			atomic64_add(kvmhb_monitor_missing(mon), &mon->tally.missed);
			kvmhb_monitor_change(mon, KVMHB_PAUSED, KVMHB_CAUSE_PAUSED);
		}
		kvmhb_monitor_look(mon);
	}
	mutex_unlock(&mon->lock);
}

/* What a guest goes on as: late is not said of one whose silence begins anew. */
static struct kvmhb_verdict move_verdict(const struct kvmhb_monitor *mon)
{
	lockdep_assert_held(&mon->lock);

	if (mon->verdict.state != KVMHB_PAUSED)
		return mon->verdict;
	return (struct kvmhb_verdict) {
		mon->living == KVMHB_CAUSE_NONE ? KVMHB_ALIVE : KVMHB_DEGRADED, mon->living
	};
}

/* What was of a guest that is not armed is as long ago as if the pause had not been. */
static void move_resume_unarmed(struct kvmhb_monitor *mon, u64 pause_ns)
{
	u64 last_at_ns = kvmhb_tally_last_beat_at_ns(&mon->tally);

	lockdep_assert_held(&mon->lock);

	if (mon->verdict.state == KVMHB_UNRESPONSIVE) {
		mon->outages.silent_since_ns += pause_ns;
		mon->outages.down_until_ns += pause_ns;
	}
	/* One that came in the pause is where it is. */
	if (last_at_ns && !kvmhb_is_after(last_at_ns, mon->paused_at_ns))
		kvmhb_tally_move_last_beat(&mon->tally, last_at_ns, last_at_ns + pause_ns);
}

/* The outage goes on as if the pause had not been. */
static void move_resume_outage(struct kvmhb_monitor *mon, u64 pause_ns)
{
	u64 last_at_ns = kvmhb_tally_last_beat_at_ns(&mon->tally);
	u64 excused_ns = kvmhb_tally_excused_ns(&mon->tally, last_at_ns);

	lockdep_assert_held(&mon->lock);

	/* A beat that came in the pause ends it, at the next look. */
	if (last_at_ns != mon->outages.silent_since_ns)
		return;
	mon->outages.silent_since_ns += pause_ns;
	mon->outages.down_until_ns += pause_ns;
	kvmhb_tally_excuse(&mon->tally, last_at_ns + pause_ns, excused_ns);
	kvmhb_tally_move_last_beat(&mon->tally, last_at_ns, last_at_ns + pause_ns);
}

/**
 * kvmhb_monitor_resume - the VM runs again
 * @mon: the monitor, attached
 *
 * Its guest is what it was, and has just beaten as far as can be asked of it. Does nothing
 * if it ran.
 */
void kvmhb_monitor_resume(struct kvmhb_monitor *mon)
{
	struct kvmhb_verdict verdict;
	u64 now_ns, pause_ns, last_at_ns;
	bool silent;

	mutex_lock(&mon->lock);
	if (!mon->paused_at_ns)
		goto unlock;

	verdict = move_verdict(mon);
	now_ns = ktime_get_ns();
	pause_ns = kvmhb_minus(now_ns, mon->paused_at_ns);
	if (kvmhb_may_revive(&verdict, mon->lifecycle))
		move_resume_outage(mon, pause_ns);
	else if (!kvmhb_verdict_is_armed(&verdict))
		move_resume_unarmed(mon, pause_ns);
	else if (verdict.state == KVMHB_UNRESPONSIVE)
		move_resume_outage(mon, pause_ns);
	else
		kvmhb_tally_resume(&mon->tally, now_ns);
	mon->paused_at_ns = 0;
	mon->moves = false;
	last_at_ns = kvmhb_tally_last_beat_at_ns(&mon->tally);
	silent = verdict.state == KVMHB_UNRESPONSIVE && kvmhb_verdict_is_armed(&verdict) &&
		 last_at_ns == mon->outages.silent_since_ns;
	kvmhb_watch_resume(&mon->watch, mon->vm.kvm, silent, last_at_ns);
	kvmhb_monitor_change(mon, verdict.state, verdict.cause);
	WRITE_ONCE(mon->tally.attention, !kvmhb_verdict_beats(&verdict));
	if (silent)
		kvmhb_turn_on_timer(&mon->turn, now_ns + mon->judging.timeout_ns);
	else if (kvmhb_verdict_is_armed(&verdict) || kvmhb_monitor_watches(mon) ||
		 kvmhb_monitor_has_beaten(mon))
		kvmhb_turn_now(&mon->turn);
	mon->arrived = false;
unlock:
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_leaves - the VMM prepares to move the VM, while that runs
 * @mon: the monitor, attached
 * @leaving: false if it does not any more
 *
 * It pauses the VM some time before it says so.
 */
void kvmhb_monitor_leaves(struct kvmhb_monitor *mon, bool leaving)
{
	mutex_lock(&mon->lock);
	mon->leaving = leaving;
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_moves - the VM goes on elsewhere, unless kvmhb_monitor_resume() is called
 * @mon: the monitor, paused
 */
void kvmhb_monitor_moves(struct kvmhb_monitor *mon)
{
	mutex_lock(&mon->lock);
	mon->moves = true;
	mutex_unlock(&mon->lock);
}

/**
 * kvmhb_monitor_save - say what moves with the VM
 * @mon: the monitor, paused
 * @saved: gets it; @saved->slots has room for every slot of the pulse page
 */
void kvmhb_monitor_save(struct kvmhb_monitor *mon, struct kvmhb_saved *saved)
{
	const struct kvmhb_outages *outages = &mon->outages;
	struct kvmhb_verdict verdict;
	struct kvmhb_gaps gaps;
	u64 last_at_ns, excused_ns;

	mutex_lock(&mon->lock);
	verdict = move_verdict(mon);
	gaps = kvmhb_tally_gaps(&mon->tally);
	last_at_ns = kvmhb_tally_last_beat_at_ns(&mon->tally);
	excused_ns = kvmhb_tally_excused_ns(&mon->tally, outages->silent_since_ns);

	saved->interval_ns = mon->config.timing.interval_ns;
	saved->timeout_set_ns = mon->config.timeout_set_ns;
	saved->judged_interval_ns = mon->timing.interval_ns;
	saved->judged_timeout_ns = mon->timing.timeout_ns;
	saved->retuning = mon->retuning;
	saved->config_seq = mon->vm.pulse->config_seq;
	saved->acked_seq = READ_ONCE(mon->tally.acked_seq);

	saved->state = verdict.state;
	saved->cause = verdict.cause;
	saved->lifecycle = mon->lifecycle;
	if (saved->lifecycle == KVM_HEARTBEAT_OOPS && kvmhb_verdict_is_armed(&verdict) &&
	    !kvmhb_monitor_has_oopsed(mon))
		saved->lifecycle = KVM_HEARTBEAT_ARM;	/* it has survived that */
	saved->goodbye = mon->goodbye;
	saved->lost = READ_ONCE(mon->tally.lost);

	saved->beats = atomic64_read(&mon->tally.beats);
	saved->missed = atomic64_read(&mon->tally.missed);
	/* Of a silence that is no outage the run clock does not move. */
	if (kvmhb_may_revive(&verdict, mon->lifecycle))
		saved->missed += kvmhb_monitor_missing(mon);
	saved->outages = outages->count;
	saved->downtime_ns = outages->downtime_ns;
	saved->gaps_n = gaps.n;
	saved->gaps_sum_ns = gaps.sum_ns;
	saved->gaps_min_ns = gaps.min_ns;
	saved->gaps_max_ns = gaps.max_ns;
	saved->gaps_mean8_ns = gaps.mean8_ns;
	saved->gaps_dev4_ns = gaps.dev4_ns;
	saved->restart_gaps = READ_ONCE(mon->tally.restart_gaps);

	saved->silence_ns = 0;
	saved->counted_ns = 0;
	saved->run_ns = 0;
	if (kvmhb_verdict_is_overdue(&verdict)) {
		saved->silence_ns = kvmhb_minus(mon->paused_at_ns,
						last_at_ns ?: outages->silent_since_ns);
		if (last_at_ns)
			saved->counted_ns = kvmhb_minus(outages->silent_since_ns, last_at_ns);
	} else if (verdict.state == KVMHB_UNRESPONSIVE) {
		saved->silence_ns = kvmhb_minus(mon->paused_at_ns, outages->silent_since_ns);
		saved->counted_ns = min(kvmhb_minus(outages->down_until_ns,
						    outages->silent_since_ns), saved->silence_ns);
		/* Not what was watched: that ends with the last look. */
		saved->run_ns = kvmhb_minus(saved->silence_ns, excused_ns);
	} else if (!kvmhb_verdict_is_armed(&verdict) && last_at_ns) {
		saved->silence_ns = kvmhb_minus(mon->paused_at_ns, last_at_ns) ?: 1;
	}

	saved->judged_state = mon->watch.judged.verdict.state;
	saved->judged_cause = mon->watch.judged.verdict.cause;
	saved->judged_silence_ns = mon->watch.judged.silence_ns;
	saved->judged_run_ns = mon->watch.judged.run_ns;
	saved->boots = mon->life.boots;
	saved->panics = mon->life.panics;
	saved->resets = mon->life.resets;
	saved->nr_seen = kvmhb_layers_save(&mon->watch.layers, saved->slots);
	mutex_unlock(&mon->lock);
}

/* What the guest reads and is judged by. */
static void move_load_config(struct kvmhb_monitor *mon, const struct kvmhb_saved *saved)
{
	const struct kvmhb_timing judged = { saved->judged_interval_ns, saved->judged_timeout_ns };
	struct kvmhb_config config = { .timeout_set_ns = saved->timeout_set_ns };

	lockdep_assert_held(&mon->lock);

	if (WARN_ON(kvmhb_timing_make(&config.timing, saved->interval_ns, saved->timeout_set_ns)))
		return;
	if (config.timing.interval_ns != mon->config.timing.interval_ns ||
	    config.timing.timeout_ns != mon->config.timing.timeout_ns)
		trace_config(mon->tally.dev, &config.timing, !config.timeout_set_ns);
	mon->config = config;
	kvmhb_pulse_load(mon->vm.pulse, saved->pulse, saved->config_seq, &config.timing);
	kvmhb_monitor_judge_by(mon, judged, saved->retuning);
}

/**
 * kvmhb_monitor_load - go on as another monitor would have
 * @mon: the monitor, attached and paused
 * @saved: what moved, as kvmhb_stream_parse() accepted it
 */
void kvmhb_monitor_load(struct kvmhb_monitor *mon, const struct kvmhb_saved *saved)
{
	struct kvmhb_verdict verdict = { saved->state, saved->cause };
	bool overdue = kvmhb_verdict_is_overdue(&verdict);
	u64 now_ns, last_at_ns;

	mutex_lock(&mon->lock);
	now_ns = ktime_get_ns();
	last_at_ns = now_ns - saved->silence_ns;
	move_load_config(mon, saved);
	kvmhb_tally_load(&mon->tally, saved,
			 kvmhb_verdict_is_armed(&verdict) ||
			 (overdue ? saved->counted_ns : saved->silence_ns) ? last_at_ns : 0);
	kvmhb_tally_excuse(&mon->tally, last_at_ns, saved->silence_ns - saved->run_ns);
	mon->lifecycle = saved->lifecycle;
	mon->oops_beats = saved->beats;
	mon->goodbye = saved->goodbye;
	kvmhb_watch_load(&mon->watch, mon->vm.pulse, saved, last_at_ns);

	mon->paused_at_ns = now_ns;
	mon->arrived = true;
	mon->living = KVMHB_CAUSE_NONE;
	if (kvmhb_state_beats(verdict.state)) {
		mon->living = verdict.cause;
		verdict = (struct kvmhb_verdict) { KVMHB_PAUSED, KVMHB_CAUSE_PAUSED };
	}
	kvmhb_monitor_change(mon, verdict.state, verdict.cause);
	kvmhb_monitor_begin_deadline(mon);	/* its deadlines are this host's */
	mon->outages = (struct kvmhb_outages) {
		.silent_since_ns = last_at_ns + (overdue ? saved->counted_ns : 0),
		.count = saved->outages,
		.downtime_ns = saved->downtime_ns,
		.down_until_ns = last_at_ns + saved->counted_ns,
	};
	mon->life = (struct kvmhb_life) {
		.boots = saved->boots,
		.panics = saved->panics,
		.resets = saved->resets,
	};
	kvmhb_monitor_look(mon);
	mutex_unlock(&mon->lock);
}
