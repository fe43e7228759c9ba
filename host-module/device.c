// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "device.h"
#include "kvm_heartbeat.h"
#include "trace.h"

#define DEVICE_FEATURES	(KVM_HEARTBEAT_FEATURE_LAYERS | KVM_HEARTBEAT_FEATURE_REQUESTS | \
			 KVM_HEARTBEAT_FEATURE_BLOCKED | KVM_HEARTBEAT_FEATURE_CRASHES)

/**
 * kvmhb_device_read_regs - read BAR0
 * @hb: the device, open
 * @regs: gets the first %KVMHB_REGS_USED bytes of it
 *
 * Context: process; takes the monitor's lock.
 */
void kvmhb_device_read_regs(struct kvmhb_device *hb, u8 *regs)
{
	struct {
		__le32 magic, version, features, nr_slots;
		__le64 interval_ns, timeout_ns;
		__le32 lifecycle;
	} __packed first;
	struct kvmhb_readings readings;

	static_assert(sizeof(first) == KVMHB_REGS_USED);
	static_assert(offsetof(typeof(first), nr_slots) == KVM_HEARTBEAT_REG_NR_SLOTS);
	static_assert(offsetof(typeof(first), interval_ns) == KVM_HEARTBEAT_REG_INTERVAL_NS);
	static_assert(offsetof(typeof(first), timeout_ns) == KVM_HEARTBEAT_REG_TIMEOUT_NS);
	static_assert(offsetof(typeof(first), lifecycle) == KVM_HEARTBEAT_REG_LIFECYCLE);

	kvmhb_monitor_read(&hb->monitor, &readings);
	first.magic = cpu_to_le32(KVM_HEARTBEAT_MAGIC);
	first.version = cpu_to_le32(KVM_HEARTBEAT_VERSION);
	first.features = cpu_to_le32(DEVICE_FEATURES);
	first.nr_slots = cpu_to_le32(hb->pulse.nr_slots);
	first.interval_ns = cpu_to_le64(readings.timing.interval_ns);
	first.timeout_ns = cpu_to_le64(readings.timing.timeout_ns);
	first.lifecycle = cpu_to_le32(readings.lifecycle);

	memcpy(regs, &first, sizeof(first));
}

/**
 * kvmhb_device_write_reg - write to BAR0
 * @hb: the device, open
 * @offset: where, any number
 * @value: 32 bits, as the guest wrote them
 *
 * A guest's nonsense is ignored. Context: process; takes no lock for a beat, and the
 * monitor's for a word.
 */
void kvmhb_device_write_reg(struct kvmhb_device *hb, u64 offset, u32 value)
{
	switch (offset) {
	case KVM_HEARTBEAT_REG_DOORBELL:
		kvmhb_tally_beat(&hb->monitor.tally, value < hb->pulse.nr_slots ? value : -1);
		break;
	case KVM_HEARTBEAT_REG_LIFECYCLE:
		kvmhb_monitor_lifecycle(&hb->monitor, value);
		break;
	}
}

/**
 * kvmhb_device_ring_by - have an eventfd ring the doorbell
 * @hb: the device, open
 * @fd: the eventfd; below 0 to end that
 * @data: what a signal stands for, as if the guest had written it
 *
 * Return: 0, or as kvmhb_doorbell_attach(); as vfio-pci, which takes more than one, -EEXIST
 * if @data has an eventfd already, -ENOSPC if another has, -ENODEV if there is none to be
 * taken away.
 */
int kvmhb_device_ring_by(struct kvmhb_device *hb, int fd, u64 data)
{
	struct kvmhb_doorbell *bell = &hb->doorbell;

	lockdep_assert_held(&hb->lock);

	if (fd >= 0 && bell->ctx)
		return bell->data == data ? -EEXIST : -ENOSPC;
	if (fd >= 0)
		return kvmhb_doorbell_attach(bell, &hb->monitor.tally, fd, data,
					     hb->pulse.nr_slots);
	if (!bell->ctx || bell->data != data)
		return -ENODEV;
	kvmhb_doorbell_detach(bell);
	return 0;
}

static void device_reset_space(struct kvmhb_device *hb)
{
	mutex_lock(&hb->lock);
	kvmhb_config_space_init(&hb->space, KVMHB_REGS_SIZE, hb->pulse.size);
	mutex_unlock(&hb->lock);
}

/**
 * kvmhb_device_reset - give the device the state of a fresh one
 * @hb: the device, open
 *
 * Context: process; takes @hb->lock, and then the monitor's.
 */
void kvmhb_device_reset(struct kvmhb_device *hb)
{
	device_reset_space(hb);
	kvmhb_monitor_reset(&hb->monitor);
}

/**
 * kvmhb_device_target - say which streams the device accepts
 * @hb: the device, open
 *
 * Return: what they have to fit.
 */
struct kvmhb_stream_target kvmhb_device_target(const struct kvmhb_device *hb)
{
	return (struct kvmhb_stream_target) {
		.features = DEVICE_FEATURES,
		.nr_slots = hb->pulse.nr_slots,
		.pulse_size = hb->pulse.size,
	};
}

/**
 * kvmhb_device_save - make a stream of all that moves with the VM
 * @hb: the device, open; its VM is paused
 * @length: gets its length, bytes
 *
 * Return: the stream, to be freed with kvfree(), or NULL without memory. Context: process;
 * takes @hb->lock, and then the monitor's.
 */
u8 *kvmhb_device_save(struct kvmhb_device *hb, size_t *length)
{
	struct kvmhb_saved saved = {
		.features = DEVICE_FEATURES,
		.nr_slots = hb->pulse.nr_slots,
		.pulse = hb->pulse.header,
		.pulse_size = hb->pulse.size,
	};
	u8 *stream;

	saved.slots = kvcalloc(saved.nr_slots, sizeof(*saved.slots), GFP_KERNEL_ACCOUNT);
	stream = kvzalloc(kvmhb_stream_size(saved.nr_slots, saved.pulse_size), GFP_KERNEL_ACCOUNT);
	if (!saved.slots || !stream) {
		kvfree(stream);
		stream = NULL;
		goto free_slots;
	}

	mutex_lock(&hb->lock);
	memcpy(saved.config, hb->space.value, sizeof(saved.config));
	mutex_unlock(&hb->lock);
	kvmhb_monitor_save(&hb->monitor, &saved);
	/* A guest that its VMM has not paused, and a user, may write the pulse page. */
	*length = data_race(kvmhb_stream_make(stream, &saved));
free_slots:
	kvfree(saved.slots);
	return stream;
}

/**
 * kvmhb_device_load - go on as another device would have
 * @hb: the device, open; its VM is paused
 * @saved: what moved, as kvmhb_stream_parse() accepted it
 *
 * Of the configuration space the guest's bits alone are taken over. Context: process; takes
 * @hb->lock, and then the monitor's.
 */
void kvmhb_device_load(struct kvmhb_device *hb, const struct kvmhb_saved *saved)
{
	device_reset_space(hb);
	mutex_lock(&hb->lock);
	kvmhb_config_space_write(&hb->space, 0, saved->config, sizeof(saved->config));
	mutex_unlock(&hb->lock);
	kvmhb_monitor_load(&hb->monitor, saved);
}

/**
 * kvmhb_device_open - a VMM takes the device
 * @hb: the device, closed
 * @kvm: its VM, or NULL without KVM
 *
 * Return: 0, -ENOENT if the VM is being destroyed, or -ENOMEM. Context: process, of the VMM.
 */
int kvmhb_device_open(struct kvmhb_device *hb, struct kvm *kvm)
{
	struct kvmhb_vm vm = {
		.pulse = &hb->pulse,
		.kvm = kvm,
		.vmm = task_tgid(current),
	};
	unsigned int nr_vcpus;
	int ret;

	if (!kvmhb_evidence_get(kvm))
		return -ENOENT;
	nr_vcpus = kvmhb_evidence_nr_vcpus(kvm);
	ret = kvmhb_pulse_init(&hb->pulse, nr_vcpus);
	if (ret) {
		kvmhb_evidence_put(kvm);
		return ret;
	}
	hb->kvm = kvm;
	device_reset_space(hb);

	trace_attach(hb->monitor.tally.dev, current->tgid, !!kvm, nr_vcpus, hb->pulse.nr_slots);
	kvmhb_monitor_attach(&hb->monitor, &vm);
	return 0;
}

/**
 * kvmhb_device_close - undo kvmhb_device_open()
 * @hb: the device, open; nobody accesses it any more
 *
 * Context: process; takes @hb->lock, and then the monitor's.
 */
void kvmhb_device_close(struct kvmhb_device *hb)
{
	mutex_lock(&hb->lock);
	kvmhb_doorbell_detach(&hb->doorbell);
	mutex_unlock(&hb->lock);

	kvmhb_monitor_detach(&hb->monitor);
	trace_detach(hb->monitor.tally.dev, current->tgid);

	kvmhb_pulse_uninit(&hb->pulse);
	kvmhb_evidence_put(hb->kvm);
	hb->kvm = NULL;
}

/**
 * kvmhb_device_init - make a device
 * @hb: what to initialise, all zero
 * @dev: the device by whose name it is known, until kvmhb_device_stop() returns
 * @config: the configuration that it begins with
 * @ops: what its face does for the monitor
 */
void kvmhb_device_init(struct kvmhb_device *hb, struct device *dev,
		       const struct kvmhb_config *config,
		       const struct kvmhb_monitor_ops *ops)
{
	mutex_init(&hb->lock);
	kvmhb_monitor_init(&hb->monitor, dev, config, ops);
}

/**
 * kvmhb_device_stop - go on with nothing any more
 * @hb: the device, closed; nobody opens, sets or reads it any more
 */
void kvmhb_device_stop(struct kvmhb_device *hb)
{
	kvmhb_monitor_stop(&hb->monitor);
}

/**
 * kvmhb_device_uninit - unmake a device
 * @hb: what kvmhb_device_init() initialised, stopped
 */
void kvmhb_device_uninit(struct kvmhb_device *hb)
{
	kvmhb_monitor_uninit(&hb->monitor);
	mutex_destroy(&hb->lock);
}
