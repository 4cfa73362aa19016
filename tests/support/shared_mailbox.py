"""One mailbox, many clients, mail that arrives, another program beside them, restarts: rounds of work and then of rest.

At rest everybody's belief must be what is on the disk. All chances come from one seed.
"""

import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

from emailgency.codec import maildir
from emailgency.model.envelope import Deliver
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.records import Accepted
from emailgency.store.storing import keywords
from emailgency.store.storing.maildir import SETTLED
from emailgency.store.storing.messages import Commit, Delivery, Open, Release
from tests.conftest import ROOT
from tests.support.belief import Disagreement, Meaning
from tests.support.imap import MESSAGE, Office, all_of
from tests.support.many_clients import FOLDERS, Somebody
from tests.support.storer import envelope_of

KINDS = ("plain", "condstore", "qresync", "qresync", "watching")
_DEEDS = 25  # of each client in a round
_SHOWN = {"R": b"\\Answered", "F": b"\\Flagged", "T": b"\\Deleted", "S": b"\\Seen", "D": b"\\Draft"}


class SharedMailbox:
    """`await work(seconds)` raises Disagreement with the seed and the last lines of the client that has it."""

    def __init__(self, seed: int, *, kills: bool = True) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.kills = kills
        self.meaning: Meaning = {}
        self.rounds = 0
        self.failed = False

    async def work(self, seconds: float) -> None:
        """Rounds for so long, at least one."""
        self.office = await Office(login_attempts=20).start()
        try:
            await self.office.fill(*[MESSAGE] * 8)
            await self.office.fill(*[MESSAGE] * 3, folder=self.office.path("Archive"))
            self.people = [
                Somebody(self.office, f"client {number}", kind, random.Random(f"{self.seed}.{number}"), self.meaning)
                for number, kind in enumerate(KINDS)
            ]
            end = time.monotonic() + seconds
            while self.rounds == 0 or time.monotonic() < end:
                await self.round()
        except Disagreement as error:
            raise Disagreement(f"seed {self.seed}, round {self.rounds}: {error}") from None
        finally:
            await self.office.stop()

    async def round(self) -> None:
        """Work, then rest."""
        self.rounds += 1
        beside = [Neighbour(self.office.disk(*name), self.chance.randrange(1 << 30)) for name in ((), ("Archive",))]
        try:
            await all_of(*(self.busy(one) for one in self.people), self.mail(), self.look(), *map(self.besides, beside))
        finally:
            for one in beside:
                one.stop()
        await self.rest()
        if self.chance.random() < 0.3:
            await self.again()

    async def busy(self, one: Somebody) -> None:
        for _ in range(_DEEDS):
            if self.failed:
                return
            try:
                await one.act()
            except BaseException:
                self.failed = True
                raise

    async def mail(self) -> None:
        """Arrives by the spool."""
        for _ in range(self.chance.randint(0, 6)):
            envelope = envelope_of(MESSAGE, (Deliver(customer="c1", mailbox="paul", recipient=0),))
            record = spool_records.encode(Accepted(envelope))
            number = self.office.storer.number()
            delivery = Delivery(0, self.office.path())
            try:
                await self.office.storer.ask(Commit(number, envelope.id, MESSAGE, record, (delivery,)))
                self.office.storer.tell(Release((envelope.id,)))
            except Exception as error:
                if "storer" not in str(error):
                    raise
            await self.office.until(lambda: True)

    async def look(self) -> None:
        """What the server does every ten seconds, and sometimes a kill."""
        for _ in range(3):
            await self.office.until(lambda: True)
            await self.office.server.look()
        if self.kills and self.chance.random() < 0.15:
            os.kill(self.office.storer._process.pid, signal.SIGKILL)

    async def besides(self, beside: "Neighbour") -> None:
        for _ in range(self.chance.randint(0, 12)):
            beside.act()
            await self.office.until(lambda: True)
            await self.office.until(beside.idle)

    # ---- rest ----------------------------------------------------------------------------------------------

    async def rest(self) -> None:
        """Everybody hears of everything; then all must agree with the disk, folder by folder."""
        for folder, name in zip(FOLDERS, ((), ("Archive",)), strict=True):
            await self.office.until(lambda name=name: self.settled(name))
            opened = await self.trying(lambda name=name: self.office.folders.open(self.office.path(*name)))
            await self.office.folders.refresh(opened)
            there = [one for one in self.people if one.folder == folder and one.client and not one.client.closed]
            for one in there:
                try:
                    believed = await one.settle()
                    truth = self.truth(name)
                    if believed != truth:
                        listed = await self.listed(name)
                        raise Disagreement(
                            f"{folder!r} is {_told(truth)}, believed {_told(believed)}\n"
                            f"the storer lists {listed}\nthe snapshot has {list(opened.uids)}, gone: {opened.gone}"
                        )
                except Disagreement as error:
                    raise Disagreement(f"{one.name} ({one.kind}) at rest: {error}\n" + "\n".join(one.log)) from None

    def settled(self, name: tuple[str, ...]) -> bool:
        """Whether file times are old enough to hide nothing: what another program does shows then, and not before."""
        disk = self.office.disk(*name)
        return time.time() - max(os.stat(f"{disk}/{part}").st_mtime for part in ("cur", "new")) > 3 * SETTLED

    async def listed(self, name: tuple[str, ...]) -> list[int]:
        """UIDs by the storer's list: tells whose mistake it is."""
        storer = self.office.storer
        reply = await storer.ask(Open(storer.number(), self.office.path(*name)))
        return [maildir.uid_of(file_name) for _, file_name in reply.names]

    async def trying(self, make: Any) -> Any:
        """Again, while a new storer starts."""
        end = time.monotonic() + 20
        while True:
            try:
                return await make()
            except Exception:
                if time.monotonic() > end:
                    raise
                await self.office.until(lambda: True)

    def truth(self, name: tuple[str, ...]) -> dict[int, frozenset[bytes]]:
        """UID -> flags, by the files alone."""
        disk = self.office.disk(*name)
        words: tuple[str, ...] = ()
        if os.path.exists(f"{disk}/dovecot-keywords"):
            with open(f"{disk}/dovecot-keywords", "rb") as file:
                words = keywords.parse(file.read())
        found = {}
        for subfolder in ("new", "cur"):
            for file_name in os.listdir(f"{disk}/{subfolder}"):
                taken = maildir.parse(file_name)
                flags = [_SHOWN[letter] for letter in taken.flags if letter in _SHOWN]
                flags += [words[ord(letter) - 97].encode() for letter in taken.flags if letter.islower()]
                found[taken.uid] = frozenset(flags)
        return found

    async def again(self) -> None:
        """The server stops and starts; some changes are made while it is not there."""
        for one in self.people:
            one.leave()
            one.client = None
        await self.office.close_port()
        await self.office.storer.stop()
        if self.chance.random() < 0.5:
            beside = Neighbour(self.office.disk(), self.chance.randrange(1 << 30))
            for _ in range(3):
                beside.act()
                await self.office.until(beside.idle)
            beside.stop()
        await self.office.start()


class Neighbour:
    """A process of `tests.support.neighbour`."""

    def __init__(self, folder: str, seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.neighbour", folder, str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._asked = self._done = 0

    def act(self) -> None:
        assert self._process.stdin is not None
        self._asked += 1
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def idle(self) -> bool:
        """Whether it has done what it was asked for."""
        assert self._process.stdout is not None
        octets = self._process.stdout.read()
        self._done += (octets or b"").count(b"done")
        return self._done >= self._asked

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _told(believed: dict[int, frozenset[bytes]]) -> str:
    return ", ".join(f"{uid} {b' '.join(sorted(flags)).decode()}" for uid, flags in sorted(believed.items()))
