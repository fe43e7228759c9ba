#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""heartbeatd with real monitors, a real guest and its QEMU. Runs inside the rig's host; prints TAP.

    daemon_test.py

The test takes the journal's place, and hears what heartbeatd tells it and its service manager. One VM lives through
outages; a test begins where the one before it ended.
"""

import contextlib
import glob
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback

import files
from hb import TIMEOUT, TOP, read, save, write
from journal import Entries, message_id, missed
from monitor import TRACING, Monitor
from run import Run, expect, play
from vmm_test import Vm as Minimal

HEARTBEATD = f"{TOP}/build/bin/heartbeatd"
NAME = 'web "1",\\é'     # what a VM may be called, at its worst
OPTION = NAME.replace(",", ",,")
JOURNAL = "/run/systemd/journal/socket"


class Heard(Entries):
    """What is heard at a datagram socket. A field is a line, as none here has lines."""

    def __init__(self, path):
        super().__init__()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # What a test before listened at is still there.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            lines = self._socket.recv(65536).decode().splitlines()
            self.add(dict(line.split("=", 1) for line in lines))


class Daemon:
    """heartbeatd, as its service runs it."""

    def __init__(self, vm, *args, **options):
        since = vm.manager.mark()
        self.process = subprocess.Popen(
            [HEARTBEATD, "--config", vm.folder, "--state", f"{vm.folder}/state", *args], stdin=subprocess.DEVNULL,
            env=os.environ | {"NOTIFY_SOCKET": vm.manager_path, "JOURNAL_STREAM": "8:1"}, text=True, umask=0,
            **options)
        vm.manager.wait(since, READY="1")

    def stop(self, number=signal.SIGTERM, status=0):
        """End it."""
        self.process.send_signal(number)
        expect(self.process.wait(TIMEOUT), status, "status of heartbeatd")


class Vm(Run):
    """The VM under test, whose QEMU listens at a socket, and a folder for heartbeatd."""

    def __init__(self, folder):
        self.folder = folder
        super().__init__(args=["-name", f"guest={OPTION}", "-qmp",
                               f"unix:{folder}/qmp,server=on,wait=off"])
        self.journal = Heard(JOURNAL)
        self.manager_path = f"{folder}/manager"
        self.manager = Heard(self.manager_path)
        self.daemon = None
        hook = f"{folder}/hook"
        write(hook, f'#!/bin/sh\n{{ env; echo "args=$*"; }} >>{folder}/hooked\n')
        os.chmod(hook, 0o755)

    def configure(self, *lines):
        """Have a policy for this VM."""
        write(f"{self.folder}/policy.conf", "\n".join(
            ["[policy test]", f"vm = {self.monitor.uuid}", f"qmp = {self.folder}/qmp",
             f"hook = {self.folder}/hook one two", *lines, ""]))

    def nmis(self):
        """How many NMIs KVM has injected. A guest that is frozen cannot print that it had one."""
        return sum(int(read(path)) for path in glob.glob(f"/sys/kernel/debug/kvm/{self.guest.pid}-*/nmi_injections"))


def test_journal(vm):
    """Each transition is an entry of the journal, with its fields"""
    vm.configure("steps = log", "state = stopped", "cause = unload")
    vm.daemon = Daemon(vm)
    vm.start()
    vm.load()
    waiting = vm.journal.wait(UUID=vm.monitor.uuid, STATE="waiting")
    expect((waiting["KVM_HEARTBEAT_OLD"], waiting["KVM_HEARTBEAT_VMM_PID"]), ("detached", str(vm.guest.pid)))
    alive = vm.journal.wait(UUID=vm.monitor.uuid, STATE="alive", OLD="waiting")
    expect({name: alive[f"KVM_HEARTBEAT_{name}"] for name in ("VM", "CAUSE", "VMM_PID")},
           {"VM": NAME, "CAUSE": "none", "VMM_PID": str(vm.guest.pid)})
    expect((alive["MESSAGE"], alive["PRIORITY"]), (f"{NAME}: waiting -> alive (none)", "6"))
    expect(alive["MESSAGE_ID"], message_id("TRANSITION"), "MESSAGE_ID")


def test_files(vm):
    """What heartbeatd saves, root alone may read, whatever mask it was started with; the documentation has all of it"""
    files.judge("What heartbeatd makes", {
        name: files.owned(f"{vm.folder}/{name}") for name in os.listdir(vm.folder)
        if name.startswith("state") and name != "state.new"})
    unit = read(f"{TOP}/tools/systemd/heartbeatd.service").splitlines()
    expect([line for line in unit if line.startswith("StateDirectory")],
           ["StateDirectory=kvm-heartbeat", "StateDirectoryMode=0700"], "the folder")


def test_dry_run(vm):
    """--dry-run says what it would do, beside the service, and does nothing"""
    vm.configure("steps = inject-nmi hook reset", "delay = 100ms", "cause = hung")
    # The service has the configuration with which it was started.
    dry = Daemon(vm, "--dry-run", stdout=subprocess.PIPE)
    mark, nmis = vm.journal.mark(), vm.nmis()
    since = vm.freeze()
    said = []
    for line in dry.process.stdout:
        said += re.findall(r"unresponsive \(hung\): would begin step (\S+)", line)
        if said[-1:] == ["reset"]:
            break
    expect(said, ["inject-nmi", "hook", "reset"], "what would be done")
    dry.stop(signal.SIGINT)
    vm.journal.wait(mark, STATE="unresponsive", CAUSE="hung", PRIORITY="3")
    expect((vm.monitor.get("state"), os.path.exists(f"{vm.folder}/hooked")), ("unresponsive", False), "what was done")
    expect(vm.journal.steps(), [], "steps")
    expect(vm.nmis(), nmis, "NMIs")
    vm.revive(since)
    vm.daemon.stop()


def test_steps(vm):
    """A guest hangs: an NMI reaches it, the hook runs with its environment, and a reset revives it"""
    vm.daemon = Daemon(vm)
    mark, nmis = vm.journal.mark(), vm.nmis()
    since = vm.freeze()
    for step in "inject-nmi", "hook", "reset":
        vm.journal.wait(mark, STEP=step, RESULT="done", POLICY="test", VM=NAME)
    expect(vm.journal.steps(mark), [("inject-nmi", "done"), ("hook", "done"), ("reset", "done")], "steps")
    expect(vm.nmis() > nmis, True, "whether the guest had an NMI")
    vm.revived(since)
    hooked = read(f"{vm.folder}/hooked").splitlines()
    for line in f"KVM_HEARTBEAT_UUID={vm.monitor.uuid}", f"KVM_HEARTBEAT_VM={NAME}", "KVM_HEARTBEAT_CAUSE=hung", \
            "KVM_HEARTBEAT_STATE=unresponsive", f"KVM_HEARTBEAT_VMM_PID={vm.guest.pid}", "args=one two":
        expect(line in hooked, True, f"'{line}' in {hooked}")
    # The guest is alive again: that is the last entry, and no step is left to be taken.
    vm.journal.wait(mark, STATE="alive", OLD="waiting")


def test_limit(vm):
    """After three steps in the window heartbeatd only reports, and says so once; a restart changes nothing"""
    mark = vm.journal.mark()
    since = vm.freeze()
    limited = vm.journal.wait(mark, RESULT="limited")
    expect(limited["KVM_HEARTBEAT_STEP"], "inject-nmi")
    vm.revive(since)
    vm.journal.wait(mark, STATE="alive", OLD="waiting")
    vm.daemon.stop()
    vm.daemon = Daemon(vm)
    again = vm.journal.mark()
    since = vm.freeze()
    vm.monitor.wait_state("unresponsive", since)
    vm.revive(since)
    vm.journal.wait(again, STATE="alive", OLD="waiting")
    expect(vm.journal.steps(mark), [("inject-nmi", "limited")], "steps")
    vm.daemon.stop()


def test_restart(vm):
    """What happens while heartbeatd does not run, or is killed, it tells when it runs again"""
    vm.configure("steps = hook", "delay = 100ms", "actions_max = 32", "cause = hung")
    since = vm.freeze()
    vm.monitor.wait_state("unresponsive", since)
    vm.revive(since)
    mark = vm.journal.mark()
    vm.daemon = Daemon(vm)
    expect(missed(vm.journal, mark), {"outage": 1, "boot": 1, "reset": 1}, "missed")
    expect(vm.journal.steps(mark), [], "steps about a guest that has come back")

    # It dies in the middle of an outage, in which a step was taken; the outage goes on, and no step is taken twice.
    mark = vm.journal.mark()
    since = vm.freeze()
    vm.journal.wait(mark, STEP="hook", RESULT="done")
    vm.daemon.stop(signal.SIGKILL, -signal.SIGKILL)
    mark = vm.journal.mark()
    vm.daemon = Daemon(vm)
    vm.revive(since)
    vm.journal.wait(mark, STATE="alive", OLD="waiting")
    expect(vm.journal.steps(mark), [], "steps of an outage whose steps were taken")
    vm.daemon.stop()
    since = vm.freeze()
    vm.monitor.wait_state("unresponsive", since)
    mark = vm.journal.mark()
    vm.daemon = Daemon(vm)
    expect(missed(vm.journal, mark), {"outage": 1}, "missed")
    vm.journal.wait(mark, STEP="hook", RESULT="done")
    vm.revive(since)
    vm.journal.wait(mark, STATE="alive", OLD="waiting")


def test_mute(vm):
    """A guest that is muted is let alone"""
    mark = vm.journal.mark()
    vm.monitor.set("mute_ns", 10**12)
    since = vm.freeze()
    vm.journal.wait(mark, STATE="unresponsive", CAUSE="hung")
    vm.revive(since)
    vm.journal.wait(mark, STATE="alive", OLD="waiting")
    expect(vm.journal.steps(mark), [], "steps")
    vm.monitor.set("mute_ns", 0)


def test_flood(vm):
    """While another guest changes its word without end, a guest that hangs is reset, and heartbeatd can be told to end"""
    vm.daemon.stop()
    vm.configure("steps = reset", "delay = 100ms", "actions_max = 32", "cause = hung")
    flooding = Monitor()
    flooding.ignore()
    vm.daemon = Daemon(vm)
    mark = vm.journal.mark()
    with Minimal(flooding, "-c", "2", "flap"):
        since = vm.freeze()
        vm.journal.wait(mark, STEP="reset", RESULT="done", VM=NAME)
        vm.revived(since)
        vm.journal.wait(mark, UUID=vm.monitor.uuid, STATE="alive")
        vm.daemon.stop()
    flooding.remove()
    vm.daemon = Daemon(vm)


def test_come_and_go(vm):
    """Monitors come and go, and so does the module; a second daemon is refused"""
    done = subprocess.run([HEARTBEATD, "--config", vm.folder, "--state", f"{vm.folder}/state"], check=False,
                          capture_output=True, text=True, timeout=TIMEOUT)
    expect((done.returncode, "another one runs" in done.stderr), (1, True), done.stderr)
    mark = vm.journal.mark()
    vm.guest.kill()
    vm.guest.wait_exit()
    vm.journal.wait(mark, STATE="detached", CAUSE="vmm-gone", VM=NAME)
    status = "{} monitors, 0 unresponsive or panicked, 0 steps run"
    vm.monitor.remove()
    vm.manager.wait(STATUS=status.format(0))
    mark = vm.manager.mark()
    subprocess.run(["rmmod", "kvm_heartbeat"], check=True)
    vm.manager.wait(mark, STATUS=f"kvm_heartbeat is not loaded; {status.format(0)}")
    mark = vm.manager.mark()
    subprocess.run(["insmod", os.environ["KVMHB_HOST_KO"]], check=True)
    vm.manager.wait(mark, STATUS=status.format(0))
    vm.daemon.stop()
    expect(vm.monitor.uuid in read(f"{vm.folder}/state"), False, "whether a monitor that is gone is saved")
    expect([name for name in os.listdir(f"{TRACING}/instances") if name.startswith("heartbeatd")], [],
           "trace instances that are left")


TESTS = [test_journal, test_files, test_dry_run, test_steps, test_limit, test_restart, test_mute, test_flood, test_come_and_go]


def main():
    with tempfile.TemporaryDirectory() as folder:
        vm = Vm(folder)

        def explain(_):
            events = [event for event in vm.monitor.events if event.name != "beat"]
            for line in traceback.format_exc().splitlines() + [f"event: {event}" for event in events[-20:]]:
                print(f"# {line}")
            save("daemon-journal.log", vm.journal.all)

        failed = play(TESTS, vm, explain)
        if vm.daemon and vm.daemon.process.poll() is None:
            vm.daemon.process.kill()
        if vm.guest:
            vm.guest.close()
    sys.exit(failed)


if __name__ == "__main__":
    main()
