#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Many guests, most of them innocent, are watched for long, while all sorts of things befall some of them and their host.

    soak_test.py [--seed SEED] [--seconds SECONDS] [--vms VMS] [--workers WORKERS] [--linux GUESTS]

Most guests are those of the minimal VMM. Each worker has a share of them, and does one thing after the other to one of its
guests; the others are left alone. Each Linux guest has a worker of its own, which plays scenarios of matrix.py. Another worker
does to the host what befalls hosts; its guest is a witness of that. What a worker does, and to whom, follows from the seed and
the number of the event alone. After each event the state, the cause, the counters, the configuration,
the log and the trace of the monitor must be what follows from what was really done. Of all guests that are not the victim of
a fault nothing may be said but that they are late. It lasts for as long as it is told, and until each kind of event has
happened.

Runs inside the rig's host; prints TAP, and a sentence with the figures.
"""

import argparse
import collections
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import matrix
from hb import SEC, TOP, GuestError, progress, read, write
from matrix import FAULT, SCENARIOS, Group, Stage, load_host_fault, threads
from run import briefly, expect, expect_in, play
from watched import ACCUSED, PATIENCE, Reports, Watched

VMM = f"{TOP}/build/bin/vmm"
CPUS = "/sys/devices/system/cpu"
# Those who watch are to get their time on a host of which everyone wants more than there is.
NICE = 15


class Slot:
    """A place for a VM, which is there most of the time, and what has become of it."""

    def __init__(self, soak, number):
        self.soak = soak
        self.number = number
        self.monitor = Watched(soak.reports)
        self.guest = None
        self.innocent_since = None
        self.counts = {}
        self.interval = self.factor = self.began = self.then = self.doorbell = self.vcpus = None
        self.image = f"{soak.folder}/{number}"

    def tune(self, interval, factor):
        """Set interval and timeout; factor 0: it follows."""
        self.interval, self.factor = interval, factor
        self.monitor.set("timeout_ns", 0)
        self.monitor.set("interval_ns", interval)
        if factor:
            self.monitor.set("timeout_ns", factor * interval)

    @property
    def timeout(self):
        """The timeout of the moment, ns."""
        return (self.factor or 2) * self.interval

    def begin(self, rng, guest=None, *options):
        """Start a VM whose guest beats, if it is not another one."""
        self.then = rng.choice(("halt", "halt", "halt", "spin"))
        self.began = rng.choice((SEC, 2 * SEC))
        self.doorbell = rng.choice(("exit", "ioeventfd"))
        self.tune(self.began, rng.choice((0, 0, 3)))
        self.counts = {"outages": 0, "boots": 1, "panics": 0, "resets": 0}
        self.monitor.tell("waiting", "alive")
        self.vcpus = rng.choice("1112")
        self.run("-c", self.vcpus, *(options or ["-o", self.image]), *(guest or ["beat", "0", self.then]))

    def run(self, *arguments):
        """Start a VMM, and wait until its guest runs."""
        command = ["nice", "-n", str(NICE), VMM, "-m", self.monitor.uuid, "-d", self.doorbell, *arguments]
        # What the guest shall fail at is no news.
        self.guest = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                      stderr=subprocess.DEVNULL if arguments[-1] == "fail" else None)
        self.expect_line("restored" if "-i" in arguments else "up")
        if "-i" in arguments:
            self.expect_line("up")
        self.innocent_since = time.monotonic()

    def expect_line(self, word):
        """The VMM says so."""
        # One that hangs is found to have said nothing.
        patience = threading.Timer(PATIENCE, self.guest.kill)
        patience.start()
        line = self.guest.stdout.readline()
        patience.cancel()
        expect(line.split()[:1], [word], "the VMM")

    def schedule(self, policy):
        """Have the host's scheduler take all of the VMM's threads for such."""
        for tid in threads(self):
            os.sched_setscheduler(tid, policy, os.sched_param(0))

    def guilty(self):
        """From now on it is no innocent guest."""
        if self.innocent_since is not None:
            self.soak.watched(time.monotonic() - self.innocent_since)
            self.innocent_since = None

    def end(self, number=signal.SIGTERM, cause="vmm-gone"):
        """End the VMM."""
        self.guilty()
        # It stops its vCPUs first, and on a busy host its end takes long.
        self.monitor.may = ("paused:paused",) if number == signal.SIGTERM else ()
        self.monitor.tell(f"detached:{cause}")
        self.guest.send_signal(number)
        self.reap(0 if number == signal.SIGTERM else -number)

    def reap(self, status=0):
        """It ends."""
        expect(self.guest.wait(PATIENCE), status, "status of the VMM")
        self.guest.stdout.close()
        self.guest = None
        self.agree()

    def agree(self):
        """What is said of it is what was done to it."""
        self.monitor.agree()
        expect({name: self.monitor.number(name) for name in self.counts}, self.counts, "counters")
        expect(self.monitor.number("downtime_ns") > 0, self.counts["outages"] > 0, "whether it has had a downtime")
        config = self.monitor.number("interval_ns"), self.monitor.number("timeout_ns")
        expect(config, (self.interval, self.timeout), "interval and timeout")
        if self.monitor.config:
            expect((self.monitor.config.interval_ns, self.monitor.config.timeout_ns), config, "those in the trace")

    def may_be_told_early(self):
        """One CPU stops as much as an interval before the other; and on a busy host it may take longer to know the cause."""
        self.monitor.may = ("unresponsive:unknown",) + (("degraded:partial",) if self.vcpus == "2" else ())

    def silence(self):
        """Its guest falls silent, for which it is blamed."""
        self.guilty()
        self.counts["outages"] += 1
        self.may_be_told_early()
        self.monitor.tell("unresponsive:" + ("hung" if self.then == "spin" else "halted"))
        since = len(self.monitor.states)
        self.guest.send_signal(signal.SIGUSR2)
        self.agree()
        accused = next(event for event in self.monitor.states[since:] if event.new == "unresponsive")
        expect_in(accused.run_ns, self.timeout, PATIENCE * SEC, "silence on the run clock")

    def move(self, worker, *told):
        """The VM goes on by the monitor that the worker has to spare, which has its state and its counters then."""
        self.guest.send_signal(signal.SIGHUP)
        self.expect_line("saved")
        self.end(cause="migrated")
        self.monitor, worker.spare = worker.spare, self.monitor
        self.monitor.tell("waiting", *told)
        self.run("-i", self.image, "-o", self.image)
        os.unlink(self.image)

    def clear(self):
        """Whatever became of it, there is no VM afterwards."""
        self.innocent_since = None
        if self.guest:
            self.guest.kill()
            self.guest.send_signal(signal.SIGCONT)
            self.guest.wait()
            self.guest.stdout.close()
            self.guest = None
        self.soak.reports.catch_up()
        self.monitor.forget()


# What befalls guests. Each begins and ends with a guest that beats, and gets a generator of random numbers of its own.

def begin(worker, slot, rng):
    """A VM is started"""
    slot.begin(rng)


def end(worker, slot, rng):
    """The VM ends, whose guest beats"""
    slot.agree()
    slot.end()


def restart(worker, slot, rng):
    """The VMM ends, or is killed, and another one comes"""
    slot.end(rng.choice((signal.SIGTERM, signal.SIGKILL)))
    slot.begin(rng)


def silence(worker, slot, rng):
    """The guest falls silent"""
    slot.silence()
    time.sleep(rng.uniform(0, 2))
    restart(worker, slot, rng)


def silence_and_move(worker, slot, rng):
    """The guest falls silent, and its VM moves"""
    slot.silence()
    slot.move(worker, slot.monitor.told[-1])
    slot.guilty()
    slot.agree()
    restart(worker, slot, rng)


def resets(worker, slot, rng):
    """A guest falls silent and is reset, again and again"""
    slot.end()
    rounds = rng.randint(2, 3)
    slot.begin(rng, ["beat", "2", "halt"], "-r", str(rounds))
    slot.guilty()
    slot.may_be_told_early()
    slot.counts = {"outages": rounds, "boots": rounds, "panics": 0, "resets": rounds - 1}
    slot.monitor.tell(*["unresponsive:halted", "waiting", "alive"] * (rounds - 1), "unresponsive:halted", "detached:vmm-gone")
    slot.expect_line("rounds")
    slot.reap()
    slot.begin(rng)


def kvm_error(worker, slot, rng):
    """KVM gives the guest up"""
    slot.end()
    slot.begin(rng, ["fail"])
    slot.guilty()
    slot.counts["outages"] = 1
    slot.monitor.tell("unresponsive:kvm-error")
    slot.agree()
    restart(worker, slot, rng)


def move(worker, slot, rng):
    """The VM moves to another monitor"""
    slot.monitor.tell("paused:paused")
    slot.move(worker, "paused:paused", "alive")


def pause(worker, slot, rng):
    """The VMM is stopped by a signal"""
    slot.monitor.tell("paused:paused")
    slot.guest.send_signal(signal.SIGSTOP)
    slot.agree()
    time.sleep(rng.uniform(0, 10))
    slot.monitor.tell("alive")
    slot.guest.send_signal(signal.SIGCONT)


def glimpse(worker, slot, rng):
    """The VMM is stopped by a signal, for so short a time that it may not be noticed"""
    slot.monitor.may = "paused:paused", "alive"
    slot.guest.send_signal(signal.SIGSTOP)
    time.sleep(rng.uniform(0, slot.interval / SEC))
    slot.guest.send_signal(signal.SIGCONT)
    # Until it would have been noticed, or been taken for something else.
    time.sleep(slot.timeout / SEC)
    slot.monitor.has_told()
    if slot.monitor.told[-1] == "paused:paused":
        slot.monitor.tell("alive")


@contextlib.contextmanager
def grouped(slot):
    """A cgroup for its VMM."""
    group = Group(slot)
    try:
        yield group
    finally:
        group.remove()


def freezer(worker, slot, rng):
    """The VMM is frozen by its cgroup"""
    with grouped(slot) as group:
        slot.monitor.tell("paused:paused")
        group.set("cgroup.freeze", 1)
        slot.agree()
        time.sleep(rng.uniform(0, 5))
        slot.monitor.tell("alive")
        group.set("cgroup.freeze", 0)


def quota(worker, slot, rng):
    """The VMM gets next to no CPU time"""
    with grouped(slot) as group:
        group.set("cpu.max", "1000 1000000")
        time.sleep(rng.uniform(1, 5) * slot.timeout / SEC)
        group.set("cpu.max", "max")


@contextlib.contextmanager
def overcommitted(rng):
    """Everyone wants 10 to 20 times the CPUs that there are."""
    count = os.cpu_count() * rng.randint(10, 20)
    hogs = [subprocess.Popen(["nice", "-n", str(NICE), "sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
        expect([hog.poll() for hog in hogs], [None] * count, "programs that spin")
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def starve(worker, slot, rng):
    """The VMM gets only what nobody else wants of a host that is overcommitted"""
    with overcommitted(rng):
        slot.schedule(os.SCHED_IDLE)
        time.sleep(rng.uniform(2, 5) * slot.timeout / SEC)
        slot.schedule(os.SCHED_OTHER)


def retune(worker, slot, rng):
    """Interval and timeout are changed; the guest beats as it began"""
    for _ in range(rng.randint(1, 3)):
        slot.tune(rng.choice((2, 3, 4)) * slot.began // 2, rng.choice((0, 0, 2, 3, 5)))
        slot.agree()


EVENTS = (restart, silence, silence, silence_and_move, resets, kvm_error, move, move, pause, glimpse, freezer, quota, starve,
          retune)


# What befalls the host, and with it a guest that is to notice nothing.

def host_cpu_lost(worker, slot, rng):
    """A CPU goes offline on which the VMM ran, and on no other; the guest beats on, and the CPU comes back"""
    online = read(f"{CPUS}/online")
    for tid in threads(slot):
        os.sched_setaffinity(tid, [1])
    slot.monitor.wait_beats(2)
    write(f"{CPUS}/cpu1/online", 0)
    try:
        expect(read(f"{CPUS}/online").strip(), "0", "CPUs that are online")
        slot.monitor.wait_beats(2)
        time.sleep(rng.uniform(0, 5))
    finally:
        write(f"{CPUS}/cpu1/online", 1)
    expect(read(f"{CPUS}/online"), online, "CPUs that are online again")
    slot.monitor.wait_beats(2)


def host_overcommitted(worker, slot, rng):
    """Everyone wants 10 to 20 times the CPUs that there are"""
    with overcommitted(rng):
        time.sleep(rng.uniform(5, 15))


def host_frozen(worker, slot, rng):
    """No CPU serves an interrupt"""
    write(f"{FAULT}/freeze_ms", rng.randint(100, 3000))
    slot.monitor.wait_beats(2)


HOST_EVENTS = host_cpu_lost, host_overcommitted, host_frozen


def drawn(who, number, kinds):
    """What comes in that place. Each round has all kinds, in an order of its own."""
    played, place = divmod(number, len(kinds))
    return random.Random(f"{who} round {played}").sample(kinds, len(kinds))[place]


class Worker(threading.Thread):
    """Does one thing after the other to its share of the guests."""

    KINDS = EVENTS

    def __init__(self, soak, number, slots):
        super().__init__()
        self.soak = soak
        self.number = number
        self.slots = slots
        self.spare = Watched(soak.reports)
        self.events = 0

    def rng(self, *what):
        """What happens next does not depend on what became of the last."""
        return random.Random(f"{self.soak.seed} {self.number} {what}")

    def begin(self):
        """Start all guests."""
        for slot in self.slots:
            self.attempt(begin, slot, self.rng("begin", slot.number))

    def attempt(self, event, slot, rng):
        """Do it; whether all is as it should be. What is not is kept, and there is no VM for now."""
        try:
            event(self, slot, rng)
            slot.agree()
            return True
        except Exception as error:   # pylint: disable=broad-except
            self.soak.wrong(f"worker {self.number}, event {self.events} ({event.__name__}), VM {slot.number}", error,
                            slot.monitor)
            slot.clear()
            return False

    def rest(self, rng):
        """Before the next event."""

    def run(self):
        while not self.soak.over.is_set() and not self.soak.reports.problem:
            rng = self.rng(self.events)
            self.rest(rng)
            slot = rng.choice(self.slots)
            event = drawn(f"{self.soak.seed} {self.number}", self.events, self.KINDS) if slot.guest else begin
            if self.attempt(event, slot, rng):
                self.soak.count(event.__name__)
            self.events += 1

    def end(self):
        """All guests have been left alone by now."""
        for slot in self.slots:
            if slot.guest:
                self.attempt(end, slot, None)


class HostWorker(Worker):
    """Does one thing after the other to the host."""

    KINDS = HOST_EVENTS

    def __init__(self, soak, slot):
        super().__init__(soak, "host", [slot])
        soak.reports.follow_beats(slot.monitor)

    def rest(self, rng):
        self.soak.over.wait(rng.uniform(5, 20))


class LinuxWorker(threading.Thread):
    """A Linux guest, and scenarios of the matrix that end only when what was expected has been told: faults that end by themselves
    may be over before a busy host has seen enough of them."""

    NAMES = ("all_cpus_halt", "one_cpu_halts", "panic", "qmp_stop", "sigstop", "freezer", "quota", "guest_cpu_offline",
             "retuned")

    def __init__(self, soak, number):
        super().__init__()
        self.soak = soak
        self.number = number
        self.stage = Stage()
        self.stage.monitor.patience = PATIENCE
        # Or after 21 s a CPU complains of one that stands still: interrupts off, and for long on a busy host.
        self.stage.options["append"] += " rcupdate.rcu_cpu_stall_suppress=1"

    def begin(self):
        """Boot it."""
        self.stage.begin()

    def run(self):
        for event in itertools.count():
            if self.soak.over.is_set():
                return
            name = drawn(f"{self.soak.seed} linux {self.number}", event, self.NAMES)
            since = time.monotonic()
            try:
                problem, told = matrix.play(self.stage, name)
            except GuestError as error:
                self.soak.wrong(f"Linux guest {self.number}, event {event} ({name})", error)
                return
            expected = [said for said in SCENARIOS[name][1][0] if said.startswith(ACCUSED)]
            if not expected:
                self.soak.watched(time.monotonic() - since)
            if problem:
                self.soak.wrong(f"Linux guest {self.number}, event {event} ({name})", AssertionError(problem))
                self.soak.accusations += [said for said in told if said.startswith(ACCUSED)][len(expected):]
                # What was begun may go on, and is not to be said again of what comes next.
                self.stage.restart()
            else:
                self.soak.count(f"linux_{name}")

    def close(self):
        """End it."""
        self.stage.guest.close()
        self.stage.monitor.remove()


class Soak:
    """All of it."""

    def __init__(self, arguments):
        self.seed = arguments.seed
        self.seconds = arguments.seconds
        self.reports = Reports()
        self.folder = tempfile.mkdtemp()
        self.over = threading.Event()
        self.counts = collections.Counter()
        self.problems = []
        self.accusations = []
        self._lock = threading.Lock()
        self._watched = 0
        self.slots = [Slot(self, number) for number in range(arguments.vms)]
        others = self.slots[1:]
        self.workers = [HostWorker(self, self.slots[0])]
        self.workers += [Worker(self, number, others[number::arguments.workers]) for number in range(arguments.workers)]
        self.linux = [LinuxWorker(self, number) for number in range(arguments.linux)]

    def count(self, name):
        """Something was done, and nothing else was said of it."""
        with self._lock:
            self.counts[name] += 1

    def never(self):
        """What has not happened."""
        kinds = [kind.__name__ for worker in self.workers for kind in worker.KINDS]
        kinds += [f"linux_{name}" for worker in self.linux for name in worker.NAMES]
        with self._lock:
            return sorted(set(kinds) - set(self.counts))

    def watched(self, seconds):
        """An innocent guest was watched for so long."""
        with self._lock:
            self._watched += seconds

    def vm_seconds(self):
        """For how long innocent guests were watched, in sum."""
        now = time.monotonic()
        going = [slot.innocent_since for slot in self.slots]
        return self._watched + sum(now - since for since in going if since is not None)

    def wrong(self, where, error, monitor=None):
        """What was said is not what was done."""
        with self._lock:
            self.accusations += monitor.false() if monitor else []
            self.problems.append(f"{where}: {briefly(error)}")
        lines = "".join(traceback.format_exception(error)).splitlines() if not isinstance(error, AssertionError) else []
        for line in [f"{where}: {error}", *lines, *map(repr, monitor.states[-10:] if monitor else [])]:
            progress(line)

    def figures(self):
        """How far it is."""
        return (f"{self.vm_seconds():.0f} VM-seconds, {sum(self.counts.values())} events, {len(self.accusations)} false verdicts, "
                f"{len(self.problems)} disagreements")

    def play(self):
        """From the first guest to the last one."""
        begin = time.monotonic()
        together(worker.begin for worker in self.linux + self.workers)
        progress(f"{len(self.slots)} VMs and {len(self.linux)} Linux guests run after {time.monotonic() - begin:.0f} s")
        for thread in self.workers + self.linux:
            thread.start()
        end = time.monotonic() + self.seconds
        while not self.reports.problem:
            left = end - time.monotonic()
            # What is wrong may be why it never happens.
            if left <= 0 and (self.problems or not self.never()):
                break
            time.sleep(min(20, left) if left > 0 else 1)
            if left > 0:
                progress(self.figures())
        self.over.set()
        for thread in self.workers + self.linux:
            thread.join()
        together(worker.end for worker in self.workers)
        for what, counts in ("events", self.counts), ("told", self.reports.told):
            progress(f"{what}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))

    def close(self):
        """Remove all."""
        for slot in self.slots:
            slot.clear()
            slot.monitor.remove()
        for worker in self.workers:
            worker.spare.remove()
        for worker in self.linux:
            worker.close()


def together(functions):
    """Do all of that at the same time."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_innocent(soak):
    """No guest is accused of what it has not done"""
    expect_in(soak.vm_seconds(), 1, float("inf"), "VM-seconds")
    expect(soak.accusations, [], "false verdicts")


def test_agree(soak):
    """State, cause, counters, configuration, log and trace are what follows from what was done"""
    expect_in(sum(soak.counts.values()), 1, float("inf"), "events")
    expect(soak.problems, [], "disagreements")


def test_never(soak):
    """All has happened that may befall guests and their host"""
    expect(soak.never(), [], "what has not")


def test_host(soak):
    """The host's kernel has nothing to complain of, and nothing that was reported was lost"""
    expect(soak.reports.problem, None, "reports")
    expect(soak.reports.trouble, [], "log")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--vms", type=int, default=500)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--linux", type=int, default=2)
    arguments = parser.parse_args()
    progress(f"seed {arguments.seed}")
    os.nice(-NICE)
    load_host_fault()
    soak = Soak(arguments)
    # A thread that dies says nothing more: it must not seem that all was well.
    threading.excepthook = lambda died: soak.wrong(died.thread.name, died.exc_value)
    soak.play()
    failed = play((test_innocent, test_agree, test_never, test_host), soak, lambda lost: None)
    # If there was none, the true rate is below 3 / n at 95 % (rule of three).
    seconds = soak.vm_seconds()
    progress(f"seed {soak.seed}: {len(soak.slots)} VMs and {len(soak.linux)} Linux guests, {seconds:.0f} VM-seconds, "
             f"{sum(soak.counts.values())} events, {len(soak.accusations)} false verdicts" +
             ("" if soak.accusations else f": at 95 % fewer than one in {seconds / 3:.0f} VM-seconds"))
    soak.close()
    sys.exit(failed)


if __name__ == "__main__":
    main()
