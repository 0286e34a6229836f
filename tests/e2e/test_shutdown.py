"""SIGTERM and SIGINT."""
import asyncio
import signal

import pytest

from clients import Bytes, Centrifuge, Raw, connect, frame, within
from heddle_cluster import wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_an_edge_that_stops_closes_its_clients_with_3001_and_ends_with_0(make_cluster, channel, number):
    edge = make_cluster(edges=1).edges[0]
    async with Raw.open(edge, channel) as raw, Centrifuge.open(edge, channel) as centrifuge:
        edge.signal(number)
        for socket in (raw.socket, centrifuge.socket):
            await within(socket.wait_closed())
            assert (socket.close_code, socket.close_reason) == (3001, "shutdown")
    assert await asyncio.to_thread(edge.wait) == 0


async def test_what_was_queued_goes_before_the_close(make_cluster, channel):
    edge = make_cluster(edges=1, edge={"limits": {"outbox": "8MiB"}}).edges[0]
    payload = b"x" * 65536
    with Bytes(edge.port, receive_buffer=4096) as slow:
        slow.open(f"/ws/{channel}")
        slow.send(frame(b"ready"))
        assert slow.receive() == b"ready"
        async with Raw.open(edge, channel, ready=False) as speaker:
            for _ in range(20):
                await speaker.send(payload)
            for _ in range(20):
                assert await speaker.receive() == payload
        # 1.3 MB are here or on their way, and far less fits into the kernel's buffers
        edge.signal(signal.SIGTERM)
        for _ in range(20):
            assert await asyncio.to_thread(slow.receive) == payload
        assert await asyncio.to_thread(slow.close_code) == 3001
    assert await asyncio.to_thread(edge.wait) == 0


async def test_a_second_signal_ends_an_edge_at_once(make_cluster):
    edge = make_cluster(edges=1).edges[0]
    # a client that never answers the close frame holds the first one up
    with Bytes(edge.port) as silent:
        silent.open("/ws/x")
        edge.signal(signal.SIGTERM)
        edge.signal(signal.SIGTERM)
        await asyncio.to_thread(edge.wait, 2)


async def test_a_silent_client_does_not_hold_up_the_end(make_cluster):
    edge = make_cluster(edges=1).edges[0]
    with Bytes(edge.port) as silent:
        silent.open("/ws/x")
        assert await asyncio.to_thread(edge.terminate) == 0


async def test_an_edge_that_stops_takes_no_new_clients(make_cluster, channel):
    edge = make_cluster(edges=1).edges[0]
    with Bytes(edge.port) as silent:
        silent.open("/ws/x")
        edge.signal(signal.SIGTERM)

        def refuses():
            try:
                with Bytes(edge.port) as late:
                    late.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                    return late.status() in (0, 503)
            except OSError:
                return True
        await asyncio.to_thread(wait_until, refuses, "the edge refuses new clients")
        assert await asyncio.to_thread(edge.wait) == 0


async def test_a_relay_that_stops_ends_with_0_and_its_edges_know_at_once(make_cluster, channel):
    cluster = make_cluster()
    async with connect(f"{cluster.edges[0].ws}/ws/{channel}"):
        assert await asyncio.to_thread(cluster.relay.terminate) == 0
        for edge in cluster.edges:
            # it says BYE; silence alone would take seconds
            await asyncio.to_thread(wait_until, lambda edge=edge: not edge.is_ready(), "it is missed", 2)
        cluster.relay.start()
        await asyncio.to_thread(cluster.wait_ready)


def test_a_second_signal_ends_a_relay_at_once(make_cluster):
    relay = make_cluster(edges=1).relay
    relay.signal(signal.SIGTERM)
    relay.signal(signal.SIGTERM)
    relay.wait(2)
