#!/usr/bin/python3
"""NAME
    chaos - breaks a cluster for a while, under load, and checks that it kept its promises

SYNOPSIS
    scripts/chaos [--minutes N] [--seed S] [--relays R] [--edges E] [--channels N] [--subscribers N] [--rate N]
                  [--only KIND]... [--at-least N] [--folder FOLDER] [--schedule]

DESCRIPTION
    Relays, edges and clients are started on hosts of their own: network namespaces on a switch. While publishers
    publish, every few seconds something breaks: connections are cut, one way or both, packets get lost, late or out of
    order, programs are stopped, killed and restarted. Then all is left alone for 15 seconds. What publishers and
    subscribers saw, and what was done, is written down and checked; tests/chaos/checker.py FOLDER does it again.

    It needs network namespaces: root, or a system that lets users make namespaces. What it makes ends with it, however
    it ends, and can't be seen or reached from outside.

OPTIONS
    --minutes N        how long, with the quiet end (default: 5)
    --seed S           the schedule's seed, to do a run again (default: a new one, which is printed)
    --relays R         relays (default: 1)
    --edges E          edges (default: 3)
    --channels N       channels (default: 500)
    --subscribers N    subscribers; a quarter of them is raw (default: 2000)
    --rate N           publications a second, half of them through the HTTP API (default: 2000)
    --only KIND        this kind of fault only; may be given several times
    --at-least N       so many faults have to have been, else the run doesn't count (default: 1)
    --folder FOLDER    a new folder for records and logs (default: one in build/chaos)
    --schedule         prints what would be done, and ends

EXIT STATUS
    0  it kept its promises
    1  it did not, or a program crashed
    2  wrong usage
    3  it can't be done here; the reason is told

EXAMPLES
    scripts/chaos --minutes 30
    scripts/chaos --seed 4711 --only kill --only partition
"""
import argparse
import collections
import contextlib
import os
import pathlib
import random
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import checker  # noqa: E402
import faults  # noqa: E402
import hosts  # noqa: E402
import nemesis  # noqa: E402
import records  # noqa: E402
import snapshots  # noqa: E402
from cluster import ADMIN_PORT, Cluster, Crash, Shape  # noqa: E402
from heddle_cluster import API_KEY, BUILD, SECRET, wait_until  # noqa: E402
from load import Load  # noqa: E402

KEPT, BROKEN, UNUSABLE, IMPOSSIBLE = range(4)  # exit codes

CLIENT_HOSTS = 2
HISTORY = {"size": 300, "ttl": "120s"}   # more than anybody misses in here
EDGE = {"ping": {"interval": "1s", "timeout": "1s"}}
RELAY = {"namespaces": {"default": {"history": HISTORY}}}
SILENCE_MS = 2500                        # more than the time of two pings: then a client looks for another edge
RSS_MAX = 400 << 20
BACK_PATIENCE = 30                       # seconds, behind the quiet tail
PROGRESS = 10                            # seconds from one line of progress to the next


def settings(options):
    # What one relay forgets with its process begins anew. Several relays keep it among them.
    ends = ["kill relay", "restart relay"] if options.relays == 1 else []
    return {"seed": options.seed, "history_size": HISTORY["size"], "history_ttl": 120, "epoch_ends_on": ends,
            "max_rss": RSS_MAX}


def share(total, part, parts):
    """The part of a number that the part-th of some parts takes; together they take it all."""
    return total * (part + 1) // parts - total * part // parts


def load_options(options, cluster, number):
    """Each host with clients has its share of everything, on the same channels."""
    subscribers, rate = (share(total, number, CLIENT_HOSTS) for total in (options.subscribers, options.rate))
    return {
        "name": f"load-{number + 1}", "file": str(options.folder / f"load-{number + 1}.jsonl"),
        "edges": [{"ws": f"ws://{endpoint}", "api": f"http://{endpoint}"} for endpoint in cluster.endpoints],
        "secret": SECRET, "apiKey": API_KEY, "silence": SILENCE_MS,
        "channels": {"prefix": "chaos-", "count": options.channels},
        "subscribers": {"centrifuge": subscribers - subscribers // 4, "raw": subscribers // 4},
        "publishers": {"centrifuge": 20, "api": 10},
        "rate": {"centrifuge": rate - rate // 2, "api": rate // 2},
    }


class Run:
    def __init__(self, options, all_hosts, writer):
        self.options, self.writer = options, writer
        self.cluster = Cluster(all_hosts, options.shape, options.logs, RELAY, EDGE,
                               on_start=lambda *start: writer.write("process", *start))
        self.loads = []
        self.next_progress = 0

    def start(self):
        self.cluster.start()
        for number, name in enumerate(self.options.shape.clients):
            self.loads.append(Load(load_options(self.options, self.cluster, number),
                                   self.cluster.hosts[name].command()))
        for load in self.loads:
            load.wait_back(BACK_PATIENCE)
        for load in self.loads:
            load.publish()

    def sums(self):
        total = collections.Counter()
        for load in self.loads:
            total.update({name: value for name, value in load.status().items() if isinstance(value, int)})
        return total

    def look(self, passed):
        if passed < self.next_progress:
            return
        self.next_progress += PROGRESS
        now = self.sums()
        print(f"     {passed:7.0f} s  {now['subscribed']}/{now['subscribers']} are on, {now['published']:,} published, "
              f"{now['ok']:,} acknowledged, {now['unknown']:,} unknown, {now['fail']:,} refused, "
              f"{now['delivered']:,} delivered", flush=True)

    def finish(self):
        """What is there when all is quiet, and what is left when all have gone."""
        for load in self.loads:
            load.wait_back(BACK_PATIENCE)
        for load in self.loads:
            load.hold()
        channels = [f"chaos-{number}" for number in range(self.options.channels)]
        with (self.cluster.edges[0].host.entered(),
              contextlib.closing(snapshots.Api(f"http://127.0.0.1:{ADMIN_PORT}", API_KEY)) as api):
            snapshots.record_histories(self.writer, api, channels)
            snapshots.record_presence(self.writer, api, channels)
        snapshots.record_metrics(self.writer, self.cluster.nodes, "quiet")
        for load in self.loads:
            load.leave()
        for edge in self.cluster.edges:
            wait_until(lambda edge=edge: edge.metric("heddle_client_connections") == 0, f"{edge.name} is at rest")
        snapshots.record_metrics(self.writer, self.cluster.nodes, "rest")
        self.cluster.stop()

    def kill(self):
        for load in self.loads:
            load.kill()


def say_impossible(reason):
    print(f"\n*** NOT RUN: {reason}\n", file=sys.stderr)
    return IMPOSSIBLE


def break_things(options):
    """The run itself, until all records are written. Returns the faults that were."""
    with hosts.Hosts() as all_hosts, records.Writer(options.folder / "run.jsonl", "nemesis") as writer:
        writer.write("run", settings(options))
        run = Run(options, all_hosts, writer)
        _, missing = nemesis.usable(run.cluster, options.kinds)
        if missing:
            raise hosts.HostError("; ".join(f"{kind}: {reason}" for kind, reason in missing.items()))
        planned = nemesis.schedule(options.shape, options.seconds, options.seed, options.kinds)
        evil = nemesis.Nemesis(run.cluster, planned, writer, lambda line: print(line, flush=True))
        try:
            run.start()
            evil.run(options.seconds, run.look)
            run.finish()
        finally:
            run.kill()
    return evil.done


def tell(options, done, findings):
    print()
    for name, count in sorted(collections.Counter(fault.kind.name for fault in done).items()):
        print(f"{name:32} {count:>12,}")
    print("\n".join(findings.report()))
    broken = sum(findings.violations.values())
    print(f"\n{len(done)} faults, {findings.counts['acknowledged']:,} publications acknowledged, "
          f"{findings.counts['delivered']:,} delivered, {broken} violations; seed {options.seed}")


def run(options):
    began = time.monotonic()
    try:
        done = break_things(options)
        print(f"checking, after {time.monotonic() - began:.0f} s")
        findings = checker.check(options.folder)
    except (hosts.HostError, OSError) as error:
        return say_impossible(error)
    except (Crash, AssertionError, RuntimeError, records.Broken) as error:
        print(f"\nBROKEN: {error}\nseed {options.seed}; records and logs: {options.folder}")
        return BROKEN
    tell(options, done, findings)
    print(f"records and logs: {options.folder}")
    if len(done) < options.at_least:
        print(f"too few faults: {options.at_least} were wanted")
        return BROKEN
    return BROKEN if findings.broken else KEPT


def read_options():
    names = [kind.name for kind in faults.KINDS]
    parser = argparse.ArgumentParser(prog="scripts/chaos", add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--schedule", action="store_true")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", action="append", choices=names, metavar="KIND", help=", ".join(names))
    parser.add_argument("--at-least", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path)
    for name, number in (("relays", 1), ("edges", 3), ("channels", 500), ("subscribers", 2000), ("rate", 2000)):
        parser.add_argument(f"--{name}", type=int, default=number)
    options = parser.parse_args()
    options.seconds = options.minutes * 60
    options.kinds = [kind for kind in faults.KINDS if not options.only or kind.name in options.only]
    if options.seconds <= nemesis.QUIET_TAIL or min(options.relays, options.edges, options.channels) < 1:
        parser.error("at least half a minute, one relay, one edge, one channel")
    options.shape = Shape.of(options.relays, options.edges, CLIENT_HOSTS)
    return options


def make_folders(options):
    if not options.folder:
        place = BUILD / "chaos"
        place.mkdir(exist_ok=True)
        options.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"seed-{options.seed}-", dir=place))
    else:
        options.folder.mkdir(parents=True)
    options.logs = options.folder / "logs"
    options.logs.mkdir()


def main():
    options = read_options()
    if options.help:
        print(__doc__, end="")
        return KEPT
    if options.schedule:
        print("\n".join(map(str, nemesis.schedule(options.shape, options.seconds, options.seed, options.kinds))))
        return KEPT
    hosts.as_root()
    reason = hosts.why_not()
    if reason:
        return say_impossible(reason)
    make_folders(options)
    print(f"seed {options.seed}: {options.relays} relays, {options.edges} edges, {options.minutes:g} minutes; "
          f"records and logs: {options.folder}", flush=True)
    os.chdir(options.folder)
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
