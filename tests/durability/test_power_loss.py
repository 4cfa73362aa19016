"""The disk loses power under mixed load: what was promised is on it. Without our syncs it is not: the control."""

import pytest

from tests.support import disk_image
from tests.support.fork_server import ForkServer
from tests.support.rounds import folder, plain, rounds

pytestmark = [
    pytest.mark.durability,
    pytest.mark.peer("xfs_io"),
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not disk_image.available(), reason="needs root and loop devices"),
]

MODULES = ("tests.support.load", "tests.support.recovery")
CONTROL_TRIES = 4  # now and then the power goes before anything was promised


def losses(kind: str, seeds: int, in_a_row: int, *, syncing: bool = True) -> dict[int, list[str]]:
    def one(server: ForkServer, seed: int) -> list[str]:
        with folder() as scratch:
            return plain(server.call("tests.support.load:power_losses", kind, scratch, seed, in_a_row, syncing))

    return rounds(range(seeds), one, *MODULES)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_loss_loses_and_doubles_nothing(kind: str) -> None:
    assert losses(kind, 2, 10) == {}


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_control_without_syncs_power_loss_does_lose(kind: str) -> None:
    assert any(losses(kind, 2, 3, syncing=False) != {} for _ in range(CONTROL_TRIES))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_thousand_power_losses_lose_and_double_nothing(kind: str) -> None:
    assert losses(kind, 50, 20) == {}
