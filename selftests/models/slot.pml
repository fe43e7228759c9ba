// SPDX-License-Identifier: GPL-2.0
/*
 * slot: a CPU comes back to life while the host looks at its slot, or stops and starts again.
 * Its new pulse, or its flag, is never judged by its old age.
 *
 * tick() is kvmhb_pulse(), and before it a kvmhb_cpu_stop() and kvmhb_cpu_start(), between which
 * is an interrupt; look() is kvmhb_pulse_slot().
 *
 * barrier SLOT_AGE: guest-module/beats.c kvmhb_pulse virt_wmb: a living CPU with the age of a dead one
 * barrier SLOT_PULSE: host-module/pulse.h kvmhb_pulse_slot smp_rmb: a living CPU with the age of a dead one
 * rule SLOT_START: guest-module/beats.c kvmhb_cpu_stop: the age is 0 before the flag is back
 */
#include "weak.pml"

#define OLD_MS	9

byte age = OLD_MS;	/* sched_age_ms */
byte pulses;
byte online = 1;	/* flags: 1 before the stop, 2 after the start */

active proctype tick()
{
	window;

	if
	:: begin
	   step(0, 0, online = 0)
	   step(1, 0, age = 0)
	   step(2, s(0) | SLOT_START * s(1), online = 2)
	   end(3)
	:: true
	fi;
	begin
	step(0, 0, age = 0)
	step(1, SLOT_AGE * s(0), pulses = 1)
	step(2, s(0), age = 0)
	step(3, s(1) | SLOT_AGE * s(2), pulses = 2)
	end(4)
}

active proctype look()
{
	window;
	byte seen_online, seen_pulses, seen_age;

	begin
	step(0, 0, seen_online = online)
	step(1, 0, seen_pulses = pulses)
	step(2, SLOT_PULSE * (s(0) | s(1)), seen_age = age)
	end(3);
	assert((seen_online != 2 && seen_pulses == 0) || seen_age != OLD_MS)
}
