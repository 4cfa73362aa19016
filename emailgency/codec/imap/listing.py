"""LIST with all its options, LSUB, and the items of STATUS (RFC 9051 §9, RFC 5258, RFC 5819, RFC 6154 §6)."""

from emailgency.codec.imap import arguments, commands
from emailgency.codec.imap.grammar import Cursor, ProtocolError

_LIMIT = 64  # patterns
_SELECTION = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
_RETURNED = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"})
_MATCHING = frozenset({"SUBSCRIBED", "SPECIAL-USE"})  # what RECURSIVEMATCH can recur on (RFC 5258 §3.1)


def read_list(cursor: Cursor) -> commands.List:
    cursor.space()
    selection = _selection(cursor)
    if selection is not None:
        cursor.space()
    reference = arguments.mailbox_prefix(cursor)
    cursor.space()
    several = cursor.skip(b"(")
    patterns = [arguments.pattern(cursor)]
    if several:
        while cursor.skip(b" "):
            patterns.append(arguments.pattern(cursor))
            if len(patterns) > _LIMIT:
                raise ProtocolError("too many patterns")
        cursor.need(b")")
    returns: tuple[str, ...] | None = None
    status: tuple[str, ...] = ()
    if cursor.skip(b" "):
        if cursor.word() != "RETURN":
            raise ProtocolError("expected RETURN")
        cursor.space()
        returns, status = _returned(cursor)
    extended = several or selection is not None or returns is not None
    return commands.List(reference, tuple(patterns), selection or (), returns or (), status, extended)


def read_lsub(cursor: Cursor) -> commands.Lsub:
    cursor.space()
    reference = arguments.mailbox_prefix(cursor)
    cursor.space()
    return commands.Lsub(reference, arguments.pattern(cursor))


def read_status(cursor: Cursor) -> commands.Status:
    cursor.space()
    name = arguments.mailbox(cursor)
    cursor.space()
    return commands.Status(name, status_items(cursor))


def status_items(cursor: Cursor) -> tuple[str, ...]:
    """`(MESSAGES UNSEEN)`, each once, in the client's order."""
    cursor.need(b"(")
    found = {cursor.word(): None}
    while cursor.skip(b" "):
        found[cursor.word()] = None
    cursor.need(b")")
    if not commands.STATUS_ITEMS.issuperset(found):
        raise ProtocolError("unknown status item")
    return tuple(found)


def _selection(cursor: Cursor) -> tuple[str, ...] | None:
    """`(SUBSCRIBED REMOTE)`, `()`; None when no list stands here."""
    if not cursor.skip(b"("):
        return None
    found: dict[str, None] = {}
    while not cursor.skip(b")"):
        if found:
            cursor.space()
        found[cursor.word()] = None
        if not _SELECTION.issuperset(found):
            raise ProtocolError("unknown selection option")
    if "RECURSIVEMATCH" in found and _MATCHING.isdisjoint(found):
        raise ProtocolError("RECURSIVEMATCH needs something to match")
    return tuple(found)


def _returned(cursor: Cursor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options, and the items of STATUS among them."""
    cursor.need(b"(")
    found: dict[str, None] = {}
    status: tuple[str, ...] = ()
    while not cursor.skip(b")"):
        if found:
            cursor.space()
        word = cursor.word()
        found[word] = None
        if word not in _RETURNED:
            raise ProtocolError("unknown return option")
        if word == "STATUS":
            cursor.space()
            status = status_items(cursor)
    return tuple(found), status
