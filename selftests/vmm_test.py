#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The doorbell that KVM itself rings, guests that no Linux would be, and how they move: by the minimal VMM (vmm/).

    vmm_test.py [TEST...]

Runs inside the rig's host; prints TAP. Each test has a VM and a monitor of its own, and may return why it is skipped.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from hb import MS, SEC, TIMEOUT, TOP
from monitor import Monitor
from run import briefly, expect, expect_in, vms

VMM = f"{TOP}/build/bin/vmm"
# A second is long for the guest, and what an emulated host is late by is short beside it.
INTERVAL = SEC
# Longer than a timeout, seconds.
LONG = 2.5 * INTERVAL / SEC


class Vm:
    """A VM whose guest has begun, and its monitor."""

    def __init__(self, monitor, *arguments):
        self.others = set(vms())
        self.process = subprocess.Popen([VMM, "-m", monitor.uuid, *arguments], stdout=subprocess.PIPE, text=True)
        self.restored = self.stream("restored") if "-i" in arguments else None
        self.expect_up()

    def expect_up(self):
        """The VMM says that the guest runs."""
        expect(self.process.stdout.readline(), "up\n", "the VMM")

    def stream(self, word):
        """The VMM says this word of the devices' streams: the bytes of these."""
        line = self.process.stdout.readline()
        said, size = line.split(" ns=")[0].split(" bytes=")
        expect(said, word, "the VMM")
        return int(size)

    def save(self):
        """Save it to where -o says: the bytes of the devices' streams. The VMM then waits for its end."""
        self.process.send_signal(signal.SIGHUP)
        return self.stream("saved")

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


def test_spins_by_cdev(monitor):
    """A guest whose device is opened by its own file and an iommufd spins: hung"""
    if not os.path.exists("/dev/iommu"):
        return "this kernel has no iommufd"
    outage(monitor, "-f", "beat", "3", "spin", cause="hung")
    return None


def test_stops(monitor):
    """A guest beats until it is told to stop, and halts: halted"""
    with Vm(monitor, "-d", "ioeventfd", "beat", "0", "halt") as vm:
        monitor.wait_beats(2)
        vm.process.send_signal(signal.SIGUSR2)
        expect(monitor.wait_state("unresponsive").cause, "halted")
        expect(vm.end(), 0, "status of the VMM")


def test_panics(monitor):
    """A guest says that it panicked: panicked, and no outage begins"""
    with Vm(monitor, "-d", "ioeventfd", "panic") as vm:
        monitor.wait_state("panicked", cause="panic")
        expect(monitor.lives(), [1, 1, 0], "boots, panics, resets")
        time.sleep(LONG)
        monitor.mark()
        expect(monitor.history()[-1], "panicked:panic", "as long as it lasts")
        expect(vm.end(), 0, "status of the VMM")


def test_evidence(monitor):
    """What KVM knows of a CPU that beat three times and halts: its own count of exits, interrupts, the halt"""
    with Vm(monitor, "-d", "ioeventfd", "beat", "3", "halt") as vm:
        monitor.wait_state("unresponsive")
        late, seen = [event for event in monitor.events if event.name == "evidence"][-2:]
        expect((seen.task, seen.running, seen.halted, seen.signals), ("S", 1, 1, 0), "where it is")
        # One is injected again if the guest's memory was not there when it was to arrive.
        expect_in(seen.irqs, 3, 6, "interrupts")
        expect((late.exits, seen.exits), 2 * (vm.exits("exits"),), "exits")
        expect_in(seen.halted_ns - late.halted_ns, 1, TIMEOUT * SEC, "a halt that lasts")
        expect(vm.end(), 0, "status of the VMM")


def test_on_time(monitor):
    """A guest that halts is late and then unresponsive, each when it is due, a 64th later at most, by both clocks"""
    for interval_ns in (SEC, 100 * MS, 10 * MS):
        since = monitor.mark()
        monitor.set("interval_ns", interval_ns)
        with Vm(monitor, "-d", "ioeventfd", "beat", "3", "halt") as vm:
            unresponsive = monitor.wait_state("unresponsive", since)
            late = monitor.wait_state("late", since)
            beat = monitor.wait_event("beat", since, count=3)
            for event, due_ns in ((late, interval_ns * 3 // 2), (unresponsive, 2 * interval_ns)):
                expect_in(event.run_ns, due_ns, due_ns * 65 // 64, f"{event.new} at, on the run clock")
                # The trace has microseconds.
                expect_in(round((event.time - beat.time) * SEC), due_ns - 1000, due_ns * 65 // 64, f"{event.new} at")
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


def test_ticks(monitor):
    """Ten guests whose eight CPUs halt, and are woken by their timers a thousand times a second for nothing: halted"""
    for _ in range(10):
        since = monitor.mark()
        monitor.set("interval_ns", MS)
        with Vm(monitor, "-d", "ioeventfd", "-c", "8", "beat", "0", "halt") as vm:
            # The guest says that it follows a setting, and its timers tick on as they began.
            monitor.set("interval_ns", 100 * MS)
            monitor.wait_beats(2)
            vm.process.send_signal(signal.SIGUSR2)
            expect(monitor.wait_state("unresponsive", since).cause, "halted")
            expect(vm.end(), 0, "status of the VMM")


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


def test_pauses(monitor):
    """A VMM is stopped by a signal for longer than a timeout: its guest is paused, then alive, and not missed"""
    with Vm(monitor, "-d", "ioeventfd", "beat") as vm:
        monitor.wait_beats(2)
        since = monitor.mark()
        vm.process.send_signal(signal.SIGSTOP)
        monitor.wait_state("paused", since)
        time.sleep(LONG)
        vm.process.send_signal(signal.SIGCONT)
        monitor.wait_state("alive", since)
        monitor.wait_beats(2)
        seen = [said for said in monitor.history(since) if said != "late"]
        expect(seen, ["paused:paused", "alive"], "while it was stopped")
        expect(vm.end(), 0, "status of the VMM")


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


@contextlib.contextmanager
def another():
    """One more monitor, to move to, and a folder for what moves."""
    monitor = Monitor()
    monitor.set("interval_ns", INTERVAL)
    with tempfile.TemporaryDirectory() as folder:
        yield monitor, f"{folder}/vm"
    monitor.remove()


# How long a pause was is not of the test's making.
GONE = re.compile(r"(gone|heartbeat) [0-9.]+ s")


def log(monitor):
    """Its lines without durations."""
    return [GONE.sub(r"\1", line) for line in monitor.log()]


def expect_moves(vm, *sources, before=("alive", "paused:paused")):
    """The VMM, which has saved its VM, ends: nobody misses the guest."""
    expect(vm.end(), 0, "status of the VMM")
    for source in sources:
        source.wait_state("detached")
        expect(source.history(), ["waiting", *before, "detached:migrated"], "of the source")


def expect_goes_on(vm, *moves):
    """A guest that beat on the source, the second of each pair, goes on beating on the target, the first."""
    for target, source in moves:
        beat = target.wait_event("beat")
        expect(beat.beats, source.number("beats") + 1, "first beat on the target")
        target.wait_event("beat", count=2)
        expect(target.history(), ["waiting", "paused:paused", "alive"], "of the target")
        expect(log(target), ["guest is waiting", "guest is alive, taken over"], "the target's log")
        expect(target.number("outages"), 0, "outages")
    expect(vm.end(), 0, "status of the VMM")
    for target, _ in moves:
        target.wait_state("detached", cause="vmm-gone")


def by_file(monitor, doorbell):
    """Two CPUs beat, are saved to a file, and go on beating on another monitor."""
    with another() as (target, image):
        with Vm(monitor, "-d", doorbell, "-c", "2", "-o", image, "beat") as vm:
            monitor.wait_event("beat")
            saved = vm.save()
            expect_moves(vm, monitor)
        expect(log(monitor), ["guest is waiting", "guest is alive", "guest is detached (migrated)"], "the source's log")
        with Vm(target, "-d", doorbell, "-i", image) as vm:
            expect(vm.restored, saved, "bytes restored")
            exits = vm.exits("mmio_exits")
            expect_goes_on(vm, (target, monitor))
            return exits


def test_moves(monitor):
    """A guest that beats is saved to a file and goes on by another monitor: paused, migrated; not missed"""
    by_file(monitor, "exit")


def test_moves_eventfd(monitor):
    """The same with a doorbell that KVM rings: the target has one of its own"""
    expect(by_file(monitor, "ioeventfd"), 0, "exits")


def test_moves_by_pipe(monitor):
    """A guest that beats goes over from one VMM to another, which runs beside it"""
    with another() as (target, pipe):
        os.mkfifo(pipe)
        with Vm(monitor, "-d", "ioeventfd", "-o", pipe, "beat") as vm:
            monitor.wait_event("beat")
            vm.process.send_signal(signal.SIGHUP)
            with Vm(target, "-d", "ioeventfd", "-i", pipe) as goes_on:
                expect(vm.stream("saved"), goes_on.restored, "bytes restored")
                expect_moves(vm, monitor)
                expect_goes_on(goes_on, (target, monitor))


def test_moves_two(monitor):
    """A VM with two monitors, each of which has two of its CPUs, moves to two others"""
    with another() as (second, image), another() as (target, _), another() as (other, _):
        with Vm(monitor, "-m", second.uuid, "-d", "ioeventfd", "-c", "4", "-o", image, "beat") as vm:
            monitor.wait_event("beat")
            second.wait_event("beat")
            saved = vm.save()
            expect_moves(vm, monitor, second)
        with Vm(target, "-m", other.uuid, "-d", "ioeventfd", "-i", image) as vm:
            expect(vm.restored, saved, "bytes restored")
            expect_goes_on(vm, (target, monitor), (other, second))


def test_moves_silent(monitor):
    """A guest that is unresponsive moves with its outage, which is the same one there, and goes on"""
    with another() as (target, image):
        with Vm(monitor, "-c", "2", "-o", image, "beat", "1", "halt") as vm:
            monitor.wait_state("unresponsive", cause="halted")
            vm.save()
            before = monitor.history()[1:]
            expect_moves(vm, monitor, before=before)
        expect(log(monitor)[-1], "guest is detached (migrated)", "the source's log")
        down_ns = monitor.number("downtime_ns")
        with Vm(target, "-i", image) as vm:
            expect(target.wait_state("unresponsive").cause, "halted")
            for _ in range(2):
                time.sleep(2 * INTERVAL / SEC)
                seen_ns = target.number("downtime_ns")
                expect_in(seen_ns, down_ns + 1, TIMEOUT * SEC, "downtime_ns")
                down_ns = seen_ns
            target.mark()
            expect(target.history(), ["waiting", "unresponsive:halted"], "of the target")
            expect(log(target), ["guest is waiting", "guest is unresponsive, last heartbeat ago (halted)"],
                   "the target's log")
            expect((target.number("outages"), target.number("beats")), (1, 1), "outages and beats")
            expect(vm.end(), 0, "status of the VMM")


def test_moves_damaged(monitor):
    """What is cut off, or damaged, the device refuses: its monitor is as fresh as before, and may be used"""
    with another() as (target, image):
        with Vm(monitor, "-o", image, "beat") as vm:
            monitor.wait_event("beat")
            size = vm.save()
            expect_moves(vm, monitor)
        whole = pathlib.Path(image).read_bytes()
        for damaged, said, why in (
                (whole[:-1], "the device cannot enter the state STOP", "the stream ends too early"),
                (whole[:-size // 2] + bytes([whole[-size // 2] ^ 1]) + whole[-size // 2 + 1:],
                 "the device refuses the stream", "the stream's checksum is wrong")):
            pathlib.Path(image).write_bytes(damaged)
            since = target.mark()
            refused = subprocess.run([VMM, "-m", target.uuid, "-i", image], check=False, timeout=TIMEOUT,
                                     stderr=subprocess.PIPE, text=True)
            expect(refused.returncode, 1, "status of the VMM")
            expect(refused.stderr.startswith(f"vmm: {target.uuid}: {said}"), True, refused.stderr)
            target.wait_state("detached", since)
            expect(target.history(since), ["waiting", "detached:vmm-gone"], "of the target")
            refusal = target.lines()[-2]
            expect(refusal.startswith(f"the guest cannot go on here: {why}"), True, refusal)
            expect(target.number("beats"), 0, "beats")
        since = target.mark()
        pathlib.Path(image).write_bytes(whole)
        with Vm(target, "-i", image) as vm:
            target.wait_event("beat", since)
            expect(target.history(since), ["waiting", "paused:paused", "alive"], "of the target")
            expect(vm.end(), 0, "status of the VMM")


def test_moves_not(monitor):
    """A guest that was to move, and could not or shall not, is alive again, however long that took: it was not late"""
    with another() as (_, image):
        os.mkfifo(image)
        with Vm(monitor, "-d", "ioeventfd", "-o", image, "beat") as vm:
            # Whoever reads takes a part, and leaves.
            monitor.wait_event("beat")
            since = monitor.mark()
            reader = os.open(image, os.O_RDONLY | os.O_NONBLOCK)
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
            vm.process.send_signal(signal.SIGHUP)
            monitor.wait_state("paused", since)
            time.sleep(LONG)
            os.close(reader)
            vm.expect_up()
            monitor.wait_beats(1)
            # There is no room.
            os.unlink(image)
            os.symlink("/dev/full", image)
            vm.process.send_signal(signal.SIGHUP)
            vm.expect_up()
            monitor.wait_beats(1)
            # All is saved, but nobody wants it.
            os.unlink(image)
            vm.save()
            time.sleep(LONG)
            vm.process.send_signal(signal.SIGHUP)
            vm.expect_up()
            monitor.wait_beats(1)
            expect(monitor.history(since), 3 * ["paused:paused", "alive"], "while it did not move")
            expect(vm.end(), 0, "status of the VMM")
    monitor.wait_state("detached", cause="vmm-gone")


# All but on_time, which wants a host where nothing but instructions takes time, such as Bochs'.
ALL = ("beats", "beats_eventfd", "spins", "halts", "spins_by_cdev", "stops", "panics", "evidence", "fails", "rounds", "ticks",
       "finest", "storm", "memory_high", "pauses", "steps", "moves", "moves_eventfd", "moves_by_pipe", "moves_two",
       "moves_silent", "moves_damaged", "moves_not")


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
        except Exception as error:   # pylint: disable=broad-except
            failed = True
            for line in traceback.format_exc().splitlines() + [f"event: {event}" for event in monitor.events[-20:]]:
                print(f"# {line}")
            print(f"not ok {number} {test.__doc__}: {briefly(error)}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
