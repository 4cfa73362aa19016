"""Each dialogue of tests/transcripts, said as written, in small pieces and octet by octet."""

import pytest
from twisted.internet.task import Clock

from emailgency.codec.address import parse
from emailgency.flows.accounts.login import WRONG, Principal, Source
from emailgency.model.verdict import Verdict
from emailgency.servers.smtp_service import SmtpSettings
from tests.support.smtp import MemorySpool, Talk, build
from tests.support.transcripts import check, transcripts, turns

DIALOGUES = [(port, name) for port in ("smtp", "submission") for name in transcripts(port)]


class OnePassword:
    """Lets everybody in whose password is "b"."""

    async def authenticate(self, name: str, password: str, source: Source) -> Principal | Verdict:
        return Principal("c", "m", parse("a@mydomain.zz"), False, 0) if password == "b" else WRONG


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize(("port", "name"), DIALOGUES)
def test_dialogue(port: str, name: str, piece: int) -> None:
    factory = build(Clock(), MemorySpool(), settings=SmtpSettings(clear_login=True))
    if port == "submission":
        factory.service.login = OnePassword()
    talk = Talk(factory, "127.0.0.1")
    for said, expected in turns(port, name):
        came = talk.say(said, piece) if said else talk.wire.lines()
        check(expected, came, name, said)
