"""Clients that publish and listen on many channels all the time, and what must hold of all that they saw.

Each channel has a publisher and a listener at every edge. Every listener must have seen the same publications at the
same positions: each once, without a gap, those of one publisher in its order, all that were confirmed; and nobody may
have been told of a loss.
"""
import asyncio
import contextlib
import time

from clients import Centrifuge
from heddle_cluster import PATIENCE

PAUSE = 0.3  # of a publisher between an answer and its next publication


class Listener:
    """All channels at one edge."""

    def __init__(self, client):
        self.client = client
        self.seen = {}    # channel -> [(offset, data)]
        self.epochs = {}  # channel -> as it was told on subscribing
        self.told = []    # pushes that are no publications

    async def subscribe(self, channels):
        for channel in channels:
            result = await self.client.subscribe(channel, positioned=True, recoverable=True)
            self.epochs[channel] = result["epoch"]
            self.seen[channel] = []

    async def read(self):
        while True:
            push = await self.client.pushes.get()
            if "pub" in push:
                self.seen[push["channel"]].append((push["pub"]["offset"], push["pub"]["data"]))
            else:
                self.told.append(push)


class Publisher:
    """One channel at one edge, one publication after another; the first failure ends it."""

    def __init__(self, client, name, channel):
        self.client, self.name, self.channel = client, name, channel
        self.confirmed = 0
        self.longest = 0.0
        self.stops = False

    async def run(self):
        while not self.stops:
            begin = time.monotonic()
            await self.client.publish(self.channel, f"{self.name}:{self.confirmed + 1}")
            self.longest = max(self.longest, time.monotonic() - begin)
            self.confirmed += 1
            await asyncio.sleep(PAUSE)


class Traffic:
    def __init__(self, edges, channels):
        self.edges, self.channels = edges, channels
        self.listeners, self.publishers, self.work = [], [], []

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, edges, channels):
        """At the end all is checked."""
        self = cls(edges, channels)
        async with contextlib.AsyncExitStack() as stack:
            for edge in edges:
                await self.join(await stack.enter_async_context(Centrifuge.open(edge)),
                                await stack.enter_async_context(Centrifuge.open(edge)), edge.name)
            running = [asyncio.ensure_future(publisher.run()) for publisher in self.publishers]
            reading = [asyncio.ensure_future(listener.read()) for listener in self.listeners]
            self.work = [*running, *reading]
            try:
                await self.flows()
                yield self
                for publisher in self.publishers:
                    publisher.stops = True
                await asyncio.gather(*running)
                await self.until(self.has_arrived, "all that was confirmed has arrived")
                await self.check()
            finally:
                for task in self.work:
                    task.cancel()
                await asyncio.gather(*self.work, return_exceptions=True)

    async def join(self, listens, speaks, name):
        listener = Listener(listens)
        self.listeners.append(listener)
        await listener.subscribe(self.channels)
        self.publishers += [Publisher(speaks, name, channel) for channel in self.channels]

    async def until(self, condition, what, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while not condition():
            for task in self.work:
                if task.done():
                    task.result()  # a failure ends the test as what it is
            assert time.monotonic() < deadline, f"not within {patience:g} s: {what}"
            await asyncio.sleep(0.02)

    async def flows(self, patience=PATIENCE):
        """Every publisher has two more answers. Returns the longest that any had to wait since the last call."""
        goals = [(publisher, publisher.confirmed + 2) for publisher in self.publishers]
        await self.until(lambda: all(publisher.confirmed >= goal for publisher, goal in goals), "all publish",
                         patience)
        longest = max(publisher.longest for publisher in self.publishers)
        for publisher in self.publishers:
            publisher.longest = 0.0
        return longest

    def confirmed(self, channel):
        return {f"{publisher.name}:{n}" for publisher in self.publishers if publisher.channel == channel
                for n in range(1, publisher.confirmed + 1)}

    def has_arrived(self):
        return all(len(listener.seen[channel]) >= len(self.confirmed(channel))
                   for listener in self.listeners for channel in self.channels)

    async def check(self):
        for listener in self.listeners:
            assert not listener.told, f"told of: {listener.told[:3]}"
        for channel in self.channels:
            first, *others = (listener.seen[channel] for listener in self.listeners)
            assert all(other == first for other in others), f"{channel}: listeners differ"
            offsets = [offset for offset, _ in first]
            assert offsets == list(range(offsets[0], offsets[0] + len(offsets))), f"{channel}: {offsets}"
            self.check_order(channel, [data for _, data in first])
            now = await self.listeners[0].client.command("history", {"channel": channel})
            assert now["epoch"] == self.listeners[0].epochs[channel], f"{channel} has a new epoch"
            assert now["offset"] == offsets[-1], f"{channel}: the history goes on behind what came"

    def check_order(self, channel, seen):
        assert set(seen) == self.confirmed(channel) and len(seen) == len(set(seen)), f"{channel}: {seen}"
        for name in {data.split(":")[0] for data in seen}:
            numbers = [int(data.split(":")[1]) for data in seen if data.startswith(f"{name}:")]
            assert numbers == sorted(numbers), f"{channel}: {name} out of order: {numbers}"
