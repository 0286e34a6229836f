"""Settings, end to end: -t, all mistakes in one run, the environment, exit codes."""
import os
import subprocess

import pytest

from heddle_cluster import BUILD, SECRET

PROGRAMS = ["heddle-relay", "heddle-edge"]


def run(program, *arguments, **environment):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HEDDLE_")}
    return subprocess.run([BUILD / program, *arguments], capture_output=True, text=True, timeout=30, check=False,
                          env={**clean, **environment})


def check(program, tmp_path, text, **environment):
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return run(program, "-t", "-c", str(file), **environment)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_empty_file_is_fine(program, tmp_path):
    assert check(program, tmp_path, "").returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_default_file_is_fine(program, tmp_path):
    made = run(program, "--print-default")
    assert made.returncode == 0 and made.stdout
    assert check(program, tmp_path, made.stdout).returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version(program):
    assert run(program, "--help").returncode == 0
    assert run(program, "--version").stdout.startswith(program + " ")
    assert run(program, "--no-such-option").returncode == 2


def test_all_mistakes_are_told_in_one_run_with_place_and_suggestion(tmp_path):
    answer = check("heddle-edge", tmp_path, """\
listen:
  adress: 127.0.0.1:8000
  max_connections: many
ping: {interval: 25, timeout: 8s}
limits:
  on_slow_client: disconect
  message: 64KB
  message: 64KiB
nmae: x
""")
    assert answer.returncode == 2
    said = answer.stderr
    assert "settings.yaml:2:3: error: unknown key 'listen.adress'; did you mean 'address'?" in said
    assert "adress: 127.0.0.1:8000\n" in said and "^" in said
    for place in (":3:", ":4:", ":6:", ":7:", ":8:", ":9:"):
        assert f"settings.yaml{place}" in said, place
    assert "did you mean 'disconnect'?" in said


WRONG = {
    "a tab": "listen:\n\taddress: x\n",
    "no mapping": "- a\n",
    "two documents": "node: {name: a}\n---\nnode: {name: b}\n",
    "an anchor": "node: &x {name: a}\n",
    "an alias": "node: {name: *x}\n",
    "a tag": "node: {name: !!str a}\n",
    "octal": "workers: 010\n",
    "a bool that is none": "auth: {required: yes}\n",
    "half a file": "node: {name: a\n",
    "no UTF-8": "node: {name: '\udcff'}\n",
    "an address without a port": "listen: {address: localhost}\n",
    "a relay that is none": "relays: [http://x]\n",
    "a secret that is short": "auth: {hmac_secret: short}\n",
    "required without a secret": "auth: {required: true}\n",
    "two secrets": f"auth: {{hmac_secret: '{SECRET}', hmac_secret_file: /dev/null}}\n",
    "a variable that is not set": "auth: {hmac_secret: '${NO_SUCH_VARIABLE}'}\n",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused_with_exit_code_2(tmp_path, what):
    file = tmp_path / "settings.yaml"
    file.write_bytes(WRONG[what].encode("utf-8", "surrogateescape"))
    answer = run("heddle-edge", "-t", "-c", str(file))
    assert answer.returncode == 2, answer.stderr
    assert "error" in answer.stderr


def test_a_file_that_is_not_there_is_told(tmp_path):
    answer = run("heddle-edge", "-t", "-c", str(tmp_path / "none.yaml"))
    assert answer.returncode == 2 and "none.yaml" in answer.stderr


def test_the_environment_wins_over_the_file(tmp_path):
    assert check("heddle-edge", tmp_path, "limits: {message: 64KiB}\n", HEDDLE_LIMITS_MESSAGE="lots").returncode == 2
    assert check("heddle-edge", tmp_path, "limits: {message: 64KiB}\n", HEDDLE_LIMITS_MESSAGE="1KiB").returncode == 0


def test_an_unknown_name_in_the_environment_is_an_error_with_a_suggestion(tmp_path):
    answer = check("heddle-edge", tmp_path, "", HEDDLE_LISTEN_ADRESS="x")
    assert answer.returncode == 2 and "HEDDLE_LISTEN_ADDRESS" in answer.stderr


def test_secrets_are_not_shown(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(f"auth: {{hmac_secret: '{SECRET}', required: maybe}}\napi: {{keys: [key-of-the-tests]}}\n")
    assert SECRET not in run("heddle-edge", "-t", "-c", str(file)).stderr
    file.write_text(f"auth: {{hmac_secret: '{SECRET}'}}\napi: {{keys: [key-of-the-tests]}}\n")
    shown = run("heddle-edge", "--print-effective", "-c", str(file))
    assert shown.returncode == 0 and SECRET not in shown.stdout and "key-of-the-tests" not in shown.stdout


def test_an_address_in_use_is_told_and_ends_with_1(tmp_path, make_cluster):
    edge = make_cluster(edges=1).edges[0]
    file = tmp_path / "second.yaml"
    file.write_text(f'listen: {{address: "127.0.0.1:{edge.port}"}}\nadmin: {{address: "127.0.0.1:0"}}\n')
    answer = run("heddle-edge", "-c", str(file))
    assert answer.returncode == 1 and str(edge.port) in answer.stderr


def test_a_relay_that_others_can_reach_refuses_to_start_unless_told(tmp_path):
    text = 'listen: {address: "tcp://0.0.0.0:7700"}\n'
    answer = check("heddle-relay", tmp_path, text)
    assert answer.returncode == 2 and "fabric.insecure" in answer.stderr
    assert check("heddle-relay", tmp_path, text + "fabric: {insecure: true}\n").returncode == 0
