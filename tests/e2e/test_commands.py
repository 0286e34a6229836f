"""What a centrifuge client may say, and what it is told when it says something else."""
import asyncio

import pytest

from clients import PING, Bytes, Centrifuge, Refused, make_token
from heddle_cluster import PATIENCE

EDGE = {"limits": {"channels_per_client": 5}}
RELAY = {"namespaces": {"quiet": {"presence": False, "publish": "anyone"}}}

# Frames that end a connected client with 3501.
WRONG = {
    "no JSON": "nonsense",
    "half an object": '{"id":2,',
    "an array": "[]",
    "a number": "1",
    "a string": '"x"',
    "null": "null",
    "two objects on a line": '{"id":2,"publish":{"channel":"x","data":1}}{}',
    "a trailing comma": '{"id":2,"publish":{"channel":"x","data":1},}',
    "a comment": '{"id":2,/**/"publish":{"channel":"x","data":1}}',
    "single quotes": "{'id':2}",
    "a lone word": '{"id":2,"publish":{"channel":"x","data":nan}}',
    "a number with a plus": '{"id":2,"publish":{"channel":"x","data":+1}}',
    "a number with a leading zero": '{"id":2,"publish":{"channel":"x","data":01}}',
    "a control character in a string": '{"id":2,"publish":{"channel":"x","data":"\u0001"}}',
    "a broken escape": '{"id":2,"publish":{"channel":"x","data":"\\x41"}}',
    "a byte order mark": '\ufeff{"id":2,"publish":{"channel":"x","data":1}}',
    "too deep": '{"id":2,"publish":{"channel":"x","data":' + "[" * 65 + "]" * 65 + "}}",
    "far too deep": '{"id":2,"publish":{"channel":"x","data":' + "[" * 30000,
    "an empty frame": "",
    "an empty line between commands": '{"id":2,"unsubscribe":{"channel":"x"}}\n\n{"id":3,"unsubscribe":{"channel":"x"}}',
    "a command twice in an object": '{"id":2,"id":3,"publish":{"channel":"x","data":1}}',
    "a field twice": '{"id":2,"publish":{"channel":"x","channel":"y","data":1}}',
    "an escape in a key": '{"\\u0069d":2,"publish":{"channel":"x","data":1}}',
    "an escape in a field's name": '{"id":2,"publish":{"ch\\u0061nnel":"x","data":1}}',
    "an id of text": '{"id":"2","publish":{"channel":"x","data":1}}',
    "a negative id": '{"id":-1,"publish":{"channel":"x","data":1}}',
    "an id with a fraction": '{"id":1.5,"publish":{"channel":"x","data":1}}',
    "an id beyond 32 bits": '{"id":4294967296,"publish":{"channel":"x","data":1}}',
    "a command without an id": '{"publish":{"channel":"x","data":1}}',
    "a channel that is a number": '{"id":2,"subscribe":{"channel":7}}',
    "a command that is no object": '{"id":2,"subscribe":"x"}',
    "no channel": '{"id":2,"subscribe":{}}',
    "a publication without data": '{"id":2,"publish":{"channel":"x"}}',
    "a second connect": '{"id":2,"connect":{}}',
    "an unknown delta": '{"id":2,"subscribe":{"channel":"x","delta":"xdelta"}}',
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_frame_that_breaks_the_protocol_ends_with_3501(cluster, what):
    async with Centrifuge.open(cluster.edges[0]) as client:
        await client.send_text(WRONG[what])
        assert await client.closed() == (3501, "bad request")


@pytest.mark.parametrize("first", ['{"id":1,"subscribe":{"channel":"x"}}', "{}", '{"id":1}'])
async def test_the_first_command_must_be_connect(cluster, first):
    async with Centrifuge.open(cluster.edges[0], connected=False) as client:
        await client.send_text(first)
        assert (await client.closed())[0] == 3501


async def test_who_never_connects_is_closed_with_3502(cluster):
    async with Centrifuge.open(cluster.edges[0], connected=False) as client:
        await asyncio.wait_for(client.socket.wait_closed(), 20)
        assert client.socket.close_code == 3502 and client.socket.close_reason


async def test_a_lone_surrogate_in_data_passes_as_it_stands(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as client:
        id_ = client.next_id()
        await client.send_text('{"id":%d,"publish":{"channel":"%s","data":"\\ud800"}}' % (id_, channel))
        assert "error" not in await client.answer(id_)
        assert '"data":"\\ud800"' in (await client.push())["line"]


async def test_unknown_members_are_passed_over(cluster, channel):
    async with Centrifuge.open(cluster.edges[0]) as client:
        id_ = client.next_id()
        await client.send_text('{"x":[{}],"id":%d,"subscribe":{"channel":"%s","flag":1,"future":{"a":[1]}},"y":null}'
                               % (id_, channel))
        assert "error" not in await client.answer(id_)


# (the command, the error's code)
REFUSED = {
    "an unknown namespace": ("subscribe", {"channel": "nowhere:x"}, 102),
    "publishing to an unknown namespace": ("publish", {"channel": "nowhere:x", "data": 1}, 102),
    "a namespace for nobody": ("subscribe", {"channel": "silent:x"}, 103),
    "publishing to a namespace for nobody": ("publish", {"channel": "silent:x", "data": 1}, 103),
    "a namespace that wants a user": ("subscribe", {"channel": "auth:x"}, 103),
    "publishing where a user is wanted": ("publish", {"channel": "auth:x", "data": 1}, 103),
    "a namespace that wants a token": ("subscribe", {"channel": "locked:x"}, 103),
    "a private channel without a token": ("subscribe", {"channel": "$x"}, 103),
    "publishing without having subscribed": ("publish", {"channel": "members:x", "data": 1}, 103),
    "a bad subscription token": ("subscribe", {"channel": "x", "token": "a.b.c"}, 103),
    "a name with a space": ("subscribe", {"channel": "a b"}, 107),
    "a name that is not ASCII": ("subscribe", {"channel": "caf\u00e9"}, 107),
    "a name of 256 letters": ("subscribe", {"channel": "x" * 256}, 107),
    "a namespace that can be none": ("subscribe", {"channel": "a/b:c"}, 107),
    "a tag filter": ("subscribe", {"channel": "x", "tf": {"op": "eq"}}, 107),
    "another kind of subscription": ("subscribe", {"channel": "x", "type": 1}, 108),
    "history where it is off": ("history", {"channel": "nohistory:x"}, 108),
    "history without having subscribed": ("history", {"channel": "x"}, 103),
    "a new token for a channel that is not subscribed": ("sub_refresh", {"channel": "x", "token": "x"}, 103),
    "rpc": ("rpc", {"method": "now"}, 108),
    "presence where it is off": ("presence", {"channel": "quiet:x"}, 108),
    "presence without having subscribed": ("presence", {"channel": "x"}, 103),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_not_granted_is_an_error_and_the_client_stays(cluster, channel, what):
    method, body, code = REFUSED[what]
    async with Centrifuge.open(cluster.edges[0], channel) as client:
        with pytest.raises(Refused) as refused:
            await client.command(method, body)
        assert refused.value.code == code
        assert (await client.publish(channel, "still here")) == {}


async def test_subscribing_twice_is_an_error(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as client:
        with pytest.raises(Refused) as refused:
            await client.subscribe(channel)
        assert refused.value.code == 105


async def test_one_channel_too_many_is_an_error(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], *(f"{channel}-{n}" for n in range(5))) as client:
        with pytest.raises(Refused) as refused:
            await client.subscribe(channel)
        assert refused.value.code == 106
        await client.command("unsubscribe", {"channel": f"{channel}-0"})
        await client.subscribe(channel)


async def test_nothing_comes_after_the_answer_to_unsubscribe(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as client, Centrifuge.open(cluster.edges[1], channel) as other:
        assert await client.command("unsubscribe", {"channel": channel}) == {}
        await other.publish(channel, 1)
        await other.publication()
        await client.subscribe(channel)
        await other.publish(channel, 2)
        assert (await client.publication())["data"] == 2


async def test_unsubscribing_from_an_unknown_channel_succeeds(cluster):
    async with Centrifuge.open(cluster.edges[0]) as client:
        assert await client.command("unsubscribe", {"channel": "never"}) == {}


async def test_who_is_subscribed_may_publish_where_subscribers_may(cluster):
    async with Centrifuge.open(cluster.edges[0], "members:x") as client:
        await client.publish("members:x", 1)
        assert (await client.publication())["data"] == 1


async def test_several_commands_in_one_frame_are_done_in_order(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], connected=False) as client:
        lines = ['{"id":1,"connect":{}}', '{"id":2,"subscribe":{"channel":"%s"}}' % channel,
                 '{"id":3,"publish":{"channel":"%s","data":1}}' % channel, ""]
        for _ in range(3):
            client.next_id()
        await client.send_text("\n".join(lines))
        assert "client" in (await client.answer(1))["connect"]
        assert "subscribe" in await client.answer(2) and "publish" in await client.answer(3)
        assert (await client.publication())["data"] == 1


async def present(client, channel, ids):
    """Waits until presence is these clients: what an edge tells of them takes its way, and is not waited for."""
    async with asyncio.timeout(PATIENCE):
        while True:
            here = (await client.command("presence", {"channel": channel}))["presence"]
            if set(here) == set(ids):
                return here


async def test_presence_tells_the_clients_of_both_edges(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as one, Centrifuge.open(cluster.edges[1], channel) as two:
        here = await present(one, channel, [one.welcome["client"], two.welcome["client"]])
        assert all(entry["client"] == id_ for id_, entry in here.items())
        assert await two.command("presence_stats", {"channel": channel}) == {"num_clients": 2, "num_users": 1}
        await two.command("unsubscribe", {"channel": channel})
        await present(one, channel, [one.welcome["client"]])


async def test_client_ids_are_unique(cluster):
    async with Centrifuge.open(cluster.edges[0]) as one, Centrifuge.open(cluster.edges[0]) as two:
        assert one.welcome["client"] != two.welcome["client"] and len(one.welcome["client"]) == 36


async def test_a_client_that_answers_pings_stays_and_one_that_does_not_is_closed_with_3012(make_cluster):
    edge = make_cluster(edges=1, edge={"ping": {"interval": "1s", "timeout": "500ms"}}).edges[0]
    async with Centrifuge.open(edge) as good, Centrifuge.open(edge) as bad:
        assert good.welcome["ping"] == 1 and good.welcome["pong"] is True
        bad.answers_pings = False
        assert (await bad.closed())[0] == 3012
        while good.pings < 3:
            await asyncio.sleep(0.02)
        assert not good.socket.closed


async def test_a_raw_client_that_does_not_answer_pings_is_closed_with_3012(make_cluster):
    edge = make_cluster(edges=1, edge={"ping": {"interval": "1s", "timeout": "500ms"}}).edges[0]
    with Bytes(edge.port) as client:
        client.open("/ws/x")
        assert (await asyncio.to_thread(client.frame))[0] == PING
        assert await asyncio.to_thread(client.close_code) == 3012


async def test_a_send_without_a_handler_is_closed_with_3508(cluster):
    async with Centrifuge.open(cluster.edges[0]) as client:
        await client.send_text('{"send":{"data":1}}')
        assert (await client.closed())[0] == 3508


async def test_a_client_that_breaks_the_protocol_does_not_disturb_the_others(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as good:
        for what in list(WRONG)[:10]:
            async with Centrifuge.open(cluster.edges[0], channel) as bad:
                await bad.send_text(WRONG[what])
                await bad.closed()
        await good.publish(channel, "fine")
        assert (await good.publication())["data"] == "fine"


async def test_commands_behind_a_refused_connect_are_not_done(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as witness, \
            Centrifuge.open(cluster.edges[0], connected=False) as client:
        client.next_id()
        token = make_token(exp=1)
        await client.send_text('{"id":1,"connect":{"token":"%s"}}\n{"id":2,"publish":{"channel":"%s","data":"bad"}}'
                               % (token, channel))
        reply = await client.answer(1)
        assert reply["error"]["code"] == 109
        await client.send_text('{"id":3,"publish":{"channel":"%s","data":"bad"}}' % channel)
        assert (await client.closed())[0] == 3501
        await witness.publish(channel, "good")
        assert (await witness.publication())["data"] == "good"


async def test_a_frame_in_binary_is_read_as_json_too(cluster, channel):
    async with Centrifuge.open(cluster.edges[0]) as client:
        id_ = client.next_id()
        await client.socket.send(b'{"id":%d,"subscribe":{"channel":"%s"}}' % (id_, channel.encode()))
        assert "error" not in await client.answer(id_)
