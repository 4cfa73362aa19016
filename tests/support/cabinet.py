"""What one mailbox must hold, told by nothing but answers of the server: UIDs, labels, flags, folder by folder.

A question that had no answer stays open as `doubt`; the next listing of all folders says what became of it, and
everything in that listing must have a reason: it was there before, it was promised, or it was in doubt.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import Struct, field

from tests.support.imap_line import Seen, Selected

Listing = Mapping[str, Mapping[int, Seen]]  # folder -> UID -> message


class Held(Struct):
    """A message of one folder. `flags`: all that may be true. Times in seconds, monotonic."""

    label: str
    flags: tuple[frozenset[str], ...]
    since: float  # when we knew of it first
    flagged: float = 0.0  # when its flags were changed last
    delivered: bool = False  # by somebody else; nobody has touched it


class Doubt(Struct):
    """A request that had no answer. `deed` is append, copy, move or expunge; `label` that of an append."""

    deed: str
    source: str = ""
    uids: tuple[int, ...] = ()
    destination: str = ""
    label: str = ""


class Cabinet(Struct):
    """`may_arrive` tells whether a letter of this label may come to INBOX."""

    name: str
    may_arrive: Callable[[str], bool]
    complain: Callable[[str], None]
    folders: dict[str, dict[int, Held]]
    arrived: Counter[str] = field(default_factory=Counter)
    doubt: Doubt | None = None
    _ever: dict[tuple[str, int], str] = field(default_factory=dict)  # every UID that was given, and to which label
    _validity: dict[str, int] = field(default_factory=dict)
    _highest: Counter[str] = field(default_factory=Counter)

    # ---- what answers tell ---------------------------------------------------------------------------------

    def selected(self, folder: str, told: Selected) -> None:
        if self._validity.setdefault(folder, told.validity) != told.validity:
            self._wrong(f"UIDVALIDITY of {folder} went from {self._validity[folder]} to {told.validity}")
        if told.next <= self._highest[folder]:
            self._wrong(f"UIDNEXT of {folder} is {told.next}, though {self._highest[folder]} was given")

    def came(self, folder: str, uid: int, seen: Seen, now: float, *, delivered: bool) -> None:
        """A message is there that was not."""
        known = self._ever.setdefault((folder, uid), seen.label)
        if known != seen.label:
            self._wrong(f"UID {uid} of {folder} was {known}, is {seen.label}")
        elif uid <= self._highest[folder]:
            self._wrong(f"UID {uid} of {folder} came behind {self._highest[folder]} ({seen.label})")
        self._highest[folder] = max(uid, self._highest[folder])
        self.folders[folder][uid] = Held(seen.label, (seen.flags,), now, delivered=delivered)

    def delivered(self, uid: int, seen: Seen, now: float) -> None:
        """Something new in INBOX that we did not put there."""
        self.came("INBOX", uid, seen, now, delivered=True)
        self.arrived[seen.label] += 1
        if not self.may_arrive(seen.label):
            self._wrong(f"{seen.label or 'something'} arrived as {uid}: nobody sent it here")
        elif self.arrived[seen.label] > 1:
            self._wrong(f"{seen.label} arrived {self.arrived[seen.label]} times, now as {uid}")

    def moved(self, source: str, uids: Mapping[int, int], destination: str, now: float, *, copied: bool) -> None:
        for uid, there in uids.items():
            held = self.folders[source][uid]
            self.came(destination, there, Seen(held.label, frozenset()), now, delivered=False)
            self.folders[destination][there].flags = held.flags
            self.folders[destination][there].flagged = held.flagged
            if not copied:
                del self.folders[source][uid]

    def gone(self, folder: str, uids: list[int]) -> None:
        for uid in uids:
            self.folders[folder].pop(uid, None)

    def flagging(self, folder: str, uids: list[int], sign: str, flags: set[str], now: float) -> None:
        """It was asked for: from now on both may be true, until `flagged`."""
        for uid in uids:
            held = self.folders[folder][uid]
            after = tuple(_changed(before, sign, flags) for before in held.flags)
            held.flags, held.flagged, held.delivered = (*held.flags, *after), now, False

    def flagged(self, folder: str, uids: list[int]) -> None:
        for uid in uids:
            held = self.folders[folder][uid]
            held.flags = held.flags[len(held.flags) // 2 :]

    # ---- what a listing tells ------------------------------------------------------------------------------

    def compare(self, listing: Listing, now: float, forgiven: float | None = None) -> None:
        """All folders as they are now. `forgiven`: the power was lost; what is younger than this was not promised:
        flags, and the UIDs of letters that nobody has touched.
        """
        extra = {
            (folder, uid): seen
            for folder, messages in listing.items()
            for uid, seen in messages.items()
            if uid not in self.folders[folder]
        }
        missing = {
            (folder, uid): held
            for folder, messages in self.folders.items()
            for uid, held in messages.items()
            if uid not in listing[folder]
        }
        self._flags(listing, forgiven)
        self._settle(extra, missing, now)
        for (folder, uid), held in missing.items():
            del self.folders[folder][uid]
            if held.delivered and forgiven is not None and held.since > forgiven:
                self.arrived[held.label] -= 1
            else:
                self._wrong(f"{held.label} is gone from {folder}, where it was {uid}")
        for (folder, uid), seen in sorted(extra.items()):
            if folder == "INBOX":
                self.delivered(uid, seen, now)
            else:
                self._wrong(f"{seen.label} stands in {folder} as {uid}: nobody put it there")

    def _flags(self, listing: Listing, forgiven: float | None) -> None:
        for folder, messages in self.folders.items():
            for uid, held in messages.items():
                seen = listing[folder].get(uid)
                if seen is None:
                    continue
                if seen.label != held.label:
                    self._wrong(f"UID {uid} of {folder} was {held.label}, is {seen.label}")
                young = forgiven is not None and held.flagged > forgiven
                if seen.flags not in held.flags and not young:
                    self._wrong(f"{held.label} ({folder} {uid}) has {set(seen.flags)}, promised {held.flags}")
                held.flags = (seen.flags,)

    def _settle(self, extra: dict[tuple[str, int], Seen], missing: dict[tuple[str, int], Held], now: float) -> None:
        """The answer to the open question."""
        doubt, self.doubt = self.doubt, None
        match doubt:
            case Doubt(deed="append"):
                self._take(extra, doubt.destination, doubt.label, now)
            case Doubt(deed="expunge"):
                for uid in doubt.uids:
                    if missing.pop((doubt.source, uid), None):
                        del self.folders[doubt.source][uid]
            case Doubt(deed="copy"):
                labels = [self.folders[doubt.source][uid].label for uid in doubt.uids]
                came = [self._take(extra, doubt.destination, label, now) for label in labels]
                if any(came) and not all(came):
                    self._wrong(f"only a part of a COPY to {doubt.destination}: {list(zip(labels, came, strict=True))}")
            case Doubt(deed="move"):
                for uid in doubt.uids:
                    held = missing.get((doubt.source, uid))
                    if held and self._take(extra, doubt.destination, held.label, now):
                        del missing[doubt.source, uid], self.folders[doubt.source][uid]

    def _take(self, extra: dict[tuple[str, int], Seen], folder: str, label: str, now: float) -> bool:
        for place, seen in sorted(extra.items()):
            if place[0] == folder and seen.label == label:
                del extra[place]
                self.came(folder, place[1], seen, now, delivered=False)
                return True
        return False

    def _wrong(self, words: str) -> None:
        self.complain(f"{self.name}: {words}")


def _changed(flags: frozenset[str], sign: str, change: set[str]) -> frozenset[str]:
    return flags | change if sign == "+" else flags - change
