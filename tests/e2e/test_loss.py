"""A relay or an edge dies: nothing is lost silently, and everybody goes on."""
import asyncio
import contextlib
import signal

import websockets

from clients import Centrifuge, Raw, Refused, connect, within
from heddle_cluster import PATIENCE, wait_until


async def test_clients_stay_and_are_told_when_the_relay_is_killed_and_comes_back(make_cluster, channel):
    cluster = make_cluster()
    one, two = cluster.edges
    async with Centrifuge.open(one, channel) as listener, Centrifuge.open(two) as speaker:
        await speaker.publish(channel, "before")
        assert (await listener.publication())["data"] == "before"

        cluster.relay.kill()
        for edge in cluster.edges:
            await asyncio.to_thread(wait_until, lambda edge=edge: not edge.is_ready(), f"{edge.name} misses its relay")
        assert one.get("/livez").status == 200
        cluster.relay.start()
        await asyncio.to_thread(cluster.wait_ready)

        # memory of one relay is gone with it: the subscription can't go on, and says so
        while True:
            push = await listener.push()
            if "unsubscribe" in push:
                break
        assert push["unsubscribe"]["code"] == 2500 and push["unsubscribe"]["reason"]
        await listener.subscribe(channel)
        await speaker.publish(channel, "after")
        assert (await listener.publication())["data"] == "after"
        assert not listener.socket.closed and not speaker.socket.closed


async def test_a_raw_client_is_closed_with_3010_when_the_stream_can_not_go_on(make_cluster, channel):
    cluster = make_cluster()
    async with Raw.open(cluster.edges[0], channel) as listener:
        cluster.relay.kill()
        cluster.relay.start()
        await asyncio.to_thread(cluster.wait_ready)
        await within(listener.socket.wait_closed())
        assert listener.socket.close_code == 3010 and listener.socket.close_reason
    async with Raw.open(cluster.edges[0], channel) as again:
        await again.send("on")
        assert await again.receive() == "on"


async def test_publishing_goes_on_after_the_relay_came_back(make_cluster, channel):
    """Publishers that send all the time; each is answered, and what was accepted after the restart arrives."""
    cluster = make_cluster()
    accepted, refused = [], []

    async def speak(client, who):
        for n in range(200):
            try:
                await client.publish(channel, f"{who}:{n}")
                accepted.append(f"{who}:{n}")
            except Refused as error:
                refused.append(error.code)
            await asyncio.sleep(0.005)

    async with contextlib.AsyncExitStack() as stack:
        speakers = [await stack.enter_async_context(Centrifuge.open(cluster.edges[n % 2])) for n in range(4)]
        work = [asyncio.ensure_future(speak(client, n)) for n, client in enumerate(speakers)]
        while len(accepted) < 40:
            await asyncio.sleep(0.01)
        cluster.relay.kill()
        cluster.relay.start()
        await within(asyncio.gather(*work), 60)
        assert len(accepted) + len(refused) == 800
        assert set(refused) <= {100}, "only `internal`, which is temporary"
        async with Centrifuge.open(cluster.edges[0], channel) as listener:
            await speakers[1].publish(channel, "last")
            assert (await listener.publication())["data"] == "last"


async def test_an_accepted_publication_arrives_exactly_once_though_links_break(make_cluster, channel):
    """The relay stands still until its links are given up, and goes on with what it knew."""
    cluster = make_cluster()
    async with Centrifuge.open(cluster.edges[0], channel) as listener, Centrifuge.open(cluster.edges[1]) as speaker:
        await speaker.publish(channel, 0)
        cluster.relay.process.send_signal(signal.SIGSTOP)
        try:
            for edge in cluster.edges:
                await asyncio.to_thread(wait_until, lambda edge=edge: not edge.is_ready(), f"{edge.name} gives up")
            work = [asyncio.ensure_future(speaker.publish(channel, n)) for n in range(1, 21)]
        finally:
            cluster.relay.process.send_signal(signal.SIGCONT)
        await within(asyncio.gather(*work))
        got = [(await listener.publication())["data"] for _ in range(21)]
        assert got == list(range(21))
        await speaker.publish(channel, "end")
        assert (await listener.publication())["data"] == "end"


async def test_clients_of_a_killed_edge_go_on_at_the_other_one(make_cluster, channel):
    cluster = make_cluster()
    one, two = cluster.edges
    async with Raw.open(two, channel) as stays:
        async with connect(f"{one.ws}/ws/{channel}") as client:
            one.kill()
            with contextlib.suppress(websockets.ConnectionClosed):
                await within(client.recv())
        async with Raw.open(two, channel) as moved:
            await moved.send("here")
            assert await stays.receive() == "here"
            assert await moved.receive() == "here"

    def edges_of_relay():
        return cluster.relay.metric("heddle_relay_edges") == 1
    await asyncio.to_thread(wait_until, edges_of_relay, "the relay lets the dead edge go")


async def test_presence_forgets_the_clients_of_a_killed_edge(make_cluster, channel):
    cluster = make_cluster()
    one, two = cluster.edges
    async with Centrifuge.open(one, channel), Centrifuge.open(two, channel) as stays:
        async def count(wanted):
            async with asyncio.timeout(PATIENCE):
                while (await stays.command("presence_stats", {"channel": channel}))["num_clients"] != wanted:
                    await asyncio.sleep(0.02)
        await count(2)
        one.kill()
        await count(1)


async def test_an_edge_that_was_killed_comes_back_on_the_same_port(make_cluster, channel):
    cluster = make_cluster()
    one, two = cluster.edges
    one.kill()
    one.restart_on_same_port()
    await asyncio.to_thread(cluster.wait_ready)
    async with Raw.open(one, channel) as client, Raw.open(two, channel, ready=False) as speaker:
        await speaker.send("back")
        assert await client.receive() == "back"


async def test_an_edge_without_a_relay_is_alive_and_not_ready_and_says_why(make_cluster):
    cluster = make_cluster()
    cluster.relay.kill()
    edge = cluster.edges[0]
    await asyncio.to_thread(wait_until, lambda: "no_relay" in edge.get("/readyz").text, "the edge has given up its relay")
    assert edge.get("/readyz").status == 503
    assert edge.get("/livez").status == 200
    cluster.relay.start()
    await asyncio.to_thread(cluster.wait_ready)
