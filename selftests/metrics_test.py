#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a fleet's monitoring gets: metrics, alert rules, dashboard, systemd units. Runs on this machine, and makes up the
files of monitors that heartbeatctl reads: no module is loaded. Prints TAP; selftests/metrics starts it.

    metrics_test.py PROGRAMS        the folder of promtool and Prometheus, as rig/prometheus prints it
"""

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback

import yaml
from docutils.nodes import make_id

from alerts import LOCAL, RULES, Inetd, Receiver, ask, prometheus, service
from hb import OUT, TIMEOUT, TOP, read, write
from run import briefly, expect

BIN = f"{TOP}/build/bin"
CTL = f"{BIN}/heartbeatctl"
TESTS = RULES.replace(".rules.", ".test.")
DASHBOARD = f"{TOP}/tools/grafana/kvm-heartbeat.json"
UNITS = f"{TOP}/tools/systemd"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# Of 10. The rest is that they see /proc and the host's own root, and that two are root, of which the daemon connects to
# VMMs of all users, to libvirt and to Masakari.
EXPOSURE = {"kvm-heartbeat-metrics.service": 0.7, "kvm-heartbeat-metrics@.service": 0.4, "heartbeatd.service": 2.2}

DEAD, EMPTY = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
NAME = 'web "1"\\2'
COMMON = {"interval_ns": 2000000000, "timeout_ns": 4000000000, "boot_timeout_ns": 0, "shutdown_timeout_ns": 0,
          "mute_ns": 0, "muted": 0, "actions": 0}
MONITORS = {
    DEAD: COMMON | {"state": "unresponsive", "cause": "hung", "stale_vcpus": "", "beats": 17, "missed": 3, "outages": 2,
                    "downtime_ns": 6310000001, "boots": 4, "panics": 1, "resets": 3, "last_beat_ns": 5000000000,
                    "suspicion": 3012, "actions": 1, "muted": 5},
    # Nothing has ever used it, so its other files say ENODATA.
    EMPTY: COMMON | {"state": "detached", "cause": "none", "stale_vcpus": "", "beats": 0, "missed": 0, "outages": 0,
                     "downtime_ns": 0, "boots": 0, "panics": 0, "resets": 0, "vmm_pid": 0},
}
# Samples that must be there, in both formats.
SAMPLES = {
    f'kvm_heartbeat_state{{uuid="{DEAD}",kvm_heartbeat_state="unresponsive"}}': 1,
    f'kvm_heartbeat_state{{uuid="{DEAD}",kvm_heartbeat_state="alive"}}': 0,
    f'kvm_heartbeat_state{{uuid="{EMPTY}",kvm_heartbeat_state="detached"}}': 1,
    f'kvm_heartbeat_cause{{uuid="{DEAD}",kvm_heartbeat_cause="hung"}}': 1,
    f'kvm_heartbeat_cause{{uuid="{EMPTY}",kvm_heartbeat_cause="none"}}': 1,
    f'kvm_heartbeat_last_beat_age_seconds{{uuid="{DEAD}"}}': 5,
    f'kvm_heartbeat_interval_seconds{{uuid="{DEAD}"}}': 2,
    f'kvm_heartbeat_timeout_seconds{{uuid="{DEAD}"}}': 4,
    f'kvm_heartbeat_suspicion_ratio{{uuid="{DEAD}"}}': 3.012,
    f'kvm_heartbeat_stale_vcpus{{uuid="{DEAD}"}}': 0,
    f'kvm_heartbeat_mute_seconds{{uuid="{DEAD}"}}': 0,
    f'kvm_heartbeat_beats_total{{uuid="{DEAD}"}}': 17,
    f'kvm_heartbeat_missed_beats_total{{uuid="{DEAD}"}}': 3,
    f'kvm_heartbeat_outages_total{{uuid="{DEAD}"}}': 2,
    f'kvm_heartbeat_downtime_seconds_total{{uuid="{DEAD}"}}': 6.310000001,
    f'kvm_heartbeat_boots_total{{uuid="{DEAD}"}}': 4,
    f'kvm_heartbeat_panics_total{{uuid="{DEAD}"}}': 1,
    f'kvm_heartbeat_resets_total{{uuid="{DEAD}"}}': 3,
    f'kvm_heartbeat_actions_total{{uuid="{DEAD}"}}': 1,
    f'kvm_heartbeat_muted_total{{uuid="{DEAD}"}}': 5,
    "kvm_heartbeat_monitors": 2,
}
# Those that have one label or none: node_exporter sorts labels.
PLAIN = [name for name in SAMPLES if "," not in name]


class Tools:
    """The programs under test and those that judge them, and a host that is made up."""

    def __init__(self, programs, folder, vmm):
        self.programs, self.sys = programs, f"{folder}/sys"
        os.makedirs(f"{self.sys}/bus/mdev/devices")
        os.makedirs(f"{self.sys}/module/kvm_heartbeat")
        for uuid, files in MONITORS.items():
            device = f"{self.sys}/devices/virtual/kvm_heartbeat/{uuid}"
            os.makedirs(f"{device}/heartbeat")
            os.symlink(f"../../../devices/virtual/kvm_heartbeat/{uuid}", f"{self.sys}/bus/mdev/devices/{uuid}")
            for name, value in ({"vmm_pid": vmm} | files).items():
                write(f"{device}/heartbeat/{name}", f"{value}\n")

    def heartbeatctl(self, *args):
        """A command line that runs it on the host that is made up."""
        return ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /sys && exec "$@"', self.sys, CTL,
                *args]

    def heartbeat(self, uuid):
        """The folder of a monitor's files."""
        return f"{self.sys}/bus/mdev/devices/{uuid}/heartbeat"

    def promtool(self, *args, stdin=None):
        """What promtool says, which must succeed."""
        return succeed([f"{self.programs}/promtool", *args], stdin)


def succeed(command, stdin=None):
    """Run a program that must succeed: its output."""
    result = subprocess.run(command, input=stdin or "", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False, env=os.environ | {"LC_ALL": "C.UTF-8"}, timeout=TIMEOUT)
    expect(result.returncode, 0, f"status of {' '.join(command)}, which says:\n{result.stdout}\n")
    return result.stdout


def headings(name):
    """Where links to a document may lead."""
    lines = read(f"{TOP}/Documentation/{name}").splitlines()
    return {make_id(line) for line, below in itertools.pairwise(lines) if re.fullmatch(r"([-=])\1{3,}", below)}


def rules(kind):
    """The names of rules of a kind."""
    return {rule[kind] for group in yaml.safe_load(read(RULES))["groups"] for rule in group["rules"] if kind in rule}


def test_rules(tools):
    """Alert rules do in their tests what they should"""
    tools.promtool("check", "rules", RULES)
    tools.promtool("test", "rules", TESTS)


def test_rules_are_tested(_):
    """Each alert has a test in which it fires and one in which it does not, and a section in the documentation"""
    tests = [test for group in yaml.safe_load(read(TESTS))["tests"] for test in group.get("alert_rule_test", [])]
    expect({test["alertname"] for test in tests if test.get("exp_alerts")}, rules("alert"), "alerts that are seen to fire")
    expect({test["alertname"] for test in tests if not test.get("exp_alerts")}, rules("alert"), "seen to be silent")
    expect({name.lower() for name in rules("alert")} - headings("metrics.rst"), set(), "alerts without a section")


def verdicts():
    """All states with their causes, as the documentation has them."""
    return re.findall(r"^``([a-z]+)`` +``([a-z-]+)``", read(f"{TOP}/Documentation/causes.rst"), re.MULTILINE)


def test_runbooks(_):
    """Each verdict that can be alarming has a section in the documentation, to which its alert leads"""
    alarming = {f"{state}-{cause}" for state, cause in verdicts() if state in ("unresponsive", "panicked", "degraded", "late")}
    expect(alarming - headings("causes.rst"), set(), "verdicts without a section")
    expect("unresponsive-hung" in alarming, True, "there are verdicts")


def check(tools, state, cause):
    """What the plugin exits with, of a VM with this verdict."""
    for name, word in ("state", state), ("cause", cause):
        write(f"{tools.heartbeat(DEAD)}/{name}", word)
    return subprocess.run(tools.heartbeatctl("check", DEAD), check=False, stdout=subprocess.DEVNULL, timeout=TIMEOUT).returncode


def test_check_agrees(tools):
    """The plugin is critical where an alert is, warns where there is another one, and is well otherwise"""
    try:
        statuses = {f"{state}-{cause}": check(tools, state, cause) for state, cause in verdicts()}
    finally:
        check(tools, MONITORS[DEAD]["state"], MONITORS[DEAD]["cause"])
    series = ["kvm_heartbeat_info{%s}", 'kvm_heartbeat_state{%s,kvm_heartbeat_state="{state}"}',
              'kvm_heartbeat_cause{%s,kvm_heartbeat_cause="{cause}"}']
    given = [{"series": one.replace("%s", f'job="kvm-heartbeat",instance="a",uuid="{state}-{cause}"')
              .replace("{state}", state).replace("{cause}", cause), "values": "1x40"}
             for state, cause in verdicts() for one in series]
    expected = [{"expr": f'count by (uuid) (ALERTS{{alertstate="firing", severity=~"{severities}", uuid!=""}})',
                 "eval_time": "10m",
                 "exp_samples": [{"labels": f'{{uuid="{verdict}"}}', "value": 1} for verdict in statuses
                                 if statuses[verdict] == status]}
                for status, severities in ((1, "warning|info"), (2, "critical"))]
    expect(set(statuses.values()), {0, 1, 2}, "statuses")
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/test.yml", json.dumps({"rule_files": [RULES], "evaluation_interval": "15s", "tests": [
            {"interval": "15s", "input_series": given, "promql_expr_test": expected}]}))
        tools.promtool("test", "rules", f"{folder}/test.yml")


def expressions(node):
    """All queries in a dashboard."""
    if isinstance(node, dict):
        return [node["expr"]] if "expr" in node else expressions(list(node.values()))
    return [expr for value in node for expr in expressions(value)] if isinstance(node, list) else []


def test_dashboard(tools):
    """The dashboard is JSON, and each of its queries is one, of metrics that there are"""
    dashboard = json.loads(read(DASHBOARD))
    queries = expressions(dashboard["panels"])
    variables = {"instance": ".*", "vm": ".*", "__rate_interval": "1m"}
    page = succeed(tools.heartbeatctl("metrics"))
    with tempfile.TemporaryDirectory() as folder:
        filled = [re.sub(r"\$(\w+)", lambda match: variables[match[1]], query) for query in queries]
        # JSON is YAML.
        write(f"{folder}/dashboard.yml", json.dumps({"groups": [{"name": "dashboard", "rules": [
            {"record": f"query{number}", "expr": query} for number, query in enumerate(filled)]}]}))
        found = tools.promtool("check", "rules", f"{folder}/dashboard.yml")
    expect(re.findall(r"(\d+) rules found", found), [str(len(queries))], "queries that promtool understands")
    names = set(re.findall(r"\bkvm_heartbeat_\w+(?=[{\[])", " ".join(queries)))
    expect({name for name in names if f"\n{name}{{" not in page}, set(), "metrics in queries that nobody writes")
    ids = [panel["id"] for panel in dashboard["panels"]]
    expect(len(ids), len(set(ids)), "panels, each with a number of its own")


def test_units(_):
    """systemd takes the units, and they can do little harm"""
    with tempfile.TemporaryDirectory() as folder:
        units = [shutil.copy(f"{UNITS}/{name}", folder) for name in sorted(os.listdir(UNITS))]
        # It demands that programs exist; on this machine, they are in the checkout.
        for unit in units:
            write(unit, re.sub(r"(?m)(?<=[=' ])(/usr/local/sbin/)?(heartbeatd|heartbeatctl)(?= |$)", rf"{BIN}/\2", read(unit)))
        expect(succeed(["systemd-analyze", "--man=no", "verify", *units]), "", "what systemd has to say")
        expect({os.path.basename(unit) for unit in units if unit.endswith(".service")}, set(EXPOSURE), "services")
        for name, exposure in EXPOSURE.items():
            succeed(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={exposure * 10:.0f}",
                     f"{folder}/{name}"])


def samples(page):
    """The samples of a page, by what is before their value."""
    return dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))


def test_textfile(tools):
    """promtool has nothing to say about the text format of textfiles"""
    page = succeed(tools.heartbeatctl("metrics", "--textfile"))
    expect(tools.promtool("check", "metrics", stdin=page), "", "what promtool says")
    got = samples(page)
    expect({name: float(got.get(name, "nan")) for name in SAMPLES}, SAMPLES, "samples")


def test_names(tools):
    """Each metric has its line in the documentation, and no other has"""
    page = succeed(tools.heartbeatctl("metrics"))
    # A family without a sample would be of a file that nobody made up.
    written = {re.match(r"\w+", name)[0] for name in samples(page)}
    told = set(re.findall(r"^``(kvm_heartbeat_\w+)`` ", read(f"{TOP}/Documentation/metrics.rst"), re.MULTILINE))
    expect(written, told, "names")
    expect(len(re.findall("^# TYPE ", page, re.MULTILINE)), len(told), "families")


def test_node_exporter(tools):
    """node_exporter passes a textfile on as it is, and tells its age by the name that the alert about it expects"""
    page = succeed(tools.heartbeatctl("metrics", "--textfile"))
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/kvm_heartbeat.prom", page)
        # As the service leaves it behind if it is stopped in the middle.
        write(f"{folder}/kvm_heartbeat.prom.new", page[:1000])
        with service([f"{tools.programs}/prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                      f"--collector.textfile.directory={folder}", f"--web.listen-address={LOCAL}:0"],
                     f"{OUT}/node-exporter.log") as port:
            passed = samples(request(port, "GET", "/metrics")[2])
    expect({name: float(passed.get(name, "nan")) for name in PLAIN}, {name: SAMPLES[name] for name in PLAIN}, "samples")
    expect(passed["node_textfile_scrape_error"], "0", "errors")
    files = [name for name in passed if name.startswith("node_textfile_mtime_seconds")]
    expect(files, [f'node_textfile_mtime_seconds{{file="{folder}/kvm_heartbeat.prom"}}'], "files")


def test_openmetrics(tools):
    """OpenMetrics has the same samples, and ends as it has to"""
    page = succeed(tools.heartbeatctl("metrics"))
    expect(page.endswith("\n# EOF\n"), True, "its end")
    expect(samples(page), samples(succeed(tools.heartbeatctl("metrics", "--textfile"))), "samples")


def test_stuck_vmm(tools):
    """A VMM whose command line cannot be read, as it is stuck, has no name, and holds up nothing else"""
    vmm = read(f"{tools.heartbeat(DEAD)}/vmm_pid")
    with tempfile.TemporaryDirectory() as folder:
        # Nobody ever writes to this pipe.
        os.mkfifo(f"{folder}/pipe")
        command = tools.heartbeatctl("metrics")
        command[command.index("-c") + 1] = f'mount --bind {folder}/pipe /proc/{os.getpid()}/cmdline && {command[5]}'
        write(f"{tools.heartbeat(DEAD)}/vmm_pid", os.getpid())
        write(f"{tools.heartbeat(EMPTY)}/vmm_pid", vmm)
        try:
            got = samples(succeed(command))
        finally:
            write(f"{tools.heartbeat(DEAD)}/vmm_pid", vmm)
            write(f"{tools.heartbeat(EMPTY)}/vmm_pid", 0)
    label = NAME.replace("\\", "\\\\").replace('"', '\\"')
    for uuid, name in (DEAD, ""), (EMPTY, label):
        expect(got[f'kvm_heartbeat_info{{uuid="{uuid}",vm="{name}"}}'], "1", f"name of {uuid}")
    expect({name: float(got.get(name, "nan")) for name in SAMPLES}, SAMPLES, "samples")


def request(port, method, path):
    """One HTTP request: status, headers, body."""
    connection = http.client.HTTPConnection(LOCAL, port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def raw(port, sent, end=True):
    """What comes back for some bytes, after which no more come."""
    with socket.create_connection((LOCAL, port), timeout=TIMEOUT) as connection:
        connection.sendall(sent)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        # Whoever sent more than was read gets a reset after the answer.
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
        return answer.split(b"\r\n")[0].decode()


def test_http(tools):
    """A request over HTTP gets what the command prints"""
    page = succeed(tools.heartbeatctl("metrics"))
    with Inetd(tools.heartbeatctl("metrics", "--http")) as server:
        for path in "/metrics", "/metrics?a=b":
            status, headers, body = request(server.port, "GET", path)
            expect((status, headers["Content-Type"], headers["Connection"]), (200, OPENMETRICS, "close"), "head")
            expect((body, headers["Content-Length"]), (page, str(len(page.encode()))), "page")
        # A head may come in pieces, and lines may end as people type them.
        expect(raw(server.port, b"GET /metrics HTTP/1.0\n\n"), "HTTP/1.1 200 OK", "answer")


def test_http_refusals(tools):
    """Other requests are refused, and said why"""
    with Inetd(tools.heartbeatctl("metrics", "--http")) as server:
        for method, path, status in ("GET", "/", 404), ("GET", "/metrics/x", 404), ("POST", "/metrics", 405):
            expect(request(server.port, method, path)[0], status, f"{method} {path}")
        expect(request(server.port, "DELETE", "/metrics")[1]["Allow"], "GET", "allowed")
        bad = "HTTP/1.1 400 Bad Request"
        for sent in b"nonsense\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/2\r\n\r\n", \
                b"GET /metrics HTTP/1.1\r\n":
            expect(raw(server.port, sent), bad, f"answer to {sent!r}")
        # Refused at once: the rest could not be seen.
        for sent in b"\0GET /metrics HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/1.1\r\n\0\r\n\r\n":
            expect(raw(server.port, sent, end=False), bad, f"answer to {sent!r}")
        large = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000
        expect(raw(server.port, large, end=False), "HTTP/1.1 431 Request Header Fields Too Large", "answer to a long head")
        expect(raw(server.port, b"GET /met", end=False), "HTTP/1.1 408 Request Timeout", "answer to one that never ends")
        # Whoever only knocks gets nothing.
        expect(raw(server.port, b""), "", "answer to nothing")
    expect(set(server.statuses), {0}, "exit statuses: no client makes the service fail")


def test_http_broken(tools):
    """A host whose monitors cannot be read says so, and fails; one without a bus of mediated devices has none"""
    with tempfile.TemporaryDirectory() as folder:
        command = [folder if word == tools.sys else word for word in tools.heartbeatctl("metrics", "--http")]
        with Inetd(command) as server:
            # As if nothing were mounted there.
            expect(request(server.port, "GET", "/metrics")[0], 500, "status without /sys")
            os.makedirs(f"{folder}/bus")
            expect(request(server.port, "GET", "/metrics")[0], 200, "status without a bus")
            os.makedirs(f"{folder}/bus/mdev")
            write(f"{folder}/bus/mdev/devices", "this is no folder")
            expect(request(server.port, "GET", "/metrics")[0], 500, "status without a folder")
        expect(server.statuses, [1, 0, 1], "exit statuses")


def test_prometheus(tools):
    """Prometheus scrapes them as OpenMetrics, and raises the alarm that is due, with its cause and the VM's name"""
    wanted = len(samples(succeed(tools.heartbeatctl("metrics"))))
    with Inetd(tools.heartbeatctl("metrics", "--http")) as server, Receiver() as receiver, \
            prometheus(tools.programs, OUT, [f"{LOCAL}:{server.port}"], receiver.port) as port:
        alert = receiver.wait(alertname="KvmHeartbeatGuestUnresponsive")
        expect({name: alert["labels"][name] for name in ("uuid", "vm", "cause")},
               {"uuid": DEAD, "vm": NAME, "cause": "hung"}, "labels of the alert")
        expect(alert["annotations"]["runbook_url"], "Documentation/causes.rst#unresponsive-hung", "its link")
        # The last scrape may have been cut short: the machine is as busy as it is.
        result = ask(port, "/api/v1/query?query=max_over_time(scrape_samples_scraped[1h])")["data"]["result"]
        expect([int(series["value"][1]) for series in result], [wanted], "samples scraped")
        # Types are told apart only if it took the page for OpenMetrics.
        types = ask(port, "/api/v1/metadata?metric=kvm_heartbeat_state")["data"]
        expect([entry["type"] for entry in types["kvm_heartbeat_state"]], ["stateset"], "type of states")
        expect({alert["labels"]["alertname"] for alert in receiver.alerts}, {"KvmHeartbeatGuestUnresponsive"}, "alerts")


ALL = [test_rules, test_rules_are_tested, test_runbooks, test_check_agrees, test_dashboard, test_units, test_names,
       test_textfile, test_node_exporter, test_openmetrics, test_stuck_vmm, test_http, test_http_refusals, test_http_broken,
       test_prometheus]


def play(tests, tools):
    """Play all tests, as TAP. Whether any failed."""
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    failed = False
    for number, test in enumerate(tests, start=1):
        try:
            test(tools)
            print(f"ok {number} {test.__doc__}", flush=True)
        except Exception as error:   # pylint: disable=broad-except
            failed = True
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {number} {test.__doc__}: {briefly(error)}", flush=True)
    return failed


def main():
    """Play all tests."""
    # Something whose command line is that of a QEMU, which ends when this program does.
    vmm = ["sh", "-c", "read line", "qemu-system-x86_64", "-name", f"guest={NAME},debug-threads=on"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(vmm, stdin=subprocess.PIPE) as process:
        tools = Tools(sys.argv[1], folder, process.pid)
        failed = play(ALL, tools)
        process.stdin.close()
    sys.exit(failed)


if __name__ == "__main__":
    main()
