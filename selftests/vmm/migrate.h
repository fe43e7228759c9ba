/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices follow their VM: VFIO's protocol of migration
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "device.h"

/* What moves of a device. */
struct stream {
	void *data;
	size_t length;
};

/*
 * For a VM whose vCPUs are stopped. All that return a bool have said what was wrong when
 * they return false.
 */
bool device_stop(struct device *dev);
bool device_save(struct device *dev, struct stream *stream);
bool device_load(struct device *dev, const struct stream *stream);
bool device_run(struct device *dev);
bool devices_run(void);

#endif
