// SPDX-License-Identifier: GPL-2.0
/*
 * notify: those who poll are to be notified of a monitor's last report while the monitor goes.
 * They are notified before it has gone, and not after that.
 *
 * work() is report_notify_work(); flush() is kvmhb_report_flush(), and what its caller does then.
 *
 * barrier NOTIFY_DONE: host-module/report.c report_notify_work store_release_wake_up: it goes before all is done
 * rule NOTIFY_WAKE: host-module/report.c report_notify_work: store_release_wake_up() has a full barrier, too
 * barrier NOTIFY_FLUSH: host-module/report.c kvmhb_report_flush smp_load_acquire: what was done is not seen
 * rule NOTIFY_NAME: host-module/report.c report_notify_work: the reporter is named before the lock is dropped
 */
#include "weak.pml"

bool notify_lock;
bool listed = true;	/* notify_entry */
bool alive = true;	/* the reporter */
bool notifying;		/* names it */
bool notified;
bool waits;		/* for notifying to be another */

inline lock(l)		{ atomic { !l -> l = true } }
inline unlock(l)	{ l = false }

active proctype work()
{
	window;

	lock(notify_lock);
	if
	:: !listed -> unlock(notify_lock)
	:: else ->
		listed = false;
		when(NOTIFY_NAME, notifying = true);
		unlock(notify_lock);
		when(!NOTIFY_NAME, notifying = true);
		begin
		step(0, 0, assert(alive))
		step(1, 0, notified = true)
		step(2, NOTIFY_DONE * (s(0) | s(1)), notifying = false)
		step(3, NOTIFY_WAKE * s(2), waits = false)
		end(4)
	fi
}

active proctype flush()
{
	window;
	bool pending, held, seen;

	lock(notify_lock);
	pending = listed;
	listed = false;
	unlock(notify_lock);
	when(pending, notified = true);

	do
	:: begin
	   step(0, 0, waits = true)
	   step(1, s(0), held = notifying)
	   step(2, NOTIFY_FLUSH * s(1), seen = notified)
	   end(3);
	   if
	   :: held -> !waits
	   :: else -> break
	   fi
	od;
	assert(seen);
	alive = false
}
