# SPDX-License-Identifier: GPL-2.0
"""What tests of guests are written with: a VM under test, and what is expected of it. Runs inside the rig's host."""

import glob
import lzma
import os
import re
import subprocess
import tempfile

from hb import SEC, TOP, Guest, libraries, release
from monitor import Monitor

# In the guest.
GUEST_KO = "/lib/kvmhb/kvm_heartbeat_guest.ko"
FAULT_KO = "/lib/kvmhb/kvm_heartbeat_fault.ko"
DRIVER = "/sys/bus/pci/drivers/kvm_heartbeat_guest"
PARAMETERS = "/sys/module/kvm_heartbeat_guest/parameters"
BLOCKED = f"{PARAMETERS}/blocked_ns"
FAULT = "/sys/module/kvm_heartbeat_fault/parameters"
TROUBLE = re.compile(r"BUG: (?!KCSAN:)|WARNING:|Oops|KASAN|UBSAN|ODEBUG|possible .* deadlock|soft lockup|hung_task")


def expect(seen, expected, what=""):
    if seen != expected:
        raise AssertionError(f"{what or 'expected'}: {expected!r}, seen: {seen!r}")


def expect_in(seen, low, high, what):
    if not low <= seen <= high:
        raise AssertionError(f"{what}: {low!r} to {high!r} expected, seen: {seen!r}")


def as_outage(history):
    """A history in which it does not matter that the machine was busy too: how long the host kept the guest from its
    CPUs is named in `late`, and not of the test's making."""
    plain = ["late" if state in ("late:starved", "late:host-degraded") else state for state in history]
    return [state for number, state in enumerate(plain) if number == 0 or plain[number - 1] != state]


def briefly(problem):
    """Why a test failed, in so few words that they have room beside its name, where who sees no more finds them."""
    return re.sub(r"\s+", " ", str(problem)).replace("#", "")[:300]


def play(tests, subject, explain):
    """Play tests in their order with what they are about, as TAP; explain(lost) is called where one fails. Whoever lost
    the VM lost it for those that follow. Whether any failed."""
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    failed = lost = False
    for number, test in enumerate(tests, start=1):
        name = f"{number} {test.__doc__}"
        if lost:
            print(f"not ok {name} # the VM was lost before", flush=True)
            continue
        try:
            test(subject)
            print(f"ok {name}", flush=True)
        except Exception as error:   # pylint: disable=broad-except
            failed = True
            lost = not isinstance(error, AssertionError)
            explain(lost)
            print(f"not ok {name}: {briefly(error)}", flush=True)
    return failed


def vms():
    """The VMs that KVM has."""
    return glob.glob("/sys/kernel/debug/kvm/[0-9]*")


def dynamic(program):
    """A program of this machine, with its libraries, as files of a guest."""
    return {program: program} | libraries(program)


def modules(kernel, *names):
    """Modules of a guest's kernel, with what they depend on, as files of that guest: in /modules-later, by their order."""
    asked = subprocess.run(["modprobe", "-d", kernel, "-S", release(kernel), "-a", "--show-depends", *names],
                           check=True, capture_output=True, text=True).stdout
    folder = tempfile.mkdtemp(prefix="modules-")
    files = {}
    for number, line in enumerate(line for line in asked.splitlines() if line.startswith("insmod ")):
        path = line.split()[1]
        name = f"{number:02}-{os.path.basename(path).removesuffix('.xz')}"
        with (lzma.open if path.endswith(".xz") else open)(path, "rb") as packed, open(f"{folder}/{name}", "wb") as plain:
            plain.write(packed.read())
        files[f"/modules-later/{name}"] = f"{folder}/{name}"
    return files


class Run:
    """The VM under test and its monitor."""

    def __init__(self, **guest_options):
        self.monitor = Monitor()
        self.options = guest_options
        self.others = vms()
        self.guest = None

    def start(self, **options):
        defaults = {"cpus": 2, "append": "panic=0", "devices": [self.monitor.device],
                    "files": {"/bin/poke": f"{TOP}/build/bin/poke"} | dynamic("/usr/bin/wdctl")}
        self.guest = Guest(**(defaults | self.options | options))
        self.wait_boot()

    def wait_boot(self):
        """Wait for the guest to boot; what its kernel has to say of that is not our affair."""
        self.guest.wait_boot()
        self.guest.run("dmesg -c >/dev/null")
        # What KCSAN finds goes to the console whole, and in-host judges it: the kernel has races of its own.
        self.guest.run("cd /sys/kernel/debug; [ ! -e kcsan ] || { echo 8 >/proc/sys/kernel/printk; "
                       "echo 400 >/sys/module/kcsan/parameters/skip_watch; echo on >kcsan; }")

    def load(self):
        """Load the guest's driver: the state becomes alive."""
        since = self.monitor.mark()
        self.guest.run(f"insmod {GUEST_KO}")
        self.monitor.wait_state("alive", since)

    def freeze(self):
        """Let all CPUs of the guest hang until it is reset; the moment before."""
        self.guest.run(f"insmod {FAULT_KO}")
        since = self.monitor.mark()
        self.guest.send(f"echo 600000 > {FAULT}/freeze_ms")
        return since

    def revived(self, since):
        """It was reset; it is alive again."""
        self.monitor.wait_state("waiting", since)
        self.wait_boot()
        self.load()

    def revive(self, since):
        """Reset it by hand."""
        self.guest.qmp("system_reset")
        self.revived(since)

    def no_trouble(self):
        """The guest's kernel has nothing to complain of since it booted. Asked before each of its ends."""
        for line in self.guest.run("dmesg").splitlines():
            if TROUBLE.search(line):
                raise AssertionError(f"the guest's kernel says: {line}")

    def pulses(self, cpu):
        """What the pulse slot of a guest CPU says: (pulses, flags). Read behind the guest's back."""
        bar2 = self.guest.run(f"sed -n 3p {DRIVER}/0*/resource").split()[0]
        slot = int(bar2, 0) + 128 + 64 * cpu
        words = self.guest.qmp("human-monitor-command", **{"command-line": f"xp /2gx {slot:#x}"})
        pulses, flags = words.split(":")[1].split()
        return int(pulses, 0), int(flags, 0)


# Two tests that matrix.py has, too.

def test_kexec(run):
    """kexec is a reboot that says goodbye; the next kernel takes over"""
    run.no_trouble()
    # A CPU hashes the image and schedules nothing meanwhile, for long in emulation.
    run.monitor.set("timeout_ns", 60 * SEC)
    run.guest.run("kexec -l /boot/vmlinuz /boot/initrd")
    run.monitor.set("timeout_ns", 0)
    since, lives = run.monitor.mark(), run.monitor.lives()
    run.guest.send("kexec -e")
    run.monitor.wait_state("stopped", since, cause="reboot")
    run.wait_boot()
    run.load()
    expect(run.monitor.history(since), ["stopped:reboot", "alive"])
    expect(run.monitor.lives(lives), [1, 0, 0], "boots, panics, resets")


def test_reboot(run):
    """A reboot says goodbye, resets, and begins anew"""
    run.no_trouble()
    since, lives = run.monitor.mark(), run.monitor.lives()
    run.guest.send("reboot -f")
    run.monitor.wait_state("stopped", since, cause="reboot")
    run.monitor.wait_state("waiting", since)
    run.wait_boot()
    run.load()
    expect(run.monitor.history(since), ["stopped:reboot", "waiting", "alive"])
    expect(run.monitor.lives(lives), [1, 0, 1], "boots, panics, resets")
    run.monitor.wait_beats(2)
