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

TOP = pathlib.Path(__file__).resolve().parent.parent
HOST = TOP / "host-module"
UNREACHED = TOP / "selftests/unreached"
ENOUGH = 0.95
COUNTED = ("host-module", "selftests/kunit")


def fetch(src, folder):
    """A file of debugfs has no size: it is read to its end."""
    for part in COUNTED:
        (folder / part).mkdir(parents=True)
        for path in pathlib.Path(f"/sys/kernel/debug/gcov{src}/{part}").glob("*.gcda"):
            (folder / part / path.name).write_bytes(path.read_bytes())


def counted(src, folder):
    """What gcov makes of a folder: for each object, its files."""
    with tempfile.TemporaryDirectory() as work:
        for data in sorted(folder.rglob("*.gcda")):
            notes = src / data.relative_to(folder).with_suffix(".gcno")
            shutil.copy(data, f"{work}/object.gcda")
            shutil.copy(notes, f"{work}/object.gcno")
            told = subprocess.run(["gcov", "--json-format", "--stdout", "object.gcda"], cwd=work, check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            for text in told.splitlines():
                report = json.loads(text)
                for file in report["files"]:
                    yield os.path.normpath(os.path.join(report["current_working_directory"], file["file"])), file["lines"]


def listed():
    """Each line that is known not to be reached -> the line of the list, where a reason stands before it."""
    known, reason = {}, False
    for number, line in enumerate(UNREACHED.read_text(encoding="utf-8").splitlines(), 1):
        if not line:
            reason = False
        elif line.startswith("#"):
            reason = True
        elif not reason:
            sys.exit(f"coverage: line {number} of unreached has no reason")
        else:
            known[line] = number
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
            functions[name, line["line_number"]] = line.get("function_name", "-")
    if not counts:
        sys.exit("coverage: nothing was counted")

    missing = {}    # each as the list has it -> where it is
    print(f"# {'file':22} lines reached")
    for name, lines in sorted(counts.items()):
        text = (HOST / name).read_text(encoding="utf-8").splitlines()
        print(f"# {name:22} {len(lines):5} {sum(map(bool, lines.values())):7}")
        for number in sorted(number for number, count in lines.items() if not count):
            missing[f"{name} {functions[name, number]}: {' '.join(text[number - 1].split())}"] = f"{name}:{number}"

    known = listed()
    total = sum(map(len, counts.values()))
    reached = sum(bool(count) for lines in counts.values() for count in lines.values())
    for what in missing:
        if what not in known:
            print(what)
    for what, number in known.items():
        if what not in missing:
            print(f"not ok: reached, or no such line, line {number} of unreached: {what}")
    good = set(missing) == set(known) and reached >= ENOUGH * total
    print(f"{'ok' if good else 'not ok'}: {reached} of {total} lines of host-module reached "
          f"({100 * reached / total:.1f} %), {len(set(missing) - set(known))} not, and without a reason")
    return good


def main():
    what, src, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    if what == "fetch":
        fetch(src, folder)
        return 0
    return not judge(src, folder)


if __name__ == "__main__":
    sys.exit(main())
