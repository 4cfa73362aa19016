"""The storer is killed at random moments under mixed load, again and again on the same data."""

import os

import pytest

from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [pytest.mark.durability, pytest.mark.timeout(3600)]

MODULES = ("tests.support.load", "tests.support.recovery")
IN_A_ROW = 4


def kills(count: int) -> dict[int, list[str]]:
    def one(server: ForkServer, seed: int) -> list[str]:
        with folder() as scratch:
            return plain(server.call("tests.support.load:kills", os.path.join(scratch, "data"), seed, IN_A_ROW))

    return rounds(range(count // IN_A_ROW), one, *MODULES)


def test_hundreds_of_kills_lose_and_double_nothing() -> None:
    assert kills(200) == {}


@pytest.mark.long
def test_thousands_of_kills_lose_and_double_nothing() -> None:
    assert kills(5000) == {}
