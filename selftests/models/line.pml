// SPDX-License-Identifier: GPL-2.0
/*
 * line: two CPUs of the guest find the beat due. One rings, and the other does not: neither now
 * nor once it gets the line.
 *
 * cpu() is kvmhb_tick() with kvmhb_line_take(), kvmhb_ring_if_due() and kvmhb_line_release().
 *
 * barrier LINE_TAKE: guest-module/kvmhb.h kvmhb_line_take test_and_set_bit_lock: two beats in place of one
 * barrier LINE_RELEASE: guest-module/kvmhb.h kvmhb_line_release clear_bit_unlock: two beats in place of one
 */
#include "weak.pml"

bool line;
byte due = 1;		/* due_ns; it is 1 now */
byte rung;

active [2] proctype cpu()
{
	window;
	bool taken;
	byte seen;

	begin
	step(0, 0, taken = !line; line = true)
	step(1, LINE_TAKE * s(0), seen = due)
	step(2, s(0) | s(1), when(taken && seen == 1, due = 2; rung++))
	step(3, s(0) | LINE_RELEASE * (s(1) | s(2)), when(taken, line = false))
	end(4);
	assert(rung < 2)
}

active proctype settled()
{
	timeout -> assert(rung == 1)
}
