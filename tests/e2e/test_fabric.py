"""The fabric from outside: a node in another language works, and one that misbehaves hurts nobody."""
import contextlib
import os
import random
import struct

import msgpack
import pytest
import zmq

from clients import Bytes, Raw
from fabric_node import (BEAT, HELLO, HELLO_ADDRESS, HERE, MSG, PUB, PUB_OK, REFUSE, RESET, SEEK, SUB, SUB_OK, TOOL,
                         VERSION, WELCOME, FabricNode)
from heddle_cluster import API_KEY, http, wait_until

SEED = int(os.environ.get("TEST_SEED", "20261124"))


@pytest.fixture
def node(cluster):
    with FabricNode(cluster.relay.address) as one:
        yield one


@pytest.fixture(autouse=True)
def still_serves(cluster, channel):
    """After each test: the relay lives, and a message goes from edge to edge."""
    yield
    assert cluster.relay.get("/livez").status == 200
    cluster.wait_ready()
    answer = http(f"{cluster.edges[0].admin}/api/publish", {"channel": channel, "data": 1}, {"X-API-Key": API_KEY})
    assert "result" in answer.json, answer.text


def rejected(relay, reason):
    return relay.metrics()[f'heddle_node_rejected_messages_total{{reason="{reason}"}}']


def test_seek_is_answered(node):
    _, here = node.ask((HERE,), [SEEK, "heddle"], to=HELLO_ADDRESS, session=0)
    assert here[1] == "heddle" and here[2] == "relay-1"


def test_a_node_in_another_language_publishes_and_subscribes(cluster, node, channel):
    welcome = node.greet()
    assert welcome[0] == WELCOME and welcome[2] == "relay-1"
    node.send_numbered([SUB, channel, "", 0, 0])
    ok = node.wait(SUB_OK)
    assert ok[1] == channel and ok[3] == 0
    node.send_numbered([PUB, node.id, 1, channel, 0, 0, "", "", b"", b"from python"])
    seen = {}
    while len(seen) < 2:
        for envelope in node.receive()[1]:
            if envelope[0] in (MSG, PUB_OK):
                seen[envelope[0]] = envelope
    assert seen[MSG][1] == channel and seen[MSG][3] == 1 and seen[MSG][-1] == b"from python"
    assert seen[PUB_OK][1] == 1 and seen[PUB_OK][3] == 1


async def test_what_clients_say_can_be_read_off_the_wire(cluster, node, channel):
    node.greet()
    node.send_numbered([SUB, channel, "", 0, 0])
    node.wait(SUB_OK)
    async with Raw.open(cluster.edges[0], channel) as client:
        await client.send("read me")
        await client.receive()
    while True:
        if node.wait(MSG)[-1] in (b"read me", "read me"):
            break


def test_another_cluster_is_refused(cluster):
    with FabricNode(cluster.relay.address, cluster="elsewhere") as stranger:
        refusal = stranger.greet()
        assert refusal[0] == REFUSE and refusal[2]
    wait_until(lambda: cluster.relay.metric("heddle_node_refusals_total") >= 1, "it is counted")


def test_random_bytes_are_counted_and_dropped(cluster, node):
    before = rejected(cluster.relay, "malformed") + rejected(cluster.relay, "version")
    source = random.Random(SEED)
    for _ in range(2000):
        node.send_bytes(source.randbytes(source.randrange(200)))
        node.send_bytes(source.randbytes(source.randrange(200)), to=HELLO_ADDRESS)
    wait_until(lambda: rejected(cluster.relay, "malformed") + rejected(cluster.relay, "version") >= before + 1000,
               f"they are counted (seed {SEED})")


def test_messages_cut_at_every_byte_are_dropped(cluster, node, channel):
    node.greet()
    header = [VERSION, node.id, node.session, 1, node.their_session, 0]
    whole = msgpack.packb(header) + msgpack.packb([PUB, node.id, 9, channel, 0, 0, "", "", b"", b"x" * 40])
    published = cluster.relay.metric("heddle_relay_publications_total")
    for size in range(len(whole)):
        node.send_bytes(whole[:size])
    with FabricNode(cluster.relay.address) as other:
        other.greet()
    assert cluster.relay.metric("heddle_relay_publications_total") == published


BOMBS = {
    "an array of 4 billion": b"\xdd\xff\xff\xff\xff",
    "a map of 4 billion": b"\xdf\xff\xff\xff\xff",
    "a string of 4 GB": b"\xdb\xff\xff\xff\xff",
    "bytes of 4 GB": b"\xc6\xff\xff\xff\xff",
    "an extension of 4 GB": b"\xc9\xff\xff\xff\xff\x01",
    "arrays 100,000 deep": b"\x91" * 100000,
    "maps 100,000 deep": b"\x81" * 100000,
    "the byte that nothing uses": b"\xc1",
    "a number where a string is": msgpack.packb([SUB, 7]),
    "a string where a number is": msgpack.packb(["x", 7]),
    "no kind": msgpack.packb([]),
    "a negative kind": msgpack.packb([-1]),
    "a huge kind": msgpack.packb([2 ** 64 - 1]),
    "no array": msgpack.packb(7),
    "nil": b"\xc0",
    "a channel with a space": msgpack.packb([SUB, "a b", "", 0, 0]),
    "a channel of 300 letters": msgpack.packb([SUB, "x" * 300, "", 0, 0]),
    "a channel that is no UTF-8": b"\x92\x10\xa1\xff",
    "an epoch of 300 letters": msgpack.packb([SUB, "x", "e" * 300, 0, 0]),
    "a float": msgpack.packb([SUB, "x", "", 1.5, 0]),
    "a negative offset": msgpack.packb([SUB, "x", "", -1, 0]),
    "an answer that nobody asked for": msgpack.packb([27, 1, 0, []]),
    "an edge's own kind": msgpack.packb([MSG, "x", "abcdefgh", 1, 1, 1, 1, 0, "", "", b"", b"x"]),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_on_an_open_link_is_dropped(cluster, node, what):
    node.greet()
    before = cluster.relay.rss()
    header = msgpack.packb([VERSION, node.id, node.session, 1, node.their_session, 0])
    node.send_bytes(header + BOMBS[what])
    node.send_bytes(BOMBS[what])
    node.send_bytes(msgpack.packb([VERSION]) + BOMBS[what])
    with FabricNode(cluster.relay.address) as other:
        other.greet()  # which the relay answers after all of these
    assert cluster.relay.rss() - before < 16 << 20


def test_unknown_kinds_are_passed_over_and_counted(cluster, node, channel):
    node.greet()
    before = cluster.relay.metric("heddle_link_unknown_envelopes_total")
    node.send_numbered([99, "future", {"a": [1]}], [SUB, channel, "", 0, 0], [100])
    assert node.wait(SUB_OK)[1] == channel
    wait_until(lambda: cluster.relay.metric("heddle_link_unknown_envelopes_total") == before + 2, "they are counted")


def test_fields_of_the_future_are_passed_over(node, channel):
    node.greet()
    node.send_numbered([SUB, channel, "", 0, 0, 0, "more", {"and": "more"}])
    assert node.wait(SUB_OK)[1] == channel


@pytest.mark.parametrize("version", [0, 2, 127, 2 ** 32])
def test_other_versions_are_counted_and_dropped(cluster, node, version):
    before = rejected(cluster.relay, "version")
    node.send([HELLO, version, "x", TOOL, "heddle", "x"], version=version)
    wait_until(lambda: rejected(cluster.relay, "version") > before, "it is counted")


def test_a_node_that_says_it_is_the_relay_is_counted_and_dropped(cluster, node):
    before = rejected(cluster.relay, "impostor")
    node.send([HELLO, VERSION, "x", TOOL, "heddle", "x"], source=node.relay)
    node.send([BEAT, 1], source=node.relay)
    wait_until(lambda: rejected(cluster.relay, "impostor") >= before + 2, "they are counted")


def edge_id(cluster, edge):
    ups = [event for event in cluster.relay.events("link.up") if event["fields"]["peer"] == edge.name]
    return int(ups[-1]["fields"]["id"], 16)


async def test_a_node_that_says_it_is_an_edge_can_not_speak_for_it(cluster, node, channel):
    """It does not know the edge's session; what it says with another one is dropped."""
    victim = edge_id(cluster, cluster.edges[0])
    async with Raw.open(cluster.edges[0], channel) as client, Raw.open(cluster.edges[1], channel) as other:
        for session in (0, 1, 2 ** 63):
            node.send([PUB, victim, 10 ** 6, channel, 0, 0, "", "", b"", b"forged"], source=victim, session=session,
                      seq=1)
            node.send([BEAT, 5], source=victim, session=session)
        await other.send("real")
        assert await client.receive() == "real"
        await client.send("also real")
        assert await other.receive() == "real"
        assert await other.receive() == "also real"


async def test_a_greeting_in_an_edges_name_costs_it_its_link_at_most(cluster, node, channel):
    """Without keys on the fabric nobody can tell who greets; the edge greets anew, and nothing is lost."""
    victim = edge_id(cluster, cluster.edges[0])
    async with Raw.open(cluster.edges[0], channel) as client, Raw.open(cluster.edges[1], channel, ready=False) as other:
        for n in range(20):
            if n % 5 == 0:
                node.send([HELLO, VERSION, "x", 1, "heddle", "x"], source=victim, session=2 ** 62 + n)
            await other.send(str(n))
        assert await client.receive_many(20) == [str(n) for n in range(20)]


def test_a_stranger_is_told_to_begin_anew(cluster, node, channel):
    before = rejected(cluster.relay, "stranger")
    node.ask((RESET,), [SUB, channel, "", 0, 0], seq=1, session=77)
    assert rejected(cluster.relay, "stranger") > before


def test_a_claimed_gap_of_billions_costs_nothing(cluster, node, channel):
    node.greet()
    before = cluster.relay.rss()
    for seq in (2 ** 32, 2 ** 63, 2 ** 64 - 1):
        node.send([SUB, channel, "", 0, 0], seq=seq)
        node.send([BEAT, seq])
    node.send([7, 2 ** 63])  # RESEND
    node.send_numbered([SUB, channel, "", 0, 0])
    assert node.wait(SUB_OK)
    assert cluster.relay.rss() - before < 16 << 20


def test_a_message_over_the_limit_costs_its_sender_the_connection(cluster, node):
    before = cluster.relay.rss()
    with contextlib.suppress(zmq.ZMQError):
        node.send_bytes(b"\0" * (64 << 20))
    with FabricNode(cluster.relay.address) as other:
        other.greet()
    assert cluster.relay.rss() - before < 32 << 20


def test_what_is_no_zeromq_is_dropped(cluster):
    port = int(cluster.relay.address.rsplit(":", 1)[1])
    for target in (port, port + 1):
        for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\xff" * 64,
                     b"\xff" + struct.pack(">Q", 2 ** 63) + b"\x7f\x03"):
            with Bytes(target) as client:
                client.send_if_open(data)


def test_a_thousand_subscriptions_of_a_strange_node_go_with_it(cluster, channel):
    before = cluster.relay.metric("heddle_links_up")
    with FabricNode(cluster.relay.address) as node:
        node.greet()
        node.send_numbered(*[[SUB, f"{channel}-{n}", "", 0, 0] for n in range(1000)])
        assert node.wait(SUB_OK)
    wait_until(lambda: cluster.relay.metric("heddle_links_up") == before, "its link is given up")
