// SPDX-License-Identifier: GPL-2.0
/* The files of /sys/bus/mdev/devices/UUID/heartbeat/: Documentation/sysfs.rst */
#include <linux/device.h>
#include <linux/kstrtox.h>
#include <linux/math64.h>

#include "evidence.h"
#include "monitor.h"

/*
 * One line a file: its name, the format, what it shows of the readings, and whether there is
 * anything to show.
 */
#define SYSFS_READINGS(file)								\
	file(state, "%s", kvmhb_state_word(now.verdict.state), true)			\
	file(cause, "%s", kvmhb_cause_word(now.verdict.cause), true)			\
	file(beats, "%llu", now.beats, true)						\
	file(missed, "%llu", now.missed, true)						\
	file(outages, "%llu", now.outages, true)					\
	file(downtime_ns, "%llu", now.downtime_ns, true)				\
	file(boots, "%u", now.life.boots, true)					\
	file(panics, "%u", now.life.panics, true)					\
	file(resets, "%u", now.life.resets, true)					\
	file(last_beat_ns, "%llu", now.last_beat_ns, now.has_beaten)			\
	file(vmm_pid, "%d", now.vmm_pid, true)						\
	file(interval_min_ns, "%llu", now.gaps.min_ns, now.gaps.n)			\
	file(interval_mean_ns, "%llu", div64_u64(now.gaps.sum_ns, now.gaps.n), now.gaps.n) \
	file(interval_max_ns, "%llu", now.gaps.max_ns, now.gaps.n)			\
	file(jitter_ns, "%lld", now.gaps.dev4_ns >> 2, now.gaps.n)			\
	file(suspicion, "%llu", now.suspicion_milli, kvmhb_verdict_is_armed(&now.verdict))

#define SYSFS_SETTINGS(file)								\
	file(interval_ns, "%llu", now.timing.interval_ns, true)				\
	file(timeout_ns, "%llu", now.timing.timeout_ns, true)				\
	file(boot_timeout_ns, "%llu", now.boot_timeout_ns, true)			\
	file(shutdown_timeout_ns, "%llu", now.shutdown_timeout_ns, true)

#define SYSFS_SHOW(name, format, value, has_value)					\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{											\
	struct kvmhb_readings now;							\
											\
	kvmhb_monitor_read(dev_get_drvdata(dev), &now);					\
	return (has_value) ? sysfs_emit(buf, format "\n", value) : -ENODATA;		\
}
SYSFS_READINGS(SYSFS_SHOW)
SYSFS_SETTINGS(SYSFS_SHOW)

#define SYSFS_STORE(name, configure, first, second)					\
static ssize_t name##_store(struct device *dev, struct device_attribute *attr,		\
			    const char *buf, size_t count)				\
{											\
	u64 ns;										\
	int ret;									\
											\
	ret = kstrtou64(buf, 0, &ns) ?:							\
	      configure(dev_get_drvdata(dev), first, second);				\
	return ret ?: count;								\
}
SYSFS_STORE(interval_ns, kvmhb_monitor_configure, &ns, NULL)
SYSFS_STORE(timeout_ns, kvmhb_monitor_configure, NULL, &ns)
SYSFS_STORE(boot_timeout_ns, kvmhb_monitor_set_deadlines, &ns, NULL)
SYSFS_STORE(shutdown_timeout_ns, kvmhb_monitor_set_deadlines, NULL, &ns)

#define SYSFS_RO(name, ...)	static DEVICE_ATTR_RO(name);
#define SYSFS_RW(name, ...)	static DEVICE_ATTR_RW(name);
SYSFS_READINGS(SYSFS_RO)
SYSFS_SETTINGS(SYSFS_RW)

/* What is to be done about an outage. Lists of steps, numbers, and what became of them. */
#define SYSFS_PLANS(file)								\
	file(on_unresponsive)								\
	file(on_panicked)

#define SYSFS_POLICY(file)								\
	file(action_delay_ns, delay_ns)							\
	file(actions_max, max)								\
	file(actions_window_ns, window_ns)

#define SYSFS_ACTIONS(file)								\
	file(actions, "%llu", now.actions)						\
	file(last_action, "%s", kvmhb_step_word(now.last))				\
	file(last_result, "%s", kvmhb_result_word(now.last_result))			\
	file(muted, "%llu", now.muted)

#define SYSFS_PLAN(name)								\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{											\
	struct kvmhb_reactions_shown now;						\
	char plan[KVMHB_PLAN_LEN];							\
											\
	kvmhb_react_show(dev_get_drvdata(dev), &now);					\
	kvmhb_plan_print(&now.policy.name, plan);					\
	return sysfs_emit(buf, "%s\n", plan);						\
}											\
static ssize_t name##_store(struct device *dev, struct device_attribute *attr,		\
			    const char *buf, size_t count)				\
{											\
	struct kvmhb_plan plan;								\
	const struct kvmhb_policy_change change = { .name = &plan };			\
	int ret;									\
											\
	ret = kvmhb_plan_parse(&plan, buf) ?:						\
	      kvmhb_react_configure(dev_get_drvdata(dev), &change);			\
	return ret ?: count;								\
}
SYSFS_PLANS(SYSFS_PLAN)
SYSFS_PLANS(SYSFS_RW)

#define SYSFS_NUMBER(name, field)							\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{											\
	struct kvmhb_reactions_shown now;						\
											\
	kvmhb_react_show(dev_get_drvdata(dev), &now);					\
	return sysfs_emit(buf, "%llu\n", (u64)now.policy.field);			\
}											\
static ssize_t name##_store(struct device *dev, struct device_attribute *attr,		\
			    const char *buf, size_t count)				\
{											\
	u64 value;									\
	const struct kvmhb_policy_change change = { .field = &value };			\
	int ret;									\
											\
	ret = kstrtou64(buf, 0, &value) ?:						\
	      kvmhb_react_configure(dev_get_drvdata(dev), &change);			\
	return ret ?: count;								\
}
SYSFS_POLICY(SYSFS_NUMBER)
SYSFS_POLICY(SYSFS_RW)

#define SYSFS_ACTION(name, format, value)						\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{											\
	struct kvmhb_reactions_shown now;						\
											\
	kvmhb_react_show(dev_get_drvdata(dev), &now);					\
	return sysfs_emit(buf, format "\n", value);					\
}
SYSFS_ACTIONS(SYSFS_ACTION)
SYSFS_ACTIONS(SYSFS_RO)

static ssize_t mute_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_reactions_shown now;

	kvmhb_react_show(dev_get_drvdata(dev), &now);
	return sysfs_emit(buf, "%llu\n", now.mute_ns);
}

static ssize_t mute_ns_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count)
{
	u64 ns;
	int ret;

	ret = kstrtou64(buf, 0, &ns) ?: kvmhb_react_mute(dev_get_drvdata(dev), ns);
	return ret ?: count;
}
static DEVICE_ATTR_RW(mute_ns);

static ssize_t stale_vcpus_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS);

	kvmhb_monitor_stale(dev_get_drvdata(dev), stale);
	return sysfs_emit(buf, "%*pbl\n", KVMHB_PULSE_MAX_SLOTS, stale);
}
static DEVICE_ATTR_RO(stale_vcpus);

/* A vCPU's line, and its length: no number has more than three digits a byte. */
#define SYSFS_VCPU_ARG(type, name, format, value)	, value
#define SYSFS_VCPU_DIGITS(type, name, format, value)	+ 3 * sizeof(type)
#define VCPU_LINE	"vcpu=%u" KVMHB_VCPU_SHOWN(KVMHB_SHOWN_FORMAT, seen) "\n"
#define VCPU_LINE_LEN	(sizeof(VCPU_LINE) + 3 * sizeof(unsigned int) \
			 KVMHB_VCPU_SHOWN(SYSFS_VCPU_DIGITS, seen))

static int sysfs_show_judgement(const struct kvmhb_judgement *judged, char *buf)
{
	unsigned int nr;
	int len;

	if (judged->verdict.state == KVMHB_DETACHED)
		return -ENODATA;
	len = sysfs_emit(buf, "state=%s cause=%s silence_ns=%llu run_ns=%llu",
			 kvmhb_state_word(judged->verdict.state),
			 kvmhb_cause_word(judged->verdict.cause),
			 judged->silence_ns, judged->run_ns);
	if (judged->deaf_cpu >= 0)
		len += sysfs_emit_at(buf, len, " host_cpu=%d", judged->deaf_cpu);
	len += sysfs_emit_at(buf, len, "\n");
	for (nr = 0; nr < judged->nr_vcpus && len + VCPU_LINE_LEN <= PAGE_SIZE; nr++) {
		const struct kvmhb_vcpu *seen = &judged->vcpus[nr];

		len += sysfs_emit_at(buf, len, VCPU_LINE,
				     nr KVMHB_VCPU_SHOWN(SYSFS_VCPU_ARG, seen));
	}
	return len;
}

static ssize_t evidence_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return kvmhb_monitor_show_judgement(dev_get_drvdata(dev), buf, sysfs_show_judgement);
}
static DEVICE_ATTR_RO(evidence);

#define SYSFS_ATTR(name, ...)	&dev_attr_##name.attr,
static struct attribute *sysfs_attrs[] = {
	SYSFS_SETTINGS(SYSFS_ATTR)
	SYSFS_READINGS(SYSFS_ATTR)
	SYSFS_PLANS(SYSFS_ATTR)
	SYSFS_POLICY(SYSFS_ATTR)
	SYSFS_ACTIONS(SYSFS_ATTR)
	&dev_attr_mute_ns.attr,
	&dev_attr_evidence.attr,
	&dev_attr_stale_vcpus.attr,
	NULL,
};

static const struct attribute_group sysfs_group = {
	.name = "heartbeat",
	.attrs = sysfs_attrs,
};

const struct attribute_group *kvmhb_sysfs_groups[] = {
	&sysfs_group,
	NULL,
};
