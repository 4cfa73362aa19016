"""Mod-sequences as clients use them (RFC 7162): switching them on, what has changed or gone since one, and QRESYNC."""

from collections.abc import Iterable, Iterator

from emailgency.codec.imap import responses
from emailgency.codec.imap.modseqs import Resync
from emailgency.codec.imap.search_tree import And, Modseq, Not, Or, SearchKey
from emailgency.codec.imap.sets import SequenceSet
from emailgency.servers.imap import flags
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Session
from emailgency.store.mailboxes.folder import UNKNOWN, Folder

CONDSTORE, QRESYNC = "CONDSTORE", "QRESYNC"
_MANY = 1000  # messages told at once

Interval = tuple[int, int]  # both ends included


def want(session: Session) -> None:
    """A "CONDSTORE enabling command" came (section 3.1): every FETCH response tells MODSEQ from now on."""
    if CONDSTORE not in session.enabled:
        session.enabled.add(CONDSTORE)
        if session.selected is not None:
            session.line.write(highest(session.selected.folder))


def want_vanished(session: Session) -> None:
    """QRESYNC is on, and CONDSTORE with it (section 3.2.3)."""
    want(session)


def highest(folder: Folder) -> bytes:
    return responses.untagged("OK", "The latest change.", highest_code(folder))


def highest_code(folder: Folder) -> bytes:
    return responses.number_code(b"HIGHESTMODSEQ", folder.highest)


def code_after_expunge(session: Session, folder: Folder) -> bytes:
    """Of the tagged OK of EXPUNGE, MOVE and CLOSE (section 3.2.7 and following)."""
    return highest_code(folder) if QRESYNC in session.enabled else b""


def changed_since(view: Selected, positions: Iterable[int], since: int) -> list[int]:
    """Of these positions those that changed behind a mod-sequence."""
    modseqs = view.folder.modseqs
    if view.in_step:
        return [position for position in positions if modseqs[position] > since]
    places = ((position, view.place(position)) for position in positions)
    return [position for position, place in places if place != UNKNOWN and modseqs[place] > since]


def asked_for(key: SearchKey) -> bool:
    """Whether a search names mod-sequences: then its answer tells the highest one found (sections 3.1.5, 3.1.10)."""
    match key:
        case Modseq():
            return True
        case And(keys):
            return any(map(asked_for, keys))
        case Or(left, right):
            return asked_for(left) or asked_for(right)
        case Not(inner):
            return asked_for(inner)
    return False


def highest_found(session: Session, view: Selected, positions: Iterable[int]) -> int:
    """0 when nothing was found."""
    want(session)
    places = (view.place(position) for position in positions)
    return max((view.folder.modseqs[place] for place in places if place != UNKNOWN), default=0)


# ---- what has gone -----------------------------------------------------------------------------------------


async def gone_since(session: Session, folder: Folder, since: int) -> tuple[int, ...] | None:
    """UIDs that went behind a mod-sequence; None: nobody remembers."""
    return None if since > folder.highest else await session.server.folders.vanished(folder, since)


async def tell_vanished(
    session: Session, view: Selected, gone: tuple[int, ...] | None, named: list[Interval], sure: int = 0
) -> None:
    """VANISHED (EARLIER) of those of `gone` within `named` (ascending, disjoint).

    Not of those that still have a number in the view: a VANISHED of their own takes it away.

    When nobody remembers back to it, every UID that is not there may have gone; but not those up to `sure`, which the
    client has shown to know well (section 3.2.5.2).
    """
    if gone is None:
        found = list(_within(_missing(view, sure), named))
    else:
        found = list(_within(_runs(uid for uid in gone if view.position(uid) == UNKNOWN), named))
    for start in range(0, len(found), _MANY):
        told = b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in found[start:][:_MANY])
        await session.line.say(b"* VANISHED (EARLIER) " + told + b"\r\n")


def _runs(uids: Iterable[int]) -> Iterator[Interval]:
    """Ascending UIDs as intervals."""
    low = high = 0
    for uid in uids:
        if uid != high + 1 or not high:
            if high:
                yield low, high
            low = uid
        high = uid
    if high:
        yield low, high


def _missing(view: Selected, sure: int) -> Iterator[Interval]:
    """UIDs behind `sure` that were given once, and are neither in the folder nor in the view."""
    folder, before = view.folder, sure
    there: Iterable[int] = folder.uids
    if not view.in_step:
        there = sorted({*folder.uids, *view.uids(range(view.count))})
    for uid in there:
        if uid > before:
            if uid > before + 1:
                yield before + 1, uid - 1
            before = uid
    if folder.uidnext > before + 1:
        yield before + 1, folder.uidnext - 1


def _within(found: Iterable[Interval], named: list[Interval]) -> Iterator[Interval]:
    """The common part of two ascending lists; linear in both."""
    at = 0
    for low, high in found:
        while at < len(named) and named[at][1] < low:
            at += 1
        for other_low, other_high in named[at:]:
            if other_low > high:
                break
            yield max(low, other_low), min(high, other_high)
            if other_high >= high:
                break
            at += 1


# ---- QRESYNC -----------------------------------------------------------------------------------------------


async def resynchronise(session: Session, view: Selected, resync: Resync, gone: tuple[int, ...] | None) -> None:
    """What a client that knew the folder has missed (section 3.2.5); nothing when it was another folder.

    `gone` is what `gone_since` said just before the view was made: the numbers of the view are of the same moment.
    """
    folder = view.folder
    if resync.uidvalidity != folder.uidvalidity:
        return
    named = [(1, folder.uidnext - 1)] if resync.known is None else resync.known.resolve(folder.uidnext - 1)
    positions = range(view.count) if resync.known is None else view.positions(resync.known, True)
    since = resync.modseq if resync.modseq <= folder.highest else 0  # of a future we know nothing of
    changed = view.uids(changed_since(view, positions, since))
    await tell_vanished(session, view, gone, named, _sure(view, resync))
    text = flags.texts(folder)
    for start in range(0, len(changed), _MANY):
        lines = []
        for uid in changed[start : start + _MANY]:
            position, place = view.position(uid), folder.index(uid)
            if place == UNKNOWN:  # expunged while the client read: it has to know whose number that will take away
                lines.append(b"* %d FETCH (UID %d)\r\n" % (position + 1, uid))
            else:
                shown = text(folder.letters[place], view.recent(uid))
                lines.append(responses.changed_flags(position + 1, uid, shown, folder.modseqs[place]))
        await session.line.say(b"".join(lines))


def _sure(view: Selected, resync: Resync) -> int:
    """The highest UID up to which the client's numbers are ours: nothing below it is missing on one side only."""
    sure = 0
    pairs = zip(_numbers(resync.numbers, view.count), _numbers(resync.uids, view.folder.uidnext), strict=False)
    for number, uid in pairs:
        if number > view.count or view.uid(number - 1) != uid:
            break
        sure = uid
    return sure


def _numbers(found: SequenceSet | None, largest: int) -> Iterator[int]:
    """The numbers of a set in its order, up to the first that cannot be."""
    for low, high in found.intervals if found is not None else ():
        yield from range(low, min(high, largest) + 1)
        if high > largest:
            return
