"""docs/metrics.md: what /metrics of a relay and an edge have, and what to do about it."""
import contextlib
import json
import pathlib
import re
import subprocess
import tomllib
import urllib.request
from dataclasses import dataclass, field

from docs.pages import HERE, NOTICE

RELAY = 'listen: {address: "tcp://127.0.0.1:0"}\nadmin: {address: "127.0.0.1:0"}\nlog: {format: json}\n'
EDGE = ('listen: {{address: "127.0.0.1:0"}}\nrelays: ["tcp://127.0.0.1:{port}"]\nadmin: {{address: "127.0.0.1:0"}}\n'
        'log: {{format: json}}\n')
PATIENCE = 10  # seconds until a process has ended


@dataclass
class Metric:
    name: str
    kind: str = ""
    meaning: str = ""
    labels: dict = field(default_factory=dict)  # name -> values, in order


def parse(text):
    metrics = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, meaning = line.split(" ", 3)
            metrics[name] = Metric(name, meaning=meaning)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            metrics[name].kind = kind
        elif line:
            name = re.match(r"\w+", line)[0]
            for label, value in re.findall(r'(\w+)="([^"]*)"', line):
                metrics[name].labels.setdefault(label, []).append(value)
    return metrics


@contextlib.contextmanager
def running(programs, name, settings):
    """The process's ports, from its log."""
    process = subprocess.Popen(programs.command_line(name, "-c", "/dev/stdin"), text=True, env=programs.environment(),
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        process.stdin.write(settings)
        process.stdin.close()
        for line in process.stderr:
            entry = json.loads(line)
            if entry["event"].endswith(".listening"):
                yield entry["fields"]
                return
        raise SystemExit(f"gen-docs: {name} did not start")
    finally:
        process.terminate()
        process.wait(PATIENCE)


def fetch(ports):
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['admin']}/metrics", timeout=PATIENCE) as answer:
        return parse(answer.read().decode())


def read_all(programs):
    with running(programs, "heddle-relay", RELAY) as relay:
        with running(programs, "heddle-edge", EDGE.format(port=relay["port"])) as edge:
            return fetch(edge), fetch(relay)


def check_advice(advice, names):
    missing, extra = sorted(names - advice.keys()), sorted(advice.keys() - names)
    if missing or extra:
        raise SystemExit("gen-docs: scripts/lib/docs/metrics.toml: "
                         f"without advice: {', '.join(missing) or 'none'}; no metric: {', '.join(extra) or 'none'}")


def labels_of(metric):
    if metric.name == "heddle_build_info":
        return "`version`"
    return "; ".join(f"`{label}`: {', '.join(values)}" for label, values in metric.labels.items())


def table(metrics, advice):
    lines = ["| Metric | Type | Labels | Meaning | What to do |", "|---|---|---|---|---|"]
    for metric in metrics:
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels_of(metric)} | {metric.meaning}. | "
                     f"{advice[metric.name]} |")
    return lines


def page(programs):
    edge, relay = read_all(programs)
    advice = tomllib.loads(pathlib.Path(HERE, "metrics.toml").read_text())
    check_advice(advice, edge.keys() | relay.keys())
    lines = ["# Metrics", "", NOTICE,
             "`GET /metrics` on the admin port of an edge (127.0.0.1:9000 unless configured) or a relay (127.0.0.1:9100), in",
             "the Prometheus text format. An edge sums over its workers. Counters begin at 0 with the process.", ""]
    for title, metrics in (("Edges", [m for n, m in edge.items() if n not in relay]),
                           ("Relays", [m for n, m in relay.items() if n not in edge]),
                           ("Both", [m for n, m in edge.items() if n in relay])):
        lines += [f"## {title}", "", *table(metrics, advice), ""]
    return "\n".join(lines)
