#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench_vmm.py: what a beat costs, and how exactly silence is noticed, where no Linux guest is needed: with the minimal
VMM (vmm/). Runs inside the host that `rig/host --icount` boots, where one ns is one instruction, with the host
module loaded. Writes KVMHB_OUT/vmm.json:

    {"rows": [{"name": ..., "what": one line, "instructions": per beat, "guest": of them the guest's, "host": the
               others, "exits": per beat}, ...],
     "latency": {GUEST: {"cause": the reports' cause,
                         "wall": [ns from the last beat's timeout until the report, one for each silence],
                         "run": [the same on the run clock]}, ...}}
"""

import json
import re
import subprocess
import time

import hb
from hb import MS, progress, read, write
from monitor import Event, Monitor, states_traced

# So many that the host's timer interrupts, which come in between, do not show.
RINGS = 50000
PULSES = 5000000

# Instructions of the guest's loop, see guest_ring and guest_pulse in vmm/guest.c.
RING_GUEST = 3
PULSE_GUEST = 4

# Silences of a guest that spins take the emulator's time; those of one that halts are leapt over.
ROUNDS = {"spin": 500, "halt": 500}
INTERVAL = 10 * MS
TIMEOUT = 2 * INTERVAL


def vmm(*arguments):
    """Run the minimal VMM: what it printed."""
    return subprocess.run([f"{hb.TOP}/build/bin/vmm", *map(str, arguments)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def cost(name, what, guest, *arguments):
    """One row."""
    def measure():
        count, ns, exits = map(int, re.search(r"count=(\d+) ns=(\d+) exits=(\d+)$", vmm(*arguments).strip()).groups())
        return ns / count, exits / count
    measure()   # the first one finds caches cold, in KVM and elsewhere
    instructions, exits = measure()
    again, _ = measure()
    progress(f"{name}: {instructions:.2f} and again {again:.2f} instructions, {exits:.4f} exits")
    return {"name": name, "what": what, "instructions": instructions, "guest": guest, "host": instructions - guest,
            "exits": exits}


def latency(monitor, kind, rounds):
    """Silences of one kind, each at a random phase."""
    with states_traced('new == "unresponsive"') as trace:
        begin = time.monotonic()
        vmm("-m", monitor.uuid, "-d", "ioeventfd", "-r", rounds, "beat", 3, kind)
        seconds = time.monotonic() - begin
        # Only now: who reads along takes CPU time from the guest.
        reports = [Event(line) for line in read(f"{trace}/trace").splitlines() if not line.startswith("#")]
    if len(reports) != rounds:
        raise hb.GuestError(f"{rounds} silences, but {len(reports)} reports")
    found = {"cause": " ".join(sorted({event.cause for event in reports})),
             "wall": [event.last_beat_ns - TIMEOUT for event in reports],
             "run": [event.run_ns - TIMEOUT for event in reports]}
    progress(f"{kind}: {rounds} silences in {seconds:.1f} s of virtual time, {found['cause']}, reported "
             f"{min(found['wall'])} to {max(found['wall'])} ns after the deadline, {min(found['run'])} to "
             f"{max(found['run'])} on the run clock")
    return found


def main():
    monitor = Monitor()
    monitor.ignore()
    ours = "-m", monitor.uuid
    rows = [
        cost("bare ioeventfd", "the minimal VMM, an eventfd that nobody listens to",
             RING_GUEST, "-d", "ioeventfd", "ring", RINGS),
        cost("bare exit", "the minimal VMM, which does nothing about it", RING_GUEST, "-d", "exit", "ring", RINGS),
        cost("ioeventfd beat", "the minimal VMM, an eventfd that the host module listens to",
             RING_GUEST, *ours, "-d", "ioeventfd", "ring", RINGS),
        cost("exit beat", "the minimal VMM, which passes it on to the host module",
             RING_GUEST, *ours, "-d", "exit", "ring", RINGS),
        cost("silent pulse", "no doorbell: a CPU counts up its slot", PULSE_GUEST, *ours, "pulse", PULSES),
    ]
    monitor.set("interval_ns", INTERVAL)
    monitor.set("timeout_ns", TIMEOUT)
    silences = {kind: latency(monitor, kind, rounds) for kind, rounds in ROUNDS.items()}
    monitor.remove()
    write(f"{hb.OUT}/vmm.json", json.dumps({"rows": rows, "latency": silences}, indent=1) + "\n")


if __name__ == "__main__":
    main()
