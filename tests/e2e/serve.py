"""A cluster for tests in other languages: starts it, tells where it is, and does what it is told.

    serve.py '{"edges": 2, "edge": {...}, "relay": {...}, "demo": true}'

The first line of output is JSON: the secret, the API key, and each process with its addresses. Then one line of
input is one command: `kill NAME`, `terminate NAME`, `restart NAME` (on the same port), `wait-connections NAME N`;
its answer is one line: `ok`, or what went wrong. At the end of input the cluster is stopped and checked; the exit
code says whether all was well. `demo` serves the demo page, with these very edges in it.
"""
import json
import pathlib
import sys
import tempfile

from heddle_cluster import API_KEY, SECRET, Cluster, free_port_pair, merge, wait_until


def describe(process):
    names = ("name", "ws", "http", "admin", "address", "pid")
    return {name: getattr(process, name) for name in names if hasattr(process, name)}


def on_known_ports(cluster):
    """The demo page names its edges, so their ports have to be known before they start."""
    ports = [free_port_pair() for _ in cluster.edges]
    origins = [f"http://127.0.0.1:{port}" for port in ports]
    for edge, port in zip(cluster.edges, ports):
        edge.config = merge(edge.config, {
            "listen": {"address": f"127.0.0.1:{port}", "allowed_origins": origins},
            "demo": {"edges": [f"ws://127.0.0.1:{port}" for port in ports]},
        })


def obey(cluster, line):
    command, name, *rest = line.split()
    process = next(process for process in cluster.processes if process.name == name)
    if command == "kill":
        process.kill()
    elif command == "terminate":
        assert process.terminate() == 0
    elif command == "restart":
        if process in cluster.edges:
            process.restart_on_same_port()
        else:
            process.start()
        cluster.wait_ready()
    elif command == "wait-connections":
        wait_until(lambda: process.connections() == int(rest[0]), line)
    else:
        raise ValueError(f"unknown command: {line}")


def main():
    options = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    has_demo = options.pop("demo", False)
    with tempfile.TemporaryDirectory(prefix="heddle-") as folder:
        cluster = Cluster(pathlib.Path(folder), **options)
        if has_demo:
            on_known_ports(cluster)
        try:
            cluster.start()
            processes = {process.name: describe(process) for process in cluster.processes}
            print(json.dumps({"secret": SECRET, "apiKey": API_KEY, "processes": processes}), flush=True)
            for line in sys.stdin:
                try:
                    obey(cluster, line)
                    print("ok", flush=True)
                except Exception as error:  # told to the test, which decides
                    print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)
            cluster.stop()
        finally:
            cluster.destroy()


main()
