"""scripts/run as a person would use it."""
import re
import signal
import socket
import subprocess
import threading

import pytest

from heddle_cluster import BUILD, PATIENCE, ROOT, http, wait_until

PORTS = (7700, 7701, 8000, 8001, 9000, 9001, 9100)


def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def running():
    """scripts/run, as soon as it says how to end it: (process, what it said so far)."""
    if BUILD != ROOT / "build":
        pytest.skip("scripts/run has a build folder of its own")
    taken = [port for port in PORTS if not is_free(port)]
    if taken:
        pytest.skip(f"ports {taken} are taken")
    process = subprocess.Popen([ROOT / "scripts" / "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    lines = []
    reader = threading.Thread(target=lambda: [lines.append(line) for line in process.stdout])
    reader.start()
    try:
        def is_up():
            assert process.poll() is None, "".join(lines)
            return any(line.startswith("Ctrl-C") for line in lines)
        wait_until(is_up, "scripts/run is up", 10 * PATIENCE)
        yield process, lines
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=2 * PATIENCE)
        reader.join()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_run_starts_what_it_says_and_ends_all_of_it(running, number):
    process, lines = running
    said = "".join(lines)
    assert http("http://127.0.0.1:8000/").status == 200
    # what it prints can be typed
    curl = re.search(r"curl .*\\\n.*/api/publish", said)[0]
    answer = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True, cwd=ROOT)
    assert '"offset"' in answer.stdout
    for command in re.findall(r"build/heddle (?:pub|token) .*", said):
        subprocess.run(["bash", "-c", command], capture_output=True, check=True, cwd=ROOT, timeout=PATIENCE)
    process.send_signal(number)
    assert process.wait(timeout=2 * PATIENCE) == 0
    wait_until(lambda: all(map(is_free, PORTS)), "all ports are free again")


def test_run_tells_which_port_is_taken(running):
    answer = subprocess.run([ROOT / "scripts" / "run"], capture_output=True, text=True, check=False,
                            stdin=subprocess.DEVNULL, timeout=10 * PATIENCE)
    assert answer.returncode == 1 and re.search(r"port \d+, for .*, is taken", answer.stderr)
    assert running[0].poll() is None
