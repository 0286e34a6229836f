"""Fixtures. A coroutine test runs in a loop of its own, within a deadline."""
import asyncio
import inspect
import itertools

import pytest

from heddle_cluster import BUILD, PATIENCE, Cluster

TEST_DEADLINE = 12 * PATIENCE
counter = itertools.count(1)


def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run():
        async with asyncio.timeout(TEST_DEADLINE):
            await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True


def pytest_sessionstart(session):
    for program in ("heddle-relay", "heddle-edge", "heddle"):
        if not (BUILD / program).exists():
            pytest.exit(f"{BUILD / program} is not there; build first (scripts/test does)", returncode=2)


@pytest.fixture(scope="module")
def shared(request, tmp_path_factory):
    """Two edges and a relay for the tests of a module that leave them as they were. A module may say
    EDGE = {...} and RELAY = {...} to change their settings."""
    module = request.module
    cluster = Cluster(tmp_path_factory.mktemp(module.__name__), relay=getattr(module, "RELAY", None),
                      edge=getattr(module, "EDGE", None))
    try:
        yield cluster.start()
        cluster.check_at_rest()
        cluster.stop()
    finally:
        cluster.destroy()


@pytest.fixture
def cluster(shared):
    """The module's cluster, looked at after each test."""
    yield shared
    shared.check()


@pytest.fixture
def make_cluster(tmp_path):
    """Clusters of a test's own: make_cluster(edges=2, relay={...}, edge={...})."""
    made = []

    def make(**options):
        folder = tmp_path / f"cluster-{len(made) + 1}"
        folder.mkdir()
        made.append(Cluster(folder, **options))
        return made[-1].start()

    try:
        yield make
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.destroy()


@pytest.fixture
def channel():
    """A name that no other test uses."""
    return f"room-{next(counter)}"
