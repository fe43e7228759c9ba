/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each state and cause means, and what to do, in sentences. Documentation/causes.rst has
 * more: keep both in step. words.c does not compile if a word of host-module/words.h is missing.
 * A line is a word, its meaning, and what to do; what a state says is said before its cause.
 */
#ifndef HB_TEXTS_H
#define HB_TEXTS_H

#define STATE_DETACHED		"No VM uses the monitor.", ""
#define STATE_WAITING		"A VM uses the monitor, and its guest's driver has not armed.", ""
#define STATE_ALIVE		"The guest beats.", ""
#define STATE_DEGRADED		"The guest beats, but a part of it is dead.", ""
#define STATE_LATE		"A beat is overdue. That is no accusation.", ""
#define STATE_UNRESPONSIVE	"The guest is silent, though it had the time to beat.", ""
#define STATE_PAUSED		"None of the guest's vCPUs can run. It is innocent.", ""
#define STATE_STOPPED		"The guest said that it would fall silent.", ""
#define STATE_PANICKED		"The guest's kernel has crashed.", ""

#define CAUSE_NONE		"There is nothing to explain.", "Nothing."
#define CAUSE_HUNG \
	"Its CPUs execute and take no interrupts: the kernel loops with interrupts off, or is " \
	"deadlocked.", \
	"Find out where first: an NMI (virsh inject-nmi) makes Linux print that, virsh dump " \
	"--memory-only saves the memory. Then reset it (virsh reset)."
#define CAUSE_HALTED \
	"All its vCPUs have halted, and nothing wakes them: they halted with interrupts off, " \
	"lost their interrupts, or wait for a lock that nobody releases.", \
	"Find out where first: an NMI (virsh inject-nmi) ends a halt and makes Linux print where " \
	"it was. Then reset it (virsh reset)."
#define CAUSE_BEAT_LOST \
	"A kernel lives in there and takes interrupts, but the driver's timers do not run. Most " \
	"often it is a crash kernel that writes its dump.", \
	"Look at its console before you reset it."
#define CAUSE_KVM_ERROR \
	"KVM cannot run it any more: a fault of KVM, of its hardware, or of a vCPU's state.", \
	"Read the logs of the VMM and of the host. Then reset the guest, or end the VM."
#define CAUSE_PARTIAL \
	"Some of its CPUs serve no timer interrupts any more: stale_vcpus names them. Linux " \
	"seldom lives on for long.", \
	"Make the guest say where it is: echo l >/proc/sysrq-trigger in it, or virsh inject-nmi."
#define CAUSE_SOFTLOCKUP \
	"Some of its CPUs take interrupts but run no ordinary task: stale_vcpus names them. The " \
	"kernel loops, drowns in softirqs, or runs a real-time task that never sleeps.", \
	"In the guest: echo l >/proc/sysrq-trigger, and look for tasks of a real-time class."
#define CAUSE_USERSPACE \
	"The program that opened the guest's watchdog does not ping it any more. With systemd " \
	"that is process 1.", \
	"Look into the guest: what process 1 waits for, whether memory or disk is short."
#define CAUSE_PAUSED \
	"Somebody holds all of the VM: its VMM, a signal, the freezer or a debugger; or the host " \
	"goes to sleep.", \
	"Nothing, if somebody means it. Otherwise ask the VMM (virsh domstate --reason), and let " \
	"it go on (virsh resume, SIGCONT, cgroup.freeze)."
#define CAUSE_STARVED \
	"Its vCPUs wait for CPUs of the host. The guest is innocent.", \
	"Look at the host's load and at the cgroup's cpu.max, cpu.weight and cpu.pressure."
#define CAUSE_VMM_STUCK \
	"A vCPU waits for the VMM, which does not finish what the guest asked of it. The guest " \
	"is innocent.", \
	"Look at /proc/PID/stack of the VMM's threads, at whether it answers QMP, and at its storage."
#define CAUSE_HOST_BLOCKED \
	"A vCPU is kept in the host's kernel, nearly always for memory. The guest is innocent.", \
	"Look at /proc/PID/stack of its thread, at /proc/pressure/memory and /proc/pressure/io, " \
	"and at the host's log."
#define CAUSE_HOST_DEGRADED \
	"The host is late itself, or one of its CPUs does not answer. The guest is innocent.", \
	"Look at the host's log, at stolen time (/proc/stat), and at the other guests."
#define CAUSE_SHUTDOWN \
	"It said that it halts or powers off.", \
	"Nothing. If it lasts longer than its shutdown may take, look at its console."
#define CAUSE_REBOOT \
	"It said that it restarts.", \
	"Nothing. If it lasts longer than its boot may take, look at its console."
#define CAUSE_SUSPEND \
	"It said that it suspends or hibernates.", \
	"Nothing."
#define CAUSE_UNLOAD \
	"It said that its driver lets go of the device: the driver was unloaded, or the device " \
	"unplugged.", \
	"Nothing, if somebody meant it. Otherwise load the driver in the guest."
#define CAUSE_PANIC \
	"Its kernel panicked and said so; or it fell silent for good after an oops, or in its " \
	"crash kernel.", \
	"Read its console, or its dump. Then reset it, if it does not reset itself."
#define CAUSE_DUMPING \
	"Its crash kernel runs and writes the dump.", \
	"Wait until it is done. A reset now would lose the dump."
#define CAUSE_TRIPLE_FAULT \
	"One of its CPUs has shut down by a triple fault. Some guests restart like that on " \
	"purpose.", \
	"If it was no restart, read its console, and reset it if its VMM does not."
#define CAUSE_VMM_GONE \
	"The VMM closed the device or died, and the guest had not said that it would end.", \
	"If nobody ended the VM on purpose, read the logs of the VMM and of the host: QEMU may " \
	"have been killed or have crashed."
#define CAUSE_UNKNOWN \
	"The host sees no more than the silence. Without KVM it never does.", \
	"Look at the VMM."
#define CAUSE_MIGRATED \
	"The VM goes on elsewhere, or lies in a file. Its monitor there says how it is.", \
	"Nothing."
#define CAUSE_BLOCKED \
	"One of its tasks has slept in state D for too long: as a rule a disk or a network file " \
	"system does not answer.", \
	"Look at the guest's disks on the host. In the guest, echo w >/proc/sysrq-trigger prints " \
	"what its tasks wait for."
#define CAUSE_NO_BOOT \
	"Its driver has not armed by boot_timeout: firmware, boot loader or kernel got stuck, or " \
	"the system has no driver, or it boots more slowly than you thought.", \
	"Look at its console. If it lives, load the driver: that ends it. Otherwise reset it."
#define CAUSE_NO_SHUTDOWN \
	"It said that it ends, and has not by shutdown_timeout: it hangs on its way, or halted " \
	"and did not power off.", \
	"Look at its console, then end the VM."

/* Where a cause means something else in another state. */
#define PAIRS(pair) \
	pair("detached", "none", "No VM has used it yet.", "Start a VM with it.") \
	pair("waiting", "none", \
	     "It is in its firmware or boots, or it has no driver, or it was reset and does not " \
	     "come up. Nothing is judged.", \
	     "If it lasts, look at the guest's console, and at whether the driver is loaded.") \
	pair("alive", "none", "Nothing of it is stale.", "Nothing.") \
	pair("late", "none", \
	     "It may be jitter, a guest that is busy with interrupts off, or the beginning of " \
	     "an outage.", \
	     "Nothing. If it happens time and again, raise the interval.") \
	pair("late", "beat-lost", \
	     "The guest's timers run, but its writes to the doorbell do not arrive.", \
	     "Reload the guest's driver, and look at the VMM.") \
	pair("late", "paused", \
	     "Some of its vCPUs are held by a signal, the freezer or a debugger, and others are " \
	     "not. The guest is innocent.", \
	     "Let them go on: SIGCONT, or echo 0 to cgroup.freeze of all of the VMM's threads.") \

#endif /* HB_TEXTS_H */
