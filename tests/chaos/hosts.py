"""Hosts on one machine: network namespaces with a switch between them.

Each host is a namespace with one address, the switch a bridge in a namespace of its own, so that what passes between
two hosts can be cut in the middle, where neither sees it. A namespace here has no name and no file: it lives as long
as a process is in it, and the kernel kills those with whoever made the hosts, however that ended. So nothing can be
left over, and two runs have nothing in common, not even their addresses.

Thread: the one that makes the hosts starts their processes, too, and lives as long as they do (a process dies with
the thread that started it).
"""
import contextlib
import ctypes
import os
import re
import shutil
import socket
import subprocess
import threading
import time

PATIENCE = 10  # seconds for what takes milliseconds
CLONE_NEWNET = 0x40000000
LONGEST_NAME = 15  # of an interface
TOOLS = ("unshare", "nsenter", "setpriv", "ip", "tc", "ss", "nft", "iptables")

libc = ctypes.CDLL(None, use_errno=True)


def bound(*words):
    """The command that runs `words` and is killed when the thread that starts it ends, also if that is right now."""
    return ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid()),
            *map(str, words)]


class HostError(Exception):
    """What could not be made or done, with the tool's own words."""


def as_root():
    """Makes this program root, if need be in a user namespace of its own. Returns only if it is root."""
    if os.geteuid() != 0:
        # with a network of its own as well: one can come back only to a namespace that one has power over
        os.execvp("unshare", ["unshare", "--user", "--map-root-user", "--net", "--", *read_own_command()])


def read_own_command():
    with open("/proc/self/cmdline", "rb") as file:
        return [word.decode() for word in file.read().split(b"\0")[:-1]]


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise HostError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.005)


class Namespace:
    """An empty network namespace, with the loopback interface up, and the processes that were started in it."""

    def __init__(self):
        self.processes = []
        self.keeper = subprocess.Popen(["unshare", "--net", "--", *bound("sleep", "infinity")],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        self.path = f"/proc/{self.keeper.pid}/ns/net"
        try:
            wait_until(self.is_made, "a network namespace")
            self.run("ip", "link", "set", "dev", "lo", "up")
        except BaseException:
            self.end()
            raise

    def is_made(self):
        if self.keeper.poll() is not None:
            raise HostError(f"no network namespace: {self.keeper.stderr.read().decode().strip()}")
        with open(f"/proc/{self.keeper.pid}/comm", encoding="utf-8") as file:
            return file.read() == "sleep\n"

    def command(self, *words):
        """The command that runs `words` in here and has them end with this program."""
        return ["nsenter", f"--net={self.path}", "--", *bound(*words)]

    def run(self, *words):
        """Runs a tool to its end; returns what it printed."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise HostError(f"{' '.join(map(str, words))}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return done.stdout

    def start(self, *words, **options):
        """A process that stays. It is killed, if it is still there, when the hosts end."""
        process = subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes meanwhile are in here, and stay so."""
        with open("/proc/thread-self/ns/net", encoding="utf-8") as home, open(self.path, encoding="utf-8") as there:
            enter(there.fileno())
            try:
                yield
            finally:
                enter(home.fileno())

    def end(self):
        for process in [*self.processes, self.keeper]:
            if process.poll() is None:
                process.kill()
        for process in [*self.processes, self.keeper]:
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()


def enter(descriptor):
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise HostError(f"setns: {os.strerror(ctypes.get_errno())}")


class Host(Namespace):
    """A namespace with an interface `eth`, an address, and a port of the same name as the host on the switch."""

    def __init__(self, name, address):
        self.name, self.address = name, address
        super().__init__()


class Switch(Namespace):
    """Where all hosts are plugged in. Here one says what doesn't pass."""

    RULES = "add table bridge faults; add chain bridge faults forward { type filter hook forward priority 0; }"

    def __init__(self):
        super().__init__()
        self.run("ip", "link", "add", "name", "switch", "type", "bridge")
        self.run("ip", "link", "set", "dev", "switch", "up")
        self.run("nft", self.RULES)

    def plug(self, host, prefix):
        if len(host.name) > LONGEST_NAME:
            raise HostError(f"{host.name}: more than {LONGEST_NAME} letters")
        self.run("ip", "link", "add", "name", host.name, "type", "veth",
                 "peer", "name", "eth", "netns", host.keeper.pid)
        self.run("ip", "link", "set", "dev", host.name, "master", "switch", "up")
        host.run("ip", "address", "add", f"{host.address}/{prefix}", "dev", "eth")
        host.run("ip", "link", "set", "dev", "eth", "up")

    def drop(self, match):
        """Frames that match don't pass. Returns the number of the rule."""
        said = self.run("nft", "--echo", "--handle", f"add rule bridge faults forward {match} drop")
        return re.search(r"# handle (\d+)", said)[1]

    def undrop(self, number):
        self.run("nft", f"delete rule bridge faults forward handle {number}")


class Hosts:
    """The switch and the hosts, by name. A context: what was made ends with it."""

    NETWORK, PREFIX = "10.77.0.", 24

    def __init__(self):
        self.by_name = {}
        self.switch = Switch()

    def add(self, name):
        host = Host(name, f"{self.NETWORK}{len(self.by_name) + 1}")
        self.by_name[name] = host
        self.switch.plug(host, self.PREFIX)
        return host

    def __getitem__(self, name):
        return self.by_name[name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        for namespace in [*self.by_name.values(), self.switch]:
            namespace.end()


def reach(one, other, patience):
    """Whether a connection from one host to another is there within so many seconds, and carries something."""
    with other.entered():
        listener = socket.create_server((other.address, 0))
    with listener, one.entered(), socket.socket() as connection:
        listener.settimeout(patience)
        connection.settimeout(patience)
        try:
            connection.connect(listener.getsockname())
            with listener.accept()[0] as accepted:
                accepted.settimeout(patience)
                connection.sendall(b"x")
                return accepted.recv(1) == b"x"
        except OSError:
            return False


def why_not():
    """Why there can't be hosts here; None if there can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if threading.current_thread() is not threading.main_thread():
        return "hosts are made by the main thread"
    try:
        with Hosts() as hosts:
            if not reach(hosts.add("a"), hosts.add("b"), PATIENCE):
                return "two namespaces on a bridge don't reach each other"
    except (HostError, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None
