"""The heddle program against a running cluster: what it prints, and its exit codes."""
import json
import os
import subprocess
import time

import pytest

from clients import Centrifuge, make_token
from heddle_cluster import BUILD, PATIENCE, ROOT, SECRET, free_port_pair

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3


def heddle(*arguments, given=b"", **environment):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HEDDLE_")}
    return subprocess.run([BUILD / "heddle", *arguments], input=given, capture_output=True, timeout=4 * PATIENCE,
                          check=False, env={**clean, **environment})


class Listening:
    """heddle sub in the background; what it prints is read when it has ended."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([BUILD / "heddle", "sub", *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def finish(self):
        out, err = self.process.communicate(timeout=2 * PATIENCE)
        return self.process.returncode, out, err


@pytest.fixture(params=["fabric", "ws"])
def target(request, cluster):
    return cluster.relay.address if request.param == "fabric" else cluster.edges[0].ws


def test_sub_prints_what_pub_says(cluster, channel, target):
    with Listening("--to", target, "--count", "3", channel) as listening:
        deadline = time.monotonic() + PATIENCE
        while listening.process.poll() is None and time.monotonic() < deadline:
            # until it listens, what is said is said to nobody
            said = heddle("pub", "--to", target, channel, '{"n":1.10}')
            assert said.returncode == OK, said.stderr
        code, out, err = listening.finish()
    assert code == OK, err
    assert out == b'{"n":1.10}\n' * 3


def test_pub_takes_lines_from_its_input_and_keeps_their_order(cluster, channel):
    relay = cluster.relay.address
    said = heddle("pub", "--to", relay, "--json", "--lines", channel, given=b"one\ntwo\nthree\n")
    assert said.returncode == OK, said.stderr
    positions = [json.loads(line) for line in said.stdout.splitlines()]
    assert [position["offset"] for position in positions] == [1, 2, 3]


async def test_pub_over_the_fabric_reaches_clients_and_bytes_stay_bytes(cluster, channel):
    async with Centrifuge.open(cluster.edges[0], channel) as client:
        assert heddle("pub", "--to", cluster.relay.address, "--binary", channel, given=b"\x00\xff").returncode == OK
        assert (await client.publication())["data"] == {"b64data": "AP8="}
        assert heddle("pub", "--to", cluster.relay.address, channel, '{"n":1.10}').returncode == OK
        assert '"data":{"n":1.10}' in (await client.push())["line"]


def test_sub_ends_after_the_time_that_it_is_given(cluster, channel, target):
    assert heddle("sub", "--to", target, "--wait", "200ms", channel).returncode in (OK, FAILED)


@pytest.mark.parametrize("scheme, command", [
    ("tcp", ["sub", "--connect-timeout", "500ms", "x"]), ("ws", ["sub", "--connect-timeout", "500ms", "x"]),
    ("tcp", ["pub", "--timeout", "500ms", "x", "y"]), ("ws", ["pub", "--timeout", "500ms", "x", "y"]),
    ("tcp", ["status", "--timeout", "500ms"])], ids=["sub tcp", "sub ws", "pub tcp", "pub ws", "status"])
def test_nobody_there_is_exit_code_3(scheme, command):
    answer = heddle(*command, "--to", f"{scheme}://127.0.0.1:{free_port_pair()}")
    assert answer.returncode == UNREACHABLE, answer.stderr
    assert answer.stderr


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["sub"], ["sub", "--no-such"], ["pub"], ["pub", "a b", "x"],
                                       ["sub", "--to", "http://x", "y"], ["token"], ["token", "make"], ["check"],
                                       ["bench", "nonsense"]], ids=" ".join)
def test_wrong_usage_is_exit_code_2(arguments):
    answer = heddle(*arguments)
    assert answer.returncode == USAGE, answer.stderr
    assert answer.stderr


@pytest.mark.parametrize("arguments", [[], ["sub"], ["pub"], ["status"], ["check"], ["token"], ["token", "make"],
                                       ["token", "read"], ["bench"]], ids=" ".join)
def test_help_is_on_standard_output(arguments):
    answer = heddle(*arguments, "--help")
    assert answer.returncode == OK and b"Usage: heddle" in answer.stdout and not answer.stderr


def test_status_lists_all_nodes(cluster):
    answer = heddle("status", "--to", cluster.relay.address, "--json")
    assert answer.returncode == OK, answer.stderr
    names = {json.loads(line)["name"] for line in answer.stdout.splitlines()}
    assert {"relay-1", "edge-1", "edge-2"} <= names
    text = heddle("status", "--to", cluster.relay.address)
    assert text.returncode == OK and b"edge-1" in text.stdout


async def test_a_token_of_token_make_lets_a_client_in(cluster, channel):
    made = heddle("token", "make", "--secret", SECRET, "--user", "ann", "--info", '{"n":1}')
    assert made.returncode == OK
    async with Centrifuge.open(cluster.edges[0], f"auth:{channel}", token=made.stdout.decode().strip()) as client:
        await client.publish(f"auth:{channel}", 1)
        assert (await client.publication())["info"]["user"] == "ann"
    made = heddle("token", "make", "--secret", SECRET, "--user", "", "--channel", f"locked:{channel}", "--json")
    async with Centrifuge.open(cluster.edges[0]) as client:
        await client.subscribe(f"locked:{channel}", token=json.loads(made.stdout)["token"])


def test_token_read_tells_good_from_bad():
    good = heddle("token", "read", "--secret", SECRET, make_token(sub="ann"))
    assert good.returncode == OK and b"good" in good.stdout
    assert heddle("token", "read", "--secret", SECRET, make_token(sub="ann", exp=1)).returncode == FAILED
    assert heddle("token", "read", "--secret", "another one, long enough", make_token(sub="ann")).returncode == FAILED
    assert heddle("token", "read", "nonsense").returncode == FAILED


def test_check_asks_the_right_program(tmp_path):
    edge, relay, wrong = tmp_path / "edge.yaml", tmp_path / "relay.yaml", tmp_path / "wrong.yaml"
    edge.write_text('relays: ["tcp://127.0.0.1:7700"]\n')
    relay.write_text("namespaces: {default: {presence: true}}\n")
    wrong.write_text("relays: [tcp://127.0.0.1:7700]\nnmae: x\n")
    assert heddle("check", edge, relay).returncode == OK
    answer = heddle("check", edge, wrong)
    assert answer.returncode == USAGE and b"nmae" in answer.stderr


def test_the_projects_own_files_are_good():
    files = sorted((ROOT / "deploy" / "demo").glob("*.yaml"))
    assert files
    answer = heddle("check", *files, DEMO_SECRET=SECRET, DEMO_API_KEY="k")
    assert answer.returncode == OK, answer.stderr
