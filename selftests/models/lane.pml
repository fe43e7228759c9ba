// SPDX-License-Identifier: GPL-2.0
/*
 * lane: two timers expire, and each calls the lane; then both guests go. The lane sees when a
 * timer asked; it looks at one of them, at a time, or a worker does; and nobody touches a turn
 * that has been freed: neither the lane, nor the callback of its timer, nor a worker.
 *
 * expire() is turn_expired() with kvmhb_lane_take(), then kvmhb_turn_never(), and kvmhb_turn_flush()
 * with kvmhb_lane_forget(); lane() is lane_run(); stuck() is lane_stuck(); worker() is turn_work().
 * hrtimer_cancel() begins by a load without a lock, and wake-ups with a full barrier. The lane's
 * looks are left to a worker, or not.
 *
 * barrier LANE_SLEEP: host-module/lane.c lane_run set_current_state: the lane sleeps though it was called
 * barrier LANE_LOOK: host-module/lane.c lane_run smp_load_acquire: the timer's callback touches a freed turn
 * barrier LANE_DONE: host-module/lane.c lane_run store_release_wake_up: a freed turn is touched
 * rule LANE_WAKE: host-module/lane.c lane_run: store_release_wake_up() has a full barrier, too
 * barrier LANE_TAKE: host-module/lane.c kvmhb_lane_take smp_store_release: a turn is seen before what was stored for it
 * barrier LANE_FORGET: host-module/lane.c kvmhb_lane_forget smp_load_acquire: a worker touches a freed turn
 * rule LANE_CANCEL: host-module/lane.c lane_run: the timer is cancelled before the turn is let go
 * covered LANE_LOCK: host-module/lane.c kvmhb_lane_take test_and_set_bit_lock: what follows are stores behind a branch
 * covered LANE_UNLOCK: host-module/lane.c lane_run clear_bit_unlock: that of LANE_WAKE is before it
 * covered LANE_STUCK: host-module/lane.c lane_stuck smp_load_acquire: it reaches the turn by the pointer that it loads
 */
#include "weak.pml"

#define TURNS	2	/* 1 and 2 */

bool taken;		/* lane_taken */
byte turn;		/* lane_turn: 0 is none */
bool sleeps;		/* the lane */
bool armed, runs;	/* lane_timer, and its callback */

bool alive[TURNS + 1] = true;
bool asked[TURNS + 1];	/* asked_at_ns */
bool queued[TURNS + 1];	/* the turn's work item */
bool waits[TURNS + 1];	/* for lane_turn to be another */

active [TURNS] proctype expire()
{
	window;
	byte me = _pid + 1;
	bool got, held, works;

	begin
	step(0, 0, asked[me] = true)
	step(1, 0, got = !taken; taken = true; when(!got, over(s(2) | s(3) | s(4))))
	step(2, s(1) | LANE_LOCK * s(1), armed = true)
	step(3, s(1) | LANE_TAKE * (s(0) | s(1) | s(2)), turn = me)
	step(4, s(0) | s(1) | s(2) | s(3), sleeps = false)
	end(5);
	got = false;

	do
	:: begin
	   step(0, 0, waits[me] = true)
	   step(1, s(0), held = (turn == me))
	   step(2, LANE_FORGET * s(1), works = queued[me])
	   end(3);
	   if
	   :: held -> !waits[me]
	   :: else -> break
	   fi
	od;
	/* cancel_work_sync(): of what is under way, too, as a look takes no time here. */
	atomic { when(works, queued[me] = false); alive[me] = false }
}

active proctype lane()
{
	window;
	byte t;
	bool ticks;

again:
	begin
	step(0, 0, sleeps = true)
	step(1, LANE_SLEEP * s(0), t = turn; when(!t, over(s(2) | s(3) | s(4) | s(5) | s(6) | s(7))))
	step(2, s(1), assert(alive[t] && asked[t]); if :: queued[t] = true :: true fi)
	step(3, LANE_LOOK * s(1), ticks = armed || runs; when(!LANE_CANCEL, ticks = false))
	wait(4, s(1) | s(3), !ticks || !runs, when(ticks, armed = false))
	step(5, s(1) | LANE_DONE * (s(2) | s(3) | s(4)), turn = 0)
	step(6, s(1) | LANE_WAKE * s(5), waits[1] = false; waits[2] = false)
	step(7, s(1) | (LANE_WAKE | LANE_UNLOCK) * (s(2) | s(3) | s(4) | s(5)), taken = false)
	end(8);
	ticks = false;
	if
	:: t -> t = 0
	:: else ->
end:		!sleeps
	fi;
	goto again
}

active proctype stuck()
{
	window;
	byte t;

again:
end:	atomic { armed -> armed = false; runs = true };
	begin
	step(0, 0, t = turn; when(!t, over(s(1))))
	step(1, s(0) | LANE_STUCK * s(0), assert(alive[t]); queued[t] = true)
	end(2);
	t = 0;
	runs = false;
	goto again
}

active proctype worker()
{
	byte t;

again:
end:	atomic {
		if
		:: queued[1] -> t = 1
		:: queued[2] -> t = 2
		fi;
		queued[t] = false;
		assert(alive[t]);
		t = 0
	};
	goto again
}
