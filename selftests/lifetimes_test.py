#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Monitors are made, used and removed, many times over: nothing is left behind, and the module can be unloaded.

    lifetimes_test.py [--cycles CYCLES]

A host CPU goes offline and comes back all the while, and so does a CPU of a Linux guest. After each cycle numbers that are
exact are compared: references to modules, devices, groups, VMs. Of many cycles memory is counted, too: what is lost in each of
them is more than what the kernel keeps of its own accord. Of fewer in-host finds what nobody can reach any more, on the debug
kernel. Runs inside the rig's host; prints TAP.
"""

import argparse
import contextlib
import glob
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from hb import MS, Guest, progress, read, write
from monitor import Monitor, Untraced
from run import GUEST_KO, expect, expect_in, play, vms
from vmm_test import Vm

INTERVAL = 50 * MS
HOST_CPU = "/sys/devices/system/cpu/cpu1/online"
MODULE = "kvm_heartbeat"
# The driver loads where there is no device.
DRIVER_KO = os.environ["KVMHB_HOST_KO"].replace("host-module/kvm_heartbeat.ko", "guest-module/kvm_heartbeat_guest.ko")
# A cycle by which the module itself is unloaded takes longer, and is one in so many.
LOADED = 10
# Of so many cycles the first tenth makes what is kept, and each other one may leave nothing.
MANY = 500
KIB_A_PAGE = 4


def left():
    """What there is of what monitors and VMs are made of."""
    seen = {path: read(path).strip() for module in (MODULE, "mdev", "vfio", "vfio_iommu_type1", "kvm", "kvm_amd", "kvm_intel")
            for path in glob.glob(f"/sys/module/{module}/refcnt")}
    for pattern in "/sys/bus/mdev/devices/*", "/sys/kernel/iommu_groups/*", "/dev/vfio/*", "/dev/vfio/devices/*":
        # The numbers of groups are given anew.
        seen[pattern] = len(glob.glob(pattern))
    return seen | {"VMs": len(vms())}


def counted():
    """How many objects and pages of each kind there are that the kernel does not give back when it needs memory."""
    # A mapping that is no more is kept until there are many of them, or a module's memory is given back.
    subprocess.run(["insmod", DRIVER_KO], check=True)
    subprocess.run(["rmmod", DRIVER_KO], check=True)
    # A file that is gone, such as one of sysfs, is kept with its name and its inode for as long as there is room.
    write("/proc/sys/vm/drop_caches", 2)
    write("/proc/sys/vm/stat_refresh", 1)
    kib = {name: int(value.split()[0]) for name, value in (line.split(":") for line in read("/proc/meminfo").splitlines())}
    known = sum(kib.get(name, 0) for name in ("MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "Slab",
                                              "PageTables", "SecPageTables", "Percpu", "VmallocUsed"))
    counts = {"vmalloc": kib["VmallocUsed"] // KIB_A_PAGE, "percpu": kib["Percpu"] // KIB_A_PAGE,
              "no kind": (kib["MemTotal"] - known) // KIB_A_PAGE}
    caches = [line.split()[0] for line in read("/proc/slabinfo").splitlines()[2:]]
    for name in caches:
        # What is free of a slab that a CPU has at hand would count as used: 511 objects of 8 bytes.
        write(f"/sys/kernel/slab/{name}/shrink", 1)
    for line in read("/proc/slabinfo").splitlines()[2:]:
        name, objects = line.split()[:2]
        if read(f"/sys/kernel/slab/{name}/reclaim_account").strip() == "0":
            counts[name] = int(objects)
    return counts


def memory():
    """The least of each kind that is counted: what is lost is there each time, what is about to be given back is not."""
    least, idle = counted(), 0
    while idle < 5:
        now = counted()
        fewer = {name: count for name, count in now.items() if count < least.get(name, 0)}
        idle = 0 if fewer else idle + 1
        least |= fewer
    return least


def unload():
    """What rmmod says of it."""
    return subprocess.run(["rmmod", MODULE], check=False, stderr=subprocess.PIPE, text=True).stderr.strip()


def expect_used():
    """It may not be unloaded."""
    said = unload()
    expect(said.endswith(f"Module {MODULE} is in use"), True, f"rmmod says '{said}', while a VM uses a monitor")


def made():
    """A new monitor."""
    monitor = Untraced()
    monitor.create()
    monitor.set("interval_ns", INTERVAL)
    return monitor


class Run:
    """How often, and what else goes on meanwhile."""

    def __init__(self, cycles):
        self.cycles = cycles
        self.image = f"{tempfile.mkdtemp()}/vm"
        self._over = threading.Event()
        self._offline = 0
        self._problem = None

    def _toggle(self):
        try:
            # Whatever a cycle is at then: it takes longer than that.
            while not self._over.wait(0.3):
                write(HOST_CPU, 0)
                self._offline += 1
                write(HOST_CPU, 1)
        except OSError as error:
            self._problem = error

    @contextlib.contextmanager
    def host_cpu(self):
        """A host CPU goes and comes back until this ends."""
        self._over.clear()
        self._offline = 0
        thread = threading.Thread(target=self._toggle)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        progress(f"the host's CPU was offline {self._offline} times")
        expect(self._problem, None, "the host's CPU")
        expect_in(self._offline, 1, float("inf"), "how often the host's CPU was offline")


def lifetime(run, number):
    """Two monitors, and a VM that goes over from one to the other: alive or silent, and ended in either way."""
    silent, killed = number % 2, number // 2 % 2
    source, target = made(), made()
    doorbell = ("exit", "ioeventfd")[number // 4 % 2]
    state = "unresponsive" if silent else "alive"
    with Vm(source, "-d", doorbell, "-c", "2", "-o", run.image, "beat", "3" if silent else "0", "halt") as vm:
        source.poll_state(state)
        expect_used()
        vm.save()
        expect(vm.end(), 0, "status of the VMM")
    expect((source.get("state"), source.get("cause")), ("detached", "migrated"), "the source")
    with Vm(target, "-d", doorbell, "-i", run.image) as vm:
        target.poll_state(state)
        if not silent:
            vm.process.send_signal(signal.SIGUSR2)
            target.poll_state("unresponsive")
        # It may have been saved between its last beat and its look at whether to fall silent.
        expect_in(target.number("beats"), source.number("beats"), 3 if silent else float("inf"), "beats")
        expect(vm.end(signal.SIGKILL if killed else signal.SIGTERM), -signal.SIGKILL if killed else 0, "status of the VMM")
    expect((target.get("state"), target.get("cause")), ("detached", "vmm-gone"), "the target")
    for monitor in source, target:
        monitor.remove()
    os.unlink(run.image)


def expect_memory(run, kept):
    """There is not about as much more of any kind than was kept after a tenth of the cycles as there were cycles since then."""
    grown = {name: count - kept.get(name, 0) for name, count in memory().items()}
    most = sorted(grown, key=grown.get)[-3:]
    progress("memory grew most by " + ", ".join(f"{grown[name]} of {name}" for name in most))
    limit = (run.cycles - run.cycles // 10) // 2
    expect({name: count for name, count in grown.items() if count >= limit}, {}, f"memory of which there is {limit} more")


def test_lifetimes(run):
    """Monitors created, attached, migrated, detached and removed leave nothing behind, while CPUs of host and guest come and go"""
    monitor = Monitor()
    with Guest(cpus=2, append="panic=0", devices=[monitor.device]) as guest:
        guest.wait_boot()
        guest.run(f"insmod {GUEST_KO}")
        since = monitor.mark()
        cpu = "/sys/devices/system/cpu/cpu1/online"
        guest.run(f"(n=0; until [ -e /tmp/over ]; do echo 0 > {cpu} && echo 1 > {cpu} && n=$((n + 1)) && sleep 0.3 || break; done; "
                  "echo $n > /tmp/n; mv /tmp/n /tmp/times) &")
        begin = time.monotonic()
        with run.host_cpu():
            # The first one makes what is made once, such as caches.
            lifetime(run, 0)
            before = left()
            for number in range(1, run.cycles):
                lifetime(run, number)
                expect(left(), before, f"what is left after cycle {number}")
                if number == run.cycles // 10:
                    kept = memory()
                if number % 50 == 0:
                    progress(f"{number} cycles, {time.monotonic() - begin:.0f} s")
            if run.cycles >= MANY:
                expect_memory(run, kept)
        # It would have ended by itself if the CPU had not done as it was told.
        guest.run("[ ! -e /tmp/times ]")
        times = int(guest.run("touch /tmp/over; until [ -e /tmp/times ]; do sleep 0.1; done; cat /tmp/times"))
        progress(f"{run.cycles} cycles in {time.monotonic() - begin:.0f} s; the guest's CPU was offline {times} times")
        expect_in(times, 1, float("inf"), "how often the guest's CPU was offline")
        monitor.poll_state("alive")
        monitor.wait_beats(2)
        expect([state for state in monitor.history(since) if not state.startswith(("alive", "late"))], [], "what was said of it")
    monitor.remove()


def test_unloading(run):
    """The module cannot be unloaded while a VM uses a monitor, and at once when the VMM is dead, with the monitor"""
    module = os.environ["KVMHB_HOST_KO"]
    # Whatever became of the monitors before.
    expect(unload(), "", "what rmmod says")
    subprocess.run(["insmod", module], check=True)
    before = left()
    with run.host_cpu():
        for number in range(max(run.cycles // LOADED, 2)):
            monitor = made()
            silent = number % 2
            with Vm(monitor, "-d", "ioeventfd", "beat", "3" if silent else "0", "halt") as vm:
                monitor.poll_state("unresponsive" if silent else "alive")
                expect_used()
                expect(vm.end(signal.SIGKILL), -signal.SIGKILL, "status of the VMM")
            expect(unload(), "", "what rmmod says")
            expect(os.path.exists(monitor.dir), False, "the monitor is still there")
            subprocess.run(["insmod", module], check=True)
            expect(left(), before, f"what is left after cycle {number}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=16)
    sys.exit(play((test_lifetimes, test_unloading), Run(parser.parse_args().cycles), lambda lost: None))


if __name__ == "__main__":
    main()
