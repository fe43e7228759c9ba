#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The commands of README.md, Documentation/ and the man pages do what is written there. Runs inside the rig's host;
prints TAP, a line for each document that has any.

    documents_test.py [DOCUMENT...]     such as Documentation/tracing.rst; without: all. The README comes first in any case

Each document is a script: its commands run in the order of the text, those of the host in one shell, which begins in
the checkout with $UUID and $PID, a monitor and its VMM. No command is written here: documents.py takes them from the
text. What is here is what the text cannot say: what a command has to print that has no end, and what systemd would do.
"""

import contextlib
import itertools
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import textwrap
import time
import traceback
from uuid import uuid4

import documents
from hb import MS, SEC, TIMEOUT, TOP, Guest, GuestError, kernels, libraries, progress, read, release, save, write
from monitor import TYPE, Monitor, poll_state
from run import FAULT, FAULT_KO, expect, play

NAME = "web1"
CHECKOUT = "/tmp/checkout"
# Commands that go on until they are interrupted, and what they print once a guest has fallen silent.
FOLLOWED = {
    "dmesg -w | grep kvm_heartbeat": "guest is unresponsive",
    "cat trace_pipe": "new=unresponsive",
    "udevadm monitor --kernel --property --subsystem-match=mdev": "HEARTBEAT_STATE=unresponsive",
    "heartbeatctl watch": "unresponsive halted",
    "heartbeatctl events": "-> unresponsive (halted)",
    "heartbeatctl events --json web1": '"new":"unresponsive"',
    """heartbeatctl events --json | grep '"new":"unresponsive"'""": '"new":"unresponsive"',
    "journalctl -t heartbeatd -f": "unresponsive",
    "heartbeatd --dry-run": "unresponsive",
    "heartbeatd --dry-run --config /etc/kvm-heartbeat.new": "unresponsive",
}
# Likewise, but they print that before they follow, and what they have seen is shown by the command behind them.
RECORDING = re.compile("trace-cmd record ")
RECORDS = "Hit Ctrl^C"
BEGUN = "It has begun."
# From here on the README reads what a guest has that has beaten for some time, and was silent once.
EXPECTS_HISTORY = "cat state cause"


class Shell:
    """Root's shell on the host."""

    def __init__(self, **environment):
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, cwd=CHECKOUT, env=os.environ | environment)
        self._numbers = itertools.count(1)
        # As if somebody sat before it: a command in the background has a group of its own, and may be interrupted.
        self.run("set -m -a")

    def run(self, text, redirected="</dev/null", behind=""):
        """Run a command that must succeed: its output."""
        mark = f"mark-{next(self._numbers)}"
        self.process.stdin.write(f"eval {shlex.quote(text)} {redirected} {behind}\nprintf '\\n%s %s\\n' {mark} $?\n")
        self.process.stdin.flush()
        output = ""
        for line in self.process.stdout:
            word, _, status = line.rstrip("\n").partition(" ")
            if word == mark:
                expect(status, "0", f"status of '{text}', which says:\n{output}\n")
                return output
            output += line
        raise GuestError(f"the shell ended in '{text}', which says:\n{output}")

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait(TIMEOUT)


class Follower:
    """A command that goes on, at a terminal of its own."""

    def __init__(self, shell, text):
        self.text, self.seen = text, ""
        self.terminal, slave = pty.openpty()
        shell.run(f"echo {BEGUN}; {text}", f"<>{os.ttyname(slave)} >&0 2>&1", "&")
        self.pid = int(shell.run("echo $!"))
        # Before it has opened its terminal, it seems to have ended.
        expect(self.wait(BEGUN, TIMEOUT), True, f"whether '{text}' has begun")
        os.close(slave)

    def wait(self, text, seconds):
        """Whether it has printed that, or does in that time."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                return False
            try:
                self.seen += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"'{self.text}' has ended, and said:\n{self.seen}") from None
        return True

    def interrupt(self):
        """Press Ctrl-C, and wait until it has ended."""
        os.killpg(self.pid, signal.SIGINT)
        with contextlib.suppress(OSError):      # nobody has the other end any more
            while select.select([self.terminal], [], [], TIMEOUT)[0]:
                os.read(self.terminal, 65536)
            raise AssertionError(f"'{self.text}' goes on after Ctrl-C")
        os.close(self.terminal)


class Unit:
    """A unit of systemd, and what it starts."""

    def __init__(self, path):
        lines = [line.split("=", 1) for line in read(path).splitlines() if "=" in line and line[0] != "#"]
        # The first of several counts here: there is one address that a test needs.
        self.settings = dict(reversed(lines))
        self.process = None

    def start(self, *before, **options):
        """Start what it starts, as systemd would."""
        command = shlex.split(self.settings["ExecStart"])
        if "StateDirectory" in self.settings:
            os.makedirs(f"/var/lib/{self.settings['StateDirectory']}", exist_ok=True)
        self.process = subprocess.Popen([*before, os.path.basename(command[0]), *command[1:]], stdin=subprocess.DEVNULL,
                                        env=os.environ | {"JOURNAL_STREAM": "8:1"}, **options)
        return self.process

    def stop(self):
        """Stop it."""
        if self.process:
            self.process.terminate()
            self.process.wait(TIMEOUT)
        self.process = None


class Reader:
    """Who reads the documents, on a host that has a guest, and does what they say."""

    def __init__(self):
        self.shell = self.guest = self.folder = self.journal = None
        self.units = []
        self.standins = {
            "systemctl enable --now heartbeatd": self.start_heartbeatd,
            "systemctl restart heartbeatd": self.restart_heartbeatd,
            "systemctl enable --now kvm-heartbeat-metrics.socket": self.listen,
            "systemctl enable --now kvm-heartbeat-metrics.timer": self.write_textfile,
        }

    # The host

    def prepare(self):
        """Have a host as the documents expect it: with a checkout that is built, modules where modprobe looks, and
        folders that can be written to."""
        os.environ |= {"PATH": f"{TOP}/build/bin:{os.environ['PATH']}", "TERM": "vt100", "COLUMNS": "80", "LINES": "24",
                       "SYSTEMD_IGNORE_CHROOT": "1"}   # the rig's root is one, where udevadm would do nothing
        version = os.uname().release
        kernel = f"{os.environ['KVMHB_CACHE']}/kernels/{version}/lib/modules/{version}"
        succeed("insmod", f"{kernel}/kernel/fs/overlayfs/overlay.ko.xz")
        for number, folder in enumerate(["/etc", "/usr/lib", "/var/lib"]):
            layer = f"/run/layer{number}"
            for name in "upper", "work":
                os.makedirs(f"{layer}/{name}")
            succeed("mount", "-t", "overlay", "-o", f"lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work",
                    "overlay", folder)
        os.mkdir(CHECKOUT)
        for name in os.listdir(TOP):
            built = f"{TOP}/build/{version}/src/{name}"
            os.symlink(built if name.endswith("-module") else f"{TOP}/{name}", f"{CHECKOUT}/{name}")
        modules = f"/usr/lib/modules/{version}"
        os.makedirs(modules)
        os.symlink(f"{CHECKOUT}/host-module/kvm_heartbeat.ko", f"{modules}/kvm_heartbeat.ko")
        for line in read(f"{kernel}/modules.dep").splitlines():
            if re.match(r"\S*/(mdev|vfio|vfio_iommu_type1|kvm)\.ko", line):
                for path in line.replace(":", "").split():
                    if not os.path.lexists(f"{modules}/{os.path.basename(path)}"):
                        os.symlink(f"{kernel}/{path}", f"{modules}/{os.path.basename(path)}")
        succeed("depmod")
        for folder in "/etc/kvm-heartbeat", "/etc/kvm-heartbeat.new":
            os.makedirs(folder, exist_ok=True)
            write(f"{folder}/policy.conf", policies())
        succeed("rmmod", "kvm_heartbeat")
        self.journal = subprocess.Popen(["/usr/lib/systemd/systemd-journald"], stdin=subprocess.DEVNULL)

    def end(self):
        """Leave the host as it was."""
        if self.guest:
            self.guest.close()
        self.journal.terminate()
        self.journal.wait(TIMEOUT)
        if not os.path.exists("/sys/module/kvm_heartbeat"):
            succeed("insmod", os.environ["KVMHB_HOST_KO"])

    # The guest

    def start(self, text):
        """Start a VM with a command of the text, in which '...' is all else that a VM has."""
        uuid = self.shell.run("echo $UUID").strip()
        self.folder = f"/sys/bus/mdev/devices/{uuid}"
        script = "/tmp/qemu"
        write(script, "\n".join(["#!/bin/bash", f"UUID={uuid}", "exec " + text.replace(" ... ", ' "$@" '), ""]))
        os.chmod(script, 0o755)
        version = release(kernels()[0])
        dependencies = "/tmp/modules.dep"
        write(dependencies, "watchdog.ko:\nkvm_heartbeat_guest.ko: watchdog.ko\n")
        built = f"{TOP}/build/{version}/src/guest-module/kvm_heartbeat_guest.ko"
        self.guest = Guest(name=NAME, cpus="2,maxcpus=4", qemu=script, append="panic=0 apic_extnmi=all", files={
            "/guest-module/kvm_heartbeat_guest.ko": built, f"/lib/modules/{version}/kvm_heartbeat_guest.ko": built,
            f"/lib/modules/{version}/modules.dep": dependencies, **libraries("/usr/bin/wdctl"),
            "/bin/wdctl": "/usr/bin/wdctl"})
        self.guest.wait_boot()
        self.guest.run(f"insmod {FAULT_KO}")

    def attach(self):
        """Have a new monitor, and its device in the guest."""
        # The README ends without the module.
        if not os.path.exists("/sys/module/kvm_heartbeat"):
            succeed("insmod", os.environ["KVMHB_HOST_KO"])
        uuid = str(uuid4())
        self.folder = f"/sys/bus/mdev/devices/{uuid}"
        write(f"{TYPE}/create", uuid)
        write(f"{self.folder}/heartbeat/interval_ns", 500 * MS)
        # Some documents have a guest killed that falls silent for longer, which it does here now and then.
        write(f"{self.folder}/heartbeat/action_delay_ns", 3600 * SEC)
        self.guest.qmp("device_add", driver="vfio-pci", sysfsdev=self.folder)
        self.silence()

    def silence(self):
        """Let the guest fall silent, and come back."""
        poll_state(self.folder, "alive")
        reply = self.guest.send(f"echo all > {FAULT}/halt")
        poll_state(self.folder, "unresponsive")
        self.guest.qmp("inject-nmi")
        reply.wait()
        poll_state(self.folder, "alive")

    # What systemd would do

    def start_heartbeatd(self):
        """heartbeatd.service"""
        self.units.append(Unit(f"{TOP}/tools/systemd/heartbeatd.service"))
        self.units[-1].start()

    def restart_heartbeatd(self):
        """The same, once more."""
        self.units.pop().stop()
        self.start_heartbeatd()

    def listen(self):
        """kvm-heartbeat-metrics.socket"""
        address = Unit(f"{TOP}/tools/systemd/kvm-heartbeat-metrics.socket").settings["ListenStream"]
        self.units.append(Unit(f"{TOP}/tools/systemd/kvm-heartbeat-metrics@.service"))
        process = self.units[-1].start("systemd-socket-activate", "--accept", "--inetd", "-l", address,
                                       stderr=subprocess.PIPE, text=True)
        expect("Listening on" in process.stderr.readline(), True, "whether it listens")

    @staticmethod
    def write_textfile():
        """kvm-heartbeat-metrics.timer"""
        unit = Unit(f"{TOP}/tools/systemd/kvm-heartbeat-metrics.service")
        folder = unit.settings["WorkingDirectory"].removeprefix("-")
        os.makedirs(folder, exist_ok=True)
        expect(unit.start(cwd=folder).wait(TIMEOUT), 0, "status of the service")

    # What the documents say

    def follow(self, text, expected):
        """A command that goes on, until it has printed what it should when the guest falls silent."""
        follower = Follower(self.shell, text)
        end = time.monotonic() + TIMEOUT
        # It does not say when it has begun.
        while not follower.wait(expected, 0):
            if time.monotonic() > end:
                raise AssertionError(f"'{text}' never said '{expected}', but:\n{follower.seen}")
            self.silence()
        follower.interrupt()

    def record(self, text):
        """A command that records what happens when the guest falls silent, for the command behind it."""
        follower = Follower(self.shell, text)
        expect(follower.wait(RECORDS, TIMEOUT), True, f"whether it says that it records, but:\n{follower.seen}")
        self.silence()
        follower.interrupt()

    def do(self, command):
        """A command of a document."""
        text = documents.bare(command.text)
        if text == EXPECTS_HISTORY:
            self.silence()
            monitor = Monitor(os.path.basename(self.folder))
            monitor.wait_beats(3)
            monitor.ignore()
        if text in self.standins:
            self.standins[text]()
        elif text in documents.excepted():
            return
        elif command.place == "guest#":
            status, output = self.guest.sh(command.text)
            expect(status, 0, f"status in the guest, which says:\n{output}\n")
        elif text.startswith("qemu-system-x86_64"):
            self.start(text)
        elif RECORDING.match(text):
            self.record(text)
        else:
            if command.place == "host$":
                run = f"setpriv --reuid 65534 --regid 65534 --clear-groups bash -c {shlex.quote(text)}"
            else:
                run = text
            if text in FOLLOWED:
                self.follow(run, FOLLOWED[text])
            else:
                self.shell.run(run)

    def read(self, path):
        """All commands of a document, in their order."""
        environment = {}
        if path != documents.README:
            if not os.path.exists(self.folder):
                self.attach()
            environment = {"UUID": os.path.basename(self.folder), "PID": str(self.guest.pid)}
        self.shell = Shell(**environment)
        try:
            for command in documents.commands(path):
                begin = time.monotonic()
                try:
                    self.do(command)
                except AssertionError as error:
                    raise AssertionError(f"{command.file}:{command.line}: {error}") from error
                progress(f"{time.monotonic() - begin:.1f} s {command.file}:{command.line}: {documents.bare(command.text)}")
        finally:
            self.shell.close()
            while self.units:
                self.units.pop().stop()


def policies():
    """The configuration that heartbeatd.rst has."""
    blocks = (textwrap.dedent("\n".join(line for _, line in block))
              for block in documents.literal_blocks("Documentation/heartbeatd.rst"))
    return next(block for block in blocks if "[policy others]" in block)


def succeed(*command):
    """Run a program that must succeed."""
    subprocess.run(command, check=True)


def test_of(path):
    """The test of a document."""
    def test(reader):
        reader.read(path)
    test.__doc__ = path
    return test


def main():
    """Play all documents that have commands for a host or a guest."""
    if "KVMHB_UNSHARED" not in os.environ:
        os.environ["KVMHB_UNSHARED"] = "1"
        os.execvp("unshare", ["unshare", "--mount", *sys.argv])
    chosen = sys.argv[1:] or documents.documents()
    reader = Reader()
    reader.prepare()

    def explain(lost):
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")
        if reader.folder and os.path.exists(reader.folder):
            for name in "state", "cause", "evidence":
                with contextlib.suppress(OSError):
                    print(f"# {name}: {read(f'{reader.folder}/heartbeat/{name}')}".rstrip().replace("\n", "\n# "))
        if lost and reader.guest and reader.guest.process.poll() is None:
            registers = reader.guest.qmp("human-monitor-command", **{"command-line": "info registers -a"})
            save("web1-registers.log", [registers])

    excepted = documents.excepted()
    tests = [test_of(path) for path in documents.documents() if path in {documents.README, *chosen} and
             any(documents.bare(command.text) not in excepted for command in documents.commands(path))]
    failed = play(tests, reader, explain)
    reader.end()
    sys.exit(failed)


if __name__ == "__main__":
    main()
