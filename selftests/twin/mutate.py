#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""mutate.py [--sample N [--seed S]] [--match REGEX] [FILE...]: do the KUnit tests notice a wrong operator, a wrong
constant, a statement that is missing?

Makes each such change of the files of host-module/ that the userspace twin of the KUnit tests includes, one at a time
(or N of them, at random), builds the twin with it, and runs that. A test has to fail. Changes that do not compile, or of
which the compiler makes the same code, do not count. What survives has to be in the file `survivors`, with the reason
why nothing can or need notice; what is there must survive. `make torture` runs all of it.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
HOST = TOP / "host-module"
BUILD = TOP / "build/mutate"
SURVIVORS = TOP / "selftests/twin/survivors"
FILES = ("config_space.c deadline.c layers.c life.c outage.c reaction.c stream.c suspicion.c timing.c timing.h vcpu.c "
         "vcpu.h verdict.c verdict.h watch.c words.c words.h").split()
# Of what is killed among what counts, at least.
ENOUGH = 0.95
CPU_SECONDS = 5         # of a program that ends in a fraction of one

# How the tests are built: as fast as can be; and what survives that once more, with the compiler's sanitizers.
WAYS = {"plain": ["-O0"],
        "sanitized": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize=nonnull-attribute",
                      "-fno-sanitize-recover=all"]}

# One file, one change of it. `what` is the line it is in, with the change marked, by which the list knows it.
Mutant = collections.namedtuple("Mutant", "file start end text what")

TOKEN = re.compile(r"""(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<string>"(?:\\.|[^"\\])*")|(?P<char>'(?:\\.|[^'\\])+')|
    (?P<number>0x[0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)|(?P<name>[A-Za-z_]\w*)|
    (?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\?:|[^\s\w])""", re.S | re.X)
Token = collections.namedtuple("Token", "kind text start end")

# What takes the place of a binary operator.
BINARY = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
          "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",), "&&": ("||",), "||": ("&&",),
          "&": ("|",), "|": ("&",), "^": ("|",), "<<": (">>",), ">>": ("<<",),
          "+=": ("-=",), "-=": ("+=",), "|=": ("&=",), "&=": ("|=",)}
NAMES = {"min": "max", "max": "min", "min_t": "max_t", "max_t": "min_t", "true": "false", "false": "true",
         "kvmhb_is_after": "!kvmhb_is_after", "KVMHB_NO_DEADLINE": "0", "U64_MAX": "0"}
# A declaration cannot be left out.
DECLARES = re.compile(r"(static|const|struct|enum|union|unsigned|bool|char|int|size_t|[us]\d+|__le\d+|void)\b")


def enumerators():
    """Each named constant -> the next one of its kind."""
    text = (HOST / "words.h").read_text() + (HOST / "vcpu.h").read_text() + (HOST / "reaction.h").read_text()
    uapi = (TOP / "uapi/kvm_heartbeat.h").read_text()
    groups = [["KVMHB_" + name for name in re.findall(r"^\tstate\((\w+)", text, re.M)],
              ["KVMHB_CAUSE_" + name for name in re.findall(r"^\tcause\((\w+)", text, re.M)],
              ["KVMHB_STEP_" + name for name in re.findall(r"^\tstep\((\w+)", text, re.M)],
              re.findall(r"^\t(KVMHB_\w+),", text, re.M),
              re.findall(r"^\t(KVM_HEARTBEAT_\w+) = \d+,", uapi.split("};")[0], re.M),
              ["KVM_EXIT_IO", "KVM_EXIT_MMIO", "KVM_EXIT_SHUTDOWN", "KVM_EXIT_FAIL_ENTRY", "KVM_EXIT_INTERNAL_ERROR"],
              ["ENOSPC", "EFBIG", "EPROTO", "EPROTONOSUPPORT", "EOPNOTSUPP", "EBADMSG", "ENODATA", "EINVAL", "ERANGE"]]
    return {name: group[(i + 1) % len(group)] for group in groups for i, name in enumerate(group)}


def tokens(text):
    """The tokens of a file, but for comments and strings; of directives, those of #define's values alone."""
    found = []
    directive_end = -1
    for match in TOKEN.finditer(text):
        if match.start() < directive_end or match.lastgroup in ("comment", "string"):
            continue
        if match.group() == "#" and text[:match.start()].rpartition("\n")[2].strip() == "":
            line = re.compile(r"#(?:[^\n\\]|\\.)*", re.S).match(text, match.start())
            value = re.match(r"#define\s+\w+(\([^)]*\))?\s*", line.group())
            directive_end = match.start() + value.end() if value else line.end()
            continue
        found.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
    return found


def closing(found, at):
    """The index of the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(found)):
        depth += {"(": 1, ")": -1}.get(found[i].text, 0)
        if not depth:
            return i
    raise ValueError("a parenthesis stays open")


def changes(text):
    """All changes of a file: start, end, what takes its place."""
    found = tokens(text)
    others = enumerators()
    for i, token in enumerate(found):
        spaced = text[token.start - 1].isspace() and text[token.end].isspace()
        if token.kind == "op" and spaced:
            for other in BINARY.get(token.text, ()):
                yield token.start, token.end, other
        if token.text in ("++", "--"):
            yield token.start, token.end, {"++": "--", "--": "++"}[token.text]
        if token.text == "!":
            yield token.start, token.end, ""
        if token.text in NAMES or token.text in others:
            yield token.start, token.end, NAMES.get(token.text) or others[token.text]
        if token.kind == "char" and len(token.text) == 3:
            yield token.start, token.end, "'%c'" % (ord(token.text[1]) + 1)
        if token.kind == "number":
            number = token.text.rstrip("uUlL")
            value, suffix = int(number, 0), token.text[len(number):]
            # A last digit more or less of a large number is within what these stand for.
            for other in (value + 1, value - 1) if value < 1000 else (2 * value, value // 2):
                if other >= 0:
                    yield token.start, token.end, f"{other}{suffix}"
        if token.text in ("if", "while") and found[i + 1].text == "(":
            end = closing(found, i + 1)
            yield found[i + 1].start, found[end].end, f"(!{text[found[i + 1].start:found[end].end]})"
    yield from dropped(text, found)


def dropped(text, found):
    """Each statement that can be left out."""
    depth = 0       # of parentheses and of braces
    start = None    # the statement that began there, outside parentheses
    for i, token in enumerate(found):
        if token.text in "{}" and not depth:
            start = i + 1
        elif token.text in ("(", "["):
            depth += 1
        elif token.text in (")", "]"):
            depth -= 1
            if not depth and start is not None and found[start].text in ("if", "while", "for", "switch"):
                start = i + 1
        elif token.text in ("else", "do") and not depth:
            start = i + 1
        elif token.text == ":" and start is not None and found[start].text in ("case", "default"):
            start = i + 1
        elif token.text == ";" and not depth:
            first = found[start] if start is not None and start < i else None
            if first and first.kind == "name" and not DECLARES.match(text, first.start):
                yield first.start, token.start, ""
            start = i + 1


def mutants_of(file):
    """All mutants of a file."""
    text = (HOST / file).read_text()
    asserted = [match.span() for match in re.finditer(r"^static_assert\(.*?;", text, re.M | re.S)]
    names = []      # where each function begins
    for match in re.finditer(r"^[a-z][^;={}#]*?\b(\w+)\([^;{}]*\)\n\{", text, re.M):
        names.append((match.start(), match.group(1)))
    for start, end, other in changes(text):
        begin = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", end)
        if any(first <= start < last for first, last in asserted):
            continue
        function = next((name for at, name in reversed(names) if at <= start), "-")
        marked = f"{text[begin:start]}[{text[start:end]} -> {other}]{text[end:line_end]}"
        yield Mutant(file, start, end, other, f"{file} {function}: {' '.join(marked.split())}")


class Twin:
    """The program, and how it is built."""

    def __init__(self):
        told = subprocess.run(["make", "-s", "-C", TOP / "selftests", "tell-twin"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.split("\n")
        # A function whose result is none is no program.
        self.flags = [flag for flag in told[0].split() if flag not in ("-O2", "-g", "-Werror")]
        self.flags.append("-Werror=return-type")
        self.sources = told[1].split()
        shutil.rmtree(BUILD, ignore_errors=True)
        self.needs = {}
        for way in WAYS:
            (BUILD / way).mkdir(parents=True)
        for source in self.sources:
            for way in WAYS:
                self.compile(way, HOST, source, BUILD / way)
            made = self.gcc("-MM", source, "-I", HOST).stdout
            self.needs[source] = {pathlib.Path(name).name for name in made.replace("\\\n", " ").split()[1:]}

    def gcc(self, *args):
        """Runs the compiler where make does."""
        return subprocess.run(["gcc", *self.flags, *args], cwd=TOP / "selftests",
                              check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def compile(self, way, host, source, to):
        """Whether a test compiles with the files in `host`."""
        return not self.gcc(*WAYS[way], "-I", host, "-c", source, "-o",
                            to / (pathlib.Path(source).stem + ".o")).returncode

    def code(self, host, file):
        """What the compiler makes of a file alone."""
        made = self.gcc("-O2", "-fkeep-inline-functions", "-I", host, "-x", "c", "-S", host / file, "-o", "-")
        return re.sub(r"\t\.file.*\n", "", made.stdout)

    def passes(self, way, objects):
        """Whether all tests pass, `objects` among them."""
        program = objects / "twin"
        has = {path.name: path for path in (BUILD / way).glob("*.o")}
        has.update({path.name: path for path in objects.glob("*.o")})
        subprocess.run(["gcc", *WAYS[way], "-o", program, *has.values(), "-lz"], check=True)

        def bounds():
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
        with open(objects / "ktap", "w", encoding="utf-8") as ktap:
            return not subprocess.run([program], stdout=ktap, stderr=ktap, check=False, preexec_fn=bounds).returncode


def judge(twin, original, mutant):
    """'killed', 'survived', 'same' code or 'broken': does not compile."""
    folder = BUILD / f"job-{threading.get_ident()}"
    host = folder / "host"
    if not host.exists():
        host.mkdir(parents=True)
        for path in HOST.glob("*.[ch]"):
            (host / path.name).symlink_to(path)
    text = (HOST / mutant.file).read_text()
    (host / mutant.file).unlink()
    try:
        (host / mutant.file).write_text(text[:mutant.start] + mutant.text + text[mutant.end:])
        for way in WAYS:
            for path in folder.glob("*.o"):
                path.unlink()
            for source in twin.sources:
                if mutant.file in twin.needs[source] and not twin.compile(way, host, source, folder):
                    return "broken"
            if not twin.passes(way, folder):
                return "killed"
        return "same" if twin.code(host, mutant.file) == original[mutant.file] else "survived"
    finally:
        (host / mutant.file).unlink()
        (host / mutant.file).symlink_to(HOST / mutant.file)


def listed():
    """Each survivor that is known -> the line of the list, where a reason stands before it."""
    known = {}
    reason = False
    for number, line in enumerate(SURVIVORS.read_text(encoding="utf-8").splitlines(), 1):
        if not line:
            reason = False
        elif line.startswith("#"):
            reason = True
        elif not reason:
            sys.exit(f"mutate: line {number} of survivors has no reason")
        else:
            known[line] = number
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sample", type=int, help="so many mutants, at random")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--match", default="", metavar="REGEX", help="those whose lines of the list match")
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"of {', '.join(FILES)}; else all")
    args = parser.parse_args()
    files = args.files or FILES

    begin = time.monotonic()
    twin = Twin()
    for way in WAYS:
        if not twin.passes(way, BUILD / way):
            sys.exit(f"mutate: the tests fail without a mutation: see build/mutate/{way}/ktap")
    original = {file: twin.code(HOST, file) for file in files}
    mutants = [mutant for file in files for mutant in mutants_of(file)]
    known = listed()
    made = {mutant.what for mutant in mutants}
    stale = [line for line in known if line.split()[0] in files and line not in made]
    mutants = [mutant for mutant in mutants if re.search(args.match, mutant.what)]
    if args.sample:
        mutants = random.Random(args.seed).sample(mutants, min(args.sample, len(mutants)))

    results = collections.defaultdict(list)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, result in zip(mutants, pool.map(lambda mutant: judge(twin, original, mutant), mutants)):
            results[result].append(mutant)
            if result == "survived" and mutant.what not in known:
                print(mutant.what, flush=True)
            done = sum(map(len, results.values()))
            if not done % 100:
                print(f"  mutate: {done} of {len(mutants)}, {len(results['survived'])} survived, "
                      f"{time.monotonic() - begin:.0f} s", file=sys.stderr)

    killed, survived = len(results["killed"]), [mutant.what for mutant in results["survived"]]
    unknown = [what for what in survived if what not in known]
    died = sorted({mutant.what for mutant in results["killed"]} & set(known) - set(survived))
    print(f"# {'file':18} killed survived")
    for file in files:
        print(f"# {file:18} {sum(m.file == file for m in results['killed']):6} "
              f"{sum(m.file == file for m in results['survived']):8}")
    for line in stale:
        print(f"not ok: no such mutant, line {known[line]} of survivors: {line}")
    for line in died:
        print(f"not ok: is killed, line {known[line]} of survivors: {line}")
    share = killed / max(1, killed + len(survived))
    good = not unknown and not stale and not died and share >= ENOUGH
    print(f"{'ok' if good else 'not ok'}: {killed} of {killed + len(survived)} mutants killed ({100 * share:.1f} %), "
          f"{len(unknown)} survive without a reason; {len(results['same'])} are the same code, "
          f"{len(results['broken'])} none; {time.monotonic() - begin:.0f} s")
    return not good


if __name__ == "__main__":
    sys.exit(main())
