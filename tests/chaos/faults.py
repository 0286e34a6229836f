"""What can be done to a cluster, one row a kind: each fault begins, lasts for a while, and is healed.

A fault is a context manager of a cluster and its arguments: what it did is undone when the context ends, and only
that, so that faults of different kinds may overlap, also on one host. KINDS says what each is applied to, how often
and how long; whoever adds a kind adds a row.
"""
import contextlib
import dataclasses
import resource
import signal
import subprocess
import typing

from hosts import PATIENCE, HostError

QUEUE = 1               # the netfilter queue that is used in a host's namespace
SPARE_DESCRIPTORS = 2   # so many a process may still open under a limit


# --- on the switch: neither end notices but by silence ----------------------------------------------------------------

@contextlib.contextmanager
def dropped(cluster, *matches):
    with contextlib.ExitStack() as stack:
        for match in matches:
            stack.callback(cluster.hosts.switch.undrop, cluster.hosts.switch.drop(match))
        yield


def partition(cluster, one, other):
    """Nothing passes between two hosts."""
    return dropped(cluster, f"iifname {one} oifname {other}", f"iifname {other} oifname {one}")


def one_way(cluster, one, other):
    """Nothing passes from the first host to the second."""
    return dropped(cluster, f"iifname {one} oifname {other}")


def isolate(cluster, host):
    """Nothing passes from or to a host."""
    return dropped(cluster, f"iifname {host}", f"oifname {host}")


def loss(cluster, host, percent):
    """Each packet from or to a host is lost with some probability."""
    lost = f"numgen random mod 100 < {percent}"
    return dropped(cluster, f"iifname {host} {lost}", f"oifname {host} {lost}")


# --- on a host's interface --------------------------------------------------------------------------------------------

@contextlib.contextmanager
def delay(cluster, host, milliseconds, jitter):
    """What a host sends arrives later, and not in the order in which it was sent."""
    namespace = cluster.hosts[host]
    rule = ["POSTROUTING", "-o", "eth", "-j", "NFQUEUE", "--queue-num", QUEUE, "--queue-bypass"]
    holder = namespace.start(cluster.delay_queue, "--queue", QUEUE, "--delay", milliseconds, "--jitter", jitter,
                             "--loss", 0, "--seed", 1, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = holder.stdout.readline()
        if said != "ready\n":
            raise HostError(f"delay_queue: {said.strip()}")
        namespace.run("iptables", "-t", "mangle", "-A", *rule)
        try:
            yield
        finally:
            namespace.run("iptables", "-t", "mangle", "-D", *rule)
    finally:
        holder.terminate()  # what it held goes on its way
        holder.wait(PATIENCE)


@contextlib.contextmanager
def narrow(cluster, host, rate):
    """What a host sends has to pass a slow line; what doesn't fit is lost."""
    cluster.hosts[host].run("tc", "qdisc", "add", "dev", "eth", "root", "tbf", "rate", rate, "burst", "16kb",
                            "latency", "200ms")
    try:
        yield
    finally:
        cluster.hosts[host].run("tc", "qdisc", "del", "dev", "eth", "root")


@contextlib.contextmanager
def unplug(cluster, host):
    """A host's interface is down: its programs are told that there is no network."""
    cluster.hosts[host].run("ip", "link", "set", "dev", "eth", "down")
    try:
        yield
    finally:
        cluster.hosts[host].run("ip", "link", "set", "dev", "eth", "up")


@contextlib.contextmanager
def reset(cluster, one, other):
    """All connections between two hosts are reset, at once."""
    for here, there in ((one, other), (other, one)):
        cluster.hosts[here].run("ss", "--kill", "--tcp", "dst", cluster.hosts[there].address)
    yield


# --- on a process -----------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def pause(cluster, node):
    """A process stands still, its connections with it."""
    cluster.node(node).signal(signal.SIGSTOP)
    try:
        yield
    finally:
        cluster.node(node).signal(signal.SIGCONT)


@contextlib.contextmanager
def kill(cluster, node):
    """kill -9; healed when it runs again."""
    cluster.node(node).kill()
    yield
    cluster.start_node(node)


@contextlib.contextmanager
def restart(cluster, node):
    """SIGTERM; healed when it has ended in order and runs again."""
    cluster.node(node).signal(signal.SIGTERM)
    yield
    cluster.await_end(node)
    cluster.start_node(node)


@contextlib.contextmanager
def descriptors(cluster, node):
    """A process can hardly open anything more."""
    process = cluster.node(node)
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.descriptors() + SPARE_DESCRIPTORS, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


# --- what is applied to what ------------------------------------------------------------------------------------------

def any_pair(shape, random):
    """Two hosts that talk to each other."""
    return random.choice(shape.pairs)


def any_direction(shape, random):
    return random.sample(any_pair(shape, random), 2)


def any_host(shape, random):
    return [random.choice(shape.hosts)]


def any_node(shape, random):
    return [random.choice(shape.nodes)]


def any_edge(shape, random):
    return [random.choice(shape.edges)]


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    run: typing.Callable
    targets: typing.Callable                # (shape, random) -> names of hosts or nodes
    weight: int                             # how often it is chosen, compared with others
    seconds: tuple                          # how long it lasts: from, to
    layer: str = ""                         # on one target, one fault at a time of those with the same layer
    cripples: bool = True                   # its targets can't do their work; False: they do it worse
    arguments: tuple = dataclasses.field(default=((),))  # one of these follows the targets


KINDS = (
    Kind("partition", partition, any_pair, 3, (1, 6)),
    Kind("one-way", one_way, any_direction, 2, (1, 6)),
    Kind("isolate", isolate, any_host, 1, (1, 5)),
    Kind("loss", loss, any_host, 3, (2, 6), cripples=False, arguments=((1,), (5,), (30,))),
    Kind("delay", delay, any_host, 2, (2, 6), layer="queue", cripples=False, arguments=((20, 5), (50, 10), (200, 50))),
    Kind("narrow", narrow, any_host, 1, (2, 5), layer="line", cripples=False, arguments=(("2mbit",), ("10mbit",))),
    Kind("unplug", unplug, any_host, 1, (0.5, 4), layer="interface"),
    Kind("reset", reset, any_pair, 3, (0, 0), cripples=False),
    Kind("pause", pause, any_node, 3, (1, 6), layer="process"),
    Kind("kill", kill, any_node, 3, (0, 2), layer="process"),
    Kind("restart", restart, any_node, 2, (0.2, 1.5), layer="process"),
    Kind("descriptors", descriptors, any_edge, 1, (1, 4), layer="process", cripples=False),
)
