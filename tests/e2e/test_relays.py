"""Several relays are one: who owns a channel, who dies and who comes back is nothing that a client can tell."""
import asyncio
import contextlib
import json
import re
import signal
import subprocess
import time

import pytest

from clients import Centrifuge, Raw
from heddle_cluster import BUILD, PATIENCE, ROOT, Edge, wait_until
from traffic import Traffic

CHANNELS = [f"room-{n}" for n in range(50)]
KEPT = {"namespaces": {"default": {"history": {"size": 1000, "ttl": "1h"}}}}

# Five heartbeats until a silence counts, a second for the vote, and a busy machine.
SOON = PATIENCE * 8 / 15


async def ready(cluster):
    await asyncio.to_thread(cluster.wait_ready)


async def start(process):
    await asyncio.to_thread(process.start)


async def soon(condition, what):
    return await asyncio.to_thread(wait_until, condition, what)


async def ask(edge, method, channel, **body):
    """The result of the HTTP API."""
    answer = await asyncio.to_thread(edge.api, method, {"channel": channel, **body})
    return answer.json["result"]


def taken(relay):
    return relay.metrics()['heddle_mesh_channels_total{direction="taken"}']


@pytest.fixture
def report(record_property):
    """How long the publisher that waited longest had to wait: told with -rA, and in the JUnit file."""
    def tell(what, seconds):
        record_property(what, f"{seconds:.2f} s")
        print(f"{what}: {seconds:.2f} s")
    return tell


# --- one view ---

async def test_what_is_published_at_an_edge_arrives_at_the_other_whoever_owns_the_channel(make_cluster):
    cluster = make_cluster(relays=3, relay=KEPT)
    one, two = cluster.edges
    async with Centrifuge.open(one, *CHANNELS) as listener, Centrifuge.open(two) as speaker:
        for channel in CHANNELS:
            await speaker.publish(channel, f"to {channel}")
        got = {}
        for _ in CHANNELS:
            push = await listener.push()
            got[push["channel"]] = push["pub"]["data"]
        assert got == {channel: f"to {channel}" for channel in CHANNELS}
        for channel in CHANNELS:
            history = await ask(two, "history", channel, limit=1)
            assert [entry["data"] for entry in history["publications"]] == [f"to {channel}"]
            presence = await ask(two, "presence", channel)
            assert list(presence["presence"]) == [listener.welcome["client"]]
    for relay in cluster.relays:
        assert relay.metric("heddle_relay_publications_total") > 0, f"{relay.name} owns no channel"


async def test_raw_clients_reach_each_other_whoever_owns_the_channel(make_cluster):
    one, two = make_cluster(relays=3).edges
    for channel in CHANNELS[:10]:
        async with Raw.open(one, channel) as listener, Raw.open(two, channel) as speaker:
            await speaker.send(f"to {channel}")
            assert await listener.receive() == f"to {channel}"


@pytest.mark.parametrize("asked", range(3))
def test_each_relay_tells_of_all_nodes(make_cluster, asked):
    cluster = make_cluster(relays=3)
    done = subprocess.run([BUILD / "heddle", "status", "--to", cluster.relays[asked].address], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert cluster.relays[asked].name in done.stdout
    for edge in cluster.edges:
        assert edge.name in done.stdout


# --- three relays, one fault at a time, under load ---

async def test_nobody_notices_that_relays_are_killed_one_after_another_and_come_back(make_cluster, report):
    cluster = make_cluster(relays=3, relay=KEPT)
    async with Traffic.on(cluster.edges, CHANNELS) as traffic:
        for relay in cluster.relays:
            relay.kill()
            report(f"after kill -9 of {relay.name}", await traffic.flows(SOON))
            await ready(cluster)
            await start(relay)
            await ready(cluster)
            report(f"after the start of {relay.name}", await traffic.flows(SOON))
            assert taken(relay) > 0


async def test_nobody_notices_a_rolling_restart_of_all_relays(make_cluster, report):
    cluster = make_cluster(relays=3, relay=KEPT)
    async with Traffic.on(cluster.edges, CHANNELS) as traffic:
        for relay in cluster.relays:
            assert await asyncio.to_thread(relay.terminate) == 0
            await start(relay)
            await ready(cluster)
            report(f"restart of {relay.name}", await traffic.flows(SOON))


async def test_nobody_notices_a_relay_that_leaves_for_good(make_cluster, report):
    cluster = make_cluster(relays=3, relay=KEPT)
    async with Traffic.on(cluster.edges, CHANNELS) as traffic:
        assert await asyncio.to_thread(cluster.relay.terminate) == 0
        report("after SIGTERM", await traffic.flows(SOON))
        await ready(cluster)


async def test_a_relay_that_stood_still_finds_that_others_went_on_and_joins_them(make_cluster, report):
    cluster = make_cluster(relays=3, relay=KEPT)
    zombie = cluster.relays[1]
    async with Traffic.on(cluster.edges, CHANNELS) as traffic:
        begin = time.monotonic()
        zombie.signal(signal.SIGSTOP)
        try:
            report("after SIGSTOP", await traffic.flows(SOON))
            await soon(lambda: time.monotonic() > begin + 6, "it stood still for 6 s")
        finally:
            zombie.signal(signal.SIGCONT)
        await ready(cluster)
        report("after SIGCONT", await traffic.flows(SOON))
        assert taken(zombie) > 0


async def test_a_fourth_relay_takes_its_share_while_traffic_flows(make_cluster, report):
    cluster = make_cluster(relays=4, late=1, relay=KEPT)
    [fourth] = cluster.late
    async with Traffic.on(cluster.edges, CHANNELS) as traffic:
        await start(fourth)
        await ready(cluster)
        report("a fourth relay", await traffic.flows(SOON))
        assert 0 < taken(fourth) < len(CHANNELS)


# --- an edge that knows one relay only ---

async def test_an_edge_that_lists_one_relay_reaches_the_channels_of_all(make_cluster, tmp_path):
    cluster = make_cluster(relays=3, relay=KEPT)
    gate = cluster.relays[1]
    partial = Edge("edge-3", tmp_path, [gate.address], {})
    cluster.edges.append(partial)
    await asyncio.to_thread(partial.start)
    await ready(cluster)
    async with Traffic.on(cluster.edges, CHANNELS) as traffic:
        await traffic.flows()
        assert gate.metric("heddle_relay_forwarded_requests_total") > 0


async def test_an_edge_whose_only_relay_is_killed_says_so_and_misses_nothing_when_it_is_back(make_cluster, tmp_path):
    cluster = make_cluster(relays=3, relay=KEPT)
    gate = cluster.relays[1]
    partial = Edge("edge-3", tmp_path, [gate.address], {})
    cluster.edges.append(partial)
    await asyncio.to_thread(partial.start)
    await ready(cluster)
    other_channels = [f"{channel}-too" for channel in CHANNELS]
    async with Traffic.on([partial], CHANNELS), Traffic.on(cluster.edges[:2], other_channels) as others:
        gate.kill()
        await soon(lambda: "no_relay" in partial.get("/readyz").json["reasons"], "the edge says that it has no relay")
        await others.flows(SOON)
        await start(gate)
        await ready(cluster)


# --- fewer copies ---

@contextlib.asynccontextmanager
async def positioned(edge):
    async with Centrifuge.open(edge) as listener:
        epochs = {}
        for channel in CHANNELS:
            epochs[channel] = (await listener.subscribe(channel, positioned=True, recoverable=True))["epoch"]
        yield listener, epochs


async def publish_to_all(listener, speaker):
    for channel in CHANNELS:
        await speaker.publish(channel, "before")
    assert [(await listener.publication())["data"] for _ in CHANNELS] == ["before"] * len(CHANNELS)


async def who_was_told(listener, speaker):
    """Publishes to each channel again. Returns those that went on, and those of which their listener was told."""
    for channel in CHANNELS:
        await speaker.publish(channel, "after")
    on, told = set(), set()
    while on | told != set(CHANNELS):
        push = await listener.push()
        if "unsubscribe" in push:
            assert push["unsubscribe"]["code"] == 2500
            told.add(push["channel"])
        else:
            assert (push["pub"]["offset"], push["pub"]["data"]) == (2, "after")
            on.add(push["channel"])
    assert not on & told
    return on, told


@pytest.mark.parametrize("replicas", [1, 0])
async def test_of_two_relays_one_is_killed_and_tells_of_each_stream_that_it_cannot_go_on_with(make_cluster, replicas):
    """That is: those whose copy was at the other one; or, without copies, those that the other one had."""
    cluster = make_cluster(relays=2, relay={**KEPT, "replicas": replicas})
    stays, dies = cluster.relays
    one, two = cluster.edges
    async with positioned(one) as (listener, epochs), Centrifuge.open(two) as speaker:
        await publish_to_all(listener, speaker)
        owned = {relay: relay.metric("heddle_relay_publications_total") for relay in cluster.relays}
        dies.kill()
        await soon(lambda: stays.is_settled(1), "the other is alone")
        on, told = await who_was_told(listener, speaker)
        assert on and len(told) == owned[stays if replicas else dies]
        for channel in CHANNELS:
            history = await ask(two, "history", channel, limit=10)
            kept = [entry["data"] for entry in history["publications"]]
            assert kept == (["before", "after"] if channel in on else ["after"]), channel
            assert (history["epoch"] == epochs[channel]) == (channel in on), channel
        for channel in told:
            again = await listener.subscribe(channel, positioned=True, recoverable=True)
            assert again["epoch"] != epochs[channel]


# --- configuration ---

@pytest.mark.parametrize("other", [{"replicas": 0}, {"namespaces": {"default": {"presence": False}}}])
def test_relays_with_different_options_say_so(make_cluster, other):
    cluster = make_cluster(relays=2, late=1)
    [odd] = cluster.late
    odd.config.update({"namespaces": {**odd.config["namespaces"], **other.get("namespaces", {})},
                       **{key: value for key, value in other.items() if key != "namespaces"}})
    odd.start()
    assert cluster.relay.wait_event("mesh.options_differ")["relay"] == odd.name
    assert odd.wait_event("mesh.options_differ")["relay"] == cluster.relay.name


# --- the operators' page ---

def example(program):
    page = (ROOT / "docs/operations.md").read_text()
    return re.search(rf"<!-- test: relays, {program} -->\n```yaml\n(.*?)```", page, re.S)[1]


@pytest.mark.parametrize("program", ["heddle-relay", "heddle-edge"])
def test_an_example_of_the_operators_page_is_fine(tmp_path, program):
    file = tmp_path / "example.yaml"
    file.write_text(example(program).replace("10.0.0.", "127.0.0."))  # others would need keys
    done = subprocess.run([BUILD / program, "-t", "-c", file], capture_output=True, text=True, timeout=PATIENCE,
                          check=False)
    assert done.returncode == 0, done.stderr


async def test_three_relays_with_the_lists_of_the_operators_page_become_one_view(make_cluster):
    cluster = make_cluster(relays=3, late=3, edges=0)
    addresses = [relay.address for relay in cluster.relays]

    def here(program, key):
        """The example's list, with this machine's addresses."""
        listed = json.loads(re.search(rf"^{key}: (\[.*\])$", example(program), re.M)[1])
        assert len(listed) == len(addresses)
        return [addresses[int(re.search(r"10\.0\.0\.(\d)", one)[1]) - 1] for one in listed]

    for relay in cluster.relays:
        relay.config["peers"] = here("heddle-relay", "peers")
        await start(relay)
    cluster.edges.append(Edge("edge-1", cluster.relay.folder, here("heddle-edge", "relays"), {}))
    await start(cluster.edges[0])
    await ready(cluster)
    assert all(relay.is_settled(3) for relay in cluster.relays)
