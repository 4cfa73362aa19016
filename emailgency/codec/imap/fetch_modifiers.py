"""What stands in parentheses behind the items of FETCH (RFC 4466 section 2.3): `(PARTIAL -1:-100)`,
`(CHANGEDSINCE 12345 VANISHED)`."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from emailgency.codec.imap.grammar import Cursor, ProtocolError
from emailgency.codec.imap.modseqs import modseq
from emailgency.codec.imap.return_options import Partial, read_range


class FetchModifiers(Struct, frozen=True):
    """`partial`: only this page of the messages that would be told of (RFC 9394 section 3.4).

    `changed_since`: only messages with a greater mod-sequence; `vanished`: and what has gone since (RFC 7162).
    """

    partial: Partial | None = None
    changed_since: int | None = None
    vanished: bool = False


NONE = FetchModifiers()


def read(cursor: Cursor) -> FetchModifiers:
    """Those at the cursor; NONE at the end of the command."""
    if not cursor.skip(b" ("):
        return NONE
    seen: set[str] = set()
    modifiers = NONE
    while not seen or cursor.skip(b" "):
        word = cursor.word()
        reader = _READERS.get(word)
        if reader is None or word in seen:
            raise ProtocolError("unknown or repeated modifier of FETCH")
        seen.add(word)
        modifiers = reader(cursor, modifiers)
    cursor.need(b")")
    if modifiers.vanished and modifiers.changed_since is None:
        raise ProtocolError("VANISHED needs CHANGEDSINCE")  # RFC 7162 section 3.2.6
    return modifiers


def _changed_since(cursor: Cursor, modifiers: FetchModifiers) -> FetchModifiers:
    cursor.space()
    return replace(modifiers, changed_since=modseq(cursor))


def _vanished(cursor: Cursor, modifiers: FetchModifiers) -> FetchModifiers:
    return replace(modifiers, vanished=True)


def _partial(cursor: Cursor, modifiers: FetchModifiers) -> FetchModifiers:
    cursor.space()
    return replace(modifiers, partial=read_range(cursor)[0])


_READERS: dict[str, Callable[[Cursor, FetchModifiers], FetchModifiers]] = {
    "PARTIAL": _partial,
    "CHANGEDSINCE": _changed_since,
    "VANISHED": _vanished,
}
