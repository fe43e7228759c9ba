// SPDX-License-Identifier: GPL-2.0
/*
 * thread: the thread by which a CPU's scheduler shows that it lives falls asleep while it is
 * being stopped. It ends.
 *
 * thread() is kvmhb_thread_run(); stop() is kthread_stop() in kvmhb_thread_end(). The kernel's
 * wake-ups have a full barrier before they look whether a task sleeps.
 *
 * barrier THREAD_SLEEP: guest-module/sched.c kvmhb_thread_run set_current_state: the thread sleeps though it is to end
 */
#include "weak.pml"

bool sleeps;
bool stopped;		/* kthread_should_stop() */
bool ended;

active proctype thread()
{
	window;
	bool seen;

again:
	begin
	step(0, 0, sleeps = true)
	step(1, THREAD_SLEEP * s(0), seen = stopped)
	end(2);
	if
	:: seen -> ended = true
	:: else -> !sleeps; goto again
	fi
}

active proctype stop()
{
	stopped = true;
	sleeps = false;
	ended
}
