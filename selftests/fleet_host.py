#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A host of fleet_test.py, with one guest, and metrics over HTTP. Runs inside the rig's host.

It connects to a port of the machine outside, says 'ready UUID' when its guest is alive, and then does what it is told, a
word a line: 'die' and 'revive'. It answers each with the same word when the monitor says that it has happened.
"""

import socket
import subprocess
import sys

from hb import TOP
from run import FAULT, FAULT_KO, Run


def die(run):
    """All CPUs of the guest spin with interrupts off, for ever."""
    since = run.monitor.mark()
    run.guest.send(f"echo all >{FAULT}/spin")
    run.monitor.wait_state("unresponsive", since, cause="hung")


def revive(run):
    """What one does about it: a reset."""
    run.guest.qmp("system_reset")
    run.wait_boot()
    run.load()


DO = {"die": die, "revive": revive}


def main():
    """Serve until the connection ends."""
    with subprocess.Popen(["systemd-socket-activate", "--accept", "--inetd", "--listen=0.0.0.0:9957",
                           f"{TOP}/build/bin/heartbeatctl", "metrics", "--http"],
                          stderr=subprocess.PIPE, text=True) as server, \
            socket.create_connection(("10.0.2.2", int(sys.argv[1]))) as connection, \
            connection.makefile("rw", encoding="utf-8") as lines:
        while not server.stderr.readline().startswith("Listening on"):
            if server.poll() is not None:
                raise SystemExit("systemd-socket-activate ended before it listened")
        # Whatever else it says, of each connection, nobody needs, but somebody has to read.
        with subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL):
            run = Run(files={})
            run.start()
            run.guest.run(f"insmod {FAULT_KO}")
            run.load()
            print(f"ready {run.monitor.uuid}", file=lines, flush=True)
            for word in lines:
                DO[word.strip()](run)
                print(word.strip(), file=lines, flush=True)
            run.guest.close()
            run.monitor.remove()
            server.terminate()


if __name__ == "__main__":
    main()
