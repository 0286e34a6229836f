"""Frames that break the rules end their connection with the right code, and nothing else."""
import os
import struct

import pytest

from clients import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Bytes, frame
from heddle_cluster import wait_until

LIMIT = 32 * 1024
EDGE = {"limits": {"message": f"{LIMIT}B"}}


def close(code, reason=b""):
    return frame(struct.pack(">H", code) + reason, CLOSE)


# what is wrong: (bytes, close code)
BROKEN = {
    "unmasked": (frame(b"x", mask=False), 1002),
    "an unmasked ping": (frame(b"x", PING, mask=False), 1002),
    "RSV1": (frame(b"x", reserved=4), 1002),
    "RSV2": (frame(b"x", reserved=2), 1002),
    "RSV3": (frame(b"x", reserved=1), 1002),
    "opcode 3": (frame(b"x", 3), 1002),
    "opcode 7": (frame(b"x", 7), 1002),
    "opcode 11": (frame(b"x", 11), 1002),
    "opcode 15": (frame(b"x", 15), 1002),
    "a continuation of nothing": (frame(b"x", CONTINUATION), 1002),
    "a message inside a message": (frame(b"x", TEXT, fin=False) + frame(b"y", TEXT), 1002),
    "a ping in pieces": (frame(b"x", PING, fin=False), 1002),
    "a ping of 126 bytes": (frame(b"x" * 126, PING), 1002),
    "a length of 2^62": (frame(b"x", BINARY, size=1 << 62), 1009),
    "a length of 2^63": (frame(b"x", BINARY, size=1 << 63), 1002),
    "a length of 2^64-1": (frame(b"x", BINARY, size=(1 << 64) - 1), 1002),
    "a long form for a short length": (b"\x82\xfe\x00\x05\0\0\0\0hello", 1002),
    "a longer form for a short length": (b"\x82\xff" + struct.pack(">Q", 5) + b"\0\0\0\0hello", 1002),
    "over the limit by one": (frame(b"x" * (LIMIT + 1)), 1009),
    "over the limit in pieces": (frame(b"x" * LIMIT, fin=False) + frame(b"x", CONTINUATION), 1009),
    "invalid UTF-8": (frame(b"\xff"), 1007),
    "UTF-8 cut short": (frame(b"\xe2\x82"), 1007),
    "an overlong form": (frame(b"\xc0\x80"), 1007),
    "a surrogate": (frame(b"\xed\xa0\x80"), 1007),
    "beyond the last character": (frame(b"\xf4\x90\x80\x80"), 1007),
    "invalid UTF-8 over two pieces": (frame(b"\xe2", fin=False) + frame(b"\x28", CONTINUATION), 1007),
    "a close of one byte": (frame(b"\x03", CLOSE), 1002),
    "a close with code 1005": (close(1005), 1002),
    "a close with code 999": (close(999), 1002),
    "a close with code 1004": (close(1004), 1002),
    "a close whose reason is no UTF-8": (close(1000, b"\xff"), 1007),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("path", ["/ws/x", "/connection/websocket"], ids=["raw", "centrifuge"])
def test_a_broken_frame_ends_its_connection_with_the_right_code(cluster, what, path):
    data, code = BROKEN[what]
    with Bytes(cluster.edges[0].port) as client:
        client.open(path)
        client.send_if_open(data)
        assert client.close_code() == code
        client.until_closed()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, LIMIT])
def test_a_message_of_any_allowed_size_passes(cluster, channel, size):
    payload = os.urandom(size)
    with Bytes(cluster.edges[0].port) as client:
        client.open(f"/ws/{channel}")
        client.send(frame(payload, BINARY))
        assert client.receive() == payload


def test_a_message_in_pieces_with_pings_between_arrives_whole(cluster, channel):
    with Bytes(cluster.edges[0].port) as client:
        client.open(f"/ws/{channel}")
        client.send(frame(b"a\xe2\x82", fin=False) + frame(b"p", PING) + frame(b"", CONTINUATION, fin=False) +
                    frame(b"\xacb", CONTINUATION))
        assert client.frame() == (PONG, b"p")
        assert client.receive() == "a\u20acb".encode()


def test_a_message_in_single_bytes_arrives_whole(cluster, channel):
    with Bytes(cluster.edges[0].port) as client:
        client.open(f"/ws/{channel}")
        for byte in frame(b"slowly"):
            client.send(bytes([byte]))
        assert client.receive() == b"slowly"


def test_a_ping_is_answered_with_its_payload(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.open("/ws/x")
        payload = os.urandom(125)
        client.send(frame(payload, PING))
        assert client.frame() == (PONG, payload)


def test_a_pong_that_nobody_asked_for_is_fine(cluster, channel):
    with Bytes(cluster.edges[0].port) as client:
        client.open(f"/ws/{channel}")
        client.send(frame(b"", PONG) + frame(b"on"))
        assert client.receive() == b"on"


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_is_answered_and_the_connection_ends(cluster, code):
    with Bytes(cluster.edges[0].port) as client:
        client.open("/ws/x")
        client.send(close(code, b"bye"))
        opcode, payload = client.frame()
        assert opcode == CLOSE and struct.unpack(">H", payload[:2])[0] == code
        client.until_closed()


def test_a_close_without_a_code_is_answered(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.open("/ws/x")
        client.send(frame(b"", CLOSE))
        assert client.frame()[0] == CLOSE
        client.until_closed()


def test_nothing_is_taken_after_a_close(cluster, channel):
    with Bytes(cluster.edges[0].port) as other, Bytes(cluster.edges[0].port) as client:
        other.open(f"/ws/{channel}")
        other.send(frame(b"ready"))
        assert other.receive() == b"ready"
        client.open(f"/ws/{channel}?mode=pub")
        client.send(frame(b"before") + close(1000) + frame(b"after"))
        client.until_closed()
        other.send(frame(b"end"))
        assert [other.receive(), other.receive()] == [b"before", b"end"]


def test_a_flood_of_pieces_is_closed(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.open("/ws/x")
        pieces = frame(b"", TEXT, fin=False) + frame(b"", CONTINUATION, fin=False) * 20000
        client.send_if_open(pieces)
        assert client.close_code() in (1008, 1009)


def test_a_flood_of_pings_is_closed_and_the_others_are_served(cluster, channel):
    edge = cluster.edges[0]
    with Bytes(edge.port) as client, Bytes(edge.port) as other:
        client.open("/ws/x")
        other.open(f"/ws/{channel}")
        client.send_if_open(frame(b"x" * 125, PING) * 5000)
        other.send(frame(b"served"))
        assert other.receive() == b"served"
        assert client.close_code() == 1008


def test_a_flood_of_pongs_is_closed(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.open("/ws/x")
        client.send_if_open(frame(b"", PONG) * 20000)
        assert client.close_code() == 1008


def test_claimed_lengths_cost_no_memory(cluster):
    edge = cluster.edges[0]
    before = edge.rss()
    clients = [Bytes(edge.port).open("/ws/x") for _ in range(500)]
    try:
        for client in clients:
            client.send(frame(b"x" * 100, BINARY, size=LIMIT))  # says so, and goes silent
        wait_until(lambda: edge.connections() == 500, "all are there")
        assert edge.rss() - before < 500 * LIMIT / 2
    finally:
        for client in clients:
            client.socket.close()
    wait_until(lambda: edge.connections() == 0, "all have gone")


def test_a_connection_that_breaks_in_a_frame_is_forgotten(cluster):
    edge = cluster.edges[0]
    for _ in range(50):
        with Bytes(edge.port) as client:
            client.open("/ws/x")
            client.send(frame(b"x" * 1000, BINARY)[:700])
    wait_until(lambda: edge.connections() == 0, "all have gone")
