#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The doorbell that KVM itself rings, and guests that no Linux would be, by the minimal VMM (vmm/).

    vmm_test.py [TEST...]

Runs inside the rig's host; prints TAP. Each test has a VM and a monitor of its own, and may return why it is skipped.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback

from hb import MS, SEC, TIMEOUT, TOP
from monitor import Monitor
from run import expect, expect_in, vms

VMM = f"{TOP}/build/bin/vmm"
# A second is long for the guest, and what an emulated host is late by is short beside it.
INTERVAL = SEC


class Vm:
    """A VM whose guest has begun, and its monitor."""

    def __init__(self, monitor, *arguments):
        self.others = set(vms())
        self.process = subprocess.Popen([VMM, "-m", monitor.uuid, *arguments], stdout=subprocess.PIPE, text=True)
        expect(self.process.stdout.readline(), "up\n", "the VMM")

    def exits(self, kind):
        """How many exits of a kind its vCPUs had."""
        folder, = set(vms()) - self.others
        return int(pathlib.Path(folder, kind).read_text())

    def end(self, number=signal.SIGTERM):
        """End the VMM: its status."""
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def beats(monitor, doorbell):
    """Eight CPUs beat, for some intervals: how many beats that were, and how many exits to the VMM."""
    with Vm(monitor, "-d", doorbell, "-c", "8", "beat") as vm:
        monitor.wait_beats(2)
        since, exits = monitor.mark(), vm.exits("mmio_exits")
        monitor.wait_beats(6, since=since)
        exits = vm.exits("mmio_exits") - exits
        monitor.mark()
        seen = [event for event in monitor.events[since:] if event.name == "beat"]
        expect(monitor.history(since), [], "while it beats")
        expect(vm.end(), 0, "status of the VMM")
    monitor.wait_state("detached", cause="vmm-gone")
    return len(seen), exits


def test_beats(monitor):
    """Eight CPUs beat through the VMM: one exit to it an interval"""
    count, exits = beats(monitor, "exit")
    expect_in(exits, count - 1, count + 1, f"exits of {count} beats")


def test_beats_eventfd(monitor):
    """Eight CPUs beat by an eventfd: no exit to the VMM"""
    expect(beats(monitor, "ioeventfd")[1], 0, "exits")


def outage(monitor, *arguments, cause):
    """A guest that falls silent, and what is said of it."""
    with Vm(monitor, "-d", "ioeventfd", *arguments) as vm:
        state = monitor.wait_state("unresponsive")
        expect(state.cause, cause)
        expect_in(state.run_ns, 2 * INTERVAL, TIMEOUT * SEC, "time on the run clock")
        expect(vm.end(), 0, "status of the VMM")


def test_spins(monitor):
    """A guest beats three times, and spins: hung"""
    outage(monitor, "beat", "3", "spin", cause="hung")
    expect(monitor.number("beats"), 3)


def test_halts(monitor):
    """A guest of two CPUs beats three times, and halts: halted"""
    outage(monitor, "-c", "2", "beat", "3", "halt", cause="halted")
    expect(monitor.number("beats"), 3)


def test_stops(monitor):
    """A guest beats until it is told to stop, and halts: halted"""
    with Vm(monitor, "-d", "ioeventfd", "beat", "0", "halt") as vm:
        monitor.wait_beats(2)
        vm.process.send_signal(signal.SIGUSR2)
        expect(monitor.wait_state("unresponsive").cause, "halted")
        expect(vm.end(), 0, "status of the VMM")


def test_fails(monitor):
    """KVM cannot emulate what a guest does, and gives it up: kvm-error"""
    with Vm(monitor, "fail") as vm:
        state = monitor.wait_state("unresponsive")
        expect(state.cause, "kvm-error")
        expect_in(state.last_beat_ns, 2 * INTERVAL, TIMEOUT * SEC, "time since it armed")
        expect(monitor.history()[-2:], ["late", "unresponsive:kvm-error"])
        expect(vm.end(), 0, "status of the VMM")


def test_rounds(monitor):
    """Ten silences of one guest, by the doorbell that the VMM passes on: each said once, after its deadline"""
    monitor.set("interval_ns", 100 * MS)
    rounds = subprocess.run([VMM, "-m", monitor.uuid, "-r", "10", "beat", "3", "halt"], check=True, timeout=TIMEOUT,
                            stdout=subprocess.PIPE, text=True)
    expect(rounds.stdout.split(), ["up", "rounds", "10"], "the VMM")
    monitor.mark()
    outages = [event for event in monitor.events if event.name == "state" and event.new == "unresponsive"]
    expect([event.cause for event in outages], 10 * ["halted"])
    expect([event for event in outages if event.run_ns < 200 * MS], [], "accused before the deadline")


def test_finest(monitor):
    """A guest that beats once a millisecond, which is the finest that may be set, is not accused"""
    monitor.set("interval_ns", MS)
    monitor.only_beat(5000)
    with Vm(monitor, "-d", "ioeventfd", "-c", "2", "beat", "0", "halt") as vm:
        monitor.wait_event("beat")
        monitor.mark()
        accused = [said for said in monitor.history() if said.startswith(("unresponsive", "degraded"))]
        expect(accused, [], "accusations")
        expect(vm.end(signal.SIGKILL), -signal.SIGKILL, "status of the VMM")
    monitor.wait_state("detached", cause="vmm-gone")


def test_storm(monitor):
    """A guest rings without end: it is alive, nothing is printed, and its VMM may be killed"""
    monitor.only_beat(10000)
    with Vm(monitor, "-d", "ioeventfd", "storm") as vm:
        since, said = monitor.mark(), monitor.log()
        monitor.wait_event("beat")
        expect(monitor.history(since), [], "in a storm")
        expect(monitor.log(), said, "in the log")
        expect(vm.end(signal.SIGKILL), -signal.SIGKILL, "status of the VMM")
    monitor.wait_state("detached", cause="vmm-gone")


def test_memory_high(monitor):
    """A vCPU's thread sleeps outside KVM_RUN, above its cgroup's memory.high: the host blocks it, not its VMM"""
    if "memory" not in pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text().split():
        return "this kernel has no memory cgroups"
    group = pathlib.Path("/sys/fs/cgroup", monitor.uuid)
    pathlib.Path("/sys/fs/cgroup/cgroup.subtree_control").write_text("+memory")
    with Vm(monitor, "-d", "exit", "-t", "4096", "beat") as vm:
        monitor.wait_beats(2)
        since = monitor.mark()
        group.mkdir()
        (group / "cgroup.procs").write_text(str(vm.process.pid))
        (group / "memory.high").write_text("0")
        late = monitor.wait_state("late", since, cause="host-blocked")
        seen = [event for event in monitor.events[since:monitor.events.index(late)] if event.name == "evidence"][-1]
        expect((seen.running, seen.task), (0, "D"), "where it sleeps")
        (group / "memory.high").write_text("max")
        monitor.wait_state("alive", since)
        monitor.wait_beats(2)
        wrong = [said for said in monitor.history(since) if "vmm-stuck" in said or "unresponsive" in said]
        expect(wrong, [], "what else was said")
        expect(vm.end(), 0, "status of the VMM")
    os.rmdir(group)
    return None


def test_steps(monitor):
    """A debugger has a guest's only CPU go step by step, flat out and without interrupts: paused"""
    with Vm(monitor, "-d", "ioeventfd", "-s", "beat") as vm:
        monitor.wait_beats(2)
        since = monitor.mark()
        vm.process.send_signal(signal.SIGUSR2)
        monitor.wait_state("paused", since)
        time.sleep(4 * 2 * INTERVAL / SEC)
        monitor.mark()
        expect(monitor.history(since)[-1], "paused:paused", "as long as it lasts")
        vm.process.send_signal(signal.SIGUSR2)
        monitor.wait_state("alive", since)
        monitor.wait_beats(2)
        expect([s for s in monitor.history(since) if s.startswith("unresponsive")], [], "accusations")
        expect(vm.end(), 0, "status of the VMM")


ALL = "beats", "beats_eventfd", "spins", "halts", "stops", "fails", "rounds", "finest", "storm", "memory_high", "steps"


def main():
    tests = [globals()[f"test_{name}"] for name in sys.argv[1:] or ALL]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    failed = False
    for number, test in enumerate(tests, start=1):
        monitor = Monitor()
        try:
            monitor.set("interval_ns", INTERVAL)
            skipped = test(monitor)
            monitor.remove()
            print(f"ok {number} {test.__doc__}" + (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except Exception:   # pylint: disable=broad-except
            failed = True
            for line in traceback.format_exc().splitlines() + [f"event: {event}" for event in monitor.events[-20:]]:
                print(f"# {line}")
            print(f"not ok {number} {test.__doc__}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
