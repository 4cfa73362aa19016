"""Several clients on the folders of one mailbox at once, in one process with the server: what they do."""

import random
from collections import deque
from typing import Any

from twisted.internet.error import ConnectionClosed, ConnectionDone, ConnectionLost

from tests.support.belief import Belief, Disagreement, Meaning
from tests.support.imap import MESSAGE, PASSWORD, Client, Office

FOLDERS = (b"INBOX", b"Archive")
_FLAGS = (b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Deleted", b"\\Deleted", b"$Work")
_CALM = ("UNAVAILABLE", "EXPUNGEISSUED", "NONEXISTENT", "TRYCREATE")
_NOTIFY = (
    b"NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))"
    b" (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))"
)
_FULL = 60  # messages: from here on more go than come


class Somebody:
    """One mail program. `chance` decides all it does; `kind` is "plain", "condstore", "qresync", or "watching": that
    one has asked by NOTIFY to be told at any time, and so can use UIDs only (RFC 5465 section 5.3).
    """

    def __init__(self, office: Office, name: str, kind: str, chance: random.Random, meaning: Meaning) -> None:
        self.office = office
        self.name = name
        self.kind = kind
        self.chance = chance
        self.meaning = meaning
        self.belief = Belief(meaning, kind == "qresync")
        self.kept: dict[bytes, dict[str, Any]] = {}  # by folder, what it wrote down when it left
        self.folder = b""
        self.client: Client | None = None
        self.log: deque[str] = deque(maxlen=120)

    # ---- lines ---------------------------------------------------------------------------------------------

    async def say(self, line: bytes, *, numbers_stand: bool = False, heed: bool = True) -> tuple[list[bytes], bytes]:
        """A command and its answer, which the belief hears if `heed`."""
        assert self.client is not None
        self.log.append(f"C: {line.decode()}")
        told, tagged = await self.client.command(line)
        self.log.extend(f"S: {one.decode('latin-1')}" for one in (*told, tagged))
        if not tagged.startswith(b"OK") and not any(code.encode() in tagged for code in _CALM):
            raise Disagreement(f"{line!r} was answered {tagged!r}")
        if heed:
            for one in told:
                if not one.startswith(b"* SEARCH"):
                    self.belief.hear(one, numbers_stand=numbers_stand)
            if b"HIGHESTMODSEQ" in tagged:
                self.belief.hear(b"* " + tagged, numbers_stand=False)
            if not numbers_stand:
                self.belief.in_step()
        return told, tagged

    async def come(self) -> None:
        """Log in, if it is not."""
        if self.client is None or self.client.closed:
            self.folder = b""
            self.client = await self.office.client()
            await self.client.line()
            while not (await self.client.command(b"LOGIN paul " + PASSWORD.encode()))[1].startswith(b"OK"):
                await self.office.until(lambda: True)  # while a new storer starts
            if self.kind == "watching":
                await self.say(_NOTIFY, heed=False)
            elif self.kind != "plain":
                await self.say(b"ENABLE " + self.kind.upper().encode(), heed=False)

    async def select(self, folder: bytes) -> None:
        """With all it knows, if it may."""
        await self.come()
        self.leave()
        kept = self.kept.get(folder) if self.kind == "qresync" else None
        words = b"SELECT " + folder
        if kept and kept["highest"]:
            words += b" (QRESYNC (%d %d" % (kept["validity"], kept["highest"])
            more = self.chance.choice((b"", self.known(kept["uids"]), self.match_data(kept["uids"])))
            kept["whole"] = not more.startswith(b" 1:")
            words += more + b"))"
        elif self.kind == "condstore":
            words += b" (CONDSTORE)"
        told, tagged = await self.say(words, heed=False)
        if tagged.startswith(b"OK"):
            self.belief.opened(told, kept if kept and kept["highest"] else None)
            self.folder = folder

    def known(self, uids: list[int]) -> bytes:
        return b" 1:%d" % max([*uids, 1])

    def match_data(self, uids: list[int]) -> bytes:
        """Message numbers and UIDs side by side."""
        if not uids:
            return b""
        places = sorted({len(uids), *(self.chance.randint(1, len(uids)) for _ in range(3))})
        numbers = b",".join(b"%d" % place for place in places)
        return b" (%b %b)" % (numbers, b",".join(b"%d" % uids[place - 1] for place in places))

    def leave(self) -> None:
        """Write down what it knows of the folder, if it knows all of it."""
        if self.folder and None not in self.belief.uids and self.belief.flags.keys() >= set(self.belief.uids):
            self.kept[self.folder] = self.belief.kept()
        self.folder = b""

    # ---- deeds ---------------------------------------------------------------------------------------------

    async def act(self) -> None:
        """Something; a lost connection is taken up again."""
        try:
            if not self.folder or self.client is None or self.client.closed:
                await self.select(self.chance.choice(FOLDERS))
                return
            deeds = (
                (self.noop, 4), (self.look, 5), (self.store, 10), (self.expunge, 5 if self.crowded() else 3),
                (self.append, 0 if self.crowded() else 3), (self.transfer, 3), (self.search, 3), (self.idle, 3),
                (self.changes, 4), (self.away, 2), (self.elsewhere, 2),
            )  # fmt: skip
            (deed,) = self.chance.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])
            await deed()
        except (ConnectionClosed, ConnectionDone, ConnectionLost):
            self.folder = b""
        except Disagreement as error:
            raise Disagreement(f"{self.name} ({self.kind}): {error}\n" + "\n".join(self.log)) from None

    def crowded(self) -> bool:
        return len(self.belief.uids) > _FULL

    def some(self, by_uid: bool) -> bytes:
        """A set of messages it knows, or `1:*`."""
        known = [uid for uid in self.belief.uids if uid is not None] if by_uid else range(1, len(self.belief.uids) + 1)
        if not known or (by_uid and self.chance.random() < 0.1):
            return b"1:*"
        return b",".join(
            b"%d" % one for one in self.chance.sample(list(known), min(len(known), self.chance.randint(1, 4)))
        )

    @property
    def by_uid(self) -> bool:
        """Whether the next command goes by UID."""
        return self.kind == "watching" or self.chance.random() < 0.5

    @property
    def old(self) -> bool:
        """Knows nothing of mod-sequences."""
        return self.kind in ("plain", "watching")

    async def noop(self) -> None:
        await self.say(b"NOOP")

    async def look(self) -> None:
        if not self.belief.uids:
            return
        items = self.chance.choice((b"(UID FLAGS)", b"FLAGS", b"(UID FLAGS)" if self.old else b"(UID FLAGS MODSEQ)"))
        if self.by_uid:
            await self.say(b"UID FETCH 1:* " + items)
        else:
            await self.say(b"FETCH %b %b" % (self.some(False), items), numbers_stand=True)

    async def changes(self) -> None:
        """What has changed since a moment ago, when mod-sequences are known."""
        if self.old or not self.belief.highest:
            return
        more = b" VANISHED" if self.kind == "qresync" and self.chance.random() < 0.5 else b""
        told, _ = await self.say(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d%b)" % (self.belief.highest, more))
        if any(b"FLAGS" not in line for line in told if b" FETCH " in line and b"MODSEQ" not in line):
            raise Disagreement("CHANGEDSINCE without MODSEQ")

    async def store(self) -> None:
        by_uid = self.by_uid
        if not self.belief.uids:
            return
        silent, sign, flag = (
            self.chance.random() < 0.4,
            self.chance.choice((b"+", b"-", b"")),
            self.chance.choice(_FLAGS),
        )
        since = b""
        if not self.old and self.chance.random() < 0.4:
            since = b"(UNCHANGEDSINCE %d) " % max(0, self.belief.highest - self.chance.choice((0, 0, 10**6)))
        chosen = self.some(by_uid)
        if silent:  # what they are then it computes only if it is alone: here it forgets them
            self.forget(chosen, by_uid)
        await self.say(
            b"%bSTORE %b %b%bFLAGS%b (%b)"
            % (b"UID " if by_uid else b"", chosen, since, sign, b".SILENT" if silent else b"", flag),
            numbers_stand=not by_uid,
        )
        if silent and self.kind == "watching":  # what it was told just before the command ran is not true any more
            self.forget(chosen, by_uid)

    def forget(self, chosen: bytes, by_uid: bool) -> None:
        named = [] if chosen == b"1:*" else [int(one) for one in chosen.split(b",")]
        uids = named if by_uid else [self.belief.uids[one - 1] for one in named]
        if not named or None in uids:  # it cannot say which these are
            self.belief.flags.clear()
        for uid in uids:
            self.belief.flags.pop(uid or 0, None)

    async def expunge(self) -> None:
        known = [uid for uid in self.belief.uids if uid is not None]
        if known and self.chance.random() < 0.5:
            chosen = b"%d" % self.chance.choice(known)
            await self.say(b"UID STORE %b +FLAGS (\\Deleted)" % chosen)
            await self.say(b"UID EXPUNGE " + chosen)
        else:
            await self.say(b"EXPUNGE")

    async def append(self) -> None:
        assert self.client is not None
        flags = b" (\\Seen $Work)" if self.chance.random() < 0.3 else b""
        self.log.append("C: APPEND")
        told, tagged = await self.client.appended(self.chance.choice(FOLDERS), MESSAGE, flags)
        self.log.extend(f"S: {one.decode('latin-1')}" for one in (*told, tagged))
        for line in told:
            self.belief.hear(line, numbers_stand=False)
        self.belief.in_step()

    async def transfer(self) -> None:
        """COPY or MOVE, to the other folder or to the same."""
        verb, by_uid = self.chance.choice((b"COPY", b"MOVE")), self.by_uid
        if not self.belief.uids or (verb == b"COPY" and self.crowded()):
            return
        chosen = self.some(by_uid)
        if chosen == b"1:*":
            return
        await self.say(b"%b%b %b %b" % (b"UID " if by_uid else b"", verb, chosen, self.chance.choice(FOLDERS)))

    async def search(self) -> None:
        self.log.append("C: UID SEARCH ALL")
        assert self.client is not None
        told, tagged = await self.client.command(b"UID SEARCH ALL")
        self.log.extend(f"S: {one.decode('latin-1')}" for one in (*told, tagged))
        for line in told:
            if line.startswith(b"* SEARCH"):
                self.belief.search(line)
            else:
                self.belief.hear(line, numbers_stand=False)

    async def idle(self) -> None:
        """For as long as it takes others to do a little."""
        client = self.client
        assert client is not None
        self.log.append("C: IDLE")
        client.send(b"I IDLE\r\n")
        while not (line := await client.line()).startswith(b"+"):
            self.hear_idle(line)
        for _ in range(self.chance.randint(0, 3)):
            await self.office.until(lambda: True)
        client.send(b"DONE\r\n")
        while not (line := await client.line()).startswith(b"I "):
            self.hear_idle(line)
        self.belief.in_step()

    def hear_idle(self, line: bytes) -> None:
        self.log.append(f"S: {line.decode('latin-1')}")
        self.belief.hear(line, numbers_stand=False)

    async def away(self) -> None:
        """The connection is lost, or ended; what was known is kept."""
        assert self.client is not None
        self.leave()
        self.log.append("-- away")
        self.client.transport.abortConnection()
        self.client = None

    async def elsewhere(self) -> None:
        await self.select(self.chance.choice(FOLDERS))

    # ---- at rest -------------------------------------------------------------------------------------------

    async def settle(self) -> dict[int, frozenset[bytes]]:
        """Hear everything and ask for what was forgotten; UID -> flags as it believes them."""
        await self.say(b"NOOP")
        unknown = [at for at, uid in enumerate(self.belief.uids) if uid is None or uid not in self.belief.flags]
        before = dict(self.belief.flags)
        if self.belief.uids:
            await self.say(b"UID FETCH 1:* (UID FLAGS)")
        for uid, flags in before.items():
            if self.belief.flags.get(uid) != flags:
                raise Disagreement(
                    f"{self.name}: UID {uid} was never told to be {self.belief.flags.get(uid)}, but {flags}"
                )
        self.log.append(f"-- settled, {len(unknown)} were unknown")
        return {uid: self.belief.flags[uid] for uid in self.belief.uids if uid is not None}
