// SPDX-License-Identifier: GPL-2.0
/*
 * attention: a beat arrives while the monitor judges. One sees the other: the look judges by
 * the beat, or the beat queues another look.
 *
 * beat() is kvmhb_tally_beat(); look() is kvmhb_monitor_look() with kvmhb_tally_ask() in it, and
 * with the work item that monitor_wake() queues. A timer asks for looks as well.
 *
 * barrier ATTENTION_ASK: host-module/tally.h kvmhb_tally_ask smp_mb: a beat neither counts nor wakes
 * barrier ATTENTION_BEAT: host-module/tally.c kvmhb_tally_beat atomic64_try_cmpxchg: a beat neither counts nor wakes
 * rule ATTENTION_WAKE: host-module/tally.c kvmhb_tally_beat: a beat that finds attention queues a look
 */
#include "weak.pml"

#define BEATS	2
#define LOOKS	3

byte last;		/* last_beat_at_ns: the number of the beat */
bool attention;
bool queued;		/* the work item */
byte judged;		/* the beat by which the guest was judged last */
bool silent;		/* and the verdict */

active proctype beat()
{
	window;
	byte n = 1;
	bool wake;

	do
	:: n > BEATS -> break
	:: else ->
		begin
		step(0, 0, last = n)
		step(1, ATTENTION_BEAT * s(0), wake = attention)
		end(2);
		when(ATTENTION_WAKE && wake, queued = true);
		n++
	od
}

active proctype timer()
{
	byte n;

	do
	:: n < LOOKS -> queued = true; n++
	:: break
	od
}

active proctype look()
{
	window;
	byte seen;

again:
end:	atomic { queued -> queued = false };
	begin
	step(0, 0, attention = true)
	step(1, ATTENTION_ASK * s(0), seen = last)
	end(2);
	if
	:: seen != judged -> silent = false
	:: seen == judged		/* not long enough to say more */
	:: seen == judged -> silent = true
	fi;
	judged = seen;
	attention = silent;
	goto again
}

/* When nothing moves any more, no guest is called silent that has beaten since. */
active proctype settled()
{
	timeout -> assert(!silent || judged == last)
}
