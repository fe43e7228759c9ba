// SPDX-License-Identifier: GPL-2.0
/*
 * user: userspace gives its watchdog a shorter timeout, while a beat passes on how it is and the
 * host looks. The new timeout never judges the age from before the ping that came with it.
 *
 * ping() is kvmhb_watchdog_start(); beat() is kvmhb_user_publish(), for two beats; look() is
 * kvmhb_pulse_user_stale().
 *
 * barrier USER_PING: guest-module/watchdog.c kvmhb_watchdog_start smp_store_release: the new timeout with an old age
 * barrier USER_TIMEOUT: guest-module/beats.c kvmhb_user_publish smp_load_acquire: the new timeout with an old age
 * barrier PAGE_AGES: guest-module/beats.c kvmhb_user_publish virt_wmb: the new timeout with an old age
 * barrier PAGE_TIMEOUT: host-module/pulse.h kvmhb_pulse_is_stale smp_rmb: the new timeout with an old age
 */
#include "weak.pml"

#define BEATS	2

byte pings;
byte timeout_ms = 100;
byte page_age = 50;
byte page_timeout = 100;

active proctype ping()
{
	window;

	begin
	step(0, 0, pings = 1)
	step(1, USER_PING * s(0), timeout_ms = 10)
	end(2)
}

active proctype beat()
{
	window;
	byte age = 50;
	byte n, ms, now, seen;

	do
	:: n == BEATS -> break
	:: n < BEATS ->
		begin
		step(0, 0, ms = timeout_ms)
		step(1, USER_TIMEOUT * s(0), now = pings)
		step(2, s(0) | s(1), age = (now != seen -> 0 : age + 1); page_age = age)
		step(3, s(0) | PAGE_AGES * s(2), page_timeout = ms)
		end(4);
		seen = now;
		n++
	od
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
