#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Makes Documentation/pictures/watch.svg: what `heartbeatctl watch` draws in a terminal of 80 columns. Runs on this
machine, as any user, for some 20 seconds.

The monitors are made up, and lie over /sys in a mount namespace. pyte is the terminal. Run it after a change of the
table, and look at the picture.
"""

import os
import pty
import subprocess
import tempfile
from xml.sax.saxutils import escape

import pyte

from hb import MS, SEC, TOP, write

COLUMNS, LINES = 80, 15
# The table has room for so many gaps, and looks once a second.
LOOKS = 17
END = (LOOKS - 1) * SEC
# Name, state, cause, interval, outages, whether it is muted, age of the last beat at the end if the guest is silent
# (-1: it has never beaten), and how much longer than the interval each gap is.
VMS = [
    ("web1", "alive", "none", 500 * MS, 0, False, None, [0]),
    ("web2", "alive", "none", SEC, 1, False, None, [0, 0, 300 * MS, 0]),
    ("web3", "late", "starved", SEC, 0, False, 2700 * MS, [200 * MS, 0]),
    ("db1", "unresponsive", "hung", SEC, 2, False, 12040 * MS, [0]),
    ("db2", "degraded", "blocked", SEC, 0, False, None, [0, 700 * MS]),
    ("mail1", "alive", "none", 2 * SEC, 3, True, None, [0]),
    ("build1", "paused", "paused", SEC, 0, False, 71120 * MS, [0]),
    ("build2", "panicked", "dumping", SEC, 1, False, None, [0]),
    ("a-name-that-is-longer-than-its-column", "waiting", "none", SEC, 0, False, -1, []),
    ("", "detached", "shutdown", SEC, 0, False, -1, []),
]
# Width and height of a character, and the place of its foot.
WIDTH, HEIGHT, FOOT = 8, 17, 13
INK = {"default": "#d4d4d4", "red": "#ff6a5e", "brown": "#e8c25a"}
PAPER = "#1d1f21"


class Guest:
    """A guest that is made up: its files, and the VMM that gives it its name."""

    def __init__(self, sys, number, vm):
        self.name, self.state, self.cause, self.interval, self.outages, muted, self.age, self.longer = vm
        self.phase = number * 40 * MS
        uuid = f"{number:08x}-2222-3333-4444-555555555555"
        self.folder = f"{sys}/devices/virtual/kvm_heartbeat/{uuid}/heartbeat"
        os.makedirs(self.folder)
        os.symlink(f"../../../devices/virtual/kvm_heartbeat/{uuid}", f"{sys}/bus/mdev/devices/{uuid}")
        self.vmm = None
        if self.name:
            self.vmm = subprocess.Popen(["sh", "-c", "read line", "qemu-system-x86_64", "-name", self.name],
                                        stdin=subprocess.PIPE)
        self.put("state", self.state)
        self.put("cause", self.cause)
        self.put("outages", self.outages)
        self.put("interval_ns", self.interval)
        self.put("timeout_ns", 2 * self.interval)
        self.put("mute_ns", 3600 * SEC if muted else 0)
        self.put("vmm_pid", self.vmm.pid if self.vmm else 0)

    def put(self, name, value):
        """What a file says."""
        write(f"{self.folder}/{name}", f"{value}\n")

    def look(self, now):
        """What is seen of its beats at a time since it began."""
        if self.age == -1:
            self.put("beats", 0)
            return
        end = now if self.age is None else min(now, max(END - self.age, 0))
        # Not all beat at the same moment.
        beats, last = 0, -self.phase
        while True:
            gap = self.interval + self.longer[beats % len(self.longer)]
            if last + gap > end:
                break
            last, beats = last + gap, beats + 1
        # One that has been silent for longer than all of this was so at the beginning.
        age = now - last if self.age is None or self.age < END else self.age - END + now
        self.put("beats", beats + 100)
        self.put("last_beat_ns", age)

    def close(self):
        """End the VMM."""
        if self.vmm:
            self.vmm.stdin.close()
            self.vmm.wait()


def drawn(sys, guests):
    """What is on the screen at the end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    pid, terminal = pty.fork()
    if not pid:
        os.environ |= {"TERM": "linux", "LC_ALL": "C.UTF-8", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
        os.execvp("unshare", ["unshare", "--map-root-user", "--mount", "sh", "-c",
                              'mount --bind "$0" /sys && exec "$@"', sys, f"{TOP}/build/bin/heartbeatctl", "watch"])
    looks, clock = 0, ""
    while looks < LOOKS:
        stream.feed(os.read(terminal, 65536))
        # The clock is drawn after each look, and the last line after all else.
        if screen.display[0][:8] != clock and screen.display[-1].startswith("q quit"):
            looks, clock = looks + 1, screen.display[0][:8]
            for guest in guests:
                guest.look(looks * SEC)
    os.write(terminal, b"q")
    os.waitpid(pid, 0)
    return screen


def runs(screen, line):
    """The text of a line, in parts that look the same: (column, text, character that looks like it)."""
    column = 0
    while column < COLUMNS:
        first = screen.buffer[line][column]
        end = column
        while end < COLUMNS and screen.buffer[line][end][1:] == first[1:]:
            end += 1
        yield column, "".join(screen.buffer[line][x].data for x in range(column, end)), first
        column = end


def svg(screen):
    """A picture of a screen."""
    width, height = COLUMNS * WIDTH + 16, LINES * HEIGHT + 16
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    yield "<!-- SPDX-License-Identifier: GPL-2.0 -->"
    yield "<!-- Made by selftests/picture.py -->"
    yield f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}"/>'
    yield '<g font-family="DejaVu Sans Mono, monospace" font-size="13" transform="translate(8 8)">'
    for line in range(LINES):
        for column, text, look in runs(screen, line):
            ink = INK[look.fg]
            if look.reverse:
                yield (f'<rect x="{column * WIDTH}" y="{line * HEIGHT}" width="{len(text) * WIDTH}" '
                       f'height="{HEIGHT}" fill="{ink}"/>')
                ink = PAPER
            for word, start in words(text):
                weight = ' font-weight="bold"' if look.bold else ""
                yield (f'<text x="{(column + start) * WIDTH}" y="{line * HEIGHT + FOOT}" '
                       f'textLength="{len(word) * WIDTH}" fill="{ink}"{weight}>{escape(word)}</text>')
    yield "</g>"
    yield "</svg>"


def words(text):
    """The words of a text and their places: what has more than one blank between it stands apart."""
    start = 0
    for word in text.split("  "):
        if word.strip():
            yield word.strip(), start + len(word) - len(word.lstrip())
        start += len(word) + 2


def main():
    """Make the picture."""
    with tempfile.TemporaryDirectory() as sys:
        os.makedirs(f"{sys}/bus/mdev/devices")
        os.makedirs(f"{sys}/module/kvm_heartbeat")
        guests = [Guest(sys, number, vm) for number, vm in enumerate(VMS, start=1)]
        for guest in guests:
            guest.look(0)
        screen = drawn(sys, guests)
        for guest in guests:
            guest.close()
    os.makedirs(f"{TOP}/Documentation/pictures", exist_ok=True)
    write(f"{TOP}/Documentation/pictures/watch.svg", "\n".join(svg(screen)) + "\n")


if __name__ == "__main__":
    main()
