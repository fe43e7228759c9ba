# SPDX-License-Identifier: GPL-2.0
"""Many monitors: all that trace and log say of them, and what they should have said. Runs inside the rig's host."""

import collections
import itertools
import os
import re
import threading

from hb import TIMEOUT, Timeout, write
from matrix import story
from monitor import TRACING, Event, Untraced
from run import TROUBLE, expect, expect_in

# A guest that spins has a twentieth of a CPU, or less, while programs want all; that it is silent counts by its own share.
PATIENCE = 5 * TIMEOUT

# What no guest may be called without a reason.
ACCUSED = "unresponsive", "degraded", "panicked"
LINE = re.compile(r"kvm_heartbeat ([0-9a-f-]{36}): guest is (\w+)(?:.*\(([a-z-]+)\)|.*)")


class Reports:
    """All transitions of all monitors, from the trace and from the kernel's log."""

    def __init__(self):
        self.changed = threading.Condition()
        self.trouble = []
        self.told = collections.Counter()   # states and causes, of all monitors
        self._monitors = {}
        self._marks = itertools.count(1)
        self._seen = {"trace": 0, "log": 0}
        self.problem = None
        self._folder = f"{TRACING}/instances/soak-{os.getpid()}"
        os.mkdir(self._folder)
        write(f"{self._folder}/trace_clock", "mono")
        write(f"{self._folder}/buffer_size_kb", 8192)
        for name in "state", "config":
            write(f"{self._folder}/events/kvm_heartbeat/{name}/enable", 1)
        write("/proc/sys/kernel/printk_devkmsg", "on\n")
        self._pipe = open(f"{self._folder}/trace_pipe", encoding="utf-8")
        self._kmsg = open("/dev/kmsg", "rb", buffering=0)
        self._kmsg.seek(0, os.SEEK_END)
        for follow in self._follow_trace, self._follow_log:
            threading.Thread(target=self._follow, args=[follow], daemon=True).start()

    def add(self, monitor):
        """A monitor whose reports are to be kept, from now on."""
        with self.changed:
            self._monitors[monitor.uuid] = monitor

    def follow_beats(self, monitor):
        """From now on its beats are counted, and those of no other."""
        write(f"{self._folder}/events/kvm_heartbeat/beat/filter", f'vm == "{monitor.uuid}"')
        write(f"{self._folder}/events/kvm_heartbeat/beat/enable", 1)

    def _follow(self, follow):
        try:
            follow()
        except Exception as error:   # pylint: disable=broad-except
            with self.changed:
                self.problem = error
                self.changed.notify_all()

    def _mark_seen(self, where, number):
        with self.changed:
            # Whoever has the number before may write it later.
            self._seen[where] = max(number, self._seen[where])
            self.changed.notify_all()

    def _follow_trace(self):
        for line in self._pipe:
            if line.startswith("CPU:") and "LOST" in line:
                raise RuntimeError(f"trace events were lost: {line}")
            line = line.rstrip("\n")
            _, is_mark, number = line.partition(": tracing_mark_write: soak ")
            if is_mark:
                self._mark_seen("trace", int(number))
                continue
            event = Event(line)
            with self.changed:
                monitor = self._monitors.get(event.vm)
                if monitor:
                    monitor.report(event)
                    if event.name == "state":
                        self.told[f"{event.new}:{event.cause}"] += 1
                    self.changed.notify_all()

    def _follow_log(self):
        while record := self._kmsg.read(8192):
            text = record.decode(errors="replace").split(";", 1)[1].split("\n")[0]
            if text.startswith("soak "):
                self._mark_seen("log", int(text.split()[1]))
            elif found := LINE.fullmatch(text):
                with self.changed:
                    if found[1] in self._monitors:
                        self._monitors[found[1]].lines_seen.append((found[2], found[3]))
            elif TROUBLE.search(text):
                self.trouble.append(text)

    def wait(self, condition, what):
        """Until that holds; it is looked at whenever something was reported."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition() or self.problem, PATIENCE):
                raise Timeout(f"waited {PATIENCE} s for {what}")
            if self.problem:
                raise self.problem

    def catch_up(self):
        """Until all is known that was reported until now."""
        with self.changed:
            number = next(self._marks)
        write(f"{self._folder}/trace_marker", f"soak {number}")
        write("/dev/kmsg", f"soak {number}\n")
        self.wait(lambda: min(self._seen.values()) >= number, "trace and log")


class Watched(Untraced):
    """A monitor, what was reported of it, and what should have been."""

    def __init__(self, reports):
        super().__init__()
        self.reports = reports
        self.states = []        # events
        self.config = None      # the last event
        self.beats = 0          # if they are followed
        self.lines_seen = []    # (state, cause), from the log
        self._story = 0, []     # of so many events
        self.told = []          # what was really done leads to, without delays
        self.may = ()           # what may be told besides, for now
        reports.add(self)
        self.create()

    def report(self, event):
        """An event of the trace."""
        if event.name == "state":
            self.states.append(event)
        elif event.name == "beat":
            self.beats += 1
        else:
            self.config = event

    def wait_beats(self, count):
        """So many beats from now on."""
        self.reports.catch_up()
        end = self.beats + count
        self.reports.wait(lambda: self.beats >= end, f"{count} beats of {self.uuid}")

    def story(self):
        """What was reported, without delays."""
        count, told = self._story
        if count != len(self.states):
            states = list(self.states)
            told = story([event.new if event.cause == "none" else f"{event.new}:{event.cause}" for event in states])
            self._story = len(states), told
        return told

    def tell(self, *states):
        """From now on these are to be reported, too."""
        self.told += states

    def has_told(self):
        """Whether all was reported that should have been, or something else."""
        seen = self.story()
        for number, said in enumerate(seen):
            if said in self.may and self.told[number:number + 1] != [said]:
                after = seen[number + 1:number + 2]
                if said == "unresponsive:unknown" and not after:
                    return False
                # It was reset before more was known.
                final = said == "unresponsive:unknown" and not after[0].startswith("unresponsive")
                self.told[number:number + final] = [said]
        return seen[:len(self.told)] != self.told[:len(seen)] or len(seen) >= len(self.told)

    def wait_told(self):
        """Until all was reported that should have been."""
        self.reports.wait(self.has_told, f"{self.told[-4:]} of {self.uuid}")
        expect(self.story()[-8:], self.told[-8:], "what was told")

    def forget(self):
        """What was wrong has been said, and is not to be said again."""
        self.told = self.story()
        self.lines_seen = self.lines_due()

    def lines_due(self):
        """What the log has of the transitions: it does not repeat that a guest that is paused is so, and does not tell that a
        VM that moves is."""
        due = []
        for event, after in zip(self.states, self.states[1:] + [None]):
            moves = event.old == "waiting" or (after and after.cause == "migrated")
            if event.new != "paused":
                due.append((event.new, None if event.cause == "none" else event.cause))
            elif not moves:
                due.append((event.new, None))
        return due

    def agree(self):
        """What was told, and what the monitor says of itself at the same time."""
        self.wait_told()
        while True:
            self.reports.catch_up()
            count, lines = len(self.states), len(self.lines_seen)
            now = self.get("state"), self.get("cause")
            self.reports.catch_up()
            # Or it has changed between one file and the other.
            if len(self.states) == count:
                break
        self.wait_told()
        self.may = ()
        expect(self.story() == self.told, True, "as it was told once")
        expect(now, (self.states[-1].new, self.states[-1].cause), "state and cause in sysfs")
        # Trace and log are not read at the same moment: what was in the one at first is in the other by now.
        due = self.lines_due()
        expect(self.lines_seen[:len(due)][-20:], due[-20:], "lines of the log")
        expect_in(len(due), lines, len(self.lines_seen), "their number")

    def false(self):
        """The last accusations, if there were more than there should have been."""
        told, seen = ([said for said in states if said.startswith(ACCUSED)] for states in (self.told, self.story()))
        return seen[len(told):]
