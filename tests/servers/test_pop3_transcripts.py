"""Every file of tests/transcripts/pop3, played against the server."""

import os
from typing import ClassVar

from twisted.trial.unittest import TestCase

from tests.support.dialogue import Dialogue
from tests.support.imap import MESSAGE
from tests.support.pop3 import PopClient, PostOffice
from tests.support.transcripts import FOLDER, transcripts


class Transcripts(TestCase):
    """`@ fill N` stores N messages in paul's INBOX."""

    names: ClassVar[list[str]] = transcripts("pop3")

    async def setUp(self) -> None:
        self.office = await PostOffice().start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def act(self, words: str) -> None:
        verb, count = words.split(" ")
        assert verb == "fill", words
        await self.office.fill(*(MESSAGE + b"%d\r\n" % number for number in range(1, int(count) + 1)))

    async def connect(self) -> PopClient:
        return await self.office.guest()

    async def play(self, name: str) -> None:
        with open(os.path.join(FOLDER, "pop3", name), encoding="utf-8") as file:
            await Dialogue(file.read(), self.connect, self.act).play()


def _test(name: str):
    async def test(self: Transcripts) -> None:
        await self.play(name)

    return test


for _name in Transcripts.names:
    setattr(Transcripts, "test_" + _name.removesuffix(".txt"), _test(_name))
