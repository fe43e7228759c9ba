// SPDX-License-Identifier: GPL-2.0
/*
 * tick: a beat falls due while a CPU still rings the one before, and the other CPU leaves it to
 * that one, as the line is taken. Whoever has the line rings it before an interval is over.
 *
 * cpu() is kvmhb_tick() with kvmhb_ring_if_due(); time is in intervals, and goes on only if no
 * tick is outstanding, but for that of a CPU in the VMM. The rest after a slow doorbell is left out.
 *
 * rule TICK_JUDGED: guest-module/beats.c kvmhb_tick: the next tick is by the time at which this one judged
 */
#include "weak.pml"

#define END	5

byte now = 1;
byte due = 1;		/* due_ns */
byte next[2] = 1;	/* of each CPU's timer */
bool line;
byte busy = 2;		/* which CPU is in the VMM; 2: none */

active [2] proctype cpu()
{
	byte me = _pid;
	byte judged;

again:
end:	atomic { now >= next[me] && now < END -> judged = now };
	atomic {
		if
		:: judged >= due && !line -> line = true
		:: else -> goto go_on
		fi
	};
	due = judged + 1;
	busy = me;		/* for as long as it likes */
	busy = 2;
	line = false;
go_on:
	next[me] = (TICK_JUDGED -> judged : now) + 1;
	goto again
}

active proctype clock()
{
	do
	:: now == END -> break
	:: atomic {
		now < END && (next[0] > now || busy == 0) && (next[1] > now || busy == 1) ->
		assert(due > now || line);
		now++
	   }
	od
}
