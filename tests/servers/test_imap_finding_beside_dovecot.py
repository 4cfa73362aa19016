"""SEARCH, SORT and THREAD beside Dovecot, on the same messages: the same answers, or the reason why not."""

import os
import re

import pytest
from twisted.trial.unittest import TestCase

from tests.support.dovecot import Dovecot
from tests.support.finding_corpus import letters
from tests.support.imap import Office

SEARCHES = (
    "SUBJECT invoice",
    'SUBJECT "invoice 42"',
    'SUBJECT "re: "',
    "FROM anna",
    "FROM example.com",
    "TO zed",
    "CC bob",
    "FROM joerg",
    "TEXT kitchen",
    "BODY library",
    "BODY ibra",
    "TEXT lost1",
    "HEADER References lost",
    'HEADER Cc ""',
    'HEADER X-None ""',
    "SENTBEFORE 10-Jan-2026",
    "SENTON 12-Jan-2026",
    "SENTSINCE 20-Jan-2026",
    "NOT SUBJECT invoice",
    "OR SUBJECT lunch BODY garden",
    "NOT OR FROM anna TO bob",
    "5:20 TEXT ticket",
    "LARGER 450",
    "SMALLER 400",
    "(FROM anna) (NOT BODY planet)",
    "UID 10:30 CC e",
    "HEADER Message-ID 7.",
    'BODY "t 3"',
    "TEXT e",
    "BODY zzz",
    "OLDER 10",
    "YOUNGER 10",
    "SUBJECT pfel",
    "RETURN (MIN MAX COUNT) TEXT garden",
    "RETURN () SUBJECT meeting",
    "RETURN (ALL) BODY zzz",
    "RETURN (COUNT) BODY zzz",
)
SORTS = (
    "(SUBJECT)",
    "(REVERSE SUBJECT)",
    "(FROM)",
    "(TO)",
    "(CC)",
    "(DATE)",
    "(REVERSE DATE)",
    "(SIZE)",
    "(SUBJECT REVERSE DATE)",
    "(FROM SUBJECT)",
    "(REVERSE FROM REVERSE SIZE)",
    "(DISPLAYFROM)",
    "(REVERSE DISPLAYTO)",
)


@pytest.mark.peer("dovecot")
class FindingBesideDovecot(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()
        await self.office.folders.create(self.office.path(), quiet=True)

    async def tearDown(self) -> None:
        await self.office.stop()

    async def both(self, messages: list[bytes], commands: list[str]) -> list[tuple[str, bytes, bytes]]:
        """(command, our answer, Dovecot's)."""
        dovecot = Dovecot(messages)
        try:
            lines = [b"s EXAMINE INBOX", *(f"c{at} {line}".encode() for at, line in enumerate(commands))]
            octets = dovecot.session(b"".join(line + b"\r\n" for line in lines))
        finally:
            dovecot.close()
        # It works on several commands at once and ends them in any order; each has one answer, in that order.
        answers = re.findall(rb"^(\* (?:SEARCH|ESEARCH|SORT|THREAD).*)\r\n", octets, re.MULTILINE)
        ends = [int(number) for number in re.findall(rb"^c(\d+) OK", octets, re.MULTILINE)]
        theirs = dict(zip(ends, answers, strict=True))
        for number, message in enumerate(messages):
            name = f"{1700000000 + number}.m{number:05}.host,S={len(message)}:2,S"
            with open(os.path.join(self.office.disk(), "cur", name), "wb") as file:
                file.write(message)
        client = await self.office.member(folder="INBOX")
        return [
            (command, _plain((await client.ok(command.encode()))[0]), _plain(theirs[at]))
            for at, command in enumerate(commands)
        ]

    async def test_searches(self) -> None:
        messages = letters(120, seed=3)
        for command, ours, theirs in await self.both(messages, [f"SEARCH {keys}" for keys in SEARCHES]):
            self.assertEqual(ours, theirs, command)

    async def test_sorts(self) -> None:
        messages = letters(90, seed=5)
        for command, ours, theirs in await self.both(messages, [f"SORT {keys} UTF-8 ALL" for keys in SORTS]):
            self.assertEqual(ours, theirs, command)

    async def test_threads(self) -> None:
        for seed in range(6):
            await self.office.stop()
            self.office = await Office().start()
            await self.office.folders.create(self.office.path(), quiet=True)
            commands = [
                "THREAD ORDEREDSUBJECT UTF-8 ALL",
                "THREAD REFERENCES UTF-8 ALL",
                "THREAD REFERENCES UTF-8 5:30",
            ]
            for command, ours, theirs in await self.both(letters(60, seed=seed), commands):
                self.assertEqual(ours, theirs, (seed, command))


def _plain(line: bytes) -> bytes:
    """Without what may differ: the tag, and a space before the first thread."""
    return re.sub(rb'\(TAG "[^"]*"\)', b"", line).replace(b"THREAD (", b"THREAD(").rstrip()
