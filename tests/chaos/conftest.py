"""Lets these tests use what the end-to-end tests use, and hosts where they can be made."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import hosts  # noqa: E402


@pytest.fixture(scope="session")
def namespaces():
    """For tests that need network namespaces. Where there are none, they say so; under CI that is a failure."""
    reason = hosts.why_not()
    if reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"NO FAULTS WERE TESTED, there can't be hosts: {reason}")


@pytest.fixture
def make_hosts(namespaces):
    """make_hosts("a", "b"): hosts of these names."""
    made = []

    def make(*names):
        made.append(hosts.Hosts())
        for name in names:
            made[-1].add(name)
        return made[-1]

    yield make
    for one in made:
        one.end()
