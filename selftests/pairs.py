#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A VM goes from one host to another as a file, and hosts differ in their kernel. Runs inside the rig's host; prints TAP.

    pairs.py save               saves a guest that is alive, one that hangs and one that is paused
    pairs.py restore DIR...     restores those that other hosts saved there

Both files of a VM are in $KVMHB_OUT: what QEMU saved, and what the monitor said last. The guest's kernel and the
command line of its QEMU are the same everywhere.
"""

import json
import os
import shutil
import sys
import time

from hb import OUT, SEC, GuestError, read, write
from migrate_test import Vm, end, explain, history_of
from run import FAULT, TROUBLE, expect, expect_in

NUMBERS = ["beats", "missed", "outages", "downtime_ns", "interval_ns", "timeout_ns"]
HOUR = 3600
# The host's own memory: QEMU writes page by page, which takes long where the results are.
FILE = "/tmp/vm"


def goes_on(vm, said, to):
    """The guest is alive where it was restored: it beats as before, does what it is told to, and has not complained."""
    first = vm.here.wait_event("beat", to)
    expect(first.beats, said["beats"] + 1, "number of the first beat")
    vm.here.wait_beats(5, since=to)
    for name in "interval_ns", "timeout_ns", "outages":
        expect(vm.here.number(name), said[name], name)
    log = vm.guest.run("dmesg").splitlines()
    expect([line for line in log if "kvm_heartbeat_guest" in line], [], "what the guest's driver says")
    return log


def alive(vm, said, to):
    vm.here.wait_state("alive", to)
    log = goes_on(vm, said, to)
    expect([line for line in log if TROUBLE.search(line)], [], "what the guest's kernel says")
    expect_in(vm.here.number("missed"), said["missed"], said["missed"] + 600, "missed")
    expect(vm.here.number("downtime_ns"), said["downtime_ns"], "downtime")
    expect(history_of(vm.here, to), ["waiting", "paused:paused", "alive"], "history")


def hangs(vm, said, to):
    vm.here.wait_state("unresponsive", to)
    expect(history_of(vm.here, to), ["waiting", "unresponsive:hung"], "history at first")
    expect_in(vm.here.number("downtime_ns"), said["downtime_ns"], said["downtime_ns"] + 60 * SEC, "downtime")
    back = vm.here.wait_state("alive", to)
    goes_on(vm, said, to)
    expect_in(vm.here.number("downtime_ns"), said["downtime_ns"] + 1, said["downtime_ns"] + 90 * SEC,
              f"downtime, which went on until {back}")
    expect(history_of(vm.here, to), ["waiting", "unresponsive:hung", "alive"], "history")


def paused(vm, said, to):
    vm.here.wait_state("paused", to)
    expect(vm.guest.qmp("query-status")["status"], "paused", "the VM")
    vm.guest.qmp("cont")
    alive(vm, said, to)


KINDS = {"alive": alive, "hangs": hangs, "paused": paused}


def save(vm, kind, expected):
    """Save the VM, and what its monitor said."""
    expect(vm.save(FILE), expected, "the source's history")
    shutil.copyfile(FILE, f"{OUT}/{kind}.vm")
    write(f"{OUT}/{kind}.json", json.dumps({name: vm.here.number(name) for name in NUMBERS} |
                                           {"kernel": os.uname().release, "uptime": time.monotonic()}))


def restore(vm, kind, folder):
    """Restore a VM, and judge it: what was said where it was saved."""
    said = json.loads(read(f"{folder}/{kind}.json"))
    shutil.copyfile(f"{folder}/{kind}.vm", FILE)
    KINDS[kind](vm, said, vm.restore(FILE))
    return said


def save_all(vm):
    """Save one of each kind. What comes after the first begins with it: so each host restores what is its own, too."""
    save(vm, "alive", ["paused:paused", "detached:migrated"])
    restore(vm, "alive", OUT)
    vm.guest.qmp("stop")
    save(vm, "paused", ["detached:migrated"])
    restore(vm, "paused", OUT)
    since = vm.here.mark()
    vm.guest.send(f"echo 30000 > {FAULT}/freeze_ms")
    vm.here.wait_state("unresponsive", since)
    save(vm, "hangs", ["detached:migrated"])
    restore(vm, "hangs", OUT)


def main():
    failed = False
    if sys.argv[1:] == ["save"]:
        print("TAP version 13\n1..1", flush=True)
        vm = Vm()
        try:
            save_all(vm)
        except (AssertionError, GuestError):
            explain(vm)
            failed = True
        print(f"{'not ' if failed else ''}ok 1 {os.uname().release} saves VMs, and restores its own", flush=True)
        end(vm)
        sys.exit(failed)

    folders = sys.argv[2:]
    print(f"TAP version 13\n1..{len(folders) * len(KINDS)}", flush=True)
    # A clock that is another one than where they were saved, an hour later; the kernel's own begins with the boot.
    time.clock_settime(time.CLOCK_REALTIME, time.time() + HOUR)
    vm = Vm(boots=False)
    for number, (folder, kind) in enumerate(((folder, kind) for folder in folders for kind in KINDS), start=1):
        begin, what, verdict = time.monotonic(), folder, "ok"
        try:
            said = restore(vm, kind, folder)
            what = f"from {said['kernel']}, saved {said['uptime']:.0f} s after its boot"
        except (AssertionError, GuestError, OSError):
            explain(vm)
            verdict, failed = "not ok", True
        print(f"{verdict} {number} {kind} on {os.uname().release}, {begin:.0f} s after its boot, {what}", flush=True)
        if vm.guest:
            vm.guest.close()
    end(vm)
    sys.exit(failed)


if __name__ == "__main__":
    main()
