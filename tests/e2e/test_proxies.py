"""nginx and HAProxy in front of two edges, with the files that stand in deploy/."""
import asyncio
import contextlib

import pytest
import websockets

from clients import Bytes, Centrifuge, Raw, upgrade
from heddle_cluster import http, wait_until
from proxies import haproxy, nginx

PROXIES = {"nginx": nginx, "haproxy": haproxy}


@pytest.fixture(params=PROXIES)
def proxied(request, make_cluster, tmp_path):
    """(cluster, proxy)"""
    cluster = make_cluster()
    folder = tmp_path / request.param
    folder.mkdir()
    with PROXIES[request.param](cluster.edges, folder) as proxy:
        yield cluster, proxy


async def test_clients_are_spread_over_both_edges_and_hear_each_other(proxied, channel):
    cluster, proxy = proxied
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Raw.open(proxy.ws, channel)) for _ in range(10)]
        counts = [edge.connections() for edge in cluster.edges]
        assert sum(counts) == 10 and min(counts) >= 3, counts
        for n, client in enumerate(clients):
            await client.send(str(n))
            for other in clients:
                assert await other.receive() == str(n)


async def test_bytes_and_large_messages_pass(proxied, channel):
    _, proxy = proxied
    async with Raw.open(proxy.ws, channel) as client:
        for payload in (b"\x00" * 65536, "", "\u20ac" * 20000):
            await client.send(payload)
            assert await client.receive() == payload


async def test_when_an_edge_is_killed_its_clients_come_back_through_the_proxy(proxied, channel):
    cluster, proxy = proxied
    heard = {n: [] for n in range(6)}

    async def stay(n):
        """A client as a library would be: connects again whenever the connection ends."""
        while "end" not in heard[n]:
            try:
                async with Raw.open(proxy.ws, channel) as client:
                    heard[n].append("on")
                    while "end" not in heard[n]:
                        heard[n].append(await client.receive())
            except (OSError, websockets.WebSocketException, asyncio.TimeoutError):
                await asyncio.sleep(0.05)

    clients = [asyncio.ensure_future(stay(n)) for n in range(6)]
    try:
        await asyncio.to_thread(wait_until, lambda: all(heard.values()), "all are on")
        victims = cluster.edges[0].connections()
        assert victims > 0
        cluster.edges[0].kill()
        await asyncio.to_thread(wait_until, lambda: cluster.edges[1].connections() == 6, "all came back")
        await asyncio.to_thread(wait_until, lambda: sum(h.count("on") for h in heard.values()) == 6 + victims,
                                "all listen again")
        async with Centrifuge.open(proxy.ws) as speaker:
            await speaker.publish(channel, "x")
            await speaker.command("unsubscribe", {"channel": channel})
        answer = await asyncio.to_thread(cluster.edges[1].api, "publish", {"channel": channel, "data": 7})
        assert "result" in answer.json
        await asyncio.to_thread(wait_until, lambda: all("7" in h for h in heard.values()), "all hear again")
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def test_the_clients_address_is_passed_on_and_refusals_come_through(proxied):
    _, proxy = proxied
    with Bytes(proxy.port) as client:
        client.send(upgrade("/ws/x", x_forwarded_for="192.0.2.7"))
        assert client.status() == 101
    with Bytes(proxy.port) as client:
        client.send(upgrade("/ws/nowhere:x"))
        assert client.status() == 404
    with Bytes(proxy.port) as client:
        client.send(upgrade("/ws/x", origin="https://evil.example"))
        assert client.status() == 403


@pytest.mark.parametrize("name", PROXIES)
def test_an_edge_knows_the_client_behind_a_proxy_that_it_trusts(name, make_cluster, tmp_path):
    cluster = make_cluster(edge={"listen": {"trusted_proxies": ["127.0.0.0/8"]}, "log": {"level": "debug"}})
    with PROXIES[name](cluster.edges, tmp_path) as proxy, Bytes(proxy.port) as client:
        client.send(upgrade("/ws/x", x_forwarded_for="192.0.2.7"))
        assert client.status() == 101
        wait_until(lambda: any("192.0.2.7" in edge.log() for edge in cluster.edges), "an edge logs the address")


def test_a_page_of_the_proxys_host_may_connect(proxied):
    """Host has to come through, as Origin is compared with it."""
    _, proxy = proxied
    with Bytes(proxy.port) as client:
        client.send(upgrade("/ws/x", host="app.example", origin="http://app.example"))
        assert client.status() == 101


def test_an_edge_without_a_relay_gets_no_new_clients_from_haproxy(make_cluster, tmp_path):
    cluster = make_cluster()
    one, two = cluster.edges
    with haproxy(cluster.edges, tmp_path) as proxy:
        one.kill()
        one.config["relays"] = ["tcp://127.0.0.1:9"]
        one.restart_on_same_port()
        assert http(one.http + "/readyz").status == 503
        # it checks every second; from then on all go to the other
        def all_ready():
            return all(http(proxy.http + "/readyz").status == 200 for _ in range(10))
        wait_until(all_ready, "the proxy has taken it out")
        clients = [Bytes(proxy.port).open("/ws/x") for _ in range(6)]
        try:
            wait_until(lambda: two.connections() == 6, "all are on the edge that is ready")
        finally:
            for client in clients:
                client.socket.close()
