"""Hundreds of kills of a whole server that starts in a tenth of a second: it is forked from one that is warm."""

import pytest

from tests.support.campaigns import DOUBLED, LOST, tells
from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [pytest.mark.durability, pytest.mark.timeout(7200)]

CAMPAIGNS = 4
CONTROL_TRIES = 8


def kills(campaigns: int, times: int, first_seed: int, flaw: str = "none") -> dict[int, list[str]]:
    def one(server: ForkServer, seed: int) -> list[str]:
        with folder() as scratch:
            return plain(server.call("tests.support.campaigns:forks_killed", scratch, seed, times, 0.2, flaw))

    return rounds(range(first_seed, first_seed + campaigns), one, "tests.support.campaigns")


def found_out(flaw: str, first_seed: int, *words: str) -> bool:
    """Whether a flaw shows in a few campaigns: in which one is chance."""
    for seed in range(first_seed, first_seed + CONTROL_TRIES):
        if any(tells(complaints, *words) for complaints in kills(1, 20, seed, flaw).values()):
            return True
    return False


@pytest.mark.parametrize("campaign", range(CAMPAIGNS))
def test_three_hundred_kills_lose_and_double_nothing(campaign: int) -> None:
    assert kills(1, 300 // CAMPAIGNS, 1000 + campaign) == {}


def test_control_a_250_before_the_commit_is_found_out() -> None:
    """Now and then the first to show is a repetition that came before the commit of the message it repeats."""
    assert found_out("hasty", 1100, *LOST, *DOUBLED)


def test_control_a_repetition_taken_for_another_message_is_found_out() -> None:
    assert found_out("forgetful", 1200, *DOUBLED)


@pytest.mark.long
def test_ten_thousand_kills_lose_and_double_nothing() -> None:
    assert kills(100, 100, 2000) == {}
