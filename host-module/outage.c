// SPDX-License-Identifier: GPL-2.0
#include "outage.h"
#include "timing.h"

/* The part of an outage that no earlier one has counted, ns. */
static u64 outage_new_downtime_ns(const struct kvmhb_outages *outages, u64 until_ns)
{
	u64 since_ns = outages->silent_since_ns;

	/* One silence may be two outages, if the configuration ended the first. */
	if (kvmhb_is_after(outages->down_until_ns, since_ns))
		since_ns = outages->down_until_ns;
	return kvmhb_minus(until_ns, since_ns);
}

/**
 * kvmhb_outages_change - a guest's state changes
 * @outages: what is known of its silences
 * @old: its state so far
 * @new: its new state
 * @last_beat_at_ns: the beat by which it is judged, ns of CLOCK_MONOTONIC, 0 if there is none
 * @now_ns: the time, likewise
 *
 * Return: how long the silence was that ends with @old, ns; means nothing if none does.
 */
u64 kvmhb_outages_change(struct kvmhb_outages *outages, enum kvmhb_state old,
			 enum kvmhb_state new, u64 last_beat_at_ns, u64 now_ns)
{
	/* A beat ended the silence when it came, anything else does so now. */
	bool beaten = last_beat_at_ns && kvmhb_is_after(last_beat_at_ns, outages->silent_since_ns);
	u64 end_at_ns = beaten ? last_beat_at_ns : now_ns;
	u64 gone_ns = kvmhb_minus(end_at_ns, outages->silent_since_ns);

	if (kvmhb_state_beats(old))
		outages->silent_since_ns = last_beat_at_ns;
	else if (!kvmhb_state_is_armed(old))
		outages->silent_since_ns = now_ns;	/* nothing was to be heard of it */
	if (old != new && new == KVMHB_UNRESPONSIVE)
		outages->count++;
	if (old != new && old == KVMHB_UNRESPONSIVE) {
		outages->downtime_ns += outage_new_downtime_ns(outages, end_at_ns);
		outages->down_until_ns = end_at_ns;
	}
	return gone_ns;
}

/**
 * kvmhb_outages_downtime_ns - how long a guest was unresponsive
 * @outages: what is known of its silences
 * @state: its state
 * @now_ns: the time, ns of CLOCK_MONOTONIC
 *
 * Return: ns, an outage that lasts included.
 */
u64 kvmhb_outages_downtime_ns(const struct kvmhb_outages *outages, enum kvmhb_state state,
			      u64 now_ns)
{
	u64 running_ns = state == KVMHB_UNRESPONSIVE ? outage_new_downtime_ns(outages, now_ns) : 0;

	return outages->downtime_ns + running_ns;
}

/**
 * kvmhb_outages_missing - how many beats a silence that lasts lacks so far
 * @outages: what is known of the guest's silences
 * @state: its state
 * @interval_ns: how often it has to beat, ns
 * @excused_ns: of the silence, the time in which it could not have beaten, ns
 * @now_ns: the time, ns of CLOCK_MONOTONIC
 *
 * Return: the number, 0 if the guest is not silent or is paused.
 */
u64 kvmhb_outages_missing(const struct kvmhb_outages *outages, enum kvmhb_state state,
			  u64 interval_ns, u64 excused_ns, u64 now_ns)
{
	u64 silence_ns = kvmhb_minus(now_ns, outages->silent_since_ns);

	if (state != KVMHB_LATE && state != KVMHB_UNRESPONSIVE)
		return 0;
	return kvmhb_missed(kvmhb_minus(silence_ns, excused_ns), interval_ns);
}
