// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat, host side: offers the mediated device that a VMM hands to its
 * guest, and with it a monitor for each.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "device.h"
#include "main.h"
#include "monitor.h"
#include "timing.h"

unsigned long long kvmhb_interval_ns = 2000000000;
module_param_named(interval_ns, kvmhb_interval_ns, ullong, 0444);
MODULE_PARM_DESC(interval_ns,
		 "Time between two beats of new monitors, ns: 1 ms to 1 h (default 2000000000)");

unsigned long long kvmhb_timeout_ns;
module_param_named(timeout_ns, kvmhb_timeout_ns, ullong, 0444);
MODULE_PARM_DESC(timeout_ns,
		 "Silence that makes guests of new monitors unresponsive, ns: above the interval, to 24 h (default 0: twice the interval)");

static int probe(struct mdev_device *mdev)
{
	struct kvmhb_device *hb;
	int ret;

	hb = vfio_alloc_device(kvmhb_device, vdev, &mdev->dev, &kvmhb_device_ops);
	if (IS_ERR(hb))
		return PTR_ERR(hb);

	/* Before the driver core adds the sysfs files, which look for it. */
	dev_set_drvdata(&mdev->dev, hb);

	ret = vfio_register_emulated_iommu_dev(&hb->vdev);
	if (ret)
		vfio_put_device(&hb->vdev);
	return ret;
}

/* The sysfs files are gone by now. */
static void remove(struct mdev_device *mdev)
{
	struct kvmhb_device *hb = dev_get_drvdata(&mdev->dev);

	/* Waits for the VMM to close the device. */
	vfio_unregister_group_dev(&hb->vdev);
	vfio_put_device(&hb->vdev);
}

static ssize_t show_description(struct mdev_type *type, char *buf)
{
	return sysfs_emit(buf, "heartbeat monitor of one virtual machine\n");
}

static struct mdev_driver driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 65536,
	.probe = probe,
	.remove = remove,
	.show_description = show_description,
	.driver = {
		.name = "kvm_heartbeat",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = kvmhb_sysfs_groups,
	},
};

static struct mdev_type type = {
	.sysfs_name = "vm",
	.pretty_name = "KVM heartbeat monitor",
};

static struct mdev_type *types[] = { &type };

static struct class class = {
	.name = "kvm_heartbeat",
};

static struct device *parent_dev;
static struct mdev_parent parent;

static int __init kvm_heartbeat_init(void)
{
	struct kvmhb_timing timing;
	int ret;

	ret = kvmhb_timing_make(&timing, kvmhb_interval_ns, kvmhb_timeout_ns);
	if (ret) {
		pr_err("interval_ns=%llu timeout_ns=%llu: the interval is 1 ms to 1 h, the timeout above it and up to 24 h, or 0\n",
		       kvmhb_interval_ns, kvmhb_timeout_ns);
		return ret;
	}

	ret = kvmhb_monitors_init();
	if (ret)
		return ret;

	ret = mdev_register_driver(&driver);
	if (ret)
		goto monitors_exit;

	ret = class_register(&class);
	if (ret)
		goto unregister_driver;

	parent_dev = device_create(&class, NULL, MKDEV(0, 0), NULL, "kvm_heartbeat");
	if (IS_ERR(parent_dev)) {
		ret = PTR_ERR(parent_dev);
		goto unregister_class;
	}

	ret = mdev_register_parent(&parent, parent_dev, &driver, types, ARRAY_SIZE(types));
	if (ret)
		goto unregister_device;
	return 0;

unregister_device:
	device_unregister(parent_dev);
unregister_class:
	class_unregister(&class);
unregister_driver:
	mdev_unregister_driver(&driver);
monitors_exit:
	kvmhb_monitors_exit();
	return ret;
}
module_init(kvm_heartbeat_init);

static void __exit kvm_heartbeat_exit(void)
{
	/* Removes the monitors; none is in use, or the module could not go. */
	mdev_unregister_parent(&parent);
	device_unregister(parent_dev);
	class_unregister(&class);
	mdev_unregister_driver(&driver);
	kvmhb_monitors_exit();
}
module_exit(kvm_heartbeat_exit);

MODULE_DESCRIPTION("Heartbeat monitor for KVM guests");
MODULE_AUTHOR("The kvm-heartbeat authors");
MODULE_LICENSE("GPL");
