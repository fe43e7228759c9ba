#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The life of a guest, as its host sees it. Runs inside the rig's host; `make demo` starts it.

Whatever follows 'trace', 'sysfs' or 'dmesg' is what the host's kernel says there, word for word.
"""

import os
import threading
import time

from hb import SEC, Guest
from monitor import Monitor
from run import FAULT, FAULT_KO, GUEST_KO

BEGIN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGIN:5.1f} s  {text}", flush=True)


class Waiting:
    """Says every 3 seconds that something is still going on."""

    def __init__(self, what):
        self.what, self.done = what, threading.Event()

    def __enter__(self):
        def nag():
            while not self.done.wait(3):
                say(f"   ... {self.what}")
        threading.Thread(target=nag, daemon=True).start()

    def __exit__(self, *_):
        self.done.set()


def main():
    monitor = Monitor()
    say(f"a monitor is created: {monitor.dir}")
    shown = 0

    def show(*sysfs):
        """What the kernel has said since the last time, and some sysfs files."""
        nonlocal shown
        lines = monitor.log()
        for line in lines[shown:]:
            say(f"   dmesg  kvm_heartbeat {monitor.uuid}: {line}")
        shown = len(lines)
        for name in sysfs:
            say(f"   sysfs  heartbeat/{name}: {monitor.get(name)}")

    say(f"stock QEMU starts with -device {monitor.device}")
    guest = Guest(cpus=2, devices=[monitor.device])
    attach = monitor.wait_event("attach")
    say("ATTACHED to the VM")
    say(f"   trace  {attach}")
    show("state", "vmm_pid")

    with Waiting("the guest's kernel boots"):
        release = guest.wait_boot()
    say(f"the guest is up ({release}) and loads its driver")
    guest.run(f"insmod {GUEST_KO}")
    alive = monitor.wait_state("alive")
    say("ALIVE")
    say(f"   trace  {alive}")
    show()
    with Waiting("three beats, one in two seconds"):
        monitor.wait_beats(3, since=0)
    for beat in [event for event in monitor.events if event.name == "beat"][:3]:
        say(f"   trace  {beat}")
    show("interval_ns", "timeout_ns", "state", "beats")

    say("RETUNED while it runs: echo 500000000 > heartbeat/interval_ns")
    since = monitor.mark()
    monitor.set("interval_ns", SEC // 2)
    monitor.wait_beats(4, since=since)
    for event in monitor.events[since:][:5]:
        say(f"   trace  {event}")
    show("interval_ns", "timeout_ns", "state")

    say("FROZEN for 5 s: a module in the guest turns interrupts off on all its CPUs and holds them (stop_machine)")
    since = monitor.mark()
    guest.run(f"insmod {FAULT_KO}")
    frozen = guest.send(f"echo 5000 > {FAULT}/freeze_ms")
    late = monitor.wait_state("late", since)
    say("LATE")
    say(f"   trace  {late}")
    show()
    dead = monitor.wait_state("unresponsive", since)
    monitor.poll_state("unresponsive")
    say("UNRESPONSIVE")
    say(f"   trace  {dead}")
    show("state", "cause", "last_beat_ns")
    with Waiting("the guest is frozen"):
        back = monitor.wait_state("alive", since)
        frozen.wait()
    say("REVIVED: the CPUs go on")
    say(f"   trace  {back}")
    show("state", "outages", "downtime_ns", "missed")

    say("SHUT DOWN: poweroff in the guest")
    since = monitor.mark()
    guest.send("poweroff -f")
    stopped = monitor.wait_state("stopped", since, cause="shutdown")
    say(f"   trace  {stopped}")
    with Waiting("QEMU ends"):
        guest.wait_exit()
        detach = monitor.wait_event("detach", since)
    say(f"   trace  {detach}")
    show("state", "cause")
    guest.close()

    history = monitor.history()
    expected = ["waiting", "alive", "late", "unresponsive:hung", "alive", "stopped:shutdown", "detached:shutdown"]
    monitor.remove()
    if os.system("rmmod kvm_heartbeat"):
        raise SystemExit("the module cannot be unloaded")
    # On a busy machine a beat may be late in between, and that is no failure.
    rest = iter(history)
    if not all(state in rest for state in expected):
        raise SystemExit(f"the history was to have {expected}, and was {history}")
    say("all of it happened: " + " -> ".join(history))


if __name__ == "__main__":
    main()
