"""The grammar of mod-sequences (RFC 7162 section 7): parameters of SELECT, a modifier of STORE, a key of SEARCH."""

import re

from msgspec import Struct

from emailgency.codec.imap import arguments
from emailgency.codec.imap.grammar import Cursor, ProtocolError
from emailgency.codec.imap.sets import STAR, SequenceSet

_NUMBER = re.compile(rb"[0-9]{1,19}+")
_LARGEST = (1 << 63) - 1
_ENTRY = re.compile(rb'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+" (?:priv|shared|all) ', re.IGNORECASE)


class Resync(Struct, frozen=True):
    """QRESYNC: what the client knows. Message `numbers[i]` of it has the UID `uids[i]`, as intervals side by side."""

    uidvalidity: int
    modseq: int
    known: SequenceSet | None = None  # UIDs; None: all that have ever been
    numbers: SequenceSet | None = None
    uids: SequenceSet | None = None


def modseq(cursor: Cursor) -> int:
    """A mod-sequence of 63 bits; 0 where the RFC has mod-sequence-valzer, which is everywhere a client says one."""
    value = int(cursor.match(_NUMBER, "a mod-sequence is missing").group())
    if value > _LARGEST:
        raise ProtocolError("a mod-sequence is too large")
    return value


def select_parameters(cursor: Cursor) -> tuple[bool, Resync | None]:
    """`(CONDSTORE)`, `(QRESYNC (67890007 90060115194045000 41:211))`: (mod-sequences are wanted, what is known)."""
    condstore, resync = False, None
    if not cursor.skip(b" ("):
        return False, None
    while True:
        word = cursor.word()
        if word == "CONDSTORE" and not condstore:
            condstore = True
        elif word == "QRESYNC" and resync is None:
            resync = _resync(cursor)
        else:
            raise ProtocolError("unknown or repeated parameter")
        if not cursor.skip(b" "):
            cursor.need(b")")
            return condstore, resync


def _resync(cursor: Cursor) -> Resync:
    cursor.need(b" (")
    uidvalidity = cursor.number()
    cursor.space()
    since = modseq(cursor)
    known = numbers = uids = None
    if not cursor.skip(b")"):
        cursor.space()
        if not cursor.octets.startswith(b"(", cursor.at):
            known = _plain_set(cursor)
        if known is None or cursor.skip(b" "):
            cursor.need(b"(")
            numbers = _plain_set(cursor)
            cursor.space()
            uids = _plain_set(cursor)
            cursor.need(b")")
        cursor.need(b")")
    if not uidvalidity or not since:
        raise ProtocolError("UIDVALIDITY and mod-sequence of QRESYNC are not zero")
    return Resync(uidvalidity, since, known, numbers, uids)


def _plain_set(cursor: Cursor) -> SequenceSet:
    """RFC 7162 section 7: without `*`."""
    found = arguments.sequence_set(cursor)
    if found.saved or any(high == STAR for _, high in found.intervals):
        raise ProtocolError("no * among what is known")
    return found


def unchanged_since(cursor: Cursor) -> int | None:
    """The modifier of STORE with the space behind it, None when none stands here."""
    if not cursor.skip(b"("):
        return None
    if cursor.word() != "UNCHANGEDSINCE":
        raise ProtocolError("unknown modifier of STORE")
    cursor.space()
    since = modseq(cursor)
    cursor.need(b") ")
    return since


def search_argument(cursor: Cursor) -> int:
    """Behind MODSEQ in SEARCH: an entry that is checked and not used, since all flags share one (section 3.1.5)."""
    entry = _ENTRY.match(cursor.octets, cursor.at)
    if entry is not None:
        cursor.at = entry.end()
    return modseq(cursor)
