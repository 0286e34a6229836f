"""Starts relays and edges as processes, on free loopback ports, and watches over them.

A Cluster has one relay or several and some edges, each with a configuration made from what a test gives it. It ends
what it started and nothing else. What must never happen in any test is looked at when it ends: a crash, a
complaint of a sanitizer, a log that tells of an internal error, a descriptor that was not closed.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TEST_BUILD", ROOT / "build"))

SECRET = "a secret for tests, nowhere else"
API_KEY = "key-of-the-tests"

# Sanitizers and a busy machine make everything slower; nothing in the tests is timed more tightly than this.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "15"))

COMPLAINTS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer|CHECK failed")


def wait_until(condition, what, patience=PATIENCE, pause=0.02):
    """Waits until condition() is true, and returns what it returned."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what}")
        time.sleep(pause)


def free_port_pair():
    """Two free ports next to each other."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def merge(base, extra):
    """The nested dict `base` with what `extra` says instead."""
    merged = dict(base)
    for key, value in (extra or {}).items():
        is_nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if is_nested else value
    return merged


def to_yaml(value, indent=0):
    lines = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines.append(f"{' ' * indent}{key}:\n{to_yaml(item, indent + 2)}")
        elif isinstance(item, str):
            lines.append(f"{' ' * indent}{key}: {json.dumps(item)}\n")
        elif isinstance(item, bool):
            lines.append(f"{' ' * indent}{key}: {'true' if item else 'false'}\n")
        else:
            lines.append(f"{' ' * indent}{key}: {json.dumps(item) if isinstance(item, (list, dict)) else item}\n")
    return "".join(lines)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def http(url, body=None, headers=None, method=None, timeout=PATIENCE):
    """One request; every status is an answer."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class Process:
    """One relay or edge."""

    prefix = ()  # a command that runs it: elsewhere, or otherwise

    def __init__(self, program, name, config, folder):
        self.program, self.name, self.config, self.folder = program, name, config, folder
        self.starts = 0
        self.process = None
        self.expected_end = False

    def start(self):
        self.starts += 1
        self.file = self.folder / f"{self.name}.yaml"
        self.file.write_text(to_yaml(self.config))
        self.log_file = self.folder / f"{self.name}.{self.starts}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HEDDLE_")}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen([*self.prefix, BUILD / self.program, "-c", self.file],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                            start_new_session=True)
        self.expected_end = False
        return self

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_file.read_text(errors="replace")

    def events(self, name):
        """The log's lines of this event, as dicts."""
        found = []
        for line in self.log().splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == name:
                    found.append(entry)
        return found

    def wait_event(self, name):
        def look():
            assert self.is_running(), f"{self.name} has ended:\n{self.log()[-3000:]}"
            return self.events(name)
        return wait_until(look, f"{self.name} logs {name}")[-1]["fields"]

    def signal(self, number):
        self.expected_end = number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        self.process.send_signal(number)

    def wait(self, patience=PATIENCE):
        return self.process.wait(timeout=patience)

    def kill(self):
        """As a power cut would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self):
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss(self):
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def get(self, path):
        return http(self.admin + path)

    def metrics(self):
        """Name with labels, as it stands in the text -> value."""
        values = {}
        for line in self.get("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def metric(self, name):
        """The sum over all labels."""
        return sum(value for key, value in self.metrics().items() if key == name or key.startswith(name + "{"))


class Relay(Process):
    def __init__(self, name, folder, extra):
        config = merge({
            "node": {"name": name},
            "listen": {"address": f"tcp://127.0.0.1:{free_port_pair()}"},
            "admin": {"address": "127.0.0.1:0"},
            "namespaces": {
                "default": {"presence": True, "publish": "anyone"},
                "auth": {"presence": True, "subscribe": "authenticated", "publish": "authenticated"},
                "locked": {"subscribe": "token", "publish": "anyone"},
                "silent": {"subscribe": "nobody", "publish": "nobody"},
                "members": {"publish": "subscribers"},
                "nohistory": {"history": {"size": 0}, "publish": "anyone"},
            },
            "log": {"level": "debug", "format": "json"},
        }, extra)
        super().__init__("heddle-relay", name, config, folder)

    @property
    def address(self):
        return self.config["listen"]["address"]

    def start(self):
        super().start()
        fields = self.wait_event("relay.listening")
        self.admin = f"http://127.0.0.1:{fields['admin']}"
        return self

    def is_settled(self, members):
        values = self.metrics()
        return (values["heddle_mesh_members"], values["heddle_mesh_settled"]) == (members, 1)


class Edge(Process):
    def __init__(self, name, folder, relays, extra):
        config = merge({
            "node": {"name": name},
            "relays": relays,
            "listen": {"address": "127.0.0.1:0"},
            "admin": {"address": "127.0.0.1:0"},
            "auth": {"hmac_secret": SECRET},
            "api": {"keys": [API_KEY]},
            "limits": {"message": "1MiB"},
            "log": {"level": "debug", "format": "json"},
        }, extra)
        super().__init__("heddle-edge", name, config, folder)

    def start(self):
        super().start()
        fields = self.wait_event("edge.listening")
        self.port = int(fields["port"])
        self.admin = f"http://127.0.0.1:{fields['admin']}"
        self.ws = f"ws://127.0.0.1:{self.port}"
        self.http = f"http://127.0.0.1:{self.port}"
        return self

    def restart_on_same_port(self):
        self.config = merge(self.config, {"listen": {"address": f"127.0.0.1:{self.port}"}})
        return self.start()

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.get("/readyz").status == 200
        return False

    def api(self, method, body=None, key=API_KEY, base=None):
        headers = {"X-API-Key": key} if key else {}
        return http(f"{base or self.admin}/api/{method}", {} if body is None else body, headers)

    def connections(self):
        return int(self.metric("heddle_client_connections"))


class Cluster:
    """`late` of the relays are known to the others and not started."""

    def __init__(self, folder, edges=2, relay=None, edge=None, relays=1, late=0):
        addresses = [f"tcp://127.0.0.1:{free_port_pair()}" for _ in range(relays)]
        self.relays = [Relay(f"relay-{n + 1}", folder, merge(self.place(address, addresses), relay))
                       for n, address in enumerate(addresses)]
        self.late = self.relays[relays - late:]
        self.relay = self.relays[0]
        self.edges = [Edge(f"edge-{n + 1}", folder, addresses, edge) for n in range(edges)]

    @staticmethod
    def place(address, addresses):
        others = [other for other in addresses if other != address]
        return {"listen": {"address": address}, **({"peers": others} if others else {})}

    @property
    def processes(self):
        """Those that have been started."""
        return [process for process in (*self.relays, *self.edges) if process.starts]

    def start(self):
        for relay in self.relays:
            if relay not in self.late:
                relay.start()
        for edge in self.edges:
            edge.start()
        self.wait_ready()
        self.at_rest = {process.name: process.descriptors() for process in self.processes}
        return self

    def wait_relays(self):
        """The relays that run are one view, and each channel is where it belongs, and copied."""
        running = [relay for relay in self.relays if relay.is_running()]
        for relay in running:
            wait_until(lambda relay=relay: relay.is_settled(len(running)),
                       f"{relay.name} is one of {len(running)} in a settled view")

    def wait_ready(self):
        self.wait_relays()
        for edge in self.edges:
            if edge.is_running():
                wait_until(edge.is_ready, f"{edge.name} is ready")
                wait_until(lambda edge=edge: edge.metric("heddle_links_up") == self.links_of(edge),
                           f"{edge.name} is linked to its relays")

    def links_of(self, edge):
        """How many there should be: each worker has one with each relay that it lists and that runs."""
        relays = [relay for relay in self.relays if relay.is_running() and relay.address in edge.config["relays"]]
        return edge.config.get("workers", 1) * len(relays)

    def check(self):
        """What must hold at any time."""
        for process in self.processes:
            if not process.expected_end:
                assert process.is_running(), f"{process.name} ended with {process.process.returncode}:\n" \
                                             f"{process.log()[-3000:]}"
            complaint = COMPLAINTS.search(process.log())
            assert not complaint, f"{process.name}: {process.log()[complaint.start() - 200:][:3000]}"

    def check_at_rest(self):
        """Clients are gone; what they cost is, too."""
        for process in self.processes:
            if process.is_running() and process.starts == 1:
                allowed = self.at_rest[process.name] + 2  # a kept-alive connection to the admin port
                wait_until(lambda: process.descriptors() <= allowed, f"{process.name} closes its descriptors")

    def stop(self):
        """Ends all, the edges first, and checks how they end."""
        ends = []
        for process in [*self.edges, *self.relays]:
            if not process.is_running():
                continue
            process.signal(signal.SIGTERM)
            try:
                ends.append((process.name, process.wait()))
            except subprocess.TimeoutExpired:
                ends.append((process.name, "no end within patience"))
        self.destroy()
        assert all(code == 0 for _, code in ends), f"exit codes: {ends}"
        self.check()

    def destroy(self):
        for process in self.processes:
            if process.is_running():
                process.kill()
