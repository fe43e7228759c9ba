# SPDX-License-Identifier: GPL-2.0
"""A monitor of the host module, as its users see it: sysfs, poll(2), trace events, the kernel log."""

import contextlib
import itertools
import os
import re
import select
import threading
import time
import uuid

from hb import TIMEOUT, Timeout, read, write

TYPE = "/sys/class/mdev_bus/kvm_heartbeat/mdev_supported_types/kvm_heartbeat-vm"
TRACING = "/sys/kernel/tracing"


class Event:
    """One trace event: its time in seconds, its name, its fields as attributes (numbers as int)."""

    # COMM-PID [CPU] FLAGS TIME: NAME: FIELDS, and COMM may hold anything.
    LINE = re.compile(r".*-\d+ +\[\d+\] [^ ]+ +(\d+\.\d+): (\w+): (.*)")

    def __init__(self, line):
        seconds, self.name, fields = self.LINE.fullmatch(line).groups()
        self.time = float(seconds)
        self.text = line
        for field in fields.split():
            key, value = field.split("=", 1)
            setattr(self, key, int(value) if re.fullmatch(r"-?\d+", value) else value)

    def __repr__(self):
        return self.text.strip()


def poll_state(folder, state, timeout=TIMEOUT):
    """Wait by poll(2) on the sysfs file of the monitor in a folder until it says so."""
    end = time.monotonic() + timeout
    with open(f"{folder}/heartbeat/state", encoding="utf-8") as file:
        poll = select.poll()
        poll.register(file, select.POLLPRI)
        while True:
            file.seek(0)
            now = file.read().strip()
            if now == state:
                return
            if not poll.poll(max(0, (end - time.monotonic()) * 1000)):
                raise Timeout(f"waited {timeout} s for state {state}, it is {now}")


@contextlib.contextmanager
def states_traced(which, kib=None):
    """A trace of its own, to be read afterwards, of the changes of state that a filter lets through: its folder."""
    folder = f"{TRACING}/instances/states"
    os.mkdir(folder)
    try:
        write(f"{folder}/trace_clock", "mono")
        if kib:
            write(f"{folder}/buffer_size_kb", kib)
        write(f"{folder}/events/kvm_heartbeat/state/filter", which)
        write(f"{folder}/events/kvm_heartbeat/state/enable", 1)
        yield folder
    finally:
        os.rmdir(folder)


class Untraced:
    """A monitor by its files alone: a new one, which create() makes, or the one that has a UUID."""

    def __init__(self, existing=None):
        self.uuid = existing or str(uuid.uuid4())
        self.dir = f"/sys/bus/mdev/devices/{self.uuid}"
        self.device = f"vfio-pci,sysfsdev={self.dir},id=hb"

    def create(self):
        """Make it."""
        write(f"{TYPE}/create", self.uuid)

    def remove(self):
        """Remove the monitor and what followed it."""
        write(f"{self.dir}/remove", "1")

    def get(self, name):
        """What a sysfs file says."""
        return read(f"{self.dir}/heartbeat/{name}").strip()

    def number(self, name):
        """What a sysfs file says, as a number."""
        return int(self.get(name))

    def lives(self, before=(0, 0, 0)):
        """Boots, panics and resets, less those of before."""
        return [self.number(name) - n for name, n in zip(("boots", "panics", "resets"), before)]

    def set(self, name, value):
        """Write a sysfs file."""
        write(f"{self.dir}/heartbeat/{name}", value)

    def poll_state(self, state, timeout=TIMEOUT):
        """Wait by poll(2) on the sysfs file until it says so."""
        poll_state(self.dir, state, timeout)

    def lines(self):
        """The kernel's log lines about this monitor, without time and name."""
        lines = []
        with open("/dev/kmsg", "rb", buffering=0) as kmsg:
            os.set_blocking(kmsg.fileno(), False)
            while record := kmsg.read(8192):
                line = record.decode(errors="replace").split(";", 1)[1].split("\n")[0]
                head, found, text = line.partition(f"kvm_heartbeat {self.uuid}: ")
                if found and not head:
                    lines.append(text)
        return lines

    def log(self):
        """Those about its guest's state."""
        return [line for line in self.lines() if line.startswith("guest is ")]


class Monitor(Untraced):
    """Also follows its trace events, in a trace instance of its own."""

    patience = TIMEOUT   # s, where nothing else is said

    def __init__(self, existing=None):
        super().__init__(existing)
        self.instance = f"{TRACING}/instances/{self.uuid}"
        self.events = []
        self._marks = itertools.count(1)
        self._seen_mark = None
        self._changed = threading.Condition()

        os.mkdir(self.instance)
        write(f"{self.instance}/trace_clock", "mono")
        write(f"{self.instance}/events/kvm_heartbeat/filter", f'vm == "{self.uuid}"')
        write(f"{self.instance}/events/kvm_heartbeat/enable", "1")
        self._pipe = open(f"{self.instance}/trace_pipe", encoding="utf-8")
        threading.Thread(target=self._follow, daemon=True).start()
        if not existing:
            self.create()

    def _follow(self):
        for line in self._pipe:
            if line.startswith("CPU:") and "LOST" in line:
                raise RuntimeError(f"trace events were lost: {line}")
            _, is_mark, mark = line.rstrip("\n").partition(": tracing_mark_write: ")
            with self._changed:
                if is_mark:
                    self._seen_mark = mark
                else:
                    self.events.append(Event(line.rstrip("\n")))
                self._changed.notify_all()

    def mark(self):
        """This moment's place in the stream of events, for the functions below."""
        text = f"mark={next(self._marks)}"
        write(f"{self.instance}/trace_marker", text)
        with self._changed:
            if not self._changed.wait_for(lambda: self._seen_mark == text, TIMEOUT):
                raise Timeout(f"waited {TIMEOUT} s for the trace to come to {text}")
            return len(self.events)

    def wait_event(self, name, since=0, timeout=None, count=1, **fields):
        """Wait for the count-th event of that name and with those fields after a mark; the event."""
        timeout = timeout or self.patience

        def find():
            found = [event for event in self.events[since:] if event.name == name and
                     all(getattr(event, key) == value for key, value in fields.items())]
            return found[count - 1] if len(found) >= count else None
        with self._changed:
            if not self._changed.wait_for(find, timeout):
                raise Timeout(f"waited {timeout} s for {count} x event {name} {fields}; the last ones were:\n" +
                              "\n".join(repr(event) for event in self.events[since:] if event.name != "beat"
                                        or name == "beat")[-4000:])
            return find()

    def wait_state(self, state, since=0, timeout=None, **fields):
        """Wait for a transition to a state after a mark; the event."""
        return self.wait_event("state", since, timeout, new=state, **fields)

    def wait_beats(self, count, timeout=None, since=None):
        """Wait for so many beats from now on, or from a mark; the last one's event."""
        return self.wait_event("beat", self.mark() if since is None else since, timeout, count)

    def only_beat(self, number):
        """From now on only the beat of that number is among the events: nobody could follow all of a fast guest."""
        write(f"{self.instance}/events/kvm_heartbeat/beat/filter", f'vm == "{self.uuid}" && beats == {number}')

    def ignore(self):
        """Follow its events no more: a beat that is traced costs more."""
        write(f"{self.instance}/events/kvm_heartbeat/enable", "0")

    def history(self, since=0):
        """The states after a mark, as 'state' or 'state:cause'."""
        with self._changed:
            return [e.new if e.cause == "none" else f"{e.new}:{e.cause}"
                    for e in self.events[since:] if e.name == "state"]

    def remove(self):
        super().remove()
        self.ignore()
