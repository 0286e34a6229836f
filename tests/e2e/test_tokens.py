"""Who is let in with which token."""
import asyncio
import base64
import hashlib
import hmac
import json
import time

import pytest

from clients import Bytes, Centrifuge, Raw, Refused, encode64, make_token, upgrade

NOW = int(time.time())


def signed_with(algorithm, digest):
    head = encode64(json.dumps({"alg": algorithm}).encode())
    body = encode64(json.dumps({"sub": "eve", "exp": NOW + 600}).encode())
    text = f"{head}.{body}"
    key = b"a secret for tests, nowhere else"
    return text + "." + encode64(hmac.new(key, text.encode(), digest).digest())


def unsigned(algorithm):
    head = encode64(json.dumps({"alg": algorithm}).encode())
    return head + "." + encode64(json.dumps({"sub": "eve", "exp": NOW + 600}).encode()) + "."


def padded(token):
    return ".".join(part + "=" * (-len(part) % 4) for part in token.split("."))


GOOD = make_token(sub="ann")

# Tokens that end a connection with 3500.
INVALID = {
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "HS384": signed_with("HS384", hashlib.sha384),
    "HS512": signed_with("HS512", hashlib.sha512),
    "HS512 in name only": make_token(sub="eve", header={"alg": "HS512"}),
    "RS256 in name only": make_token(sub="eve", header={"alg": "RS256"}),
    "no algorithm": make_token(sub="eve", header={"typ": "JWT"}),
    "two algorithms": GOOD.replace(GOOD.split(".")[0], encode64(b'{"alg":"none","alg":"HS256"}')),
    "crit": make_token(sub="eve", header={"alg": "HS256", "crit": ["exp"]}),
    "another secret": make_token(sub="eve", secret="another secret, also long enough"),
    "an empty secret": make_token(sub="eve", secret=""),
    "no exp": make_token(sub="eve", exp=None),
    "exp as text": make_token(sub="eve", exp=str(NOW + 600)),
    "a signature cut short": GOOD[:-4],
    "a changed letter": GOOD[:60] + ("A" if GOOD[60] != "A" else "B") + GOOD[61:],
    "padding": padded(GOOD) if padded(GOOD) != GOOD else GOOD + "=",
    "the other base64": base64.b64encode(b"\xff\xfe\xfd").decode() + "." + GOOD.split(".", 1)[1],
    "one part": "abc",
    "four parts": GOOD + ".x",
    "no letters": "..",
    "5 KiB": make_token(sub="eve", info={"x": "y" * 5120}),
    "a user that is a number": make_token(sub=42),
    "a subscription's token": make_token(sub="ann", channel="x"),
    "a user's name with a NUL": make_token(sub="a\0b"),
}


@pytest.mark.parametrize("what", INVALID)
async def test_an_invalid_token_ends_the_connection_with_3500(cluster, what):
    async with Centrifuge.open(cluster.edges[0], connected=False) as client:
        client.next_id()
        await client.send_text(json.dumps({"id": 1, "connect": {"token": INVALID[what]}}))
        assert await client.closed() == (3500, "invalid token")


@pytest.mark.parametrize("what", INVALID)
def test_a_raw_client_with_an_invalid_token_is_answered_401(cluster, what):
    with Bytes(cluster.edges[0].port) as client:
        client.send(upgrade("/ws/x", authorization="Bearer " + INVALID[what]))
        assert client.status() in (400, 401, 431)


@pytest.mark.parametrize("claims", [{"exp": NOW - 1}, {"exp": 1}, {"nbf": NOW + 3600}],
                         ids=["expired", "expired long ago", "not yet"])
async def test_a_token_out_of_its_time_is_error_109(cluster, claims):
    async with Centrifuge.open(cluster.edges[0], connected=False) as client:
        with pytest.raises(Refused) as refused:
            await client.command("connect", {"token": make_token(claims, sub="ann")})
        assert refused.value.code == 109


async def test_clocks_may_differ_by_a_little(cluster):
    async with Centrifuge.open(cluster.edges[0], token=make_token(sub="ann", nbf=int(time.time()) + 10)):
        pass


async def test_a_user_is_who_the_token_says(cluster, channel):
    token = make_token(sub="ann", info={"name": "Ann \u20ac"})
    async with Centrifuge.open(cluster.edges[0], f"auth:{channel}", token=token) as ann, \
            Centrifuge.open(cluster.edges[1], f"auth:{channel}", token=make_token(sub="bob")) as bob:
        await ann.publish(f"auth:{channel}", 1)
        info = (await bob.publication())["info"]
        assert info["user"] == "ann" and info["conn_info"] == {"name": "Ann \u20ac"}
        here = (await bob.command("presence", {"channel": f"auth:{channel}"}))["presence"]
        assert {entry["user"] for entry in here.values()} == {"ann", "bob"}


async def test_a_raw_client_brings_its_token_in_a_field_or_in_the_query(cluster, channel):
    name = f"auth:{channel}"
    token = make_token(sub="ann")
    async with Raw.open(cluster.edges[0], name, extra_headers={"Authorization": "Bearer " + token}) as one, \
            Raw.open(cluster.edges[1], name, "?token=" + token) as two:
        await one.send("hi")
        assert await two.receive() == "hi"


async def test_a_subscription_token_opens_a_locked_channel(cluster, channel):
    for name in (f"locked:{channel}", f"${channel}"):
        async with Centrifuge.open(cluster.edges[0]) as client:
            await client.subscribe(name, token=make_token(channel=name, info={"seat": 7}))
            await client.publish(name, 1)
            assert (await client.publication())["data"] == 1


async def test_a_subscription_token_out_of_its_time_is_error_109(cluster, channel):
    name = f"locked:{channel}"
    async with Centrifuge.open(cluster.edges[0]) as client:
        with pytest.raises(Refused) as refused:
            await client.subscribe(name, token=make_token(channel=name, exp=1))
        assert refused.value.code == 109


@pytest.mark.parametrize("claims", [{"channel": "locked:other"}, {"sub": "ann"}, {"client": "somebody"}],
                         ids=["another channel", "another user", "another client"])
async def test_a_subscription_token_for_somebody_else_ends_the_connection_with_3500(cluster, channel, claims):
    name = f"locked:{channel}"
    async with Centrifuge.open(cluster.edges[0]) as client:
        client.next_id()
        token = make_token({"channel": name, **claims})
        await client.send_text(json.dumps({"id": client.ids, "subscribe": {"channel": name, "token": token}}))
        assert (await client.closed())[0] == 3500


async def test_a_subscription_token_that_is_not_signed_right_is_error_103(cluster, channel):
    name = f"locked:{channel}"
    async with Centrifuge.open(cluster.edges[0]) as client:
        for secret in ("another secret, also long enough", ""):
            with pytest.raises(Refused) as refused:
                await client.subscribe(name, token=make_token(channel=name, secret=secret))
            assert refused.value.code == 103


async def test_where_a_token_is_required_nobody_comes_without(make_cluster):
    edge = make_cluster(edges=1, edge={"auth": {"required": True}}).edges[0]
    async with Centrifuge.open(edge, connected=False) as client:
        client.next_id()
        await client.send_text('{"id":1,"connect":{}}')
        assert (await client.closed())[0] == 3501
    with Bytes(edge.port) as raw:
        raw.send(upgrade("/ws/x"))
        assert raw.status() == 401
    async with Centrifuge.open(edge, token=make_token(sub="ann")):
        pass


async def test_a_connection_ends_when_its_token_does(cluster, channel):
    """A raw client can't bring a new token, so it has no grace."""
    token = make_token(sub="ann", exp=int(time.time()) + 2)
    async with Raw.open(cluster.edges[0], channel, f"?token={token}", ready=False) as client:
        await asyncio.wait_for(client.socket.wait_closed(), 15)
        assert client.socket.close_code == 3005 and client.socket.close_reason


async def test_secrets_and_tokens_are_not_in_the_logs(cluster):
    token = make_token(sub="ann")
    async with Centrifuge.open(cluster.edges[0], token=token):
        pass
    for process in cluster.processes:
        assert token not in process.log() and "a secret for tests" not in process.log()
