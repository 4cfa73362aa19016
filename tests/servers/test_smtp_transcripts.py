"""Each dialogue of tests/transcripts/smtp, said as written and said octet by octet."""

import pytest
from twisted.internet.task import Clock

from tests.support.smtp import MemorySpool, Talk, build
from tests.support.transcripts import check, transcripts, turns


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("name", transcripts("smtp"))
def test_dialogue(name: str, piece: int) -> None:
    talk = Talk(build(Clock(), MemorySpool()))
    for said, expected in turns("smtp", name):
        came = talk.say(said, piece) if said else talk.wire.lines()
        check(expected, came, name, said)
