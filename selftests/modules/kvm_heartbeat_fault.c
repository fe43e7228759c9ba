// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat tests: hang the kernel this runs in, on purpose
 *
 * In /sys/module/kvm_heartbeat_fault/parameters, all written by root only:
 *
 *   freeze_ms  1 to 600000. Every CPU sits with interrupts off for so many
 *              milliseconds, then all go on. The write returns after that.
 *   spin       "all" or a list of online CPUs ("0,2-3"). These CPUs turn
 *              interrupts off and loop, for ever or for last_ms.
 *   halt       likewise, but they execute HLT, until an NMI comes to the CPU
 *              ("apic_extnmi=all" lets those of the VMM come to all of them).
 *   last_ms    0 to 600000, 0 at first. How long a spin lasts that is begun
 *              later: so many milliseconds, not for ever.
 *   block_ms   0 to 600000. A task sleeps uninterruptibly for so many
 *              milliseconds, as one that waits for a disk which does not
 *              answer, or until something is written here again. The write
 *              returns at once; 0 only ends what goes on.
 *
 *   oops       1. A thread of its own meets a fault of the kernel, which kills
 *              it, or the kernel too (panic_on_oops). The write returns at
 *              once.
 *
 * A write to spin or halt returns when that is over on the CPU that it happens
 * to run on, if that is in the list: pin the writer to a CPU that is to live.
 * It does not wait until the others have stopped. Whatever else is written is
 * refused (EINVAL, ERANGE) and has no effect.
 *
 * After spin, halt or oops the module can't be unloaded: CPUs are executing it,
 * or have died in it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <asm/nmi.h>
#include <linux/compiler.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define FAULT_FREEZE_MAX_MS	600000

/* Runs on every CPU at once, interrupts off. */
static int fault_freeze(void *data)
{
	const unsigned int ms = *(const unsigned int *)data;
	const ktime_t end = ktime_add_ms(ktime_get(), ms);
	unsigned int i;

	/*
	 * The clock, since a delay overshoots whenever the host takes the CPU
	 * away; but not the clock alone, since some stand still or wrap while
	 * no interrupt is served.
	 */
	for (i = 0; i < ms && ktime_before(ktime_get(), end); i++)
		mdelay(1);
	return 0;
}

static int fault_freeze_set(const char *val, const struct kernel_param *kp)
{
	unsigned int ms;
	int ret;

	ret = kstrtouint(val, 0, &ms);
	if (ret)
		return ret;
	if (!ms || ms > FAULT_FREEZE_MAX_MS)
		return -ERANGE;

	pr_info("freezing all CPUs for %u ms\n", ms);
	return stop_machine(fault_freeze, &ms, cpu_online_mask);
}

static const struct kernel_param_ops fault_freeze_ops = {
	.set = fault_freeze_set,
};

static unsigned int last_ms;

/* Not cpu_relax(): hypervisors notice PAUSE in a loop and may step in. */
static void fault_spin(void *unused)
{
	ktime_t end = last_ms ? ktime_add_ms(ktime_get(), last_ms) : KTIME_MAX;
	unsigned long flags;

	local_irq_save(flags);
	while (ktime_before(ktime_get(), end))
		barrier();
	local_irq_restore(flags);
}

static DEFINE_PER_CPU(bool, fault_halted);

static void fault_halt(void *unused)
{
	unsigned long flags;

	local_irq_save(flags);
	this_cpu_write(fault_halted, true);
	while (this_cpu_read(fault_halted))
		asm volatile("hlt" : : : "memory");
	local_irq_restore(flags);
}

static int fault_nmi(unsigned int type, struct pt_regs *regs)
{
	/* All NMIs are ours while there is no other source of them. */
	this_cpu_write(fault_halted, false);
	return NMI_HANDLED;
}

static int fault_parse_cpus(const char *val, struct cpumask *cpus)
{
	int ret;

	if (sysfs_streq(val, "all")) {
		cpumask_copy(cpus, cpu_online_mask);
		return 0;
	}

	ret = cpulist_parse(val, cpus);
	if (ret)
		return ret;
	if (cpumask_empty(cpus) || !cpumask_subset(cpus, cpu_online_mask))
		return -EINVAL;
	return 0;
}

static int fault_last_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, FAULT_FREEZE_MAX_MS);
}

static const struct kernel_param_ops fault_last_ops = {
	.set = fault_last_set,
};

/* May not return, see above. */
static int fault_stop_cpus(const char *val, smp_call_func_t stop,
			   const char *what)
{
	cpumask_var_t cpus;
	int ret;

	if (!zalloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;

	cpus_read_lock();
	ret = fault_parse_cpus(val, cpus);
	if (!ret) {
		pr_info("%s on CPU %*pbl\n", what, cpumask_pr_args(cpus));
		__module_get(THIS_MODULE);	/* never put */
		on_each_cpu_mask(cpus, stop, NULL, false);
	}
	cpus_read_unlock();

	free_cpumask_var(cpus);
	return ret;
}

static int fault_spin_set(const char *val, const struct kernel_param *kp)
{
	return fault_stop_cpus(val, fault_spin, "spinning");
}

static const struct kernel_param_ops fault_spin_ops = {
	.set = fault_spin_set,
};

static int fault_halt_set(const char *val, const struct kernel_param *kp)
{
	return fault_stop_cpus(val, fault_halt, "halting");
}

static const struct kernel_param_ops fault_halt_ops = {
	.set = fault_halt_set,
};

/* Changed with the lock held that the kernel takes for parameters. */
static unsigned int block_ms;
static DECLARE_WAIT_QUEUE_HEAD(fault_unblock);

static void fault_block(struct work_struct *work)
{
	unsigned long timeout = msecs_to_jiffies(READ_ONCE(block_ms));

	wait_event_timeout(fault_unblock, !READ_ONCE(block_ms), timeout);
}

static DECLARE_WORK(fault_block_work, fault_block);

static void fault_block_end(void)
{
	WRITE_ONCE(block_ms, 0);
	wake_up_all(&fault_unblock);
	cancel_work_sync(&fault_block_work);
}

static int fault_block_set(const char *val, const struct kernel_param *kp)
{
	unsigned int ms;
	int ret;

	ret = kstrtouint(val, 0, &ms);
	if (ret)
		return ret;
	if (ms > FAULT_FREEZE_MAX_MS)
		return -ERANGE;

	fault_block_end();
	if (!ms)
		return 0;
	pr_info("blocking a task for %u ms\n", ms);
	WRITE_ONCE(block_ms, ms);
	queue_work(system_unbound_wq, &fault_block_work);
	return 0;
}

static const struct kernel_param_ops fault_block_ops = {
	.set = fault_block_set,
};

static int fault_oops(void *unused)
{
	asm volatile("movl $0, 0" : : : "memory");
	return 0;
}

static int fault_oops_set(const char *val, const struct kernel_param *kp)
{
	struct task_struct *task;

	if (!sysfs_streq(val, "1"))
		return -EINVAL;
	__module_get(THIS_MODULE);	/* never put */
	task = kthread_run(fault_oops, NULL, "fault_oops");
	return PTR_ERR_OR_ZERO(task);
}

static const struct kernel_param_ops fault_oops_ops = {
	.set = fault_oops_set,
};

static int __init fault_init(void)
{
	return register_nmi_handler(NMI_LOCAL, fault_nmi, 0, KBUILD_MODNAME);
}
module_init(fault_init);

static void __exit fault_exit(void)
{
	fault_block_end();
	unregister_nmi_handler(NMI_LOCAL, KBUILD_MODNAME);
}
module_exit(fault_exit);

module_param_cb(last_ms, &fault_last_ops, &last_ms, 0200);
MODULE_PARM_DESC(last_ms, "how long spin and halt last, ms; 0 for ever");
module_param_cb(block_ms, &fault_block_ops, NULL, 0200);
MODULE_PARM_DESC(block_ms, "block a task for up to 600000 ms; 0 ends that");
module_param_cb(oops, &fault_oops_ops, NULL, 0200);
MODULE_PARM_DESC(oops, "have a thread meet a fault of the kernel: 1");
module_param_cb(freeze_ms, &fault_freeze_ops, NULL, 0200);
MODULE_PARM_DESC(freeze_ms, "freeze all CPUs for 1 to 600000 ms");
module_param_cb(spin, &fault_spin_ops, NULL, 0200);
MODULE_PARM_DESC(spin, "CPUs to loop with interrupts off: a list or \"all\"");
module_param_cb(halt, &fault_halt_ops, NULL, 0200);
MODULE_PARM_DESC(halt, "CPUs to halt with interrupts off: a list or \"all\"");

MODULE_DESCRIPTION("Hangs the kernel on purpose, to test kvm-heartbeat");
MODULE_AUTHOR("kvm-heartbeat authors");
MODULE_LICENSE("GPL");
