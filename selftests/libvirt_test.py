#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A VM that libvirt runs is saved and goes on, loses its device, and dies. Runs inside the rig's host; prints TAP.

    libvirt_test.py

Debian 12's libvirtd, by itself: no service, no D-Bus, no network. Its QEMU is one that knows VFIO's present protocol.
The commands are those of Documentation/migration.rst and neighbours.rst. Judged are the whole histories of both monitors, and their logs.
"""

import os
import subprocess
import sys
import time
import traceback

from daemon_test import JOURNAL, Daemon, Heard
from hb import CPU, MS, OUT, SEC, TIMEOUT, TOP, GuestError, Timeout, kernels, make_initrd, read, save, write
from migrate_test import lines_without_late, without_late
from monitor import Monitor
from run import GUEST_KO, TROUBLE, briefly, expect, expect_in

QEMU = os.environ["KVMHB_QEMU"]
LIBVIRT = "/run/kvmhb-libvirt"
CTL = f"{TOP}/build/bin/heartbeatctl"
CONSOLE = f"{OUT}/guest-libvirt-console.log"
DOMAIN = "kvmhb"
INTERVAL = 100 * MS
# Long enough that an emulated guest's delays make no accusation while its VM is saved.
TIMEOUT_NS = 20 * SEC

# libvirt has its folders where the rig's host has a root file system that cannot be written to. It sees others there.
START = f"""
for dir in /etc/libvirt /var/lib /var/cache /var/log; do mount -t tmpfs tmp $dir || exit; done
mkdir -p /var/log/libvirt && mount --bind {OUT}/libvirt /var/log/libvirt || exit
cp {LIBVIRT}/qemu.conf /etc/libvirt/
for file in passwd group; do mount --bind {LIBVIRT}/$file /etc/$file || exit; done
exec env PATH={LIBVIRT}/bin /usr/sbin/libvirtd --config {LIBVIRT}/libvirtd.conf
"""

LIBVIRTD_CONF = f"""
auth_unix_ro = "none"
auth_unix_rw = "none"
log_filters = "2:qemu.qemu_monitor"
log_outputs = "2:file:{OUT}/libvirt/libvirtd.log"
"""

QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""

# The only one that libvirt finds: it asks each QEMU at length what it can do.
EMULATOR = f"{LIBVIRT}/bin/qemu-system-x86_64"
EMULATOR_SH = f"""#!/bin/sh
PATH=/usr/bin:/bin exec {QEMU} "$@"
"""

# There is nobody to ask the guest: it loads the driver itself.
INIT = f"""#!/bin/sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/list
insmod {GUEST_KO}
while :; do sleep 3600; done
"""

HOSTDEV = """
    <hostdev mode='subsystem' type='mdev' model='vfio-pci'>
      <source><address uuid='{uuid}'/></source>
    </hostdev>
"""

XML = """
<domain type='kvm'>
  <name>{domain}</name>
  <uuid>5e1f7e57-0000-4000-8000-4b484254000a</uuid>
  <memory unit='MiB'>128</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{kernel}/vmlinux</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 quiet panic=0 rcupdate.rcu_cpu_stall_suppress=1 unknown_nmi_panic</cmdline>
  </os>
  <features><acpi/><apic eoi='off'/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='{console}' append='on'/></serial>
    {hostdev}
  </devices>
</domain>
"""

# Pacemaker's agent is at home here; see rig/resource-agents.
OCF = f"{os.environ['KVMHB_CACHE']}/resource-agents/usr/lib/ocf"


class Vm:
    """The domain, and the two monitors between which it moves."""

    def __init__(self):
        # What XML says in libvirt's words.
        expect(CPU, "host,kvm-pv-eoi=off", "the CPU of other tests")
        os.makedirs(f"{OUT}/libvirt", exist_ok=True)
        os.makedirs(LIBVIRT)
        write(CONSOLE, "")
        write(f"{LIBVIRT}/libvirtd.conf", LIBVIRTD_CONF)
        write(f"{LIBVIRT}/qemu.conf", QEMU_CONF)
        write(f"{LIBVIRT}/init", INIT)
        os.mkdir(f"{LIBVIRT}/bin")
        write(EMULATOR, EMULATOR_SH)
        os.chmod(EMULATOR, 0o755)
        # Its default user has to exist, whatever user it is told to take.
        write(f"{LIBVIRT}/passwd", read("/etc/passwd") + "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin\n")
        write(f"{LIBVIRT}/group", read("/etc/group") + "libvirt-qemu:x:64055:\n")
        # Without the drivers of what there is nothing of: networks, storage.
        os.mkdir(f"{LIBVIRT}/drivers")
        for driver in "libvirt_driver_qemu.so", "libvirt_driver_nodedev.so":
            os.symlink(f"/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/{driver}", f"{LIBVIRT}/drivers/{driver}")
        make_initrd(f"{LIBVIRT}/initrd", kernels()[0], {"/init": f"{LIBVIRT}/init"})

        with open(f"{OUT}/libvirt/libvirtd-output.log", "wb") as log:
            self.daemon = subprocess.Popen(["unshare", "--mount", "bash", "-c", START], stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log,
                                           env=os.environ | {"LIBVIRT_DRIVER_DIR": f"{LIBVIRT}/drivers"})
        self.here, self.there = Monitor(), Monitor()
        self.here.set("interval_ns", INTERVAL)
        self.here.set("timeout_ns", TIMEOUT_NS)
        write(f"{LIBVIRT}/domain.xml",
              XML.format(domain=DOMAIN, kernel=kernels()[0], initrd=f"{LIBVIRT}/initrd", emulator=EMULATOR,
                         console=CONSOLE, hostdev=HOSTDEV.format(uuid=self.here.uuid)))

    def wait_daemon(self):
        """Wait until libvirtd listens."""
        end = time.monotonic() + TIMEOUT
        while not os.path.exists("/run/libvirt/libvirt-sock"):
            if self.daemon.poll() is not None:
                raise GuestError(f"libvirtd has ended: {read(f'{OUT}/libvirt/libvirtd-output.log')}")
            if time.monotonic() > end:
                raise Timeout(f"waited {TIMEOUT} s for libvirtd")
            time.sleep(0.05)

    @staticmethod
    def virsh(command, *args):
        """Run a command of virsh that must succeed: its output."""
        done = subprocess.run(["virsh", "--connect", "qemu:///system", "--quiet", command, *args], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=2 * TIMEOUT)
        if done.returncode:
            raise GuestError(f"virsh {command} {' '.join(args)}: {done.stdout.strip()}")
        return done.stdout.strip()

    def goes_on(self, before, since):
        """The domain goes on here, after a mark, with the beat after those before; what the monitor said until then."""
        self.here.wait_state("alive", since)
        expect(self.here.wait_event("beat", since).beats, before + 1, "number of the first beat")
        self.here.wait_beats(5, since=since)
        expect(without_late(self.here.history(since)), ["waiting", "paused:paused", "alive"], "the history, going on")
        for name, value in ("interval_ns", INTERVAL), ("timeout_ns", TIMEOUT_NS), ("outages", 0):
            expect(self.here.number(name), value, name)

    def close(self):
        """End the domain and libvirtd."""
        if self.daemon.poll() is None:
            subprocess.run(["virsh", "--connect", "qemu:///system", "--quiet", "destroy", DOMAIN], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT)
            self.daemon.terminate()
        self.daemon.wait()


def test_start(vm):
    """libvirt starts a domain that has a monitor, and its guest is alive"""
    vm.wait_daemon()
    since = vm.here.mark()
    vm.virsh("define", f"{LIBVIRT}/domain.xml")
    vm.virsh("start", DOMAIN)
    vm.here.wait_state("alive", since, timeout=2 * TIMEOUT)
    vm.here.wait_beats(5, since=since)
    expect(without_late(vm.here.history(since)), ["waiting", "alive"])


def test_suspend(vm):
    """A domain that is suspended is paused at once, and alive again when it is resumed"""
    since, lines = vm.here.mark(), len(vm.here.log())
    vm.virsh("suspend", DOMAIN)
    expect((vm.here.get("state"), vm.here.get("cause")), ("paused", "paused"), "the state at once")
    vm.virsh("resume", DOMAIN)
    vm.here.wait_beats(3)
    expect(without_late(vm.here.history(since)), ["paused:paused", "alive"])
    told = vm.here.log()[lines:]
    expect([line for line in told if "paused" in line], [], "what the log has of it before it is over")
    expect(any(line.startswith("guest is alive, gone ") for line in told), True, f"the log, which is {told},")


def test_detach(vm):
    """The device is detached from a domain that runs, and attached to it again"""
    path = f"{LIBVIRT}/hostdev.xml"
    write(path, HOSTDEV.format(uuid=vm.here.uuid))
    since = vm.here.mark()
    vm.virsh("detach-device", DOMAIN, path, "--live")
    vm.here.wait_state("detached", since)
    expect(without_late(vm.here.history(since)), ["stopped:unload", "detached:unload"])
    since = vm.here.mark()
    vm.virsh("attach-device", DOMAIN, path, "--live")
    vm.here.wait_state("alive", since)
    vm.here.wait_beats(3)
    expect(without_late(vm.here.history(since)), ["waiting", "alive"])


def test_nodedev(vm):
    """libvirt lists the monitors as mediated devices of their type"""
    listed = vm.virsh("nodedev-list", "--cap", "mdev").split()
    for monitor in vm.here, vm.there:
        name, = [name for name in listed if name.startswith(f"mdev_{monitor.uuid.replace('-', '_')}")]
        described = vm.virsh("nodedev-dumpxml", name)
        group = os.path.basename(os.readlink(f"{monitor.dir}/iommu_group"))
        for part in "<type id='kvm_heartbeat-vm'/>", f"<uuid>{monitor.uuid}</uuid>", f"<iommuGroup number='{group}'/>":
            expect(part in described, True, f"'{part}' in {described}")


def test_managedsave(vm):
    """A domain is saved by managedsave, and goes on by start as if nothing had been"""
    since, lines = vm.here.mark(), len(vm.here.log())
    vm.virsh("managedsave", DOMAIN)
    vm.here.wait_state("detached", since)
    expect(without_late(vm.here.history(since)), ["paused:paused", "detached:migrated"], "the history where it was")
    expect(lines_without_late(vm.here, lines), ["guest is detached (migrated)"], "the log")
    expect(vm.virsh("domstate", DOMAIN), "shut off")
    # It has no process that would have a name.
    listed = subprocess.run([CTL, "list"], check=True, capture_output=True, text=True, timeout=TIMEOUT).stdout
    ours, = [line for line in listed.splitlines() if vm.here.uuid in line]
    expect(ours.split()[-1], DOMAIN, "the name that heartbeatctl has from libvirt")
    before = vm.here.number("beats")

    to, lines = vm.here.mark(), len(vm.here.log())
    vm.virsh("start", DOMAIN)
    vm.goes_on(before, to)
    expect(lines_without_late(vm.here, lines), ["guest is waiting", "guest is alive, taken over"], "the log")


def test_save(vm):
    """A domain is saved to a file, and restored from it on another monitor"""
    path, other = f"{LIBVIRT}/saved", f"{LIBVIRT}/other.xml"
    since, lines = vm.here.mark(), len(vm.here.log())
    vm.virsh("save", DOMAIN, path)
    vm.here.wait_state("detached", since)
    expect(without_late(vm.here.history(since)), ["paused:paused", "detached:migrated"], "the history where it was")
    expect(lines_without_late(vm.here, lines), ["guest is detached (migrated)"], "the log")
    before, missed = vm.here.number("beats"), vm.here.number("missed")

    vm.here, vm.there = vm.there, vm.here
    to, from_there = vm.here.mark(), vm.there.mark()
    write(other, vm.virsh("save-image-dumpxml", path).replace(vm.there.uuid, vm.here.uuid))
    vm.virsh("restore", path, "--xml", other)
    vm.goes_on(before, to)
    expect_in(vm.here.number("missed"), missed, missed + 100, "missed")
    expect(vm.there.history(from_there), [], "what the monitor says where it was")
    expect([line for line in read(CONSOLE).splitlines() if TROUBLE.search(line)], [], "the guest's kernel")


def monitored():
    """What VirtualDomain says when Pacemaker has it monitor the domain: (status, messages)."""
    settings = {"config": f"{LIBVIRT}/domain.xml", "hypervisor": "qemu:///system", "CRM_meta_timeout": "60000",
                "monitor_scripts": f"{TOP}/tools/pacemaker/virtualdomain-monitor",
                "autoset_utilization_cpu": "false", "autoset_utilization_host_memory": "false",
                "autoset_utilization_hv_memory": "false"}
    done = subprocess.run([f"{OCF}/resource.d/heartbeat/VirtualDomain", "monitor"], check=False, capture_output=True,
                          text=True, timeout=TIMEOUT,
                          env=os.environ | {f"OCF_RESKEY_{name}": value for name, value in settings.items()} |
                          {"OCF_ROOT": OCF, "OCF_RESOURCE_INSTANCE": DOMAIN,
                           "PATH": f"{os.path.dirname(CTL)}:{os.environ['PATH']}"})
    return done.returncode, done.stderr


def test_pacemaker(vm):
    """Pacemaker's agent finds a domain well whose guest lives, and failed if it has panicked, after an NMI"""
    os.makedirs("/run/resource-agents", exist_ok=True)
    status, messages = monitored()
    expect(status, 0, f"status of the monitor, which says {messages}")
    since = vm.here.mark()
    vm.virsh("inject-nmi", DOMAIN)
    vm.here.wait_state("panicked", since, cause="panic")
    expect(vm.virsh("domstate", DOMAIN), "running")
    status, messages = monitored()
    expect((status, "is panicked (panic)" in messages), (1, True), f"status of the monitor, which says {messages}")


def asked_for_nmi():
    """How often libvirtd's log has an NMI that QEMU was asked for. A guest that has panicked in one takes no other."""
    return read(f"{OUT}/libvirt/libvirtd.log").count('"execute":"inject-nmi"')


class Watched:
    """heartbeatd, with a policy for the domain, and what it tells its manager and the journal."""

    def __init__(self):
        self.folder = f"{LIBVIRT}/heartbeatd"
        os.mkdir(self.folder)
        self.manager_path = f"{self.folder}/manager"
        self.manager, self.journal = Heard(self.manager_path), Heard(JOURNAL)

    def follow(self, results, *keys):
        """Run it until it has taken steps with these results; what it told of the last."""
        write(f"{self.folder}/policy.conf", "\n".join(["[policy test]", f"vm = {DOMAIN}", "delay = 100ms", *keys, ""]))
        since = self.journal.mark()
        daemon = Daemon(self)
        for name, result in results:
            told = self.journal.wait(since, STEP=name, RESULT=result, VM=DOMAIN)
        expect(self.journal.steps(since), results, "steps")
        daemon.stop()
        # The next one begins anew.
        os.unlink(f"{self.folder}/state")
        return told["MESSAGE"]


def test_steps(vm):
    """heartbeatd, without a QMP socket, has libvirt interrupt, dump and reset the domain: its guest is alive again"""
    watched = Watched()
    failed = watched.follow([("dump-guest-memory", "failed")], "steps = dump-guest-memory", "dump = /nowhere/%n.core")
    expect("failed: libvirt: " in failed and "/nowhere/kvmhb.core" in failed, True, f"what libvirt says, in {failed!r}")

    before, since, lives = asked_for_nmi(), vm.here.mark(), vm.here.lives()
    watched.follow([("inject-nmi", "done"), ("dump-guest-memory", "done"), ("reset", "done")],
                   "steps = inject-nmi dump-guest-memory reset", f"dump = {LIBVIRT}/%n-%u.core")
    vm.here.wait_state("alive", since, timeout=2 * TIMEOUT)
    expect(without_late(vm.here.history(since)), ["waiting", "alive"])
    expect(vm.here.lives(lives), [1, 0, 1], "boots, panics, resets")
    expect(asked_for_nmi() > before, True, "whether libvirtd has asked QEMU for an NMI")
    with open(f"{LIBVIRT}/{DOMAIN}-{vm.here.uuid}.core", "rb") as core:
        expect(core.read(4), b"\x7fELF", "what the dump begins with")


TESTS = [test_start, test_suspend, test_detach, test_nodedev, test_managedsave, test_save, test_pacemaker, test_steps]


def main():
    """Run the tests one after the other, on the same domain."""
    print(f"TAP version 13\n1..{len(TESTS)}", flush=True)
    vm = Vm()
    failed = False
    for number, test in enumerate(TESTS, start=1):
        name = f"{number} {test.__doc__}"
        if failed:
            print(f"not ok {name} # a test before has failed", flush=True)
            continue
        begin = time.monotonic()
        try:
            test(vm)
            print(f"# after {time.monotonic() - begin:.1f} s\nok {name}", flush=True)
        except Exception as error:   # pylint: disable=broad-except
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            for monitor in vm.here, vm.there:
                events = [event for event in monitor.events if event.name != "beat"]
                print("".join(f"# event: {event}\n" for event in events[-15:]), end="")
            print(f"not ok {name}: {briefly(error)}", flush=True)
            failed = True
    save("libvirt-trace.log", vm.here.events + vm.there.events)
    vm.close()
    for monitor in vm.here, vm.there:
        monitor.remove()
    sys.exit(failed)


if __name__ == "__main__":
    main()
