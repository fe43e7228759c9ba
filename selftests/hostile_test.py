#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Hostile guests beside innocent ones: what they cost the host, and that nobody else notices them.

    hostile_test.py [--seed SEED] [--seconds SECONDS]

Rounds of a random program, that of vmm/hostile.c, on two VMs, until the time is over (20 s). The seed of each round is
one more than that of the round before; the first is printed, and a failure names its round's. Runs inside the rig's
host; prints TAP.
"""

import argparse
import contextlib
import os
import pathlib
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time

from hb import MS, SEC, TIMEOUT, Timeout, write
from monitor import Monitor
from run import expect, expect_in, play
from vmm_test import VMM, Vm

PHASES = 16     # in a round
VCPUS = 3
INTERVAL = 100 * MS
BEATS = 8       # of an innocent guest that then halts
# How often the device announces of one monitor, in 10 s: transitions into or out of an outage, and others.
ANNOUNCED = 2 * 20


class Uevents:
    """Counts the uevents of monitors, by UUID."""

    RCVBUFFORCE = 33

    def __init__(self):
        self.counts = {}
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)
        self._socket.setsockopt(socket.SOL_SOCKET, self.RCVBUFFORCE, 16 << 20)
        self._socket.bind((0, 1))
        self._ended = threading.Event()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while True:
            fields = dict(field.partition("=")[::2] for field in self._socket.recv(65536).decode().split("\0"))
            if "SYNTH_UUID" in fields:
                self._ended.set()
                return
            if "HEARTBEAT_STATE" in fields:
                uuid = fields["HEARTBEAT_UUID"]
                self.counts[uuid] = self.counts.get(uuid, 0) + 1

    def end(self, monitor):
        """All that were sent until now are counted: one that we cause ourselves comes after them."""
        write(f"{monitor.dir}/uevent", "change")
        if not self._ended.wait(TIMEOUT):
            raise Timeout("uevents were lost")


class Poller:
    """Polls a monitor's state: how often it was woken, and by how much too often, and what it read last."""

    # Those who poll are to be woken no more often than this, seconds.
    APART = 0.01

    def __init__(self, monitor):
        self.wakes = 0
        self.state = None
        # At most how many more notifications came than are due in any stretch of time.
        self.excess = 0
        self._path = f"{monitor.dir}/heartbeat/state"
        self._changed = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        least = float("inf")
        # The monitor is gone in the end.
        with contextlib.suppress(OSError), open(self._path, "rb", buffering=0) as file:
            poll = select.poll()
            poll.register(file, select.POLLPRI)
            while True:
                # What wakes us next comes after this, and before we are woken.
                least = min(least, self.wakes - time.monotonic() / self.APART)
                state = os.pread(file.fileno(), 64, 0).decode().strip()
                with self._changed:
                    self.state = state
                    self._changed.notify_all()
                poll.poll()
                self.wakes += 1
                self.excess = max(self.excess, self.wakes - time.monotonic() / self.APART - least)

    def wait(self, state):
        """Until it has read that, without having been woken by anybody but the monitor."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.state == state, TIMEOUT):
                raise AssertionError(f"who polls was not told of {state}, but last of {self.state}")


def threads_ns(is_meant):
    """Of kernel threads with such a name: how long each has executed, ns."""
    times = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if is_meant((folder / "comm").read_text().strip()) and not (folder / "cmdline").read_bytes():
                times[folder.name] = int((folder / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass    # it has ended
    return times


class Cost:
    """What the module's threads execute from now on, and workers for whom it may be; seconds."""

    def __init__(self):
        self._lane, self._workers = self._read()
        self._others = resource.getrusage(resource.RUSAGE_CHILDREN)

    @staticmethod
    def _read():
        return threads_ns("kvm_heartbeat".__eq__), threads_ns(lambda name: name.startswith("kworker/u"))

    def read(self):
        """The lane, the workers, and all VMMs that have ended."""
        lane, workers = ((sum(ns - before.get(pid, 0) for pid, ns in now.items()) / SEC)
                         for now, before in zip(self._read(), (self._lane, self._workers)))
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        vmms = usage.ru_utime + usage.ru_stime - self._others.ru_utime - self._others.ru_stime
        return lane, workers, vmms


class Hostile:
    """A monitor whose guests are hostile, and who listens to it."""

    def __init__(self, number, doorbell, interval, **settings):
        self.number = number
        self.doorbell = doorbell
        self.monitor = Monitor()
        self.monitor.ignore()
        self.monitor.set("interval_ns", interval)
        for name, value in settings.items():
            self.monitor.set(name, value)
        self.poller = Poller(self.monitor)
        self.words = self.rings = 0

    def start(self, seed):
        """A VM. Those of one round have different seeds."""
        return subprocess.Popen([VMM, "-m", self.monitor.uuid, "-d", self.doorbell, "-c", str(VCPUS), "hostile",
                                 str(PHASES), str((2 * seed + self.number) % 2**64)], stdout=subprocess.PIPE, text=True)


class Run:
    """All that was seen."""

    def __init__(self, seed, seconds):
        self.seed = seed
        self.seconds = seconds
        self.rounds = 0
        self.hostiles = (Hostile(0, "ioeventfd", MS),
                         Hostile(1, "exit", 10 * MS, on_unresponsive="backtrace", on_panicked="backtrace",
                                 action_delay_ns=0))
        self.beating, self.silent = Monitor(), Monitor()
        for monitor in (self.beating, self.silent):
            monitor.set("interval_ns", INTERVAL)
        self.elapsed = self.lane = self.workers = self.vmms = 0
        self.uevents = Uevents()

    def say(self, what):
        """For whoever reads the results."""
        print(f"# {what}", flush=True)


def lines_about(uuid):
    """How many lines of the kernel's log name a monitor."""
    with open("/dev/kmsg", "rb", buffering=0) as kmsg:
        os.set_blocking(kmsg.fileno(), False)
        count = 0
        while record := kmsg.read(8192):
            count += uuid.encode() in record
        return count


def without_delays(history):
    """A history less what accuses nobody: a guest that has to share its CPUs with hostile ones beats late."""
    kept = []
    for state in history:
        if not state.startswith("late") and (state != "alive" or kept[-1:] != ["alive"]):
            kept.append(state)
    return kept


def until_accused(monitor):
    """Its last events before it was called unresponsive for the first time, and the next ones."""
    for number, event in enumerate(monitor.events):
        if event.name == "state" and event.new == "unresponsive":
            return monitor.events[max(0, number - 30):number + 10]
    return []


def play_round(run):
    """A guest falls silent beside the hostile ones: the host says so in time, and has counted right."""
    silent, since = run.silent, run.silent.mark()
    vms = [hostile.start(run.seed + run.rounds) for hostile in run.hostiles]
    # One that hangs is found to have said nothing.
    patience = threading.Timer(2 * TIMEOUT, lambda: [vm.kill() for vm in vms])
    patience.start()
    try:
        with Vm(silent, "-d", "ioeventfd", "beat", str(BEATS), "halt") as vm:
            accused = silent.wait_state("unresponsive", since)
            expect(accused.cause, "halted", "why it is silent")
            expect(silent.number("beats"), BEATS, "beats")
            expect([silent.number("outages"), *silent.lives()], [1, 1, 0, 0], "outages, boots, panics, resets")
            # A host that is itself late, as an emulated one may be, says so, and judges when it is not.
            most = TIMEOUT * SEC if "late:host-degraded" in silent.history(since) else 2 * INTERVAL + 20 * MS
            expect_in(accused.run_ns, 2 * INTERVAL, most, "silence on the run clock")
            expect(vm.end(), 0, "status of the VMM")
        silent.wait_state("detached", since)
        expect(without_delays(silent.history(since)), ["waiting", "alive", "unresponsive:halted", "detached:vmm-gone"],
               "its history")
        for hostile, vm in zip(run.hostiles, vms):
            begun = re.fullmatch(r"hostile words=(\d+) rings=(\d+)\n", vm.stdout.readline())
            expect(begun is None, False, "the begin of a hostile guest is missing")
            hostile.words += int(begun[1])
            hostile.rings += int(begun[2])
            for _ in range(VCPUS):
                expect(vm.stdout.readline().split(" ns=")[0], f"hostile count={PHASES}", "the end of a hostile vCPU")
            # It flapped until just now.
            hostile.poller.wait("stopped")
            vm.terminate()
            expect(vm.wait(TIMEOUT), 0, "status of its VMM")
    finally:
        patience.cancel()
        for vm in vms:
            vm.kill()
            vm.wait()
            vm.stdout.close()
    run.rounds += 1


def test_innocent(run):
    """Beside hostile guests one that falls silent is noticed in time, one that beats is alive, and all is counted"""
    begin, cost = time.monotonic(), Cost()
    try:
        with Vm(run.beating, "-d", "ioeventfd", "-c", "2", "beat") as vm:
            while not run.rounds or time.monotonic() < begin + run.seconds:
                play_round(run)
            since = run.beating.mark()
            vm.process.send_signal(signal.SIGUSR2)
            run.beating.wait_state("unresponsive", since)
            expect(vm.end(), 0, "status of the VMM")
        run.beating.wait_state("detached")
        expect(without_delays(run.beating.history()), ["waiting", "alive", "unresponsive:hung", "detached:vmm-gone"],
               "history of who beats")
        beats = [event for event in run.beating.events if event.name == "beat"]
        expect(run.beating.number("beats"), len(beats), "its beats")
    except (AssertionError, Timeout) as error:
        for event in until_accused(run.beating) + run.silent.events[-20:]:
            run.say(f"event: {event}")
        raise AssertionError(f"seed {run.seed + run.rounds}: {error}") from error
    finally:
        run.elapsed = time.monotonic() - begin
        run.lane, run.workers, run.vmms = cost.read()
        run.say(f"{run.rounds} rounds in {run.elapsed:.1f} s")


def test_log(run):
    """Of each hostile guest the log has no more lines than is promised, and one for each outage of another"""
    for hostile in run.hostiles:
        lines, actions = lines_about(hostile.monitor.uuid), hostile.monitor.number("actions")
        run.say(f"hostile guest {hostile.number}: {hostile.words} words, {hostile.rings} rings: {lines} lines, {actions} actions")
        # Besides, one of each kind that says how many were kept back.
        expect_in(lines, 1, (ANNOUNCED + 2) * (run.elapsed / 10 + 2) + actions + 1, "lines of the log")
    outages = [line for line in run.silent.lines() if line.startswith("guest is unresponsive")]
    expect(len(outages), run.rounds, "outages of the innocent in the log")


def test_uevents(run):
    """Each hostile guest causes no more uevents than is promised"""
    run.uevents.end(run.beating)
    for hostile in run.hostiles:
        count, actions = run.uevents.counts.get(hostile.monitor.uuid, 0), hostile.monitor.number("actions")
        run.say(f"hostile guest {hostile.number}: {count} uevents")
        expect_in(count, 1, ANNOUNCED * (run.elapsed / 10 + 2) + actions + 1, "uevents")


def test_notifications(run):
    """Who polls a hostile guest's state is woken at most once in 10 ms, and is told of the last one"""
    for hostile in run.hostiles:
        hostile.poller.wait("detached")
        run.say(f"hostile guest {hostile.number}: {hostile.poller.wakes} notifications, "
                f"{hostile.poller.excess:.1f} more than one in 10 ms")
        expect_in(hostile.poller.wakes, 1, float("inf"), "notifications")
        # One at each end of a stretch, and one that was put off until just before the next.
        expect_in(hostile.poller.excess, 0, 3, "more than one in 10 ms")


def test_cpu(run):
    """The module's thread takes no more than its tenth of a CPU, and workers a quarter of what the VMMs take"""
    run.say(f"seconds: lane {run.lane:.3f}, workers {run.workers:.3f}, VMMs {run.vmms:.3f}")
    expect_in(run.lane, 0, run.elapsed / 10 + 0.1, "seconds of the lane")
    expect_in(run.workers, 0, run.vmms / 4, "seconds of workers")


def test_afterwards(run):
    """The monitor of a hostile guest then serves an honest one as any other does"""
    for hostile in run.hostiles:
        monitor = hostile.monitor
        monitor.set("on_unresponsive", "none")
        monitor.set("interval_ns", INTERVAL)
        with Vm(monitor, "-d", "ioeventfd", "beat", str(BEATS), "halt") as vm:
            hostile.poller.wait("unresponsive")
            expect((monitor.get("cause"), monitor.number("beats"), monitor.number("outages")),
                   ("halted", BEATS, 1), "cause, beats, outages")
            expect(vm.end(), 0, "status of the VMM")
        hostile.poller.wait("detached")
    for monitor in [hostile.monitor for hostile in run.hostiles] + [run.beating, run.silent]:
        monitor.remove()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    run = Run(arguments.seed, arguments.seconds)
    run.say(f"seed {run.seed}")
    sys.exit(play((test_innocent, test_log, test_uevents, test_notifications, test_cpu, test_afterwards), run,
                  lambda lost: None))


if __name__ == "__main__":
    main()
