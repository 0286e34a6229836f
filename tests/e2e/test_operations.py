"""Health, metrics, the demo page, the client port's plain HTTP."""
import asyncio
import json
import subprocess

import pytest

from clients import Bytes, Centrifuge
from heddle_cluster import ROOT, http, wait_until

EDGE = {"demo": {"edges": ["ws://127.0.0.1:8000", "ws://127.0.0.1:8001"]}}


def test_livez_and_readyz_say_yes(cluster):
    for process in cluster.processes:
        assert process.get("/livez").status == 200
        answer = process.get("/readyz")
        assert answer.status == 200 and answer.json["ready"] is True


def test_the_client_port_tells_load_balancers_whether_it_is_ready(cluster):
    assert http(cluster.edges[0].http + "/readyz").status == 200
    assert http(cluster.edges[0].http + "/metrics").status == 404


@pytest.mark.parametrize("name", ["relay-1", "edge-1"])
def test_promtool_likes_the_metrics(cluster, name):
    process = next(process for process in cluster.processes if process.name == name)
    text = process.get("/metrics").body
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout.decode() + checked.stderr.decode()


async def test_metrics_count_what_happens(cluster, channel):
    edge = cluster.edges[0]
    before = edge.metrics()
    async with Centrifuge.open(edge, channel) as client:
        await client.publish(channel, "x" * 100)
        await client.publication()
        during = edge.metrics()
        assert during["heddle_client_connections"] == before["heddle_client_connections"] + 1
        assert during["heddle_client_subscriptions"] == before["heddle_client_subscriptions"] + 1
        assert during["heddle_client_publications_total"] == before["heddle_client_publications_total"] + 1
        assert during['heddle_client_bytes_total{direction="in"}'] >= before[
            'heddle_client_bytes_total{direction="in"}'] + 100
    await asyncio.to_thread(wait_until, lambda: edge.connections() == before["heddle_client_connections"],
                            "the client has gone")


def test_a_head_request_has_no_body(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.send("HEAD /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.status() == 200
        assert client.until_closed() == b""


def test_requests_on_one_connection_are_answered_in_turn(cluster):
    with Bytes(int(cluster.edges[0].admin.rsplit(":", 1)[1])) as client:
        client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n"
                    "Connection: close\r\n\r\n")
        answers = client.until_closed()
        assert answers.count(b"HTTP/1.1 200 ") == 1 and answers.count(b"HTTP/1.1 404 ") == 1
        assert answers.index(b" 200 ") < answers.index(b" 404 ")


def test_the_client_port_ends_a_connection_with_its_answer_so_that_no_proxy_upgrades_it_later(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert "connection: close" in client.head().lower()
        client.until_closed()


@pytest.mark.parametrize("path, kind", [("/", "text/html"), ("/demo.css", "text/css"), ("/demo.js", "text/javascript"),
                                        ("/demo.svg", "image/svg+xml")])
def test_the_demo_page_is_what_stands_in_web(cluster, path, kind):
    answer = http(cluster.edges[0].http + path)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith(kind)
    assert answer.body == (ROOT / "web" / (path.lstrip("/") or "index.html")).read_bytes()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    assert "connect-src 'self' ws://127.0.0.1:8000 ws://127.0.0.1:8001" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_demo_page_learns_its_edges(cluster):
    answer = http(cluster.edges[0].http + "/demo/edges.json")
    assert json.loads(answer.body) == {"edges": ["ws://127.0.0.1:8000", "ws://127.0.0.1:8001"]}


def test_without_demo_edges_there_is_no_page(make_cluster):
    edge = make_cluster(edges=1).edges[0]
    for path in ("/", "/demo.js", "/demo/edges.json"):
        assert http(edge.http + path).status == 404


def test_an_edge_with_two_workers_serves_on_one_port(make_cluster, channel):
    edge = make_cluster(edges=1, edge={"workers": 2}).edges[0]
    clients = [Bytes(edge.port).open(f"/ws/{channel}") for _ in range(20)]
    try:
        wait_until(lambda: edge.connections() == 20, "both workers' clients are counted")
        assert edge.get("/readyz").status == 200
    finally:
        for client in clients:
            client.socket.close()
