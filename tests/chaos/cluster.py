"""A cluster whose relays, edges and clients are hosts of their own.

Every relay listens at its host's address and names all others as peers; every edge names all relays. Admin ports
listen on the loopback interface of their host, so that what is asked there gets through whatever the network does.
"""
import dataclasses
import itertools
import signal
import subprocess

import heddle_cluster
from heddle_cluster import API_KEY, BUILD, COMPLAINTS, PATIENCE, SECRET, merge, wait_until

RELAY_PORT, EDGE_PORT, ADMIN_PORT = 7700, 8000, 9000
TAIL = 3000  # of a log, in a message


class Crash(Exception):
    """A program ended, or ended otherwise than it has to."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """What there is, by name. A node's host has the node's name."""

    relays: tuple
    edges: tuple
    clients: tuple  # hosts for clients: no node of ours runs there

    @classmethod
    def of(cls, relays, edges, clients):
        return cls(*(tuple(f"{word}-{number + 1}" for number in range(count))
                     for word, count in (("relay", relays), ("edge", edges), ("clients", clients))))

    @property
    def nodes(self):
        return [*self.relays, *self.edges]

    @property
    def hosts(self):
        return [*self.nodes, *self.clients]

    @property
    def pairs(self):
        """Hosts that talk to each other."""
        return [list(pair) for pair in (*itertools.combinations(self.relays, 2),
                                        *itertools.product(self.relays, self.edges),
                                        *itertools.product(self.clients, self.edges))]


class Node(heddle_cluster.Process):
    """A relay or an edge in its host's namespace."""

    def __init__(self, host, program, config, folder):
        super().__init__(program, host.name, config, folder)
        self.host = host
        self.prefix = host.command()

    def start(self):
        super().start()
        self.host.processes.append(self.process)
        self.wait_event("relay.listening" if self.program == "heddle-relay" else "edge.listening")
        self.admin = f"http://127.0.0.1:{ADMIN_PORT}"
        return self

    def get(self, path):
        with self.host.entered():
            return super().get(path)

    def api(self, method, body=None):
        """A back end's call, past the network."""
        with self.host.entered():
            return heddle_cluster.http(f"{self.admin}/api/{method}", body or {}, {"X-API-Key": API_KEY})

    def is_ready(self):
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False


class Cluster:
    """`on_start`: called with (name, pid, which start of it) for each node that listens."""

    def __init__(self, hosts, shape, folder, relay=None, edge=None, on_start=lambda name, pid, start: None):
        self.hosts, self.shape, self.on_start = hosts, shape, on_start
        self.delay_queue = BUILD / "tests" / "delay_queue"
        for name in shape.hosts:
            hosts.add(name)
        self.relays = [Node(hosts[name], "heddle-relay", merge(self.relay_config(name), relay), folder)
                       for name in shape.relays]
        self.edges = [Node(hosts[name], "heddle-edge", merge(self.edge_config(name), edge), folder)
                      for name in shape.edges]
        self.nodes = [*self.relays, *self.edges]
        self.by_name = {node.name: node for node in self.nodes}

    def fabric_address(self, name):
        return f"tcp://{self.hosts[name].address}:{RELAY_PORT}"

    def relay_config(self, name):
        config = {
            "node": {"name": name},
            "listen": {"address": self.fabric_address(name)},
            "fabric": {"insecure": True},
            "admin": {"address": f"127.0.0.1:{ADMIN_PORT}"},
            "namespaces": {"default": {"presence": True, "subscribe": "anyone", "publish": "anyone"}},
            "log": {"level": "info", "format": "json"},
        }
        peers = [self.fabric_address(other) for other in self.shape.relays if other != name]
        return {**config, "peers": peers} if peers else config

    def edge_config(self, name):
        return {
            "node": {"name": name},
            "relays": [self.fabric_address(relay) for relay in self.shape.relays],
            "listen": {"address": f"{self.hosts[name].address}:{EDGE_PORT}"},
            "admin": {"address": f"127.0.0.1:{ADMIN_PORT}"},
            "auth": {"hmac_secret": SECRET},
            "api": {"keys": [API_KEY], "on_client_port": True},
            "log": {"level": "info", "format": "json"},
        }

    @property
    def endpoints(self):
        """HOST:PORT of each edge, for clients."""
        return [edge.config["listen"]["address"] for edge in self.edges]

    def node(self, name):
        return self.by_name[name]

    def start_node(self, name):
        node = self.by_name[name]
        try:
            node.start()
        except AssertionError as error:
            raise Crash(f"{name} does not start: {error}") from error
        self.on_start(name, node.pid, node.starts)

    def start(self):
        for node in self.nodes:
            self.start_node(node.name)
        for edge in self.edges:
            wait_until(edge.is_ready, f"{edge.name} is ready")
        return self

    def await_end(self, name):
        """A node that was told to end does so, in order."""
        node = self.by_name[name]
        try:
            code = node.wait()
        except subprocess.TimeoutExpired:
            raise Crash(f"{name} does not end within {PATIENCE:g} s of SIGTERM:\n{node.log()[-TAIL:]}") from None
        if code != 0:
            raise Crash(f"{name} ended with {code} upon SIGTERM:\n{node.log()[-TAIL:]}")

    def watch(self):
        """Raises Crash if a node has ended that nobody ended."""
        for node in self.nodes:
            if not node.expected_end and not node.is_running():
                raise Crash(f"{node.name} ended with {node.process.returncode}:\n{node.log()[-TAIL:]}")

    def stop(self):
        """Ends the nodes that run, the edges first, and looks at how they end and at what all of them logged."""
        self.watch()
        for node in [*self.edges, *self.relays]:
            if node.is_running():
                node.signal(signal.SIGTERM)
                self.await_end(node.name)
        for node in self.nodes:
            for log in sorted(node.folder.glob(f"{node.name}.*.log")):
                text = log.read_text(errors="replace")
                complaint = COMPLAINTS.search(text)
                if complaint:
                    raise Crash(f"{log}: {text[max(complaint.start() - 200, 0):][:TAIL]}")
