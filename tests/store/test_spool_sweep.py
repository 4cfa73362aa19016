"""What nobody knows goes from the spool; what has just come does not, whatever the clock says."""

import os
from pathlib import Path

from emailgency.store import layout
from emailgency.store.ids import Ids
from emailgency.store.spool import replay

NOW = 1_800_000_000.0
DAY = 86_400


def old(data: Path, id: str) -> Path:
    path = data / layout.message(id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (NOW - DAY, NOW - DAY))
    return path


def test_a_message_that_comes_while_we_look_is_left_also_when_the_clock_has_jumped(tmp_path: Path) -> None:
    ids = Ids()
    fresh = old(tmp_path, ids.fresh(NOW))
    left_behind = old(tmp_path, Ids().fresh(NOW))
    live = Ids().fresh(NOW)
    waiting = old(tmp_path, live)
    assert replay.sweep(str(tmp_path), frozenset({live}), ids.mark, NOW, keep=False) == 1
    assert fresh.exists()
    assert waiting.exists()
    assert not left_behind.exists()
