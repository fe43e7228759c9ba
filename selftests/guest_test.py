#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A real guest, watched by the host module. Runs inside the rig's host; prints TAP.

    guest_test.py [6.1 | 6.12] [brief | TEST...]

Two VMs live through what guests live through, in the order below: a test begins where the one before it
ended. Judged are the whole histories of states, from the trace, and the trace's own times. `brief` leaves
out what depends on one side's kernel alone. TEST is a name of the list below, as in: reset kexec.
The number is the guest's kernel, one of those that `host` was given.
"""

import glob
import os
import re
import signal
import sys
import tempfile
import traceback

import files
from hb import MS, SEC, TOP, kernels, read, save, series
from monitor import TRACING, TYPE, Monitor
from run import (BLOCKED, DRIVER, FAULT, FAULT_KO, GUEST_KO, PARAMETERS, Run, as_outage, dynamic, expect, expect_in,
                 play, vms, test_kexec, test_reboot)   # pylint: disable=unused-import


def test_waiting_until_the_driver_comes(run):
    """A VM whose guest has no driver is waiting, however long its boot takes"""
    expect(run.monitor.history(), [])
    expect(run.monitor.get("state"), "detached")
    run.start()
    attach = run.monitor.wait_event("attach")
    expect((attach.pid, attach.kvm, attach.vcpus), (run.guest.pid, 1, 2))
    expect(run.monitor.history(), ["waiting"])
    expect(run.monitor.number("vmm_pid"), run.guest.pid)
    expect(run.monitor.number("beats"), 0)


def test_alive(run):
    """The driver loads and beats every 2 s, by one doorbell an interval whatever the number of CPUs"""
    run.load()
    first = run.monitor.mark()
    run.monitor.wait_beats(4)
    beats = [event for event in run.monitor.events[first:] if event.name == "beat"][1:]
    for beat in beats:
        expect_in(beat.suspicion, 0, 8078852, "suspicion when the beat came")
        # Never two in an interval. How late one may be is the machine's affair: late is a state.
        expect_in(beat.gap_ns, SEC, 60 * SEC, "gap between two beats")
    expect([b.beats for b in beats], list(range(beats[0].beats, beats[0].beats + len(beats))), "beats counted")
    expect_in(run.monitor.number("beats"), beats[-1].beats, beats[-1].beats + 100, "beats in sysfs")
    expect_in(run.monitor.number("interval_mean_ns"), SEC, 60 * SEC, "mean interval")
    expect(run.monitor.log()[:2], ["guest is waiting", "guest is alive"])
    for cpu in 0, 1:
        pulses, flags = run.pulses(cpu)
        expect_in(pulses, 2, 10**6, f"pulses of CPU {cpu}")
        expect(flags, 1, f"flags of CPU {cpu}")


def test_files(run):
    """Each file of monitors, modules and device, on both sides, is in the documentation with its mode, and no other"""
    folder = run.monitor.dir
    files.judge("In a monitor's folder ``heartbeat/``", files.below(f"{folder}/heartbeat"))
    files.judge("In a monitor's own folder", files.below(folder))
    files.judge("In the folder of the type", files.below(TYPE))
    files.judge("Parameters of the host's module", files.below("/sys/module/kvm_heartbeat/parameters"))
    events = f"{TRACING}/events/kvm_heartbeat"
    files.judge("Trace events", files.below(events) | {
        os.path.relpath(path, events): files.owned(path) for path in glob.glob(f"{events}/*/enable")})
    expect(files.owned(TRACING), "0700 root:root", "the folder above all events")
    files.judge("Device nodes of the host", files.below("/dev/vfio"))
    if os.path.exists("/dev/iommu"):
        files.judge("Device files of the host",
                    files.below("/dev/vfio/devices") | {"/dev/iommu": files.owned("/dev/iommu")})
    expect(glob.glob("/sys/kernel/debug/*heartbeat*"), [], "what is in debugfs")

    def in_guest(paths):
        root = {"0 0": "root:root"}
        seen = (line.split(None, 1) for line in run.guest.run(f"stat -c '%a %u %g %n' {paths}").splitlines())
        rows = [(mode, *rest.rsplit(None, 1)) for mode, rest in seen]
        return {os.path.basename(path): f"{int(mode, 8):04o} {root.get(owner, owner)}" for mode, owner, path in rows}
    files.judge("Parameters of the guest's module", in_guest(f"{PARAMETERS}/*"))
    files.judge("The device in the guest", in_guest(f"{DRIVER}/0*/resource* /dev/watchdog*"))


def retune(run, interval_ns):
    """Change the interval: no alarm, and within one old interval the guest beats by the new one."""
    old_ns = run.monitor.number("interval_ns")
    since = run.monitor.mark()
    run.monitor.set("interval_ns", interval_ns)
    config = run.monitor.wait_event("config", since)
    expect((config.interval_ns, config.timeout_ns, config.follows), (interval_ns, 2 * interval_ns, 1))
    run.monitor.wait_beats(4, since=since)
    beats = [event for event in run.monitor.events[since:] if event.name == "beat"]
    first = next(b for b in beats if b.time > config.time)
    # A beat that was under way may still come; the next one is by the new interval.
    expect_in(first.time - config.time, 0, max(old_ns, interval_ns) / SEC + 1, "first beat after retuning, s")
    for beat in beats[2:]:
        expect_in(beat.gap_ns, interval_ns // 2, interval_ns + 60 * SEC, "gap after retuning")
    return beats


def test_retuning_by_interrupt(run):
    """Retuning takes effect at once, long to short and short to long, with no false alarm"""
    since = run.monitor.mark()
    # Not below a second: an emulated guest may well be kept from its CPU for so long.
    for interval_ns in SEC, 3 * SEC, SEC:
        retune(run, interval_ns)
    # An hour, which the guest acknowledges by a beat, to a second: without the interrupt this would take an hour.
    mark = run.monitor.mark()
    run.monitor.set("interval_ns", 3600 * SEC)
    run.monitor.wait_beats(1, since=mark)
    mark = run.monitor.mark()
    run.monitor.set("interval_ns", SEC)
    run.monitor.wait_beats(4, since=mark)
    expect([s for s in run.monitor.history(since) if s.startswith("unresponsive")], [], "false alarms")
    run.monitor.set("timeout_ns", 30 * SEC)
    expect(run.monitor.number("timeout_ns"), 30 * SEC)
    run.monitor.set("timeout_ns", 0)
    run.monitor.set("interval_ns", 2 * SEC)
    run.monitor.wait_beats(2)


def freeze(run, ms):
    """Freeze all CPUs of the guest: the events of the outage (late, unresponsive, alive)."""
    since = run.monitor.mark()
    frozen = run.guest.send(f"echo {ms} > {FAULT}/freeze_ms")
    late = run.monitor.wait_state("late", since)
    dead = run.monitor.wait_state("unresponsive", since)
    run.monitor.poll_state("unresponsive")
    alive = run.monitor.wait_state("alive", since)
    frozen.wait()
    expect(as_outage(run.monitor.history(since))[:3], ["late", "unresponsive:hung", "alive"])
    return late, dead, alive


def test_freeze(run):
    """A guest whose CPUs all hang is late, unresponsive, and alive again when they go on"""
    monitor = run.monitor
    monitor.set("interval_ns", SEC)
    monitor.wait_beats(2)
    run.guest.run(f"insmod {FAULT_KO}")
    outages, lines = monitor.number("outages"), len(monitor.log())
    late, dead, alive = freeze(run, 5000)
    expect_in(late.last_beat_ns, 1500 * MS, 60 * SEC, "late after 1.5 s, not before")
    expect_in(dead.last_beat_ns, 2 * SEC, 60 * SEC, "unresponsive after 2 s, not before")
    expect(monitor.number("outages"), outages + 1)
    expect_in(monitor.number("downtime_ns"), 2 * SEC, 600 * SEC, "downtime")
    expect_in(monitor.number("missed"), 1, 600, "missed beats")
    expect(monitor.get("state"), "alive")

    log = monitor.log()[lines:]
    why = "" if late.cause == "none" else f" ({late.cause})"
    expect(log[0], f"guest is late, last heartbeat {late.last_beat_ns // MS / 1000:.3f} s ago{why}")
    said = log.index(f"guest is unresponsive, last heartbeat {dead.last_beat_ns // MS / 1000:.3f} s ago (hung)")
    gone = re.fullmatch(r"guest is alive, gone (\d+\.\d{3}) s", log[said + 1])
    if not gone:
        raise AssertionError(f"recovery is logged as: {log[said + 1]}")
    expect_in(float(gone[1]), 2.0, alive.time - late.time + 60, "gone, s")
    monitor.set("interval_ns", 2 * SEC)
    monitor.wait_beats(2)


def evidence(run, since, moment):
    """What was seen of each vCPU at the transition `moment`: {vCPU: event}."""
    events = run.monitor.events[since:]
    return {event.vcpu: event for event in events[:events.index(moment)] if event.name == "evidence"}


def test_evidence_of_a_spinning_guest(run):
    """When a guest falls silent, what its vCPUs did is in the trace: these spin"""
    since = run.monitor.mark()
    run.monitor.set("interval_ns", SEC)
    run.monitor.wait_beats(2)
    late, dead, _ = freeze(run, 5000)
    before, after = evidence(run, since, late), evidence(run, since, dead)
    expect((sorted(before), sorted(after)), ([0, 1], [0, 1]), "vCPUs seen")
    for cpu in 0, 1:
        expect((after[cpu].running, after[cpu].halted), (1, 0), f"running and halted of vCPU {cpu}")
        expect_in(after[cpu].exec_ns - before[cpu].exec_ns, 1, 60 * SEC, f"time that vCPU {cpu} got")
        if not os.path.exists(f"/proc/{run.guest.pid}/task/{after[cpu].pid}"):
            raise AssertionError(f"{after[cpu].pid} is no thread of the VMM")


def test_evidence_of_a_stopped_vmm(run):
    """A stopped VMM: its guest is paused, its vCPUs are seen stopped, and no alarm follows"""
    since = run.monitor.mark()
    run.guest.kill(signal.SIGSTOP)
    paused = run.monitor.wait_state("paused", since, cause="paused")
    seen = evidence(run, since, paused)
    for cpu in 0, 1:
        expect((seen[cpu].task, seen[cpu].running), ("T", 0), f"state of vCPU {cpu}")
    # The file says the same, in the same words.
    now = run.monitor.get("evidence").splitlines()
    expect(now[1:], [seen[cpu].text.partition(f"vm={run.monitor.uuid} ")[2] for cpu in (0, 1)], "the file")
    expect(now[0].split()[:2], ["state=paused", "cause=paused"], "the verdict in the file")
    run.guest.kill(signal.SIGCONT)
    run.monitor.wait_state("alive", since)
    expect(run.monitor.history(since)[-2:], ["paused:paused", "alive"])
    run.monitor.set("interval_ns", 2 * SEC)
    run.monitor.wait_beats(2)


def test_watchdog(run):
    """Userspace has a watchdog, and is judged by its pings while it uses it; with nowayout it is used for ever"""
    sysfs, device = "/sys/class/watchdog/watchdog0", "/dev/watchdog0"
    since = run.monitor.mark()
    expect(run.guest.run(f"cat {sysfs}/identity {sysfs}/state").split(), ["kvm_heartbeat", "inactive"])
    if not re.search(r"kvm_heartbeat(?s:.*)60 seconds", seen := run.guest.run(f"/usr/bin/wdctl {device}")):
        raise AssertionError(f"wdctl says: {seen}")
    run.guest.run(f"watchdog -T 3 -t 1 {device}")
    expect(run.guest.run(f"cat {sysfs}/timeout {sysfs}/state").split(), ["3", "active"])
    run.monitor.wait_beats(4)
    expect([s for s in run.monitor.history(since) if s.startswith("degraded")], [], "while it is fed")
    run.guest.run("killall -STOP watchdog")
    run.monitor.wait_state("degraded", since, cause="userspace")
    # It ends by a magic close: nothing is expected of it any more.
    run.guest.run("killall watchdog; killall -CONT watchdog")
    run.monitor.poll_state("alive")
    run.guest.run(f"until grep -qx inactive {sysfs}/state; do sleep 0.1; done")

    run.guest.run(f"rmmod kvm_heartbeat_guest && insmod {GUEST_KO} nowayout=1")
    since = run.monitor.mark()
    run.guest.run(f"/usr/bin/wdctl -s 3 {device}; exec 3>{device}; printf V >&3")
    run.monitor.wait_state("degraded", since, cause="userspace")
    run.guest.qmp("system_reset")
    run.monitor.wait_state("waiting", since)
    run.wait_boot()
    run.load()
    run.monitor.wait_beats(2)


def test_blocked(run):
    """A task that waits for its disk for too long is noticed, if that is wanted, until it goes on"""
    expect(run.guest.run(f"cat {BLOCKED}").strip(), str(120 * SEC), "by default")
    for wrong in SEC - 1, 86400 * SEC + 1, -1, "x":
        expect(run.guest.sh(f"echo {wrong} > {BLOCKED}")[0] != 0, True, f"{wrong} is refused")
    expect(run.guest.run("dmesg").count("it is 0 (off), or 1000000000 (1 s) to 86400000000000 (a day)"), 2,
           "lines that say what is allowed")
    since = run.monitor.mark()
    run.guest.run(f"[ -d {FAULT} ] || insmod {FAULT_KO}")
    # Long enough for all that is looked for here; it is ended before.
    run.guest.run(f"echo 600000 > {FAULT}/block_ms")
    run.monitor.wait_beats(2)
    expect([s for s in run.monitor.history(since) if s.startswith("degraded")], [], "before it has waited for too long")
    run.guest.run(f"echo {2 * SEC} > {BLOCKED}")
    run.monitor.wait_state("degraded", since, cause="blocked")
    expect(run.monitor.get("stale_vcpus"), "")
    # Nobody looks any more.
    mark = run.monitor.mark()
    run.guest.run(f"echo 0 > {BLOCKED}")
    run.monitor.wait_state("alive", mark)
    run.guest.run(f"echo {2 * SEC} > {BLOCKED}")
    run.monitor.wait_state("degraded", mark, cause="blocked")
    # It is over when the task goes on, whatever comes then.
    mark = run.monitor.mark()
    run.guest.run(f"echo 0 > {FAULT}/block_ms")
    run.monitor.wait_state("alive", mark)
    # A task that wakes up now and then waits for nothing for too long.
    mark = run.monitor.mark()
    run.guest.run(f"for i in 1 2 3 4 5 6; do echo 1500 > {FAULT}/block_ms; sleep 1; done")
    run.monitor.wait_beats(3)
    expect([s for s in run.monitor.history(mark) if s.startswith("degraded")], [], "by tasks that go on")
    run.guest.run(f"echo {120 * SEC} > {BLOCKED}")


# What answers us goes on in the background; the rest of the guest's init becomes systemd.
SYSTEMD = """} &
insmod /lib/kvmhb/kvm_heartbeat_guest.ko nowayout=1
mkdir -p /run /etc/systemd/system
mount -t tmpfs run /run
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
echo '[Unit]' >/etc/systemd/system/default.target
exec /lib/systemd/systemd
"""
# README.md's commands; the time is shorter.
WATCHDOG_CONF = "[Manager]\\nRuntimeWatchdogSec=3\\nWatchdogDevice=/dev/watchdog0\\n"


def test_systemd(run):
    """systemd pings the watchdog as README.md has it, on after it has executed itself anew, until it crashes"""
    head, tail = read(f"{TOP}/selftests/rig/guest-init").split("exec 3<>/dev/vport0p1\nprintf")
    with tempfile.NamedTemporaryFile("w") as init:
        print(head, "{ exec 3<>/dev/vport0p1\nprintf", tail, SYSTEMD, sep="", file=init, flush=True)
        other = Run(kernel=run.options["kernel"], append="rdinit=/systemd-init",
                    files={"/systemd-init": init.name} | dynamic("/lib/systemd/systemd") | dynamic("/bin/systemctl") |
                    dynamic("/usr/bin/wdctl"))
        other.start()
    guest, monitor = other.guest, other.monitor
    watchdog = "/sys/class/watchdog/watchdog0"
    with guest:
        monitor.wait_state("alive")
        guest.run("until [ -S /run/systemd/private ]; do sleep 0.1; done")
        expect(guest.run(f"cat {watchdog}/identity {watchdog}/state").split(), ["kvm_heartbeat", "inactive"])
        guest.run("mkdir -p /etc/systemd/system.conf.d")
        guest.run(f"printf '{WATCHDOG_CONF}' >/etc/systemd/system.conf.d/kvmhb.conf")
        # After the second time only nowayout keeps its crash from stopping the watchdog.
        for _ in range(2):
            guest.run("systemctl daemon-reexec")
            guest.run(f"until grep -qx active {watchdog}/state; do sleep 0.1; done")
            expect(guest.run(f"cat {watchdog}/timeout").strip(), "3")
            since = monitor.mark()
            monitor.wait_beats(5)
            expect([s for s in monitor.history(since) if s.startswith("degraded")], [], "while it is pinged")
        shown = guest.run("/usr/bin/wdctl /dev/watchdog0")
        expect(bool(re.search(r"kvm_heartbeat(?s:.*) 3 seconds", shown)), True, f"identity and timeout in {shown!r}")
        # From then on it stands still, by its own decision.
        guest.run("kill -SEGV 1")
        monitor.wait_state("degraded", since, cause="userspace")
    monitor.wait_state("detached", since)
    monitor.remove()


REQUEST, REQUEST_ACK = 0x20, 0x7c
BACKTRACE, DUMP = 1, 2
OBEYED, REFUSED, UNKNOWN, BUSY = 1, 2, 3, 4
ASKS = "the host asks for the stacks of all CPUs"
MISSING = "no stack of CPUs 1, which take no interrupts"


def page_word(run, offset, value=None):
    """A word of the pulse page, as QEMU has it mapped; if there is a value it is written, in the host's place."""
    mapping = next(line for line in read(f"/proc/{run.guest.pid}/maps").splitlines()
                   if line.split()[2] == f"{2 << 40:08x}")
    with open(f"/proc/{run.guest.pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(int(mapping.split("-")[0], 16) + offset)
        if value is None:
            return int.from_bytes(memory.read(4), "little")
        return memory.write(value.to_bytes(4, "little"))


def ask(run, number, what):
    """Ask a guest that beats for something, without the interrupt: its answer, or None."""
    page_word(run, REQUEST, number << 8 | what)
    for _ in range(4):
        run.monitor.wait_beats(1)
        answer = page_word(run, REQUEST_ACK)
        if answer >> 8 == number:
            return answer & 0xff
    return None


def stacks(run):
    """What the guest's log says of stacks: the CPUs in their order, and the lines about them."""
    return re.findall(rf"{ASKS}|no stack of .*|CPU: \d+ (?=(?:UID: \d+ )?PID: )", run.guest.run("dmesg"))


def interrupts_to_first_cpu(run):
    """Only CPU 1 pulses, and only CPU 0 has the device's interrupt."""
    run.guest.run(f"echo 1 > {PARAMETERS}/cpus && basename $(ls -d {DRIVER}/0*) > /tmp/name && "
                  "echo 1 > /proc/irq/$(grep $(cat /tmp/name) /proc/interrupts | cut -d: -f1 | tr -d ' ')/smp_affinity")
    # An interrupt may only move when it comes.
    for timeout_ns in 50 * SEC, 60 * SEC:
        since = run.monitor.mark()
        run.monitor.set("timeout_ns", timeout_ns)
        run.monitor.wait_beats(2, since=since)


def test_requests(run):
    """The guest answers what it is asked for, once, by interrupt or tick, and obeys what its owner allows"""
    other = Run(kernel=run.options["kernel"])
    other.start()
    guest, monitor = other.guest, other.monitor
    allow = f"{PARAMETERS}/allow"
    with guest:
        monitor.set("interval_ns", SEC)
        monitor.set("timeout_ns", 60 * SEC)
        # What was asked before the driver came was not for it.
        page_word(other, REQUEST, 1 << 8 | BACKTRACE)
        other.load()
        monitor.wait_beats(3)
        expect((page_word(other, REQUEST_ACK), stacks(other)), (0, []), "what another kernel was asked for")
        expect(guest.run(f"cat {allow}").strip(), "backtrace", "what is allowed at first")

        expect(ask(other, 2, BACKTRACE), OBEYED, "stacks")
        expect(ask(other, 3, BACKTRACE), BUSY, "stacks again")
        guest.run("until [ $(dmesg | grep -c 'CPU: [01] ') = 2 ]; do sleep 0.1; done")
        expect(sorted(stacks(other)), ["CPU: 0 ", "CPU: 1 ", ASKS], "the guest's log")
        expect(ask(other, 4, 9), UNKNOWN, "something else")
        expect(ask(other, 5, DUMP), REFUSED, "a dump")
        if "which the parameter allow does not list" not in guest.run("dmesg"):
            raise AssertionError("the guest's log does not say that it refused")
        # Whatever the number was that it saw last, and whatever it is asked for: this one is answered.
        expect(ask(other, 5, BACKTRACE), REFUSED, "the same request")
        expect(ask(other, 6, 0), None, "nothing")
        expect(len(stacks(other)), 3, "lines of stacks")
        guest.run("rmmod kvm_heartbeat_guest")
        page_word(other, REQUEST, 7 << 8 | BACKTRACE)
        guest.run(f"insmod {GUEST_KO} allow=")
        expect(ask(other, 8, BACKTRACE), REFUSED, "stacks where nothing is allowed")
        for wrong in "panic", "backtrace,dumps", "back", "none":
            expect(guest.sh(f"echo {wrong} > {allow}")[0] != 0, True, f"'{wrong}' is refused")
        expect(guest.run(f"cat {allow}").strip(), "", "what is allowed")
        guest.run(f"echo dump, backtrace > {allow}")
        expect(guest.run(f"cat {allow}").strip(), "backtrace,dump", "what is allowed")

        # A CPU that is dead is not waited for, whoever has the interrupt; if it comes back it prints its stack.
        guest.run(f"insmod {FAULT_KO} && echo 18000 > {FAULT}/last_ms")
        interrupts_to_first_cpu(other)
        guest.run("dmesg -c > /dev/null")
        since = monitor.mark()
        spin = guest.send(f"taskset 1 sh -c 'echo 1 > {FAULT}/spin'")
        monitor.wait_state("late", since)
        page_word(other, REQUEST, 9 << 8 | BACKTRACE)
        since = monitor.mark()
        monitor.set("timeout_ns", 70 * SEC)
        monitor.wait_beats(2, since=since)
        spin.wait()
        expect(page_word(other, REQUEST_ACK), 9 << 8 | OBEYED, "answer of the CPU that has the interrupt")
        expect(stacks(other), [ASKS, "CPU: 0 ", MISSING, "CPU: 1 "], "the guest's log")
        other.no_trouble()

        since = monitor.mark()
        page_word(other, REQUEST, 10 << 8 | DUMP)
        monitor.wait_state("panicked", since, cause="panic")
        expect(page_word(other, REQUEST_ACK), 10 << 8 | OBEYED, "a dump")
        since = monitor.mark()
        guest.qmp("system_reset")
        monitor.wait_state("waiting", since)
        expect((page_word(other, REQUEST), page_word(other, REQUEST_ACK)), (0, 0), "what a reset leaves")
        other.wait_boot()
        other.load()
        monitor.wait_beats(2)
        since = monitor.mark()
    monitor.wait_state("detached", since)
    monitor.remove()


def falls_silent(run, step):
    """A guest without beats, one of whose CPUs takes interrupts, until the host has taken a step and it beats again."""
    guest, monitor = run.guest, run.monitor
    monitor.set("interval_ns", SEC)
    run.load()
    monitor.wait_beats(2)
    guest.run(f"insmod {FAULT_KO} && echo 18000 > {FAULT}/last_ms")
    interrupts_to_first_cpu(run)
    monitor.set("timeout_ns", 0)
    monitor.set("on_unresponsive", step)
    # Not idle, so that the host sees it take interrupts.
    guest.run("taskset 1 sh -c 'while :; do :; done' & echo $! > /tmp/busy; dmesg -c > /dev/null")
    since = monitor.mark()
    spin = guest.send(f"taskset 1 sh -c 'echo 1 > {FAULT}/spin'")
    monitor.wait_state("unresponsive", since, cause="beat-lost")
    monitor.wait_event("action", since, step=step)
    monitor.wait_state("alive", since)
    spin.wait()
    guest.run("kill $(cat /tmp/busy)")
    expect(monitor.get("last_action"), step)
    run.no_trouble()


def test_backtrace(run):
    """A guest that falls silent prints the stacks of its CPUs, if the host is to ask for them"""
    other = Run(kernel=run.options["kernel"])
    other.start()
    with other.guest:
        falls_silent(other, "backtrace")
        expect(stacks(other), [ASKS, "CPU: 0 ", MISSING, "CPU: 1 "], "the guest's log")
        expect(page_word(other, REQUEST_ACK) & 0xff, OBEYED, "answer")
        since = other.monitor.mark()
    other.monitor.wait_state("detached", since)
    other.monitor.remove()


def test_dump_refused(run):
    """A guest that falls silent does not crash at its host's wish unless its owner allows it"""
    other = Run(kernel=run.options["kernel"])
    other.start()
    with other.guest:
        falls_silent(other, "dump")
        said = "the host asks for a dump, which the parameter allow does not list"
        expect(other.guest.run(f"dmesg | grep -c '{said}'").strip(), "1", "lines that say so")
        expect(page_word(other, REQUEST_ACK) & 0xff, REFUSED, "answer")
        since = other.monitor.mark()
        other.monitor.wait_beats(2)
        expect(other.monitor.history(since), [], "after that")
    other.monitor.wait_state("detached", since)
    other.monitor.remove()


def test_cpu_hotplug(run):
    """CPUs come and go, the beats go on, offline CPUs have no pulse"""
    since = run.monitor.mark()
    retune(run, SEC)
    run.guest.run("echo 0 > /sys/devices/system/cpu/cpu1/online")
    pulses, flags = run.pulses(1)
    expect(flags, 0, "flags of an offline CPU")
    run.monitor.wait_beats(4)
    expect(run.pulses(1), (pulses, 0), "the slot of an offline CPU")
    run.guest.run("echo 1 > /sys/devices/system/cpu/cpu1/online")
    run.monitor.wait_beats(4)
    now, flags = run.pulses(1)
    expect(flags, 1, "flags of a CPU that is back")
    expect_in(now, pulses + 1, pulses + 10**6, "pulses of a CPU that is back")
    expect([s for s in run.monitor.history(since) if s.startswith("unresponsive")], [])
    retune(run, 2 * SEC)


def test_isolated_cpu(run):
    """An isolated CPU is left alone, whatever runs there, unless it is chosen to pulse"""
    other = Run(kernel=run.options["kernel"])
    other.start(append="panic=0 isolcpus=1 nohz_full=1", files={"/bin/hog": f"{TOP}/build/bin/hog"})
    guest, monitor = other.guest, other.monitor
    cpus = f"{PARAMETERS}/cpus"
    with guest:
        # Nothing waits for a CPU where no thread gets to run: neither loading nor choosing.
        guest.run("(hog 3600 1 & echo $! > /tmp/hog) && sleep 1")
        # Taking all time from the fair server, as hog does, makes 6.12 warn.
        guest.run("dmesg -c >/dev/null")
        other.load()
        monitor.set("interval_ns", SEC)
        expect(guest.run(f"cat {cpus}").strip(), "0", "CPUs that pulse")
        since = monitor.mark()
        monitor.wait_beats(6)
        expect(monitor.history(since), [], "beside a load that has a CPU for itself")
        expect(other.pulses(1), (0, 0), "the slot of an isolated CPU")
        expect(guest.run("ps | grep -c '[k]vmhb/'").strip(), "1", "threads")

        guest.run(f"echo 0-1 > {cpus}")
        monitor.wait_state("degraded", since, cause="softlockup")
        expect(monitor.get("stale_vcpus"), "1")
        guest.run(f"echo > {cpus}")
        monitor.wait_state("alive", since)
        expect(other.pulses(1)[1], 0, "flags of a CPU that is no more to pulse")
        guest.run("kill $(cat /tmp/hog)")

        # Of those that are chosen none is online: the others keep the guest alive.
        guest.run(f"echo 1 > {cpus} && echo 0 > /sys/devices/system/cpu/cpu1/online")
        monitor.wait_beats(3)
        expect((other.pulses(0)[1], other.pulses(1)[1]), (1, 0), "flags without the chosen CPU")
        guest.run("echo 1 > /sys/devices/system/cpu/cpu1/online")
        monitor.wait_beats(3)
        expect((other.pulses(0)[1], other.pulses(1)[1]), (0, 1), "flags when it is back")
        expect(monitor.history(since), ["degraded:softlockup", "alive"])
        for wrong in "2-", "x", "99999":
            expect(guest.sh(f"echo {wrong} > {cpus}")[0] != 0, True, f"CPUs '{wrong}' are refused")
        other.no_trouble()
        guest.run("rmmod kvm_heartbeat_guest")
    monitor.wait_state("detached", since)
    monitor.remove()


def test_unload(run):
    """Unloading the driver is a goodbye, loading it a new beginning, time and again"""
    for _ in range(3):
        since = run.monitor.mark()
        run.guest.run("rmmod kvm_heartbeat_guest")
        run.monitor.wait_state("stopped", since, cause="unload")
        run.load()
        expect(run.monitor.history(since), ["stopped:unload", "alive"])
    since = run.monitor.mark()
    run.guest.run(f"cd {DRIVER} && basename $(ls -d 0*) > /tmp/name && cat /tmp/name > unbind")
    run.monitor.wait_state("stopped", since, cause="unload")
    run.guest.run(f"cat /tmp/name > {DRIVER}/bind")
    run.monitor.wait_state("alive", since)


def test_hostile_guest(run):
    """What a guest writes to registers and pulse page hurts nobody but itself"""
    guest, monitor = run.guest, run.monitor
    guest.run("rmmod kvm_heartbeat_guest")
    expect(guest.run("poke read 0 0 4").strip(), "0x5442484b", "magic")
    monitor.set("interval_ns", 3600 * SEC)
    guest.run("poke lifecycle 1")
    lines, beats, missed = len(monitor.log()), monitor.number("beats"), monitor.number("missed")
    # A million doorbells are vfio_test's affair: each of these is an exit, emulated twice over.
    guest.run("poke scribble 1 20000")
    guest.run("poke storm 2000", timeout=600)
    expect(monitor.number("beats"), beats + 2000)
    expect(monitor.get("state"), "alive")
    expect(monitor.number("missed"), missed)
    guest.run("poke fuzz 1 2000", timeout=600)
    expect(guest.run("poke read 0 0 4").strip(), "0x5442484b", "magic")
    expect_in(len(monitor.log()) - lines, 0, 100, "log lines")

    # A guest can hurt itself: it is judged by its own words, until it loads a driver again.
    guest.run("poke lifecycle 5")
    expect(monitor.get("cause"), "unload")
    monitor.set("interval_ns", 2 * SEC)
    run.load()
    monitor.wait_beats(2)


def test_reset(run):
    """A reset of the VM ends an incarnation: waiting, and not judged by its last beat"""
    run.no_trouble()
    since = run.monitor.mark()
    run.guest.qmp("system_reset")
    run.monitor.wait_state("waiting", since)
    run.wait_boot()
    expect(run.monitor.history(since), ["waiting"])
    run.load()
    run.monitor.wait_beats(2)
    expect(run.monitor.history(since), ["waiting", "alive"])


def test_device_reset(run):
    """A reset of the device alone, by its driver's own kernel, is a pause: the guest is alive again after it"""
    other = Run(kernel=run.options["kernel"], machine="q35")
    # Only a bus of its own can be reset: the device itself knows no reset that a guest could ask for.
    other.start(devices=["pcie-root-port,id=root,chassis=1", f"{other.monitor.device},bus=root"])
    guest, monitor = other.guest, other.monitor
    with guest:
        other.load()
        for _ in range(2):
            since = monitor.mark()
            guest.run(f"echo 1 > $(echo {DRIVER}/0*)/reset")
            monitor.wait_state("alive", since)
            monitor.wait_beats(2)
            expect(monitor.history(since), ["stopped:suspend", "waiting", "alive"])
        expect(monitor.lives(), [1, 0, 2], "boots, panics, resets")
        # Retuning is heard of, and a freeze is seen.
        retune(other, SEC)
        guest.run(f"insmod {FAULT_KO}")
        freeze(other, 5000)
        other.no_trouble()
    monitor.wait_state("detached", since)
    monitor.remove()


def test_hot_unplug(run):
    """The device can be unplugged from a running guest, and plugged in again"""
    since = run.monitor.mark()
    run.guest.qmp("device_del", id="hb")
    run.guest.qmp_event("DEVICE_DELETED")
    run.monitor.wait_event("detach", since)
    expect(run.monitor.history(since), ["stopped:unload", "detached:unload"])
    run.guest.qmp("device_add", driver="vfio-pci", sysfsdev=run.monitor.dir, id="hb")
    run.monitor.wait_state("alive", since)
    expect(run.monitor.history(since)[2:], ["waiting", "alive"])
    run.monitor.wait_beats(2)


def test_removal_unplugs(run):
    """Removing a monitor in use has QEMU unplug the device; the VM lives on"""
    since = run.monitor.mark()
    run.monitor.remove()
    expect(run.monitor.history(since), ["stopped:unload", "detached:unload"])
    expect(os.path.exists(run.monitor.dir), False)
    expect(run.guest.run("echo still here").strip(), "still here")
    run.monitor = Monitor()
    run.guest.qmp("device_add", driver="vfio-pci", sysfsdev=run.monitor.dir, id="hb")
    run.monitor.wait_state("alive")


def test_native_unplug(run):
    """A slot that loses power before the VMM closes the device: what the guest had said stays, whoever asked for it"""
    other = Run(kernel=run.options["kernel"], machine="q35")
    # PCI Express's own hotplug, in place of ACPI's.
    other.start(devices=["pcie-root-port,id=root,chassis=1,slot=1", f"{other.monitor.device},bus=root"],
                args=["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"])
    guest, monitor = other.guest, other.monitor
    goodbye = ["stopped:unload", "detached:unload"], ["stopped:unload", "waiting", "detached:unload"]
    with guest:
        other.load()
        for power_off in (lambda: guest.qmp("device_del", id="hb"),
                          lambda: guest.run("echo 0 > $(echo /sys/bus/pci/slots/*/power)")):
            since = monitor.mark()
            power_off()
            guest.qmp_event("DEVICE_DELETED")
            monitor.wait_event("detach", since)
            history = monitor.history(since)
            if history not in goodbye:
                raise AssertionError(f"history of an unplug: {history}")
            guest.qmp("device_add", driver="vfio-pci", sysfsdev=monitor.dir, id="hb", bus="root")
            monitor.wait_state("alive", since)
            monitor.wait_beats(2)
        since = monitor.mark()
        monitor.remove()
        history = monitor.history(since)
        if history not in goodbye:
            raise AssertionError(f"history of a removal: {history}")
        other.no_trouble()


def test_panic(run):
    """A panic is reported at once, whatever the timeout, and stays"""
    run.no_trouble()
    run.monitor.set("interval_ns", 3600 * SEC)
    since, lives = run.monitor.mark(), run.monitor.lives()
    run.guest.send("echo c > /proc/sysrq-trigger")
    panicked = run.monitor.wait_state("panicked", since, cause="panic")
    expect(run.monitor.history(since), ["panicked:panic"])
    expect_in(panicked.last_beat_ns, 0, 3600 * SEC, "last beat")
    run.monitor.set("interval_ns", 2 * SEC)
    expect(run.monitor.get("state"), "panicked")
    run.guest.qmp("system_reset")
    run.monitor.wait_state("waiting", since)
    expect(run.monitor.lives(lives), [0, 1, 1], "boots, panics, resets")
    run.wait_boot()
    run.load()
    expect(run.monitor.lives(lives), [1, 1, 1], "boots, panics, resets")


def test_power_off(run):
    """A shutdown is seen as one, and so is the end of the VM"""
    run.no_trouble()
    since = run.monitor.mark()
    run.guest.send("poweroff -f")
    expect(run.guest.wait_exit(), 0, "QEMU's status")
    run.monitor.wait_event("detach", since)
    expect(run.monitor.history(since), ["stopped:shutdown", "detached:shutdown"])
    expect(run.monitor.get("vmm_pid"), "0")


def test_retuning_without_interrupt(run):
    """Without the interrupt, retuning takes effect within one old interval"""
    msi = "/sys/bus/pci/devices/$(cat /tmp/name)/msi_bus"
    run.guest.run(f"basename $(ls -d {DRIVER}/0*) > /tmp/name && rmmod kvm_heartbeat_guest && echo 0 > {msi}")
    run.load()
    expect(run.guest.sh("grep -c $(cat /tmp/name) /proc/interrupts")[1].strip(), "0", "interrupts of the device")
    retune(run, SEC)
    retune(run, 2 * SEC)
    run.guest.run(f"rmmod kvm_heartbeat_guest && echo 1 > {msi}")
    run.load()


def test_suspend(run):
    """Suspend is a goodbye, resume a new beginning; a second VM under the same UUID begins anew"""
    since = run.monitor.mark()
    run.start(packed=True)
    run.load()
    expect(run.monitor.history(since), ["waiting", "alive"])
    expect(run.monitor.number("outages"), 0)
    since = run.monitor.mark()
    reply = run.guest.send("echo mem > /sys/power/state")
    run.guest.qmp_event("SUSPEND")
    run.monitor.wait_state("stopped", since, cause="suspend")
    run.guest.qmp("system_wakeup")
    run.monitor.wait_state("alive", since)
    reply.wait()
    history = run.monitor.history(since)
    if history not in (["stopped:suspend", "alive"], ["stopped:suspend", "waiting", "alive"]):
        raise AssertionError(f"history of a suspend: {history}")
    expect(run.monitor.lives()[:2], [1, 0], "boots and panics: it is the same kernel")
    run.monitor.wait_beats(2)


def test_hibernate(run):
    """Userspace that the kernel freezes is not judged; the power-off of a hibernation is no shutdown"""
    other = Run(kernel=run.options["kernel"])
    other.start()
    guest, monitor = other.guest, other.monitor
    with guest:
        other.load()
        monitor.set("interval_ns", SEC)
        # A CPU waits in the kernel and schedules nothing meanwhile.
        monitor.set("timeout_ns", 60 * SEC)
        guest.run("watchdog -T 4 -t 1 /dev/watchdog0")
        monitor.wait_beats(2)
        since = monitor.mark()
        guest.run("echo 10 > /sys/module/suspend/parameters/pm_test_delay && echo freezer > /sys/power/pm_test")
        # Nor is a task that waits meanwhile.
        guest.run(f"insmod {FAULT_KO} && echo {2 * SEC} > {BLOCKED}")
        guest.run(f"echo 600000 > {FAULT}/block_ms; echo mem > /sys/power/state; echo 0 > {FAULT}/block_ms; "
                  f"echo {120 * SEC} > {BLOCKED}")
        monitor.wait_beats(2)
        expect(monitor.history(since), [], "while userspace was frozen")
        # It is judged again from then on.
        guest.run("killall -STOP watchdog")
        monitor.wait_state("degraded", since, cause="userspace")
        guest.run("killall watchdog; killall -CONT watchdog")
        monitor.wait_state("alive", since)

        # How hibernation ends that a program drives: whoever has this file open is about to write an image.
        since = monitor.mark()
        guest.send("exec 4</dev/snapshot && poweroff -f")
        expect(guest.wait_exit(), 0, "QEMU's status")
        monitor.wait_event("detach", since)
        expect(monitor.history(since), ["stopped:suspend", "detached:suspend"])
    monitor.remove()


def test_kill(run):
    """QEMU killed: vmm-gone"""
    since = run.monitor.mark()
    run.guest.kill()
    run.guest.wait_exit()
    run.monitor.wait_event("detach", since)
    expect(run.monitor.history(since), ["detached:vmm-gone"])
    expect(run.monitor.number("outages"), 0)


def test_nothing_is_left(run):
    """No VM, no reference, no memory is left behind; the module can go, and come back"""
    expect(set(vms()) - set(run.others), set(), "VMs that KVM still has")
    run.monitor.remove()
    for command in ("rmmod kvm_heartbeat", f"insmod {os.environ['KVMHB_HOST_KO']}"):
        expect(os.system(command), 0, command)


ALL = ["waiting_until_the_driver_comes", "alive", "files", "retuning_by_interrupt", "retuning_without_interrupt",
       "freeze", "evidence_of_a_spinning_guest", "evidence_of_a_stopped_vmm", "watchdog", "blocked", "systemd",
       "requests", "backtrace", "dump_refused", "cpu_hotplug", "isolated_cpu", "unload", "hostile_guest", "reset",
       "device_reset", "kexec", "reboot", "hot_unplug", "removal_unplugs", "native_unplug", "panic", "power_off",
       "suspend", "hibernate", "kill", "nothing_is_left"]
BRIEF = ["waiting_until_the_driver_comes", "alive", "files", "retuning_by_interrupt", "freeze",
         "evidence_of_a_spinning_guest", "evidence_of_a_stopped_vmm", "blocked", "unload", "hot_unplug",
         "power_off", "nothing_is_left"]


def main():
    chosen = sys.argv[1:]
    kernel = kernels()[0]
    if chosen and chosen[0][0].isdigit():
        kernel = next(tree for tree in kernels() if series(tree) == chosen[0])
        del chosen[0]
    names = ALL if not chosen else BRIEF if chosen == ["brief"] else ALL[:2] + chosen
    tests = [globals()[f"test_{name}"] for name in names]
    run = Run(kexec="kexec" in names, kernel=kernel)

    def explain(lost):
        events = [event for event in run.monitor.events if event.name != "beat"]
        for line in traceback.format_exc().splitlines() + [f"event: {event}" for event in events[-20:]]:
            print(f"# {line}")
        if not lost:
            save(f"{run.guest.name}-dmesg.log", run.guest.sh("dmesg")[1].splitlines())

    failed = play(tests, run, explain)
    save(f"trace{series(kernel)}.log", run.monitor.events)
    if run.guest:
        run.guest.close()
    sys.exit(failed)


if __name__ == "__main__":
    main()
