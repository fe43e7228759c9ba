#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a beat of a Linux guest in a stock QEMU costs, and what others cost. Runs inside the rig's host, booted with
--icount and with the host module loaded; writes KVMHB_OUT/guest.json.

One nanosecond is one instruction while the host's CPU is busy, whether it runs the guest, QEMU or the host's kernel. So
the instructions of a span are its length without the host's idle time. What is done back to back is timed by the one
who does it. What is done once an interval is measured over many, and the same guest doing nothing is subtracted; what
the host's idle loop itself executes is taken for idle.

How much of it is the guest's is told by KVM's trace events, in a run of its own, as they cost more than what is
measured. From kvm_entry to kvm_exit it is the guest, and some code around it, always the same. How much that is, is
seen in a loop of which every third instruction exits.
"""

import collections
import contextlib
import glob
import json
import lzma
import math
import os
import re
import statistics
import subprocess
import tempfile
import time

import hb
from hb import MS, SEC, Guest, GuestError, libraries, progress, read, write
from monitor import TRACING, Monitor

INTERVAL = 10 * MS
PARTS, PART = 15, 30    # so often are so many intervals measured; a median does not see what else happens now and then
TRACES = 5              # so often are so many traced
CPUS = 8
RING = 3                # instructions in the loop of `act ring`
SETTLE = 12             # looks, of some seconds each
ENOUGH = 10             # ticks that a median is made of
BIN = os.path.join(hb.TOP, "build", "bin")
AGENT = os.path.join(os.environ["KVMHB_CACHE"], "guest-agent/usr/sbin/qemu-ga")
AGENT_SOCKET = "/tmp/agent"
VSOCK_PORT = "4842"


def output(*command):
    """What a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def modules(name):
    """The files of a module of the guest's kernel and of what it needs, in the order in which they load."""
    tree = hb.kernels()[0]
    lines = output("modprobe", "-d", tree, "-S", hb.release(tree), "--show-depends", name).splitlines()
    return [line.split()[1] for line in lines if line.startswith("insmod ")]


class Cost(collections.namedtuple("Cost", "instructions guest exits doorbells mmio", defaults=(0, 0))):
    """What something costs, on average: instructions, those of them in the guest, exits, those of them that beat, that
    are for a device's memory.
    """

    def __sub__(self, other):
        return Cost(*(a - b for a, b in zip(self, other)))


class Meter:
    """Instructions, exits and beats of a span, begun when this is made."""

    def __init__(self, bench):
        self.bench = bench
        self.before = self._counts()
        # Last, as it is read first at the end: what we do in between does not count.
        self.begin = time.monotonic_ns()

    def end(self):
        """The span is over: its length in intervals and its Cost, without the guest's part."""
        length = time.monotonic_ns() - self.begin
        idle, *counts = (after - before for before, after in zip(self.before, self._counts()))
        return length / INTERVAL, Cost(length - idle, 0, *counts)

    def _counts(self):
        idle = re.findall(r"\.(?:idle|iowait)_sleeptime *: (\d+)", read("/proc/timer_list"))
        return [sum(map(int, idle)), int(read(f"{self.bench.stats}/exits")), self.bench.monitor.number("beats"),
                int(read(f"{self.bench.stats}/mmio_exits"))]


Run = collections.namedtuple("Run", "vcpu begin end reason")


class Trace:
    """The runs of the vCPUs while this is entered, on the clock of the host's TSC."""

    EVENT = re.compile(r" (\d+): kvm_(entry|exit|wait_lapic_expire): vcpu (\d+)(?: reason (\S+)|: delta -(\d+))?")
    DIR = f"{TRACING}/instances/bench"

    def __init__(self):
        os.mkdir(self.DIR)
        write(f"{self.DIR}/trace_clock", "x86-tsc")
        write(f"{self.DIR}/buffer_size_kb", 8192)
        self.runs = []
        self.around = 0     # instructions of a run that are not the guest's, see calibrate()

    def __enter__(self):
        write(f"{self.DIR}/trace", "")
        self._enable(1)
        self.begin = time.monotonic_ns()

    def __exit__(self, *_):
        self.intervals = (time.monotonic_ns() - self.begin) / INTERVAL
        self._enable(0)
        if int(re.search(r"overrun: (\d+)", read(f"{self.DIR}/per_cpu/cpu0/stats"))[1]):
            raise GuestError(f"{self.DIR}: the buffer is too small for what was traced")
        self.runs, begun = [], {}
        for tsc, event, vcpu, reason, early in self.EVENT.findall(read(f"{self.DIR}/trace")):
            if event != "exit":
                # A timer fires a bit early. KVM then waits, and the guest begins when it is time.
                begun[vcpu] = int(tsc) + int(early or 0)
            elif vcpu in begun:
                self.runs.append(Run(int(vcpu), begun.pop(vcpu), int(tsc), reason))

    def _enable(self, value):
        for event in ("entry", "exit", "wait_lapic_expire"):
            write(f"{self.DIR}/events/kvm/kvm_{event}/enable", value)

    def calibrate(self, instructions):
        """Most runs were of so many instructions."""
        self.around = statistics.median(run.end - run.begin for run in self.runs) - instructions

    def guest(self, runs=None):
        """The guest's instructions in some runs, or in all."""
        return sum(run.end - run.begin - self.around for run in (self.runs if runs is None else runs))

    def cut(self, begin, end):
        """Forget all but a span."""
        self.runs = [run for run in self.runs if begin <= run.end <= end]

    def quiet_ticks(self):
        """{vCPU: instructions of the guest in a tick in which another vCPU was first}. The first one rings, and catches up
        on the guest's clock. A tick is what a vCPU does after half an interval in which it did nothing.
        """
        ticks = collections.defaultdict(list)
        last = {}           # when each vCPU did something
        first = 0           # when the first of the vCPUs began this tick
        for run in self.runs:
            if run.begin - last.get(run.vcpu, run.begin) > INTERVAL // 2:
                ticks[run.vcpu].append([])
            if run.begin - first > INTERVAL // 2:
                first = run.begin
                ticks[run.vcpu].append(None)
            if ticks[run.vcpu] and ticks[run.vcpu][-1] is not None:
                ticks[run.vcpu][-1].append(run)
            last[run.vcpu] = run.end
        quiet = {vcpu: [self.guest(runs) for runs in ticks if runs] for vcpu, ticks in ticks.items()}
        return {vcpu: statistics.median(costs) for vcpu, costs in quiet.items() if len(costs) >= ENOUGH}


class Bench:
    """A guest, and how to measure it. It boots with one CPU; there may be more to be had."""

    def __init__(self, cpus, trace):
        self.trace = trace
        self.monitor = Monitor()
        self.monitor.set("interval_ns", INTERVAL)
        self.monitor.ignore()
        self.more = {name: modules(name) for name in ("i6300esb", "vmw_vsock_virtio_transport")}
        self.dir = tempfile.TemporaryDirectory()
        self.guest = Guest(cpus=cpus, append="maxcpus=1", files=self._files(),
                           args=["-chardev", f"socket,id=agent,path={AGENT_SOCKET},server=on,wait=off"],
                           devices=[self.monitor.device, "i6300esb", "vhost-vsock-pci,guest-cid=3",
                                    "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"])
        self.guest.wait_boot()
        self.stats, = glob.glob(f"/sys/kernel/debug/kvm/{self.guest.pid}-*")
        self.tsc_offset = int(read(f"{self.stats}/vcpu0/tsc-offset"))

    def close(self):
        """End the guest."""
        self.guest.close()
        self.monitor.remove()

    def _files(self):
        """What the guest needs: `act`, the agent with its libraries, the devices' modules."""
        files = {"/bin/act": f"{BIN}/act", "/bin/qemu-ga": AGENT} | libraries(AGENT)
        for packed in {path for paths in self.more.values() for path in paths}:
            name = os.path.basename(packed).removesuffix(".xz")
            with (lzma.open if packed.endswith(".xz") else open)(packed, "rb") as source:
                with open(f"{self.dir.name}/{name}", "wb") as file:
                    file.write(source.read())
            files[f"/more/{name}"] = f"{self.dir.name}/{name}"
        return files

    def load(self, name):
        """Load a module in the guest that the rig does not."""
        for path in self.more[name]:
            file = os.path.basename(path).removesuffix(".xz")
            self.guest.run(f"grep -q '^{file.removesuffix('.ko')} ' /proc/modules || insmod /more/{file}")

    def settle(self):
        """Wait until what a boot, say, left behind in guest and host gets less no more."""
        before = math.inf
        for _ in range(SETTLE):
            meter = Meter(self)
            time.sleep(5)
            intervals, cost = meter.end()
            now = cost.instructions / intervals
            if 0.9 * before < now < INTERVAL // 100:
                return
            before = now
        raise GuestError(f"guest and host execute {now:.0f} instructions every 10 ms, and nobody asked them to")

    def _parts(self, do, n=None):
        """The Cost, without the guest's part, of one of the n things that do() does, or of an interval of it."""
        parts = []
        whole = Meter(self)
        for _ in range(PARTS):
            meter = Meter(self)
            do()
            intervals, cost = meter.end()
            parts.append(cost.instructions / (n or intervals))
        intervals, counts = whole.end()
        counts = Cost(*(field / (n * PARTS if n else intervals) for field in counts))
        return counts._replace(instructions=statistics.median(parts))

    def _traced(self, do, n=None):
        """What of it is the guest's. If do() returns a span of time, that counts. Leaves the runs of all in the trace."""
        shares, runs = [], []
        for _ in range(TRACES):
            with self.trace:
                window = do()
            if window:
                self.trace.cut(*window)
            shares.append(self.trace.guest() / (n or self.trace.intervals))
            runs += self.trace.runs
        self.trace.runs = runs
        return statistics.median(shares)

    def interval(self):
        """The Cost of an interval of what goes on in the guest."""
        cost = self._parts(lambda: time.sleep(PART * INTERVAL / SEC))
        return cost._replace(guest=self._traced(lambda: time.sleep(PART * INTERVAL / SEC)))

    def act(self, command, n, traced):
        """The Cost of what the guest does n times, back to back; so many times when traced."""
        begin, end = map(int, self.guest.run(f"act {command} {n}").split())
        with self.trace:
            window = self.guest.run(f"act {command} {traced}").split()
        self.trace.cut(*(int(tsc) - self.tsc_offset for tsc in window))
        if command == "ring":
            self.trace.calibrate(RING)
        return Cost((end - begin) / n, self.trace.guest() / traced, len(self.trace.runs) / traced)

    @contextlib.contextmanager
    def peer(self, *arguments):
        """The peer (cost/peer.c), as a function: do it n times, when did that begin and end?"""
        def answer():
            line = process.stdout.readline()
            if not line:
                raise GuestError(f"peer {' '.join(arguments)} ended with status {process.wait()}")
            return line

        def do(n):
            print(n, file=process.stdin, flush=True)
            return map(int, answer().split())

        with subprocess.Popen([f"{BIN}/peer", *arguments], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            answer()
            yield do

    # Some do not count: they make it warm, and take what has come in meanwhile.
    PEER_TIMES = (1 + PARTS + 2 * TRACES) * PART

    def exchange(self, do):
        """The Cost of what a peer does once, and of what goes on in the guest meanwhile."""
        def twice():
            do(PART)
            return do(PART)

        do(PART)
        cost = self._parts(lambda: do(PART), PART)
        return cost._replace(guest=self._traced(twice, PART))

    def cpus(self, cpus):
        """The Costs of an interval with so many CPUs: idle, with empty timers, with ours; the noise of the first;
        and for each CPU what a pulse costs the guest more than an empty timer.
        """
        for cpu in range(1, cpus):
            file = f"/sys/devices/system/cpu/cpu{cpu}/online"
            self.guest.run(f"grep -q 1 {file} || echo 1 >{file}")
        self.settle()
        idle = self.interval()
        self.guest.run(f"insmod /lib/kvmhb/kvm_heartbeat_timers.ko interval_ns={INTERVAL}")
        timers, empty = self.interval(), self.trace.quiet_ticks()
        self.guest.run("rmmod kvm_heartbeat_timers && insmod /lib/kvmhb/kvm_heartbeat_guest.ko")
        beats, pulses = self.interval(), self.trace.quiet_ticks()
        self.guest.run("rmmod kvm_heartbeat_guest")
        self.settle()
        again = self.interval()
        progress(f"{cpus} CPUs, instructions an interval: idle {idle.instructions:.0f}, "
                 f"again {again.instructions:.0f}, empty timers {timers.instructions:.0f}, "
                 f"beats {beats.instructions:.0f}; {beats.doorbells:.3f} doorbells")
        return (Cost(*map(statistics.mean, zip(idle, again))), timers, beats, abs(idle.instructions - again.instructions),
                [pulses[vcpu] - empty[vcpu] for vcpu in sorted(pulses) if vcpu in empty])


class Results:
    """What is written, whenever there is more of it."""

    def __init__(self):
        qemu = re.search(r"version (\S+)", output("qemu-system-x86_64", "--version"))[1]
        self.all = {"kernel": os.uname().release, "qemu": qemu, "rows": [], "vcpus": [], "pulse": None}

    def row(self, name, what, cost):
        self.all["rows"].append({
            "name": name, "what": what, "instructions": round(cost.instructions), "guest": round(cost.guest),
            "host": round(cost.instructions) - round(cost.guest), "exits": round(cost.exits, 2)})
        self._write()
        progress(f"{name}: {cost.instructions:.0f} instructions, {cost.guest:.0f} of them the guest's, "
                 f"{cost.exits:.2f} exits")

    def cpus(self, cpus, idle, timers, beats, noise, pulses):
        """All but the baseline itself is less the baseline."""
        self.all["vcpus"].append({
            "cpus": cpus, "doorbells": round(beats.doorbells, 3), "mmio_exits": round((beats - idle).mmio, 3),
            "exits": round((beats - idle).exits, 2), "instructions": round((beats - idle).instructions),
            "guest": round((beats - idle).guest), "timers": round((timers - idle).instructions),
            "timers_guest": round((timers - idle).guest), "timers_exits": round((timers - idle).exits, 2),
            "baseline": round(idle.instructions), "noise": round(noise)})
        if pulses:
            self.all["pulse"] = round(statistics.mean(pulses))
            progress(f"{cpus} CPUs: a pulse without doorbell is {min(pulses):.0f} to {max(pulses):.0f} "
                     "instructions more than an empty timer")
        self._write()

    def _write(self):
        write(os.path.join(hb.OUT, "guest.json"), json.dumps(self.all, indent=1) + "\n")


def main():
    tree = next(tree for tree in hb.kernels() if hb.release(tree) == os.uname().release)
    output("modprobe", "-d", tree, "vhost_vsock")
    # KVM would wait busily for a guest that halts, for longer or shorter depending on what was before.
    write("/sys/module/kvm/parameters/halt_poll_ns", 0)
    results = Results()
    trace = Trace()
    # It has no more CPUs: the others would be so much that might go on in it.
    bench = Bench(1, trace)
    guest = bench.guest
    bench.settle()

    results.row("stock-qemu doorbell", "a doorbell, back to back", bench.act("ring", 3000, 100))

    one = bench.cpus(1)
    idle, timers, beats, _, _ = one
    results.row("timer interrupt", "an empty timer, every 10 ms", timers - idle)
    results.row("stock-qemu whole beat", "timer, pulse, doorbell, and the host's monitor, every 10 ms", beats - idle)
    results.cpus(1, *one)

    bench.load("i6300esb")
    results.row("i6300esb", "a write to /dev/watchdog, back to back", bench.act("pet", 500, 100))
    watch = guest.send(f"act watch {INTERVAL // MS} {2 * PARTS * PART}")
    results.row("i6300esb whole beat", "a program that writes to /dev/watchdog every 10 ms", bench.interval() - idle)
    if watch.wait()[0]:
        raise GuestError(f"act watch: {watch.result[1]}")
    guest.run("rmmod i6300esb")

    # The peer first: an agent that finds nobody there looks again only now and then.
    with bench.peer("ping", AGENT_SOCKET) as do:
        guest.run("LD_LIBRARY_PATH=/lib/x86_64-linux-gnu qemu-ga -d -m virtio-serial -p /dev/vport0p2 -t /tmp -f /tmp/agent")
        results.row("guest-ping", "a round trip to qemu-guest-agent, back to back", bench.exchange(do))
    guest.run("kill $(cat /tmp/agent)")

    bench.load("vmw_vsock_virtio_transport")
    with bench.peer("vsock", VSOCK_PORT) as do:
        sender = guest.send(f"act send {VSOCK_PORT} {INTERVAL // MS} {bench.PEER_TIMES}")
        results.row("vhost-vsock whole beat", "a program that sends 16 bytes every 10 ms, and one that reads them",
                    bench.exchange(do) - idle)
    if sender.wait()[0]:
        raise GuestError(f"act send: {sender.result[1]}")

    bench.close()

    bench = Bench(CPUS, trace)
    for cpus in (2, 4, 8):
        results.cpus(cpus, *bench.cpus(cpus))
    bench.close()


if __name__ == "__main__":
    main()
