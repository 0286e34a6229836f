"""Hosts, and what is done to the network between them, seen from the hosts."""
import errno
import pathlib
import signal
import socket
import subprocess
import sys
import time
import types

import pytest

import faults
from heddle_cluster import BUILD, wait_until
from hosts import PATIENCE, reach

SOON = 0.5  # seconds, for what isn't expected to arrive

OWNER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import hosts
with hosts.Hosts() as made:
    host = made.add("a")
    program = host.start("sleep", "infinity")
    print(host.keeper.pid, made.switch.keeper.pid, program.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def cluster(make_hosts):
    """What network faults need of one."""
    return types.SimpleNamespace(hosts=make_hosts("a", "b", "c"), delay_queue=BUILD / "tests" / "delay_queue")


@pytest.fixture
def a(cluster):
    return cluster.hosts["a"]


@pytest.fixture
def b(cluster):
    return cluster.hosts["b"]


@pytest.fixture
def c(cluster):
    return cluster.hosts["c"]


def datagrams(host, port=0):
    with host.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host.address, port))
    made.settimeout(SOON)
    return made


def pass_numbers(sender, receiver, count):
    """Sends numbers as datagrams; returns [(number, seconds that it took)] in the order of arrival."""
    sent, arrived = {}, []
    with datagrams(sender) as out, datagrams(receiver) as into:
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for number in range(count):
            sent[number] = time.monotonic()
            out.sendto(number.to_bytes(4, "big"), into.getsockname())
        try:
            while len(arrived) < count:
                number = int.from_bytes(into.recv(4), "big")
                arrived.append((number, time.monotonic() - sent[number]))
        except TimeoutError:
            pass
    return arrived


def connect(one, other):
    """(socket of one, socket of the other)"""
    with other.entered(), socket.create_server((other.address, 0)) as listener:
        with one.entered():
            here = socket.create_connection(listener.getsockname(), PATIENCE)
        there = listener.accept()[0]
    there.settimeout(PATIENCE)
    return here, there


def is_alive(pid):
    status = pathlib.Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_hosts_reach_each_other_and_are_not_seen_outside(a, b):
    assert reach(a, b, PATIENCE) and reach(b, a, PATIENCE)
    outside = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True, check=True).stdout
    assert a.address in a.run("ip", "-o", "address")
    assert f"{a.address}/" not in outside


def test_two_sets_of_hosts_have_nothing_in_common(a, make_hosts):
    other = make_hosts("a", "b")
    assert other["a"].address == a.address
    other.switch.drop("iifname a")
    assert not reach(other["a"], other["b"], SOON)
    assert pass_numbers(a, a, 1)


def test_nothing_is_left_of_hosts_whose_owner_is_killed(namespaces):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(pathlib.Path(__file__).parent)],
                             stdout=subprocess.PIPE, text=True)
    with owner:
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 3 and all(is_alive(pid) for pid in pids)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "what the owner started is gone")


def test_a_partition_cuts_two_hosts_and_heals(cluster, a, b, c):
    with faults.partition(cluster, "a", "b"):
        assert not reach(a, b, SOON) and not reach(b, a, SOON)
        assert reach(a, c, PATIENCE) and reach(c, b, PATIENCE)
    assert reach(a, b, PATIENCE) and reach(b, a, PATIENCE)


def test_two_partitions_of_the_same_hosts_heal_one_by_one(cluster, a, b):
    with faults.partition(cluster, "a", "b"):
        with faults.partition(cluster, "b", "a"):
            pass
        assert not reach(a, b, SOON)
    assert reach(a, b, PATIENCE)


def test_one_way_lets_the_other_way_pass(cluster, a, b):
    assert reach(a, b, PATIENCE)  # each knows the other's hardware address
    with faults.one_way(cluster, "a", "b"):
        assert not pass_numbers(a, b, 10)
        assert len(pass_numbers(b, a, 10)) == 10
    assert len(pass_numbers(a, b, 10)) == 10


def test_an_isolated_host_reaches_nobody(cluster, a, b, c):
    with faults.isolate(cluster, "a"):
        assert not reach(a, b, SOON) and not reach(c, a, SOON)
        assert reach(b, c, PATIENCE)
    assert reach(a, b, PATIENCE)


def test_loss_loses_its_share_both_ways_and_of_that_host_only(cluster, a, b, c):
    assert reach(a, b, PATIENCE)
    with faults.loss(cluster, "a", 30):
        assert 1000 * 0.6 < len(pass_numbers(a, b, 1000)) < 1000 * 0.8  # more than six standard deviations
        assert 1000 * 0.6 < len(pass_numbers(b, a, 1000)) < 1000 * 0.8
        assert len(pass_numbers(b, c, 1000)) == 1000
    assert len(pass_numbers(a, b, 1000)) == 1000


def test_delay_holds_back_what_a_host_sends_and_changes_its_order(cluster, a, b):
    assert reach(a, b, PATIENCE)
    with faults.delay(cluster, "a", 100, 50):
        arrived = pass_numbers(a, b, 100)
        assert len(arrived) == 100
        assert min(seconds for _, seconds in arrived) >= 0.05
        assert 0.09 < sum(seconds for _, seconds in arrived) / 100 < 0.2
        assert [number for number, _ in arrived] != sorted(number for number, _ in arrived)
        assert min(seconds for _, seconds in pass_numbers(b, a, 10)) < 0.05
    assert min(seconds for _, seconds in pass_numbers(a, b, 10)) < 0.05


def test_what_is_held_back_when_a_delay_ends_still_arrives(cluster, a, b):
    assert reach(a, b, PATIENCE)
    with datagrams(a) as out, datagrams(b) as into:
        with faults.delay(cluster, "a", 60000, 0):
            out.sendto(b"late", into.getsockname())
            with pytest.raises(TimeoutError):
                into.recv(10)
        assert into.recv(10) == b"late"


def test_a_narrow_line_takes_its_time(cluster, a, b):
    def seconds_for(size):
        here, there = connect(a, b)
        with here, there:
            began = time.monotonic()
            here.sendall(b"x" * size)
            here.shutdown(socket.SHUT_WR)
            while there.recv(65536):
                pass
            return time.monotonic() - began

    with faults.narrow(cluster, "a", "2mbit"):
        assert seconds_for(200_000) > 0.5  # 0.8, but for the burst
    assert seconds_for(200_000) < 0.5


def test_reset_ends_the_connections_of_two_hosts_only(cluster, a, b, c):
    here, there = connect(a, b)
    other, its_other = connect(a, c)
    with here, there, other, its_other:
        with faults.reset(cluster, "a", "b"):
            pass
        with pytest.raises(OSError) as raised:
            there.recv(1)
        assert raised.value.errno in (errno.ECONNRESET, errno.ECONNABORTED)
        other.sendall(b"x")
        assert its_other.recv(1) == b"x"


def test_an_unplugged_host_is_told_so(cluster, a, b):
    with faults.unplug(cluster, "a"), datagrams(a) as out:
        with pytest.raises(OSError) as raised:
            out.sendto(b"x", (b.address, 9))
        assert raised.value.errno == errno.ENETUNREACH
    assert reach(a, b, PATIENCE)
