"""The disk under a whole server loses its power: what had a 250 or an OK is there. Without our syncs it is not."""

import pytest

from tests.support import disk_image
from tests.support.campaigns import LOST, TORN, tells
from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [
    pytest.mark.durability,
    pytest.mark.peer("xfs_io"),
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not disk_image.available(), reason="only root may mount the disk that loses its power"),
]

CONTROL_TRIES = 8


def losses(kinds: list[str], times: int, flaw: str = "none") -> dict[tuple[int, str], list[str]]:
    def one(server: ForkServer, case: tuple[int, str]) -> list[str]:
        seed, kind = case
        with folder() as scratch:
            words = server.call("tests.support.campaigns:without_power", kind, scratch, seed, times, flaw)
            return plain(words)

    return rounds(list(enumerate(kinds)), one, "tests.support.campaigns")


def test_power_losses_of_a_whole_server_lose_nothing_promised() -> None:
    assert losses(["ext4", "xfs"], 4) == {}


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_control_a_whole_server_without_syncs_does_lose(kind: str) -> None:
    """When the power goes is chance: now and then the kernel has just written everything by itself."""
    for _ in range(CONTROL_TRIES):
        if any(tells(complaints, *LOST, *TORN) for complaints in losses([kind], 3, "unsynced").values()):
            return
    pytest.fail(f"{CONTROL_TRIES} times three power losses without syncs lost nothing")


@pytest.mark.long
def test_hundreds_of_power_losses_of_a_whole_server_lose_nothing_promised() -> None:
    assert losses(["ext4", "xfs"] * 10, 20) == {}
