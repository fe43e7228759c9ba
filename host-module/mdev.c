// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/mdev.h>
#include <linux/module.h>

#include "mdev.h"
#include "vfio.h"

/* The configuration of new monitors, and what they do about an outage. */
static struct kvmhb_config mdev_config;
static struct kvmhb_policy mdev_policy;

static int mdev_probe(struct mdev_device *mdev)
{
	struct kvmhb_vfio *face;

	face = kvmhb_vfio_create(&mdev->dev, &mdev_config, &mdev_policy);
	if (IS_ERR(face))
		return PTR_ERR(face);
	/* Before the driver core adds the sysfs files, which look for it. */
	dev_set_drvdata(&mdev->dev, &face->hb.monitor);
	return 0;
}

/* The sysfs files are gone by now. */
static void mdev_remove(struct mdev_device *mdev)
{
	kvmhb_vfio_remove(kvmhb_vfio_of(dev_get_drvdata(&mdev->dev)));
}

static ssize_t mdev_show_description(struct mdev_type *type, char *buf)
{
	return sysfs_emit(buf, "heartbeat monitor of one virtual machine\n");
}

static struct mdev_driver mdev_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 65536,
	.probe = mdev_probe,
	.remove = mdev_remove,
	.show_description = mdev_show_description,
	.driver = {
		.name = "kvm_heartbeat",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = kvmhb_sysfs_groups,
	},
};

static struct mdev_type mdev_type = {
	.sysfs_name = "vm",
	.pretty_name = "KVM heartbeat monitor",
};

static struct mdev_type *mdev_types[] = { &mdev_type };

static struct class mdev_class = {
	.name = "kvm_heartbeat",
};

static struct device *mdev_parent_dev;
static struct mdev_parent mdev_parent;

/**
 * kvmhb_mdev_init - let users create monitors
 * @config: the configuration that they begin with
 * @policy: what they do about an outage; its steps alone count
 *
 * Return: 0 or a negative errno.
 */
int kvmhb_mdev_init(const struct kvmhb_config *config, const struct kvmhb_policy *policy)
{
	int ret;

	mdev_config = *config;
	mdev_policy = *policy;
	ret = mdev_register_driver(&mdev_driver);
	if (ret)
		return ret;
	ret = class_register(&mdev_class);
	if (ret)
		goto unregister_driver;

	mdev_parent_dev = device_create(&mdev_class, NULL, MKDEV(0, 0), NULL, "kvm_heartbeat");
	if (IS_ERR(mdev_parent_dev)) {
		ret = PTR_ERR(mdev_parent_dev);
		goto unregister_class;
	}
	ret = mdev_register_parent(&mdev_parent, mdev_parent_dev, &mdev_driver, mdev_types,
				   ARRAY_SIZE(mdev_types));
	if (ret)
		goto unregister_device;
	return 0;

unregister_device:
	device_unregister(mdev_parent_dev);
unregister_class:
	class_unregister(&mdev_class);
unregister_driver:
	mdev_unregister_driver(&mdev_driver);
	return ret;
}

/**
 * kvmhb_mdev_exit - undo kvmhb_mdev_init()
 *
 * Removes the monitors; none is in use.
 */
void kvmhb_mdev_exit(void)
{
	mdev_unregister_parent(&mdev_parent);
	device_unregister(mdev_parent_dev);
	class_unregister(&mdev_class);
	mdev_unregister_driver(&mdev_driver);
}
