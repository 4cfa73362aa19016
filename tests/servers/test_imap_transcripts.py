"""Every file of tests/transcripts/imap, played against the server."""

import os
from typing import ClassVar

from twisted.trial.unittest import TestCase

from emailgency.store import layout
from tests.support.dialogue import Dialogue
from tests.support.imap import MESSAGE, Client, Office

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "transcripts", "imap")


class Transcripts(TestCase):
    """`@ fill N` stores N messages in paul's INBOX, `@ fill N Folder` elsewhere, `@ undelivered N` there."""

    office: Office
    names: ClassVar[list[str]] = sorted(name for name in os.listdir(FOLDER) if name.endswith(".txt"))

    async def setUp(self) -> None:
        self.office = await Office(append_limit=5000, append_messages=4, folder_limit=40).start()

    async def tearDown(self) -> None:
        await self.office.stop()

    async def act(self, words: str) -> None:
        verb, count, *folder = words.split(" ")
        assert verb in ("fill", "undelivered"), words
        path = self.office.path(*folder) if verb == "fill" else layout.undelivered("c1")
        await self.office.fill(*(MESSAGE + b"%d\r\n" % number for number in range(1, int(count) + 1)), folder=path)

    async def connect(self) -> Client:
        client = await self.office.client()
        assert (await client.raw_line()).startswith(b"* OK ")
        return client

    async def play(self, name: str) -> None:
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            await Dialogue(file.read(), self.connect, self.act).play()


def _test(name: str):
    async def test(self: Transcripts) -> None:
        await self.play(name)

    return test


for _name in Transcripts.names:
    setattr(Transcripts, "test_" + _name.removesuffix(".txt").replace("-", "_"), _test(_name))
