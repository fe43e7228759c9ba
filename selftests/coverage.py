#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Which lines of host-module/ were reached. SRC is where the modules were built.

  coverage.py fetch SRC DIR    in the host: what the kernel has counted, into DIR
  coverage.py judge SRC DIR    elsewhere: what that comes to, against the list of those that are not reached

A line is reached if it is in any object that has it: the KUnit tests include the files that they test."""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

UNREACHED = pathlib.Path(__file__).resolve().parent / "unreached"
ENOUGH = 0.95
COUNTED = ("host-module", "selftests/kunit")


def fetch(src, folder):
    """A file of debugfs has no size: it is read to its end."""
    for part in COUNTED:
        (folder / part).mkdir(parents=True)
        for path in pathlib.Path(f"/sys/kernel/debug/gcov{src}/{part}").glob("*.gcda"):
            (folder / part / path.name).write_bytes(path.read_bytes())


def counted(src, folder):
    """What gcov makes of all objects: for each, its files. One that was never loaded has counted nothing, which is 0."""
    sources = [path for part in COUNTED for path in sorted((src / part).glob("*.c")) if not path.match("*.mod.c")]
    for source in sources:
        data = folder / source.relative_to(src).with_suffix(".gcda")
        with tempfile.TemporaryDirectory() as work:
            shutil.copy(source.with_suffix(".gcno"), f"{work}/object.gcno")
            if data.exists():
                shutil.copy(data, f"{work}/object.gcda")
            told = subprocess.run(["gcov", "--json-format", "--stdout", "object.gcno"], cwd=work, check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
            for text in told.splitlines():
                report = json.loads(text)
                for file in report["files"]:
                    yield os.path.normpath(os.path.join(report["current_working_directory"], file["file"])), file["lines"]


def listed():
    """The lines that are known not to be reached; a reason stands before each."""
    known, reason = collections.Counter(), False
    for number, line in enumerate(UNREACHED.read_text(encoding="utf-8").splitlines(), 1):
        if not line:
            reason = False
        elif line.startswith("#"):
            reason = True
        elif not reason:
            sys.exit(f"coverage: line {number} of unreached has no reason")
        else:
            known[line] += 1
    return known


def judge(src, folder):
    """Whether all lines are reached, but for those that need not be."""
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    functions = {}
    for path, lines in counted(src, folder):
        name = re.sub(f"^{re.escape(str(src / 'host-module'))}/", "", path)
        if "/" in name:
            continue
        for line in lines:
            counts[name][line["line_number"]] += line["count"]
            if "function_name" in line:
                functions[name, line["line_number"]] = line["function_name"]
    if not counts:
        sys.exit("coverage: nothing was counted")

    missing = collections.Counter()
    print(f"# {'file':22} lines reached")
    for name, lines in sorted(counts.items()):
        text = (src / "host-module" / name).read_text(encoding="utf-8").splitlines()
        print(f"# {name:22} {len(lines):5} {sum(map(bool, lines.values())):7}")
        for number in sorted(number for number, count in lines.items() if not count):
            missing[f"{name} {functions.get((name, number), '-')}: {' '.join(text[number - 1].split())}"] += 1

    known = listed()
    total = sum(map(len, counts.values()))
    reached = sum(bool(count) for lines in counts.values() for count in lines.values())
    for what in (missing - known).elements():
        print(f"not reached, and not in unreached: {what}")
    for what in (known - missing).elements():
        print(f"in unreached, but reached, or no such line: {what}")
    good = missing == known and reached >= ENOUGH * total
    print(f"{'ok' if good else 'not ok'}: {reached} of {total} lines of host-module reached ({100 * reached / total:.1f} %), "
          f"{total - reached} not, {(missing - known).total()} of them without a reason")
    return good


def main():
    what, src, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    if what == "fetch":
        fetch(src, folder)
        return 0
    return not judge(src, folder)


if __name__ == "__main__":
    sys.exit(main())
