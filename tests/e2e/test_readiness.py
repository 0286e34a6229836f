"""An edge is ready when its relays answer, not when they are connected."""
import contextlib
import signal

import pytest

from heddle_cluster import wait_until


@contextlib.contextmanager
def paused(process):
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


def reasons(edge):
    """Empty: it is ready."""
    answer = edge.get("/readyz")
    assert answer.status == (503 if answer.json["reasons"] else 200)
    return answer.json["reasons"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_edge_whose_relay_is_linked_and_silent_is_not_ready_and_names_it(make_cluster, workers):
    cluster = make_cluster(edges=1, edge={"workers": workers}, relay={"fabric": {"heartbeat": "10s"}})
    edge = cluster.edges[0]
    with paused(cluster.relay):
        [reason] = wait_until(lambda: reasons(edge), "the edge misses answers")
        assert reason.startswith(f"{cluster.relay.name}: no answer for ")
        assert edge.metric("heddle_links_up") == workers
        assert edge.get("/livez").status == 200
    wait_until(edge.is_ready, "the relay answers again")


def test_an_edge_whose_only_relay_went_silent_says_who_is_missed(make_cluster):
    cluster = make_cluster(edges=1)
    edge = cluster.edges[0]
    with paused(cluster.relay):
        found = wait_until(lambda: len(reasons(edge)) == 2 and reasons(edge), "the edge gives up the link")
        assert found[0] == "no_relay" and found[1].startswith(f"{cluster.relay.name}: no answer for ")
    wait_until(edge.is_ready, "the relay answers again")


def test_canaries_come_back_and_are_counted(make_cluster):
    edge = make_cluster(edges=1).edges[0]
    before = edge.metric("heddle_canary_answers_total")
    wait_until(lambda: edge.metric("heddle_canary_answers_total") >= before + 2, "two more canaries are back")
    assert edge.metric("heddle_canary_lost_total") == 0
