#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The tables of files in Documentation/threats.rst, and whether what is there is as they say, and no more.

    files.py PACKAGE.deb...     judges what Debian packages install

Each table is below a heading of its own, with mode, owner and names of files in its first columns. `*` stands for
anything.
"""

import fnmatch
import grp
import os
import pwd
import re
import stat
import subprocess
import sys

DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Documentation", "threats.rst")


def table(heading):
    """The table below a heading: what each name, or pattern of names, has to be, "MODE USER:GROUP"."""
    with open(DOCUMENT, encoding="utf-8") as file:
        below_it = file.read().partition(f"\n{heading}\n")[2].splitlines()
    rules = [number for number, line in enumerate(below_it) if re.fullmatch("=+(  +=+){4}", line)][:3]
    if len(rules) < 3:
        raise AssertionError(f"threats.rst has no table of files below '{heading}'")
    mode, owner, names = [slice(*column.span()) for column in re.finditer("=+", below_it[rules[0]])][:3]
    rows, seen = {}, ""
    for line in below_it[rules[1] + 1:rules[2]]:
        if line[mode].strip():
            owners = line[owner].split()
            seen = f"{line[mode]} {owners[0]}:{owners[-1]}"
        for name in re.findall("``(.+?)``", line[names]):
            if rows.setdefault(name, seen) != seen:
                raise AssertionError(f"threats.rst has two rows of {name} below '{heading}'")
    return rows


def judge(heading, seen):
    """Compare what is there, a dict as table() has it, with a table, both ways."""
    wanted = table(heading)
    wrong, met = [], set()
    for name, what in sorted(seen.items()):
        # The first pattern counts.
        pattern = next((pattern for pattern in wanted if fnmatch.fnmatchcase(name, pattern)), None)
        met.add(pattern)
        if wanted.get(pattern) != what:
            wrong.append(f"{name} is {what}, and not {wanted.get(pattern, 'in the table')}")
    wrong += [f"{pattern} is not there" for pattern in wanted if pattern not in met]
    if wrong:
        raise AssertionError(f"{heading}: {'; '.join(wrong)}")


def owned(path):
    """Mode and owner of a file, as table() has them."""
    is_now = os.stat(path, follow_symlinks=False)
    user, group = pwd.getpwuid(is_now.st_uid).pw_name, grp.getgrgid(is_now.st_gid).gr_name
    return f"{stat.S_IMODE(is_now.st_mode):04o} {user}:{group}"


def below(folder, folders=False):
    """All that is in a folder, but for links, and for folders unless they are wanted: a dict for judge()."""
    return {entry.name: owned(entry.path) for entry in os.scandir(folder)
            if not entry.is_symlink() and (folders or not entry.is_dir())}


def packaged(package):
    """What a Debian package installs, but for folders: a dict for judge()."""
    listed = subprocess.run(["dpkg-deb", "-c", package], check=True, capture_output=True, text=True).stdout
    seen = {}
    for line in listed.splitlines():
        letters, owner, _, _, _, name, *_ = line.split()
        bits = "".join("0" if letter == "-" else "1" for letter in letters[1:])
        if letters[0] != "d":
            seen[name[1:]] = f"{int(bits, 2):04o} {owner.replace('/', ':')}"
    return seen


def main():
    """Judge packages."""
    seen = {}
    for package in sys.argv[1:]:
        seen |= packaged(package)
    judge("What packages install", seen)


if __name__ == "__main__":
    main()
