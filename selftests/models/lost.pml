// SPDX-License-Identifier: GPL-2.0
/*
 * lost: a device that was reset under a guest which beats on is reset again, while the guest
 * rings. It is not found by doorbells from before that alone: it may not beat any more.
 *
 * ring() is tally_lost_beat(), for four doorbells; reset() is kvmhb_tally_lose(); look() is
 * kvmhb_monitor_take_turn() with kvmhb_tally_is_found().
 *
 * rule LOST_SINCE: host-module/tally.c tally_lost_beat: it is found since a certain doorbell, the first after the reset
 */
#include "weak.pml"

#define SOON	2	/* half an interval */

bool lock;		/* the monitor's */
byte first;		/* lost_beat_at_ns */
byte found;		/* found_since_ns */
bool queued;		/* a look */
byte now;		/* each doorbell takes some time */
bool over;		/* what rings from here on does so after the reset */
bool fresh;		/* somebody has rung since */

active proctype ring()
{
	byte n, at, seen;

	do
	:: n == 4 -> break
	:: n < 4 ->
		n++;
		atomic { now++; at = now; when(over, fresh = true) };
		seen = first;
		if
		:: seen == 0 -> first = at
		:: seen && at >= seen + SOON && found != (LOST_SINCE -> seen : 1) ->
			found = (LOST_SINCE -> seen : 1);
			queued = true
		:: else
		fi
	od
}

active proctype reset()
{
	window;

	atomic { !lock -> lock = true };
	begin
	step(0, 0, first = 0; over = true)
	step(1, 0, when(!LOST_SINCE, found = 0))
	end(2);
	lock = false
}

active proctype look()
{
again:
end:	atomic {
		queued && !lock -> queued = false;
		assert(!over || fresh || !found || (LOST_SINCE && found != first))
	};
	goto again
}
