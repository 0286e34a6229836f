"""Completeness and order, under load."""
import asyncio
import contextlib

import websockets

from clients import Centrifuge, Raw, connect

EDGE = {"limits": {"outbox": "64MiB"}}  # the readers share one Python, and all messages come at once
PUBLISHERS, EACH = 20, 500
TOTAL = PUBLISHERS * EACH


async def publish_all(edge, channel, publisher):
    async with connect(f"{edge.ws}/ws/{channel}?mode=pub") as socket:
        for n in range(EACH):
            await socket.send(f"{publisher}:{n}")
        await socket.close()


async def collect_raw(client):
    return await client.receive_many(TOTAL)


async def collect_centrifuge(client):
    return [await client.publication() for _ in range(TOTAL)]


async def test_all_see_every_message_once_in_one_order(cluster, channel):
    async with contextlib.AsyncExitStack() as stack:
        raws = [await stack.enter_async_context(Raw.open(cluster.edges[n % 2], channel)) for n in range(4)]
        centrifuges = [await stack.enter_async_context(Centrifuge.open(edge, channel)) for edge in cluster.edges]
        publishers = [publish_all(cluster.edges[n % 2], channel, n) for n in range(PUBLISHERS)]
        results = await asyncio.gather(*map(collect_raw, raws), *map(collect_centrifuge, centrifuges), *publishers)
        texts, pubs = results[:4], results[4:6]

        assert len(set(texts[0])) == TOTAL, "lost or twice"
        assert all(one == texts[0] for one in texts), "raw clients saw different orders"
        for one in pubs:
            assert [pub["data"] for pub in one] == texts[0], "centrifuge clients saw another order"
            offsets = [pub["offset"] for pub in one]
            assert offsets == list(range(offsets[0], offsets[0] + TOTAL)), "offsets are not dense"
        for publisher in range(PUBLISHERS):
            mine = [text for text in texts[0] if text.startswith(f"{publisher}:")]
            assert mine == [f"{publisher}:{n}" for n in range(EACH)], "a publisher's own order was not kept"
    for edge in cluster.edges:
        assert edge.metric("heddle_client_dropped_messages_total") == 0


async def test_a_pipelined_client_gets_an_answer_to_each_command_in_order(cluster, channel):
    async with Centrifuge.open(cluster.edges[0]) as client:
        ids = [client.next_id() for _ in range(1000)]
        lines = ['{"id":%d,"publish":{"channel":"%s","data":%d}}' % (id_, channel, id_) for id_ in ids]
        await client.send_text("\n".join(lines))
        for id_ in ids:
            assert "error" not in await client.answer(id_)


async def test_a_reader_that_leaves_in_the_middle_disturbs_nobody(cluster, channel):
    async with Raw.open(cluster.edges[0], channel) as stays:
        async with Raw.open(cluster.edges[0], channel) as goes, Raw.open(cluster.edges[1], channel, "?mode=pub",
                                                                          ready=False) as speaker:
            for n in range(500):
                await speaker.send(str(n))
                if n == 250:
                    goes.socket.transport.abort()
            assert await stays.receive_many(500) == [str(n) for n in range(500)]
        with contextlib.suppress(websockets.ConnectionClosed):
            await goes.socket.wait_closed()
