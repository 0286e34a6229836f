"""Keys on the fabric: whoever has the right one works as ever, all others get nothing, and the list may change at any
time."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
import zmq

from clients import Centrifuge, Raw
from fabric_node import BEAT, HELLO, MSG, PUB, PUB_OK, REFUSE, VERSION, WELCOME, FabricNode
from heddle_cluster import BUILD, PATIENCE, ROOT, Cluster, Edge, Process, Relay, free_port_pair, merge, wait_until

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
EDGE, RELAY = 1, 2
QUICK = "1500ms"  # how long a tool that gets no answer waits for one


def run(program, *arguments):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HEDDLE_")}
    return subprocess.run([BUILD / program, *arguments], capture_output=True, text=True, timeout=4 * PATIENCE,
                          check=False, env=clean, stdin=subprocess.DEVNULL)


class Keys:
    """Key files as an operator has them: pairs, and the directory of those that relays let in."""

    def __init__(self, folder):
        self.folder, self.allowed = folder, folder / "allowed"
        self.allowed.mkdir(parents=True)
        self.make("relay", "relay")

    def make(self, name, *roles, allow=False):
        answer = run("heddle", "keygen", "--out", str(self.secret(name)), "--role", ",".join(roles))
        assert answer.returncode == OK, answer.stderr
        if allow:
            self.allow(name)
        return name

    def secret(self, name):
        return self.folder / f"{name}.key"

    def public(self, name):
        return self.folder / f"{name}.key.pub"

    def allow(self, name):
        shutil.copy(self.public(name), self.allowed)

    def revoke(self, name):
        (self.allowed / self.public(name).name).unlink()

    def change_roles(self, name, roles):
        file = self.allowed / self.public(name).name
        lines = file.read_text().splitlines()
        file.write_text("\n".join(f"roles: {roles}" if line.startswith("roles: ") else line for line in lines))

    def of_relay(self):
        return {"curve": {"secret_key_file": str(self.secret("relay")), "allowed_keys_dir": str(self.allowed)}}

    def of_edge(self, name):
        return {"curve": {"secret_key_file": str(self.secret(name)), "relay_key_file": str(self.public("relay"))}}

    def of_tool(self, name, relay="relay"):
        return ["--key", str(self.secret(name)), "--relay-key", str(self.public(relay))]

    @staticmethod
    def field(file):
        return next(line[5:] for line in file.read_text().splitlines() if line.startswith("key: ")).encode()

    def of_node(self, name):
        """For a FabricNode."""
        return self.field(self.public(name)), self.field(self.secret(name)), self.field(self.public("relay"))


@pytest.fixture
def keys(tmp_path):
    made = Keys(tmp_path / "keys")
    for name in ("edge-1", "edge-2"):
        made.make(name, "edge", allow=True)
    made.make("tool", "tool", allow=True)
    return made


@pytest.fixture
def guarded(tmp_path, keys):
    """A cluster whose fabric has keys, and a key for each of its nodes."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder, relay={"fabric": keys.of_relay()})
    for edge in cluster.edges:
        edge.config = merge(edge.config, {"fabric": keys.of_edge(edge.name)})
    try:
        yield cluster.start()
        cluster.stop()
    finally:
        cluster.destroy()


def reload(relay):
    """SIGHUP, and what came of it."""
    before = len(relay.events("fabric.keys_reloaded")) + len(relay.events("fabric.keys_kept"))
    relay.signal(signal.SIGHUP)
    wait_until(lambda: len(relay.events("fabric.keys_reloaded")) + len(relay.events("fabric.keys_kept")) > before,
               "the keys are read again")


def failed_handshakes(process, reason):
    return process.metrics()[f'heddle_fabric_failed_handshakes_total{{reason="{reason}"}}']


def rejected(process, reason):
    return process.metrics()[f'heddle_node_rejected_messages_total{{reason="{reason}"}}']


def reasons_of_failed_handshakes(process):
    return {event["fields"]["why"] for event in process.events("fabric.handshake_failed")}


def status(cluster, *options):
    return run("heddle", "status", "--to", cluster.relay.address, "--timeout", QUICK, *options)


async def assert_carries(cluster, channel="chat"):
    one, two = cluster.edges
    async with Raw.open(one, channel) as sender, Raw.open(two, channel) as receiver:
        await sender.send("one")
        assert await receiver.receive() == "one"


# --- who has the right key ---

async def test_with_keys_everything_works(guarded, keys):
    await assert_carries(guarded)
    async with Centrifuge.open(guarded.edges[0], "chat") as client:
        answer = run("heddle", "pub", "--to", guarded.relay.address, *keys.of_tool("tool"), "chat", '{"from":"tool"}')
        assert answer.returncode == OK, answer.stderr
        assert (await client.publication())["data"] == {"from": "tool"}
    listed = status(guarded, *keys.of_tool("tool"), "--json")
    assert listed.returncode == OK
    names = {json.loads(line)["name"] for line in listed.stdout.splitlines()}
    assert names == {"relay-1", "edge-1", "edge-2"}
    assert guarded.relay.metric("heddle_fabric_keys") == 3
    assert not guarded.relay.events("relay.fabric_insecure")


async def test_relays_with_the_same_key_work_together(tmp_path, keys):
    ports = [free_port_pair() for _ in range(2)]
    peers = [f"tcp://127.0.0.1:{port}" for port in ports]
    relays = [Relay(f"relay-{n + 1}", tmp_path, {"listen": {"address": peers[n]}, "peers": peers,
                                                  "fabric": keys.of_relay()}) for n in range(2)]
    edges = [Edge(f"edge-{n + 1}", tmp_path, [peers[n]], {"fabric": keys.of_edge(f"edge-{n + 1}")}) for n in range(2)]
    try:
        for process in [*relays, *edges]:
            process.start()
        for edge in edges:
            wait_until(edge.is_ready, f"{edge.name} is ready")
        for n in range(8):  # some of them are each relay's own
            async with Raw.open(edges[0], f"chat-{n}") as sender, Raw.open(edges[1], f"chat-{n}") as receiver:
                await sender.send(str(n))
                assert await receiver.receive() == str(n)
    finally:
        for process in [*edges, *relays]:
            if process.is_running():
                assert process.terminate() == 0


# --- who has not ---

async def test_without_keys_nobody_gets_in(guarded):
    answer = status(guarded)
    assert answer.returncode == UNREACHABLE and "keys" in answer.stderr
    # Which side notices first, and hangs up, is chance.
    wait_until(lambda: reasons_of_failed_handshakes(guarded.relay) & {"no_keys", "broken"}, "it is told")
    assert failed_handshakes(guarded.relay, "no_keys") + failed_handshakes(guarded.relay, "broken") > 0
    await assert_carries(guarded)


async def test_who_takes_it_for_another_relay_gets_nothing(guarded, keys):
    keys.make("elsewhere", "relay")
    answer = status(guarded, *keys.of_tool("tool", relay="elsewhere"))
    assert answer.returncode == UNREACHABLE
    wait_until(lambda: failed_handshakes(guarded.relay, "wrong_key") > 0, "it is counted")
    assert "wrong_key" in reasons_of_failed_handshakes(guarded.relay)
    await assert_carries(guarded)


async def test_an_unknown_key_is_refused(guarded, keys):
    keys.make("stranger", "tool", "edge", "relay")
    answer = status(guarded, *keys.of_tool("stranger"))
    assert answer.returncode == UNREACHABLE and "the key is not let in" in answer.stderr
    wait_until(lambda: failed_handshakes(guarded.relay, "refused") > 0, "it is counted")
    refused = guarded.relay.events("fabric.key_refused")[-1]["fields"]
    assert refused["key"] == keys.field(keys.public("stranger")).decode()
    await assert_carries(guarded)


async def test_a_key_does_not_make_more_of_its_holder_than_it_says(guarded, keys):
    for role in (EDGE, RELAY, 3, 77):
        with FabricNode(guarded.relay.address, keys=keys.of_node("tool")) as node:
            _, answer = node.ask((WELCOME, REFUSE), [HELLO, VERSION, "more", role, "heddle", "python"], ack=0)
            assert answer[0] == REFUSE and "role" in answer[2]
    assert rejected(guarded.relay, "denied") >= 4
    assert guarded.relay.events("node.role_refused")
    assert status(guarded, *keys.of_tool("edge-1")).returncode == UNREACHABLE
    await assert_carries(guarded)


async def test_what_only_relays_may_say_is_dropped_and_the_rest_goes_on(guarded, keys):
    with FabricNode(guarded.relay.address, keys=keys.of_node("tool")) as node:
        assert node.greet()[0] == WELCOME
        node.send_numbered([MSG, "chat", "abcdefgh", 1, 1, 1, 1, 0, "", "", b"", b"forged"],
                           [PUB, node.id, 1, "chat", 0, 0, "", "", b"", b"true"])
        assert node.wait(PUB_OK)[1] == 1
    wait_until(lambda: rejected(guarded.relay, "denied") == 1, "it is counted")
    assert guarded.relay.events("node.denied")[-1]["fields"]["kind"] == "MSG"


async def test_nobody_speaks_for_an_edge_with_another_key(guarded, keys):
    ups = [event["fields"] for event in guarded.relay.events("link.up") if event["fields"]["peer"] == "edge-1"]
    victim = int(ups[-1]["id"], 16)
    keys.make("third", "edge", allow=True)
    reload(guarded.relay)
    with FabricNode(guarded.relay.address, keys=keys.of_node("third")) as node:
        node.greet_as = [HELLO, VERSION, "edge-1", EDGE, "heddle", "python"]
        for session in (2 ** 62, 2 ** 63):
            node.send(node.greet_as, source=victim, session=session)
            node.send([BEAT, 5], source=victim, session=session)
        wait_until(lambda: rejected(guarded.relay, "impostor") >= 4, "they are counted")
    assert not [event for event in guarded.relay.events("link.down") if event["fields"]["peer"] == "edge-1"]
    await assert_carries(guarded)


# --- the list changes ---

async def test_a_revoked_key_loses_its_link_and_the_others_lose_nothing(guarded, keys):
    one, two = guarded.edges
    async with Raw.open(one, "chat") as sender, Raw.open(one, "chat", ready=False) as receiver:
        for n in range(200):
            if n == 100:
                keys.revoke("edge-2")
                reload(guarded.relay)
            await sender.send(str(n))
        assert await receiver.receive_many(200) == [str(n) for n in range(200)]
        wait_until(lambda: not two.is_ready(), "the revoked edge has no relay any more", patience=5)
        lost = [event["fields"] for event in guarded.relay.events("link.down")]
        assert [(each["peer"], each["reason"]) for each in lost] == [("edge-2", "ERR_DENIED")]
    wait_until(lambda: failed_handshakes(guarded.relay, "refused") > 0, "it is not let in again")
    wait_until(lambda: "refused" in reasons_of_failed_handshakes(two), "and is told so")
    assert one.is_ready()
    keys.allow("edge-2")
    reload(guarded.relay)
    wait_until(two.is_ready, "the edge is back when its key is")
    await assert_carries(guarded)


async def test_a_revoked_key_does_not_even_listen(guarded, keys):
    """A subscriber of its own making, to every topic, on a connection that lives."""
    public, secret, relay = keys.of_node("tool")
    with zmq.Context() as context, context.socket(zmq.SUB) as spy:
        spy.linger, spy.rcvtimeo = 0, int(PATIENCE * 1000)
        spy.curve_publickey, spy.curve_secretkey, spy.curve_serverkey = public, secret, relay
        spy.subscribe(b"")
        host, _, port = guarded.relay.address.rpartition(":")
        spy.connect(f"{host}:{int(port) + 1}")
        assert spy.recv()  # heartbeats at the least
        keys.revoke("tool")
        reload(guarded.relay)
        wait_until(lambda: guarded.relay.events("fabric.key_refused"), "its connection has ended")
        while spy.poll(0):  # what came before
            spy.recv()
        await assert_carries(guarded)
        assert spy.poll(0) == 0


async def test_a_role_that_is_taken_away_costs_the_link(guarded, keys):
    keys.change_roles("edge-2", "tool")
    reload(guarded.relay)
    wait_until(lambda: not guarded.edges[1].is_ready(), "it is no edge any more", patience=5)
    wait_until(lambda: rejected(guarded.relay, "denied") > 0, "its greetings are refused")
    keys.change_roles("edge-2", "tool edge")
    reload(guarded.relay)
    wait_until(guarded.edges[1].is_ready, "it is one again")


async def test_a_new_key_gets_in_without_a_restart(tmp_path, guarded, keys):
    keys.make("edge-3", "edge")
    third = Edge("edge-3", tmp_path, [guarded.relay.address], {"fabric": keys.of_edge("edge-3")}).start()
    guarded.edges.append(third)
    wait_until(lambda: "refused" in reasons_of_failed_handshakes(third), "it is refused as long as nobody knows it")
    before = len(guarded.relay.events("link.down"))
    keys.allow("edge-3")
    reload(guarded.relay)
    wait_until(third.is_ready, "it is let in")
    assert len(guarded.relay.events("link.down")) == before


def test_a_list_with_a_fault_changes_nothing(guarded, keys):
    bad = keys.allowed / "bad.pub"
    bad.write_text("heddle public key 1\nkey: too short\n")
    keys.revoke("edge-2")
    reload(guarded.relay)
    assert f"{bad}:2: key:" in guarded.relay.events("fabric.keys_kept")[-1]["fields"]["why"]
    assert guarded.relay.metric("heddle_fabric_keys_reload_success") == 0
    assert guarded.relay.metric("heddle_fabric_keys") == 3
    assert guarded.edges[1].is_ready()
    bad.unlink()
    reload(guarded.relay)
    assert guarded.relay.metric("heddle_fabric_keys_reload_success") == 1
    wait_until(lambda: not guarded.edges[1].is_ready(), "the key is gone now", patience=5)


async def test_keys_are_introduced_one_node_after_the_other(guarded):
    """An edge that has them already meets a relay that has none yet, and one that has none meets keys."""
    keyed = guarded.relay.config
    guarded.relay.terminate()
    guarded.relay.config = {**keyed, "fabric": {}}
    guarded.relay.start()
    wait_until(lambda: "no_keys" in reasons_of_failed_handshakes(guarded.edges[0]), "they do not match")
    guarded.relay.terminate()
    guarded.relay.config = keyed
    guarded.relay.start()
    guarded.wait_ready()
    await assert_carries(guarded)


def test_an_edge_says_when_nothing_protects_the_way_to_its_relays(tmp_path, keys):
    bare = Edge("bare", tmp_path, ["dns://relays.invalid:7700"], None)
    keyed = Edge("keyed", tmp_path, ["dns://relays.invalid:7700"], {"fabric": keys.of_edge("edge-1")})
    try:
        assert bare.start().wait_event("edge.fabric_insecure")["relay"] == "dns://relays.invalid:7700"
        keyed.start()
        assert bare.terminate() == 0 and keyed.terminate() == 0
        assert not keyed.events("edge.fabric_insecure")
    finally:
        for edge in (bare, keyed):
            if edge.is_running():
                edge.kill()


# --- settings ---

def check(tmp_path, program, fabric, listen="tcp://0.0.0.0:7700"):
    file = tmp_path / "settings.yaml"
    own = {"listen": {"address": listen}} if program == "heddle-relay" else {"relays": ["tcp://10.0.0.1:7700"]}
    file.write_text(json.dumps({**own, "fabric": fabric}))
    answer = run(program, "-t", "-c", str(file))
    assert run("heddle", "check", "--" + program.removeprefix("heddle-"), str(file)).returncode == answer.returncode
    return answer


def test_with_keys_a_relay_may_listen_anywhere(tmp_path, keys):
    assert check(tmp_path, "heddle-relay", keys.of_relay()).returncode == OK
    assert check(tmp_path, "heddle-edge", keys.of_edge("edge-1")).returncode == OK
    assert check(tmp_path, "heddle-relay", {}).returncode == USAGE


@pytest.mark.parametrize("half", ["secret_key_file", "allowed_keys_dir"])
def test_half_of_a_relays_settings_is_none(tmp_path, keys, half):
    fabric = {"curve": {half: keys.of_relay()["curve"][half]}, "insecure": True}
    answer = check(tmp_path, "heddle-relay", fabric)
    assert answer.returncode == USAGE and "fabric.curve" in answer.stderr


def test_every_key_file_is_looked_at_before_the_start(tmp_path, keys):
    keys.secret("relay").chmod(0o644)
    answer = check(tmp_path, "heddle-relay", keys.of_relay())
    assert answer.returncode == USAGE and "others may read" in answer.stderr
    keys.secret("relay").chmod(0o640)
    assert check(tmp_path, "heddle-relay", keys.of_relay()).returncode == OK
    shutil.copy(keys.secret("edge-1"), keys.allowed / "oops.pub")
    answer = check(tmp_path, "heddle-relay", keys.of_relay())
    assert answer.returncode == USAGE and "oops.pub: holds a secret key" in answer.stderr
    assert keys.field(keys.secret("edge-1")).decode() not in answer.stderr
    swapped = {"curve": {"secret_key_file": str(keys.public("edge-1")), "relay_key_file": str(keys.public("edge-1"))}}
    assert check(tmp_path, "heddle-edge", swapped).returncode == USAGE
    swapped["curve"]["secret_key_file"] = str(keys.secret("edge-1"))
    answer = check(tmp_path, "heddle-edge", swapped)
    assert answer.returncode == USAGE and "not the key of relays" in answer.stderr


def test_keygen_writes_a_secret_that_only_its_owner_reads(tmp_path):
    out = tmp_path / "node.key"
    old = os.umask(0)
    try:
        answer = run("heddle", "keygen", "--out", str(out), "--name", "bench", "--role", "tool,edge", "--json")
    finally:
        os.umask(old)
    assert answer.returncode == OK
    told = json.loads(answer.stdout)
    assert told["name"] == "bench" and told["roles"] == "edge tool"
    assert out.stat().st_mode & 0o777 == 0o600
    public = pathlib.Path(told["public_key_file"])
    assert told["public_key"] in public.read_text() and "secret" not in public.read_text()
    assert Keys.field(out).decode() not in answer.stdout + answer.stderr + public.read_text()
    assert zmq.curve_public(Keys.field(out)) == told["public_key"].encode()


def test_keygen_overwrites_nothing(tmp_path):
    out, public = tmp_path / "node.key", tmp_path / "node.key.pub"
    assert run("heddle", "keygen", "-o", str(out)).returncode == OK
    before = out.read_text()
    assert run("heddle", "keygen", "-o", str(out)).returncode == FAILED
    assert out.read_text() == before
    out.unlink()
    kept = public.read_text()
    assert run("heddle", "keygen", "-o", str(out)).returncode == FAILED
    assert public.read_text() == kept and not out.exists()


@pytest.mark.parametrize("wrong", [[], ["-o", ""], ["-o", "x", "--role", "king"], ["-o", "x", "--role", "edge,edge"],
                                   ["-o", "x", "--name", "a b"], ["-o", "x", "more"]])
def test_keygen_refuses_what_it_does_not_understand(wrong):
    assert run("heddle", "keygen", *wrong).returncode == USAGE


def test_a_tool_with_half_of_its_keys_says_which_is_missing(keys):
    answer = run("heddle", "status", "--to", "tcp://127.0.0.1:7700", "--key", str(keys.secret("tool")))
    assert answer.returncode != OK and "--key is given without --relay-key" in answer.stderr


# --- the documentation ---

BLOCK = re.compile(r"^<!-- test: keys(?:, (?P<how>.*?))? -->\n```\w+\n(?P<code>.*?)^```$", re.M | re.S)


class Manual:
    """The commands of docs/operations.md, in a folder that stands for /etc/heddle."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def here(self, code):
        return (code.replace("/etc/heddle", str(self.folder)).replace("0.0.0.0:7700", f"127.0.0.1:{self.port}")
                .replace("127.0.0.1:7700", f"127.0.0.1:{self.port}"))

    def shell(self, code):
        answer = subprocess.run(["bash", "-euc", self.here(code)], capture_output=True, text=True, check=False,
                                timeout=4 * PATIENCE, env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"})
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def settings(self, program, code):
        file = self.folder / f"{program}.yaml"
        file.write_text(self.here(code))
        answer = run("heddle", "check", "--" + program.removeprefix("heddle-"), str(file))
        assert answer.returncode == OK, answer.stderr
        return file


class Documented(Process):
    """A program with settings as they stand in the manual; ports of its own come from the environment."""

    def __init__(self, manual, program, code):
        super().__init__(program, program, {}, manual.folder)
        self.file = manual.settings(program, code)
        own = {"HEDDLE_ADMIN_ADDRESS": "127.0.0.1:0", "HEDDLE_LOG_FORMAT": "json", "HEDDLE_LOG_LEVEL": "debug"}
        if program == "heddle-edge":
            own["HEDDLE_LISTEN_ADDRESS"] = "127.0.0.1:0"
        self.log_file = manual.folder / f"{program}.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen([BUILD / program, "-c", self.file], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**os.environ, **own}, start_new_session=True)
        fields = self.wait_event(f"{program.removeprefix('heddle-')}.listening")
        self.admin = f"http://127.0.0.1:{fields['admin']}"

    def is_ready(self):
        return self.get("/readyz").status == 200


def test_the_manual_is_right(tmp_path):
    """From the first pair to a revoked key, as it stands there."""
    folder = tmp_path / "heddle"
    folder.mkdir()
    manual = Manual(folder, free_port_pair())
    blocks = [(found["how"] or "", found["code"]) for found in BLOCK.finditer((ROOT / "docs/operations.md").read_text())]
    assert len(blocks) == 6
    running = {}
    try:
        for how, code in blocks:
            if how.startswith("heddle-"):
                running[how] = Documented(manual, how, code)
            elif how.startswith("prints "):
                wait_until(running["heddle-edge"].is_ready, "the edge has its relay")
                assert how.removeprefix("prints ") in manual.shell(code)
            else:
                manual.shell(code)
            if how == "revokes":
                reload(running["heddle-relay"])
                wait_until(lambda: not running["heddle-edge"].is_ready(), "its key is gone", patience=5)
        for process in running.values():
            assert process.terminate() == 0
    finally:
        for process in running.values():
            if process.is_running():
                process.kill()
