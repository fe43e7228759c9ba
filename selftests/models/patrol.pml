// SPDX-License-Identifier: GPL-2.0
/*
 * patrol: a patrol comes by while a VM closes its device and the monitor is removed. The patrol,
 * or the worker to which it leaves a look, reads no pulse page that has gone and touches no turn
 * that has been freed, and the removal ends.
 *
 * walk() is patrol_walk() with patrol_look_at() and kvmhb_monitor_take_turn(); worker() is
 * turn_work() with the same; remove() is kvmhb_monitor_detach() with kvmhb_turn_never() and
 * kvmhb_turn_flush(), then kvmhb_turn_uninit(). cancel_work_sync() is a load of whether there is
 * work, as nothing more is documented of it.
 *
 * barrier PATROL_DONE: host-module/patrol.c patrol_look_at store_release_wake_up: a freed turn is touched
 * rule PATROL_WAKE: host-module/patrol.c patrol_look_at: store_release_wake_up() has a full barrier, too
 * barrier PATROL_UNINIT: host-module/patrol.c kvmhb_turn_uninit smp_load_acquire: a worker touches a freed turn
 * rule PATROL_NAME: host-module/patrol.c patrol_look_at: the turn is named before the patrol's lock is dropped
 * rule PATROL_LEAVE: host-module/lifetime.c kvmhb_monitor_detach: the turn has left the patrol before the page goes
 * rule PATROL_CLOSED: host-module/monitor.c kvmhb_monitor_look: a monitor that is detached is not looked at
 */
#include "weak.pml"

#define WALKS	2

bool patrol_lock, monitor_lock;
bool listed = true;	/* the turn is in the patrol's list */
bool attached = true;
bool page = true;	/* the pulse page is there */
bool alive = true;	/* so is the turn */
bool looking;		/* looking_at names it */
bool queued, working;	/* its work item */
bool waits;		/* for looking_at to be another */

inline lock(l)		{ atomic { !l -> l = true } }
inline unlock(l)	{ l = false }

active proctype walk()
{
	window;
	byte n;
	bool late;

	do
	:: n == WALKS -> break
	:: n < WALKS ->
		n++;
		lock(patrol_lock);
		if
		:: !listed -> unlock(patrol_lock)
		:: else ->
			assert(page);		/* patrol_is_due() */
			when(PATROL_NAME, looking = true);
			unlock(patrol_lock);
			when(!PATROL_NAME, looking = true);
			begin
			step(0, 0, assert(alive);
			     if
			     :: !monitor_lock -> assert(page || (!attached && PATROL_CLOSED))
			     :: late = true	/* locked, or there is something to say */
			     fi)
			step(1, s(0), when(late, assert(alive); queued = true))
			step(2, PATROL_DONE * (s(0) | s(1)), looking = false)
			step(3, PATROL_WAKE * s(2), waits = false)
			end(4);
			late = false
		fi
	od
}

active proctype worker()
{
again:
end:	atomic { queued -> queued = false; working = true };
	assert(alive);
	lock(monitor_lock);
	assert(alive && (page || (!attached && PATROL_CLOSED)));
	unlock(monitor_lock);
	working = false;
	goto again
}

active proctype remove()
{
	window;
	bool held, works;

	lock(monitor_lock);
	if
	:: PATROL_LEAVE -> lock(patrol_lock); listed = false; unlock(patrol_lock)
	:: else
	fi;
	attached = false;
	unlock(monitor_lock);
	page = false;
	if
	:: PATROL_LEAVE
	:: else -> lock(patrol_lock); listed = false; unlock(patrol_lock)
	fi;

	do
	:: begin
	   step(0, 0, waits = true)
	   step(1, s(0), held = looking)
	   step(2, PATROL_UNINIT * s(1), works = queued || working)
	   end(3);
	   if
	   :: held -> !waits
	   :: else -> break
	   fi
	od;
	/* cancel_work_sync(): of what is under way, it waits for the end. */
	when(works, queued = false; !working);
	alive = false
}
