"""A message crosses from one edge to the other as it was sent."""
import asyncio
import base64
import json
import os

import pytest

from clients import PROBE, Centrifuge, Raw, connect, within

KIB64 = 64 * 1024

# What a raw client may send, and gets back byte for byte.
PAYLOADS = {
    "a text": "hello",
    "an empty text": "",
    "one letter": "x",
    "64 KiB of text": "0123456789abcdef" * (KIB64 // 16),
    "UTF-8 of every length": "a \u00e9 \u20ac \U0001f9f5 \u0000 \u001f \u2028",
    "a number that no double holds": "12345678901234567890",
    "a number with a zero at its end": "1.10",
    "JSON with white space": '{ "a" : [ 1.0 , 1e5 ] ,"a":2 }',
    "bytes": bytes(range(256)),
    "no bytes": b"",
    "one byte": b"\x00",
    "64 KiB of bytes": os.urandom(KIB64),
    "bytes that are no UTF-8": b"\xff\xfe\xc0\x80",
}

# Texts of JSON values, for the centrifuge protocol.
VALUES = ["12345678901234567890", "1.10", "-0.0", "1E400", '"\\u00e9\\/\\ud83e\\uddf5"', '""', "null", "false",
          "[]", "{}", '{"a":{"b":[1,2.50]},"c":"\u20ac"}', '"' + "x" * (KIB64 - 2) + '"']


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("way", [(0, 1), (1, 0)], ids=["there", "back"])
async def test_a_raw_message_arrives_as_it_was_sent(cluster, channel, name, way):
    sender, receiver = (cluster.edges[i] for i in way)
    async with Raw.open(receiver, channel) as listener, Raw.open(sender, channel, ready=False) as speaker:
        await speaker.send(PAYLOADS[name])
        got = await listener.receive()
        assert type(got) is type(PAYLOADS[name]) and got == PAYLOADS[name]


@pytest.mark.parametrize("text", VALUES, ids=lambda text: text[:20])
@pytest.mark.parametrize("way", [(0, 1), (1, 0)], ids=["there", "back"])
async def test_a_centrifuge_message_arrives_byte_for_byte(cluster, channel, text, way):
    sender, receiver = (cluster.edges[i] for i in way)
    async with Centrifuge.open(receiver, channel) as listener, Centrifuge.open(sender) as speaker:
        id_ = speaker.next_id()
        await speaker.send_text('{"id":%d,"publish":{"channel":"%s","data":%s}}' % (id_, channel, text))
        assert "error" not in await speaker.answer(id_)
        push = await listener.push()
        assert f'"data":{text}' in push["line"]


async def test_line_feeds_inside_data_do_not_break_the_frames_lines(cluster, channel):
    async with Raw.open(cluster.edges[0], channel, ready=False) as speaker, \
            Centrifuge.open(cluster.edges[1], channel) as listener:
        await speaker.send('{\n "a":\n 1\n}')
        assert (await listener.publication())["data"] == {"a": 1}


async def test_what_is_no_json_reaches_a_centrifuge_client_as_a_string(cluster, channel):
    async with Raw.open(cluster.edges[0], channel, ready=False) as speaker, \
            Centrifuge.open(cluster.edges[1], channel) as listener:
        await speaker.send('no "JSON" \u20ac')
        assert (await listener.publication())["data"] == 'no "JSON" \u20ac'


async def test_bytes_reach_a_centrifuge_client_in_base64(cluster, channel):
    async with Raw.open(cluster.edges[0], channel, ready=False) as speaker, \
            Centrifuge.open(cluster.edges[1], channel) as listener:
        await speaker.send(b"\x00\xff")
        assert (await listener.publication())["data"] == {"b64data": base64.b64encode(b"\x00\xff").decode()}


async def test_a_centrifuge_message_reaches_a_raw_client_as_its_data(cluster, channel):
    async with Raw.open(cluster.edges[1], channel) as listener, Centrifuge.open(cluster.edges[0]) as speaker:
        await speaker.publish(channel, {"n": 1})
        assert json.loads(await listener.receive()) == {"n": 1}


async def test_publications_carry_who_sent_them_and_dense_offsets(cluster, channel):
    async with Centrifuge.open(cluster.edges[1], channel) as listener, \
            Centrifuge.open(cluster.edges[0]) as speaker:
        for n in range(3):
            await speaker.publish(channel, n)
        pubs = [await listener.publication() for _ in range(3)]
        assert [pub["data"] for pub in pubs] == [0, 1, 2]
        assert [pub["offset"] for pub in pubs] == [1, 2, 3]
        assert {pub["info"]["client"] for pub in pubs} == {speaker.welcome["client"]}


async def test_a_raw_client_may_do_without_its_own_messages(cluster, channel):
    async with Raw.open(cluster.edges[1], channel) as other, \
            Raw.open(cluster.edges[0], channel, "?echo=0", ready=False) as client:
        await client.send("mine")
        assert await other.receive() == "mine"
        await other.send("theirs")
        assert await client.receive() == "theirs"


async def test_a_raw_client_may_only_publish(cluster, channel):
    async with Raw.open(cluster.edges[1], channel) as other, \
            Raw.open(cluster.edges[0], channel, "?mode=pub", ready=False) as client:
        await client.send("one")
        assert await other.receive() == "one"
        await other.send("two")
        assert await other.receive() == "two"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.socket.recv(), 0.2)


async def test_a_raw_client_listens_to_several_channels_and_publishes_to_the_first(cluster, channel):
    first, second = channel + "-a", channel + "-b"
    async with connect(f"{cluster.edges[0].ws}/ws?channel={first}&channel={second}") as both, \
            Raw.open(cluster.edges[1], first) as one, Raw.open(cluster.edges[1], second) as two:
        await both.send("to the first")
        assert await one.receive() == "to the first"
        await two.send("to the second")
        got = set()
        while len(got) < 2:
            payload = await within(both.recv())
            if not payload.startswith(PROBE):
                got.add(payload)
        assert got == {"to the first", "to the second"}
