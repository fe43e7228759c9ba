# SPDX-License-Identifier: GPL-2.0
"""Debian's Prometheus and Alertmanager as tests run them: on ports of their own, with data that goes away, and nothing
polled. Who waits for an alert is told by it: Prometheus and Alertmanager send alerts to a Receiver."""

import contextlib
import http.server
import json
import os
import re
import signal
import socketserver
import subprocess
import tempfile
import threading
import urllib.request

from hb import TIMEOUT, TOP, Timeout, write

RULES = f"{TOP}/tools/prometheus/kvm-heartbeat.rules.yml"
LOCAL = "127.0.0.1"


class Server(socketserver.ThreadingTCPServer):
    """Serves on a port of its own, until the block that made it ends."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__((LOCAL, 0), handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Inetd(Server):
    """Runs a program for each connection, as systemd does for a socket with Accept=yes, one after the other."""

    daemon_threads = False

    def __init__(self, command):
        self.statuses = []
        server = self

        class Handler(socketserver.BaseRequestHandler):
            """A connection."""

            def handle(self):
                done = subprocess.run(command, stdin=self.request, stdout=self.request, check=False)
                server.statuses.append(done.returncode)

        super().__init__(Handler)


class Receiver(Server):
    """Keeps what it is sent about alerts: by Prometheus, for which it is an Alertmanager, or by Alertmanager."""

    def __init__(self):
        self.alerts = []
        self.changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """POST, whatever the path."""

            def do_POST(self):   # pylint: disable=invalid-name
                """Alerts."""
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with receiver.changed:
                    receiver.alerts += sent if isinstance(sent, list) else sent["alerts"]
                    receiver.changed.notify_all()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format, *args):   # pylint: disable=redefined-builtin
                pass

        super().__init__(Handler)

    def wait(self, timeout=TIMEOUT, status=None, **labels):
        """Wait for an alert with these labels, and that status if it comes from Alertmanager."""
        def find():
            return next((alert for alert in self.alerts if labels.items() <= alert["labels"].items() and
                         (status is None or alert["status"] == status)), None)
        with self.changed:
            if not self.changed.wait_for(find, timeout):
                raise Timeout(f"waited {timeout} s for an alert {labels}, there are: {self.alerts}")
            return find()


@contextlib.contextmanager
def service(command, log):
    """A program of this machine that says on which port it listens: that port."""
    listens = threading.Event()
    ports = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        def follow():
            with open(log, "w", encoding="utf-8") as file:
                for line in process.stdout:
                    file.write(line)
                    file.flush()
                    # The first is what it was told, port 0.
                    found = re.search(r'"Listening on" address=\S+:([1-9]\d*)', line)
                    if found:
                        ports.append(int(found[1]))
                        listens.set()
            listens.set()

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            if not listens.wait(TIMEOUT) or not ports:
                raise Timeout(f"{command[0]} does not listen, see {log}")
            yield ports[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            follower.join()


@contextlib.contextmanager
def prometheus(programs, logs, targets, alerts_to):
    """A Prometheus that scrapes targets, evaluates the project's rules, and sends alerts to a port. A scrape may take as
    long as it is to the next."""
    interval = "5s"
    with tempfile.TemporaryDirectory() as data:
        # What is JSON is YAML.
        write(f"{data}/prometheus.yml", json.dumps({
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [RULES],
            "scrape_configs": [{"job_name": "kvm-heartbeat", "static_configs": [{"targets": targets}]}],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"{LOCAL}:{alerts_to}"]}]}]}}))
        with service([f"{programs}/prometheus", f"--config.file={data}/prometheus.yml", f"--storage.tsdb.path={data}/tsdb",
                      f"--web.listen-address={LOCAL}:0"], os.path.join(logs, "prometheus.log")) as port:
            yield port


@contextlib.contextmanager
def alertmanager(programs, logs, webhook):
    """An Alertmanager that tells a port of each alert that fires or is resolved."""
    with tempfile.TemporaryDirectory() as data:
        write(f"{data}/alertmanager.yml", json.dumps({
            "route": {"receiver": "test", "group_by": ["alertname", "instance", "uuid"], "group_wait": "0s",
                      "group_interval": "1s"},
            "receivers": [{"name": "test", "webhook_configs": [{"url": f"http://{LOCAL}:{webhook}/"}]}]}))
        # Debian's has its templates in one place, and is not installed here.
        share = os.path.join(os.path.dirname(programs), "share")
        with service(["unshare", "--map-root-user", "--mount", "sh", "-c",
                      'mount --bind "$0" /usr/share && exec "$@"', share,
                      f"{programs}/prometheus-alertmanager", f"--config.file={data}/alertmanager.yml",
                      f"--storage.path={data}/data", f"--web.listen-address={LOCAL}:0", "--cluster.listen-address="],
                     os.path.join(logs, "alertmanager.log")) as port:
            yield port


def ask(port, path):
    """What a program's HTTP API says."""
    with urllib.request.urlopen(f"http://{LOCAL}:{port}{path}", timeout=TIMEOUT) as answer:
        return json.load(answer)
