"""How nodes find relays: names, several addresses, and what a name stands for while it changes."""
import re
import shlex
import subprocess

import pytest

from heddle_cluster import BUILD, COMPLAINTS, ROOT, Edge, Relay, free_port_pair, wait_until

# Three lookups, 5 s apart, and then the five heartbeats until a link that says nothing is down.
MISSING = 60


@pytest.fixture
def start():
    """start(a relay or an edge): runs it for the test, and looks at how it ends."""
    started = []

    def begin(process):
        started.append(process)
        return process.start()

    try:
        yield begin
        for process in reversed(started):
            assert process.is_running(), f"{process.name} has ended by itself:\n{process.log()[-3000:]}"
            assert process.terminate() == 0, process.log()[-3000:]
            assert not COMPLAINTS.search(process.log()), process.log()[-3000:]
    finally:
        for process in started:
            if process.is_running():
                process.kill()


def links_up(process):
    return process.metric("heddle_links_up")


def impostors(process):
    return process.metrics()['heddle_node_rejected_messages_total{reason="impostor"}']


def run(program, *arguments):
    return subprocess.run([BUILD / program, *arguments], capture_output=True, text=True, timeout=30, check=False)


def named(relay):
    return f"dns://localhost:{relay.address.rpartition(':')[2]}"


def test_an_edge_finds_a_relay_by_name(tmp_path, start):
    relay = start(Relay("relay-1", tmp_path, {}))
    edge = start(Edge("edge-1", tmp_path, [named(relay)], {}))
    wait_until(edge.is_ready, "the edge is ready")
    came = [entry["fields"]["address"] for entry in edge.events("addresses.came")]
    assert relay.address in came
    assert "result" in edge.api("publish", {"channel": "a", "data": 1}).json


def test_the_example_of_the_operators_page_is_fine(tmp_path):
    example = re.search(r"<!-- test: addresses, heddle-edge -->\n```yaml\n(.*?)```",
                        (ROOT / "docs/operations.md").read_text(), re.S)[1]
    file = tmp_path / "edge.yaml"
    file.write_text(example)
    done = run("heddle-edge", "-t", "-c", file)
    assert done.returncode == 0, done.stderr


def test_an_edge_that_starts_before_its_name_exists_waits_for_it(tmp_path, start):
    edge = start(Edge("edge-1", tmp_path, ["dns://a..b:7700"], {}))
    assert edge.wait_event("addresses.failed")["name"] == "a..b"
    assert edge.get("/livez").status == 200 and edge.get("/readyz").status == 503


def test_a_tool_finds_a_relay_by_name(tmp_path, start):
    relay = start(Relay("relay-1", tmp_path, {}))
    done = run("heddle", "status", "--to", named(relay))
    assert done.returncode == 0, done.stderr
    assert "relay-1" in done.stdout


def test_relays_that_list_themselves_among_their_peers_link_with_the_others_only(tmp_path, start):
    addresses = [f"tcp://127.0.0.1:{free_port_pair()}" for _ in range(2)]
    relays = [start(Relay(f"relay-{n + 1}", tmp_path, {"listen": {"address": address}, "peers": addresses}))
              for n, address in enumerate(addresses)]
    for relay in relays:
        wait_until(lambda: links_up(relay) == 1, f"{relay.name} is linked")
    for relay in relays:
        assert links_up(relay) == 1 and impostors(relay) == 0
        assert not relay.events("node.impostor")


@pytest.fixture
def hosts(tmp_path):
    """/etc/hosts for one program: hosts.say("10.0.0.1", …) is what the name relays.heddle.test stands for."""
    class Hosts:
        name = "relays.heddle.test"

        def __init__(self):
            self.file = tmp_path / "hosts"
            self.program = tmp_path / "heddle-edge"
            script = f"mount --bind {shlex.quote(str(self.file))} /etc/hosts && exec \"$@\""
            self.program.write_text(f"#!/bin/sh\nexec unshare --user --map-root-user --mount -- sh -c "
                                    f"{shlex.quote(script)} sh {shlex.quote(str(BUILD / 'heddle-edge'))} \"$@\"\n")
            self.program.chmod(0o755)
            self.say("127.0.0.1")

        def say(self, *addresses):
            self.file.write_text("127.0.0.1 localhost\n" + "".join(f"{one} {self.name}\n" for one in addresses))

    made = Hosts()
    trial = run(made.program, "--version")
    if trial.returncode:
        pytest.skip(f"no mount namespace can be made here, so no name can change: {trial.stderr.strip()}")
    return made


def test_an_edge_follows_a_name_from_relay_to_relay(tmp_path, start, hosts):
    port = free_port_pair()
    first, second = (start(Relay(f"relay-{n}", tmp_path, {"listen": {"address": f"tcp://127.0.0.{n}:{port}"}}))
                     for n in (2, 3))
    hosts.say("127.0.0.2")
    edge = Edge("edge-1", tmp_path, [f"dns://{hosts.name}:{port}"], {})
    edge.program = hosts.program
    start(edge)
    wait_until(edge.is_ready, "the edge is ready")
    assert links_up(first) == 1 and links_up(second) == 0
    hosts.say("127.0.0.3")
    wait_until(lambda: links_up(second) == 1, "the edge has found the second relay")
    wait_until(lambda: links_up(edge) == 1, "the edge has left the first relay", patience=MISSING)
    wait_until(lambda: links_up(first) == 0, "the first relay has lost the edge", patience=MISSING)
    assert links_up(second) == 1
    assert [entry["fields"]["address"] for entry in edge.events("addresses.gone")] == [first.address]
    assert "result" in edge.api("publish", {"channel": "a", "data": 1}).json
