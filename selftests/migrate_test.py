#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A VM and its monitor move: migrations, snapshots, files. Runs inside the rig's host; prints TAP.

    migrate_test.py [brief | TEST...]
    migrate_test.py many N CANCELLED

One guest, which beats every 100 ms, goes back and forth between two monitors of one host, by a QEMU that knows
VFIO's present protocol, with the options that QEMU has by default. Judged are the whole histories of both monitors.
`brief` leaves out what does not depend on the host's kernel. `many` migrates N times in a row, each judged as in
test_alive, and in between begins CANCELLED migrations that do not come to their end, judged as in test_cancelled.
"""

import os
import statistics
import subprocess
import sys
import time
import traceback

from hb import MS, OUT, SEC, Guest, GuestError, progress, save
from monitor import Monitor
from run import FAULT, FAULT_KO, GUEST_KO, as_outage, expect, expect_in, play

QEMU = os.environ["KVMHB_QEMU"]
URI = "unix:/tmp/migration"
INTERVAL = 100 * MS
# Long enough that the load of a migration does not make an accusation of an emulated guest's delays.
TIMEOUT_NS = 8 * SEC


def without_late(history):
    """A history without what a busy machine makes of it: late for a moment, and alive again."""
    history = [state for state in as_outage(history) if state != "late"]
    return [state for number, state in enumerate(history) if number == 0 or history[number - 1] != state]


def history_of(monitor, since):
    """The history of a monitor since a mark, likewise: who was late then is alive."""
    history, known = monitor.history(), sum(event.name == "state" for event in monitor.events[:since])
    before = ["alive" if state.startswith("late") else state for state in history[:known][-1:]]
    return without_late(before + history[known:])[len(before):]


def lines_without_late(monitor, since):
    """The lines of a monitor's log, likewise: each once."""
    lines = [line for line in monitor.log()[since:] if not line.startswith(("guest is late", "guest is alive, gone"))]
    return [line for number, line in enumerate(lines) if line not in lines[:number]]


class Vm:
    """The VM, and the two monitors between which it moves."""

    def __init__(self, boots=True):
        self.here, self.there = Monitor(), Monitor()
        self.disk = os.path.join(OUT, "snapshots.qcow2")
        self.downtimes = []     # of the migrations, in ms, as QEMU says
        self.guest = None
        if boots:
            self.here.set("interval_ns", INTERVAL)
            self.here.set("timeout_ns", TIMEOUT_NS)
            self.guest = self.launch(self.here)
            self.guest.wait_boot()
            self.guest.run(f"insmod {GUEST_KO} && insmod {FAULT_KO} && dmesg -c >/dev/null")
            self.here.wait_beats(2)

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
        self.downtimes.append(self.guest.qmp("query-migrate")["downtime"])
        if runs:
            guest.qmp_event("RESUME")
        self.moved(guest)
        target.mark()
        source.wait_state("detached", since, cause="migrated")

        expect(lines_without_late(source, log), ["guest is detached (migrated)"], "the source's log")
        told = lines_without_late(target, to_log)
        expect(told[0], "guest is waiting", "the target's log, of its start")
        goes_on = history_of(target, to)[-1].partition(":")[0]
        expect([line.split(",")[0].split(" (")[0] for line in told[1:]],
               [] if goes_on == "paused" else [f"guest is {goes_on}"], "the target's log")
        for name in "interval_ns", "timeout_ns", "outages", "boots", "panics", "resets":
            expect(target.number(name), source.number(name), name)
        return history_of(source, since), history_of(target, to)

    def save(self, path):
        """Save the VM to a file; its QEMU ends: the monitor's history meanwhile."""
        since = self.here.mark()
        self.begin(f"file:{path}")
        expect(self.migration_ends(), "completed", f"migration, of {self.guest.qmp('query-migrate')}")
        self.guest.qmp("quit")
        self.guest.wait_exit()
        self.guest.close()
        self.here.wait_state("detached", since, cause="migrated")
        return history_of(self.here, since)

    def restore(self, path):
        """A VM that was saved goes on, on the other monitor: its mark before that."""
        self.here, self.there = self.there, self.here
        to = self.here.mark()
        self.guest = self.launch(self.here, "-incoming", "defer")
        self.guest.qmp("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        self.guest.qmp("migrate-incoming", uri=f"file:{path}")
        expect(self.migration_ends(), "completed", "what QEMU says of what comes in")
        return to

    def counts_go_on(self, since):
        """The first beat here, after a mark, is the one after the last there."""
        before = self.there.number("beats")
        first = self.here.wait_event("beat", since)
        expect(first.beats, before + 1, "number of the first beat")
        self.here.wait_beats(5, since=since)
        expect_in(self.here.number("missed"), self.there.number("missed"), self.there.number("missed") + 600, "missed")


def migrate_alive(vm):
    """A migration of a guest that is alive, which the guest and its counters do not notice."""
    since = vm.there.mark()
    gaps = vm.here.number("interval_max_ns")
    seen = vm.migrate()
    expect(seen, (["paused:paused", "detached:migrated"], ["waiting", "paused:paused", "alive"]), "histories")
    vm.counts_go_on(since)
    expect_in(vm.here.number("interval_max_ns"), gaps, 60 * SEC, "longest gap, which outlives the move")


def guest_noticed_nothing(vm):
    """The guest's driver has said nothing since it was loaded."""
    said = [line for line in vm.guest.run("dmesg").splitlines() if "kvm_heartbeat_guest" in line]
    expect(said, [], "what the guest's driver says of it")


def test_alive(vm, times=13):
    """A guest that is alive goes there and back, time and again; it and its counters go on"""
    for number in range(times):
        migrate_alive(vm)
        progress(f"migration {number + 1} of {times}")
    guest_noticed_nothing(vm)


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
    expect(history_of(vm.here, to), ["waiting", "paused:paused", "degraded:partial", "alive"])


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
    expect(history_of(vm.here, to), ["waiting", "unresponsive:hung", "alive"])
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
    expect(history_of(vm.here, to), ["waiting", "paused:paused", "alive"])


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
    expect(history_of(vm.here, to), ["waiting", "stopped:unload", "alive"])


def cancel(vm, dies, late=False):
    """A migration that is cancelled, or whose target dies: early, or when the VM has stopped already."""
    since, to = vm.here.mark(), vm.there.mark()
    lines = len(vm.here.log())
    target = vm.target()
    vm.guest.qmp("migrate-set-capabilities", capabilities=[{"capability": "pause-before-switchover", "state": late}])
    if not late:
        vm.guest.qmp("migrate-set-parameters", **{"max-bandwidth": 100 << 10})
    vm.begin()
    while vm.guest.qmp_event("MIGRATION")["status"] != ("pre-switchover" if late else "active"):
        pass
    if late:
        vm.here.wait_state("paused", since)
    if dies:
        target.kill()
        target.wait_exit()
        if late:
            vm.guest.qmp("migrate-continue", state="pre-switchover")
    else:
        vm.guest.qmp("migrate_cancel")
    expect(vm.migration_ends(), "failed" if dies else "cancelled", "migration")
    vm.guest.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
    vm.guest.qmp("migrate-set-capabilities", capabilities=[{"capability": "pause-before-switchover", "state": False}])
    target.wait_exit()
    target.close()
    vm.there.wait_state("detached", to)
    if late:
        vm.here.wait_state("alive", since)
    vm.here.wait_beats(3)
    history = history_of(vm.here, since)
    expect(history in (["paused:paused", "alive"], ["paused:paused", "alive"] if late else []), True,
           f"the source's history, which is {history},")
    history = as_outage(vm.here.history(since))
    expect([then for state, then in zip(history, history[1:]) if state == "paused:paused"],
           ["alive"] * history.count("paused:paused"), "what follows the pause")
    expect([line for line in vm.here.log()[lines:] if "detached" in line], [], "in the log")
    expect(vm.there.history(to), ["waiting", "detached:vmm-gone"], "the target's history")


def test_cancelled(vm, times=5):
    """A migration that is cancelled, or whose target dies, leaves the source alive, and not late in between"""
    for number in range(times):
        cancel(vm, dies=number % 2)
        progress(f"cancelled {number + 1} of {times}")


def test_cancelled_once(vm):
    """A migration that is cancelled, or whose target dies, leaves the source alive"""
    test_cancelled(vm, 2)


def test_cancelled_late(vm):
    """A migration that fails when the VM has stopped already leaves the source alive, and not late in between"""
    cancel(vm, dies=False, late=True)


def test_snapshot(vm):
    """A snapshot is taken and gone back to: the guest is younger then, and so is what its monitor says of it"""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", vm.disk, "1G"], check=True)
    vm.guest.qmp("blockdev-add", **{"node-name": "disk", "driver": "qcow2",
                                    "file": {"driver": "file", "filename": vm.disk}})
    since = vm.here.mark()
    vm.guest.qmp("human-monitor-command", **{"command-line": "savevm one"})
    vm.here.wait_beats(5, since=since)
    expect(history_of(vm.here, since), ["paused:paused", "alive"], "savevm")
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
    expect(history_of(vm.here, back), ["paused:paused", "waiting", "paused:paused", "alive"], "loadvm")
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
    path = f"{OUT}/saved-vm"
    expect(vm.save(path), ["paused:paused", "detached:migrated"], "the source's history")
    beats = vm.here.number("beats")
    to = vm.restore(path)
    vm.here.wait_state("alive", to)
    expect(vm.here.wait_event("beat", to).beats, beats + 1, "number of the first beat")
    vm.here.wait_beats(5, since=to)
    expect(history_of(vm.here, to), ["waiting", "paused:paused", "alive"], "the target's history")


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


def explain(vm):
    """Say what failed, and what the monitors saw of late."""
    print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
    for monitor in vm.here, vm.there:
        events = [event for event in monitor.events if event.name != "beat"]
        print("".join(f"# event: {event}\n" for event in events[-15:]), end="", flush=True)


def end(vm):
    """Leave the trace, and nothing else."""
    save("migrate-trace.log", vm.here.events + vm.there.events)
    if vm.guest:
        vm.guest.close()
    for monitor in vm.here, vm.there:
        monitor.remove()


def many(number, cancelled):
    """Migration after migration; those that do not come to their end are spread evenly among them."""
    print("TAP version 13\n1..1", flush=True)
    begin = time.monotonic()
    vm = Vm()
    done, right = [0, 0], [0, 0]        # migrations, cancelled ones
    try:
        for step in range(number + cancelled):
            kind = int((step + 1) * cancelled // (number + cancelled) > done[1])
            try:
                if kind:
                    # Two in four die, and one in four of each is late.
                    cancel(vm, dies=done[1] % 2, late=done[1] % 8 in (2, 7))
                else:
                    migrate_alive(vm)
                right[kind] += 1
            except AssertionError:
                explain(vm)
            done[kind] += 1
            if sum(done) % 10 == 0:
                progress(f"{right[0]} of {done[0]} migrations and {right[1]} of {done[1]} cancelled ones were right, "
                         f"{time.monotonic() - begin:.0f} s")
        guest_noticed_nothing(vm)
        expect([monitor.number("outages") for monitor in (vm.here, vm.there)], [0, 0], "outages")
        as_it_should = right == [number, cancelled]
    except Exception:   # pylint: disable=broad-except
        explain(vm)
        as_it_should = False
    downtimes = vm.downtimes or [0]
    end(vm)
    print(f"{'' if as_it_should else 'not '}ok 1 {right[0]} of {number} migrations and {right[1]} of {cancelled} cancelled "
          f"ones were right; downtime {min(downtimes)} to {max(downtimes)} ms, median "
          f"{statistics.median(downtimes):.0f} ms; {time.monotonic() - begin:.0f} s", flush=True)
    sys.exit(not as_it_should)


def main():
    """Run the tests one after the other, on the same VM."""
    chosen = sys.argv[1:]
    if chosen[:1] == ["many"]:
        many(int(chosen[1]), int(chosen[2]))
    names = ALL if not chosen else BRIEF if chosen == ["brief"] else chosen
    tests = [globals()[f"test_{name}"] for name in names]
    vm = Vm()
    failed = play(tests, vm, lambda lost: explain(vm))
    end(vm)
    sys.exit(failed)


if __name__ == "__main__":
    main()
