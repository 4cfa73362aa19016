"""Many clients of one mailbox at once, with mail arriving and another program beside: nobody is ever told what cannot
be, and at rest all of them believe what is on the disk.

For hours: `pytest tests/durability/test_many_clients.py --seconds 14400`; the same again: `--seed N` as it was printed.
"""

import secrets
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.support.shared_mailbox import SharedMailbox

pytestmark = [pytest.mark.durability, pytest.mark.timeout(0)]


class ManyClients(TestCase):
    timeout = 30 * 24 * 3600

    @pytest.fixture(autouse=True)
    def options(self, request: pytest.FixtureRequest) -> None:
        self.seconds = request.config.getoption("--seconds")
        self.seed = request.config.getoption("--seed")

    def test_all_clients_of_a_mailbox_agree_with_the_disk(self) -> Any:
        seed = secrets.randbelow(1 << 31) if self.seed is None else self.seed
        print(f"seed {seed}")
        return ensureDeferred(SharedMailbox(seed).work(self.seconds))
