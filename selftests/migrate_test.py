#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A VM and its monitor move: migrations, snapshots, files. Runs inside the rig's host; prints TAP.

    migrate_test.py [brief | TEST...]

One guest, which beats every 100 ms, goes back and forth between two monitors of one host, by a QEMU that knows
VFIO's present protocol, with the options that QEMU has by default. Judged are the whole histories of both monitors.
`brief` leaves out what does not depend on the host's kernel.
"""

import os
import subprocess
import sys
import traceback

from hb import MS, OUT, SEC, Guest, GuestError, progress, save
from monitor import Monitor
from run import FAULT, FAULT_KO, GUEST_KO, as_outage, expect, expect_in

QEMU = os.environ["KVMHB_QEMU"]
URI = "unix:/tmp/migration"
INTERVAL = 100 * MS
# Long enough that the load of a migration does not make an accusation of an emulated guest's delays.
TIMEOUT_NS = 8 * SEC


def without_late(history):
    """A history without what a busy machine makes of it: late for a moment, and alive again."""
    history = [state for state in as_outage(history) if state != "late"]
    return [state for number, state in enumerate(history) if number == 0 or history[number - 1] != state]


def lines_without_late(monitor, since):
    """The lines of a monitor's log, likewise: each once."""
    lines = [line for line in monitor.log()[since:] if not line.startswith(("guest is late", "guest is alive, gone"))]
    return [line for number, line in enumerate(lines) if line not in lines[:number]]


class Vm:
    """The VM, and the two monitors between which it moves."""

    def __init__(self):
        self.here, self.there = Monitor(), Monitor()
        self.disk = os.path.join(OUT, "snapshots.qcow2")
        self.here.set("interval_ns", INTERVAL)
        self.here.set("timeout_ns", TIMEOUT_NS)
        self.guest = self.launch(self.here)

    def launch(self, monitor, *args):
        """Start a QEMU for the VM, on a monitor."""
        return Guest(cpus=2, memory="128M", append="panic=0 rcupdate.rcu_cpu_stall_suppress=1", qemu=QEMU,
                     devices=[monitor.device], args=args)

    def target(self, uri=URI):
        """Start a QEMU, on the other monitor, that waits for the VM."""
        guest = self.launch(self.there, "-incoming", "defer")
        guest.qmp("migrate-incoming", uri=uri)
        return guest

    def begin(self, uri=URI):
        """Begin a migration. How it goes is told of this one alone, and not of those before."""
        self.guest.qmp("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        self.guest.forget_events("MIGRATION")
        self.guest.qmp("migrate", uri=uri)

    def migration_ends(self):
        """Wait for a migration to end: how it did."""
        while True:
            status = self.guest.qmp_event("MIGRATION")["status"]
            if status in ("completed", "failed", "cancelled"):
                return status

    def moved(self, guest):
        """The VM lives in another QEMU, on the other monitor."""
        self.guest.qmp("quit")
        self.guest.wait_exit()
        self.guest.close()
        self.guest = guest
        self.here, self.there = self.there, self.here

    def migrate(self, runs=True):
        """Move the VM to the other monitor: the histories of both since it began, source and target."""
        source, target = self.here, self.there
        since, to = source.mark(), target.mark()
        log, to_log = len(source.log()), len(target.log())
        guest = self.target()
        self.begin()
        expect(self.migration_ends(), "completed", f"migration, of {self.guest.qmp('query-migrate')}")
        if runs:
            guest.qmp_event("RESUME")
        self.moved(guest)
        target.mark()
        source.wait_state("detached", since, cause="migrated")

        expect(lines_without_late(source, log), ["guest is detached (migrated)"], "the source's log")
        told = lines_without_late(target, to_log)
        expect(told[0], "guest is waiting", "the target's log, of its start")
        goes_on = without_late(target.history(to))[-1].partition(":")[0]
        expect([line.split(",")[0].split(" (")[0] for line in told[1:]],
               [] if goes_on == "paused" else [f"guest is {goes_on}"], "the target's log")
        for name in "interval_ns", "timeout_ns", "outages":
            expect(target.number(name), source.number(name), name)
        return without_late(source.history(since)), without_late(target.history(to))

    def counts_go_on(self, since):
        """The first beat here, after a mark, is the one after the last there."""
        before = self.there.number("beats")
        first = self.here.wait_event("beat", since)
        expect(first.beats, before + 1, "number of the first beat")
        self.here.wait_beats(5, since=since)
        expect_in(self.here.number("missed"), self.there.number("missed"), self.there.number("missed") + 600, "missed")


def test_alive(vm, times=13):
    """A guest that is alive goes there and back, time and again; it and its counters go on"""
    for number in range(times):
        since = vm.there.mark()
        gaps = vm.here.number("interval_max_ns")
        seen = vm.migrate()
        expect(seen, (["paused:paused", "detached:migrated"], ["waiting", "paused:paused", "alive"]), "histories")
        vm.counts_go_on(since)
        expect_in(vm.here.number("interval_max_ns"), gaps, 60 * SEC, "longest gap, which outlives the move")
        progress(f"migration {number + 1} of {times}")
    said = [line for line in vm.guest.run("dmesg").splitlines() if "kvm_heartbeat_guest" in line]
    expect(said, [], "what the guest's driver says of it")


def test_alive_once(vm):
    """A guest that is alive goes there and back; it and its counters go on"""
    test_alive(vm, 2)


def test_degraded(vm):
    """A guest that is degraded is so at once where it goes, by the same CPUs"""
    since = vm.here.mark()
    vm.guest.run(f"echo 45000 > {FAULT}/last_ms")
    vm.guest.send(f"taskset 1 sh -c 'echo 1 > {FAULT}/spin'")
    vm.here.wait_state("degraded", since, cause="partial")
    expect(vm.here.get("stale_vcpus"), "1", "stale CPUs of the source")
    to = vm.there.mark()
    expect(vm.migrate(), (["paused:paused", "detached:migrated"], ["waiting", "paused:paused", "degraded:partial"]),
           "histories")
    expect(vm.here.get("stale_vcpus"), "1", "stale CPUs of the target")
    vm.here.wait_state("alive", to)
    expect(without_late(vm.here.history(to)), ["waiting", "paused:paused", "degraded:partial", "alive"])


def test_unresponsive(vm):
    """A guest that hangs goes on being unresponsive where it goes: one outage, whose time goes on"""
    since = vm.here.mark()
    vm.guest.send(f"echo 45000 > {FAULT}/freeze_ms")
    vm.here.wait_state("unresponsive", since)
    outages = vm.here.number("outages")
    to = vm.there.mark()
    expect(vm.migrate(), (["detached:migrated"], ["waiting", "unresponsive:hung"]), "histories")
    downtime = vm.there.number("downtime_ns")
    expect_in(vm.here.number("downtime_ns"), downtime, downtime + 60 * SEC, "downtime, which goes on")
    alive = vm.here.wait_state("alive", to)
    expect(without_late(vm.here.history(to)), ["waiting", "unresponsive:hung", "alive"])
    expect(vm.here.number("outages"), outages, "outages")
    expect_in(vm.here.number("downtime_ns"), downtime, downtime + (alive.time + 60) * SEC, "downtime")
    vm.here.wait_beats(2)


def test_paused(vm):
    """A VM that its VMM pauses is paused at once; it moves as it is, and is alive when it goes on"""
    since = vm.here.mark()
    for _ in range(5):
        vm.guest.qmp("stop")
        expect(vm.here.get("state"), "paused", "the state at once")
        vm.guest.qmp("cont")
        expect_in(vm.here.get("state"), "alive", "late", "the state at once")
    vm.guest.qmp("stop")
    accused = [state for state in vm.here.history(since) if state.split(":")[0] not in ("paused", "alive", "late")]
    expect(accused, [], "what else was said")
    to = vm.there.mark()
    expect(vm.migrate(runs=False), (["detached:migrated"], ["waiting", "paused:paused"]), "histories")
    # Nothing is judged however long that lasts.
    vm.here.set("timeout_ns", 200 * MS)
    vm.here.set("timeout_ns", TIMEOUT_NS)
    vm.guest.qmp("cont")
    vm.here.wait_beats(2, since=to)
    expect(without_late(vm.here.history(to)), ["waiting", "paused:paused", "alive"])


def test_retuned(vm):
    """A retuning that is under way completes where the VM goes"""
    vm.guest.qmp("stop")
    vm.here.set("interval_ns", 2 * INTERVAL)
    to = vm.there.mark()
    expect(vm.migrate(runs=False), (["detached:migrated"], ["waiting", "paused:paused"]), "histories")
    expect(vm.here.number("interval_ns"), 2 * INTERVAL)
    vm.guest.qmp("cont")
    vm.here.wait_beats(8, since=to)
    gaps = [event.gap_ns for event in vm.here.events[to:] if event.name == "beat"]
    expect_in(min(gaps[3:]), INTERVAL * 3 // 2, 60 * SEC, f"gaps by the new interval, which are {gaps}")
    # And the other way, by the interrupt.
    since = vm.here.mark()
    vm.here.set("interval_ns", INTERVAL)
    vm.here.wait_beats(8, since=since)
    expect([state for state in vm.here.history(to) if state.startswith("unresponsive")], [], "accusations")


def test_stopped(vm):
    """A guest that said goodbye is still gone where it goes; it may arm there"""
    since = vm.here.mark()
    vm.guest.run("rmmod kvm_heartbeat_guest")
    vm.here.wait_state("stopped", since, cause="unload")
    to = vm.there.mark()
    expect(vm.migrate(), (["detached:migrated"], ["waiting", "stopped:unload"]), "histories")
    vm.guest.run(f"insmod {GUEST_KO}")
    vm.here.wait_beats(2, since=to)
    expect(without_late(vm.here.history(to)), ["waiting", "stopped:unload", "alive"])


def test_cancelled(vm, times=5):
    """A migration that is cancelled, or whose target dies, leaves the source alive, and not late in between"""
    for number in range(times):
        since, to = vm.here.mark(), vm.there.mark()
        lines = len(vm.here.log())
        target = vm.target()
        dies = number % 2
        if not dies:
            vm.guest.qmp("migrate-set-parameters", **{"max-bandwidth": 100 << 10})
        vm.begin()
        while vm.guest.qmp_event("MIGRATION")["status"] != "active":
            pass
        if dies:
            target.kill()
        else:
            vm.guest.qmp("migrate_cancel")
        expect(vm.migration_ends(), "failed" if dies else "cancelled", "migration")
        vm.guest.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        target.wait_exit()
        target.close()
        vm.there.wait_state("detached", to)
        vm.here.wait_beats(3)
        history = without_late(vm.here.history(since))
        expect(history in ([], ["paused:paused", "alive"]), True, f"the source's history, which is {history},")
        expect([line for line in vm.here.log()[lines:] if "detached" in line], [], "in the log")
        expect(vm.there.history(to), ["waiting", "detached:vmm-gone"], "the target's history")
        progress(f"cancelled {number + 1} of {times}")


def test_cancelled_once(vm):
    """A migration that is cancelled, or whose target dies, leaves the source alive"""
    test_cancelled(vm, 2)


def test_cancelled_late(vm):
    """A migration that fails when the VM has stopped already leaves the source alive, and not late in between"""
    since, to = vm.here.mark(), vm.there.mark()
    target = vm.target()
    vm.guest.qmp("migrate-set-capabilities", capabilities=[{"capability": "pause-before-switchover", "state": True}])
    vm.begin()
    while vm.guest.qmp_event("MIGRATION")["status"] != "pre-switchover":
        pass
    vm.here.wait_state("paused", since)
    vm.guest.qmp("migrate_cancel")
    expect(vm.migration_ends(), "cancelled", "migration")
    vm.guest.qmp("migrate-set-capabilities", capabilities=[{"capability": "pause-before-switchover", "state": False}])
    vm.here.wait_state("alive", since)
    vm.here.wait_beats(3)
    expect(without_late(vm.here.history(since)), ["paused:paused", "alive"], "the source's history")
    expect(as_outage(vm.here.history(since))[:2], ["paused:paused", "alive"], "what follows the pause")
    target.wait_exit()
    target.close()
    vm.there.wait_state("detached", to)


def test_snapshot(vm):
    """A snapshot is taken and gone back to: the guest is younger then, and so is what its monitor says of it"""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", vm.disk, "1G"], check=True)
    vm.guest.qmp("blockdev-add", **{"node-name": "disk", "driver": "qcow2",
                                    "file": {"driver": "file", "filename": vm.disk}})
    since = vm.here.mark()
    vm.guest.qmp("human-monitor-command", **{"command-line": "savevm one"})
    vm.here.wait_beats(5, since=since)
    expect(without_late(vm.here.history(since)), ["paused:paused", "alive"], "savevm")
    first = next(event for event in vm.here.events[since:] if event.name == "state" and event.new == "paused")
    then = [event for event in vm.here.events[:vm.here.events.index(first)] if event.name == "beat"][-1].beats
    vm.here.wait_beats(20)
    outages = vm.here.number("outages")
    back = vm.here.mark()
    vm.guest.qmp("human-monitor-command", **{"command-line": "loadvm one"})
    alive = vm.here.wait_state("alive", back)
    beat = vm.here.wait_event("beat", vm.here.events.index(alive))
    # One that was under way when the VM stopped counts too.
    expect_in(beat.beats, then + 1, then + 2, "number of the first beat, as then")
    expect(without_late(vm.here.history(back)), ["paused:paused", "waiting", "paused:paused", "alive"], "loadvm")
    expect(vm.here.number("outages"), outages, "outages")
    expect_in(vm.here.number("timeout_ns"), TIMEOUT_NS, TIMEOUT_NS, "timeout")
    # Retuning is understood: no generation of the configuration came back.
    vm.here.set("interval_ns", 2 * INTERVAL)
    vm.here.wait_beats(8)
    vm.here.set("interval_ns", INTERVAL)
    vm.here.wait_beats(8)
    expect([state for state in vm.here.history(back) if state.startswith("unresponsive")], [], "accusations")


def test_file(vm):
    """A VM is saved to a file; much later it goes on on another monitor as if nothing had been"""
    path = f"file:{OUT}/saved-vm"
    since = vm.here.mark()
    vm.begin(path)
    expect(vm.migration_ends(), "completed", "migration")
    vm.guest.qmp("quit")
    vm.guest.wait_exit()
    vm.guest.close()
    vm.here.wait_state("detached", since)
    expect(without_late(vm.here.history(since)), ["paused:paused", "detached:migrated"], "the source's history")
    beats = vm.here.number("beats")
    vm.here, vm.there = vm.there, vm.here
    to = vm.here.mark()
    vm.guest = vm.launch(vm.here, "-incoming", "defer")
    vm.guest.qmp("migrate-incoming", uri=path)
    vm.here.wait_state("alive", to)
    expect(vm.here.wait_event("beat", to).beats, beats + 1, "number of the first beat")
    vm.here.wait_beats(5, since=to)
    expect(without_late(vm.here.history(to)), ["waiting", "paused:paused", "alive"], "the target's history")


def test_two_devices(_):
    """A VM with two devices moves with both"""
    sources, targets = [Monitor(), Monitor()], [Monitor(), Monitor()]
    for monitor in sources:
        monitor.set("timeout_ns", TIMEOUT_NS)
    options = {"cpus": 1, "memory": "128M", "append": "panic=0", "qemu": QEMU}
    devices = [[monitor.device.replace("id=hb", f"id=hb{number}") for number, monitor in enumerate(monitors)]
               for monitors in (sources, targets)]
    with Guest(devices=devices[0], **options) as guest:
        guest.wait_boot()
        guest.run(f"insmod {GUEST_KO}")
        armed = [monitor for monitor in sources if monitor.get("state") == "alive"]
        expect_in(len(armed), 1, 2, "devices that the guest's driver has bound")
        with Guest(devices=devices[1], args=["-incoming", "defer"], **options) as target:
            target.qmp("migrate-incoming", uri=URI)
            guest.qmp("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
            guest.qmp("migrate", uri=URI)
            target.qmp_event("RESUME")
            guest.qmp("quit")
            guest.wait_exit()
            for source, to in zip(sources, targets):
                source.wait_state("detached", cause="migrated")
                if source in armed:
                    to.wait_state("alive")
                to.mark()
                states = ["waiting", "paused:paused", "alive"] if source in armed else ["waiting"]
                expect(without_late(to.history()), states, "the target's history")
                expect(to.number("beats") >= source.number("beats"), True, "beats go on")
    for monitor in sources + targets:
        monitor.wait_state("detached")
        monitor.remove()


def test_panicked(vm):
    """A guest that panicked is still so where it goes"""
    since = vm.here.mark()
    vm.guest.send("echo c > /proc/sysrq-trigger")
    vm.here.wait_state("panicked", since)
    expect(vm.migrate(), (["detached:migrated"], ["waiting", "panicked:panic"]), "histories")


def test_old_qemu(vm):
    """A QEMU that knows only the old protocol, as Debian 12's, refuses to migrate the VM, and says why"""
    guest = Guest(cpus=1, memory="64M", devices=[vm.there.device])
    with guest:
        try:
            guest.qmp("migrate", uri="exec:cat >/dev/null")
        except GuestError as error:
            if "VFIO device doesn't support migration" not in str(error):
                raise
        else:
            raise AssertionError("it began to migrate the VM")


ALL = ["alive", "degraded", "unresponsive", "paused", "retuned", "stopped", "cancelled", "cancelled_late", "snapshot",
       "file", "panicked", "two_devices", "old_qemu"]
BRIEF = ["alive_once", "paused", "cancelled_once", "cancelled_late", "file", "panicked"]


def main():
    """Run the tests one after the other, on the same VM."""
    chosen = sys.argv[1:]
    names = ALL if not chosen else BRIEF if chosen == ["brief"] else chosen
    tests = [globals()[f"test_{name}"] for name in names]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    vm = Vm()
    vm.guest.wait_boot()
    vm.guest.run(f"insmod {GUEST_KO} && insmod {FAULT_KO} && dmesg -c >/dev/null")
    vm.here.wait_beats(2)
    failed = lost = False
    for number, test in enumerate(tests, start=1):
        name = f"{number} {test.__doc__}"
        if lost:
            print(f"not ok {name} # the VM was lost before", flush=True)
            continue
        try:
            test(vm)
            print(f"ok {name}", flush=True)
        except Exception as error:   # pylint: disable=broad-except
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            for monitor in vm.here, vm.there:
                events = [event for event in monitor.events if event.name != "beat"]
                print("".join(f"# event: {event}\n" for event in events[-15:]), end="")
            print(f"not ok {name}", flush=True)
            failed = True
            lost = not isinstance(error, AssertionError)
    save("migrate-trace.log", vm.here.events + vm.there.events)
    vm.guest.close()
    for monitor in vm.here, vm.there:
        monitor.remove()
    sys.exit(failed)


if __name__ == "__main__":
    main()
