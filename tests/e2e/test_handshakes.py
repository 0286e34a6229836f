"""Handshakes that are wrong get a clear answer, and nothing else suffers."""
import asyncio
import contextlib
import time

import pytest

from clients import ACCEPT, KEY, Bytes, Raw, frame, upgrade
from heddle_cluster import wait_until

EDGE = {"listen": {"allowed_origins": ["https://app.example.org", "https://*.example.net"]}}

# what is wrong: (the request, the status of the answer)
REFUSED = {
    "POST": (upgrade(method="POST"), 405),
    "PUT with a body": (upgrade(method="PUT", content_length="3"), 405),
    "no such method": (upgrade(method="BREW"), 405),
    "lower-case get": (upgrade(method="get"), 405),
    "HTTP/1.0": (upgrade(version="HTTP/1.0"), 505),
    "HTTP/2.0": (upgrade(version="HTTP/2.0"), 505),
    "HTTP/9.9": (upgrade(version="HTTP/9.9"), 505),
    "no HTTP at all": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "two Hosts": (upgrade(extra=["Host: other"]), 400),
    "no Host": (upgrade(drop=["Host"]), 400),
    "version 8": (upgrade(sec_websocket_version="8"), 426),
    "no version": (upgrade(drop=["Sec-WebSocket-Version"]), 426),
    "two versions": (upgrade(extra=["Sec-WebSocket-Version: 13"]), 426),
    "no key": (upgrade(drop=["Sec-WebSocket-Key"]), 400),
    "a key of 15 bytes": (upgrade(sec_websocket_key="dGhlIHNhbXBsZSBub25j"), 400),
    "a key that is no base64": (upgrade(sec_websocket_key="!" * 22 + "=="), 400),
    "two keys": (upgrade(extra=[f"Sec-WebSocket-Key: {KEY}"]), 400),
    "h2c": (upgrade(upgrade="h2c", connection="Upgrade, HTTP2-Settings", http2_settings="AAMAAABkAAQAAP__"), 400),
    "h2c beside websocket": (upgrade(upgrade="websocket, h2c"), 400),
    "two Upgrades": (upgrade(extra=["Upgrade: h2c"]), 400),
    "no Upgrade": (upgrade(drop=["Upgrade"]), 400),
    "Upgrade: foo": (upgrade(upgrade="foo"), 400),
    "Connection: close": (upgrade(connection="close"), 400),
    "a body": (upgrade(content_length="5") + "12345", 400),
    "a chunked body": (upgrade(transfer_encoding="chunked") + "0\r\n\r\n", 400),
    "a foreign Origin": (upgrade(origin="https://evil.example"), 403),
    "an Origin that begins like a good one": (upgrade(origin="https://app.example.org.evil.example"), 403),
    "an Origin with another scheme": (upgrade(origin="http://app.example.org"), 403),
    "Origin: null": (upgrade(origin="null"), 403),
    "two Origins": (upgrade(origin="https://app.example.org", extra=["Origin: https://evil.example"]), 403),
    "an unknown path": (upgrade("/nowhere"), 404),
    "a path under the root of another": (upgrade("/connection/websocket/more"), 404),
    "a path that only begins alike": (upgrade("/wsx/room"), 404),
    "no channel": (upgrade("/ws"), 400),
    "an empty channel": (upgrade("/ws/"), 400),
    "a channel with a space": (upgrade("/ws/a%20b"), 400),
    "a channel with a NUL": (upgrade("/ws/a%00b"), 400),
    "a channel of 256 letters": (upgrade("/ws/" + "x" * 256), 400),
    "a broken escape": (upgrade("/ws/%4"), 400),
    "an unknown mode": (upgrade("/ws/x?mode=both"), 400),
    "a bad token": (upgrade("/ws/x?token=a.b.c"), 401),
    "a channel of no namespace": (upgrade("/ws/nowhere:x"), 404),
    "a header without a colon": (upgrade(extra=["nonsense"]), 400),
    "a space before the colon": (upgrade(extra=["Bad : 1"]), 400),
    "a folded header": (upgrade(extra=["X-A: 1", " 2"]), 400),
    "a NUL in a header": (upgrade(extra=["X-A: a\0b"]), 400),
    "bare line feeds": (upgrade().replace("\r\n", "\n") + "\r\n\r\n", 400),
    "a header of 9000 letters": (upgrade(extra=["X-A: " + "a" * 9000]), 431),
    "a target of 9000 letters": (upgrade("/ws/" + "a" * 9000), 431),
    "a thousand headers": (upgrade(extra=[f"X-{n}: 1" for n in range(1000)]), 431),
    "seventy headers": (upgrade(extra=[f"X-{n}: 1" for n in range(70)]), 431),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_handshake_is_answered_and_closed(cluster, what):
    request, status = REFUSED[what]
    edge = cluster.edges[0]
    with Bytes(edge.port) as client:
        client.send_if_open(request.encode("latin-1"))
        head = client.head()
        assert head.startswith(f"HTTP/1.1 {status} "), head
        client.until_closed()
    assert edge.get("/livez").status == 200


def test_a_refusal_says_why_in_words(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.send(upgrade(sec_websocket_version="8"))
        head = client.head()
        assert "sec-websocket-version: 13" in head.lower()
        assert b"version" in client.until_closed().lower()


GRANTED = {
    "as the RFC has it": upgrade(),
    "names in other letters": upgrade(upgrade="WebSocket", connection="keep-alive, UPGRADE"),
    "a good Origin": upgrade(origin="https://app.example.org"),
    "an Origin that matches a star": upgrade(origin="https://a.b.example.net"),
    "an absolute target": upgrade("http://127.0.0.1/ws/x"),
    "extensions that we don't have": upgrade(sec_websocket_extensions="permessage-deflate; client_max_window_bits"),
    "an escaped channel": upgrade("/ws/r%6fom-%31"),
    "a query that is not ours": upgrade("/ws/x?utm=1&_=2"),
}


@pytest.mark.parametrize("what", GRANTED)
def test_a_right_handshake_is_granted(cluster, what):
    with Bytes(cluster.edges[0].port) as client:
        client.send(GRANTED[what])
        head = client.head()
        assert head.startswith("HTTP/1.1 101 "), head
        assert f"sec-websocket-accept: {ACCEPT}".lower() in head.lower()
        assert "sec-websocket-extensions" not in head.lower()


def test_a_handshake_in_single_bytes_is_granted(cluster):
    with Bytes(cluster.edges[0].port) as client:
        for byte in upgrade().encode():
            client.send(bytes([byte]))
        assert client.status() == 101


def test_a_known_subprotocol_is_confirmed(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.send(upgrade("/connection/websocket", sec_websocket_protocol="chat, centrifuge-json"))
        assert "sec-websocket-protocol: centrifuge-json" in client.head().lower()


@pytest.mark.parametrize("offer", ["chat", "centrifuge-protobuf", "mqtt, wamp"])
def test_unknown_subprotocols_get_an_http_answer(cluster, offer):
    with Bytes(cluster.edges[0].port) as client:
        client.send(upgrade("/connection/websocket", sec_websocket_protocol=offer))
        assert 400 <= client.status() < 500


def test_without_a_list_of_origins_a_page_may_connect_to_its_own_host_only(make_cluster):
    edge = make_cluster(edges=1).edges[0]
    for origin, status in (("http://here.example:8000", 101), ("http://there.example:8000", 403)):
        with Bytes(edge.port) as client:
            client.send(upgrade(host="here.example:8000", origin=origin))
            assert client.status() == status


def test_a_client_above_max_connections_is_answered_503(make_cluster):
    edge = make_cluster(edges=1, edge={"listen": {"max_connections": 2}}).edges[0]
    with Bytes(edge.port).open("/ws/x"), Bytes(edge.port).open("/ws/x"):
        with Bytes(edge.port) as third:
            third.send(upgrade())
            assert third.status() == 503
    with Bytes(edge.port) as later:
        wait_until(lambda: edge.connections() == 0, "the two have gone")
        later.send(upgrade())
        assert later.status() == 101


async def test_slow_and_silent_handshakes_end_at_the_deadline_and_hold_up_nobody(cluster, channel):
    """Ten seconds, from edge/listener.h; there is no setting for it."""
    edge = cluster.edges[0]
    began = time.monotonic()
    with Bytes(edge.port) as silent, Bytes(edge.port) as slow:
        slow.send("GET /ws/x HTTP/1.1\r\nHost: x\r\n")
        for client in (silent, slow):
            client.socket.settimeout(20)

        async def drip():
            for n in range(100):
                with contextlib.suppress(OSError):
                    slow.send(f"X-{n}: 1\r\n")
                await asyncio.sleep(0.2)
        dripping = asyncio.ensure_future(drip())
        async with Raw.open(edge, channel) as client:
            await client.send("meanwhile")
            assert await client.receive() == "meanwhile"
        assert await asyncio.to_thread(slow.status) == 408
        took = time.monotonic() - began
        assert 9 < took < 15, took
        assert await asyncio.to_thread(silent.status) in (0, 408)
        dripping.cancel()


def test_a_thousand_connections_that_say_nothing_cost_nobody_a_handshake(cluster):
    edge = cluster.edges[0]
    silent = [Bytes(edge.port) for _ in range(1000)]
    try:
        with Bytes(edge.port) as client:
            client.send(upgrade())
            assert client.status() == 101
    finally:
        for one in silent:
            one.socket.close()


def test_a_client_that_may_not_subscribe_is_answered_403(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.send(upgrade("/ws/silent:x"))
        assert client.status() == 403


def test_what_a_client_sends_that_only_listens_is_closed_with_3507(cluster):
    with Bytes(cluster.edges[0].port) as client:
        client.open("/ws/x?mode=sub")
        client.send(frame(b"x"))
        assert client.close_code() == 3507
