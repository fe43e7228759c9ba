/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tally: what beats leave behind. A beat comes at any time and in any context, takes no
 * lock, arms no timer and prints nothing. All that it reads and writes is here, and every
 * barrier between it and the monitor, which works under a lock. All functions here may be
 * called in any context.
 */
#ifndef KVMHB_TALLY_H
#define KVMHB_TALLY_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kcsan-checks.h>
#include <linux/math.h>

#include "words.h"

struct device;
struct kvmhb_pulse;
struct kvmhb_saved;

/**
 * struct kvmhb_gaps - statistics of the time between beats
 * @n: number of gaps seen
 * @sum_ns: their sum, ns
 * @min_ns: the shortest, ns
 * @max_ns: the longest, ns
 * @mean8_ns: moving average times 8, ns (RFC 6298's SRTT, alpha = 1/8)
 * @dev4_ns: moving mean deviation times 4, ns (RFC 6298's RTTVAR, beta = 1/4)
 */
struct kvmhb_gaps {
	u64 n;
	u64 sum_ns;
	u64 min_ns;
	u64 max_ns;
	s64 mean8_ns;
	s64 dev4_ns;
};

/**
 * struct kvmhb_tally - the side of a monitor that takes no lock
 * @dev: the mdev, by whose UUID all reports are known; never changes
 * @wake: makes the monitor look; likewise. Called in any context
 *
 * The monitor writes these, under its lock:
 * @state: the monitor's state, as far as beats go
 * @retuning: the guest has not yet beaten by the newest configuration
 * @attention: the next beat has to wake the monitor, the guest is silent
 * @lost: the device was reset under a guest that was armed or dumping, and that has said nothing
 *	since; its beats are the only sign that it lives on
 * @interval_ns: how often the guest has to beat, ns
 * @pulse: the VM's pulse page, NULL while detached: then no beat comes
 * @excused_ns: of the silence that lasts, the time in which the guest could not have
 *	beaten, as of the last look, ns
 * @excused_since_ns: the beat that this silence began with
 *
 * Beats write these. The monitor begins them anew, under its lock, while a late beat of the
 * time before may still write:
 * @last_beat_at_ns: arrival of the last beat, or of the arming, ns of CLOCK_MONOTONIC; 0
 *	before it
 * @beats: beats since the VM was attached
 * @missed: beats that should have come and did not, up to @last_beat_at_ns
 * @gaps: statistics of the time between beats; outages are not among it
 * @restart_gaps: a new rhythm begins, with the next beat @gaps do too
 * @skip_gap: the gap that the next beat ends is not among @gaps, the VM was paused in it
 * @acked_seq: while @retuning: what the last beat acknowledged
 * @lost_beat_at_ns: while @lost: the first doorbell since, ns of CLOCK_MONOTONIC, or 0
 * @found_since_ns: that doorbell, if it beats since as if it were armed. A late beat of the time
 *	before another reset may still write it: it then names no doorbell since
 */
struct kvmhb_tally {
	struct device *dev;
	void (*wake)(struct kvmhb_tally *tally);

	enum kvmhb_state state;
	bool retuning;
	bool attention;
	bool lost;
	u64 interval_ns;
	struct kvmhb_pulse *pulse;
	u64 excused_ns;
	u64 excused_since_ns;

	atomic64_t last_beat_at_ns;
	atomic64_t beats;
	atomic64_t missed;
	struct kvmhb_gaps gaps;
	bool restart_gaps;
	bool skip_gap;
	u32 acked_seq;
	u64 lost_beat_at_ns;
	u64 found_since_ns;
};

void kvmhb_tally_beat(struct kvmhb_tally *tally, int cpu);
void kvmhb_tally_attach(struct kvmhb_tally *tally, struct kvmhb_pulse *pulse);
void kvmhb_tally_arm(struct kvmhb_tally *tally);
void kvmhb_tally_resume(struct kvmhb_tally *tally, u64 now_ns);
void kvmhb_tally_move_last_beat(struct kvmhb_tally *tally, u64 from_ns, u64 to_ns);
void kvmhb_tally_load(struct kvmhb_tally *tally, const struct kvmhb_saved *saved,
		      u64 last_beat_at_ns);
void kvmhb_tally_lose(struct kvmhb_tally *tally, bool lost);
void kvmhb_tally_retune(struct kvmhb_tally *tally, u64 interval_ns, bool retuning);
bool kvmhb_tally_has_acked(const struct kvmhb_tally *tally);
u64 kvmhb_tally_excused_ns(const struct kvmhb_tally *tally, u64 last_at_ns);
struct kvmhb_gaps kvmhb_tally_gaps(const struct kvmhb_tally *tally);

/**
 * kvmhb_tally_last_beat_at_ns - when the last beat came
 * @tally: the tally
 *
 * Return: ns of CLOCK_MONOTONIC, 0 before the guest has armed.
 */
static inline u64 kvmhb_tally_last_beat_at_ns(const struct kvmhb_tally *tally)
{
	return atomic64_read(&tally->last_beat_at_ns);
}

/**
 * kvmhb_tally_is_found - whether a guest whose device was reset under it beats on
 * @tally: the tally; the caller serialises
 *
 * Return: true if it does, and has said nothing.
 */
static inline bool kvmhb_tally_is_found(const struct kvmhb_tally *tally)
{
	u64 first_at_ns = READ_ONCE(tally->lost_beat_at_ns);

	return READ_ONCE(tally->lost) && first_at_ns &&
	       READ_ONCE(tally->found_since_ns) == first_at_ns;
}

/**
 * kvmhb_tally_ask - ask to be woken by the next beat
 * @tally: the tally; the caller serialises
 *
 * Return: when the last beat came that does not wake, ns of CLOCK_MONOTONIC.
 */
static inline u64 kvmhb_tally_ask(struct kvmhb_tally *tally)
{
	WRITE_ONCE(tally->attention, true);
	/*
	 * A beat stores its time, then looks whether to wake us; we ask to be woken, then
	 * look for its time. Pairs with the atomic64_try_cmpxchg() in kvmhb_tally_beat(): one
	 * sees the other.
	 */
	smp_mb();
	return kvmhb_tally_last_beat_at_ns(tally);
}

/**
 * kvmhb_tally_excuse - say how much of a silence was not the guest's own
 * @tally: the tally; the caller serialises
 * @last_at_ns: the beat that it began with, ns of CLOCK_MONOTONIC
 * @ns: how much, ns
 */
static inline void kvmhb_tally_excuse(struct kvmhb_tally *tally, u64 last_at_ns, u64 ns)
{
	ASSERT_EXCLUSIVE_WRITER(tally->excused_since_ns);
	WRITE_ONCE(tally->excused_since_ns, 0);
	/* Pairs with the second barrier in kvmhb_tally_excused_ns(). */
	smp_wmb();
	WRITE_ONCE(tally->excused_ns, ns);
	smp_wmb();	/* pairs with the first one there */
	WRITE_ONCE(tally->excused_since_ns, last_at_ns);
}

/**
 * kvmhb_gaps_add - count one more gap between beats
 * @gaps: the statistics; whatever they are, they begin anew if their number is 0
 * @gap_ns: time between two beats, ns
 *
 * Only a guest that rings two doorbells at once gets here twice at a time; it
 * then loses some of its own samples, hence no lock. Readers see each value
 * whole. Inline, as a call would be a good part of what a beat costs.
 */
static inline void kvmhb_gaps_add(struct kvmhb_gaps *gaps, u64 gap_ns)
{
	s64 mean8_ns = READ_ONCE(gaps->mean8_ns);
	s64 dev4_ns = READ_ONCE(gaps->dev4_ns);
	u64 n = READ_ONCE(gaps->n);
	s64 error_ns;

	if (unlikely(!n)) {
		mean8_ns = gap_ns << 3;
		dev4_ns = gap_ns << 1;	/* half of it, as RFC 6298 begins */
		WRITE_ONCE(gaps->sum_ns, 0);
		WRITE_ONCE(gaps->max_ns, 0);
	} else {
		error_ns = gap_ns - (mean8_ns >> 3);
		mean8_ns += error_ns;
		dev4_ns += abs(error_ns) - (dev4_ns >> 2);
	}

	if (!n || gap_ns < READ_ONCE(gaps->min_ns))
		WRITE_ONCE(gaps->min_ns, gap_ns);
	if (gap_ns > READ_ONCE(gaps->max_ns))
		WRITE_ONCE(gaps->max_ns, gap_ns);
	WRITE_ONCE(gaps->mean8_ns, mean8_ns);
	WRITE_ONCE(gaps->dev4_ns, dev4_ns);
	WRITE_ONCE(gaps->sum_ns, READ_ONCE(gaps->sum_ns) + gap_ns);
	WRITE_ONCE(gaps->n, n + 1);
}

#endif /* KVMHB_TALLY_H */
