"""A storer on a folder of its own, and a look at the folder afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emailgency.store.verify import verify
from tests.support.storer import StorerProcess


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


@pytest.fixture
def storer(data: str) -> Iterator[StorerProcess]:
    """Every test leaves behind a data folder without findings."""
    process = StorerProcess(data)
    yield process
    process.close()
    assert list(verify(data)) == []
