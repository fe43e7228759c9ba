// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat benchmarks: what the host module is compared with
 *
 * Offers an mdev type, platform-bare, whose devices can be opened and do
 * nothing: what memory a monitor takes is measured against theirs. The module
 * parameter idle_us tells how long CPU 0 has idled since boot, at less cost
 * than any file of the kernel's own does, and more exactly.
 */
#include <linux/err.h>
#include <linux/kernel_stat.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/platform_device.h>
#include <linux/sysfs.h>
#include <linux/tick.h>
#include <linux/vfio.h>

static const struct vfio_device_ops bare_ops = {
	.name = KBUILD_MODNAME,
};

static int bare_probe(struct mdev_device *mdev)
{
	struct vfio_device *vdev;
	int ret;

	vdev = _vfio_alloc_device(sizeof(*vdev), &mdev->dev, &bare_ops);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	dev_set_drvdata(&mdev->dev, vdev);
	ret = vfio_register_emulated_iommu_dev(vdev);
	if (ret)
		vfio_put_device(vdev);
	return ret;
}

static void bare_remove(struct mdev_device *mdev)
{
	struct vfio_device *vdev = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(vdev);
	vfio_put_device(vdev);
}

static struct mdev_driver bare_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 65536,
	.probe = bare_probe,
	.remove = bare_remove,
	.driver = {
		.name = KBUILD_MODNAME,
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
	},
};

static struct mdev_type bare_type = { .sysfs_name = "bare" };
static struct mdev_type *bare_types[] = { &bare_type };
static struct platform_device *bare_parent_dev;
static struct mdev_parent bare_parent;

static int __init bare_init(void)
{
	int ret;

	ret = mdev_register_driver(&bare_driver);
	if (ret)
		return ret;
	bare_parent_dev = platform_device_register_simple(KBUILD_MODNAME, -1, NULL, 0);
	if (IS_ERR(bare_parent_dev)) {
		ret = PTR_ERR(bare_parent_dev);
		goto unregister_driver;
	}
	ret = mdev_register_parent(&bare_parent, &bare_parent_dev->dev, &bare_driver, bare_types,
				   ARRAY_SIZE(bare_types));
	if (ret)
		goto unregister_device;
	return 0;

unregister_device:
	platform_device_unregister(bare_parent_dev);
unregister_driver:
	mdev_unregister_driver(&bare_driver);
	return ret;
}
module_init(bare_init);

static void __exit bare_exit(void)
{
	mdev_unregister_parent(&bare_parent);
	platform_device_unregister(bare_parent_dev);
	mdev_unregister_driver(&bare_driver);
}
module_exit(bare_exit);

static int bare_get_idle(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%llu\n", get_cpu_idle_time_us(0, NULL) +
			  get_cpu_iowait_time_us(0, NULL));
}

static const struct kernel_param_ops bare_idle_ops = {
	.get = bare_get_idle,
};
module_param_cb(idle_us, &bare_idle_ops, NULL, 0444);
MODULE_PARM_DESC(idle_us, "how long CPU 0 has idled since boot, us");

MODULE_DESCRIPTION("Mediated devices that do nothing, to compare kvm-heartbeat with");
MODULE_AUTHOR("kvm-heartbeat authors");
MODULE_LICENSE("GPL");
