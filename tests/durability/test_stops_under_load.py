"""SIGTERM under load: no transaction is cut between its final dot and the answer, nothing is lost, nothing doubled."""

import pytest

from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [pytest.mark.durability, pytest.mark.timeout(3600)]


def stops(campaigns: int, times: int) -> dict[int, list[str]]:
    def one(server: ForkServer, seed: int) -> list[str]:
        with folder() as scratch:
            return plain(server.call("tests.support.campaigns:stopped", scratch, seed, times, 0.3))

    return rounds(range(campaigns), one, "tests.support.campaigns")


def test_twenty_stops_cut_and_lose_nothing() -> None:
    assert stops(2, 10) == {}


@pytest.mark.long
def test_two_hundred_stops_cut_and_lose_nothing() -> None:
    assert stops(10, 20) == {}
