// SPDX-License-Identifier: GPL-2.0
/*
 * blocked: a thread looks for tasks that storage blocks, while the guest suspends, a beat passes
 * on what it found, and the host looks. An age from before a suspend is never seen after it, and
 * a shorter timeout never judges an age from before it.
 *
 * suspend() is kvmhb_user_freeze(), twice; thread() is kvmhb_blocked_look() with
 * kvmhb_blocked_say(), after a task had been blocked for 50 ms and woke up; beat() is
 * kvmhb_user_publish() with kvmhb_blocked_age_ms(); look() is kvmhb_pulse_blocked().
 *
 * barrier BLOCKED_SAY: guest-module/blocked.c kvmhb_blocked_say smp_store_release: an age from before a suspend
 * barrier BLOCKED_SHORTER: guest-module/blocked.c kvmhb_blocked_say smp_store_release: the new timeout with an old age
 * barrier BLOCKED_AGE: guest-module/beats.c kvmhb_blocked_age_ms smp_load_acquire: an age from before a suspend
 * barrier BLOCKED_TIMEOUT: guest-module/beats.c kvmhb_user_publish smp_load_acquire: the new timeout with an old age
 * barrier PAGE_AGES: guest-module/beats.c kvmhb_user_publish virt_wmb: the new timeout with an old age
 * barrier PAGE_TIMEOUT: host-module/pulse.h kvmhb_pulse_is_stale smp_rmb: the new timeout with an old age
 */
#include "weak.pml"

#define OLD_MS	50

byte freezes;		/* user_freezes: odd while userspace is frozen */
byte known;		/* blocked_freezes */
byte age_ms = OLD_MS;	/* blocked_age_ms */
byte timeout_ms = 100;	/* blocked_timeout_ms */
byte page_age = OLD_MS;
byte page_timeout = 100;

active proctype suspend()
{
	if
	:: freezes = 1; freezes = 2
	:: true
	fi
}

active proctype thread()
{
	window;
	byte seen;

	begin
	step(0, 0, seen = freezes)
	step(1, s(0), age_ms = 0)
	step(2, s(0) | BLOCKED_SAY * s(1), known = seen)
	step(3, BLOCKED_SHORTER * s(1), timeout_ms = 10)
	end(4)
}

active proctype beat()
{
	window;
	byte seen, looked, age, ms;

	begin
	step(0, 0, ms = timeout_ms)
	step(1, BLOCKED_TIMEOUT * s(0), seen = freezes)
	step(2, BLOCKED_TIMEOUT * s(0), looked = known)
	step(3, BLOCKED_TIMEOUT * s(0) | BLOCKED_AGE * s(2), age = age_ms)
	step(4, s(1) | s(2) | s(3), age = (seen % 2 || seen != looked -> 0 : age); page_age = age)
	step(5, s(0) | PAGE_AGES * s(4), page_timeout = ms)
	end(6);
	assert(seen != 2 || age != OLD_MS)
}

active proctype look()
{
	window;
	byte ms, age;

	begin
	step(0, 0, ms = page_timeout)
	step(1, PAGE_TIMEOUT * s(0), age = page_age)
	end(2);
	assert(age < ms)
}
