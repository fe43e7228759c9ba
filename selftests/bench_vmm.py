#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench_vmm.py: what a beat costs, how exactly silence is noticed, and what it takes a monitor to move with its VM,
where no Linux guest is needed: with the minimal VMM (vmm/). Runs inside the host that `rig/host --icount` boots, where
one ns is one instruction, with the host module loaded. Writes KVMHB_OUT/vmm.json:

    {"rows": [{"name": ..., "what": one line, "instructions": per beat, "guest": of them the guest's, "host": the
               others, "exits": per beat}, ...],
     "latency": {GUEST: {"cause": the reports' cause,
                         "wall": [ns from the last beat's timeout until the report, one for each silence],
                         "run": [the same on the run clock]}, ...},
     "moves": [{"cpus": of the guest, "bytes": of its device's stream, "save", "restore", "run": [instructions, of which
               each has one value for each move]}, ...]}
"""

import contextlib
import json
import re
import signal
import subprocess
import tempfile
import time

import hb
from hb import MS, SEC, progress, read, write
from monitor import Event, Monitor, states_traced

# So many that the host's timer interrupts, which come in between, do not show.
RINGS = 50000
PULSES = 5000000

# Instructions of the guest's loop, see guest_ring and guest_pulse in vmm/guest.c.
RING_GUEST = 3
PULSE_GUEST = 4

# Silences of a guest that spins take the emulator's time; those of one that halts are leapt over.
ROUNDS = {"spin": 2000, "halt": 2000}
INTERVAL = 10 * MS
TIMEOUT = 2 * INTERVAL

# CPUs of guests that move, and how often each does: 62 are the most that a pulse page of 4 KiB has room for.
MOVES = {1: 20, 62: 20}


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


def streams(process, word):
    """What the VMM says of its devices' streams."""
    line = process.stdout.readline()
    if not line.startswith(f"{word} "):
        raise hb.GuestError(f"the VMM did not say '{word}', but '{line.strip()}', see above")
    return {key: int(value) for key, value in (part.split("=") for part in line.split()[1:])}


@contextlib.contextmanager
def moving(monitor, *arguments):
    """A VMM whose VM is to move, until it has moved."""
    with subprocess.Popen([f"{hb.TOP}/build/bin/vmm", "-m", monitor.uuid, "-d", "ioeventfd", *arguments], text=True,
                          stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


def moves(cpus, times):
    """A guest moves so often from one monitor to another."""
    found = {"cpus": cpus, "bytes": None, "save": [], "restore": [], "run": []}
    source, target = Monitor(), Monitor()
    for monitor in (source, target):
        monitor.ignore()
    source.set("interval_ns", 10 * INTERVAL)
    with tempfile.TemporaryDirectory() as folder:
        image = f"{folder}/vm"
        for _ in range(times):
            with moving(source, "-c", str(cpus), "-o", image, "beat") as process:
                if process.stdout.readline() != "up\n":
                    raise hb.GuestError("the VMM did not say 'up', see above")
                # Until the host has seen all CPUs, of which the stream tells, too.
                time.sleep(100 * INTERVAL / SEC)
                process.send_signal(signal.SIGHUP)
                saved = streams(process, "saved")
            with moving(target, "-i", image) as process:
                restored = streams(process, "restored")
            found["bytes"] = saved["bytes"]
            for key, ns in (("save", saved["ns"]), ("restore", restored["ns"]), ("run", restored["run_ns"])):
                found[key].append(ns)
    source.remove()
    target.remove()
    progress(f"{cpus} CPUs move {times} times: {found['bytes']} bytes, " +
             ", ".join(f"{part} {min(found[part])} to {max(found[part])}" for part in ("save", "restore", "run")) +
             " instructions")
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
    moved = [moves(cpus, times) for cpus, times in MOVES.items()]
    write(f"{hb.OUT}/vmm.json", json.dumps({"rows": rows, "latency": silences, "moves": moved}, indent=1) + "\n")


if __name__ == "__main__":
    main()
