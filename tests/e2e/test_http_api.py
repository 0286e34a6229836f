"""The HTTP API for back ends."""
import asyncio
import json

import pytest

from clients import Bytes, Centrifuge, Raw, make_token
from heddle_cluster import API_KEY, http, wait_until

RELAY = {"namespaces": {"quiet": {"presence": False}}}


def test_without_the_right_key_the_answer_is_401(cluster):
    edge = cluster.edges[0]
    for headers in ({}, {"X-API-Key": "wrong"}, {"X-API-Key": ""}, {"X-API-Key": API_KEY + "x"}):
        answer = http(f"{edge.admin}/api/info", {}, headers)
        assert answer.status == 401


def test_the_key_is_taken_in_the_fields_that_the_original_takes(cluster):
    edge = cluster.edges[0]
    assert http(f"{edge.admin}/api/info", {}, {"X-API-Key": API_KEY}).status == 200
    assert http(f"{edge.admin}/api/info", {}, {"Authorization": f"apikey {API_KEY}"}).status == 200


def test_the_api_is_not_on_the_client_port_by_default(cluster):
    edge = cluster.edges[0]
    assert edge.api("info", base=edge.http).status == 404


def test_the_api_is_on_the_client_port_where_the_settings_say_so(make_cluster):
    edge = make_cluster(edges=1, edge={"api": {"keys": [API_KEY], "on_client_port": True}}).edges[0]
    assert edge.api("info", base=edge.http).json["result"]
    assert edge.api("info", base=edge.http, key=None).status == 401


async def test_publish_reaches_the_clients_of_both_edges_byte_for_byte(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as one, Raw.open(cluster.edges[1], channel) as two:
        body = b'{"channel":"%s","data":{"n":12345678901234567890,"m":1.10}}' % channel.encode()
        answer = await asyncio.to_thread(cluster.edges[1].api, "publish", None, API_KEY)
        assert "error" in answer.json  # nothing to publish
        answer = await asyncio.to_thread(http, f"{cluster.edges[1].admin}/api/publish", body, {"X-API-Key": API_KEY})
        assert answer.status == 200
        result = answer.json["result"]
        assert result["offset"] >= 1 and len(result["epoch"]) == 8
        push = await one.push()
        while "probe:" in push["line"]:
            push = await one.push()
        assert '"data":{"n":12345678901234567890,"m":1.10}' in push["line"]
        assert push["pub"]["offset"] == result["offset"] and "info" not in push["pub"]
        assert await two.receive() == '{"n":12345678901234567890,"m":1.10}'


async def test_broadcast_answers_for_each_channel_in_order(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as client:
        body = {"channels": [channel, "nowhere:x", channel], "data": "all"}
        responses = (await asyncio.to_thread(cluster.edges[1].api, "broadcast", body)).json["result"]["responses"]
        assert "result" in responses[0] and responses[1]["error"]["code"] == 102 and "result" in responses[2]
        assert [(await client.publication())["data"] for _ in range(2)] == ["all", "all"]


async def test_a_batch_does_its_commands_in_order(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as client:
        publish = [{"publish": {"channel": channel, "data": n}} for n in range(3)]
        body = {"commands": [*publish, {"history": {"channel": channel, "limit": -1}}, {"no_such_method": {}}]}
        for parallel in (False, True):
            answer = await asyncio.to_thread(cluster.edges[1].api, "batch", {**body, "parallel": parallel})
            *replies, history, unknown = answer.json["replies"]
            offsets = [reply["publish"]["offset"] for reply in replies]
            assert offsets == list(range(offsets[0], offsets[0] + 3))
            assert "publications" in history["history"] and unknown["error"]["code"] == 104
            if not parallel:
                assert [item["data"] for item in history["history"]["publications"][-3:]] == [0, 1, 2]
            assert [(await client.publication())["data"] for _ in range(3)] == [0, 1, 2]


async def test_presence_and_its_stats(cluster, channel):
    edge = cluster.edges[1]
    async with Centrifuge.open(cluster.edges[0], channel, token=make_token(sub="ann")) as one, \
            Centrifuge.open(edge, channel) as two:
        def here_now():
            here = edge.api("presence", {"channel": channel}).json["result"]["presence"]
            return here if len(here) == 2 else None
        here = await asyncio.to_thread(wait_until, here_now, "both are present")
        assert here[one.welcome["client"]]["user"] == "ann" and here[two.welcome["client"]]["user"] == ""
        answer = await asyncio.to_thread(edge.api, "presence_stats", {"channel": channel})
        assert answer.json["result"] == {"num_clients": 2, "num_users": 2}
    answer = await asyncio.to_thread(edge.api, "presence", {"channel": "quiet:x"})
    assert answer.json["error"]["code"] == 108


async def test_disconnect_reaches_all_clients_of_a_user_on_all_edges(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel, token=make_token(sub="ann")) as one, \
            Centrifuge.open(cluster.edges[1], channel, token=make_token(sub="ann")) as two, \
            Centrifuge.open(cluster.edges[1], channel, token=make_token(sub="bob")) as other:
        answer = await asyncio.to_thread(cluster.edges[1].api, "disconnect", {"user": "ann"})
        assert answer.json == {"result": {}}
        for client in (one, two):
            code, reason = await client.closed()
            assert code == 3503 and reason
        await other.publish(channel, 1)
        assert (await other.publication())["data"] == 1


async def test_disconnect_may_name_one_client_a_code_and_exceptions(cluster):
    async with Centrifuge.open(cluster.edges[0], token=make_token(sub="cid")) as one, \
            Centrifuge.open(cluster.edges[1], token=make_token(sub="cid")) as two:
        body = {"user": "cid", "whitelist": [two.welcome["client"]], "disconnect": {"code": 4500, "reason": "bye"}}
        assert (await asyncio.to_thread(cluster.edges[0].api, "disconnect", body)).json == {"result": {}}
        assert await one.closed() == (4500, "bye")
        assert not two.socket.closed
        body = {"user": "cid", "client": two.welcome["client"]}
        assert (await asyncio.to_thread(cluster.edges[0].api, "disconnect", body)).json == {"result": {}}
        assert (await two.closed())[0] == 3503


async def test_unsubscribe_pushes_2000(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel, token=make_token(sub="dee")) as client:
        body = {"user": "dee", "channel": channel}
        assert (await asyncio.to_thread(cluster.edges[1].api, "unsubscribe", body)).json == {"result": {}}
        push = await client.push()
        assert push["channel"] == channel and push["unsubscribe"]["code"] == 2000 and push["unsubscribe"]["reason"]


async def test_channels_are_those_that_somebody_listens_to(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], f"{channel}-a", f"{channel}-b"), \
            Centrifuge.open(cluster.edges[1], f"{channel}-a"):
        answer = await asyncio.to_thread(cluster.edges[1].api, "channels", {"pattern": f"{channel}-*"})
        assert answer.json["result"]["channels"] == {f"{channel}-a": {"num_clients": 2},
                                                     f"{channel}-b": {"num_clients": 1}}
        answer = await asyncio.to_thread(cluster.edges[1].api, "channels", {"pattern": "nothing-like-that*"})
        assert answer.json["result"]["channels"] == {}


async def test_info_tells_the_edges(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel, token=make_token(sub="ann")):
        nodes = (await asyncio.to_thread(cluster.edges[1].api, "info")).json["result"]["nodes"]
        by_name = {node["name"]: node for node in nodes}
        assert {"edge-1", "edge-2"} <= set(by_name)
        one = by_name["edge-1"]
        assert one["num_clients"] == 1 and one["num_channels"] == 1 and one["num_subs"] == 1 and one["num_users"] == 1
        assert one["version"] and one["uid"] and one["uptime"] >= 0


# (method, body, error's code)
ERRORS = {
    "no channel": ("publish", {"data": 1}, 107),
    "no data": ("publish", {"channel": "x"}, 107),
    "an unknown namespace": ("publish", {"channel": "nowhere:x", "data": 1}, 102),
    "a name with a space": ("publish", {"channel": "a b", "data": 1}, 107),
    "no channels": ("broadcast", {"data": 1}, 107),
    "no user": ("disconnect", {}, 107),
    "a code that is none": ("disconnect", {"user": "u", "disconnect": {"code": 7, "reason": "x"}}, 107),
    "no channel to unsubscribe": ("unsubscribe", {"user": "u"}, 107),
    "presence of no channel": ("presence", {}, 107),
}


@pytest.mark.parametrize("what", ERRORS)
def test_a_wrong_request_is_an_error_with_its_code(cluster, what):
    method, body, code = ERRORS[what]
    answer = cluster.edges[0].api(method, body)
    assert answer.status == 200 and answer.json["error"]["code"] == code, answer.text
    assert answer.json["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"channel":"x","channel":"y","data":1}', b"{" * 100,
                                  b'{"channel":"x","data":1}x', b"\xff"])
def test_a_body_that_can_not_be_read_is_400(cluster, body):
    answer = http(f"{cluster.edges[0].admin}/api/publish", body, {"X-API-Key": API_KEY}, method="POST")
    assert answer.status == 400, answer.text


def test_other_methods_paths_and_sizes_have_their_status(cluster):
    edge = cluster.edges[0]
    headers = {"X-API-Key": API_KEY}
    assert http(f"{edge.admin}/api/info", None, headers).status == 405
    assert http(f"{edge.admin}/api/no_such_method", {}, headers).status == 404
    assert http(f"{edge.admin}/", None, headers).status == 404
    with Bytes(int(edge.admin.rsplit(":", 1)[1])) as client:
        client.send(f"POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {API_KEY}\r\nContent-Length: 99999999\r\n\r\n")
        assert client.status() == 413
    with Bytes(int(edge.admin.rsplit(":", 1)[1])) as client:
        client.send(f"POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: {API_KEY}\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        assert client.status() == 411


def test_without_a_relay_publishing_is_an_error_and_not_a_hang(make_cluster):
    cluster = make_cluster(edges=1)
    cluster.relay.kill()
    answer = cluster.edges[0].api("publish", {"channel": "x", "data": 1})
    assert answer.status in (200, 503)
    if answer.status == 200:
        assert answer.json["error"]["code"] == 100
    cluster.relay.start()
    cluster.wait_ready()
    assert "result" in cluster.edges[0].api("publish", {"channel": "x", "data": json.loads("1.5")}).json
