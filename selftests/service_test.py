#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""heartbeatd and the units for metrics under a real systemd, udev and journal. Runs inside the rig's host, which
selftests/service boots for it; prints TAP.

One VM lives through outages; a test begins where the one before it ended.
"""

import grp
import json
import os
import socket
import subprocess
import sys
import threading
import traceback
import urllib.request

from hb import TIMEOUT, read, save, write
from journal import Entries, message_id, missed
from libvirt_test import DOMAIN, LIBVIRT, Vm as Libvirt
from monitor import TRACING
from run import Run, expect, play

NAME = "web1"
AT_BOOT = "5e1f7e57-0000-4000-8000-4b484254000b"    # of selftests/service
POLICY = """[policy web]
vm = web*
cause = hung
steps = inject-nmi hook reset
delay = {delay}
qmp = /run/qemu/%n.qmp
hook = /usr/bin/systemctl --no-block start ask-a-human.service
"""
NODE_EXPORTER = "/var/lib/prometheus/node-exporter"
STARTED = "39f53479d3a045ac8e11786248231fbf"    # what systemd says of a unit that has started


def system(*command):
    """Run a program that must succeed: what it says."""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=TIMEOUT)
    expect(done.returncode, 0, f"status of {' '.join(command)}, which says:\n{done.stdout}\n")
    return done.stdout.strip()


def service(name):
    """A property of heartbeatd's service."""
    return system("systemctl", "show", "--value", f"--property={name}", "heartbeatd")


class Journal(Entries):
    """The journal of the host, since it booted."""

    def __init__(self):
        super().__init__()
        self._process = subprocess.Popen(   # pylint: disable=consider-using-with
            ["journalctl", "--boot", "--lines=all", "--follow", "--output=json"], stdout=subprocess.PIPE, text=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        for line in self._process.stdout:
            self.add(json.loads(line))

    def mark(self):
        """The place from which on entries are new: what was written before has come."""
        text = f"mark {super().mark()}"
        self._socket.sendto(f"MESSAGE={text}\n".encode(), "/run/systemd/journal/socket")
        self.wait(MESSAGE=text)
        return super().mark()


    def told(self, since):
        """The transitions that were told after a mark, as a monitor's history has them."""
        with self._changed:
            return [entry["KVM_HEARTBEAT_STATE"] + f":{entry['KVM_HEARTBEAT_CAUSE']}".removesuffix(":none")
                    for entry in self.all[since:] if entry.get("MESSAGE_ID") == message_id("TRANSITION")]


class Vm(Run):
    """The VM under test, whose QEMU listens at a socket."""

    def __init__(self):
        super().__init__(args=["-name", f"guest={NAME}", "-qmp", f"unix:/run/qemu/{NAME}.qmp,server=on,wait=off"])
        os.makedirs("/run/qemu")
        self.journal = Journal()


def test_boot(_):
    """At boot the module is loaded, and mdevctl makes the monitor that it keeps, with its settings"""
    expect(service("ActiveState"), "inactive", "state of a service that nobody has enabled")
    # mdevctl is called by udev's rule.
    system("udevadm", "settle")
    expect(os.listdir("/sys/bus/mdev/devices").count(AT_BOOT), 1, "whether it is there")
    expect(read(f"/sys/bus/mdev/devices/{AT_BOOT}/heartbeat/interval_ns").strip(), "500000000", "its interval")


def test_node(vm):
    """udev lets group kvm open the VFIO group of a monitor, and nobody else"""
    system("udevadm", "settle")
    group = os.path.basename(os.readlink(f"{vm.monitor.dir}/iommu_group"))
    node = f"/dev/vfio/{group}"
    there = os.stat(node)
    expect((grp.getgrgid(there.st_gid).gr_name, there.st_mode & 0o777), ("kvm", 0o660), "group and mode")
    for gid, status in (there.st_gid, 0), (65534, 1):
        done = subprocess.run(["python3", "-c", f"open('{node}', 'rb+', buffering=0)"], check=False,
                              capture_output=True, user=65534, group=gid, extra_groups=[])
        expect(done.returncode, status, f"status of one of group {gid} who opens it, who says {done.stderr}")


def test_start(vm):
    """The service starts, is ready when it says so, and can do no more than its unit allows"""
    os.makedirs("/etc/kvm-heartbeat")
    write("/etc/kvm-heartbeat/policy.conf", POLICY.format(delay="1s"))
    system("systemctl", "enable", "--now", "heartbeatd")
    expect(service("ActiveState"), "active", "state of the service")
    lines = read(f"/proc/{service('MainPID')}/status").splitlines()
    status = dict(line.split(":\t") for line in lines if ":\t" in line)
    expect([status[name].strip() for name in ("CapEff", "NoNewPrivs", "Seccomp")], ["0000000000000002", "1", "2"],
           "capabilities, no new privileges, system calls filtered")
    vm.start()
    vm.load()
    alive = vm.journal.wait(OLD="waiting", STATE="alive", VM=NAME, UUID=vm.monitor.uuid, SYSLOG_IDENTIFIER="heartbeatd")
    expect([alive[name] for name in ("MESSAGE", "MESSAGE_ID", "PRIORITY", "_SYSTEMD_UNIT")],
           [f"{NAME}: waiting -> alive (none)", message_id("TRANSITION"), "6", "heartbeatd.service"])
    expect(service("StatusText"), "2 monitors, 0 unresponsive or panicked, 0 steps run", "its status")


def test_steps(vm):
    """A guest hangs: the journal says so, an NMI, a hook that starts a unit, and a reset arrive from the sandbox"""
    write("/run/systemd/system/ask-a-human.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
    system("systemctl", "daemon-reload")
    mark = vm.journal.mark()
    since = vm.freeze()
    vm.journal.wait(mark, STATE="unresponsive", CAUSE="hung", VM=NAME, PRIORITY="3")
    for step in "inject-nmi", "hook", "reset":
        vm.journal.wait(mark, STEP=step, POLICY="web", RESULT="done", VM=NAME)
    vm.journal.wait(mark, MESSAGE_ID=STARTED, UNIT="ask-a-human.service")
    vm.revived(since)
    vm.journal.wait(mark, STATE="alive", OLD="waiting")


def upto_alive(history):
    """A history until the guest is alive after its reset."""
    return history[:history.index("waiting") + 2]


def test_restart(vm):
    """A restart loses no transition and tells none twice, nor does an outage that nobody was there to see get lost"""
    # No step comes in between.
    write("/etc/kvm-heartbeat/policy.conf", POLICY.format(delay="1h"))
    system("systemctl", "restart", "heartbeatd")
    mark = vm.journal.mark()
    since = vm.freeze()
    vm.journal.wait(mark, STATE="unresponsive", VM=NAME)
    system("systemctl", "restart", "heartbeatd")
    vm.revive(since)
    vm.journal.wait(mark, STATE="alive", OLD="waiting")
    expect(upto_alive(vm.journal.told(mark)), upto_alive(vm.monitor.history(since)), "what was told of the trace")

    system("systemctl", "stop", "heartbeatd")
    since = vm.freeze()
    vm.monitor.wait_state("unresponsive", since)
    vm.revive(since)
    mark = vm.journal.mark()
    system("systemctl", "start", "heartbeatd")
    expect(missed(vm.journal, mark), {"outage": 1, "boot": 1, "reset": 1}, "missed")


def test_watchdog(vm):
    """systemd restarts it if it hangs, and it tells of an outage that began meanwhile"""
    # Sooner than the unit says.
    os.makedirs("/run/systemd/system/heartbeatd.service.d")
    write("/run/systemd/system/heartbeatd.service.d/watchdog.conf", "[Service]\nWatchdogSec=20\n")
    system("systemctl", "daemon-reload")
    system("systemctl", "restart", "heartbeatd")
    pid = service("MainPID")
    mark = vm.journal.mark()
    system("systemctl", "kill", "--kill-who=main", "--signal=STOP", "heartbeatd")
    since = vm.freeze()
    vm.journal.wait(mark, UNIT="heartbeatd.service", MESSAGE_ID=STARTED)
    expect((service("MainPID") == pid, service("NRestarts")), (False, "1"), "whether it is the same, restarts")
    vm.journal.wait(mark, STATE="unresponsive", VM=NAME)
    vm.revive(since)
    vm.journal.wait(mark, STATE="alive", OLD="waiting")


def test_metrics(vm):
    """The units for metrics answer over HTTP, and write a file for node_exporter"""
    system("systemctl", "enable", "--now", "kvm-heartbeat-metrics.socket")
    with urllib.request.urlopen("http://127.0.0.1:9957/metrics", timeout=TIMEOUT) as answer:
        page = answer.read().decode()
    sample = f'kvm_heartbeat_info{{uuid="{vm.monitor.uuid}",vm="{NAME}"}} 1\n'
    expect((sample in page, page.endswith("# EOF\n")), (True, True), f"whether it has the VM, and is whole: {page}")

    os.makedirs(NODE_EXPORTER)
    mark = vm.journal.mark()
    system("systemctl", "enable", "--now", "kvm-heartbeat-metrics.timer")
    vm.journal.wait(mark, UNIT="kvm-heartbeat-metrics.service", MESSAGE_ID=STARTED)
    expect(sample in read(f"{NODE_EXPORTER}/kvm_heartbeat.prom"), True, "whether it has the VM")
    system("systemctl", "disable", "--now", "kvm-heartbeat-metrics.timer", "kvm-heartbeat-metrics.socket")


def test_libvirt(vm):
    """libvirtd, whose domain's guest panics, has a step to take from the sandbox: the guest is alive again"""
    libvirt = Libvirt()
    try:
        libvirt.wait_daemon()
        since = libvirt.here.mark()
        libvirt.virsh("create", f"{LIBVIRT}/domain.xml")
        libvirt.here.wait_state("alive", since, timeout=2 * TIMEOUT)
        write("/etc/kvm-heartbeat/policy.conf", f"[policy libvirt]\nvm = {DOMAIN}\nsteps = reset\ndelay = 100ms\n")
        system("systemctl", "restart", "heartbeatd")
        mark, since = vm.journal.mark(), libvirt.here.mark()
        libvirt.virsh("inject-nmi", DOMAIN)
        vm.journal.wait(mark, STEP="reset", POLICY="libvirt", RESULT="done", VM=DOMAIN)
        libvirt.here.wait_state("alive", since, timeout=2 * TIMEOUT)
    finally:
        libvirt.close()
        for monitor in libvirt.here, libvirt.there:
            monitor.remove()


def test_end(_):
    """It ends when it is told to, and leaves nothing"""
    system("systemctl", "disable", "--now", "heartbeatd")
    expect((service("ActiveState"), service("Result")), ("inactive", "success"), "state of the service")
    expect([name for name in os.listdir(f"{TRACING}/instances") if name.startswith("heartbeatd")], [],
           "trace instances that are left")


TESTS = [test_boot, test_node, test_start, test_steps, test_restart, test_watchdog, test_metrics, test_libvirt,
         test_end]


def main():
    """Play all tests with one VM."""
    vm = Vm()

    def explain(_):
        events = [event for event in vm.monitor.events if event.name != "beat"]
        for line in traceback.format_exc().splitlines() + [f"event: {event}" for event in events[-20:]]:
            print(f"# {line}")
        save("service-journal.log", vm.journal.all)

    failed = play(TESTS, vm, explain)
    if vm.guest:
        vm.guest.close()
    sys.exit(failed)


if __name__ == "__main__":
    main()
