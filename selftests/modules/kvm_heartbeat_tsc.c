// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat tests: let KVM load on a real-time kernel under emulation
 *
 * On PREEMPT_RT, KVM wants a TSC of constant rate. QEMU's emulation has one, as it is a
 * clock of the machine that QEMU runs on, but no CPUID bit says so. This sets the
 * kernel's flag, and has to be loaded before KVM. What the kernel itself keeps time by
 * was decided long before.
 */
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>

static int __init heartbeat_tsc_init(void)
{
	/* Of a real CPU it may be wrong. */
	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return -ENODEV;
	set_cpu_cap(&boot_cpu_data, X86_FEATURE_CONSTANT_TSC);
	return 0;
}
module_init(heartbeat_tsc_init);

static void __exit heartbeat_tsc_exit(void)
{
}
module_exit(heartbeat_tsc_exit);

MODULE_DESCRIPTION("Says that the TSC has a constant rate, to test kvm-heartbeat");
MODULE_AUTHOR("kvm-heartbeat authors");
MODULE_LICENSE("GPL");
