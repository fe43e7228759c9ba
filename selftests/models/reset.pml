// SPDX-License-Identifier: GPL-2.0
/*
 * reset: a VMM resets the device while its guest rings, on two CPUs at once. No beat is left of
 * it: when all is over, the guest has not beaten.
 *
 * beat() is kvmhb_tally_beat(); reset() is monitor_await_guest().
 *
 * rule RESET_NONE: host-module/tally.c kvmhb_tally_beat: a beat does not take the place of none
 */
#include "weak.pml"

bool armed = true;	/* kvmhb_state_is_armed() of tally.state */
byte last = 1;		/* last_beat_at_ns, 0: none */

active [2] proctype beat()
{
	byte now = 2 + _pid;
	byte before;

end:	armed;
	before = last;
	do
	:: before == 0 && RESET_NONE -> break
	:: else ->
		/* atomic64_try_cmpxchg() */
		atomic {
			if
			:: last == before -> last = now; break
			:: else -> before = last
			fi
		}
	od
}

active proctype reset()
{
	window;

	begin
	step(0, 0, last = 0)
	step(1, 0, armed = false)
	end(2)
}

active proctype settled()
{
	timeout -> assert(last == 0)
}
