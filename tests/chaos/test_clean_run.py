"""The recorders and the checker on short runs of real processes."""
import contextlib
import json
import pathlib

import pytest

import load
import records
import snapshots
from checker import check
from heddle_cluster import API_KEY, SECRET, Cluster, wait_until

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"
CHANNELS = [f"chaos-{n}" for n in range(40)]
HISTORY = {"history_size": 200, "history_ttl": 60}
RELAY = {"namespaces": {"default": {"history": {"size": 200, "ttl": "60s"}}}}
EDGE = {"log": {"level": "info"}, "ping": {"interval": "2s", "timeout": "1s"}}
SUBSCRIBERS = {"centrifuge": 60, "raw": 40}
PUBLICATIONS = 800

pytestmark = pytest.mark.skipif(not (CLIENTS / "node_modules" / "centrifuge").exists(),
                                reason="tests/clients has no node_modules; scripts/test installs them")


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path, relay=RELAY, edge=EDGE)
    try:
        yield made.start()
        made.stop()
    finally:
        made.destroy()


def is_at_rest(cluster):
    return all(edge.connections() == 0 and not edge.metric("heddle_client_subscriptions") for edge in cluster.edges)


def wait_for_publications(clients):
    """So many more than now."""
    goal = clients.status()["published"] + PUBLICATIONS
    wait_until(lambda: clients.status()["published"] >= goal, "enough is published")


def take_snapshots(writer, cluster):
    with contextlib.closing(snapshots.Api(cluster.edges[0].admin, API_KEY)) as api:
        snapshots.record_histories(writer, api, CHANNELS)
        snapshots.record_presence(writer, api, CHANNELS)
    snapshots.record_metrics(writer, cluster.processes, "quiet")


def record(cluster, folder, meddle, settings):
    """A run's records, into the folder. `meddle` is called while clients publish. Returns the load's last status."""
    edges = [{"ws": edge.ws, "api": edge.admin} for edge in cluster.edges]
    clients = load.Load({"file": str(folder / "load.jsonl"), "edges": edges, "secret": SECRET, "apiKey": API_KEY,
                         "channels": {"prefix": "chaos-", "count": len(CHANNELS)}, "subscribers": SUBSCRIBERS,
                         "rate": {"centrifuge": 250, "api": 250}})
    try:
        with records.Writer(folder / "run.jsonl", "run") as writer:
            writer.write("run", {**HISTORY, **settings})
            snapshots.record_starts(writer, cluster.processes)
            clients.wait_back()
            clients.publish()
            wait_for_publications(clients)
            meddle(writer, clients)
            clients.wait_back()
            held = clients.hold()
            take_snapshots(writer, cluster)
            clients.leave()
            wait_until(lambda: is_at_rest(cluster), "the edges are at rest")
            snapshots.record_metrics(writer, cluster.processes, "rest")
    finally:
        clients.kill()
    return held


def test_a_run_without_faults_is_clean_until_something_is_taken_away(cluster, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    held = record(cluster, folder, lambda *_: None, {"epoch_ends_on": []})
    findings = check(folder)
    assert not findings.broken, "\n".join(findings.report())
    counts = findings.counts
    assert counts["acknowledged"] == held["ok"] == held["published"] >= PUBLICATIONS
    assert counts["subscribers"] == 100
    assert counts["delivered"] >= 2 * PUBLICATIONS  # two or three listen to each channel
    assert counts["presence snapshots"] == len(CHANNELS)
    assert counts["metrics compared"] == 3
    take_a_delivery(folder / "load.jsonl")
    assert check(folder).broken == {"I4"}


def take_a_delivery(file):
    """Out of the middle."""
    lines = file.read_text().splitlines()
    deliveries = [index for index, line in enumerate(lines) if line.startswith('["pub"')]
    del lines[deliveries[len(deliveries) // 2]]
    end = json.loads(lines[-1])
    end[2] -= 1
    file.write_text("\n".join([*lines[:-1], json.dumps(end)]) + "\n")


def test_a_run_in_which_an_edge_is_killed_is_clean(cluster, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    edge = cluster.edges[0]

    def kill_an_edge(writer, clients):
        writer.write("fault", 1, "kill", edge.name)
        edge.kill()
        clients.wait_back()
        edge.restart_on_same_port()
        wait_until(edge.is_ready, f"{edge.name} is ready")
        snapshots.record_starts(writer, [edge])
        writer.write("healed", 1)
        clients.wait_back()
        wait_for_publications(clients)  # of which most come when all has to be well

    record(cluster, folder, kill_an_edge, {"epoch_ends_on": [], "back_within": 1})
    findings = check(folder)
    assert not findings.broken, "\n".join(findings.report())
    assert findings.counts["recovered"] >= 50  # half of them were there
    assert findings.counts["refusals"] == 0
