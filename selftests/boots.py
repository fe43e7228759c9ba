#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Guest after guest boots: does each come up? Runs inside the rig's host; prints TAP.

    boots.py [N [CPUS]]

N guests, 200 unless said otherwise, of 4 CPUs, boot one after the other, load the driver and beat once. The logs of those
that did not come up stay, as NAME-*.log.
"""

import glob
import os
import sys
import time

from hb import OUT, Guest, GuestError, progress
from monitor import Monitor
from run import GUEST_KO


def boot(monitor, cpus):
    """One guest, from its start to its first beat. Why it did not come up, or nothing."""
    since = monitor.mark()
    with Guest(cpus=cpus, devices=[monitor.device]) as guest:
        try:
            guest.wait_boot()
            guest.run(f"insmod {GUEST_KO}")
            monitor.wait_event("beat", since)
        except GuestError as error:
            return f"{guest.name}: {error}"
    for log in glob.glob(f"{OUT}/{guest.name}-*.log"):
        os.unlink(log)
    return ""


def main():
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    cpus = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    monitor = Monitor()
    begin = time.monotonic()
    failed = 0
    print("TAP version 13\n1..1")
    for done in range(1, number + 1):
        why = boot(monitor, cpus)
        failed += bool(why)
        for line in why.splitlines():
            progress(line)
        if done % 10 == 0 or done == number:
            progress(f"{done - failed} of {done} came up, {time.monotonic() - begin:.0f} s")
    print(f"{'not ' if failed else ''}ok 1 {number - failed} of {number} guests came up")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
