// SPDX-License-Identifier: GPL-2.0
/*
 * react: a look finds that a step is due about a dead guest, and a worker takes it, while the
 * guest beats again, the VMM pauses the VM and closes the device, and a user mutes the monitor. No
 * step begins about a guest that is muted, paused or has beaten, nor is anything told to a device
 * that has gone. No step is forgotten, none is taken about another outage than the one it was due in,
 * and who polls knows the last state once the mute is over.
 *
 * look() is kvmhb_monitor_look() with kvmhb_react() and kvmhb_react_to(), which is change(); work()
 * is react_work(); user() is kvmhb_react_mute() with react_unmute(); vmm() is kvmhb_monitor_pause(),
 * kvmhb_monitor_resume(), and kvmhb_monitor_detach() with kvmhb_react_flush(). All but the telling
 * is done under the monitor's lock: what is atomic here.
 *
 * rule REACT_TAKING: host-module/react.c react_work: no step if the outage it was for has ended
 * rule REACT_BEATEN: host-module/react.c react_work: none if the guest has beaten
 * rule REACT_PAUSED: host-module/react.c react_work: none while the VM is paused
 * rule REACT_MUTED: host-module/react.c react_work: none while muted
 * rule REACT_NEXT: host-module/react.c react_work: after a step a look sets the time of the next
 * rule REACT_UNMUTE: host-module/react.c react_unmute: after a mute a look sees what is due
 * rule REACT_HELD: host-module/react.c react_unmute: what was held back is announced
 * rule REACT_RESUME: host-module/move.c kvmhb_monitor_resume: so does the end of a pause
 * rule REACT_FLUSH: host-module/react.c kvmhb_react_flush: the device goes after the step
 */
#include "weak.pml"

#define STEPS	2

bool dead;		/* the verdict: unresponsive */
bool beaten;		/* there is a beat that no look has seen */
bool paused, muted;
bool attached = true;
bool device = true;	/* ops->stop() and config_changed() need it */
byte outage;		/* which one; odd while it lasts */

byte next;		/* sequence.next */
byte about;		/* for which outage the step is that is about to be taken */
bool taking;
byte queued;		/* react->work: 1 is queued, 2 is running */
bool turn = true;	/* a look is queued */
bool held;
bool polled;		/* what who polls knows of dead */

inline announce()
{
	polled = dead
}

inline change(to)
{
	dead = to;
	outage++;
	taking = false;
	next = 0;
	if
	:: muted -> held = true
	:: else -> announce()
	fi
}

inline look()
{
	if
	:: attached && !paused && dead && beaten -> beaten = false; change(false)
	:: attached && !paused && !dead && !beaten && outage < 3 -> change(true)
	:: else
	fi;
	if
	:: attached && !paused && !muted && dead && next < STEPS && !taking ->
		if
		:: turn = true			/* by a timer, as it is not due yet */
		:: taking = true;
		   about = outage;
		   queued = queued | 1
		fi
	:: else
	fi
}

active proctype looks()
{
again:
end:	atomic { turn -> turn = false; look() };
	goto again
}

active proctype work()
{
	bool steps;

again:
end:	atomic {
		(queued & 1) -> queued = 2;
		steps = (taking || !REACT_TAKING) && dead && next < STEPS && !(paused && REACT_PAUSED) &&
			!(muted && REACT_MUTED) && !(beaten && REACT_BEATEN);
		taking = false;
		if
		:: steps ->
			assert(attached && !paused && !muted && !beaten && about == outage);
			next++
		:: else -> turn = true
		fi
	};
	if
	:: steps ->
		assert(device);		/* react_tell() */
		when(REACT_NEXT, turn = true)
	:: else
	fi;
	queued = queued & 1;
	steps = false;
	goto again
}

/* It dies, may come back to life, and dies again. */
active proctype guest()
{
	if
	:: atomic { dead -> beaten = true; turn = true }
	:: true
	fi
}

active proctype user()
{
	if
	:: muted = true;
	   atomic {
		muted = false;
		when(held && REACT_HELD, announce());
		held = false;
		when(REACT_UNMUTE, turn = true)
	   }
	:: true
	fi
}

active proctype vmm()
{
	if
	:: paused = true;
	   atomic { paused = false; when(REACT_RESUME, look()) }
	:: true
	fi;
	if
	:: atomic { attached = false; when(dead, change(false)) };
	   when(REACT_FLUSH, queued == 0);
	   device = false
	:: true
	fi
}

active proctype settled()
{
	timeout -> assert(polled == dead && (!dead || next == STEPS))
}
