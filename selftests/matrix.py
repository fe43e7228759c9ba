#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Every cause on a real guest, guilty and innocent. Runs inside the rig's host; prints TAP.

    matrix.py [ROUNDS] [200ms | 2s] [SCENARIO...]

Each scenario is run once a round at each of two timings, or at the one that is named, and has one TAP line. It is judged
by the whole history of states and causes, from the trace: what must be in it, in this order, and nothing else.
That a beat is late is no accusation, nor is what the host then says of itself, and on emulation no wonder: where
that (MERE) is not what a scenario is about, it is left out. In the end there is a table of confusion: what each
scenario was taken for.
"""

import collections
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from hb import MS, SEC, TOP, Gdb, GuestError, Timeout, kernels, read, save, write
from run import (BLOCKED, DRIVER, FAULT, FAULT_KO, GUEST_KO, PARAMETERS, Run, briefly, expect, expect_in, modules,
                 test_kexec, test_reboot)

TIMINGS = {"200ms": 200 * MS, "2s": 2 * SEC}   # the interval; the timeout is twice as long
MERE = ["late"] + [f"late:{cause}" for cause in ("starved", "paused", "vmm-stuck", "host-blocked", "host-degraded")]
STARVED = ["late", "late:starved", "late:host-degraded"]   # what may be said where it is starved, and nothing else
FAULT_HOST_KO = f"{TOP}/build/{os.uname().release}/src/selftests/modules/kvm_heartbeat_fault.ko"
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207   # linux/ptrace.h
WALL = 0x40000000
CGROUP = "/sys/fs/cgroup"
UNBOUND = "/sys/devices/virtual/workqueue/cpumask"
WATCHDOG = "/dev/watchdog0"

SCENARIOS = {}


def scenario(*told, or_told=None, mere=None):
    """Make a function a scenario, from which such a story is to follow, or the other one; and what else is mere in it."""
    def add(function):
        SCENARIOS[function.__name__] = function, [list(told)] + ([or_told] if or_told is not None else []), mere or MERE
        return function
    return add


def story(history, name=None):
    """A history as it is told: of a guest that was alive at first, without what is not a scenario's affair. A host that
    was in trouble has forgiven what it saw before; if it sees the same again, that is told once."""
    told = ["alive"]
    mere = SCENARIOS[name][2] if name else MERE
    forgiven = None
    for state in history:
        if state in mere and not (name and state in SCENARIOS[name][1][0]):
            if state == "late:host-degraded":
                forgiven = told[-1]
        elif state != told[-1]:
            if told[-1] == "alive" and state == forgiven:
                told.pop()
            else:
                told.append(state)
            if state != "alive":
                forgiven = None
    return told[1:]


def threads(run):
    """The VMM's threads."""
    return [int(tid) for tid in os.listdir(f"/proc/{run.guest.pid}/task")]


class Stage(Run):
    """The VM and its monitor, and what scenarios do with them."""

    def __init__(self):
        super().__init__(kexec=True, append="panic=0 reboot=t apic_extnmi=all",
                         files={f"/bin/{name}": f"{TOP}/build/bin/{name}" for name in ("poke", "hog")} |
                         modules(kernels()[0], "loop", "ext4", "virtio_blk"))
        self.interval_ns = 2 * SEC

    def begin(self):
        """A guest that beats by the interval of the moment."""
        self.start()
        self.load()

    def restart(self, **options):
        """Kill the VM, whatever it is doing, and begin anew."""
        self.guest.kill()
        self.guest.wait_exit()
        self.guest.close()
        self.start(**options)
        self.load()

    def load(self):
        super().load()
        self.guest.run(f"[ -d {FAULT} ] || insmod {FAULT_KO}")

    def tune(self, interval_ns):
        """Go on by another interval; beats by the old one are over when it returns."""
        self.interval_ns = interval_ns
        since = self.monitor.mark()
        self.monitor.set("interval_ns", interval_ns)
        self.monitor.wait_beats(4, since=since)

    def timeouts(self, count):
        """So many timeouts, in ms."""
        return count * 2 * self.interval_ns // MS

    def wait(self, ms):
        """Let time pass in which nothing is to happen."""
        self.guest.run(f"sleep {ms / 1000}")

    def fault(self, name, value, ms=0, before="true"):
        """Have the guest's fault module do something, for so long if it is to end by itself."""
        self.guest.run(f"echo {ms} > {FAULT}/last_ms")
        # Pinned where it will live, if that is to be.
        return self.guest.send(f"{before} && taskset 1 sh -c 'echo {value} > {FAULT}/{name}'")

    def outage(self, since, cause):
        """Wait until the guest is accused, and look how."""
        state = self.monitor.wait_state("unresponsive", since)
        if cause != "beat-lost":
            expect_in(state.run_ns, 2 * self.interval_ns, 60 * SEC, "time on the run clock")
        return self.monitor.wait_state("unresponsive", since, cause=cause)


# Guilty

@scenario("unresponsive:hung", "alive")
def all_cpus_spin(stage, since):
    """All CPUs spin with interrupts off"""
    stage.fault("spin", "all", stage.timeouts(4))
    stage.outage(since, "hung")


@scenario("degraded:partial", "alive")
def one_cpu_spins(stage, since):
    """One of two CPUs spins with interrupts off"""
    # After 21 s of it the other one would print, interrupts off, that RCU is stalled, and be the next to be stale.
    stage.fault("spin", "1", min(stage.timeouts(6), 16000))
    stage.monitor.wait_state("degraded", since, cause="partial")
    expect(stage.monitor.get("stale_vcpus"), "1")


@scenario("unresponsive:halted", "alive")
def all_cpus_halt(stage, since):
    """All CPUs halt with interrupts off"""
    stage.fault("halt", "all")
    stage.outage(since, "halted")
    stage.guest.qmp("inject-nmi")


@scenario("degraded:partial", "alive")
def one_cpu_halts(stage, since):
    """One of two CPUs halts with interrupts off"""
    stage.fault("halt", "1")
    stage.monitor.wait_state("degraded", since, cause="partial")
    expect(stage.monitor.get("stale_vcpus"), "1")
    stage.guest.qmp("inject-nmi")


@scenario("detached:vmm-gone", "waiting", "alive", "degraded:partial", "alive", "degraded:partial", "alive",
          "unresponsive:halted", "alive")
def sparse_cpu(stage, since):
    """A CPU that is plugged in with a gap in the numbers stops as any other, and is unplugged again"""
    stage.restart(cpus="2,maxcpus=6")
    slots = stage.guest.qmp("query-hotpluggable-cpus")
    last = max((slot for slot in slots if "qom-path" not in slot), key=lambda slot: slot["props"]["core-id"])
    stage.guest.qmp("device_add", driver=last["type"], id="last", **last["props"])
    online = "/sys/devices/system/cpu/cpu5/online"
    stage.guest.run(f"until [ -e {online} ]; do sleep 0.1; done; echo 1 > {online}")
    # All slots are looked at once in so many looks, and there may be two between two beats, or one in none.
    stage.monitor.wait_beats(36)
    for fault in "spin", "halt":
        mark = stage.monitor.mark()
        stage.fault(fault, "5", min(stage.timeouts(6), 16000))
        stage.monitor.wait_state("degraded", mark, cause="partial")
        expect(stage.monitor.get("stale_vcpus"), "5")
        if fault == "halt":
            stage.guest.qmp("inject-nmi")
        stage.monitor.wait_state("alive", mark)

    stage.guest.qmp("device_del", id="last")
    stage.guest.qmp_event("DEVICE_DELETED")
    stage.monitor.wait_beats(4)
    # KVM keeps the vCPU of a CPU that is gone.
    mark = stage.monitor.mark()
    stage.fault("halt", "all")
    stage.outage(mark, "halted")
    stage.guest.qmp("inject-nmi")


@scenario("degraded:partial", "alive")
def retuned_with_dead_cpu(stage, since):
    """One of two CPUs spins with interrupts off while the interval is changed, and the other one lives on"""
    stage.fault("spin", "1", 16000)
    stage.monitor.wait_state("degraded", since, cause="partial")
    mark = stage.monitor.mark()
    stage.monitor.set("interval_ns", stage.interval_ns * 9 // 10)
    stage.monitor.wait_beats(2, since=mark)
    stage.guest.run("taskset 1 true")
    before = stage.monitor.mark()
    told = story(["degraded:partial"] + stage.monitor.history(mark))
    if told == ["degraded:partial"]:
        stage.monitor.wait_state("alive", before)
    else:
        expect(told, ["degraded:partial", "alive"], "what was seen while the interval was changed")
    stage.tune(stage.interval_ns)


@scenario("degraded:softlockup", "alive")
def scheduler_dead(stage, since):
    """A real-time task on every CPU, interrupts live"""
    # However short the timeout: an age below 2 s says nothing.
    hog = stage.guest.send(f"hog {stage.timeouts(4) // 1000 + 5}")
    stage.monitor.wait_state("degraded", since, cause="softlockup")
    hog.wait()


@scenario("degraded:blocked", "alive")
def blocked_io(stage, since):
    """A task of the guest waits for its disk for too long"""
    stage.guest.run(f"echo {2 * SEC} > {BLOCKED} && echo 600000 > {FAULT}/block_ms")
    stage.monitor.wait_state("degraded", since, cause="blocked")
    expect(stage.monitor.get("stale_vcpus"), "")
    mark = stage.monitor.mark()
    stage.guest.run(f"echo 0 > {FAULT}/block_ms")
    stage.monitor.wait_state("alive", mark)
    stage.guest.run(f"echo {120 * SEC} > {BLOCKED}")


@scenario("degraded:userspace", "alive")
def userspace_frozen(stage, since):
    """Userspace is frozen, and with it the daemon that feeds the watchdog"""
    stage.guest.run(f"watchdog -T 2 -t 1 {WATCHDOG}")
    stage.wait(3000)
    expect(story(stage.monitor.history(since)), [], "while the watchdog is fed")
    stage.guest.run("killall -STOP watchdog")
    stage.monitor.wait_state("degraded", since, cause="userspace")
    expect(stage.monitor.get("stale_vcpus"), "")
    mark = stage.monitor.mark()
    stage.guest.run("killall -CONT watchdog")
    stage.monitor.wait_state("alive", mark)
    stage.guest.run("killall watchdog")


@scenario("stopped:unload", "alive", "unresponsive:beat-lost", "stopped:unload", "alive")
def beats_lost(stage, since):
    """The guest lives, but its driver's timers are lost"""
    # Not idle: between the timers of a guest that is, and has no beats either, there is as little as after its death.
    stage.guest.run("(while :; do :; done) & echo $! > /tmp/busy")
    stage.guest.run("rmmod kvm_heartbeat_guest && poke lifecycle 1")
    stage.outage(since, "beat-lost")
    stage.guest.run("kill $(cat /tmp/busy); poke lifecycle 5")
    stage.load()


@scenario("stopped:unload", "alive", "unresponsive:halted", "unresponsive:beat-lost", "stopped:unload", "alive")
def halted_then_alive(stage, since):
    """A guest that has halted goes on, but without beats, as a crash kernel would"""
    stage.guest.run("(while :; do :; done) & echo $! > /tmp/busy")
    # All at once: for as long as it lives in between, its beats are lost.
    stage.guest.run("rmmod kvm_heartbeat_guest")
    stage.fault("halt", "all", before="poke lifecycle 1")
    stage.outage(since, "halted")
    mark = stage.monitor.mark()
    stage.guest.qmp("inject-nmi")
    stage.monitor.wait_state("unresponsive", mark, cause="beat-lost")
    stage.guest.run("kill $(cat /tmp/busy); poke lifecycle 5")
    stage.load()


@scenario("panicked:panic", "waiting", "alive")
def panic(stage, since):
    """The guest's kernel panics"""
    # To print an oops there would take longer than a timeout, with interrupts off.
    stage.guest.run("echo N > /sys/class/tty/ttyS0/console")
    stage.guest.send("echo c > /proc/sysrq-trigger")
    stage.monitor.wait_state("panicked", since)
    stage.guest.qmp("system_reset")
    stage.monitor.wait_state("waiting", since)
    stage.wait_boot()
    stage.load()


def restart_with_crash_kernel(stage, append="", **options):
    """A guest that has loaded its crash kernel, and does not print what it has to say of its end."""
    stage.restart(memory="768M", append=f"{stage.options['append']} crashkernel=256M {append}", **options)
    stage.monitor.set("timeout_ns", 60 * SEC)   # as for any kexec
    stage.guest.run("kexec -p /boot/vmlinuz /boot/initrd && echo N > /sys/class/tty/ttyS0/console")
    stage.monitor.set("timeout_ns", 0)
    stage.monitor.wait_beats(2)


def load_in_crash_kernel(stage):
    """Load the driver there: it does not arm, but says what it is."""
    mark = stage.monitor.mark()
    stage.guest.run(f"insmod {GUEST_KO}")
    stage.monitor.wait_state("panicked", mark, cause="dumping")


# Until it restarts it does not beat: for how long is not what this is about.
@scenario("detached:vmm-gone", "waiting", "alive", "unresponsive:beat-lost", "panicked:dumping", "waiting", "alive",
          mere=MERE + ["unresponsive:hung", "unresponsive:halted", "unresponsive:unknown", "panicked:panic"])
def crash_kernel(stage, since):
    """The guest panics and enters its crash kernel, without a word: at last it is said that a kernel lives in there"""
    restart_with_crash_kernel(stage)
    mark = stage.monitor.mark()
    stage.guest.send("taskset 1 sh -c 'echo c > /proc/sysrq-trigger'")
    stage.wait_boot()
    stage.monitor.wait_state("unresponsive", mark, cause="beat-lost")
    # It may idle for long, and is nothing else by that.
    stage.wait(12000)
    expect((stage.monitor.get("state"), stage.monitor.get("cause")), ("unresponsive", "beat-lost"))
    load_in_crash_kernel(stage)
    dumps = stage.monitor.mark()
    stage.monitor.wait_beats(4)
    expect(stage.monitor.history(dumps), [], "while it beats")
    stage.guest.send("reboot -f")
    stage.monitor.wait_state("waiting", mark)
    stage.wait_boot()
    stage.load()


@scenario("detached:vmm-gone", "waiting", "alive", "panicked:panic", "waiting", "alive")
def oops(stage, since):
    """An oops starts the crash kernel, which has no driver: the silence after it is a panic"""
    restart_with_crash_kernel(stage)
    mark = stage.monitor.mark()
    stage.guest.send(f"echo 1 > /proc/sys/kernel/panic_on_oops; echo 1 > {FAULT}/oops")
    stage.monitor.wait_state("panicked", mark, cause="panic")
    stage.wait_boot()
    stage.guest.send("reboot -f")
    stage.monitor.wait_state("waiting", mark)
    stage.wait_boot()
    stage.load()


@scenario("unresponsive:hung", "alive")
def oops_survived(stage, since):
    """The guest survives an oops, and hangs for another reason"""
    stage.guest.run(f"echo N > /sys/class/tty/ttyS0/console; echo 1 > {FAULT}/oops")
    stage.monitor.wait_beats(4)
    expect(stage.monitor.history(since), [])
    # Others complain of what they find in there.
    expect("NULL pointer dereference" in stage.guest.run("dmesg -c"), True, "an oops")
    stage.fault("spin", "all", stage.timeouts(4))
    stage.outage(since, "hung")


def elf_segments(path):
    """The segments of a core, as readelf reads it: how many have memory, and how much in all."""
    shown = subprocess.run(["readelf", "--wide", "--segments", "--notes", path], check=True, capture_output=True,
                           text=True)
    expect(shown.stderr, "", "readelf's warnings")
    expect("VMCOREINFO" in shown.stdout, True, "the kernel's notes")
    sizes = [int(line.split()[4], 0) for line in shown.stdout.splitlines() if line.split()[:1] == ["LOAD"]]
    return len(sizes), sum(sizes)


@scenario("detached:vmm-gone", "waiting", "alive", "panicked:panic", "panicked:dumping", "panicked:panic",
          "detached:panic", "waiting", "alive")
def long_dump(stage, since):
    """The guest panics, and its crash kernel writes the dump for longer than anybody waits: it is killed only after that"""
    with tempfile.NamedTemporaryFile() as core:
        core.truncate(1 << 30)
        restart_with_crash_kernel(stage, "crash_kexec_post_notifiers", args=[
            "-drive", f"file={core.name},format=raw,if=none,id=core,cache=unsafe",
            "-device", "virtio-blk-pci,drive=core"])
        # At first it waits for its crash kernel.
        with Reactions(stage, on_panicked="kill", action_delay_ns=3600 * SEC) as reactions:
            mark = stage.monitor.mark()
            stage.guest.send("taskset 1 sh -c 'echo c > /proc/sysrq-trigger'")
            stage.monitor.wait_state("panicked", mark, cause="panic")
            stage.wait_boot()
            load_in_crash_kernel(stage)
            stage.monitor.set("action_delay_ns", SEC)
            begun = time.monotonic()
            stage.guest.run("for module in /modules-later/*virtio_blk*; do insmod $module; done; "
                            "cp /proc/vmcore /dev/vda; sync")
            stage.monitor.wait_beats(2)
            expect_in(time.monotonic() - begun, 1, 3600, "seconds for the dump, which is to be killed after one")
            expect((stage.monitor.get("state"), stage.monitor.get("cause")), ("panicked", "dumping"))
            reactions.expect()
            segments, size = elf_segments(core.name)
            expect_in(segments, 1, 64, "segments of the dump")
            expect_in(size, 400 << 20, 768 << 20, "its size")
            stage.guest.send("rmmod kvm_heartbeat_guest")
            stage.guest.wait_exit()
            stage.monitor.wait_state("detached", mark, cause="panic")
            reactions.expect(("kill", "done"))
    stage.guest.close()
    stage.start()
    stage.load()


@scenario("panicked:triple-fault", "waiting", "alive")
def triple_fault(stage, since):
    """A triple fault resets the guest"""
    stage.guest.send("echo b > /proc/sysrq-trigger")
    stage.monitor.wait_state("waiting", since)
    stage.wait_boot()
    stage.load()


@scenario("detached:vmm-gone", "waiting", "alive")
def vmm_killed(stage, since):
    """The VMM is killed"""
    stage.restart()


@scenario("detached:vmm-gone", "waiting", "alive", mere=STARVED)
def vmm_dies_slowly(stage, since):
    """The VMM is killed, and takes three timeouts to die"""
    stage.guest.run("dd if=/dev/zero of=/tmp/fill bs=1M count=80 2>/dev/null")
    stage.monitor.wait_beats(1)
    group = Group(stage)
    group.set("cpu.max", "1000 1000000")
    stage.guest.kill()
    time.sleep(stage.timeouts(3) / 1000)
    expect(story(stage.monitor.history(since), "vmm_dies_slowly"), [], "while it dies")
    expect(stage.monitor.get("state") in ("alive", "late"), True, "not dead yet")
    group.set("cpu.max", "max")
    stage.monitor.wait_state("detached", since)
    stage.restart()
    group.remove()


@contextlib.contextmanager
def deadline(stage, name, ns):
    """The guest has to boot, or to end, in so much time."""
    stage.monitor.set(name, ns)
    try:
        yield
    finally:
        stage.monitor.set(name, 0)


@scenario("detached:vmm-gone", "waiting", "unresponsive:no-boot", "alive")
def no_boot(stage, since):
    """A guest boots, and its driver is not loaded until it is overdue"""
    stage.guest.kill()
    stage.guest.wait_exit()
    stage.guest.close()
    with deadline(stage, "boot_timeout_ns", 10 * SEC):
        stage.start()
        state = stage.monitor.wait_state("unresponsive", since, cause="no-boot")
        expect_in(state.run_ns, 10 * SEC, 60 * SEC, "time on the run clock")
        # Its vCPUs were there to be looked at.
        expect("vcpu=1" in stage.monitor.get("evidence"), True, "evidence of both vCPUs")
        expect(stage.monitor.number("missed"), 0, "missed beats")
    stage.load()


@scenario("stopped:unload", "stopped:shutdown", "unresponsive:no-shutdown", "alive")
def no_shutdown(stage, since):
    """A guest says that it powers off, and lives on"""
    with deadline(stage, "shutdown_timeout_ns", 5 * SEC):
        stage.guest.run("rmmod kvm_heartbeat_guest && poke lifecycle 2")
        state = stage.monitor.wait_state("unresponsive", since, cause="no-shutdown")
        expect_in(state.run_ns, 5 * SEC, 60 * SEC, "time on the run clock")
    stage.load()


# Guilty, and something is done about it

class Reactions:
    """What a monitor does until the scenario is over."""

    FORGET = {"on_unresponsive": "none", "on_panicked": "none", "action_delay_ns": 10 * SEC, "actions_max": 32,
              "actions_window_ns": SEC, "mute_ns": 0}

    def __init__(self, stage, **settings):
        self.monitor = stage.monitor
        self.before = self.actions()
        self.since = self.monitor.mark()
        self.set(**settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.set(**self.FORGET)

    def set(self, **settings):
        for name, value in (self.FORGET | settings).items():
            self.monitor.set(name, value)

    def actions(self):
        return self.monitor.number("actions")

    def expect(self, *results):
        """What was done since, as the trace has it: (step, result) of each."""
        self.monitor.mark()
        seen = [(event.step, event.result) for event in self.monitor.events[self.since:] if event.name == "action"]
        expect(seen, list(results), "actions")
        expect(self.actions() - self.before, len([1 for _, result in results if result != "limited"]), "their number")


def stacks(stage):
    """How often the guest was asked to print the stacks of its CPUs, as far as it did."""
    return stage.guest.run("dmesg").count("asks for the stacks of all CPUs")


@scenario("unresponsive:hung", "alive", "unresponsive:hung", "alive")
def react_limited(stage, since):
    """All CPUs spin, twice, where one action is the limit"""
    # Those of other scenarios count as well.
    window = 240
    before = [event.time for event in stage.monitor.events if event.name == "action" and event.result != "limited"]
    if before:
        time.sleep(max(0, before[-1] + window - time.monotonic()))
    with Reactions(stage, on_unresponsive="backtrace", actions_max=1, actions_window_ns=window * SEC) as reactions:
        for _ in range(2):
            mark = stage.monitor.mark()
            stage.fault("spin", "all", stage.timeouts(4))
            stage.monitor.wait_state("alive", stage.monitor.events.index(stage.outage(mark, "hung")))
            stage.monitor.wait_beats(2)
        reactions.expect(("backtrace", "asked"), ("backtrace", "limited"))


@scenario("unresponsive:hung", "waiting", "alive")
def react_pause(stage, since):
    """All CPUs spin, and the VM is stopped to be looked at"""
    with Reactions(stage, on_unresponsive="pause") as reactions:
        stage.guest.forget_events("STOP")
        stage.fault("spin", "all")
        stage.monitor.wait_event("action", since, step="pause", cause="hung", result="done")
        stage.guest.qmp_event("STOP")
        expect(stage.guest.qmp("query-status")["status"], "internal-error")
        stage.guest.qmp("system_reset")
        stage.guest.qmp("cont")
        stage.wait_boot()
        reactions.expect(("pause", "done"))
    stage.load()


@scenario("unresponsive:halted", "detached:vmm-gone", "waiting", "alive")
def react_kill(stage, since):
    """All CPUs halt for good: the stacks are asked for in vain, and then the VMM is killed"""
    with Reactions(stage, on_unresponsive="backtrace kill", action_delay_ns=2 * SEC) as reactions:
        stage.fault("halt", "all")
        stage.outage(since, "halted")
        stage.guest.wait_exit()
        stage.monitor.wait_state("detached", since)
        reactions.expect(("backtrace", "asked"), ("kill", "done"))
        asked, killed = [event for event in stage.monitor.events[since:] if event.name == "action"]
        expect_in(killed.time - asked.time, 2, 600, "seconds for a sign of life")
    stage.guest.close()
    stage.start()
    stage.load()


@scenario("unresponsive:hung", "alive")
def react_in_time(stage, since):
    """All CPUs spin, and go on before the VMM would have been killed: they print their stacks, and live"""
    before = stacks(stage)
    if before:
        stage.wait(10000)   # it does not do so more often
    with Reactions(stage, on_unresponsive="backtrace kill", action_delay_ns=3600 * SEC) as reactions:
        stage.fault("spin", "all", stage.timeouts(4))
        stage.monitor.wait_state("alive", stage.monitor.events.index(stage.outage(since, "hung")))
        stage.monitor.wait_beats(2)
        expect(stacks(stage), before + 1, "stacks")
        expect(stage.monitor.get("last_result"), "obeyed")
        reactions.expect(("backtrace", "asked"))


@scenario("unresponsive:hung", "alive")
def react_muted(stage, since):
    """All CPUs spin during maintenance: the VMM is not killed, and the log says nothing"""
    lines = len(stage.monitor.log())
    with Reactions(stage, on_unresponsive="kill", mute_ns=3600 * SEC) as reactions:
        muted = stage.monitor.number("muted")
        stage.fault("spin", "all", stage.timeouts(4))
        stage.monitor.wait_state("alive", stage.monitor.events.index(stage.outage(since, "hung")))
        expect_in(stage.monitor.number("muted") - muted, 3, 20, "changes of state that were not announced")
        expect_in(stage.monitor.number("mute_ns"), 1, 3600 * SEC, "what is left of it")
        expect(stage.monitor.log()[lines:], [], "log")
        reactions.expect()


# It may print what it has to say of its crash, interrupts off, before its last word.
@scenario("unresponsive:beat-lost", "panicked:panic", "waiting", "alive", mere=MERE + ["unresponsive:hung"])
def react_dump(stage, since):
    """One CPU alone beats, and spins; the other one takes interrupts, and crashes when it is asked to"""
    irq = stage.guest.run(f"ls {DRIVER}/0*/msi_irqs").strip()
    cpu = int(stage.guest.run(f"cat /proc/irq/{irq}/effective_affinity_list"))
    stage.guest.run(f"echo N > /sys/class/tty/ttyS0/console; (taskset {1 << cpu} sh -c 'while :; do :; done') & "
                    f"echo backtrace,dump > {PARAMETERS}/allow; echo {1 - cpu} > {PARAMETERS}/cpus")
    with Reactions(stage, on_unresponsive="dump") as reactions:
        stage.fault("spin", str(1 - cpu))
        stage.outage(since, "beat-lost")
        stage.monitor.wait_state("panicked", since, cause="panic")
        expect(stage.monitor.get("last_result"), "obeyed")
        reactions.expect(("dump", "asked"))
    stage.guest.qmp("system_reset")
    stage.monitor.wait_state("waiting", since)
    stage.wait_boot()
    stage.load()


@scenario(mere=STARVED)
def react_starved(stage, since):
    """A guest that gets no CPU is not killed"""
    group = Group(stage)
    with Reactions(stage, on_unresponsive="kill", on_panicked="kill", action_delay_ns=0) as reactions:
        group.set("cpu.max", "2000 100000")
        stage.monitor.wait_beats(4, timeout=600)
        reactions.expect()
    group.remove()


# Innocent, whoever is to blame

@scenario("late:vmm-stuck", "alive")
def vmm_stuck(stage, since):
    """QEMU's main loop is stuck, with its lock: the next doorbell waits for it"""
    fifo = f"/tmp/{stage.monitor.uuid}"
    os.mkfifo(fifo)
    # Until somebody reads it.
    stuck = threading.Thread(target=stage.guest.qmp, args=["pmemsave"], kwargs={"val": 0, "size": 1, "filename": fifo})
    stuck.start()
    stage.monitor.wait_state("late", since, cause="vmm-stuck")
    time.sleep(stage.timeouts(2) / 1000)   # longer than any other silence would last
    expect(stage.monitor.get("state"), "late")
    with open(fifo, "rb") as end:
        end.read()
    stuck.join()
    os.unlink(fifo)


@scenario("detached:vmm-gone", "waiting", "alive", "late:host-blocked", "alive")
def host_blocked(stage, since):
    """The guest's memory is in a file, and the file's file system is frozen"""
    disk = Disk()
    stage.restart(args=["-object", f"memory-backend-file,id=ram,size=512M,share=on,mem-path={disk.dir}/ram",
                        "-machine", "memory-backend=ram"])
    stage.monitor.wait_beats(2)
    disk.run("fsfreeze -f {dir}")
    stage.monitor.wait_state("late", since, cause="host-blocked")
    time.sleep(stage.timeouts(2) / 1000)
    expect(stage.monitor.get("state"), "late")
    disk.run("fsfreeze -u {dir}")
    stage.monitor.wait_event("state", since, count=2, new="alive")
    stage.guest.run("true")


@scenario("detached:vmm-gone", "waiting", "alive", mere=STARVED + ["late:host-blocked"])
def memory_high(stage, since):
    """The VMM is above its cgroup's memory.high, and all of its threads are made to sleep"""
    stage.restart()
    stage.guest.run("mkdir /tmp/fill && mount -t tmpfs -o size=100% fill /tmp/fill")
    stage.monitor.wait_beats(2)
    group = Group(stage)
    group.set("memory.high", 0)
    # More than what the guest has used while it booted, and by both CPUs: as long as one is not kept, it rings.
    filling = stage.guest.send("for cpu in 1 2; do taskset $cpu dd if=/dev/zero of=/tmp/fill/$cpu bs=1M count=125 & done "
                               "2>/dev/null; wait")
    if 2 * stage.interval_ns < SEC:
        stage.monitor.wait_state("late", since, cause="host-blocked")
    time.sleep(max(stage.timeouts(3) / 1000, 10))
    group.set("memory.high", "max")
    filling.wait()
    stage.guest.run("umount /tmp/fill && rmdir /tmp/fill")
    group.remove()


class Disk:
    """A file system that can be frozen."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="matrix-")
        self.run("modprobe -q -d {tree} -a loop ext4; mkdir {dir}/on && truncate -s 700M {dir}/image && "
                 "mkfs.ext4 -q -O ^has_journal {dir}/image && mount -o loop {dir}/image {dir}/on")
        self.dir += "/on"

    def run(self, command):
        expect(os.system(command.format(dir=self.dir, tree=kernels()[0])), 0, command)


@scenario()
def host_frozen(stage, since):
    """The host's CPUs serve no interrupt for three timeouts"""
    load_host_fault()
    write(f"{FAULT}/freeze_ms", stage.timeouts(3))


def load_host_fault():
    """Have the fault module in the host."""
    expect(os.system(f"grep -q ^kvm_heartbeat_fault /proc/modules || insmod {FAULT_HOST_KO}"), 0, "insmod")


def lane():
    """The monitors' real-time thread."""
    return int(subprocess.run(["pgrep", "-xo", "kvm_heartbeat"], check=True, stdout=subprocess.PIPE).stdout)


@scenario("late:host-degraded", "alive")
def host_cpu_dead(stage, since):
    """The host CPU of an idle guest's vCPUs, and of its timers, serves no interrupt for three timeouts"""
    load_host_fault()
    vcpus = [cpu["thread-id"] for cpu in stage.guest.qmp("query-cpus-fast")]
    os.sched_setaffinity(0, [0])
    write(UNBOUND, "1")   # workers, and the timers that they start, are on CPU 0
    for tid in threads(stage):
        os.sched_setaffinity(tid, [1 if tid in vcpus else 0])
    stage.monitor.wait_beats(3)
    mark = stage.monitor.mark()
    dead_ms = max(stage.timeouts(3), 6000)
    write(f"{FAULT}/last_ms", dead_ms)
    # The real-time thread that is to look first is where it cannot, and the CPU seems busy: idle ones leave timers to it.
    os.sched_setaffinity(lane(), [1])
    with subprocess.Popen(["taskset", "-c", "1", "sh", "-c", "while :; do :; done"]) as busy:
        while f" {busy.pid} (sh) R " not in f" {read(f'/proc/{busy.pid}/stat')}":
            os.sched_yield()
        write(f"{FAULT}/spin", "1")
        busy.kill()
    late = stage.monitor.wait_state("late", mark)
    stage.monitor.wait_state("alive", stage.monitor.events.index(late))
    expect_in(late.last_beat_ns, 0, dead_ms * MS, "silence at which it was said, while the CPU was dead")
    stage.monitor.wait_beats(3)
    os.sched_setaffinity(lane(), [0, 1])
    write(UNBOUND, "3")
    os.sched_setaffinity(0, [0, 1])
    for tid in threads(stage):
        os.sched_setaffinity(tid, [0, 1])


@scenario("detached:vmm-gone", "waiting", "alive", "stopped:suspend", "alive",
          or_told=["detached:vmm-gone", "waiting", "alive", "stopped:suspend", "waiting", "alive"])
def suspend(stage, since):
    """The guest suspends to memory and wakes up"""
    stage.restart(packed=True)
    reply = stage.guest.send("echo mem > /sys/power/state")
    stage.guest.qmp_event("SUSPEND")
    stage.monitor.wait_state("stopped", since, cause="suspend")
    mark = stage.monitor.mark()
    stage.guest.qmp("system_wakeup")
    stage.monitor.wait_state("alive", mark)
    reply.wait()


@scenario("paused:paused", "alive")
def qmp_stop(stage, since):
    """QMP stop and cont"""
    stage.guest.qmp("stop")
    paused = stage.monitor.wait_state("paused", since)
    expect_in(paused.run_ns, 0, 2 * stage.interval_ns, "time on the run clock")
    stage.guest.qmp("cont")


@scenario(or_told=["paused:paused", "alive"])
def short_stop(stage, since):
    """QMP stop and cont, again and again, each over before it is noticed, or noticed as what it is"""
    for _ in range(5):
        stage.guest.qmp("stop")
        stage.guest.qmp("cont")
        stage.monitor.mark()
        # A busy machine makes a short stop long. Once is enough.
        if story(stage.monitor.history(since)):
            break
    stage.monitor.wait_beats(3)


@scenario("paused:paused", "alive")
def sigstop(stage, since):
    """SIGSTOP and SIGCONT"""
    stage.guest.kill(signal.SIGSTOP)
    stage.monitor.wait_state("paused", since)
    stage.guest.kill(signal.SIGCONT)


@scenario("paused:paused", "alive")
def debugger(stage, since):
    """A debugger stops all of the VMM's threads"""
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request, tid):
        if libc.ptrace(request, tid, None, None):
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {tid}")

    seized = threads(stage)
    for tid in seized:
        ptrace(PTRACE_SEIZE, tid)
        ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)
    stage.monitor.wait_state("paused", since)
    for tid in seized:
        ptrace(PTRACE_DETACH, tid)


@scenario(mere=STARVED + ["paused:paused", "late:paused"])
def single_steps(stage, since):
    """A developer stops a busy guest by QEMU's gdb stub, and has one CPU go on step by step"""
    stage.guest.run("for cpu in 0 1; do (while :; do :; done) & echo $!; done > /tmp/busy")
    gdb = Gdb(stage.guest)
    stage.monitor.wait_state("paused", since)
    end = time.monotonic() + stage.timeouts(5) / 1000
    while time.monotonic() < end:
        gdb.step()
    gdb.close()
    stage.guest.run("kill $(cat /tmp/busy)")


@scenario("paused:paused", "alive")
def freezer(stage, since):
    """The cgroup freezer"""
    group = Group(stage)
    group.set("cgroup.freeze", 1)
    stage.monitor.wait_state("paused", since)
    group.set("cgroup.freeze", 0)
    group.remove()


class Group:
    """A cgroup with the VMM in it."""

    def __init__(self, stage):
        self.dir = f"{CGROUP}/{stage.monitor.uuid}"
        self.pid = stage.guest.pid
        write(f"{CGROUP}/cgroup.subtree_control", "+cpu +memory")
        os.mkdir(self.dir)
        self.set("cgroup.procs", self.pid)

    def set(self, name, value):
        write(f"{self.dir}/{name}", value)

    def remove(self):
        """Let the VMM go, if it is not dead."""
        if os.path.exists(f"/proc/{self.pid}"):
            write(f"{CGROUP}/cgroup.procs", self.pid)
        os.rmdir(self.dir)


@scenario(mere=STARVED)
def quota(stage, since):
    """A quota of 5 % of a CPU"""
    group = Group(stage)
    group.set("cpu.max", "5000 100000")
    stage.monitor.wait_beats(3, timeout=300)
    group.remove()


@scenario(mere=STARVED)
def tiny_quota(stage, since):
    """A quota of 2 % of a CPU: the VMM waits for a CPU outside KVM_RUN, too"""
    group = Group(stage)
    group.set("cpu.max", "2000 100000")
    stage.monitor.wait_beats(6, timeout=600)
    group.remove()


@scenario(mere=STARVED)
def realtime_hog(stage, since):
    """A real-time task has the guest's host CPU to itself for three timeouts"""
    for tid in threads(stage):
        os.sched_setaffinity(tid, [1])
    expect(os.system(f"{TOP}/build/bin/hog {stage.timeouts(3) // 1000 + 1} 1"), 0, "hog")
    for tid in threads(stage):
        os.sched_setaffinity(tid, [0, 1])


@scenario()
def host_cpu_unplugged(stage, since):
    """A CPU of the host goes and comes back"""
    write("/sys/devices/system/cpu/cpu1/online", 0)
    stage.monitor.wait_beats(3)
    write("/sys/devices/system/cpu/cpu1/online", 1)
    stage.monitor.wait_beats(3)


@scenario(or_told=["paused:paused", "alive"])
def host_sleeps(stage, since):
    """The host suspends, as far as all its tasks being frozen for 5 s, and resumes"""
    write("/sys/power/pm_test", "freezer")
    write("/sys/power/state", "freeze")
    write("/sys/power/pm_test", "none")


@scenario()
def fsfreeze(stage, since):
    """The guest has a file system frozen, as for a backup, and tasks wait to write to it"""
    disk = "/tmp/disk"
    # Not all that modprobe names has to load: a CPU may lack what a faster way of the same needs.
    stage.guest.run(f"[ -d {disk} ] || {{ for each in /modules-later/*; do insmod $each; done; mkdir {disk} && "
                    f"dd if=/dev/zero of={disk}.image bs=1M count=8 && mke2fs -F {disk}.image; }}")
    stage.guest.run(f"mount -t ext4 -o loop {disk}.image {disk}")
    # One has a file open, the other only is there.
    stage.guest.run(f"sh -c 'exec 5>{disk}/open; until [ -e /tmp/go ]; do sleep 0.1; done; echo >&5' & "
                    f"echo $! > /tmp/writers; until [ -e {disk}/open ]; do sleep 0.1; done")
    stage.guest.run(f"fsfreeze --freeze {disk} && echo {2 * SEC} > {BLOCKED} && touch /tmp/go")
    stage.guest.run(f"sh -c 'cd {disk} && echo > new' & echo $! >> /tmp/writers")
    wait = "for pid in $(cat /tmp/writers); do until {}; do sleep 0.1; done; done"
    stage.guest.run(wait.format("grep -q '^State:.D' /proc/$pid/status"))
    stage.wait(4000 + stage.timeouts(1))
    stage.guest.run(wait.format("grep -q '^State:.D' /proc/$pid/status"))
    stage.guest.run(f"fsfreeze --unfreeze {disk}")
    stage.guest.run(wait.format("! grep -q '^State:.[^Z]' /proc/$pid/status"))
    stage.guest.run(f"echo {120 * SEC} > {BLOCKED}; rm {disk}/open {disk}/new /tmp/go; umount {disk}")


@scenario("stopped:reboot", "waiting", "alive")
def reboot(stage, since):
    """The guest reboots"""
    test_reboot(stage)


@scenario("stopped:reboot", "waiting", "alive")
def slow_boot(stage, since):
    """The guest reboots by its deadline, for a part of which its VMM is stopped"""
    stage.no_trouble()
    with deadline(stage, "boot_timeout_ns", 600 * SEC):
        stage.guest.send("reboot -f")
        stage.monitor.wait_state("waiting", since)
        stage.guest.qmp("stop")
        time.sleep(2)
        expect(stage.monitor.get("state"), "waiting")
        stage.guest.qmp("cont")
        stage.wait_boot()
        stage.load()


@scenario("stopped:reboot", "alive")
def kexec(stage, since):
    """The guest enters another kernel by kexec"""
    test_kexec(stage)


@scenario()
def guest_cpu_offline(stage, since):
    """A CPU of the guest goes offline for three timeouts and comes back"""
    stage.guest.run("echo 0 > /sys/devices/system/cpu/cpu1/online")
    stage.wait(stage.timeouts(3))
    stage.guest.run("echo 1 > /sys/devices/system/cpu/cpu1/online")


@scenario()
def scheduler_busy(stage, since):
    """A real-time task on every CPU, for less time than an age must have to say anything"""
    stage.guest.run("hog 1")
    stage.wait(max(stage.timeouts(2), 1000))


@scenario()
def retuned(stage, since):
    """The interval is changed, up and down"""
    for factor in 3, 1, 2, 1:
        mark = stage.monitor.mark()
        stage.monitor.set("interval_ns", factor * stage.interval_ns)
        stage.monitor.wait_beats(2, since=mark)


@scenario()
def clocks_set(stage, since):
    """The clocks of guest and host are set back and forward"""
    for date in "2001-01-01", "2031-01-01":
        stage.guest.run(f"date -s '{date} 00:00:00'")
        expect(os.system(f"date -s '{date} 00:00:00' >/dev/null"), 0, "date")
        stage.monitor.wait_beats(2)


@scenario("stopped:unload", "detached:unload", "waiting", "alive")
def driver_comes_late(stage, since):
    """A guest without a driver for three timeouts and its whole boot, and then with it"""
    monitor = stage.monitor
    stage.guest.qmp("device_del", id="hb")
    stage.guest.qmp_event("DEVICE_DELETED")
    monitor.wait_event("detach", since)
    stage.guest.run("rmmod kvm_heartbeat_guest")
    stage.guest.qmp("device_add", driver="vfio-pci", sysfsdev=monitor.dir, id="hb")
    monitor.wait_state("waiting", since)
    stage.wait(stage.timeouts(3))
    expect(monitor.get("state"), "waiting")
    stage.load()


def matches(name, told):
    """Whether a story is what a scenario has to lead to."""
    return told in SCENARIOS[name][1]


def play(stage, name):
    """Run a scenario once: what is wrong, or None, and what it was taken for."""
    function, _, _ = SCENARIOS[name]
    monitor = stage.monitor
    since = monitor.mark()
    try:
        function(stage, since)
        # The end of it: it beats again, and goes on.
        monitor.poll_state("alive")
        monitor.wait_beats(2)
        told = story(monitor.history(since), name)
        return (None if matches(name, told) else f"history: {monitor.history(since)}"), told
    except (AssertionError, Timeout) as error:
        history = monitor.history(since)
        monitor.wait_beats(2)   # or the rest is in vain
        return f"{str(error).splitlines()[0]}; history: {history}", story(history, name)


def table(seen):
    """The confusion table: a line for what each scenario was taken for."""
    right = sum(count for name, told in seen for count in seen[name, told].values() if matches(name, told.split()))
    runs = sum(sum(counter.values()) for counter in seen.values())
    accused = sum(sum(counter.values()) for (name, told), counter in seen.items()
                  if "unresponsive" in told and "unresponsive" not in str(SCENARIOS[name][1]))
    yield f"{'scenario':20} {'runs':>4}  taken for"
    for (name, told), counter in seen.items():
        mark = "  " if matches(name, told.split()) else "!!"
        yield f"{name:20} {sum(counter.values()):4} {mark}{told or 'alive'}"
    yield f"{right} of {runs} right ({100 * right / max(runs, 1):.1f} %), {accused} false unresponsive"


def main():
    arguments = sys.argv[1:]
    rounds = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else 1
    timings = [arguments.pop(0)] if arguments and arguments[0] in TIMINGS else list(TIMINGS)
    names = arguments or list(SCENARIOS)
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        sys.exit(f"no such scenario: {' '.join(unknown)}; there are: {' '.join(SCENARIOS)}")
    print(f"TAP version 13\n1..{len(names) + 1}", flush=True)

    stage = Stage()
    stage.begin()
    expect(story(stage.monitor.history()[1:]), [], "a guest whose boot takes longer than the timeout")
    print("ok 1 A guest whose boot takes longer than its timeout waits for its driver", flush=True)
    seen = collections.defaultdict(collections.Counter)
    wrong = collections.defaultdict(list)
    lost = None
    for number in range(rounds):
        for timing in timings:
            if lost:
                break
            stage.tune(TIMINGS[timing])
            for name in names:
                try:
                    problem, told = play(stage, name)
                except GuestError:
                    lost = name
                    wrong[name] += traceback.format_exc().splitlines()
                    break
                seen[name, " ".join(told)][timing] += 1
                if problem:
                    wrong[name].append(f"round {number + 1}, {timing}: {problem}")
                print(f"#  round {number + 1}, {timing}, {name}: {problem or 'right'}", flush=True)
    for number, name in enumerate(names, start=2):
        for line in wrong[name]:
            print(f"# {line}")
        played = any(name == other for other, _ in seen)
        print(f"{'ok' if played and not wrong[name] else 'not ok'} {number} {SCENARIOS[name][0].__doc__}"
              f"{': ' + briefly(wrong[name][-1]) if wrong[name] else ''}"
              f"{'' if played or name == lost else ' # the VM was lost before'}", flush=True)
    for line in table(seen):
        print(f"# {line}")
    save("matrix-trace.log", stage.monitor.events)
    stage.guest.close()
    sys.exit(bool(lost or any(wrong.values())))


if __name__ == "__main__":
    main()
