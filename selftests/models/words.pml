// SPDX-License-Identifier: GPL-2.0
/*
 * words: the guest arms, and says goodbye. Before a word arrives, the page says what goes with
 * it, and what the host had asked for until then has been forgotten, but nothing later.
 *
 * guest() is kvmhb_arm() with kvmhb_beats_reset() and kvmhb_requests_forget(), then
 * kvmhb_say_goodbye(); arrive() and leave() are what the host does in the exit: kvmhb_tally_arm()
 * and kvmhb_watch_restart(), from which on it may ask anew, and a look at a later driver.
 *
 * barrier WORD_ARM: guest-module/lifecycle.c kvmhb_arm writel: a word before what goes with it
 * barrier WORD_GOODBYE: guest-module/lifecycle.c kvmhb_say_goodbye writel: a word before what goes with it
 * rule WORD_FORGET: guest-module/lifecycle.c kvmhb_arm: the request is read before the word
 */
#include "weak.pml"

byte page_ack;
byte page_age = 9;
byte page_timeout = 10;
byte page_request = 1;

inline arrive()
{
	assert(page_ack == 2 && page_age == 0);
	page_request = 2
}

inline leave()
{
	assert(page_timeout == 0)
}

active proctype guest()
{
	window;
	byte seen;

	begin
	step(0, 0, page_ack = 2)
	step(1, 0, page_age = 0)
	step(2, 0, seen = page_request)
	step(3, WORD_ARM * (s(0) | s(1)) | WORD_FORGET * s(2), arrive())
	end(4);
	assert(seen == 1);

	begin
	step(0, 0, page_timeout = 0)
	step(1, WORD_GOODBYE * s(0), leave())
	end(2)
}
