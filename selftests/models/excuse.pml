// SPDX-License-Identifier: GPL-2.0
/*
 * excuse: how much of a silence was not the guest's own, left by a look for the beat that ends
 * it. A beat never takes what was left for another one.
 *
 * look() is kvmhb_tally_excuse(), twice; beat() is kvmhb_tally_excused_ns().
 *
 * barrier EXCUSE_FORGET: host-module/tally.h kvmhb_tally_excuse smp_wmb: the time of the next silence
 * barrier EXCUSE_SAY: host-module/tally.h kvmhb_tally_excuse smp_wmb: the time of an older silence
 * barrier EXCUSE_READ: host-module/tally.c kvmhb_tally_excused_ns smp_rmb: the time of an older silence
 * barrier EXCUSE_CHECK: host-module/tally.c kvmhb_tally_excused_ns smp_rmb: the time of the next silence
 */
#include "weak.pml"

byte since;		/* excused_since_ns: which beat it is for, 0: none */
byte ns = 9;		/* excused_ns: left for that beat, or an older one */

active proctype look()
{
	window;

	begin
	step(0, 0, since = 0)
	step(1, EXCUSE_FORGET * s(0), ns = 1)
	step(2, s(0) | EXCUSE_SAY * s(1), since = 1)
	/* And of the next silence. */
	step(3, s(2), since = 0)
	step(4, s(1) | EXCUSE_FORGET * (s(2) | s(3)), ns = 2)
	step(5, s(3) | EXCUSE_SAY * s(4), since = 2)
	end(6)
}

active proctype beat()
{
	window;
	byte first, taken, second;

	begin
	step(0, 0, first = since)
	step(1, EXCUSE_READ * s(0), taken = ns)
	step(2, s(0) | EXCUSE_CHECK * s(1), second = since)
	end(3);
	assert(first != 1 || second != 1 || taken == 1)
}
