"""One session's view of the folder it has selected: message numbers, what it has been told and what it has not yet.

The view keeps the folder's column of UIDs as it was when the client was last told of expunges, and how many of them
the client knows. While that is still the folder's own column, position i of the view is position i of the folder.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from emailgency.codec.imap import responses
from emailgency.codec.imap.sets import SequenceSet
from emailgency.servers.imap import flags
from emailgency.store.mailboxes.folder import UNKNOWN, Folder

T = TypeVar("T")


class Tone(Struct, frozen=True):
    """How a client wants to be told, by what it has enabled and by the command under way."""

    with_uid: bool = False
    modseqs: bool = False  # UID and MODSEQ in every FETCH (RFC 7162 section 3.1)
    vanished: bool = False  # VANISHED instead of EXPUNGE (section 3.2.10)
    arrivals: bool = False  # new messages are told although expunges have to wait
    recent: bool = True  # IMAP4rev2 knows neither RECENT nor \\Recent


class Selected:
    """The view; a listener of the folder. Positions count from 0, sequence numbers from 1."""

    __slots__ = (
        "_claims",
        "_recent",
        "_told_keywords",
        "_uids",
        "asked",
        "count",
        "flagged",
        "folder",
        "previews",
        "quiet",
        "read_only",
        "saved",
        "woken",
    )

    def __init__(self, folder: Folder, read_only: bool, recents: bool = True) -> None:
        """Without `recents` nothing is \\Recent here, and it stays so for others."""
        self.folder = folder
        self.read_only = read_only
        self.count = len(folder)
        self.previews: dict[int, str] = {}  # of the messages that FETCH is telling of, by UID
        self.flagged: set[int] = set()  # UIDs whose flags changed since the client was told
        self.asked: set[int] = set()  # UIDs of messages whose flags the client waits for, having just set them
        self.quiet: set[int] = set()  # UIDs of those whose mod-sequences alone it waits for
        self.saved: tuple[int, ...] = ()  # UIDs that `$` stands for, ascending (RFC 5182)
        self.woken: Callable[[], None] | None = None  # set while the session is in IDLE
        self._uids = folder.uids
        self._told_keywords = folder.keywords
        self._recent: list[tuple[int, int]] = []  # UIDs from … to below …, \Recent in this session
        self._claims = recents
        self._claim_recent(0)

    def folder_changed(self, flagged: Collection[int]) -> None:
        self.flagged.update(flagged)
        if self.woken is not None:
            self.woken()

    # -- numbers -------------------------------------------------------------------------------------------

    @property
    def in_step(self) -> bool:
        """Whether positions here are positions in the folder."""
        return self._uids is self.folder.uids

    def uid(self, position: int) -> int:
        return self._uids[position]

    def place(self, position: int) -> int:
        """The folder's position of a message of the view, UNKNOWN when it has been expunged."""
        return position if self.in_step else self.folder.index(self._uids[position])

    def places(self, positions: Collection[int]) -> list[tuple[int, int]]:
        """(position, place) of those that have not been expunged."""
        if self.in_step:
            return list(zip(positions, positions, strict=True))
        pairs = ((position, self.folder.index(self._uids[position])) for position in positions)
        return [(position, place) for position, place in pairs if place != UNKNOWN]

    @property
    def known_uids(self) -> Iterable[int]:
        """Of the messages the client knows, in the order of the view."""
        return islice(self._uids, self.count)

    def column(self, values: Sequence[T], missing: T) -> Iterable[T]:
        """A column of the folder in the order of the view; `missing` for messages that have been expunged."""
        if self.in_step:
            return islice(values, self.count)
        places = map(self.folder.index, self.known_uids)
        return [missing if place == UNKNOWN else values[place] for place in places]

    def position(self, uid: int) -> int:
        at = bisect_left(self._uids, uid, 0, self.count)
        return at if at < self.count and self._uids[at] == uid else UNKNOWN

    def positions(self, messages: SequenceSet, by_uid: bool) -> list[int]:
        """Ascending positions of a set, in time proportional to what it finds (reliability row 27)."""
        return [position for first, end in self.spans(messages, by_uid) for position in range(first, end)]

    def spans(self, messages: SequenceSet, by_uid: bool) -> list[tuple[int, int]]:
        """The same as ascending spans: their first position, and the one behind their last."""
        if not self.count:
            return []
        if messages.saved:
            found = map(self.position, self.saved)
            return [(at, at + 1) for at in found if at != UNKNOWN and self.place(at) != UNKNOWN]
        if not by_uid:
            return [(low - 1, high) for low, high in messages.resolve(self.count)]
        spans = []
        for low, high in messages.resolve(self._uids[self.count - 1]):
            first = bisect_left(self._uids, low, 0, self.count)
            spans.append((first, bisect_left(self._uids, high + 1, first, self.count)))
        return spans

    def uids(self, positions: Iterable[int]) -> list[int]:
        column = self._uids
        return [column[position] for position in positions]

    def recent(self, uid: int) -> bool:
        return any(low <= uid < high for low, high in self._recent)

    @property
    def recents(self) -> int:
        """How many messages of the view are \\Recent here."""
        return sum(
            bisect_left(self._uids, high, 0, self.count) - bisect_left(self._uids, low, 0, self.count)
            for low, high in self._recent
        )

    # -- telling -------------------------------------------------------------------------------------------

    @property
    def stale(self) -> bool:
        """Whether there is something to tell."""
        folder = self.folder
        return bool(
            self.flagged
            or self.asked
            or self.quiet
            or self._uids is not folder.uids
            or self.count != len(folder)
            or self._told_keywords is not folder.keywords
        )

    def news(self, tone: Tone, *, expunges: bool) -> Iterator[bytes]:
        """Untagged responses that bring the client up to date; afterwards it is.

        `expunges` says whether RFC 3501 section 7.4.1 allows EXPUNGE now. Without it nothing is said of new
        messages either while expunges are owed: numbers beyond them would need a column of this session's own. And
        with mod-sequences nothing of other changes, which are later: a client that kept the later one and came back
        with it would never hear of the expunges.
        """
        if self._told_keywords is not self.folder.keywords:
            if self._told_keywords != self.folder.keywords:
                yield responses.flags(flags.offered(self.folder))
                yield permanent_flags(self)
            self._told_keywords = self.folder.keywords
        if expunges and not self.in_step:
            yield from self._tell_expunged(tone.vanished)
        if self.count != (len(self.folder) if self.in_step else len(self._uids)) and (self.in_step or tone.arrivals):
            known, self.count = self.count, len(self._uids)
            self._claim_recent(known)
            yield responses.number(self.count, b"EXISTS")
            if tone.recent:
                yield responses.number(self.recents, b"RECENT")
        if self.flagged or self.asked or self.quiet:
            yield from self._tell_flags(tone)

    def take_arrivals(self) -> None:
        """Give new messages their numbers although expunges are owed and wait (RFC 5465 section 3.1): it takes a
        column of its own, until they are told.
        """
        if self.in_step:
            return
        known = self._uids[self.count - 1] if self.count else 0
        fresh = self.folder.uids[bisect_right(self.folder.uids, known) :]
        self._uids = self._uids[: self.count] + fresh

    def _tell_expunged(self, vanished: bool) -> Iterator[bytes]:
        left = set(self.folder.uids)
        gone = [position for position in range(self.count) if self._uids[position] not in left]
        uids = self.uids(gone)
        self._uids = self.folder.uids  # new messages are only ever behind, so what is left comes first in it
        self.count -= len(gone)
        if vanished:
            if uids:
                yield responses.vanished(uids)
            return
        yield b"".join([b"* %d EXPUNGE\r\n" % (position + 1) for position in reversed(gone)])

    def _tell_flags(self, tone: Tone) -> Iterator[bytes]:
        text = flags.texts(self.folder)
        now = self.asked | self.quiet
        later = self.flagged - now if tone.modseqs and not self.in_step else set()
        quiet, told = self.quiet - self.asked - self.flagged, sorted((self.flagged | now) - later)
        self.flagged, self.asked, self.quiet = later, set(), set()
        for uid in told:
            position, place = self.position(uid), self.folder.index(uid)
            if position == UNKNOWN or place == UNKNOWN:
                continue
            shown = text(self.folder.letters[place], tone.recent and self.recent(uid))
            if tone.modseqs:
                modseq = self.folder.modseqs[place]
                yield responses.changed_flags(position + 1, uid, None if uid in quiet else shown, modseq)
            elif tone.with_uid:
                yield b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (position + 1, uid, shown)
            else:
                yield b"* %d FETCH (FLAGS (%b))\r\n" % (position + 1, shown)

    def _claim_recent(self, known: int) -> None:
        """Messages behind the first `known` that no session was told of are \\Recent here and nowhere else."""
        folder = self.folder
        low = max(folder.recent_from, self._uids[known] if known < len(self._uids) else folder.uidnext)
        if low >= folder.uidnext or not self._claims:
            return
        if self._recent and self._recent[-1][1] == low:
            self._recent[-1] = (self._recent[-1][0], folder.uidnext)
        else:
            self._recent.append((low, folder.uidnext))
        if not self.read_only:
            folder.recent_from = folder.uidnext


def permanent_flags(view: Selected) -> bytes:
    """What the client may change for good: nothing in EXAMINE, and no 27th keyword."""
    shown = [] if view.read_only else flags.offered(view.folder)
    room = not view.read_only and flags.room_for_keywords(view.folder)
    words = "Flags that stay." if shown else "Nothing can be changed."
    return responses.untagged("OK", words, responses.permanent_flags(shown, room))
