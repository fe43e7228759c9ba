// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <linux/math64.h>

#include "suspicion.h"

/* Numbers with a binary point: 16 bits behind it. */
#define ONE		65536

/* A silence is told apart up to so many deviations from the mean. */
#define MAX_DEVIATIONS	64

/* 1000 * log10(1 + exp(-i / 8)), 16 bits behind the point. */
static const u32 tails[] = {
	19728302, 18004985, 16392344, 14889094, 13493143, 12201646,
	11011093, 9917403, 8916030, 8002074, 7170386, 6415678,
	5732609, 5115878, 4560287, 4060807, 3612615, 3211139,
	2852071, 2531388, 2245354, 1990519, 1763717, 1562052,
	1382889, 1223836, 1082731, 957621, 846754, 748554,
	661611, 584662, 516582, 456366, 403119, 356046,
	314440, 277672, 245185, 216484, 191132, 168740,
	148964, 131501, 116080, 102465, 90444, 79832,
	70463, 62192, 54891, 48447, 42759, 37738,
	33306, 29394, 25942, 22895, 20206, 17832,
	15737, 13889, 12257, 10817, 9546,
};

/* The same for any x >= 0 (16 bits behind the point), between the entries a straight line. */
static s64 suspicion_tail(s64 x)
{
	unsigned int step = ONE / 8;
	u64 i = (u64)x / step;
	s64 rest = (u64)x % step;

	if (i >= ARRAY_SIZE(tails) - 1)
		return 0;
	return tails[i] - ((s64)(tails[i] - tails[i + 1]) * rest) / step;
}

/**
 * kvmhb_phi_milli - the phi-accrual level of a silence
 * @silence_ns: time since the last beat, ns
 * @mean_ns: the mean time between beats, ns
 * @sd_ns: its standard deviation, ns; 0 is taken for 1
 *
 * phi is -log10 of the probability that a guest which lives is silent for so
 * long or longer: at phi = 3 one suspicion in 1000 is wrong, if the time
 * between its beats is normally distributed. After Hayashibara et al., The phi
 * Accrual Failure Detector (2004), with the logistic approximation of the
 * normal distribution that Akka uses; above some 4 deviations it exceeds the
 * true value. As log10(1 + e^g) it needs no exponential function: a straight
 * line for large g, and a table for the rest.
 *
 * Return: phi times 1000, within 2 of the formula for phi < 20 and within 0.1 %
 * above.
 */
u64 kvmhb_phi_milli(u64 silence_ns, u64 mean_ns, u64 sd_ns)
{
	bool above = silence_ns >= mean_ns;
	u64 away_ns = above ? silence_ns - mean_ns : mean_ns - silence_ns;
	s64 y, g;

	sd_ns = max_t(u64, sd_ns, 1);
	if (away_ns / MAX_DEVIATIONS >= sd_ns)
		y = MAX_DEVIATIONS * ONE;
	else
		y = mul_u64_u64_div_u64(away_ns, ONE, sd_ns);
	if (!above)
		y = -y;

	/* 1.5976 y + 0.070566 y^3 */
	g = (y * (104700 + ((4625 * ((y * y) >> 16)) >> 16))) >> 16;
	/* 1778870 / 4096: 1000 * log10(e) */
	return (((max_t(s64, g, 0) * 1778870) >> 12) + suspicion_tail(abs(g)) + ONE / 2) >> 16;
}

/**
 * kvmhb_suspicion_milli - how suspicious a guest's silence is
 * @gaps: how it has beaten so far
 * @interval_ns: how often it has to beat, ns
 * @silence_ns: time since its last beat, ns
 *
 * A guest that has hardly beaten yet is taken for one that varies by a quarter
 * of its interval, and none for one that varies by less than a tenth, as Akka
 * does by default.
 *
 * Return: phi times 1000.
 */
u64 kvmhb_suspicion_milli(const struct kvmhb_gaps *gaps, u64 interval_ns, u64 silence_ns)
{
	/* Of a normal distribution, deviation is sqrt(pi / 2) = 321 / 256 times mean deviation. */
	u64 sd_ns = ((u64)READ_ONCE(gaps->dev4_ns) >> 2) * 321 >> 8;

	if (!READ_ONCE(gaps->n))
		return kvmhb_phi_milli(silence_ns, interval_ns, interval_ns / 4);
	return kvmhb_phi_milli(silence_ns, (u64)READ_ONCE(gaps->mean8_ns) >> 3,
			       max(sd_ns, div_u64(interval_ns, 10)));
}
