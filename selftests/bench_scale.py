#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench_scale.py: many monitors on one host that beat at 1 Hz, and then fall silent in the same second. Runs inside the
host that `rig/host --icount --memory 8G` boots, where one ns is one instruction. Writes KVMHB_OUT/scale.json:

    {"sizes": [{"monitors": N, "kind": "eventfd",
                "beat": instructions of one beat, that is, of a write to its eventfd,
                "bare": of a write to an eventfd that nobody listens to,
                "beyond": instructions per second beyond these beats,
                "memory": bytes of kernel memory that a monitor takes, without what a mediated device that does
                          nothing takes, and without the pulse page,
                "pulse": bytes of the pulse page,
                "last_s": from its deadline until the last of them was reported,
                "lines": lines in the kernel's log about it,
                "reported": how many became unresponsive in the trace, once each and not before the deadline,
                "sysfs": how many are so in sysfs,
                "list", "metrics": instructions of these commands of heartbeatctl, while a monitor is being removed, and
                                   a VM migrates,
                "read": how many monitors each of them had, at least}, ...,
               {"monitors": N, "kind": "vm",
                "host": instructions per second of N virtual machines that beat,
                "beyond": how many of them are there because the monitors look at them once an interval,
                and, as above, how they all fall silent}, ...]}
"""

import collections
import contextlib
import glob
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import hb
from hb import SEC, progress
from monitor import TYPE, poll_state, states_traced

SIZES = 100, 1000, 10000
VMS = 100, 1000
# What a device that does nothing takes is the same however many there are. With many, what else goes on counts little.
NR_BARE = 10000

INTERVAL = SEC
TIMEOUT = 2 * INTERVAL   # which is the default

# What is measured is a mean over so many seconds. It costs little to have them long: virtual time leaps over idleness.
WINDOW_S = 20
# The kernel frees some things only some seconds later, in the background, and nothing tells when it is done.
SETTLE_S = 20

CTL = f"{hb.TOP}/build/bin/heartbeatctl"
VMM = f"{hb.TOP}/build/bin/vmm"
MODULES = f"{hb.TOP}/build/{os.uname().release}/src"
BARE = f"{MODULES}/selftests/modules/kvm_heartbeat_bare.ko"
HEARTBEAT = f"{MODULES}/host-module/kvm_heartbeat.ko"
TYPE_BARE = "/sys/class/mdev_bus/kvm_heartbeat_bare/mdev_supported_types/platform-bare"

# Of monitors.c, and of the virtual machines here.
UUID = "5e1f7e57-0000-4000-8ca1-%012x"

# Beside slabs, what the kernel takes for itself and counts.
MEMORY = "VmallocUsed", "KernelStack", "PageTables", "Percpu"


class Process:
    """selftests/cost/monitors.c: devices, and who beats them."""

    def __init__(self, number, *folder):
        self.process = subprocess.Popen([f"{hb.TOP}/build/bin/monitors", str(number), *folder], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pulse = None   # bytes of each device's pulse page

    def ask(self, command):
        """Give a command: the numbers that it answers."""
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise hb.GuestError(f"monitors ended at the command '{command}', see above")
        return [int(word) for word in line.split()]

    def make(self):
        """Create the devices and open them."""
        begin = time.monotonic()
        self.ask("create")
        created = time.monotonic()
        self.pulse, = self.ask("open")
        progress(f"  created in {created - begin:.3f} s, opened in {time.monotonic() - created:.3f} s")

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def modules():
    """Both modules are loaded; their devices go with them."""
    subprocess.run(["insmod", BARE], check=True)
    subprocess.run(["insmod", HEARTBEAT, f"interval_ns={INTERVAL}"], check=True)
    try:
        yield
    finally:
        subprocess.run(["rmmod", "kvm_heartbeat", "kvm_heartbeat_bare"], check=True)


def memory():
    """What the kernel takes, in bytes; pulse pages, which are neither slabs nor in the vmalloc area, are not among it."""
    # Caches of files, and empty slabs, are not needed. The first time what was used lately is spared.
    for _ in range(2):
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
        time.sleep(SETTLE_S)
    for cache in glob.glob("/sys/kernel/slab/*/shrink"):
        pathlib.Path(cache).write_text("1")
    fields = {name: 1024 * int(kib)
              for name, kib in re.findall(r"(\w+): +(\d+) kB", pathlib.Path("/proc/meminfo").read_text())}
    # Objects, and not the pages they are in: those may be half empty, after others that were there before.
    slab = sum(int(used) * int(pages) * 4096 / int(in_slab) for used, in_slab, pages in
               re.findall(r"^\S+ +(\d+) +\d+ +\d+ +(\d+) +(\d+) :", pathlib.Path("/proc/slabinfo").read_text(), re.M))
    return slab + sum(fields[name] for name in MEMORY)


def idle():
    """How long the CPU has idled since boot, ns."""
    return 1000 * int(pathlib.Path("/sys/module/kvm_heartbeat_bare/parameters/idle_us").read_text())


def busy():
    """Instructions per second over a window."""
    begin, idle_before = time.monotonic_ns(), idle()
    time.sleep(WINDOW_S)
    elapsed, idled = time.monotonic_ns() - begin, idle() - idle_before
    return SEC * (elapsed - idled) / elapsed


def beating(process):
    """Over a window: instructions per second, and those of one write to an eventfd that nothing disturbs."""
    process.ask("cost")
    per_second = busy()
    beats, shortest, late_ticks = process.ask("cost")
    if late_ticks:
        progress(f"  beats were held up: {late_ticks} times a tick did not come before the next was due")
    return per_second, shortest / beats


def measure_memory():
    """What a device that does nothing takes."""
    progress(f"{NR_BARE} devices that do nothing")
    # The first ones find less in place than all that follow.
    with modules(), Process(100, TYPE_BARE) as process:
        process.make()
    with modules(), Process(NR_BARE, TYPE_BARE) as process:
        before = memory()
        process.make()
        each = (memory() - before) / NR_BARE
    progress(f"  {each:.0f} bytes each")
    return each


def log_number():
    """Number of the line of the kernel's log that is written here and now."""
    with open("/dev/kmsg", "r+b", buffering=0) as log:
        log.seek(0, os.SEEK_END)
        log.write(b"kvm-heartbeat: bench_scale.py counts lines\n")
        return int(log.read(8192).split(b",")[1])


def silence(stop):
    """All fall silent: stop() sees to it, and returns when each has beaten last, or None to go by the monitors' word."""
    # Only what is to be counted is kept, and there is room for all of it.
    with states_traced('new == "unresponsive" || cause == "host-degraded"', kib=16384) as trace:
        first_line = log_number()
        last_beats = stop()
        # None may be reported twice: so it is not enough to wait for the last.
        time.sleep(WINDOW_S)
        lines = log_number() - first_line - 1
        statistics = hb.read(f"{trace}/per_cpu/cpu0/stats")
        text = hb.read(f"{trace}/trace")
    if not re.search(r"^overrun: 0$", statistics, re.M) or not re.search(r"^dropped events: 0$", statistics, re.M):
        raise hb.GuestError(f"the trace is not complete, its buffer is too small:\n{statistics}")

    reports = collections.defaultdict(list)
    for seconds, vm, state, silence_ns in re.findall(
            r" (\d+\.\d+): state: vm=[-\w]+-(\w+) old=[-\w]+ new=([-\w]+) cause=[-\w]+ last_beat_ns=(\d+)", text):
        vm = int(vm, 16)
        if state == "unresponsive":
            reports[vm].append(float(seconds) - last_beats[vm] / SEC if last_beats else int(silence_ns) / SEC)
    late = {vm: silences[0] - TIMEOUT / SEC for vm, silences in reports.items()}
    states = collections.Counter(pathlib.Path(path).read_text().strip()
                                 for path in glob.glob("/sys/bus/mdev/devices/*/heartbeat/state"))
    progress(f"  silent: {len(late)} reported, {min(late.values(), default=0):.6f} to "
             f"{max(late.values(), default=0):.6f} s after their deadlines; in sysfs {dict(states)}")
    return {
        "last_s": max(late.values(), default=None),
        "lines": lines,
        # The trace has microseconds.
        "reported": sum(len(times) == 1 and late[vm] > -1e-6 for vm, times in reports.items()),
        "sysfs": states["unresponsive"],
    }


@contextlib.contextmanager
def removing(uuid):
    """A monitor is being removed, and waits for its VMM, which whoever calls this ends."""
    with open("/dev/kmsg", "rb", buffering=0) as log:
        log.seek(0, os.SEEK_END)
        with subprocess.Popen(["sh", "-c", f"echo 1 >/sys/bus/mdev/devices/{uuid}/remove"]):
            while b"in use by a VMM that cannot be asked" not in log.read(8192):
                pass
            yield


@contextlib.contextmanager
def migrating(uuid):
    """One more VM, which has stopped to migrate, and whose target does not read on."""
    pathlib.Path(f"{TYPE}/create").write_text(uuid)
    with tempfile.TemporaryDirectory() as folder:
        pipe = f"{folder}/pipe"
        os.mkfifo(pipe)
        target = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with subprocess.Popen([VMM, "-m", uuid, "-d", "ioeventfd", "-o", pipe, "beat"], stdout=subprocess.PIPE,
                              text=True) as vmm:
            try:
                if vmm.stdout.readline() != "up\n":
                    raise hb.GuestError("the VM that is to migrate did not say 'up', see above")
                vmm.send_signal(signal.SIGHUP)
                poll_state(f"/sys/bus/mdev/devices/{uuid}", "paused")
                yield
            finally:
                vmm.kill()
        os.close(target)


def read_all():
    """What it costs to have heartbeatctl read all of them."""
    row, monitors = {}, []
    for command, line in ("list", r"^\w+ .* [-0-9a-f]{36} "), ("metrics", r"^kvm_heartbeat_info{"):
        costs = []
        # The first time the program is not in memory yet.
        for _ in range(2):
            begin, idle_before = time.monotonic_ns(), idle()
            done = subprocess.run([CTL, command], check=True, stdout=subprocess.PIPE)
            costs.append(time.monotonic_ns() - begin - idle() + idle_before)
            monitors.append(len(re.findall(line, done.stdout.decode(), re.M)))
        progress(f"  heartbeatctl {command}: {costs[0]} and again {costs[1]} instructions")
        row[command] = costs[1]
    return row | {"read": min(monitors)}


def measure(number, bare_memory):
    """One row of eventfds."""
    progress(f"{number} monitors")
    with modules(), Process(number, TYPE) as process:
        with Process(number) as eventfds:
            eventfds.ask("open")
            eventfds.ask("beat")
            beating(eventfds)   # what was there before settles
            (first, bare), (second, _) = beating(eventfds), beating(eventfds)
        progress(f"  eventfds alone: {first:.0f} and again {second:.0f} instructions a second, {bare:.1f} a write")

        before = memory()
        process.make()
        process.ask("arm")
        process.ask("beat")
        after = memory()
        (per_second, beat), (again, _) = beating(process), beating(process)
        progress(f"  monitors: {per_second:.0f} and again {again:.0f} instructions a second, {beat:.1f} a beat")
        row = {
            "monitors": number, "kind": "eventfd", "beat": beat, "bare": bare,
            "beyond": per_second - first - number * (beat - bare),
            "memory": (after - before) / number - bare_memory,
            "pulse": process.pulse,
        }
        row |= silence(lambda: process.ask("stop"))
        with migrating(UUID % number), removing(UUID % 0):
            try:
                row |= read_all()
            finally:
                process.close()     # the removal ends when the VMM does
    progress(f"  {json.dumps(row)}")
    return row


def measure_vms(number):
    """One row of virtual machines, each with its VMM."""
    progress(f"{number} virtual machines")
    with modules(), contextlib.ExitStack() as stack:
        vmms, intervals = [], []
        for vm in range(number):
            uuid = UUID % vm
            pathlib.Path(f"{TYPE}/create").write_text(uuid)
            intervals.append(pathlib.Path(f"/sys/bus/mdev/devices/{uuid}/heartbeat/interval_ns"))
            vmms.append(stack.enter_context(subprocess.Popen(
                [VMM, "-m", uuid, "-d", "ioeventfd", "beat", "0", "halt"],
                stdout=subprocess.PIPE, text=True)))
            stack.callback(vmms[-1].terminate)
            if vmms[-1].stdout.readline() != "up\n":
                raise hb.GuestError(f"vmm {vm} did not say 'up', see above")
        time.sleep(SETTLE_S)
        looked_at = busy(), busy()
        # These guests only say that they follow. They beat as before, and nobody looks.
        for interval in intervals:
            interval.write_text("3600000000000")
        time.sleep(SETTLE_S)
        alone = busy(), busy()
        for interval in intervals:
            interval.write_text(str(INTERVAL))
        time.sleep(SETTLE_S)
        states = collections.Counter(interval.with_name("state").read_text().strip() for interval in intervals)
        if states != {"alive": number}:
            raise hb.GuestError(f"not all of them beat: {dict(states)}")

        def stop():
            for vmm in vmms:
                vmm.send_signal(signal.SIGUSR2)

        silent = silence(stop)
    progress(f"  {looked_at[0]:.0f} and again {looked_at[1]:.0f} instructions a second; "
             f"not looked at, {alone[0]:.0f} and again {alone[1]:.0f}")
    return {"monitors": number, "kind": "vm", "host": looked_at[0], "beyond": looked_at[0] - alone[0]} | silent


def main():
    rows = []

    def add(row):
        rows.append(row)
        with open(f"{hb.OUT}/scale.json", "w", encoding="utf-8") as file:
            json.dump({"sizes": rows}, file, indent=1)

    for number in VMS:
        add(measure_vms(number))
    bare_memory = measure_memory()
    for number in [int(word) for word in sys.argv[1:]] or SIZES:
        add(measure(number, bare_memory))


if __name__ == "__main__":
    main()
