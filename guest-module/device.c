// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: the PCI device
 *
 * All that probe sets up is managed by the device: it is undone in exactly
 * the reverse order when probe fails or the driver lets go, so there is no
 * remove. A device that has vanished reads as all ones, which is no
 * configuration that we would follow, and ignores what is written to it.
 */
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

#include "kvmhb.h"

/* Vendor and device numbers are shared. Touch nothing before this is true. */
static int kvmhb_identify(struct kvmhb *hb)
{
	u32 magic, version;

	magic = readl(hb->regs + KVM_HEARTBEAT_REG_MAGIC);
	if (magic != KVM_HEARTBEAT_MAGIC) {
		dev_info(hb->dev, "not a heartbeat device: magic %#x\n", magic);
		return -ENODEV;
	}

	version = readl(hb->regs + KVM_HEARTBEAT_REG_VERSION);
	if (version != KVM_HEARTBEAT_VERSION) {
		dev_err(hb->dev, "version %u of the device, driver knows %u\n",
			version, KVM_HEARTBEAT_VERSION);
		return -ENODEV;
	}

	return 0;
}

static int kvmhb_map_regs(struct kvmhb *hb, struct pci_dev *pdev)
{
	struct resource *res = pci_resource_n(pdev, KVM_HEARTBEAT_BAR_REGS);

	hb->regs = devm_ioremap_resource(hb->dev, res);
	if (IS_ERR(hb->regs))
		return PTR_ERR(hb->regs);

	if (resource_size(res) < KVM_HEARTBEAT_REG_DOORBELL + sizeof(u32)) {
		dev_info(hb->dev, "not a heartbeat device: %pR\n", res);
		return -ENODEV;
	}

	return 0;
}

static int kvmhb_map_pulse(struct kvmhb *hb, struct pci_dev *pdev)
{
	struct resource *res = pci_resource_n(pdev, KVM_HEARTBEAT_BAR_PULSE);
	size_t size = pci_resource_len(pdev, KVM_HEARTBEAT_BAR_PULSE);

	if (resource_type(res) != IORESOURCE_MEM || size < sizeof(*hb->pulse)) {
		dev_err(hb->dev, "no room for the pulses in %pR\n", res);
		return -ENODEV;
	}

	if (!devm_request_mem_region(hb->dev, res->start, size,
				     dev_name(hb->dev)))
		return -EBUSY;

	/* Memory of the host, without side effects; never encrypted. */
	hb->pulse = devm_memremap(hb->dev, res->start, size,
				  MEMREMAP_WB | MEMREMAP_DEC);
	if (IS_ERR(hb->pulse))
		return PTR_ERR(hb->pulse);

	hb->slots = (struct kvm_heartbeat_slot *)(hb->pulse + 1);
	hb->nr_slots = min_t(size_t,
			     readl(hb->regs + KVM_HEARTBEAT_REG_NR_SLOTS),
			     (size - sizeof(*hb->pulse)) / sizeof(*hb->slots));
	return 0;
}

/* What to beat by should the pulse page be in the middle of an update. */
static int kvmhb_first_config(struct kvmhb *hb)
{
	u64 interval_ns = readq(hb->regs + KVM_HEARTBEAT_REG_INTERVAL_NS);

	if (!kvmhb_interval_valid(interval_ns)) {
		dev_err(hb->dev, "interval of %llu ns is out of bounds\n",
			interval_ns);
		return -ERANGE;
	}

	hb->config.interval_ns = interval_ns;
	return 0;
}

/* Threads may not run, and then the host asks why. */
static irqreturn_t kvmhb_irq(int irq, void *data)
{
	kvmhb_request_look(data);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t kvmhb_irq_thread(int irq, void *data)
{
	kvmhb_beats_retune(data);
	return IRQ_HANDLED;
}

/* The interrupt means: look at what the host has written in the pulse page. */
static int kvmhb_request_irq(struct kvmhb *hb, struct pci_dev *pdev)
{
	int ret;

	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (ret < 0) {
		dev_info(hb->dev, "no MSI (%pe), a new interval takes effect at the next tick\n",
			 ERR_PTR(ret));
		return 0;
	}

	return devm_request_threaded_irq(hb->dev, pci_irq_vector(pdev, 0),
					 kvmhb_irq, kvmhb_irq_thread,
					 IRQF_ONESHOT,
					 dev_name(hb->dev), hb);
}

static int kvmhb_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct kvmhb *hb;
	int ret;

	hb = devm_kzalloc(&pdev->dev, sizeof(*hb), GFP_KERNEL);
	if (!hb)
		return -ENOMEM;
	hb->dev = &pdev->dev;
	mutex_init(&hb->lock);

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	ret = kvmhb_map_regs(hb, pdev);
	if (ret)
		return ret;

	ret = kvmhb_identify(hb);
	if (ret)
		return ret;

	ret = kvmhb_map_pulse(hb, pdev);
	if (ret)
		return ret;

	ret = kvmhb_first_config(hb);
	if (ret)
		return ret;

	kvmhb_requests_init(hb);
	ret = kvmhb_beats_init(hb);
	if (ret)
		return ret;

	pci_set_master(pdev);	/* for the MSI: the device does no DMA */
	ret = kvmhb_request_irq(hb, pdev);
	if (ret)
		return ret;

	pci_set_drvdata(pdev, hb);
	dev_info(hb->dev, "heartbeat device, interval %llu ns, %u slots\n",
		 hb->config.interval_ns, hb->nr_slots);

	/* From here on we hear of changes: now read what there is, and beat. */
	ret = kvmhb_lifecycle_init(hb);
	if (ret)
		return ret;

	kvmhb_watchdog_init(hb);
	kvmhb_blocked_init(hb);
	return 0;
}

static int kvmhb_suspend(struct device *dev)
{
	kvmhb_disarm(dev_get_drvdata(dev), KVM_HEARTBEAT_SUSPEND);
	return 0;
}

static int kvmhb_resume(struct device *dev)
{
	kvmhb_arm(dev_get_drvdata(dev));
	return 0;
}

/* Hibernation too: an image is written by a guest that is armed again. */
static DEFINE_SIMPLE_DEV_PM_OPS(kvmhb_pm_ops, kvmhb_suspend, kvmhb_resume);

/*
 * Somebody resets the device, or all behind its bridge, and it forgets that it
 * was armed. That is a pause like suspend; within one it is none of our affair.
 */
static void kvmhb_reset_prepare(struct pci_dev *pdev)
{
	struct kvmhb *hb = pci_get_drvdata(pdev);

	device_lock_assert(hb->dev);

	hb->rearm = hb->running;
	if (hb->rearm)
		kvmhb_disarm(hb, KVM_HEARTBEAT_SUSPEND);
}

static void kvmhb_reset_done(struct pci_dev *pdev)
{
	struct kvmhb *hb = pci_get_drvdata(pdev);

	device_lock_assert(hb->dev);

	if (hb->rearm)
		kvmhb_arm(hb);
}

static const struct pci_error_handlers kvmhb_err_handlers = {
	.reset_prepare = kvmhb_reset_prepare,
	.reset_done = kvmhb_reset_done,
};

static const struct pci_device_id kvmhb_ids[] = {
	{ PCI_DEVICE(KVM_HEARTBEAT_PCI_VENDOR, KVM_HEARTBEAT_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, kvmhb_ids);

static struct pci_driver kvmhb_driver = {
	.name = "kvm_heartbeat_guest",
	.id_table = kvmhb_ids,
	.probe = kvmhb_probe,
	.err_handler = &kvmhb_err_handlers,
	.driver.pm = pm_sleep_ptr(&kvmhb_pm_ops),
};

static int __init kvmhb_init(void)
{
	int ret;

	ret = kvmhb_sched_register();
	if (ret)
		return ret;

	ret = kvmhb_beats_register();
	if (ret)
		goto err_sched;

	kvmhb_requests_register();
	ret = pci_register_driver(&kvmhb_driver);
	if (ret)
		goto err_requests;

	return 0;

err_requests:
	kvmhb_requests_unregister();
	kvmhb_beats_unregister();
err_sched:
	kvmhb_sched_unregister();
	return ret;
}
module_init(kvmhb_init);

static void __exit kvmhb_exit(void)
{
	pci_unregister_driver(&kvmhb_driver);
	kvmhb_requests_unregister();
	kvmhb_beats_unregister();
	kvmhb_sched_unregister();
}
module_exit(kvmhb_exit);

MODULE_DESCRIPTION("Heartbeat of this kernel for a KVM host that listens");
MODULE_AUTHOR("kvm-heartbeat authors");
MODULE_LICENSE("GPL");
