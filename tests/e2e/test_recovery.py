"""A client that was away gets what it missed, as far as its channel's history holds it; else it is told."""
import asyncio
import contextlib
import json

import pytest

from clients import Centrifuge, Refused, connect, within
from heddle_cluster import wait_until

RELAY = {"namespaces": {"default": {"history": {"size": 400, "ttl": "1h"}},
                        "short": {"history": {"size": 5, "ttl": "1h"}, "publish": "anyone"}}}


def publish(edge, channel, values):
    for value in values:
        answer = edge.api("publish", {"channel": channel, "data": value})
        assert answer.json == {"result": answer.json["result"]}, answer.text


class Positioned:
    """A raw client that counts: it knows the position of each message."""

    def __init__(self, socket, told):
        self.socket, self.told = socket, told
        self.epoch, offset = told["position"].split(":")
        self.offset = int(offset)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, edge, channel, since=None):
        query = "?positions=1" + (f"&since={since}" if since else "")
        async with connect(f"{edge.ws}/ws/{channel}{query}") as socket:
            told = json.loads(await within(socket.recv()))
            assert told["channel"] == channel
            yield cls(socket, told)

    async def receive(self, count):
        self.offset += count
        return [json.loads(await within(self.socket.recv())) for _ in range(count)]

    @property
    def position(self):
        return f"{self.epoch}:{self.offset}"


async def test_a_raw_client_gets_what_it_missed_from_the_other_edge(cluster, channel):
    one, two = cluster.edges
    async with Positioned.open(one, channel) as client:
        assert set(client.told) == {"channel", "position"}
        publish(two, channel, range(3))
        assert await client.receive(3) == [0, 1, 2]
    publish(one, channel, range(3, 10))
    async with Positioned.open(two, channel, client.position) as again:
        assert again.told == {"channel": channel, "position": client.position, "recovered": True}
        publish(one, channel, [10])
        assert await again.receive(8) == list(range(3, 11))
    async with Positioned.open(one, channel, again.position) as nothing_missed:
        assert nothing_missed.told["recovered"] is True
        publish(one, channel, [11])
        assert await nothing_missed.receive(1) == [11]


async def test_nothing_is_lost_or_doubled_while_publications_go_on(cluster, channel):
    """Away again and again, each time to the other edge, while a publisher goes on."""
    one, two = cluster.edges
    heard, position = [], None

    async def speak():
        async with Centrifuge.open(one) as speaker:
            for n in range(400):
                await speaker.publish(channel, n)
                await asyncio.sleep(0.002)

    async with Positioned.open(one, channel) as client:
        position = client.position
    speaking = asyncio.ensure_future(speak())
    turn = 0
    while len(heard) < 400:
        async with Positioned.open((one, two)[turn % 2], channel, position) as client:
            assert client.told["recovered"] is True
            heard += await client.receive(min(25, 400 - len(heard)))
            position = client.position
        turn += 1
    await speaking
    assert heard == list(range(400))


async def test_a_raw_client_is_told_what_cannot_be_had(cluster, channel):
    one, two = cluster.edges
    name = f"short:{channel}"
    async with Positioned.open(one, name) as client:
        publish(one, name, [0])
        await client.receive(1)
    publish(one, name, range(1, 8))
    lost = await asyncio.to_thread(two.metric, "heddle_client_unrecovered_total")
    async with Positioned.open(two, name, client.position) as again:
        assert again.told == {"channel": name, "position": f"{client.epoch}:8", "recovered": False}
        publish(one, name, ["next"])
        assert await again.receive(1) == ["next"]
    async with Positioned.open(two, name, "abcdEFGH:1") as other_epoch:
        assert other_epoch.told == {"channel": name, "position": f"{client.epoch}:9", "recovered": False}
    assert await asyncio.to_thread(two.metric, "heddle_client_unrecovered_total") == lost + 2


async def test_without_positions_a_raw_client_is_told_by_the_close(cluster, channel):
    async with connect(f"{cluster.edges[0].ws}/ws/{channel}?since=abcdEFGH:1") as socket:
        await within(socket.wait_closed())
        assert socket.close_code == 3010 and socket.close_reason
    async with connect(f"{cluster.edges[0].ws}/ws/{channel}?positions=1") as socket:
        position = json.loads(await within(socket.recv()))["position"]
    publish(cluster.edges[0], channel, [1, 2])
    async with connect(f"{cluster.edges[1].ws}/ws/{channel}?since={position}") as socket:
        assert [await within(socket.recv()) for _ in range(2)] == ["1", "2"]


async def test_a_centrifuge_client_gets_what_it_missed_in_the_answer(cluster, channel):
    one, two = cluster.edges
    async with Centrifuge.open(one) as client:
        first = await client.subscribe(channel)
        assert first["recoverable"] is True and first["offset"] == 0
    publish(one, channel, range(5))
    async with Centrifuge.open(two) as client:
        answer = await client.subscribe(channel, recover=True, epoch=first["epoch"], offset=2)
        assert answer["recovered"] is True and answer["was_recovering"] is True
        assert [pub["offset"] for pub in answer["publications"]] == [3, 4, 5]
        assert [pub["data"] for pub in answer["publications"]] == [2, 3, 4]
        publish(one, channel, ["live"])
        assert (await client.publication())["offset"] == 6


async def test_300_messages_are_recovered_and_no_more(cluster, channel):
    one, two = cluster.edges
    async with Centrifuge.open(one) as client:
        epoch = (await client.subscribe(channel))["epoch"]
        for n in range(301):
            await client.publish(channel, n)
    async with Centrifuge.open(two) as client:
        answer = await client.subscribe(channel, recover=True, epoch=epoch, offset=1)
        assert [pub["data"] for pub in answer["publications"]] == list(range(1, 301))
    async with Centrifuge.open(two) as client:
        answer = await client.subscribe(channel, recover=True, epoch=epoch, offset=0)
        assert "recovered" not in answer and "publications" not in answer and answer["offset"] == 301
    async with Centrifuge.open(two) as client:
        with pytest.raises(Refused) as refused:
            await client.subscribe(channel, recover=True, epoch=epoch, offset=0, flag=2)
        assert refused.value.code == 112
        await client.subscribe(channel)  # it had none


async def test_recovery_outlives_an_edge_and_not_the_relay(make_cluster, channel):
    cluster = make_cluster(relay=RELAY)
    one, two = cluster.edges
    async with Positioned.open(one, channel) as client:
        one.kill()
        await within(client.socket.wait_closed())
    publish(two, channel, [1, 2, 3])
    async with Positioned.open(two, channel, client.position) as again:
        assert await again.receive(3) == [1, 2, 3]
    cluster.relay.kill()
    cluster.relay.start()
    await asyncio.to_thread(wait_until, two.is_ready, "the edge has its relay again")
    async with Positioned.open(two, channel, again.position) as after:
        assert after.told["recovered"] is False and after.epoch != again.epoch


async def test_history_over_the_api(cluster, channel):
    one, two = cluster.edges
    publish(one, channel, range(1, 6))

    def ask(**wishes):
        return two.api("history", {"channel": channel, **wishes}).json

    top = ask()["result"]
    assert top == {"publications": [], "epoch": top["epoch"], "offset": 5}
    assert [pub["data"] for pub in ask(limit=2)["result"]["publications"]] == [1, 2]
    assert [pub["data"] for pub in ask(limit=-1)["result"]["publications"]] == [1, 2, 3, 4, 5]
    assert [pub["data"] for pub in ask(limit=2, reverse=True)["result"]["publications"]] == [5, 4]
    since = {"offset": 3, "epoch": top["epoch"]}
    assert [pub["offset"] for pub in ask(limit=9, since=since)["result"]["publications"]] == [4, 5]
    assert ask(limit=9, since={"offset": 3, "epoch": "abcdEFGH"})["error"]["code"] == 112
    assert one.api("history_remove", {"channel": channel}).json == {"result": {}}
    assert ask(limit=-1)["result"] == top
    assert one.api("history", {"channel": f"nohistory:{channel}"}).json["error"]["code"] == 108


async def test_recovery_asked_for_by_many_at_once(cluster, channel):
    """As after the end of an edge: each gets its own share."""
    one, two = cluster.edges
    async with Centrifuge.open(one) as client:
        epoch = (await client.subscribe(channel))["epoch"]
    publish(one, channel, range(100))
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Centrifuge.open(two)) for _ in range(40)]
        answers = await asyncio.gather(*(client.subscribe(channel, recover=True, epoch=epoch, offset=n)
                                         for n, client in enumerate(clients)))
    for n, answer in enumerate(answers):
        assert [pub["data"] for pub in answer["publications"]] == list(range(n, 100))
