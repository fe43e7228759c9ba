// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat guest: does storage answer?
 *
 * A kernel whose storage is gone lives on, while one task after the other goes
 * to sleep for ever. So a thread looks at all tasks now and then, as khungtaskd
 * does, and remembers which of them sleep uninterruptibly and have not been
 * scheduled since. The beats tell the host for how long the oldest of these
 * has slept.
 *
 * A task is not counted that whoever can kill may wake, or that sleeps so to
 * idle; nor one that the kernel has frozen, or that has to do with a file
 * system which is frozen: what was ordered is no fault.
 *
 * It is a thread of its own, since a worker might first have to be created, for
 * which memory is needed, and so perhaps the very storage that is blocked. The
 * thread allocates nothing, and takes no lock that is held over a sleep.
 *
 * Its clock runs by no more than one period from look to look: while the host
 * does not run us, no storage can answer either.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compiler.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>
#include <linux/time64.h>
#include <linux/wait.h>

#include "kvmhb.h"

#define KVMHB_BLOCKED_DEFAULT_NS	(120 * (u64)NSEC_PER_SEC)
#define KVMHB_BLOCKED_MIN_NS		((u64)NSEC_PER_SEC)
#define KVMHB_BLOCKED_MAX_NS		(86400 * (u64)NSEC_PER_SEC)

/* How often to look: so many times until a task has slept for too long. */
#define KVMHB_LOOKS			8
#define KVMHB_PERIOD_MIN_NS		((u64)NSEC_PER_SEC)

#define KVMHB_NR_SLEEPERS		32	/* that are remembered */
#define KVMHB_TASKS_AT_ONCE		256	/* that a look passes without a rest */
#define KVMHB_FILES_MAX			1024	/* of a task that are looked at */

/**
 * struct kvmhb_sleeper - a task that slept at all looks since it was noticed
 * @task: the task; we hold a reference
 * @switches: how often it has been scheduled away
 * @since_ns: when it was noticed, on the clock of the looks
 */
struct kvmhb_sleeper {
	struct task_struct *task;
	unsigned long switches;
	u64 since_ns;
};

/**
 * struct kvmhb_blocked - what one device knows of the tasks that sleep
 * @hb: the device
 * @thread: looks, and owns all that follows
 * @seen_ns: when it last looked, CLOCK_MONOTONIC
 * @run_ns: the clock of the looks
 * @freezes: kvmhb::user_freezes when it last looked
 * @nr: how many of @sleepers there are
 * @sleepers: tasks that sleep; if there are more, those that came first
 */
struct kvmhb_blocked {
	struct kvmhb *hb;
	struct task_struct *thread;
	u64 seen_ns;
	u64 run_ns;
	unsigned int freezes;
	unsigned int nr;
	struct kvmhb_sleeper sleepers[KVMHB_NR_SLEEPERS];
};

static unsigned long long blocked_ns = KVMHB_BLOCKED_DEFAULT_NS;

/* Woken when blocked_ns has changed. */
static DECLARE_WAIT_QUEUE_HEAD(kvmhb_blocked_wait);

static int kvmhb_blocked_set(const char *val, const struct kernel_param *kp)
{
	unsigned long long ns;
	int ret;

	ret = kstrtoull(val, 0, &ns);
	if (ret)
		return ret;
	if (ns && (ns < KVMHB_BLOCKED_MIN_NS || ns > KVMHB_BLOCKED_MAX_NS)) {
		pr_err("blocked_ns=%llu: it is 0 (off), or %llu (1 s) to %llu (a day)\n",
		       ns, KVMHB_BLOCKED_MIN_NS, KVMHB_BLOCKED_MAX_NS);
		return -ERANGE;
	}

	WRITE_ONCE(blocked_ns, ns);
	wake_up_all(&kvmhb_blocked_wait);
	return 0;
}

static const struct kernel_param_ops kvmhb_blocked_ops = {
	.set = kvmhb_blocked_set,
	.get = param_get_ullong,
};
module_param_cb(blocked_ns, &kvmhb_blocked_ops, &blocked_ns, 0644);
MODULE_PARM_DESC(blocked_ns, "how long a task may sleep uninterruptibly, ns: 1 s to a day, 0: any time (default: 120 s)");

/*
 * What khungtaskd would complain of in the end, but for sleeps in which a task
 * may be frozen: those of a thaw in newer kernels, and of a core dump in others.
 */
static bool kvmhb_sleeps(struct task_struct *task)
{
	unsigned int state = kvmhb_task_state(task);

	return state & TASK_UNINTERRUPTIBLE &&
	       !(state & (TASK_WAKEKILL | TASK_NOLOAD | TASK_FREEZABLE |
			  TASK_FROZEN));
}

static unsigned long kvmhb_switches(struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/*
 * While it is still being frozen, storage has yet to answer: whoever waits for
 * that then waits for storage.
 */
static bool kvmhb_is_frozen(const struct super_block *sb)
{
	return READ_ONCE(sb->s_writers.frozen) == SB_FREEZE_COMPLETE;
}

/* Mounts, and what is mounted, outlive by a grace period whoever had them. */
static bool kvmhb_path_is_frozen(const struct path *path)
{
	const struct vfsmount *mnt = READ_ONCE(path->mnt);

	return mnt && kvmhb_is_frozen(mnt->mnt_sb);
}

/* Files that are open stay so while nobody else has the lock. */
static bool kvmhb_files_are_frozen(struct files_struct *files)
{
	unsigned int nr, end;
	struct fdtable *fdt;
	struct file *file;
	bool frozen = false;

	spin_lock(&files->file_lock);
	fdt = files_fdtable(files);
	end = min_t(unsigned int, fdt->max_fds, KVMHB_FILES_MAX);
	for (nr = 0; nr < end && !frozen; nr++) {
		file = rcu_dereference_check_fdtable(files, fdt->fd[nr]);
		frozen = file && kvmhb_is_frozen(file_inode(file)->i_sb);
	}
	spin_unlock(&files->file_lock);
	return frozen;
}

/*
 * Whether a task may wait for a file system to be thawed. Nobody tells for what
 * it waits; where it is and what it has open must do.
 */
static bool kvmhb_awaits_thaw(struct task_struct *task)
{
	bool frozen = false;

	rcu_read_lock();
	task_lock(task);
	if (task->fs)
		frozen = kvmhb_path_is_frozen(&task->fs->root) ||
			 kvmhb_path_is_frozen(&task->fs->pwd);
	if (!frozen && task->files)
		frozen = kvmhb_files_are_frozen(task->files);
	task_unlock(task);
	rcu_read_unlock();
	return frozen;
}

/* Forgets whoever has been awake, and is told for how long the oldest slept. */
static u64 kvmhb_check_sleepers(struct kvmhb_blocked *blocked)
{
	unsigned int nr, kept = 0;
	u64 age_ns = 0;

	for (nr = 0; nr < blocked->nr; nr++) {
		struct kvmhb_sleeper *sleeper = &blocked->sleepers[nr];

		/* In this order: who was awake in between has been scheduled. */
		if (!kvmhb_sleeps(sleeper->task) ||
		    kvmhb_switches(sleeper->task) != sleeper->switches ||
		    kvmhb_awaits_thaw(sleeper->task)) {
			put_task_struct(sleeper->task);
			continue;
		}
		age_ns = max(age_ns, blocked->run_ns - sleeper->since_ns);
		blocked->sleepers[kept++] = *sleeper;
	}
	blocked->nr = kept;
	return age_ns;
}

static void kvmhb_forget_sleepers(struct kvmhb_blocked *blocked)
{
	while (blocked->nr)
		put_task_struct(blocked->sleepers[--blocked->nr].task);
}

static void kvmhb_notice(struct kvmhb_blocked *blocked,
			 struct task_struct *task)
{
	unsigned long switches = kvmhb_switches(task);
	unsigned int nr;

	/* One that has never run has not gone to sleep either. */
	if (!kvmhb_sleeps(task) || !switches || kvmhb_awaits_thaw(task))
		return;
	for (nr = 0; nr < blocked->nr; nr++)
		if (blocked->sleepers[nr].task == task)
			return;
	blocked->sleepers[blocked->nr++] = (struct kvmhb_sleeper) {
		.task = get_task_struct(task),
		.switches = switches,
		.since_ns = blocked->run_ns,
	};
}

/* Lets others run. Returns whether the walk can go on from where it is. */
static bool kvmhb_rest(struct task_struct *process, struct task_struct *thread)
{
	bool alive;

	get_task_struct(process);
	get_task_struct(thread);
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
	alive = pid_alive(process) && pid_alive(thread);
	put_task_struct(thread);
	put_task_struct(process);
	return alive;
}

/* Whom this look does not come by, because others ended, the next one will. */
static void kvmhb_find_sleepers(struct kvmhb_blocked *blocked)
{
	struct task_struct *process, *thread;
	unsigned int nr = 0;

	rcu_read_lock();
	for_each_process_thread(process, thread) {
		if (blocked->nr == KVMHB_NR_SLEEPERS)
			goto out;
		if (!(++nr % KVMHB_TASKS_AT_ONCE) &&
		    !kvmhb_rest(process, thread))
			goto out;
		kvmhb_notice(blocked, thread);
	}
out:
	rcu_read_unlock();
}

/* The age is of this look, and not of tasks that may have woken up since. */
static void kvmhb_blocked_say(struct kvmhb_blocked *blocked, u64 timeout_ns,
			      u64 age_ns)
{
	struct kvmhb *hb = blocked->hb;

	WRITE_ONCE(hb->blocked_age_ms,
		   min_t(u64, div_u64(age_ns, NSEC_PER_MSEC), U32_MAX));
	/*
	 * Release: a beat that finds which freezes we know of finds no age from
	 * before. Pairs with kvmhb_blocked_age_ms().
	 */
	smp_store_release(&hb->blocked_freezes, blocked->freezes);
	/* Likewise one that finds a new timeout; pairs with kvmhb_user_publish(). */
	smp_store_release(&hb->blocked_timeout_ms,
			  div_u64(timeout_ns, NSEC_PER_MSEC));
}

static void kvmhb_blocked_look(struct kvmhb_blocked *blocked, u64 period_ns,
			       u64 timeout_ns)
{
	unsigned int freezes = READ_ONCE(blocked->hb->user_freezes);
	u64 now_ns = ktime_get_ns();
	u64 age_ns;

	blocked->run_ns += min(now_ns - blocked->seen_ns, period_ns);
	blocked->seen_ns = now_ns;

	/* What slept while the kernel had userspace frozen begins anew. */
	if (freezes & 1 || freezes != blocked->freezes)
		kvmhb_forget_sleepers(blocked);
	blocked->freezes = freezes;

	age_ns = kvmhb_check_sleepers(blocked);
	if (!(freezes & 1))
		kvmhb_find_sleepers(blocked);
	kvmhb_blocked_say(blocked, timeout_ns, age_ns);
}

static int kvmhb_blocked_run(void *data)
{
	struct kvmhb_blocked *blocked = data;
	u64 timeout_ns, period_ns;
	long wait;

	while (!kthread_should_stop()) {
		timeout_ns = READ_ONCE(blocked_ns);
		period_ns = max(div_u64(timeout_ns, KVMHB_LOOKS),
				KVMHB_PERIOD_MIN_NS);
		if (timeout_ns) {
			kvmhb_blocked_look(blocked, period_ns, timeout_ns);
			wait = nsecs_to_jiffies(period_ns);
		} else {
			kvmhb_forget_sleepers(blocked);
			kvmhb_blocked_say(blocked, 0, 0);
			wait = MAX_SCHEDULE_TIMEOUT;
		}
		wait_event_interruptible_timeout(kvmhb_blocked_wait,
						 kthread_should_stop() ||
						 READ_ONCE(blocked_ns) != timeout_ns,
						 wait);
	}
	kvmhb_forget_sleepers(blocked);
	return 0;
}

static void kvmhb_blocked_exit(void *data)
{
	struct kvmhb_blocked *blocked = data;

	kthread_stop(blocked->thread);
}

static int kvmhb_blocked_start(struct kvmhb *hb)
{
	struct kvmhb_blocked *blocked;

	blocked = devm_kzalloc(hb->dev, sizeof(*blocked), GFP_KERNEL);
	if (!blocked)
		return -ENOMEM;

	blocked->hb = hb;
	blocked->thread = kthread_run(kvmhb_blocked_run, blocked,
				      "kvmhb-blocked");
	if (IS_ERR(blocked->thread))
		return PTR_ERR(blocked->thread);
	return devm_add_action_or_reset(hb->dev, kvmhb_blocked_exit, blocked);
}

/**
 * kvmhb_blocked_init() - look at the tasks from now on
 * @hb: the device, beating
 *
 * Undone when the driver lets go of the device, before the beats end. Nobody
 * looks if the host would not read what is found; if there is no memory for
 * that, the beats go on without.
 *
 * Context: Process context, may sleep.
 */
void kvmhb_blocked_init(struct kvmhb *hb)
{
	u32 features = readl(hb->regs + KVM_HEARTBEAT_REG_FEATURES);
	int ret;

	if (!(features & KVM_HEARTBEAT_FEATURE_BLOCKED))
		return;

	ret = kvmhb_blocked_start(hb);
	if (ret)
		dev_warn(hb->dev, "no look at blocked tasks (%pe)\n",
			 ERR_PTR(ret));
}
