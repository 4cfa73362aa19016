"""What one folder holds, as all its readers share it: UIDs, file names and flag letters in parallel columns.

A folder of 10,000 messages costs about 2 MB here and is parsed from its file names once. Columns are only appended
to in place; whatever removes a message replaces the column `uids` by a new one. So a reader that keeps the old
column and a length keeps its own message numbers for as long as it likes (RFC 3501 section 7.4.1 forces it to).
Nothing here touches the disk but `size`, `date` and `full_path`'s callers; `store.folders` feeds every change in.
"""

import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable
from itertools import compress
from sys import intern
from typing import Protocol

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from emailgency.codec.maildir import flags_of, uid_of
from emailgency.codec.mime.summary import Summary
from emailgency.store.storing.replies import Opened

UNKNOWN = -1
_TICK = 2.0  # seconds; the coarsest clock of a file system we may lie on
_SIZE = re.compile(r",S=([0-9]{1,15})(?=[,:]|$)")
MAX_KEYWORDS = 26  # letters a-z of the file name, as Dovecot


class Listener(Protocol):
    """A reader of an open folder. Called in the order of the changes; must not raise or await."""

    def folder_changed(self, flagged: Collection[int]) -> None:
        """Messages came or went, or those UIDs have other flags; `Folder.gone` may have become true."""


def size_of(name: str) -> int:
    """The size a file name carries, in octets, UNKNOWN if none."""
    match = _SIZE.search(name)
    return int(match[1]) if match else UNKNOWN


class Folder:
    """The snapshot. `names` are relative to `path` ("cur/…", "new/…"); `letters[i]` are shared strings."""

    _log = Logger()

    __slots__ = (
        "_kinds",
        "_sizes",
        "_times",
        "dates",
        "gone",
        "highest",
        "keywords",
        "letters",
        "listeners",
        "lock",
        "modseqs",
        "names",
        "path",
        "recent_from",
        "root",
        "summaries",
        "summarised",
        "token",
        "uidnext",
        "uids",
        "uidvalidity",
    )

    def __init__(self, root: str, path: str) -> None:
        self.root = root
        self.path = path
        self.uidvalidity = 0
        self.uidnext = 1
        self.token = ""
        self.keywords: tuple[str, ...] = ()
        self.uids = array("I")
        self.names: list[str] = []
        self.letters: list[str] = []
        self.modseqs = array("Q")  # mod-sequences (RFC 7162), 8 octets a message
        self.highest = 0  # HIGHESTMODSEQ
        self._kinds: frozenset[str] | None = None  # see `kinds`; None: letters have changed since
        self._sizes = array("q")  # as far as anybody has asked
        self._times: tuple[int, ...] = ()  # of cur/ and new/ when `touched` was asked last
        self.dates: dict[int, float] = {}  # by UID, filled when asked for
        self.summaries: dict[int, Summary] = {}  # by UID, bounded by store.summaries
        self.summarised = UNKNOWN  # the highest UID whose summary the cache on disk may know
        self.recent_from = UNKNOWN  # messages from this UID on have been told to no session; UNKNOWN: not loaded
        self.listeners: set[Listener] = set()
        self.lock = DeferredLock()  # held by requests that name files, see store.folders
        self.gone = False  # deleted, or made anew under another UIDVALIDITY

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def id(self) -> str:
        """Stays when the folder is renamed, and is given to no other (RFC 8474 section 4): as its UIDVALIDITY."""
        return f"F{self.uidvalidity}"

    def index(self, uid: int) -> int:
        """Where `uid` stands in the columns, UNKNOWN when it has gone."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else UNKNOWN

    def full_path(self, index: int) -> str:
        return f"{self.root}/{self.path}/{self.names[index]}"

    def size(self, index: int) -> int:
        """Octets of the file. From its name; a name without a size costs one stat, once. Raises FileNotFoundError."""
        size = self._sizes[index]
        if size < 0:
            size = size_of(self.names[index])
            if size < 0:
                size = os.stat(self.full_path(index)).st_size
            self._sizes[index] = size
        return size

    def sizes(self) -> "array[int] | None":
        """Octets of all files; None: some are not known yet. Not to be changed."""
        return None if UNKNOWN in self._sizes else self._sizes

    def learn_sizes(self, start: int, end: int) -> None:
        """What the names from `start` to below `end` say."""
        sizes = self._sizes
        for at in range(start, min(end, len(sizes))):
            if sizes[at] < 0:
                sizes[at] = size_of(self.names[at])

    def file_name(self, index: int) -> str:
        """Without its folder."""
        return self.names[index][4:]

    def date(self, index: int) -> float:
        """INTERNALDATE: the file's mtime, read once. Raises FileNotFoundError."""
        uid = self.uids[index]
        date = self.dates.get(uid)
        if date is None:
            date = self.dates[uid] = os.stat(self.full_path(index)).st_mtime
        return date

    def kinds(self) -> frozenset[str]:
        """All that stands in `letters`, each once: what is looked for in them is looked for in a few."""
        if self._kinds is None:
            self._kinds = frozenset(self.letters)
        return self._kinds

    def unseen(self) -> int:
        return sum("S" not in letters for letters in self.letters)

    def octets(self, uids: Iterable[int] | None = None) -> int:
        """Of these or of all messages, by the sizes their names carry; ours all do."""
        places = range(len(self)) if uids is None else [self.index(uid) for uid in uids]
        return sum(max(0, size_of(self.names[place])) for place in places if place != UNKNOWN)

    def recent(self) -> int:
        """How many messages no session was told of."""
        return len(self.uids) - bisect_left(self.uids, max(0, self.recent_from))

    def files(self, uids: Iterable[int]) -> tuple[tuple[int, str], ...]:
        """(uid, file name) of those still there, as the storer wants to be told."""
        found = ((uid, self.index(uid)) for uid in uids)
        return tuple((uid, self.names[at][4:]) for uid, at in found if at != UNKNOWN)

    def touched(self, now: float) -> bool:
        """Whether a file may have come, gone or been renamed since this was asked last, by us or by others."""
        try:
            times = tuple(os.stat(f"{self.root}/{self.path}/{part}").st_mtime_ns for part in ("cur", "new"))
        except OSError:
            return True
        before, self._times = self._times, times
        if max(times) / 1e9 > now - _TICK:
            self._times = ()  # another change in the same tick of the file system's clock would not show
        return times != before or not self.token

    def looked_like(self, before: "Folder") -> None:
        """`before` was asked whether it was `touched`, and this is what was listed behind that."""
        self._times = self._times or before._times

    # -- changes, in the storer's order --------------------------------------------------------------------

    def place(self, uid: int, subfolder: str, name: str, modseq: int = 0) -> bool:
        """A message has come. False: it does not fit behind the others, so the folder must be listed anew."""
        if uid < self.uidnext:  # listed meanwhile: it is here, or it has gone again
            return self.index(uid) != UNKNOWN
        self.uids.append(uid)
        self.names.append(f"{subfolder}/{name}")
        self.letters.append(flags_of(name))
        self._kinds = None
        self._sizes.append(UNKNOWN)
        self.modseqs.append(modseq)
        self.uidnext = max(self.uidnext, uid + 1)
        self.highest = max(self.highest, modseq)
        return True

    def rename(self, uid: int, subfolder: str, name: str, modseq: int = 0) -> bool:
        """A message has another file name. True: its flags are others now.

        The storer answers a change when it is synced, a listing at once: what a listing told meanwhile is newer.
        """
        at = self.index(uid)
        if at == UNKNOWN or modseq < self.modseqs[at]:
            return False
        self.names[at] = f"{subfolder}/{name}"
        letters = intern(flags_of(name))
        changed = letters != self.letters[at]
        self.letters[at] = letters
        self._kinds = None
        self.modseqs[at] = modseq
        self.highest = max(self.highest, modseq)
        return changed

    def expunge(self, uids: Collection[int], modseq: int = 0) -> bool:
        """Messages have gone. True: at least one of them was here."""
        self.highest = max(self.highest, modseq)
        indexes = {self.index(uid) for uid in uids} - {UNKNOWN}
        if not indexes:
            return False
        kept = bytearray(b"\1") * len(self.uids)
        for at in indexes:
            kept[at] = 0
        self.names = list(compress(self.names, kept))
        self.letters = list(compress(self.letters, kept))
        self._kinds = None
        self._sizes = array("q", compress(self._sizes, kept))
        self.modseqs = array("Q", compress(self.modseqs, kept))
        self.uids = array("I", compress(self.uids, kept))
        for uid in uids:
            self.dates.pop(uid, None)
            self.summaries.pop(uid, None)
        return True

    def load(self, opened: Opened) -> tuple[bool, list[int]]:
        """Take over a fresh listing. Returns (messages came or went, UIDs with other flags)."""
        self.token = opened.token
        before_next, self.uidnext = self.uidnext, opened.uidnext
        self.modseqs = array("Q", opened.modseqs)
        self.highest = opened.highest
        keywords_changed = opened.keywords[: len(self.keywords)] != self.keywords
        self.keywords = opened.keywords
        if opened.uidvalidity != self.uidvalidity:
            self.gone = self.uidvalidity != 0
            self.uidvalidity = opened.uidvalidity
        names = [f"{subfolder}/{name}" for subfolder, name in opened.names]
        if names == self.names:
            return False, list(self.uids) if keywords_changed else []
        before = dict(zip(self.uids, self.letters, strict=True))
        shared: dict[str, str] = {}
        uids = array("I", [uid_of(name) for name in names])
        self.names = names
        self.letters = [shared.setdefault(letters, letters) for letters in map(flags_of, names)]
        self._kinds = None
        self._sizes = array("q", [UNKNOWN]) * len(names)
        flagged = [
            uid
            for uid, letters in zip(uids, self.letters, strict=True)
            if before.get(uid, letters) != letters or (keywords_changed and uid in before)
        ]
        if self.uidvalidity and before and any(uid < before_next and uid not in before for uid in uids):
            self.gone = True  # a message has come back that readers were told had gone: their numbers cannot go on
        length = len(self.uids)
        if uids[:length] == self.uids:
            self.uids.extend(uids[length:])
            return len(uids) > length, flagged
        self.uids = uids
        self.dates = {uid: date for uid, date in self.dates.items() if self.index(uid) != UNKNOWN}
        self.summaries = {uid: summary for uid, summary in self.summaries.items() if self.index(uid) != UNKNOWN}
        return True, flagged

    def tell(self, flagged: Collection[int] = (), silent_to: Listener | None = None) -> None:
        """Let every reader know; a reader may leave while it is told, and one that fails harms nobody else."""
        for listener in tuple(self.listeners):
            try:
                listener.folder_changed(() if listener is silent_to else flagged)
            except Exception:
                self._log.failure("a reader of {path} failed", path=self.path)


def keyword_letters(folder: Folder) -> dict[str, str]:
    """Lower-case keyword -> its letter in this folder."""
    return {word.lower(): chr(97 + at) for at, word in enumerate(folder.keywords) if word}
