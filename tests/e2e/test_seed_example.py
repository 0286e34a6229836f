"""The example that people come from: many clients on a /ws path, each receives what is said on channel:1 and
publishes what it sends. Here on two edges, and without a broker."""
import asyncio
import contextlib

from clients import Raw

CLIENTS = 20
RELAY = {"namespaces": {"channel": {"publish": "anyone"}}}


async def test_many_clients_on_two_edges_all_hear_all(cluster):
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Raw.open(cluster.edges[n % 2], "channel:1"))
                   for n in range(CLIENTS)]
        await asyncio.gather(*(client.send(f"from {n}") for n, client in enumerate(clients)))
        heard = await asyncio.gather(*(client.receive_many(CLIENTS) for client in clients))
        assert sorted(heard[0]) == sorted(f"from {n}" for n in range(CLIENTS))
        assert all(one == heard[0] for one in heard), "not the same order for all"
