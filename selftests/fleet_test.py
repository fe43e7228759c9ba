#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A fleet of two hosts, as those see it who run it: a guest dies, an alert comes with its cause, the guest is reset, the
alert is resolved. Runs on this machine; selftests/fleet starts it. Prints TAP.

    fleet_test.py PROGRAMS TREE     the folders of Prometheus and of the kernel, as rig/ prints them
"""

import contextlib
import os
import select
import socket
import subprocess
import sys
import traceback
import urllib.parse

from alerts import LOCAL, Receiver, alertmanager, ask, prometheus
from hb import BOOT_TIMEOUT, OUT, TIMEOUT, TOP, Timeout, release
from run import briefly, expect

UNRESPONSIVE = "KvmHeartbeatGuestUnresponsive"
# This machine's, too: all of 127.0.0.0/8 is.
ADDRESSES = ["127.99.57.1:9957", "127.99.57.2:9957"]


class Host:
    """A host that the rig boots, and who is told there what to do."""

    def __init__(self, number, address, tree):
        self.address, self.out = address, f"{OUT}/host{number}"
        self.uuid = self.lines = None
        os.makedirs(self.out, exist_ok=True)
        with socket.create_server((LOCAL, 0)) as self.server:
            port = self.server.getsockname()[1]
            self.server = self.server.dup()
        module = f"{TOP}/build/{release(tree)}/src/host-module/kvm_heartbeat.ko"
        with open(f"{self.out}/host.log", "wb") as log:
            self.process = subprocess.Popen(   # pylint: disable=consider-using-with
                [f"{TOP}/selftests/rig/host", "--kernel", tree, "--guest", tree, "--out", self.out, "--memory", "2G",
                 "--timeout", "1200", "--forward", address, "--",
                 "sh", "-c", f"insmod '{module}' && exec selftests/fleet_host.py {port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self):
        """Wait for its guest to be alive."""
        ended = os.pidfd_open(self.process.pid)
        try:
            ready = select.select([self.server, ended], [], [], BOOT_TIMEOUT)[0]
        finally:
            os.close(ended)
        if ended in ready or not ready:
            raise Timeout(f"the host did not come up: see {self.out}")
        connection, _ = self.server.accept()
        connection.settimeout(BOOT_TIMEOUT + TIMEOUT)
        self.lines = connection.makefile("rw", encoding="utf-8")
        connection.close()
        word, _, self.uuid = self.lines.readline().strip().partition(" ")
        expect(word, "ready", f"first word of a host, see {self.out}")

    def tell(self, word):
        """Have something done there, and wait for it."""
        print(word, file=self.lines, flush=True)
        expect(self.lines.readline().strip(), word, f"answer of a host, see {self.out}")

    def close(self):
        """End it in order; its exit status."""
        if self.lines:
            self.lines.close()
        self.server.close()
        return self.process.wait()


class Fleet:
    """What is tested, and who is asked about it."""

    def __init__(self, programs, tree, stack):
        self.programs, self.stack = programs, stack
        self.hosts = []
        for number, address in enumerate(ADDRESSES, start=1):
            self.hosts.append(Host(number, address, tree))
            stack.callback(self.hosts[-1].close)
        self.receiver = self.manager = self.metrics = None

    def watch(self):
        """Start those who watch, and keep what they say."""
        self.receiver = self.stack.enter_context(Receiver())
        self.manager = self.stack.enter_context(alertmanager(self.programs, OUT, self.receiver.port))
        self.metrics = self.stack.enter_context(
            prometheus(self.programs, OUT, ADDRESSES, self.manager))

    def alerts(self):
        """What Alertmanager's API says now."""
        return ask(self.manager, "/api/v2/alerts?active=true")

    def value(self, query):
        """What Prometheus says of each host, by its address."""
        answer = ask(self.metrics, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
        return {series["metric"]["instance"]: float(series["value"][1]) for series in answer["data"]["result"]}


def test_boot(fleet):
    """Two hosts come up, each with a guest that is alive"""
    # Watched from here on: for how long a host may not be scraped is told by the clock, and emulation knows none.
    for host in fleet.hosts:
        host.wait_ready()
    fleet.watch()
    expect(len({host.uuid for host in fleet.hosts}), 2, "monitors")


def test_alert(fleet):
    """A guest dies: one alert, which has host, VM and cause"""
    fleet.hosts[0].tell("die")
    alert = fleet.receiver.wait(alertname=UNRESPONSIVE, status="firing", cause="hung")
    wanted = {"instance": ADDRESSES[0], "uuid": fleet.hosts[0].uuid, "vm": "guest6.12-1", "severity": "critical",
              "owner": "guest"}
    expect({name: alert["labels"][name] for name in wanted}, wanted, "labels")
    now = fleet.alerts()
    expect([(alert["labels"]["uuid"], alert["labels"]["cause"]) for alert in now], [(fleet.hosts[0].uuid, "hung")],
           "what Alertmanager's API says")


def test_resolved(fleet):
    """The guest is reset: the alert is resolved, and there is none any more"""
    fleet.hosts[0].tell("revive")
    fleet.receiver.wait(alertname=UNRESPONSIVE, status="resolved", cause="hung")
    expect(fleet.alerts(), [], "what Alertmanager's API says")


def test_history(fleet):
    """Nobody has accused the other host's guest, and all that was counted is right"""
    expect({alert["labels"].get("instance") for alert in fleet.receiver.alerts}, {ADDRESSES[0]}, "hosts in alerts")
    silent = 'max_over_time(kvm_heartbeat_state{kvm_heartbeat_state="unresponsive"}[1h])'
    expect(fleet.value(silent), dict(zip(ADDRESSES, (1, 0))), "who was unresponsive")
    expect(fleet.value("kvm_heartbeat_outages_total"), dict(zip(ADDRESSES, (1, 0))), "outages")
    expect(fleet.value("kvm_heartbeat_resets_total"), dict(zip(ADDRESSES, (1, 0))), "resets")


def test_end(fleet):
    """Both hosts end in order"""
    expect([host.close() for host in fleet.hosts], [0, 0], "exit statuses")


ALL = [test_boot, test_alert, test_resolved, test_history, test_end]


def play(fleet):
    """Play all tests up to the first that fails, as those after it begin where it ended. Whether one failed."""
    print(f"TAP version 13\n1..{len(ALL)}", flush=True)
    for number, test in enumerate(ALL, start=1):
        try:
            test(fleet)
        except Exception as error:   # pylint: disable=broad-except
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {number} {test.__doc__}: {briefly(error)}", flush=True)
            return True
        print(f"ok {number} {test.__doc__}", flush=True)
    return False


def main():
    """Start all, play the tests, and end all."""
    with contextlib.ExitStack() as stack:
        failed = play(Fleet(sys.argv[1], sys.argv[2], stack))
    sys.exit(failed)


if __name__ == "__main__":
    main()
