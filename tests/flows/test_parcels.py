"""What the spool records of an attempt."""

from types import SimpleNamespace

import pytest

from emailgency.codec.smtp.client import Result, Stage
from emailgency.codec.smtp.reply_reader import Reply
from emailgency.flows.relaying.parcels import outcome_of


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT])
@pytest.mark.parametrize(("ours", "remote"), [(False, "mx.example[192.0.2.1]:25"), (True, "")])
def test_no_words_of_ours_are_put_into_the_mouth_of_the_remote(stage: Stage, ours: bool, remote: str) -> None:
    courier = SimpleNamespace(peer="mx.example[192.0.2.1]:25")
    outcome = outcome_of("bounced", Result(stage, Reply(553, ("5.1.3 cannot be written",)), ours), courier)
    assert (outcome.remote, outcome.code, outcome.enhanced) == (remote, 553, "5.1.3")
