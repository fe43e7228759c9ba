// SPDX-License-Identifier: GPL-2.0
#include <linux/ktime.h>

#include "pulse.h"
#include "saved.h"
#include "suspicion.h"
#include "tally.h"
#include "timing.h"
#include "trace.h"

/**
 * kvmhb_tally_excused_ns - how much of a silence was not the guest's own
 * @tally: the tally
 * @last_at_ns: the beat that it began with, ns of CLOCK_MONOTONIC
 *
 * As of the last look: whoever asks between two looks gets less than the truth.
 *
 * Return: ns, in which the guest could not have beaten.
 */
u64 kvmhb_tally_excused_ns(const struct kvmhb_tally *tally, u64 last_at_ns)
{
	u64 ns;

	if (READ_ONCE(tally->excused_since_ns) != last_at_ns)
		return 0;
	smp_rmb();	/* pairs with the second barrier in kvmhb_tally_excuse() */
	ns = READ_ONCE(tally->excused_ns);
	smp_rmb();	/* pairs with the first one there */
	return READ_ONCE(tally->excused_since_ns) == last_at_ns ? ns : 0;
}

/**
 * kvmhb_tally_gaps - the statistics of the time between beats
 * @tally: the tally
 *
 * Return: them, all zero at the begin of a rhythm; each number by itself is whole.
 */
struct kvmhb_gaps kvmhb_tally_gaps(const struct kvmhb_tally *tally)
{
	const struct kvmhb_gaps *gaps = &tally->gaps;

	if (READ_ONCE(tally->restart_gaps))
		return (struct kvmhb_gaps) {};
	return (struct kvmhb_gaps) {
		.n = READ_ONCE(gaps->n),
		.sum_ns = READ_ONCE(gaps->sum_ns),
		.min_ns = READ_ONCE(gaps->min_ns),
		.max_ns = READ_ONCE(gaps->max_ns),
		.mean8_ns = READ_ONCE(gaps->mean8_ns),
		.dev4_ns = READ_ONCE(gaps->dev4_ns),
	};
}

/* The gap before a beat, with all that is to be done about it but seldom. */
static noinline void tally_count(struct kvmhb_tally *tally, int cpu, enum kvmhb_state state,
				 u64 gap_ns, u64 run_ns, bool wake)
{
	u64 beats = atomic64_inc_return(&tally->beats);
	u64 interval_ns = READ_ONCE(tally->interval_ns);

	atomic64_add(kvmhb_missed(run_ns, interval_ns), &tally->missed);
	if (trace_beat_enabled()) {
		struct kvmhb_gaps gaps = kvmhb_tally_gaps(tally);

		trace_beat(tally->dev, beats, gap_ns, cpu,
			   kvmhb_suspicion_milli(&gaps, interval_ns, run_ns));
	}
	if (READ_ONCE(tally->restart_gaps)) {
		/* This gap began before the rhythm that it ends in. */
		WRITE_ONCE(tally->gaps.n, 0);
		WRITE_ONCE(tally->restart_gaps, false);
		WRITE_ONCE(tally->skip_gap, false);
	} else if (READ_ONCE(tally->skip_gap)) {
		WRITE_ONCE(tally->skip_gap, false);
	} else if (state != KVMHB_UNRESPONSIVE && state != KVMHB_PAUSED) {
		kvmhb_gaps_add(&tally->gaps, run_ns);
	}

	if (READ_ONCE(tally->retuning)) {
		WRITE_ONCE(tally->acked_seq, kvmhb_pulse_ack(tally->pulse));
		wake |= kvmhb_tally_has_acked(tally);
	}
	if (wake)
		tally->wake(tally);
}

/*
 * The device was reset under the guest's driver, which goes on as if nothing had been. One
 * doorbell may have been under way to the reset; one that comes so much later was not.
 */
static noinline void tally_lost_beat(struct kvmhb_tally *tally)
{
	u64 now_ns = ktime_get_ns();
	u64 first_at_ns = READ_ONCE(tally->lost_beat_at_ns);

	if (!first_at_ns) {
		WRITE_ONCE(tally->lost_beat_at_ns, now_ns);
		return;
	}
	if (READ_ONCE(tally->found_since_ns) == first_at_ns ||
	    kvmhb_minus(now_ns, first_at_ns) < READ_ONCE(tally->interval_ns) / 2)
		return;
	WRITE_ONCE(tally->found_since_ns, first_at_ns);
	tally->wake(tally);
}

/**
 * kvmhb_tally_beat - a beat has arrived
 * @tally: the tally, of a VM that is attached
 * @cpu: the guest CPU that rang, or -1 if it is not known
 */
void kvmhb_tally_beat(struct kvmhb_tally *tally, int cpu)
{
	enum kvmhb_state state = READ_ONCE(tally->state);
	u64 now_ns, gap_ns, run_ns;
	s64 last_at_ns;
	bool wake;

	if (unlikely(!kvmhb_state_is_armed(state))) {
		if (READ_ONCE(tally->lost))
			tally_lost_beat(tally);
		return;
	}

	now_ns = ktime_get_ns();
	last_at_ns = atomic64_read(&tally->last_beat_at_ns);
	do {
		/* A VMM resets the device while its guest rings: no beat is left of it. */
		if (unlikely(!last_at_ns))
			return;
		/* A full barrier, paired with the one in kvmhb_tally_ask(). */
	} while (!atomic64_try_cmpxchg(&tally->last_beat_at_ns, &last_at_ns, now_ns));
	wake = READ_ONCE(tally->attention);

	gap_ns = kvmhb_minus(now_ns, last_at_ns);
	run_ns = kvmhb_minus(gap_ns, kvmhb_tally_excused_ns(tally, last_at_ns));
	if (unlikely(wake || trace_beat_enabled() || READ_ONCE(tally->restart_gaps) ||
		     READ_ONCE(tally->skip_gap) || READ_ONCE(tally->retuning) ||
		     kvmhb_missed(run_ns, READ_ONCE(tally->interval_ns)))) {
		tally_count(tally, cpu, state, gap_ns, run_ns, wake);
		return;
	}
	atomic64_inc(&tally->beats);
	kvmhb_gaps_add(&tally->gaps, run_ns);
}

/**
 * kvmhb_tally_retune - say how often the guest has to beat
 * @tally: the tally; the caller serialises
 * @interval_ns: time between two beats, ns
 * @retuning: it may beat by an older configuration still; it has yet to acknowledge
 */
void kvmhb_tally_retune(struct kvmhb_tally *tally, u64 interval_ns, bool retuning)
{
	/* Only a beat that came with the acknowledgment starts the new rhythm. */
	if (READ_ONCE(tally->retuning) && !retuning && tally->pulse)
		WRITE_ONCE(tally->restart_gaps, true);
	ASSERT_EXCLUSIVE_WRITER(tally->interval_ns);
	WRITE_ONCE(tally->interval_ns, interval_ns);
	WRITE_ONCE(tally->retuning, retuning);
}

/**
 * kvmhb_tally_has_acked - whether the guest beats by the newest configuration
 * @tally: the tally, of a VM that is attached
 *
 * Return: true if the last beat acknowledged it.
 */
bool kvmhb_tally_has_acked(const struct kvmhb_tally *tally)
{
	return READ_ONCE(tally->acked_seq) == READ_ONCE(tally->pulse->config_seq);
}

/**
 * kvmhb_tally_attach - begin to count for another VM
 * @tally: the tally; the caller serialises, and no beat comes
 * @pulse: the VM's pulse page
 */
void kvmhb_tally_attach(struct kvmhb_tally *tally, struct kvmhb_pulse *pulse)
{
	ASSERT_EXCLUSIVE_ACCESS(tally->pulse);
	tally->pulse = pulse;
	WRITE_ONCE(tally->lost, false);
	atomic64_set(&tally->beats, 0);
	atomic64_set(&tally->missed, 0);
	WRITE_ONCE(tally->restart_gaps, true);
}

/**
 * kvmhb_tally_arm - the guest has armed, and lives at this moment
 * @tally: the tally; the caller serialises
 */
void kvmhb_tally_arm(struct kvmhb_tally *tally)
{
	atomic64_set(&tally->last_beat_at_ns, ktime_get_ns());
	WRITE_ONCE(tally->acked_seq, kvmhb_pulse_ack(tally->pulse));
	WRITE_ONCE(tally->restart_gaps, true);
}

/**
 * kvmhb_tally_resume - the VM goes on after a pause, with a silence of 0
 * @tally: the tally; the caller serialises
 * @now_ns: the time, ns of CLOCK_MONOTONIC
 */
void kvmhb_tally_resume(struct kvmhb_tally *tally, u64 now_ns)
{
	WRITE_ONCE(tally->skip_gap, true);
	atomic64_set(&tally->last_beat_at_ns, now_ns);
}

/**
 * kvmhb_tally_move_last_beat - have the last beat be of another time
 * @tally: the tally; the caller serialises
 * @from_ns: when it came, ns of CLOCK_MONOTONIC; if another has come since, that one stays
 * @to_ns: when it is to have come
 */
void kvmhb_tally_move_last_beat(struct kvmhb_tally *tally, u64 from_ns, u64 to_ns)
{
	WRITE_ONCE(tally->skip_gap, true);
	atomic64_cmpxchg(&tally->last_beat_at_ns, from_ns, to_ns);
}

/**
 * kvmhb_tally_load - go on as another tally would have
 * @tally: the tally; the caller serialises, and no beat comes
 * @saved: what moved
 * @last_beat_at_ns: when the guest last beat, ns of CLOCK_MONOTONIC, or 0 before it has armed
 */
void kvmhb_tally_load(struct kvmhb_tally *tally, const struct kvmhb_saved *saved,
		      u64 last_beat_at_ns)
{
	struct kvmhb_gaps *gaps = &tally->gaps;

	WRITE_ONCE(gaps->n, saved->gaps_n);
	WRITE_ONCE(gaps->sum_ns, saved->gaps_sum_ns);
	WRITE_ONCE(gaps->min_ns, saved->gaps_min_ns);
	WRITE_ONCE(gaps->max_ns, saved->gaps_max_ns);
	WRITE_ONCE(gaps->mean8_ns, saved->gaps_mean8_ns);
	WRITE_ONCE(gaps->dev4_ns, saved->gaps_dev4_ns);
	WRITE_ONCE(tally->restart_gaps, saved->restart_gaps);
	WRITE_ONCE(tally->skip_gap, true);
	WRITE_ONCE(tally->acked_seq, saved->acked_seq);
	atomic64_set(&tally->beats, saved->beats);
	atomic64_set(&tally->missed, saved->missed);
	atomic64_set(&tally->last_beat_at_ns, last_beat_at_ns);
	kvmhb_tally_lose(tally, saved->lost);
}

/**
 * kvmhb_tally_lose - the device was reset
 * @tally: the tally; the caller serialises
 * @lost: its driver may not know
 *
 * What rang while the device was reset is not a beat after it.
 */
void kvmhb_tally_lose(struct kvmhb_tally *tally, bool lost)
{
	WRITE_ONCE(tally->lost_beat_at_ns, 0);
	WRITE_ONCE(tally->lost, lost);
}
