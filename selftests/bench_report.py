#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench_report.py KERNEL EMULATOR NAME...: what the benchmarks of these names found (build/bench/NAME/NAME.json), as
tables on the terminal and in build/bench/bench.md, and as pictures beside it. KERNEL is the host's and the guests';
EMULATOR is the command of the QEMU that runs the host. `bench` calls this.
"""

import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = f"{TOP}/build/bench"

# Of all ratios.
FLOOR = "bare ioeventfd"

# What a core does in a second; and 0.1 % of it.
SECOND = 1000000000
BEYOND = SECOND // 1000


def output(*command):
    """What a program prints."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, cwd=TOP).stdout


def number(value, digits=0):
    """1 234 567; '-' for what there is not."""
    return "-" if value is None else f"{value:,.{digits}f}".replace(",", " ")


def table(head, rows):
    """A table in Markdown that is one without being rendered, too. Columns whose head begins with '>' are to the right.
    """
    sides = [cell.startswith(">") for cell in head]
    cells = [[cell.lstrip(">") for cell in head], *rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [" | ".join(cell.rjust(width) if right else cell.ljust(width)
                        for cell, width, right in zip(row, widths, sides)) for row in cells]
    rule = "|".join("-" * (width + 1) + ("-:"[right]) for width, right in zip(widths, sides))
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def percentile(values, permille):
    """The smallest value that so many of a thousand do not exceed."""
    return sorted(values)[-(-len(values) * permille // 1000) - 1]


def downtimes(row):
    """How long the VM stood still for the device's sake, in each move."""
    return [sum(parts) for parts in zip(row["save"], row["restore"], row["run"])]


class Report:
    """What was found, all of it optional."""

    def __init__(self, found):
        self.rows = {row["name"]: row for name in found for row in found[name].get("rows", ())}
        self.vcpu_rows = found.get("guest", {}).get("vcpus", [])
        self.pulse = found.get("guest", {}).get("pulse")
        self.latency = found.get("vmm", {}).get("latency", {})
        self.moves = found.get("vmm", {}).get("moves", [])
        self.sizes = found.get("scale", {}).get("sizes", [])

    def ratio(self, name, to):
        """How much one row is of another."""
        if name in self.rows and to in self.rows:
            return self.rows[name]["instructions"] / self.rows[to]["instructions"]
        return None

    def beats(self):
        """Every way to say that one lives."""
        return table(["a beat by", ">instructions", ">guest", ">host", ">exits", ">ratio", "what it is"],
                     [[name, number(row["instructions"]), number(row["guest"]), number(row["host"]),
                       number(row["exits"], 2), number(self.ratio(name, FLOOR), 3), row["what"]]
                      for name, row in self.rows.items()])

    def vcpus(self):
        """By vCPUs."""
        return table([">vCPUs", ">doorbells", ">exits", ">instructions", ">of empty timers", ">beyond these",
                      ">idle guest", ">noise"],
                     [[number(row["cpus"]), number(row["doorbells"], 3), number(row["exits"], 2),
                       number(row["instructions"]), number(row["timers"]), number(row["instructions"] - row["timers"]),
                       number(row["baseline"]), number(row["noise"])] for row in self.vcpu_rows])

    def latencies(self):
        """By the wall clock and by the run clock, of each kind of silence and of all."""
        kinds = list(self.latency.values())
        rows = [(kind, found["cause"], found) for kind, found in self.latency.items()]
        rows.append(("all", "", {clock: [ns for kind in kinds for ns in kind[clock]] for clock in ("wall", "run")}))
        return table(["the guest", "cause", "clock", ">silences", ">min", ">p50", ">p99", ">p99.9", ">max"],
                     [[kind, cause, clock, number(len(found[clock])), number(min(found[clock]))] +
                      [number(percentile(found[clock], permille)) for permille in (500, 990, 999, 1000)]
                      for kind, cause, found in rows for clock in ("wall", "run")])

    def moving(self):
        """By vCPUs, in the median; and the longest."""
        return table([">vCPUs", ">bytes", ">save", ">restore", ">run", ">downtime", ">longest"],
                     [[number(row["cpus"]), number(row["bytes"])] +
                      [number(percentile(row[part], 500)) for part in ("save", "restore", "run")] +
                      [number(percentile(downtimes(row), permille)) for permille in (500, 1000)]
                      for row in self.moves])

    def scale(self):
        """By monitors."""
        return table(["monitors", ">instructions/s beyond", ">a beat", ">bare", ">bytes", ">pulse page",
                      ">last after, s", ">reported", ">in sysfs", ">log lines"],
                     [[f"{number(row['monitors'])} {row['kind']}", number(row["beyond"])] +
                      [number(row.get(key), digits) for key, digits in
                       (("beat", 1), ("bare", 1), ("memory", 0), ("pulse", 0), ("last_s", 6), ("reported", 0), ("sysfs", 0), ("lines", 0))] for row in self.sizes])

    def commands(self):
        """By monitors, of those that a command reads."""
        return table([">monitors", ">list", ">metrics", ">read"],
                     [[number(row[key]) for key in ("monitors", "list", "metrics", "read")]
                      for row in self.sizes if "list" in row])

    def goals(self):
        """(figure, target, what was measured, how much that is of the target: up to 1 it is met), of what there is."""
        for name, to, most in (("ioeventfd beat", FLOOR, 1.05), ("stock-qemu doorbell", "i6300esb", 0.12),
                               ("ioeventfd beat", "guest-ping", 0.05)):
            ratio = self.ratio(name, to)
            if ratio is not None:
                yield f"{name} / {to}", f"<= {most}", number(ratio, 4), ratio / most
        if self.vcpu_rows:
            worst = max((row["doorbells"] for row in self.vcpu_rows), key=lambda doorbells: abs(doorbells - 1))
            # A span of some 30 intervals may begin or end with one more, or less.
            yield "doorbells an interval, any vCPUs", "1", number(worst, 3), 1 if abs(worst - 1) <= 1 / 30 else worst
        if self.pulse is not None:
            yield "a pulse beyond the timer's interrupt", "<= 150", number(self.pulse), self.pulse / 150
        if self.latency:
            p999 = percentile([ns for found in self.latency.values() for ns in found["run"]], 999)
            yield ("detection, p99.9 after the deadline, ns, run clock", "<= 100 000", number(p999), p999 / 100000)
            for kind, found in self.latency.items():
                p999 = percentile(found["wall"], 999)
                yield (f"detection of {kind}, p99.9 after the deadline, ns, wall clock", "<= 200 000", number(p999),
                       p999 / 200000)
            early = sum(ns < 0 for found in self.latency.values() for clock in ("run", "wall") for ns in found[clock])
            yield "detections before the deadline", "0", number(early), 1 + early
        if self.moves:
            longest = max(ns for row in self.moves for ns in downtimes(row))
            yield "a move: downtime of the device, longest, ns", "<= 1 000 000", number(longest), longest / 1000000
        for row in self.sizes:
            if row["monitors"] != 10000:
                continue
            beyond = row["beyond"]
            yield "10 000 monitors: instructions/s beyond", f"<= {number(BEYOND)}", number(beyond), beyond / BEYOND
            yield "10 000 monitors: bytes each", "<= 4 096", number(row["memory"]), row["memory"] / 4096
            yield "10 000 silent: last reported after, s", "<= 1", number(row["last_s"], 6), row["last_s"]
            reported = min(row["reported"], row["sysfs"])
            yield "10 000 silent: in trace and sysfs", "10 000", number(reported), 1 if reported == 10000 else 2
            for command in "list", "metrics":
                yield (f"10 000 monitors: heartbeatctl {command}", f"<= {number(SECOND)}", number(row[command]),
                       row[command] / SECOND)
            # There is one more, that of the VM that migrates. The one that is being removed need not be read.
            yield "10 000 monitors: read by both", ">= 10 000", number(row["read"]), 1 if row["read"] >= 10000 else 2

    def targets(self):
        """What of it was reached."""
        def verdict(share):
            if share > 2:
                return f"missed: {share:.1f} times as much"
            if share > 1:
                return f"missed by {100 * (share - 1):.2f} %"
            return f"met, {100 * (1 - share):.2f} % below" if share < 1 else "met"
        return table(["figure", ">target", ">measured", ""],
                     [[figure, target, measured, verdict(share)] for figure, target, measured, share in self.goals()])

    def draw(self):
        """The pictures; gnuplot reads their data with their descriptions. Returns their names."""
        pictures = {}
        if self.vcpu_rows:
            pictures["vcpus"] = (
                ["set title 'A guest that beats every 10 ms, without what it does when idle'",
                 "set xlabel 'vCPUs'", "set ylabel 'instructions an interval, guest and host'",
                 "set xtics (1, 2, 4, 8)", "set yrange [0:]", "set key top left"],
                {"heartbeat": [(row["cpus"], row["instructions"]) for row in self.vcpu_rows],
                 "timers that do nothing": [(row["cpus"], row["timers"]) for row in self.vcpu_rows]},
                "linespoints")
        if self.latency:
            pictures["latency"] = (
                ["set title 'From the deadline until the state event'", "set xlabel 'us of virtual time'",
                 "set ylabel '% of the silences'", "set yrange [0:100]", "set xrange [0:]", "set key bottom right"],
                {f"{kind}, {len(found['wall'])} silences":
                 [(ns / 1000, 100 * rank / len(found["wall"]))
                  for rank, ns in enumerate(sorted(found["wall"]), start=1)]
                 for kind, found in self.latency.items()},
                "steps")
        for name, (settings, curves, style) in pictures.items():
            lines = ["set terminal svg size 800,500 background 'white'", f"set output '{BENCH}/{name}.svg'", "set grid"]
            lines += settings
            for index, points in enumerate(curves.values()):
                lines += [f"$data{index} << END", *(f"{x} {y}" for x, y in points), "END"]
            lines.append("plot " + ", ".join(f"$data{index} with {style} linewidth 2 title '{title}'"
                                             for index, title in enumerate(curves)))
            subprocess.run(["gnuplot"], input="\n".join(lines), check=True, text=True)
        return list(pictures)


def version(command):
    """Of a QEMU."""
    return re.search(r"version (\S+)", output(command, "--version"))[1]


def main():
    kernel, emulator, *names = sys.argv[1:]
    found = {}
    for name in names:
        with open(f"{BENCH}/{name}/{name}.json", encoding="utf-8") as file:
            found[name] = json.load(file)
    report = Report(found)
    parts = [
        "# make bench",
        f"Commit {output('git', 'describe', '--always', '--dirty').strip()}. Host and guests: Linux {kernel}. "
        f"Host emulated by QEMU {version(emulator)}, guests in QEMU {version('qemu-system-x86_64')}.\n"
        "One ns of virtual time is one instruction. Documentation/performance.rst explains all of it.",
    ]
    for title, there, make in (("Beats", report.rows, report.beats),
                               ("vCPUs: per interval, without what the guest does when idle", report.vcpu_rows,
                                report.vcpus),
                               ("Detection: ns from the deadline until the report", report.latency, report.latencies),
                               ("Moves to another monitor: instructions", report.moves, report.moving),
                               ("Scale: monitors that beat at 1 Hz, then fall silent", report.sizes, report.scale),
                               ("Commands: instructions of heartbeatctl, which reads all monitors", report.sizes,
                                report.commands),
                               ("Targets", True, report.targets)):
        if there:
            parts += [f"## {title}", make()]
    parts += [f"![{name}]({name}.svg)" for name in report.draw()]
    text = "\n\n".join(parts) + "\n"
    with open(f"{BENCH}/bench.md", "w", encoding="utf-8") as file:
        file.write(text)
    print(text, end="")


if __name__ == "__main__":
    main()
