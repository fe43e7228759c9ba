// SPDX-License-Identifier: GPL-2.0
/*
 * start: a CPU is asked to start its timer while an older question is under way to it. The one
 * that is under way answers both.
 *
 * ask() is kvmhb_choose() with kvmhb_cpu_ask_to_start(); cpu() is kvmhb_start_asked() with
 * kvmhb_cpu_start(), in the interrupt. The older question came before a stop.
 *
 * barrier START_ASK: guest-module/beats.c kvmhb_cpu_ask_to_start test_and_set_bit: a CPU that does not start
 * barrier START_ANSWER: guest-module/beats.c kvmhb_start_asked smp_mb__after_atomic: a CPU that does not start
 * rule START_FIRST: guest-module/beats.c kvmhb_start_asked: the bit is cleared before anything else
 */
#include "weak.pml"

bool asked = true;	/* start_asked */
bool interrupt = true;	/* start_csd */
bool on;
bool started;

active proctype ask()
{
	window;
	bool before;

	begin
	step(0, 0, on = true)
	step(1, START_ASK * s(0), before = asked; asked = true)
	end(2);
	when(!before, interrupt = true)
}

active proctype cpu()
{
	window;
	bool seen;

again:
end:	atomic { interrupt -> interrupt = false };
	if
	:: START_FIRST ->
		begin
		step(0, 0, asked = false)
		step(1, START_ANSWER * s(0), seen = on)
		end(2)
	:: else ->
		seen = on;
		asked = false
	fi;
	when(seen, started = true);
	goto again
}

active proctype settled()
{
	timeout -> assert(started)
}
