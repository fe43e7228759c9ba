/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_MINMAX_H
#define SHIM_LINUX_MINMAX_H

#define min(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define max(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
#define max3(a, b, c)	({ __typeof__(a) _a3 = max(a, b); max(_a3, c); })

#define min_t(type, a, b)	({ type _at = (a), _bt = (b); min(_at, _bt); })
#define max_t(type, a, b)	({ type _at = (a), _bt = (b); max(_at, _bt); })
#define clamp(value, low, high) ({							\
	__typeof__(value) _low = (low), _high = (high);					\
	__typeof__(value) _least = max(value, _low);					\
											\
	min(_least, _high);								\
})

#define clamp_t(type, value, low, high)	clamp((type)(value), (type)(low), (type)(high))

#endif /* SHIM_LINUX_MINMAX_H */
