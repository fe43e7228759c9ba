#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What else runs on a host, and in a VM, beside a monitor. Runs inside the rig's host; prints TAP.

    neighbours_test.py              what follows the trace: trace-cmd, perf, bpftrace; the VM's other devices
    neighbours_test.py iommufd      a device's own file and iommufd, where the kernel has them; another VFIO device

One VM lives through all tests of one of the two; a test begins where the one before it ended.
"""

import contextlib
import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid

from files import owned
from hb import MS, SEC, TIMEOUT, TOP, Timeout, kernels, read, release, save, write
from monitor import Monitor
from run import FAULT, FAULT_KO, Run, expect, expect_in, modules, play

BPFTRACE = f"{TOP}/tools/bpftrace"
INTERVAL = 400 * MS
MTTY = "/sys/devices/virtual/mtty/mtty/mdev_supported_types/mtty-1"
VSOCK_CID, VSOCK_PORT = 3, 4842


def output(*command):
    """What a command prints that must succeed and say nothing of errors."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT)
    expect((done.returncode, done.stderr), (0, ""), f"status and messages of {command}")
    return done.stdout


class Tracer:
    """A program that traces for as long as another one runs. That one is cat: it answers once all is traced, and ends
    when it is told to.
    """

    def __init__(self, *command):
        self.command = command
        self.process = subprocess.Popen(   # pylint: disable=consider-using-with
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = ""
        self._changed = threading.Condition()
        self._ended = False
        threading.Thread(target=self._follow, daemon=True).start()
        self.process.stdin.write(b"all is traced\n")
        self.process.stdin.flush()

    def _follow(self):
        while text := os.read(self.process.stdout.fileno(), 65536):
            with self._changed:
                self.output += text.decode(errors="replace")
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait(self, text):
        """Wait until it has printed that."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or text in self.output, TIMEOUT):
                raise Timeout(f"waited {TIMEOUT} s for {text!r} of {self.command}, which says: {self.output}")
        expect(text in self.output, True, f"'{text}' in what {self.command} says, {self.output}")

    def wait_end(self):
        """Wait until it ends: what it printed."""
        expect(self.process.wait(TIMEOUT), 0, f"status of {self.command}, which says: {self.output}")
        with self._changed:
            self._changed.wait_for(lambda: self._ended, TIMEOUT)
        return self.output

    def end(self):
        """End what it traces, and so itself: what it printed."""
        self.process.stdin.close()
        return self.wait_end()


class Vm(Run):
    """The VM, its monitor, and a second one, if it has."""

    def __init__(self, devices=(), **options):
        super().__init__(**options)
        self.options["devices"] = [f"{self.monitor.device},x-balloon-allowed=on", *devices]
        self.monitor.set("interval_ns", INTERVAL)
        self.monitors = [self.monitor]
        self.dir = tempfile.mkdtemp(prefix="neighbours-")
        self.tracers = {}

    def second(self):
        """Give it a second monitor."""
        other = Monitor()
        self.monitors.append(other)
        self.options["devices"].append(other.device.replace("id=hb", "id=hb2") + ",x-balloon-allowed=on")
        return other

    def load(self):
        """Load all modules: the state becomes alive."""
        super().load()
        self.guest.run("for module in /modules-later/*; do [ ! -e $module ] || insmod $module; done")

    def end(self):
        """End it, and remove what was made."""
        if self.guest:
            self.guest.close()
        for monitor in self.monitors:
            monitor.remove()


def balloon(vm, mib):
    """Have the balloon leave the guest so much, and wait until it does."""
    vm.guest.forget_events("BALLOON_CHANGE")
    vm.guest.qmp("balloon", value=mib << 20)
    while vm.guest.qmp_event("BALLOON_CHANGE")["actual"] != mib << 20:
        pass


def free(vm):
    """What memory QEMU has, in KiB."""
    return int(re.search(r"^VmRSS:\s+(\d+) kB", read(f"/proc/{vm.guest.pid}/status"), re.M)[1])


def test_start(vm):
    """A guest with two monitors, a balloon and vhost is alive"""
    other = vm.second()
    vm.start()
    vm.load()
    other.wait_state("alive")
    vm.monitor.wait_beats(3)


def test_balloon(vm):
    """A balloon gets the guest's memory with x-balloon-allowed=on, and gives it back"""
    vm.guest.run("dd if=/dev/zero of=/tmp/used bs=1M count=200 && rm /tmp/used", timeout=TIMEOUT)
    before = free(vm)
    since = vm.monitor.mark()
    balloon(vm, 256)
    expect_in(before - free(vm), 64 << 10, before, "KiB that the host got back")
    balloon(vm, 512)
    vm.monitor.wait_beats(3)
    expect([state for state in vm.monitor.history(since) if state.startswith("unresponsive")], [], "accusations")


def test_vsock(vm):
    """vhost works beside it"""
    since = vm.monitor.mark()
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as server:
        server.bind((socket.VMADDR_CID_ANY, VSOCK_PORT))
        server.listen()
        server.settimeout(TIMEOUT)
        sender = vm.guest.send(f"act send {VSOCK_PORT} 10 100")
        connection, peer = server.accept()
        with connection:
            expect(peer[0], VSOCK_CID, "who it is")
            connection.settimeout(TIMEOUT)
            received = 0
            while data := connection.recv(4096):
                received += len(data)
        expect(sender.wait()[0], 0, "status of the sender")
    expect(received, 1600, "bytes")
    vm.monitor.wait_beats(3)
    expect([state for state in vm.monitor.history(since) if state.startswith("unresponsive")], [], "accusations")


def test_second(vm):
    """Of two monitors of one VM, one is unplugged and plugged in again, and the other beats on"""
    other = vm.monitors[1]
    since = vm.monitor.mark()
    vm.guest.qmp("device_del", id="hb2")
    vm.guest.qmp_event("DEVICE_DELETED")
    other.wait_state("detached")
    vm.monitor.wait_beats(3)
    again = other.mark()
    vm.guest.qmp("device_add", driver="vfio-pci", sysfsdev=other.dir, id="hb2")
    other.wait_state("alive", again)
    expect([state for state in vm.monitor.history(since) if not state.startswith("late")], [], "what is said of the VM")
    vm.no_trouble()


def states(text, vm):
    """The states that a tracer shows of a monitor, as in Monitor.history()."""
    found = re.findall(rf"[ :]state: +vm={vm} old=\S+ new=(\S+) cause=(\S+) ", text)
    return [new if cause == "none" else f"{new}:{cause}" for new, cause in found]


def test_follow(vm):
    """trace-cmd, perf and bpftrace follow a guest that hangs, all at once"""
    name = vm.monitor.uuid
    vm.before = vm.monitor.mark()
    ours = f'vm == "{name}"'
    vm.tracers = {
        "trace-cmd": Tracer("trace-cmd", "record", "-o", f"{vm.dir}/trace.dat", "-e", "kvm_heartbeat:state",
                            "-f", 'new == "unresponsive" || new == "panicked"', "cat"),
        "record": Tracer("perf", "record", "-q", "-a", "-e", "kvm_heartbeat:*", "-o", f"{vm.dir}/perf.data", "cat"),
        "stat": Tracer("perf", "stat", "-a", "-x", ",", "-o", f"{vm.dir}/stat", "-e", "kvm_heartbeat:beat",
                       "--filter", ours, "cat"),
        "intervals": Tracer("bpftrace", "-c", "/usr/bin/cat", f"{BPFTRACE}/intervals.bt"),
        "silence": Tracer("bpftrace", "-c", "/usr/bin/cat", f"{BPFTRACE}/silence.bt", name),
    }
    for tracer in vm.tracers.values():
        tracer.wait("all is traced")
    vm.since = vm.monitor.mark()
    vm.monitor.wait_beats(10, since=vm.since)

    vm.guest.run(f"insmod {FAULT_KO}")
    vm.loop = [int(line.split()[0], 16) for line in
               vm.guest.run("grep -A1 ' delay_tsc$' /proc/kallsyms").splitlines()]
    vm.guest.send(f"echo 600000 > {FAULT}/freeze_ms")
    vm.monitor.wait_state("unresponsive", vm.since, cause="hung")
    vm.monitors[1].wait_state("unresponsive", cause="hung")
    vm.guest.qmp("system_reset")
    vm.monitor.wait_state("waiting", vm.since)
    vm.until, vm.history = vm.monitor.mark(), vm.monitor.history(vm.since)
    for tracer in vm.tracers.values():
        # One of them has ended, as the silence has.
        tracer.end()
    vm.after = vm.monitor.mark()


def test_trace_cmd(vm):
    """trace-cmd shows the states that its filter lets through"""
    text = output("trace-cmd", "report", "-i", f"{vm.dir}/trace.dat")
    expect([states(text, monitor.uuid) for monitor in vm.monitors], 2 * [["unresponsive:hung"]], "states")


def beats(vm, begin, end):
    """How many beats there were from one mark to another."""
    return len([event for event in vm.monitor.events[begin:end] if event.name == "beat"])


def test_perf(vm):
    """perf shows the states, and counts the beats of one guest"""
    seen = states(output("perf", "script", "-i", f"{vm.dir}/perf.data"), vm.monitor.uuid)
    # It may have begun a while before.
    expect(seen[-len(vm.history):], vm.history, "states")
    count = re.search(r"^(\d+),,kvm_heartbeat:beat,", read(f"{vm.dir}/stat"), re.M)
    expect_in(int(count[1]), beats(vm, vm.since, vm.until), beats(vm, vm.before, vm.after), "beats")


def test_intervals(vm):
    """intervals.bt has a histogram of the time between beats for each guest"""
    parts = re.split(r"^@us_between_beats\[([0-9a-f-]{36})\]: *\n", vm.tracers["intervals"].output, flags=re.M)
    shown = dict(zip(parts[1::2], parts[2::2]))
    expect(sorted(shown), sorted(monitor.uuid for monitor in vm.monitors), "who has one")
    rows = re.findall(r"^\[(\w+), (\w+)\) +(\d+) ", shown[vm.monitor.uuid], re.M)
    expect_in(sum(int(row[2]) for row in rows), beats(vm, vm.since, vm.until), beats(vm, vm.before, vm.after), "beats")
    # That of the interval, which is 400000 us.
    expect(max(rows, key=lambda row: int(row[2]))[:2], ("256K", "512K"), "where most are")


def test_silence(vm):
    """silence.bt says what a silent guest's vCPUs do, and where in the guest"""
    said = vm.tracers["silence"].output
    for line in (r"\d\d:\d\d:\d\d late -> unresponsive \(hung\), last beat \d+ ms before, of which it could have beaten "
                 r"for \d+ ms",
                 r"  vCPU 1: thread \d+, state [A-Za-z], in KVM_RUN; since the last look it executed for \d+ us, "
                 r"halted for \d+ us, waited for a CPU for \d+ us, had \d+ exits, took 0 interrupts"):
        expect(bool(re.search(f"^{line}$", said, re.M)), True, f"a line '{line}' in: {said}")
    # Numbers are printed as signed ones.
    counts = [(int(vcpu), int(address) % 2**64, int(count)) for vcpu, address, count in
              re.findall(r"^@exits_by_vcpu_and_guest_address\[(\d+), (-?\d+)\]: (\d+)$", said, re.M)]
    for cpu in 0, 1:
        ours = [count for vcpu, _, count in counts if vcpu == cpu]
        looping = [count for vcpu, address, count in counts if vcpu == cpu and vm.loop[0] <= address < vm.loop[1]]
        expect_in(sum(looping), sum(ours) // 2 + 1, sum(ours), f"exits of vCPU {cpu} from the loop")


CALLOUT = """#!/bin/sh
# Called with -t TYPE -e EVENT -a ACTION -s STATE -u UUID -p PARENT.
[ "$2" = kvm_heartbeat-vm ] || exit 2
echo "$4 $6 ${10}" >>/tmp/callouts
[ ! -e /tmp/refuse ]
"""


def test_mdevctl(_):
    """mdevctl defines a monitor with attributes, starts it as at boot, and asks a callout before"""
    # The rig's host has a root file system that cannot be written to.
    output("mount", "-t", "tmpfs", "tmp", "/etc/mdevctl.d")
    for name in "callouts", "notifiers":
        os.makedirs(f"/etc/mdevctl.d/scripts.d/{name}")
    callout = "/etc/mdevctl.d/scripts.d/callouts/heartbeat"
    write(callout, CALLOUT)
    os.chmod(callout, 0o755)
    new = str(uuid.uuid4())
    name = ["--uuid", new]
    heartbeat = f"/sys/bus/mdev/devices/{new}/heartbeat"

    output("mdevctl", "define", "--auto", *name, "--parent", "kvm_heartbeat", "--type", "kvm_heartbeat-vm")
    for attribute, value in ("interval_ns", 500 * MS), ("timeout_ns", 3 * SEC):
        output("mdevctl", "modify", *name, "--addattr", f"heartbeat/{attribute}", "--value", str(value))
    expect(os.path.exists(heartbeat), False, "whether it is there before it is started")
    # What mdevctl's rule for udev runs when the module is loaded.
    output("mdevctl", "start-parent-mdevs", "kvm_heartbeat")
    expect([read(f"{heartbeat}/{attribute}").strip() for attribute in ("interval_ns", "timeout_ns")],
           [str(500 * MS), str(3 * SEC)], "interval and timeout")
    output("mdevctl", "stop", *name)
    expect(os.path.exists(heartbeat), False, "whether it is there after it was stopped")

    write("/tmp/refuse", "")
    refused = subprocess.run(["mdevctl", "start", *name], check=False, capture_output=True, timeout=TIMEOUT)
    expect((refused.returncode != 0, os.path.exists(heartbeat)), (True, False), "what a callout refuses")
    os.unlink("/tmp/refuse")
    output("mdevctl", "undefine", *name)
    calls = read("/tmp/callouts").splitlines()
    for call in "pre define", "post modify", "pre start", "post stop", "post undefine":
        expect(f"{call} {new}" in calls, True, f"'{call}' in {calls}")


def test_hookscript(_):
    """The hookscript for Proxmox makes the monitor of a VM, and removes it"""
    hook = f"{TOP}/tools/proxmox/hookscript"
    # As neighbours.rst has it.
    folder = "/sys/bus/mdev/devices/00000000-0000-4000-8000-000000000100"
    there = []
    for phase in "pre-start", "pre-start", "post-start", "pre-stop", "post-stop", "post-stop":
        output(hook, "100", phase)
        there.append(os.path.exists(folder))
        if phase == "pre-start":
            # By this name KubeVirt knows it.
            name = read(f"{folder}/mdev_type/name").strip().replace(" ", "_")
            expect(name, "KVM_heartbeat_monitor", "the type's name")
    expect(there, [True, True, True, True, False, False], "whether it is there")


def vfio_files(vm):
    """Which of VFIO's files the VMM has open, without numbers."""
    found = set()
    for link in glob.glob(f"/proc/{vm.guest.pid}/fd/*"):
        # It may be closed by now.
        with contextlib.suppress(FileNotFoundError):
            found.add(re.sub(r"\d+$", "N", os.readlink(link)))
    return sorted(file for file in found if re.match(r"/dev/(vfio|iommu)", file))


def nodes(device):
    """Owner and mode of a VFIO device's own file, and of that of its group."""
    own, = os.listdir(f"{device}/vfio-dev")
    group = os.path.basename(os.readlink(f"{device}/iommu_group"))
    return [owned(f"/dev/vfio/{node}") for node in (f"devices/{own}", group)]


def new_mtty():
    """Make a VFIO device of another kind: its folder."""
    name = str(uuid.uuid4())
    write(f"{MTTY}/create", name)
    return f"/sys/bus/mdev/devices/{name}"


def test_nodes(_):
    """udev lets group kvm open a monitor's own file and its group, and no other device's"""
    os.makedirs("/run/udev/rules.d")
    shutil.copy(f"{TOP}/packaging/udev.rules", "/run/udev/rules.d/60-kvm-heartbeat.rules")
    # It forks once it listens.
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True, capture_output=True)
    monitor, other = Monitor(), new_mtty()
    # Here udevadm does nothing unless it is told so: the rig's host runs programs in a chroot.
    output("env", "SYSTEMD_IGNORE_CHROOT=1", "udevadm", "settle")
    seen = nodes(monitor.dir), nodes(other)
    output("env", "SYSTEMD_IGNORE_CHROOT=1", "udevadm", "control", "--exit")
    monitor.remove()
    write(f"{other}/remove", 1)
    expect(seen, (2 * ["0660 root:kvm"], 2 * ["0600 root:root"]), "nodes of a monitor, and of another device")


def test_cdev(vm):
    """QEMU opens the device by its own file and an iommufd: the guest is alive, and KVM knows its vCPUs"""
    vm.start()
    vm.load()
    expect(vfio_files(vm), ["/dev/iommu", "/dev/vfio/devices/vfioN"])
    attached = vm.monitor.wait_event("attach")
    expect((attached.kvm, attached.vcpus, attached.pid), (1, 2, vm.guest.pid), "KVM, vCPUs and VMM")
    vm.monitor.wait_beats(3)


def test_other_device(vm):
    """A VFIO device of another kind beside it is unplugged, and the guest beats on"""
    since = vm.monitor.mark()
    present = "grep -lx 0x4348 /sys/bus/pci/devices/*/vendor"
    vm.guest.run(present)
    vm.guest.qmp("device_del", id="mtty")
    vm.guest.qmp_event("DEVICE_DELETED")
    expect(vm.guest.sh(present)[0], 1, "whether it is there still")
    vm.monitor.wait_beats(3)
    expect([state for state in vm.monitor.history(since) if not state.startswith("late")], [], "what is said of the VM")


def test_cdev_hung(vm):
    """A guest that hangs, which is seen by what KVM knows of its vCPUs"""
    vm.guest.run(f"insmod {FAULT_KO}")
    since = vm.monitor.mark()
    vm.guest.send(f"echo 600000 > {FAULT}/freeze_ms")
    vm.monitor.wait_state("unresponsive", since, cause="hung")
    vm.guest.qmp("system_reset")
    vm.monitor.wait_state("waiting", since)
    vm.wait_boot()
    vm.load()


def test_group(vm):
    """Unplugged, and plugged in again by its group: the guest is alive again"""
    since = vm.monitor.mark()
    vm.guest.qmp("device_del", id="hb")
    vm.monitor.wait_state("detached", since, cause="unload")
    # It was the last device of the iommufd, which QEMU closes after the device, and tells nobody.
    end = time.monotonic() + TIMEOUT
    while vfio_files(vm) and time.monotonic() < end:
        time.sleep(0.1)
    expect(vfio_files(vm), [])
    vm.guest.qmp("device_add", driver="vfio-pci", sysfsdev=vm.monitor.dir, id="hb")
    vm.monitor.wait_state("alive", since)
    expect(vfio_files(vm), ["/dev/vfio/N", "/dev/vfio/vfio"])
    vm.monitor.wait_beats(3)
    vm.no_trouble()


TESTS = [test_start, test_balloon, test_vsock, test_second, test_follow, test_trace_cmd, test_perf, test_intervals,
         test_silence, test_mdevctl, test_hookscript]


IOMMUFD = [test_nodes, test_cdev, test_other_device, test_cdev_hung, test_group]


def tree():
    """The kernel tree of this host, where it is a guest's, too."""
    return next(tree for tree in kernels() if release(tree) == os.uname().release)


def with_devices():
    """The VM of TESTS."""
    subprocess.run(["modprobe", "-d", tree(), "vhost_vsock"], check=True)
    return Vm(devices=["virtio-balloon-pci", f"vhost-vsock-pci,guest-cid={VSOCK_CID}"],
              files={"/bin/act": f"{TOP}/build/bin/act"} |
              modules(kernels()[0], "virtio_balloon", "vmw_vsock_virtio_transport"))


def with_iommufd():
    """The VM of IOMMUFD."""
    by = "iommufd=iommufd0"
    vm = Vm(devices=[f"vfio-pci,sysfsdev={new_mtty()},id=mtty,{by}"], qemu=os.environ["KVMHB_QEMU"],
            args=["-object", "iommufd,id=iommufd0"])
    vm.options["devices"][0] += f",{by}"
    return vm


def main():
    """Play the tests."""
    iommufd = sys.argv[1:] == ["iommufd"]
    vm = with_iommufd() if iommufd else with_devices()

    def explain(_):
        events = [event for event in vm.monitor.events if event.name != "beat"]
        for line in traceback.format_exc().splitlines() + [f"event: {event}" for event in events[-20:]]:
            print(f"# {line}")

    failed = play(IOMMUFD if iommufd else TESTS, vm, explain)
    for name, tracer in vm.tracers.items():
        save(f"neighbours-{name}.log", tracer.output.splitlines())
    vm.end()
    sys.exit(failed)


if __name__ == "__main__":
    main()
