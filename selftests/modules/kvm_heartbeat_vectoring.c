// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-heartbeat tests: KVM emulates again, on a host that QEMU emulates
 *
 * When an exit of SVM is over, QEMU leaves what it last delivered to the guest
 * in the VMCB's EXITINTINFO and only clears the bit that says it is valid. KVM
 * looks at the type alone, since it asks there at all (6.14): it takes the guest
 * for one that was interrupted while it got an exception, and every now and
 * then ends it with an internal error (suberror 3) at an access to a device.
 * As before 6.14, it shall emulate the instruction.
 *
 * Loads where kvm_amd is loaded. Nothing for a real CPU.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>

/* arch/x86/kvm/kvm_emulate.h, which is not among the kernel's headers */
#define X86EMUL_CONTINUE		0
#define X86EMUL_UNHANDLEABLE_VECTORING	7

static int vectoring_returned(struct kretprobe_instance *instance,
			      struct pt_regs *regs)
{
	if (regs_return_value(regs) == X86EMUL_UNHANDLEABLE_VECTORING)
		regs_set_return_value(regs, X86EMUL_CONTINUE);
	return 0;
}

static struct kretprobe vectoring_probe = {
	.kp.symbol_name = "svm_check_emulate_instruction",
	.handler = vectoring_returned,
	.maxactive = 64,
};

static int __init heartbeat_vectoring_init(void)
{
	return register_kretprobe(&vectoring_probe);
}
module_init(heartbeat_vectoring_init);

static void __exit heartbeat_vectoring_exit(void)
{
	unregister_kretprobe(&vectoring_probe);
}
module_exit(heartbeat_vectoring_exit);

MODULE_DESCRIPTION("Mends KVM's emulation on a host that QEMU emulates");
MODULE_AUTHOR("kvm-heartbeat authors");
MODULE_LICENSE("GPL");
