// SPDX-License-Identifier: GPL-2.0
/*
 * config: the host changes the configuration while the guest reads it. The guest never takes an
 * interval for that of another generation, and a beat that is rung by a generation brings its
 * acknowledgment.
 *
 * publish() is kvmhb_pulse_publish() after kvmhb_tally_retune(), twice; guest() is
 * kvmhb_config_reread(), then kvmhb_ack() and the doorbell in kvmhb_ring_if_due(); beat() is
 * tally_count(), in the exit from the guest. The timeout is as the interval.
 *
 * barrier CONFIG_ODD: host-module/pulse.c kvmhb_pulse_publish smp_wmb: a new interval by the old number
 * barrier CONFIG_EVEN: host-module/pulse.c kvmhb_pulse_publish smp_store_release: an old interval by the new number
 * barrier CONFIG_FIRST: guest-module/config.c kvmhb_config_reread virt_rmb: an old interval by the new number
 * barrier CONFIG_SECOND: guest-module/config.c kvmhb_config_reread virt_rmb: a new interval by the old number
 * barrier CONFIG_RING: guest-module/beats.c kvmhb_ring_if_due writel: a beat without its acknowledgment
 * rule CONFIG_IS_ODD: guest-module/config.c kvmhb_config_reread: nothing is taken while the number is odd
 */
#include "weak.pml"

byte page_seq = 2;	/* config_seq, in the page */
byte page_interval = 2;	/* that of generation n is n */
byte page_ack = 2;
byte host_seq = 2;	/* config_seq, the host's own */
bool retuning;

active proctype publish()
{
	window;

	begin
	step(0, 0, retuning = true)
	step(1, 0, page_seq = 3)
	step(2, CONFIG_ODD * (s(0) | s(1)), page_interval = 4)
	step(3, CONFIG_ODD * (s(0) | s(1)), host_seq = 4)
	step(4, s(1) | CONFIG_EVEN * (s(0) | s(1) | s(2) | s(3)), page_seq = 4)
	/* And another one. */
	step(5, s(4), page_seq = 5)
	step(6, s(2) | CONFIG_ODD * (s(3) | s(4) | s(5)), page_interval = 6)
	step(7, s(3) | CONFIG_ODD * (s(4) | s(5)), host_seq = 6)
	step(8, s(5) | CONFIG_EVEN * (s(6) | s(7)), page_seq = 6)
	end(9)
}

inline beat(rung)
{
	assert(retuning && page_ack == rung && host_seq >= rung)
}

active proctype guest()
{
	window;
	byte first, interval, second, n;

	do
	:: n == 2 -> break
	:: n < 2 ->
		begin
		step(0, 0, first = page_seq)
		step(1, CONFIG_FIRST * s(0), interval = page_interval)
		step(2, s(0) | CONFIG_SECOND * (s(0) | s(1)), second = page_seq)
		end(3);
		if
		:: first == second && (!CONFIG_IS_ODD || first % 2 == 0) && first != page_ack ->
			assert(interval == first);
			/* To ring is to leave the guest: the beat is handled by this CPU. */
			begin
			step(0, 0, page_ack = first)
			step(1, CONFIG_RING * s(0), beat(first))
			end(2)
		:: else
		fi;
		n++
	od
}
