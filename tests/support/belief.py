"""What one IMAP client may believe of a folder, by the RFCs alone: it hears lines, and complains when one cannot be.

Rules: RFC 3501 sections 7.3 and 7.4.1 (numbers), RFC 7162 (mod-sequences, VANISHED). `meaning` is common to all
clients of a server's life: a message has one set of flags at one mod-sequence, whoever asks and whenever.
"""

import re
from typing import Any

_EXPUNGE = re.compile(rb"\* (\d+) EXPUNGE")
_EXISTS = re.compile(rb"\* (\d+) EXISTS")
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)")
_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)")
_UID = re.compile(rb"UID (\d+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"MODSEQ \((\d+)\)")
_SEARCH = re.compile(rb"\* SEARCH((?: \d+)*)")
_CODE = re.compile(rb".*\[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]")

Meaning = dict[tuple[int, int, int], frozenset[bytes]]  # UIDVALIDITY, UID, mod-sequence


class Disagreement(AssertionError):
    """The server said what cannot be."""


def expand(text: bytes) -> list[int]:
    """`2,4:6` -> 2, 4, 5, 6."""
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found.extend(range(int(low), int(high or low) + 1))
    return found


class Belief:
    """Of the selected folder. `uids[i]` is None where the client has not asked yet."""

    def __init__(self, meaning: Meaning, qresync: bool) -> None:
        self.meaning = meaning
        self.qresync = qresync
        self.validity = 0
        self.uids: list[int | None] = []
        self.flags: dict[int, frozenset[bytes]] = {}
        self.modseqs: dict[int, int] = {}
        self.highest = 0  # what the client would come back with
        self._heard = 0  # the highest mod-sequence told since

    def kept(self) -> dict[str, Any]:
        """What a client writes down when it leaves."""
        known = [uid for uid in self.uids if uid is not None]
        return {"validity": self.validity, "highest": self.highest, "uids": known, "flags": dict(self.flags)}

    # ---- a folder is opened ----------------------------------------------------------------------------------

    def opened(self, told: list[bytes], kept: dict[str, Any] | None) -> None:
        """SELECT was answered; `kept` is what QRESYNC was told, if it was used."""
        self.uids, self.flags, self.modseqs, self.validity, self._heard = [], {}, {}, 0, 0
        closed = next((at for at, line in enumerate(told) if b"[CLOSED]" in line), -1)
        told = told[closed + 1 :]  # before that it is of the folder that was left
        exists, highest, rest, news = -1, 0, [], []
        for line in told:
            match = _EXISTS.fullmatch(line)
            if news or (match and exists >= 0) or (line.startswith(b"* VANISHED ") and b"EARLIER" not in line):
                news.append(line)  # happened meanwhile
            elif match:
                exists = int(match[1])
            elif match := _CODE.match(line):
                if match[1] == b"UIDVALIDITY":
                    self.validity = int(match[2])
                else:
                    highest = int(match[2])
            elif line.startswith((b"* VANISHED", b"* ")) and (_VANISHED.match(line) or _FETCH.match(line)):
                rest.append(line)
        self._check(highest > 0, "no HIGHESTMODSEQ")
        if kept is None or kept["validity"] != self.validity:
            self._check(not rest, f"{rest} without being asked")
            self.uids = [None] * exists
        else:
            self._check(kept["highest"] <= highest, f"HIGHESTMODSEQ went back from {kept['highest']} to {highest}")
            self._resynchronised(rest, exists, kept)
        self.highest = highest
        for line in news:
            self.hear(line, numbers_stand=False)

    def _resynchronised(self, told: list[bytes], exists: int, kept: dict[str, Any]) -> None:
        """RFC 7162 section 3.2.5: with what it kept the client knows all UIDs and all flags now."""
        known, self.flags = set(kept["uids"]), dict(kept["flags"])
        fetched: dict[int, int] = {}
        for line in told:
            if match := _VANISHED.fullmatch(line):
                self._check(bool(match[1]), "VANISHED without EARLIER")
                self._check(not fetched, "VANISHED behind FETCH")
                known.difference_update(expand(match[2]))
            elif match := _FETCH.fullmatch(line):
                uid = _number(_UID, match[2])
                fetched[uid] = int(match[1])
                if kept.get("whole", True):
                    known.add(uid)
                self._learn(uid, match[2])
        self.uids = sorted(known)
        whole = len(known) == exists if kept.get("whole", True) else len(known) <= exists
        self._check(whole, f"{exists} messages, but known are {sorted(known)}")
        self.uids += [None] * (exists - len(known))  # new ones, of which a client that named UIDs hears nothing
        for uid, number in fetched.items():
            self._check(self.uids[number - 1] in (None, uid), f"UID {uid} is not message {number} of {self.uids}")
            self.uids[number - 1] = uid
        self.flags = {uid: flags for uid, flags in self.flags.items() if uid in self.uids}

    # ---- while it is open ------------------------------------------------------------------------------------

    def hear(self, line: bytes, *, numbers_stand: bool) -> None:
        """One untagged line; `numbers_stand`: during a command that forbids EXPUNGE."""
        if match := _EXPUNGE.fullmatch(line):
            self._check(not numbers_stand, "EXPUNGE where numbers must stand")
            self._check(not self.qresync, "EXPUNGE to a client of QRESYNC")
            self._check(1 <= int(match[1]) <= len(self.uids), "EXPUNGE of nothing")
            self._gone(self.uids.pop(int(match[1]) - 1))
        elif match := _VANISHED.fullmatch(line):
            self._hear_vanished(match, numbers_stand)
        elif match := _EXISTS.fullmatch(line):
            self._check(int(match[1]) >= len(self.uids), f"EXISTS below {len(self.uids)}")
            self.uids += [None] * (int(match[1]) - len(self.uids))
        elif match := _FETCH.fullmatch(line):
            self._hear_fetch(int(match[1]), match[2])
        elif (match := _CODE.match(line)) and match[1] == b"HIGHESTMODSEQ":
            self._heard = max(self._heard, int(match[2]))
        known = [uid for uid in self.uids if uid is not None]
        self._check(known == sorted(set(known)), f"UIDs do not ascend: {self.uids}")

    def _hear_vanished(self, match: re.Match[bytes], numbers_stand: bool) -> None:
        self._check(self.qresync, "VANISHED without QRESYNC")
        gone = expand(match[2])
        if not match[1]:
            self._check(not numbers_stand, "VANISHED where numbers must stand")
            unknown = len([uid for uid in gone if uid not in self.uids])
            left: list[int | None] = [uid for uid in self.uids if uid is None or uid not in gone]
            blank = [at for at, uid in enumerate(left) if uid is None]
            self._check(unknown <= len(blank), f"VANISHED of {unknown} more than there are")
            if unknown:  # which of the messages without a UID they were nobody can say: all of these are asked for anew
                del left[blank[0] :]
                left += [None] * (len(self.uids) - len(gone) - len(left))
            self.uids = left
        for uid in gone:
            self._gone(uid)

    def _hear_fetch(self, number: int, items: bytes) -> None:
        self._check(1 <= number <= len(self.uids), f"FETCH of {number} of {len(self.uids)}")
        uid = _number(_UID, items)
        believed = self.uids[number - 1]
        if uid:
            self._check(believed in (None, uid), f"message {number} was UID {believed}, is {uid}")
            self.uids[number - 1] = believed = uid
        if believed is not None:
            self._learn(believed, items)

    def search(self, line: bytes) -> None:
        """The answer to UID SEARCH ALL: all that the client knows, whatever has happened meanwhile."""
        match = _SEARCH.fullmatch(line)
        if match is None:
            return
        found = [int(uid) for uid in match[1].split()]
        self._check(len(found) == len(self.uids), f"SEARCH found {len(found)} of {len(self.uids)}")
        for at, uid in enumerate(found):
            self._check(self.uids[at] in (None, uid), f"SEARCH found {uid} where {self.uids[at]} was")
            self.uids[at] = uid

    def in_step(self) -> None:
        """A command has ended that tells of expunges: the client knows all until here."""
        self.highest = max(self.highest, self._heard)

    def _learn(self, uid: int, items: bytes) -> None:
        flags, modseq = _FLAGS.search(items), _number(_MODSEQ, items)
        if modseq:
            self._check(modseq >= self.modseqs.get(uid, 0), f"the mod-sequence of {uid} went back to {modseq}")
            self.modseqs[uid] = modseq
            self._heard = max(self._heard, modseq)
        if flags is not None:
            found = frozenset(flags[1].split()) - {b"\\Recent"}
            self.flags[uid] = found
            if modseq and self.validity:
                meant = self.meaning.setdefault((self.validity, uid, modseq), found)
                self._check(meant == found, f"UID {uid} at {modseq}: {sorted(meant)} and {sorted(found)}")

    def _gone(self, uid: int | None) -> None:
        self.flags.pop(uid or 0, None)
        self.modseqs.pop(uid or 0, None)

    def _check(self, good: bool, words: str) -> None:
        if not good:
            raise Disagreement(words)


def _number(pattern: re.Pattern[bytes], items: bytes) -> int:
    match = pattern.search(items)
    return int(match[1]) if match else 0
