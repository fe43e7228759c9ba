// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/notifier.h>
#include <linux/suspend.h>

#include "host.h"
#include "rules.h"

/* Fewer silent guests than this are no crowd, whatever their share. */
#define CROWD_MIN	3

static atomic_t sleeps = ATOMIC_INIT(0);
static atomic_t watched = ATOMIC_INIT(0);
static atomic_t suspects = ATOMIC_INIT(0);

/* Tasks are frozen after the first and thawed before the second of each pair. */
static int pm_event(struct notifier_block *nb, unsigned long event, void *data)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		atomic_inc(&sleeps);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block pm_nb = {
	.notifier_call = pm_event,
};

/**
 * kvmhb_host_init - watch over the host
 *
 * Return: 0 or a negative errno. Context: process.
 */
int kvmhb_host_init(void)
{
	return register_pm_notifier(&pm_nb);
}

/**
 * kvmhb_host_exit - undo kvmhb_host_init()
 *
 * Context: process.
 */
void kvmhb_host_exit(void)
{
	unregister_pm_notifier(&pm_nb);
}

/**
 * kvmhb_host_sleeps - how often the host went to sleep and woke up
 *
 * Return: a number that changes with each; between two looks at which it differs
 * guests were frozen for an unknown time. Context: any.
 */
int kvmhb_host_sleeps(void)
{
	return atomic_read(&sleeps);
}

/**
 * kvmhb_host_count - a monitor changes its state
 * @old: the state before
 * @new: the state after
 *
 * Context: any.
 */
void kvmhb_host_count(enum kvmhb_state old, enum kvmhb_state new)
{
	atomic_add(kvmhb_state_is_armed(new) - kvmhb_state_is_armed(old), &watched);
	atomic_add((new == KVMHB_LATE) - (old == KVMHB_LATE), &suspects);
}

/**
 * kvmhb_host_crowd - whether most guests seem to be silent
 *
 * Return: true if that is more likely the host's fault than theirs. Context: any.
 */
bool kvmhb_host_crowd(void)
{
	int nr = atomic_read(&suspects);

	return nr >= CROWD_MIN && 2 * nr > atomic_read(&watched);
}
