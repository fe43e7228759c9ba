#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The steps of heartbeatd that others take part in: a QEMU that listens at a QMP socket, and an API as Masakari's is.
Needs no host of the rig: nothing here asks for KVM. Prints TAP.

    steps_test.py
"""

import contextlib
import datetime
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import traceback

from hb import TIMEOUT, TOP, read, write
from run import expect, play

TEST = f"{TOP}/build/bin/heartbeatd_test"
MONITOR = "11111111-2222-3333-4444-555555555555"
INSTANCE = "5e1f7e57-0000-4000-8000-4b484254000c"
NAME = "web-1"


class Qemu:
    """A QEMU that runs no guest; it listens at one QMP socket, and tells its events at another."""

    def __init__(self, folder, *args):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/events")
        listener.listen()
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-name", NAME, "-uuid", INSTANCE, "-nodefaults", "-no-user-config", "-display", "none",
             "-S", "-accel", "tcg", "-m", "16", "-qmp", f"unix:{folder}/events", "-qmp",
             f"unix:{folder}/{NAME}.qmp,server=on,wait=off", *args], stdin=subprocess.DEVNULL)
        listener.settimeout(TIMEOUT)
        self.events, _ = listener.accept()
        listener.close()
        self.events.settimeout(TIMEOUT)
        self.lines = self.events.makefile("r")
        self.qmp("qmp_capabilities")
        self.pid = self.process.pid

    def next(self, what):
        """What QEMU says next of that kind."""
        for line in self.lines:
            said = json.loads(line)
            if what in said:
                return said
        raise AssertionError("QEMU has ended")

    def qmp(self, command):
        """Run a command: what it returns."""
        self.events.sendall(json.dumps({"execute": command}).encode())
        return self.next("return")["return"]

    def close(self):
        """End it."""
        self.process.kill()
        self.process.wait()
        self.events.close()


class Masakari(http.server.BaseHTTPRequestHandler):
    """The API, which answers with `status` and keeps what it was told."""

    status = 202
    told = []

    def do_POST(self):      # pylint: disable=invalid-name
        """Take a notification."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):      # pylint: disable=arguments-differ
        """Say nothing."""


class Rig:
    """A folder with a configuration, and whom the steps reach."""

    def __init__(self, folder):
        self.folder = folder
        self.qemu = Qemu(folder)
        self.api = http.server.HTTPServer(("127.0.0.1", 0), Masakari)
        threading.Thread(target=self.api.serve_forever, daemon=True).start()

    def configure(self, step, **keys):
        """Have a policy with that step."""
        lines = [f"{name} = {value}" for name, value in keys.items()]
        write(f"{self.folder}/policy.conf", "\n".join(["[policy test]", f"steps = {step}", *lines, ""]))

    def take(self, step, pid=None, name=NAME, **keys):
        """Take a step: its status, and what it says."""
        self.configure(step, **keys)
        done = subprocess.run([TEST, self.folder, step, name, MONITOR, str(pid or self.qemu.pid)], check=False,
                              stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
        return done.returncode, done.stdout.strip()

    def refused(self, part, *args, **keys):
        """Take a step that must fail with these words."""
        status, said = self.take(*args, **keys)
        expect((status, part in said), (1, True), f"status, and '{part}' in {said!r}")


def test_reset(rig):
    """reset reaches the QEMU at the QMP socket"""
    expect(rig.take("reset", qmp=f"{rig.folder}/%n.qmp"), (0, ""))
    expect(rig.qemu.next("event")["event"], "RESET")


def test_nmi(rig):
    """inject-nmi reaches the QEMU at the QMP socket"""
    expect(rig.take("inject-nmi", qmp=f"{rig.folder}/%n.qmp"), (0, ""))


def test_dump(rig):
    """dump-guest-memory has QEMU write a core"""
    status, said = rig.take("dump-guest-memory", qmp=f"{rig.folder}/%n.qmp", dump=f"{rig.folder}/%n-%u")
    expect((status, said), (0, ""))
    with open(f"{rig.folder}/{NAME}-{MONITOR}", "rb") as core:
        expect(core.read(4), b"\x7fELF", "what the dump begins with")
    rig.refused("nowhere", "dump-guest-memory", qmp=f"{rig.folder}/%n.qmp", dump="/nowhere/dump")


def test_whose_socket(rig):
    """A socket that another process listens at is not used, whatever the VM is called"""
    rig.refused(f"is not the socket of process {os.getpid()}", "reset", pid=os.getpid(), qmp=f"{rig.folder}/%n.qmp")
    rig.refused("No such file", "reset", name="other", qmp=f"{rig.folder}/%n.qmp")
    rig.refused("makes no path", "reset", name="../x", qmp=f"{rig.folder}/%n.qmp")
    rig.refused("makes no path", "reset", qmp=f"/{'x' * 150}")
    # What was refused did not arrive.
    rig.qemu.qmp("query-status")
    expect(rig.take("reset", qmp=f"{rig.folder}/%n.qmp")[0], 0)
    expect(rig.qemu.next("event")["event"], "RESET")


def answering(rig, answers):
    """A VMM, as this process is one, that says these lines at a socket; to be joined."""
    listener = socket.socket(socket.AF_UNIX)
    path = f"{rig.folder}/false.qmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener.bind(path)
    listener.listen()

    def serve():
        peer, _ = listener.accept()
        # heartbeatd need not hear all of it.
        with peer, listener, contextlib.suppress(ConnectionError):
            for answer in answers:
                peer.sendall(answer + b"\n")
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(4096):
                pass
    thread = threading.Thread(target=serve)
    thread.start()
    return path, thread


def test_odd_qmp(rig):
    """What is no QMP, ends, or refuses, is told; events between answers are none"""
    greeting, fine = b'{"QMP": {}}', b'{"return": {}}'
    event = b'{"event": "STOP", "timestamp": {}}'
    for answers, part in (([b"hello"], "did not answer"), ([], "did not answer"), ([greeting], "did not answer"),
                          ([b"[]"], "did not answer"),
                          ([greeting, fine, b'{"error": {"desc": "not now"}}'], "not now")):
        path, thread = answering(rig, answers)
        rig.refused(part, "reset", pid=os.getpid(), qmp=path)
        thread.join()
    # However much it says, little of it is read.
    path, thread = answering(rig, [greeting, fine, b'{"return": "' + b"x" * 2 ** 20 + b'"}'])
    rig.refused("did not answer", "reset", pid=os.getpid(), qmp=path)
    thread.join()
    path, thread = answering(rig, [greeting, event, fine, event, fine])
    expect(rig.take("reset", pid=os.getpid(), qmp=path), (0, ""))
    thread.join()


def test_masakari(rig):
    """masakari posts what its API wants, with the instance's UUID and the token"""
    url = f"http://127.0.0.1:{rig.api.server_port}/v1/project"
    write(f"{rig.folder}/token", "secret\n")
    expect(rig.take("masakari", masakari=url, masakari_token_file=f"{rig.folder}/token", masakari_host="node7"), (0, ""))
    path, headers, body = Masakari.told.pop()
    expect(path, "/v1/project/notifications")
    expect((headers["X-Auth-Token"], headers["Content-Type"]), ("secret", "application/json"))
    about = body.pop("notification")
    when = datetime.datetime.strptime(about.pop("generated_time"), "%Y-%m-%dT%H:%M:%S")
    age = datetime.datetime.utcnow() - when
    expect(datetime.timedelta(0) <= age < datetime.timedelta(days=1), True, f"age of {age}")
    expect((body, about), ({}, {"type": "VM", "hostname": "node7", "payload": {
        "instance_uuid": INSTANCE, "vir_domain_event": "STOPPED_FAILED", "event": "LIFECYCLE"}}))
    expect(rig.take("masakari", masakari=url), (0, ""))
    _, headers, body = Masakari.told.pop()
    expect(("X-Auth-Token" in headers, body["notification"]["hostname"]), (False, socket.gethostname()))


def test_masakari_refuses(rig):
    """masakari tells what was wrong; a duplicate is not"""
    url = f"http://127.0.0.1:{rig.api.server_port}/v1"
    try:
        Masakari.status = 409
        expect(rig.take("masakari", masakari=url), (0, ""))
        Masakari.status = 401
        rig.refused("status 401: renew the token", "masakari", masakari=url)
        Masakari.status = 500
        rig.refused("status 500", "masakari", masakari=url)
    finally:
        Masakari.status = 202
    Masakari.told.clear()
    rig.refused("No such file", "masakari", masakari=url, masakari_token_file="/nowhere/token")
    rig.refused("has no option -uuid", "masakari", pid=os.getpid(), masakari=url)
    expect(Masakari.told, [], "what it was told of these")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        rig.refused("127.0.0.1", "masakari", masakari=f"http://127.0.0.1:{nobody.getsockname()[1]}")


def test_hook(rig):
    """hook has its arguments, a plain environment, no input, and no descriptor of the daemon's"""
    hook = f"{rig.folder}/hook"
    write(hook, f'#!/bin/sh\n{{ env; echo "args=$*"; ls /proc/$$/fd; cat; }} >{rig.folder}/out\nexit $1\n')
    os.chmod(hook, 0o755)
    expect(rig.take("hook", hook=f"{hook} 0 two"), (0, ""))
    lines = read(f"{rig.folder}/out").splitlines()
    for line in f"KVM_HEARTBEAT_UUID={MONITOR}", f"KVM_HEARTBEAT_VM={NAME}", "KVM_HEARTBEAT_STATE=unresponsive", \
            "KVM_HEARTBEAT_OLD=late", "KVM_HEARTBEAT_CAUSE=hung", f"KVM_HEARTBEAT_VMM_PID={rig.qemu.pid}", \
            "KVM_HEARTBEAT_POLICY=test", "args=0 two":
        expect(line in lines, True, f"'{line}' in {lines}")
    expect([line for line in lines if line.startswith("HOME")], [], "what else is in the environment")
    # From 10 on they are the shell's own.
    expect({line for line in lines if line.isdigit() and int(line) < 10}, {"0", "1", "2"}, "descriptors")
    expect(rig.take("hook", hook=f"{hook} 7")[0], 7)
    rig.refused("cannot be run: No such file", "hook", hook="/nowhere/hook")


TESTS = [test_reset, test_nmi, test_dump, test_whose_socket, test_odd_qmp, test_masakari, test_masakari_refuses,
         test_hook]


def main():
    def explain(_):
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")

    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(folder)
        try:
            failed = play(TESTS, rig, explain)
        finally:
            rig.qemu.close()
            rig.api.shutdown()
    sys.exit(failed)


if __name__ == "__main__":
    main()
