// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU that keeps no order but what it must. What a process does between begin and end() is a
 * window of steps. Each takes effect at once, for all CPUs, but they do so in any order that
 * their needs leave: whatever two loads and stores of a window nothing orders are exchanged, as
 * a store buffer, speculation or a compiler would.
 *
 *	step(n, needs, statement)	step n of the window, counted from 0
 *	wait(n, needs, condition, statement)	one that waits for a condition
 *	over(s(n) | s(m))		a statement: these steps do nothing this time
 *	s(n) | s(m)			needs: these steps before it, since it depends on what they
 *					load, is a store behind a branch on that, or touches the
 *					same variable
 *	BARRIER * s(n)			this one too, as a barrier is between the two; BARRIER is
 *					1, or 0 where the barrier has been removed
 *
 * A load behind a branch may be speculated, and needs nothing of it. Of the kernel's locks,
 * wake-ups, interrupts and work items the models use what the kernel documents of them: what
 * is before them is seen by whom they reach. Windows end there.
 *
 * Left out: CPUs that see the stores of two others in different orders, and a CPU that reads its
 * own store before the others see it.
 *
 * Lines of these forms in the head of a model are read by models_test.py:
 *
 *	barrier NAME: FILE FUNCTION MACRO: WHAT	Spin has to find an error without it, as this
 *						goes wrong
 *	rule NAME: FILE FUNCTION: RULE		likewise, of what is no barrier
 *	covered NAME: FILE FUNCTION MACRO: WHY	without it alone Spin has to find none
 *	none: FILE FUNCTION MACRO: WHY		nothing here depends on it
 *
 * none: guest-module/request.c kvmhb_stacks_ask test_and_set_bit: it says who asks, no more
 * none: guest-module/lifecycle.c kvmhb_die writel: nothing is stored before it that belongs to it
 * none: host-module/tally.c tally_count atomic64_inc_return: it counts, no more
 * none: host-module/tally.c kvmhb_tally_move_last_beat atomic64_cmpxchg: it takes the place of one beat, no more
 */
#define s(n)			(1 << (n))
#define window			int done
#define begin			done = 0; do
#define step(n, needs, ...)	wait(n, needs, true, __VA_ARGS__)
#define wait(n, needs, condition, ...)						\
	:: atomic {								\
		!(done & s(n)) && (done & (needs)) == (needs) && (condition) ->	\
		__VA_ARGS__;							\
		done = done | s(n)						\
	}
#define end(n)			:: atomic { done == s(n) - 1 -> done = 0; break } od
#define over(steps)		done = done | (steps)
#define when(condition, ...)	if :: (condition) -> __VA_ARGS__ :: else fi
