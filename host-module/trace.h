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
#include "words.h"
#include "timing.h"

TRACE_EVENT(beat,
	TP_PROTO(const struct device *dev, u64 beats, u64 gap_ns, int cpu, u64 suspicion),
	TP_ARGS(dev, beats, gap_ns, cpu, suspicion),
	TP_STRUCT__entry(
		__array(char, vm, UUID_STRING_LEN + 1)
		__field(u64, beats)
		__field(u64, gap_ns)
		__field(int, cpu)
		__field(u64, suspicion)
	),
	TP_fast_assign(
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm));
		__entry->beats = beats;
		__entry->gap_ns = gap_ns;
		__entry->cpu = cpu;
		__entry->suspicion = suspicion;
	),
	TP_printk("vm=%s beats=%llu gap_ns=%llu cpu=%d suspicion=%llu",
		  __entry->vm, __entry->beats, __entry->gap_ns, __entry->cpu,
		  __entry->suspicion)
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

#define KVMHB_VCPU_ENTRY(type, name, format, value)	__field(type, name)
#define KVMHB_VCPU_ASSIGN(type, name, format, value)	__entry->name = value;
#define KVMHB_VCPU_ARG(type, name, format, value)	, __entry->name

TRACE_EVENT(evidence,
	TP_PROTO(const struct device *dev, unsigned int vcpu, const struct kvmhb_vcpu *seen),
	TP_ARGS(dev, vcpu, seen),
	TP_STRUCT__entry(
		__array(char, vm, UUID_STRING_LEN + 1)
		__field(unsigned int, vcpu)
		KVMHB_VCPU_SHOWN(KVMHB_VCPU_ENTRY, seen)
	),
	TP_fast_assign(
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm));
		__entry->vcpu = vcpu;
		KVMHB_VCPU_SHOWN(KVMHB_VCPU_ASSIGN, seen)
	),
	TP_printk("vm=%s vcpu=%u" KVMHB_VCPU_SHOWN(KVMHB_VCPU_FORMAT, seen),
		  __entry->vm, __entry->vcpu KVMHB_VCPU_SHOWN(KVMHB_VCPU_ARG, seen))
);

TRACE_EVENT(config,
	TP_PROTO(const struct device *dev, const struct kvmhb_timing *timing, bool follows),
	TP_ARGS(dev, timing, follows),
	TP_STRUCT__entry(
		__array(char, vm, UUID_STRING_LEN + 1)
		__field(u64, interval_ns)
		__field(u64, timeout_ns)
		__field(bool, follows)
	),
	TP_fast_assign(
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm));
		__entry->interval_ns = timing->interval_ns;
		__entry->timeout_ns = timing->timeout_ns;
		__entry->follows = follows;
	),
	TP_printk("vm=%s interval_ns=%llu timeout_ns=%llu follows=%d",
		  __entry->vm, __entry->interval_ns, __entry->timeout_ns,
		  __entry->follows)
);

TRACE_EVENT(attach,
	TP_PROTO(const struct device *dev, pid_t pid, bool kvm, unsigned int vcpus,
		 unsigned int slots),
	TP_ARGS(dev, pid, kvm, vcpus, slots),
	TP_STRUCT__entry(
		__array(char, vm, UUID_STRING_LEN + 1)
		__field(pid_t, pid)
		__field(bool, kvm)
		__field(unsigned int, vcpus)
		__field(unsigned int, slots)
	),
	TP_fast_assign(
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm));
		__entry->pid = pid;
		__entry->kvm = kvm;
		__entry->vcpus = vcpus;
		__entry->slots = slots;
	),
	TP_printk("vm=%s pid=%d kvm=%d vcpus=%u slots=%u",
		  __entry->vm, __entry->pid, __entry->kvm, __entry->vcpus,
		  __entry->slots)
);

TRACE_EVENT(detach,
	TP_PROTO(const struct device *dev, pid_t pid),
	TP_ARGS(dev, pid),
	TP_STRUCT__entry(
		__array(char, vm, UUID_STRING_LEN + 1)
		__field(pid_t, pid)
	),
	TP_fast_assign(
		strscpy(__entry->vm, dev_name(dev), sizeof(__entry->vm));
		__entry->pid = pid;
	),
	TP_printk("vm=%s pid=%d", __entry->vm, __entry->pid)
);

#endif /* KVMHB_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
