/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events. Their names and fields are ABI (Documentation/tracing.rst).
 * States and causes are recorded in sysfs's own words, so that filters use them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm_heartbeat

#if !defined(KVMHB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVMHB_TRACE_H

#include <linux/device.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/uuid.h>

#include "evidence.h"
#include "report.h"
#include "words.h"
#include "timing.h"

/* An event of a monitor. What it shows is a list of type, name, format and value. */
#define KVMHB_SHOWN_ENTRY(type, name, format, value)	__field(type, name)
#define KVMHB_SHOWN_ASSIGN(type, name, format, value)	__entry->name = value;
#define KVMHB_SHOWN_ARG(type, name, format, value)	, __entry->name

#define KVMHB_EVENT(event, proto, args, SHOWN)				\
TRACE_EVENT(event, PARAMS(proto), PARAMS(args),				\
	TP_STRUCT__entry(						\
		__array(char, vm, UUID_STRING_LEN + 1)			\
		SHOWN(KVMHB_SHOWN_ENTRY)				\
	),								\
	TP_fast_assign(							\
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm)); \
		SHOWN(KVMHB_SHOWN_ASSIGN)				\
	),								\
	TP_printk("vm=%s" SHOWN(KVMHB_SHOWN_FORMAT),			\
		  __entry->vm SHOWN(KVMHB_SHOWN_ARG))			\
)

#define KVMHB_BEAT_SHOWN(field)						\
	field(u64, beats, "%llu", beats)				\
	field(u64, gap_ns, "%llu", gap_ns)				\
	field(int, cpu, "%d", cpu)					\
	field(u64, suspicion, "%llu", suspicion)

KVMHB_EVENT(beat,
	TP_PROTO(const struct device *dev, u64 beats, u64 gap_ns, int cpu, u64 suspicion),
	TP_ARGS(dev, beats, gap_ns, cpu, suspicion),
	KVMHB_BEAT_SHOWN
);

TRACE_EVENT(state,
	TP_PROTO(const struct device *dev, enum kvmhb_state old,
		 const struct kvmhb_verdict *new, u64 last_beat_ns, u64 run_ns),
	TP_ARGS(dev, old, new, last_beat_ns, run_ns),
	TP_STRUCT__entry(
		__array(char, vm, UUID_STRING_LEN + 1)
		__array(char, old, KVMHB_WORD_SIZE)
		__array(char, new, KVMHB_WORD_SIZE)
		__array(char, cause, KVMHB_WORD_SIZE)
		__field(u64, last_beat_ns)
		__field(u64, run_ns)
	),
	TP_fast_assign(
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm));
		strscpy(__entry->old, kvmhb_state_word(old), KVMHB_WORD_SIZE);
		strscpy(__entry->new, kvmhb_state_word(new->state), KVMHB_WORD_SIZE);
		strscpy(__entry->cause, kvmhb_cause_word(new->cause), KVMHB_WORD_SIZE);
		__entry->last_beat_ns = last_beat_ns;
		__entry->run_ns = run_ns;
	),
	TP_printk("vm=%s old=%s new=%s cause=%s last_beat_ns=%llu run_ns=%llu",
		  __entry->vm, __entry->old, __entry->new, __entry->cause,
		  __entry->last_beat_ns, __entry->run_ns)
);

#define KVMHB_EVIDENCE_SHOWN(field)					\
	field(unsigned int, vcpu, "%u", vcpu)				\
	KVMHB_VCPU_SHOWN(field, seen)

KVMHB_EVENT(evidence,
	TP_PROTO(const struct device *dev, unsigned int vcpu, const struct kvmhb_vcpu *seen),
	TP_ARGS(dev, vcpu, seen),
	KVMHB_EVIDENCE_SHOWN
);

#define KVMHB_CONFIG_SHOWN(field)					\
	field(u64, interval_ns, "%llu", timing->interval_ns)		\
	field(u64, timeout_ns, "%llu", timing->timeout_ns)		\
	field(bool, follows, "%d", follows)

KVMHB_EVENT(config,
	TP_PROTO(const struct device *dev, const struct kvmhb_timing *timing, bool follows),
	TP_ARGS(dev, timing, follows),
	KVMHB_CONFIG_SHOWN
);

TRACE_EVENT(action,
	TP_PROTO(const struct device *dev, const struct kvmhb_action *action),
	TP_ARGS(dev, action),
	TP_STRUCT__entry(
		__array(char, vm, UUID_STRING_LEN + 1)
		__array(char, step, KVMHB_REACTION_WORD_SIZE)
		__array(char, cause, KVMHB_WORD_SIZE)
		__array(char, result, KVMHB_REACTION_WORD_SIZE)
	),
	TP_fast_assign(
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm));
		strscpy(__entry->step, kvmhb_step_word(action->step), KVMHB_REACTION_WORD_SIZE);
		strscpy(__entry->cause, kvmhb_cause_word(action->verdict.cause), KVMHB_WORD_SIZE);
		strscpy(__entry->result, kvmhb_result_word(action->result),
			KVMHB_REACTION_WORD_SIZE);
	),
	TP_printk("vm=%s step=%s cause=%s result=%s",
		  __entry->vm, __entry->step, __entry->cause, __entry->result)
);

#define KVMHB_ATTACH_SHOWN(field)					\
	field(pid_t, pid, "%d", pid)					\
	field(bool, kvm, "%d", kvm)					\
	field(unsigned int, vcpus, "%u", vcpus)				\
	field(unsigned int, slots, "%u", slots)

KVMHB_EVENT(attach,
	TP_PROTO(const struct device *dev, pid_t pid, bool kvm, unsigned int vcpus,
		 unsigned int slots),
	TP_ARGS(dev, pid, kvm, vcpus, slots),
	KVMHB_ATTACH_SHOWN
);

#define KVMHB_DETACH_SHOWN(field)					\
	field(pid_t, pid, "%d", pid)

KVMHB_EVENT(detach,
	TP_PROTO(const struct device *dev, pid_t pid),
	TP_ARGS(dev, pid),
	KVMHB_DETACH_SHOWN
);

#endif /* KVMHB_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
