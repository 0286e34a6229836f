"""A client that does not read costs what it is allowed to, and nobody else notices."""
import asyncio
import os

from clients import TEXT, Bytes, Centrifuge, Raw, frame
from heddle_cluster import wait_until

OUTBOX = 256 * 1024
MIB = 1024 * 1024
PAYLOAD = os.urandom(16 * 1024)
SMALL_BUFFER = 4096


def slow_client(edge, path):
    client = Bytes(edge.port, receive_buffer=SMALL_BUFFER)
    client.open(path)
    return client


def settle(client):
    """Its subscription is on when its own message has come back."""
    client.send(frame(b"probe:x"))
    assert client.receive() == b"probe:x"


async def flood(edge, channel, messages):
    """Publishes while a reader on the same channel keeps up; what it got is all there was."""
    async with Raw.open(edge, channel) as quick:
        for n in range(messages):
            await quick.send(n.to_bytes(4, "big") + PAYLOAD)
            got = await quick.receive()
            assert int.from_bytes(got[:4], "big") == n


async def test_a_slow_client_is_closed_with_3008_and_the_others_get_everything(make_cluster, channel):
    edge = make_cluster(edge={"limits": {"outbox": f"{OUTBOX}B"}}).edges[0]
    with slow_client(edge, f"/ws/{channel}") as slow:
        settle(slow)
        before = edge.rss()
        await flood(edge, channel, 200)
        await asyncio.to_thread(wait_until, lambda: edge.metric("heddle_client_connections") == 0, "it is closed")
        assert edge.metrics()['heddle_client_disconnects_total{reason="slow"}'] == 1
        # the close does not wait behind what it never read; it is told if there is room to tell it
        data = await asyncio.to_thread(slow.until_closed)
        assert len(data) < OUTBOX + 2 * MIB
        assert edge.rss() - before < OUTBOX + 16 * MIB


async def test_a_slow_client_that_reads_again_finds_the_close_code(make_cluster, channel):
    edge = make_cluster(edge={"limits": {"outbox": f"{OUTBOX}B"}}).edges[0]
    with slow_client(edge, f"/ws/{channel}") as slow:
        settle(slow)
        async with Raw.open(edge, channel) as quick:
            n = 0
            while edge.metric('heddle_client_disconnects_total') == 0:
                await quick.send(PAYLOAD)
                await quick.receive()
                n += 1
                assert n < 1000
        assert await asyncio.to_thread(slow.close_code) == 3008


async def test_no_policy_lets_memory_grow(make_cluster, channel):
    """Twenty slow clients, a hundred times their outboxes."""
    edge = make_cluster(edge={"limits": {"outbox": f"{OUTBOX}B", "on_slow_client": "drop_oldest"}}).edges[0]
    slow = [slow_client(edge, f"/ws/{channel}?mode=sub") for _ in range(20)]
    try:
        await flood(edge, channel, 50)
        first = edge.rss()
        await flood(edge, channel, 1500)
        assert edge.metric("heddle_client_outbox_bytes") <= 21 * OUTBOX
        assert edge.rss() - first < 8 * MIB, "it grows with what is published"
    finally:
        for client in slow:
            client.socket.close()


async def test_drop_oldest_keeps_a_slow_raw_client_and_gives_it_the_newest(make_cluster, channel):
    edge = make_cluster(edge={"limits": {"outbox": f"{OUTBOX}B", "on_slow_client": "drop_oldest"}}).edges[0]
    with slow_client(edge, f"/ws/{channel}") as slow:
        settle(slow)
        await flood(edge, channel, 300)
        assert edge.metrics()['heddle_client_dropped_messages_total{reason="slow"}'] > 0

        def read_to_the_last():
            got = [-1]
            while got[-1] != 299:
                opcode, payload = slow.frame()
                if opcode != 9 and not payload.startswith(b"probe:"):
                    got.append(int.from_bytes(payload[:4], "big"))
            return got
        got = await asyncio.to_thread(read_to_the_last)
        assert got == sorted(got) and len(got) < 300, "some are missing, the rest is in order"
        slow.send(frame(b"still here", TEXT))
        assert await asyncio.to_thread(slow.receive) == b"still here"


async def test_drop_oldest_is_for_raw_clients_only(make_cluster, channel):
    edge = make_cluster(edge={"limits": {"outbox": f"{OUTBOX}B", "on_slow_client": "drop_oldest"}}).edges[0]
    with slow_client(edge, "/connection/websocket") as slow:
        slow.send(frame(b'{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"%s"}}' % channel.encode()))
        assert b'"id":2' in slow.receive() or b'"id":2' in slow.receive()
        async with Centrifuge.open(edge, channel) as quick:
            text = "x" * 16000
            for n in range(200):
                await quick.publish(channel, text)
        await asyncio.to_thread(wait_until,
                                lambda: edge.metrics()['heddle_client_disconnects_total{reason="slow"}'] == 1,
                                "it is closed")
        assert await asyncio.to_thread(slow.close_code) == 3008


async def test_a_publisher_that_never_reads_its_answers_is_held_back(make_cluster, channel):
    """Reading stops or the client is closed; the edge does not collect answers for ever."""
    edge = make_cluster().edges[0]
    with slow_client(edge, "/connection/websocket") as client:
        client.send(frame(b'{"id":1,"connect":{}}'))
        before = edge.rss()
        line = b'{"id":%d,"publish":{"channel":"' + channel.encode() + b'","data":1}}'
        block = frame(b"\n".join(line % n for n in range(2, 2002)))

        def push():
            client.socket.settimeout(2)
            try:
                for _ in range(200):
                    client.send(block)
            except (TimeoutError, ConnectionError):
                pass
        await asyncio.to_thread(push)
        assert edge.rss() - before < 64 * MIB
        assert edge.get("/livez").status == 200
