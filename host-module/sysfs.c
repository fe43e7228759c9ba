// SPDX-License-Identifier: GPL-2.0
/* The files of /sys/bus/mdev/devices/UUID/heartbeat/: Documentation/sysfs.rst */
#include <linux/device.h>
#include <linux/kstrtox.h>
#include <linux/math64.h>
#include <linux/sysfs.h>

#include "device.h"
#include "main.h"
#include "monitor.h"

static struct kvmhb_readings read_monitor(struct device *dev)
{
	struct kvmhb_device *hb = dev_get_drvdata(dev);
	struct kvmhb_readings readings;

	kvmhb_monitor_read(&hb->monitor, &readings);
	return readings;
}

static ssize_t set(struct device *dev, const char *buf, size_t count,
		   int (*setter)(struct kvmhb_monitor *mon, u64 value))
{
	struct kvmhb_device *hb = dev_get_drvdata(dev);
	u64 value;
	int ret;

	ret = kstrtou64(buf, 0, &value);
	if (ret)
		return ret;
	ret = setter(&hb->monitor, value);
	if (ret)
		return ret;
	kvmhb_device_config_changed(hb);
	return count;
}

static ssize_t interval_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", read_monitor(dev).config.interval_ns);
}

static ssize_t interval_ns_store(struct device *dev, struct device_attribute *attr,
				 const char *buf, size_t count)
{
	return set(dev, buf, count, kvmhb_monitor_set_interval);
}
static DEVICE_ATTR_RW(interval_ns);

static ssize_t timeout_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", read_monitor(dev).config.timeout_ns);
}

static ssize_t timeout_ns_store(struct device *dev, struct device_attribute *attr,
				const char *buf, size_t count)
{
	return set(dev, buf, count, kvmhb_monitor_set_timeout);
}
static DEVICE_ATTR_RW(timeout_ns);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", kvmhb_state_word(read_monitor(dev).verdict.state));
}
static DEVICE_ATTR_RO(state);

static ssize_t cause_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", kvmhb_cause_word(read_monitor(dev).verdict.cause));
}
static DEVICE_ATTR_RO(cause);

static ssize_t beats_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", read_monitor(dev).beats);
}
static DEVICE_ATTR_RO(beats);

static ssize_t missed_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", read_monitor(dev).missed);
}
static DEVICE_ATTR_RO(missed);

static ssize_t outages_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", read_monitor(dev).outages);
}
static DEVICE_ATTR_RO(outages);

static ssize_t downtime_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", read_monitor(dev).downtime_ns);
}
static DEVICE_ATTR_RO(downtime_ns);

static ssize_t last_beat_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_readings readings = read_monitor(dev);

	if (!readings.has_beaten)
		return -ENODATA;
	return sysfs_emit(buf, "%llu\n", readings.last_beat_ns);
}
static DEVICE_ATTR_RO(last_beat_ns);

static ssize_t vmm_pid_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", read_monitor(dev).vmm_pid);
}
static DEVICE_ATTR_RO(vmm_pid);

static ssize_t interval_min_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_gaps gaps = read_monitor(dev).gaps;

	return gaps.n ? sysfs_emit(buf, "%llu\n", gaps.min_ns) : -ENODATA;
}
static DEVICE_ATTR_RO(interval_min_ns);

static ssize_t interval_mean_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_gaps gaps = read_monitor(dev).gaps;

	return gaps.n ? sysfs_emit(buf, "%llu\n", div64_u64(gaps.sum_ns, gaps.n)) : -ENODATA;
}
static DEVICE_ATTR_RO(interval_mean_ns);

static ssize_t interval_max_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_gaps gaps = read_monitor(dev).gaps;

	return gaps.n ? sysfs_emit(buf, "%llu\n", gaps.max_ns) : -ENODATA;
}
static DEVICE_ATTR_RO(interval_max_ns);

static ssize_t jitter_ns_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_gaps gaps = read_monitor(dev).gaps;

	return gaps.n ? sysfs_emit(buf, "%lld\n", gaps.dev4_ns >> 2) : -ENODATA;
}
static DEVICE_ATTR_RO(jitter_ns);

static ssize_t suspicion_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_readings readings = read_monitor(dev);

	if (!kvmhb_state_is_armed(readings.verdict.state))
		return -ENODATA;
	return sysfs_emit(buf, "%llu\n", readings.suspicion_milli);
}
static DEVICE_ATTR_RO(suspicion);

static ssize_t stale_vcpus_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_device *hb = dev_get_drvdata(dev);
	struct kvmhb_monitor *mon = &hb->monitor;
	DECLARE_BITMAP(stale, KVMHB_PULSE_MAX_SLOTS) = {};

	mutex_lock(&mon->lock);
	if (mon->verdict.state == KVMHB_DEGRADED)
		kvmhb_watch_stale(&mon->watch, stale);
	mutex_unlock(&mon->lock);
	return sysfs_emit(buf, "%*pbl\n", KVMHB_PULSE_MAX_SLOTS, stale);
}
static DEVICE_ATTR_RO(stale_vcpus);

/* One line, with numbers of any length. */
#define EVIDENCE_LEN	288

static ssize_t evidence_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvmhb_device *hb = dev_get_drvdata(dev);
	struct kvmhb_monitor *mon = &hb->monitor;
	unsigned int nr;
	int len = 0;

	mutex_lock(&mon->lock);
	if (mon->judged.state != KVMHB_DETACHED)
		len = sysfs_emit(buf, "state=%s cause=%s silence_ns=%llu run_ns=%llu",
				 kvmhb_state_word(mon->judged.state),
				 kvmhb_cause_word(mon->judged.cause),
				 mon->judged_silence_ns, mon->judged_run_ns);
	if (len && mon->judged_deaf)
		len += sysfs_emit_at(buf, len, " host_cpu=%u", mon->judged_deaf_cpu);
	if (len)
		len += sysfs_emit_at(buf, len, "\n");
	for (nr = 0; len && nr < mon->watch.nr_vcpus && len <= PAGE_SIZE - EVIDENCE_LEN; nr++) {
		const struct kvmhb_vcpu *seen = &mon->watch.vcpus[nr].judged;

		len += sysfs_emit_at(buf, len, "vcpu=%u pid=%d task=%c running=%d halted=%d ",
				     nr, seen->pid, seen->task ?: '-', seen->running, seen->halted);
		len += sysfs_emit_at(buf, len, "exit=%u exits=%llu irqs=%llu signals=%llu ",
				     seen->exit, seen->exits, seen->irqs, seen->signals);
		len += sysfs_emit_at(buf, len, "exec_ns=%llu halted_ns=%llu ",
				     seen->exec_ns, seen->halted_ns);
		len += sysfs_emit_at(buf, len, "run_delay_ns=%llu queued_ns=%llu\n",
				     seen->run_delay_ns, seen->queued_ns);
	}
	mutex_unlock(&mon->lock);
	return len ?: -ENODATA;
}
static DEVICE_ATTR_RO(evidence);

static struct attribute *attrs[] = {
	&dev_attr_interval_ns.attr,
	&dev_attr_timeout_ns.attr,
	&dev_attr_state.attr,
	&dev_attr_cause.attr,
	&dev_attr_beats.attr,
	&dev_attr_missed.attr,
	&dev_attr_outages.attr,
	&dev_attr_downtime_ns.attr,
	&dev_attr_last_beat_ns.attr,
	&dev_attr_vmm_pid.attr,
	&dev_attr_interval_min_ns.attr,
	&dev_attr_interval_mean_ns.attr,
	&dev_attr_interval_max_ns.attr,
	&dev_attr_jitter_ns.attr,
	&dev_attr_suspicion.attr,
	&dev_attr_evidence.attr,
	&dev_attr_stale_vcpus.attr,
	NULL,
};

static const struct attribute_group group = {
	.name = "heartbeat",
	.attrs = attrs,
};

const struct attribute_group *kvmhb_sysfs_groups[] = {
	&group,
	NULL,
};
