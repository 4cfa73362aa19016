"""The real program is killed at random moments under load from outside: nothing promised is lost, nothing doubled."""

import pytest

from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [pytest.mark.durability, pytest.mark.timeout(7200)]

CAMPAIGNS = 3


def kills(campaigns: int, times: int, first_seed: int = 0) -> dict[int, list[str]]:
    def one(server: ForkServer, seed: int) -> list[str]:
        with folder() as scratch:
            return plain(server.call("tests.support.campaigns:killed", scratch, seed, times, 0.6))

    return rounds(range(first_seed, first_seed + campaigns), one, "tests.support.campaigns")


@pytest.mark.parametrize("campaign", range(CAMPAIGNS))
def test_sixty_kills_of_the_real_process_lose_and_double_nothing(campaign: int) -> None:
    assert kills(1, 60 // CAMPAIGNS, campaign) == {}


@pytest.mark.long
def test_thousands_of_kills_of_the_real_process_lose_and_double_nothing() -> None:
    assert kills(50, 60, 100) == {}
