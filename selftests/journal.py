# SPDX-License-Identifier: GPL-2.0
"""What heartbeatd writes to the journal, and tests wait for."""

import re
import threading

from hb import TIMEOUT, TOP, Timeout, read


class Entries:
    """Entries of a journal as they come, each a dict of its fields."""

    def __init__(self):
        self.all = []
        self._changed = threading.Condition()

    def add(self, entry):
        """One has come."""
        with self._changed:
            self.all.append(entry)
            self._changed.notify_all()

    def mark(self):
        """The place from which on entries are new."""
        with self._changed:
            return len(self.all)

    def wait(self, since=0, **fields):
        """Wait for an entry with these fields, which may lack KVM_HEARTBEAT_; the entry."""
        def find():
            return next((entry for entry in self.all[since:] if all(
                entry.get(name, entry.get(f"KVM_HEARTBEAT_{name}")) == value for name, value in fields.items())), None)
        with self._changed:
            if not self._changed.wait_for(find, TIMEOUT):
                raise Timeout(f"waited {TIMEOUT} s for {fields}; heard: {self.all[since:]}")
            return find()

    def steps(self, since=0):
        """The steps that were taken: (step, result)."""
        with self._changed:
            return [(entry["KVM_HEARTBEAT_STEP"], entry["KVM_HEARTBEAT_RESULT"]) for entry in self.all[since:]
                    if "KVM_HEARTBEAT_POLICY" in entry]


def message_id(name):
    """The MESSAGE_ID of a kind of entry."""
    return re.search(rf'{name}, "(\w+)"', read(f"{TOP}/tools/journal.h"))[1]


def missed(journal, mark):
    """What is said to have been missed: what to how often."""
    entry = journal.wait(mark, MESSAGE_ID=message_id("MISSED"))
    return {what: int(number) for number, what in re.findall(r"(\d+) (outage|boot|reset)s?\b", entry["MESSAGE"])}
