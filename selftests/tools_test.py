#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""heartbeatctl, each command of it, with real monitors and a real guest. Runs inside the rig's host; prints TAP.

    tools_test.py

One VM lives through an outage and a panic; a test begins where the one before it ended.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
import uuid

import pyte

from hb import MS, SEC, TIMEOUT, TOP, Timeout, read, save, write
from monitor import TRACING, TYPE, Monitor
from run import Run, expect, expect_in, play

CTL = f"{TOP}/build/bin/heartbeatctl"
NAME = 'web "1",\\é|\'='  # what a VM may be called, at its worst
OPTION = NAME.replace(",", ",,")


def run_ctl(*args, **options):
    """Run a command of heartbeatctl: (status, output, messages)."""
    done = subprocess.run([CTL, *args], check=False, capture_output=True, text=True, timeout=TIMEOUT,
                          env=os.environ | {"LC_ALL": "C.UTF-8"}, **options)
    return done.returncode, done.stdout, done.stderr


def ctl(*args):
    """Run one that must succeed and say nothing beside: its output."""
    status, output, messages = run_ctl(*args)
    expect((status, messages), (0, ""), f"status and messages of {args}")
    return output


def refused(*args, status=1, **options):
    """Run one that must fail, with nothing but a message: the message."""
    seen, output, message = run_ctl(*args, **options)
    expect((seen, output), (status, ""), f"status and output of {args}, which says {message!r}")
    return message


def shown(vm):
    """What `show` says of a VM: name to value."""
    pairs = (line.split(None, 1) for line in ctl("show", vm).splitlines() if line[:1].strip())
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}


class Follower:
    """`events --json` in the background: its lines."""

    def __init__(self, *args):
        self.events = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(   # pylint: disable=consider-using-with
            [CTL, "events", "--json", *args], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        for line in self.process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()

    def wait(self, **fields):
        """Wait for an event with these fields; the event."""
        def find():
            return next((event for event in self.events if fields.items() <= event.items()), None)
        with self._changed:
            if not self._changed.wait_for(find, TIMEOUT):
                raise Timeout(f"waited {TIMEOUT} s for {fields}; seen: {self.events}")
            return find()

    def close(self):
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        expect(self.process.wait(TIMEOUT), 0, "status of events")


class Screen:
    """`watch` in a terminal of 80 columns: what it shows."""

    def __init__(self):
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.environ.update(TERM="linux", LINES="24", COLUMNS="80", LC_ALL="C.UTF-8")
            os.execv(CTL, [CTL, "watch"])

    def wait(self, pattern):
        """Wait until a line of it has that: the line."""
        end = time.monotonic() + TIMEOUT
        while not (lines := [line for line in self.screen.display if re.search(pattern, line)]):
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise Timeout(f"waited {TIMEOUT} s for {pattern!r}; shown: {self.screen.display}")
            self.stream.feed(os.read(self.terminal, 65536))
        return lines[0]

    def type(self, keys):
        """Press keys."""
        os.write(self.terminal, keys.encode())

    def close(self):
        """Press q; it ends."""
        self.type("q")
        while True:
            try:
                if not os.read(self.terminal, 65536):
                    break
            except OSError:     # nobody has the other end any more
                break
        expect(os.waitpid(self.pid, 0)[1], 0, "status of watch")


class Vm(Run):
    """The VM under test, and a monitor that no VM uses."""

    def __init__(self):
        super().__init__(args=["-name", f"debug-threads=on,guest={OPTION}"])
        self.other = Monitor()
        self.monitors = [self.monitor, self.other]

    def end(self):
        """End it, and remove what was made, once."""
        if self.guest:
            self.guest.close()
        for monitor in self.monitors:
            monitor.remove()
        self.guest, self.monitors = None, []


def test_list_and_resolve(vm):
    """list has a line for each monitor; a VM is known by its name, and by its UUID's beginning"""
    vm.start()
    vm.load()
    vm.monitor.wait_beats(2)
    lines = ctl("list").splitlines()
    expect(lines[0].split(), ["STATE", "CAUSE", "LAST", "BEAT", "OUTAGES", "UUID", "VM"])
    expect(sorted(line.split()[4] for line in lines[1:]), sorted([vm.monitor.uuid, vm.other.uuid]))
    ours, = [line for line in lines if vm.monitor.uuid in line]
    age = re.fullmatch(rf"alive +none +([0-9.]+m?s) +0  {vm.monitor.uuid}  (.*)", ours)
    if not age:
        raise AssertionError(f"the line of the VM: {ours!r}")
    expect(age[2], NAME, "name")
    other, = [line for line in lines if vm.other.uuid in line]
    expect(other.split(), ["detached", "none", "-", "0", vm.other.uuid, "-"])
    for word in NAME, vm.monitor.uuid, vm.monitor.uuid.upper(), vm.monitor.uuid[:12]:
        expect(shown(word)["uuid"], vm.monitor.uuid, f"who is called {word}")
    expect("there is no VM 'nobody'" in refused("show", "nobody"), True)


def test_show(vm):
    """show has each file of a monitor once, in human units"""
    vm.monitor.set("interval_ns", 1500 * MS)
    said = shown(NAME)
    files = {re.sub("_ns$", "", name) for name in os.listdir(f"{vm.monitor.dir}/heartbeat")}
    expect(set(said), files | {"uuid", "vm"}, "what show has")
    expect((said["interval"], said["timeout"], said["vm"]), ("1.5s", "3s", NAME))
    expect((said["state"], said["vmm_pid"]), ("alive", str(vm.guest.pid)))
    expect(shown(vm.other.uuid)["last_beat"], "-")
    both = ctl("show")
    expect(sorted(re.findall("^uuid +(.*)$", both, re.M)), sorted([vm.monitor.uuid, vm.other.uuid]))


def test_set_and_mute(vm):
    """set and mute write what sysfs then shows, refuse what makes no sense, and want root"""
    expect(ctl("set", NAME, "interval=500ms", "timeout_ns=3000000000", "on_panicked=backtrace"), "")
    expect([vm.monitor.get(name) for name in ("interval_ns", "timeout_ns", "on_panicked")],
           ["500000000", "3000000000", "backtrace"])
    expect("above the interval" in refused("set", NAME, "timeout=100ms"), True)
    expect("with a unit" in refused("set", NAME, "interval=5", status=2), True)
    expect("is no setting" in refused("set", NAME, "beats=5", status=2), True)
    # What can be seen to be wrong is seen before anything is written.
    refused("set", NAME, "interval=1s", "timeout=never", status=2)
    expect(vm.monitor.number("interval_ns"), 500 * MS)
    expect("run it as root" in refused("set", vm.monitor.uuid, "interval=1s", user=65534, group=65534), True)
    expect(vm.monitor.number("interval_ns"), 500 * MS)
    expect(ctl("set", NAME, "interval=1s", "timeout=0", "on_panicked=none"), "")
    expect(vm.monitor.number("timeout_ns"), 2 * SEC)

    ctl("mute", NAME, "1h30m")
    expect_in(vm.monitor.number("mute_ns"), 3600 * SEC, 5400 * SEC, "mute")
    # However it is written, it is not cut off.
    ctl("mute", NAME, "1h" * 150)
    expect_in(vm.monitor.number("mute_ns"), 149 * 3600 * SEC, 150 * 3600 * SEC, "long mute")
    expect("muted" in ctl("check", vm.other.uuid), False)
    ctl("mute", NAME, "0")
    expect(vm.monitor.number("mute_ns"), 0)


def families(page):
    """Metrics of a page: family to type, and sample to value."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
    samples = dict(re.findall(r"^(kvm_heartbeat\w*(?:\{.*\})?) (\S+)$", page, re.M))
    return types, samples


def test_metrics(vm):
    """metrics are what sysfs says, in both formats"""
    label = '"' + NAME.replace("\\", "\\\\").replace('"', '\\"') + '"'
    before = vm.monitor.number("beats")
    for args, info, counter in (["metrics"], ("kvm_heartbeat", "info"), "kvm_heartbeat_beats"), \
            (["metrics", "--textfile"], ("kvm_heartbeat_info", "gauge"), "kvm_heartbeat_beats_total"):
        page = ctl(*args)
        types, samples = families(page)
        expect(page.endswith("# EOF\n"), args == ["metrics"], "whether the page ends with EOF")
        expect(types[info[0]], info[1], "type of the info")
        expect(types["kvm_heartbeat_state"], "stateset" if args == ["metrics"] else "gauge", "type of the states")
        expect(types[counter], "counter", "type of the beats")
        # All but comments are samples of the two monitors.
        expect(len(samples), len([line for line in page.splitlines() if not line.startswith("#")]), "samples")
        ours = f'uuid="{vm.monitor.uuid}"'
        expect(samples[f"kvm_heartbeat_info{{{ours},vm={label}}}"], "1", "info")
        states = {name: value for name, value in samples.items() if name.startswith(f"kvm_heartbeat_state{{{ours}")}
        expect([name for name, value in states.items() if value == "1"],
               [f'kvm_heartbeat_state{{{ours},kvm_heartbeat_state="alive"}}'], "present state")
        expect(len(states), 9, "states")
        expect(samples[f"kvm_heartbeat_interval_seconds{{{ours}}}"], "1.000000000", "interval")
        expect_in(int(samples[f"kvm_heartbeat_beats_total{{{ours}}}"]), before, before + 1000, "beats")
        expect_in(float(samples[f"kvm_heartbeat_last_beat_age_seconds{{{ours}}}"]), 0, 60, "age")
        expect(f'kvm_heartbeat_last_beat_age_seconds{{uuid="{vm.other.uuid}"}}' in samples, False,
               "whether a monitor without a VM has a last beat")


def test_outage(vm):
    """An outage is seen by events, watch, check and explain, and the end of it, too"""
    status, line, _ = run_ctl("check")
    expect((status, line[:24]), (0, "HEARTBEAT OK: 2 of 2 wel"), "check before")
    follower, screen = Follower(NAME), Screen()
    expect(follower.wait(event="present")["vm"], NAME)
    # Its gaps are below their head.
    line, head = screen.wait('web "1".*[▁-█]'), screen.wait("GAPS")
    expect(re.search("[▁-█]", line).start(), head.index("GAPS"), f"where the gaps are in {line!r}")
    screen.type("/hung\n")
    try:
        since = vm.freeze()
        dead = vm.monitor.wait_state("unresponsive", since)
        status, line, _ = run_ctl("check")
        expect((status, line.startswith("HEARTBEAT CRITICAL: 1 of 2 well, ")), (2, True), f"check: {line}")
        expect(" critical=1;;;0;2 " in line, True, f"performance data: {line}")
        # What divides the parts of a plugin's output is not in a name.
        plain = re.sub("[|'=]", "_", NAME)
        text, data = run_ctl("check", NAME)[1].split("|")
        expect(f", {plain} is unresponsive (hung)" in text, True, f"text: {text}")
        expect(f" '{plain} last beat'=" in data, True, f"performance data: {data}")
        ctl("mute", NAME, "10m")
        expect(run_ctl("check")[0], 0, "check of a muted VM")
        ctl("mute", NAME, "0")
        text = " ".join(ctl("explain", NAME).split())
        for part in ("Now: unresponsive (hung).", "take no interrupts", "Judged: unresponsive (hung), after",
                     "vCPU 0 (thread", "vCPU 1 (thread", "To do: Find out where first"):
            expect(part in text, True, f"'{part}' in: {text}")
        told = follower.wait(event="state", new="unresponsive")
        expect((told["uuid"], told["vm"], told["old"], told["cause"]), (vm.monitor.uuid, NAME, "late", "hung"))
        expect((told["last_beat_ns"], told["run_ns"]), (dead.last_beat_ns, dead.run_ns))
        screen.wait("unresponsive hung")
        vm.revive(since)
        follower.wait(event="state", old="unresponsive", new="waiting")
        follower.wait(event="state", old="waiting", new="alive")
        expect("That was an earlier verdict" in ctl("explain", NAME), True, "explain afterwards")
    finally:
        screen.close()
        follower.close()
    expect([name for name in os.listdir(f"{TRACING}/instances") if name.startswith("heartbeatctl")], [],
           "trace instances that are left")
    expect("need root" in refused("events", user=65534, group=65534), True)


def test_actions(vm):
    """events has the steps that are taken"""
    follower = Follower()
    follower.wait(event="present", uuid=vm.monitor.uuid)
    ctl("set", NAME, "on_unresponsive=backtrace")
    since = vm.freeze()
    try:
        action = vm.monitor.wait_event("action", since)
        told = follower.wait(event="action")
        expect((told["step"], told["cause"], told["result"], told["vm"]),
               (action.step, action.cause, action.result, NAME))
    finally:
        follower.close()
    ctl("set", NAME, "on_unresponsive=none")
    vm.revive(since)
    expect(shown(NAME)["last_action"], "backtrace")


def test_create_and_remove(vm):
    """create makes a monitor that mdevctl keeps, with its settings; remove removes both, but none in use"""
    # The rig's host has a root file system that cannot be written to.
    expect(os.system("mount -t tmpfs tmp /etc/mdevctl.d"), 0, "mount")
    for name in "callouts", "notifiers":
        os.makedirs(f"/etc/mdevctl.d/scripts.d/{name}")
    new = str(uuid.uuid4())
    status, output, messages = run_ctl("create", new.upper(), "interval=5s", "on_unresponsive=backtrace,kill")
    expect((status, output), (0, f"{new}\n"), f"create, which says {messages}")
    folder = f"/sys/bus/mdev/devices/{new}/heartbeat"
    expect([read(f"{folder}/{name}").strip() for name in ("interval_ns", "timeout_ns", "on_unresponsive")],
           [str(5 * SEC), str(10 * SEC), "backtrace kill"])
    defined = subprocess.run(["mdevctl", "list", "--defined", "--dumpjson"], check=True, capture_output=True, text=True)
    expect(new in defined.stdout, True, f"what mdevctl keeps: {defined.stdout}")

    # A value that the module refuses: no monitor, and nothing that would make one.
    status, output, messages = run_ctl("create", "interval=5s", "timeout=1s")
    expect((status, output, "no monitor was made" in messages), (1, "", True), f"messages: {messages}")
    expect(len(os.listdir("/etc/mdevctl.d/kvm_heartbeat")), 1, "definitions")
    expect("is no UUID" in refused("create", "new", status=2), True)
    expect("as root" in refused("create", user=65534, group=65534), True)

    expect("in use by process" in refused("remove", NAME), True)
    expect(os.path.exists(vm.monitor.dir), True, "whether the monitor in use is there")
    expect(run_ctl("remove", new[:20])[0], 0, "remove")
    expect((os.path.exists(folder), os.listdir("/etc/mdevctl.d/kvm_heartbeat")), (False, []), "what is left")
    expect("there is no" in refused("remove", new), True)
    # Where mdevctl is not installed.
    message = subprocess.run([CTL, "create"], check=False, capture_output=True, text=True, timeout=TIMEOUT,
                             env={"PATH": "/nowhere"})
    expect((message.returncode, "install the package mdevctl" in message.stderr), (1, True), message.stderr)


def test_panic_and_end(vm):
    """A panic is critical; a monitor whose VM ended in it is no alarm, nor is one whose VMM was killed"""
    since = vm.monitor.mark()
    vm.guest.send("echo c > /proc/sysrq-trigger")
    vm.monitor.wait_state("panicked", since)
    status, line, _ = run_ctl("check", NAME)
    expect((status, "is panicked (panic)" in line), (2, True), f"check: {line}")
    expect("Read its console" in ctl("explain", NAME), True)
    vm.guest.kill()
    vm.guest.wait_exit()
    vm.monitor.wait_state("detached", since)
    status, line, _ = run_ctl("check", vm.monitor.uuid)
    expect((vm.monitor.get("cause"), status, line[:26]), ("panic", 0, "HEARTBEAT OK: 1 of 1 well "), f"check: {line}")
    since = vm.monitor.mark()
    vm.start()
    vm.load()
    vm.guest.kill()
    vm.guest.wait_exit()
    vm.monitor.wait_state("detached", since, cause="vmm-gone")
    status, line, _ = run_ctl("check")
    expect((status, line[:26]), (0, "HEARTBEAT OK: 2 of 2 well "), f"check: {line}")


def test_vanishing(vm):
    """While monitors come and go, list, metrics and check never fail"""
    stop = threading.Event()

    def come_and_go():
        while not stop.is_set():
            new = str(uuid.uuid4())
            write(f"{TYPE}/create", new)
            write(f"/sys/bus/mdev/devices/{new}/remove", 1)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(30):
            expect(vm.other.uuid in ctl("list"), True, "whether the one that stays is there")
            expect(ctl("metrics").endswith("# EOF\n"), True, "whether the page is whole")
    finally:
        stop.set()
        thread.join()


def test_unload(vm):
    """events ends if the module is unloaded, even if it is loaded again at once"""
    follower = Follower()
    follower.wait(event="present", uuid=vm.other.uuid)
    vm.end()
    subprocess.run(["rmmod", "kvm_heartbeat"], check=True)
    subprocess.run(["insmod", os.environ["KVMHB_HOST_KO"]], check=True)
    expect(follower.process.wait(TIMEOUT), 1, "status of events")


TESTS = [test_list_and_resolve, test_show, test_set_and_mute, test_metrics, test_outage, test_actions,
         test_create_and_remove, test_panic_and_end, test_vanishing, test_unload]


def main():
    """Play all tests with one VM."""
    vm = Vm()

    def explain(lost):
        events = [event for event in vm.monitor.events if event.name != "beat"]
        for line in traceback.format_exc().splitlines() + [f"event: {event}" for event in events[-20:]]:
            print(f"# {line}")
        if not lost and vm.guest and vm.guest.process.poll() is None:
            save("tools-dmesg.log", vm.guest.run("dmesg").splitlines())

    failed = play(TESTS, vm, explain)
    vm.end()
    sys.exit(failed)


if __name__ == "__main__":
    main()
