"""The schedule, and that it is carried out: on nodes that run."""
import itertools
import signal
import socket
import time

import pytest

import faults
import nemesis
import records
from cluster import EDGE_PORT, Cluster, Crash, Shape
from heddle_cluster import PATIENCE, wait_until
from hosts import HostError

SHAPE = Shape.of(relays=3, edges=3, clients=2)
MINUTES = 5
SEEDS = range(20)


def plan(seed, shape=SHAPE, minutes=MINUTES):
    return nemesis.schedule(shape, minutes * 60, seed)


def overlap(one, other):
    return one.begin < other.end and other.begin < one.end


@pytest.fixture
def cluster(make_hosts, tmp_path):
    """A relay, an edge, a host for clients; `starts` lists what on_start was told."""
    starts = []
    made = Cluster(make_hosts(), Shape.of(1, 1, 1), tmp_path, on_start=lambda *start: starts.append(start))
    made.starts = starts
    yield made.start()
    made.stop()


@pytest.fixture
def edge(cluster):
    return cluster.node("edge-1")


def test_a_seed_gives_its_schedule_again_and_another_one_another():
    assert plan(1) == plan(1) != plan(2)


@pytest.mark.parametrize("relays", [1, 3])
def test_five_minutes_hold_sixty_faults_of_nearly_all_kinds(relays):
    for seed in SEEDS:
        planned = plan(seed, Shape.of(relays, 3, 2))
        assert len(planned) >= 60
        assert len({fault.kind.name for fault in planned}) >= len(faults.KINDS) - 3
    assert {fault.kind for seed in SEEDS for fault in plan(seed)} == set(faults.KINDS)


def test_the_end_and_a_while_of_each_minute_are_quiet():
    for fault in itertools.chain.from_iterable(map(plan, SEEDS)):
        assert fault.begin <= fault.end <= MINUTES * 60 - nemesis.QUIET_TAIL
        in_cycle = fault.begin % nemesis.CALM_EVERY
        assert in_cycle + (fault.end - fault.begin) <= nemesis.CALM_EVERY - nemesis.CALM + 1e-6


def test_a_process_suffers_one_thing_at_a_time():
    for planned in map(plan, SEEDS):
        on_processes = [fault for fault in planned if fault.kind.layer == "process"]
        assert not any(one.targets == other.targets and overlap(one, other)
                       for one, other in itertools.combinations(on_processes, 2))
        assert any(overlap(one, other) for one, other in itertools.combinations(planned, 2))


def test_of_several_relays_one_is_away_at_a_time():
    for planned in map(plan, SEEDS):
        away = [fault for fault in planned if fault.kind.cripples and set(fault.targets) & set(SHAPE.relays)]
        assert away
        assert all(one.end + nemesis.RELAYS_REST < other.begin for one, other in itertools.pairwise(away))


def test_all_kinds_can_be_had_here(cluster):
    assert nemesis.usable(cluster) == (list(faults.KINDS), {})


def test_a_kind_that_can_not_be_had_is_told_with_its_reason(cluster):
    cluster.delay_queue = "/nowhere/delay_queue"
    good, bad = nemesis.usable(cluster)
    assert len(good) == len(faults.KINDS) - 1
    assert "/nowhere/delay_queue" in bad["delay"]


def test_a_killed_node_runs_again_when_it_is_healed(cluster, edge):
    pid = edge.pid
    with faults.kill(cluster, edge.name):
        assert not edge.is_running()
    assert cluster.starts[-1] == (edge.name, edge.pid, 2) and edge.pid != pid
    wait_until(edge.is_ready, "the edge is ready")


def test_a_node_that_is_restarted_ends_in_order(cluster, edge):
    with faults.restart(cluster, edge.name):
        wait_until(lambda: not edge.is_running(), "the edge ends")
    assert cluster.starts[-1][2] == 2


def test_a_paused_node_answers_when_it_is_healed(cluster, edge):
    with edge.host.entered(), socket.create_connection(("127.0.0.1", 9000), PATIENCE) as admin:
        with faults.pause(cluster, edge.name):
            admin.sendall(b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n")
            admin.settimeout(0.5)
            with pytest.raises(TimeoutError):
                admin.recv(1)
        admin.settimeout(PATIENCE)
        assert admin.recv(8) == b"HTTP/1.1"


def answered(cluster, edge, count):
    """How many of so many connections at once are answered."""
    request = b"GET /readyz HTTP/1.1\r\nHost: edge\r\n\r\n"
    with cluster.hosts["clients-1"].entered():
        connections = [socket.create_connection((edge.host.address, EDGE_PORT), PATIENCE) for _ in range(count)]
    found = 0
    for connection in connections:
        connection.settimeout(1)
        connection.sendall(request)
        try:
            found += connection.recv(8) == b"HTTP/1.1"
        except OSError:
            pass
    for connection in connections:
        connection.close()
    return found


def test_a_node_without_descriptors_serves_again_when_it_is_healed(cluster, edge):
    with faults.descriptors(cluster, edge.name):
        assert answered(cluster, edge, 4) < 4
    wait_until(lambda: answered(cluster, edge, 4) == 4, "the edge answers everybody")


def test_a_node_that_ends_by_itself_is_a_crash(cluster, edge):
    edge.process.send_signal(signal.SIGKILL)
    edge.process.wait()
    with pytest.raises(Crash, match="edge-1 ended with -9"):
        cluster.watch()
    edge.expected_end = True


def small_plan(*rows):
    kinds = {kind.name: kind for kind in faults.KINDS}
    return [nemesis.Fault(begin, end, kinds[name], targets, ()) for begin, end, name, targets in rows]


def read_faults(path):
    return [[record[0], *record[2:]] for _, record in records.read(path) if record[0] in ("fault", "healed")]


def test_faults_are_carried_out_and_written_down(cluster, tmp_path):
    planned = small_plan((0.1, 0.6, "partition", ("relay-1", "edge-1")), (0.2, 0.3, "kill", ("edge-1",)))
    path = tmp_path / "nemesis.jsonl"
    with records.Writer(path, "nemesis") as writer:
        evil = nemesis.Nemesis(cluster, planned, writer)
        began = time.monotonic()
        evil.run(1)
        assert time.monotonic() - began >= 1
    assert read_faults(path)[:2] == [["fault", 1, "partition", "relay-1|edge-1"], ["fault", 2, "kill", "edge-1"]]
    assert sorted(read_faults(path)[2:]) == [["healed", 1], ["healed", 2]]
    assert len(evil.done) == 2 and cluster.node("edge-1").starts == 2


def test_what_is_under_way_is_healed_when_a_run_is_cut_short(cluster, tmp_path):
    def interrupt(passed):
        if passed > 0.3:
            raise HostError("enough")

    path = tmp_path / "nemesis.jsonl"
    with records.Writer(path, "nemesis") as writer, pytest.raises(HostError, match="enough"):
        nemesis.Nemesis(cluster, small_plan((0.1, 60, "pause", ("edge-1",))), writer).run(60, interrupt)
    assert read_faults(path) == [["fault", 1, "pause", "edge-1"], ["healed", 1]]
    assert cluster.node("edge-1").is_ready()
