"""GETMETADATA and SETMETADATA (RFC 5464): what mail programs note about folders and about the server.

Of a mailbox's own folders /private and /shared are both its user's. Undelivered has shared entries only. Of the server
a user has private entries; the shared ones are the operator's settings.
"""

from collections.abc import Iterable, Mapping

from emailgency.codec.imap import annotations, responses
from emailgency.codec.imap.annotations import GetMetadata, SetMetadata
from emailgency.servers.imap import notices, special_uses
from emailgency.servers.imap.session import Completed, Session, no, no_such_folder
from emailgency.store.storing.annotations import SPECIAL_USE
from emailgency.store.storing.replies import Refused

_SHARED = "/shared/"
_PRIVATE = "/private/"

Values = Mapping[str, bytes | None]


async def get_metadata(session: Session, command: GetMetadata) -> Completed:
    """Values longer than MAXSIZE are left out, and the longest of them is told (section 4.2.1)."""
    session.enabled.add(notices.METADATA)  # it has shown that it knows the response (section 4.1)
    known = await _known(session, command.name)
    if known is None:
        return no_such_folder()
    found: dict[str, bytes | None] = {}
    for entry in command.entries:
        found |= _within(known, entry, command.depth)
    most = command.most
    too_long = {} if most is None else {entry: value for entry, value in found.items() if len(value or b"") > most}
    told = {entry: value for entry, value in found.items() if entry not in too_long}
    if told:
        await session.line.say(annotations.metadata(responses.mailbox(command.name, session.utf8), told))
    if not too_long:
        return Completed("Those are the annotations.")
    longest = max(len(value or b"") for value in too_long.values())
    return Completed("Some values are longer.", b"METADATA LONGENTRIES %d" % longest)


async def set_metadata(session: Session, command: SetMetadata) -> Completed:
    """All of the entries or none; other sessions are told which."""
    session.enabled.add(notices.METADATA)
    settings, values = session.server.settings, dict(command.values)
    refusal = await _refusal(session, command.name, values)
    if refusal is not None:
        return refusal
    path = session.path(command.name) if command.name else session.mailbox
    await _see_to(session, path)
    bounds = settings.annotations, settings.annotation_octets
    refused = await session.server.folders.annotate(path, values, bounds, server=not command.name)
    if refused is not None:
        return no("Too many annotations.", b"METADATA TOOMANY") if refused.reason == "limit" else no_such_folder()
    notices.tell_others(session, path, command.name, values)
    return Completed("They are noted.")


async def _refusal(session: Session, name: str, values: dict[str, bytes | None]) -> Completed | None:
    """What is wrong with these values; a special use is brought into its usual spelling."""
    most = session.server.settings.annotation_value
    if any(value is not None and len(value) > most for value in values.values()):
        return no("A value is too long.", b"METADATA MAXSIZE %d" % most)
    if not name:
        return no("The operator says that.", b"NOPERM") if _any(values, _SHARED) else None
    if session.is_shared(session.path(name)):
        return no("Undelivered has no private annotations.", b"METADATA NOPRIVATE") if _any(values, _PRIVATE) else None
    use = values.get(SPECIAL_USE)
    if use is None:
        return None
    words = use.decode("ascii", "replace").split()
    tree = await session.server.trees.of(session.mailbox, session.line.breathe)
    refusal = special_uses.refusal(session, tree, session.name(name), words)
    if refusal is None:
        values[SPECIAL_USE] = special_uses.spelled(words).encode("ascii")
    return refusal


async def _known(session: Session, name: str) -> dict[str, bytes] | None:
    """All annotations of the server or a folder; None: there is no such folder."""
    if name:
        path = session.path(name)
        await _see_to(session, path)
        found = await session.server.folders.annotations(path)
        return None if isinstance(found, Refused) else found
    await _see_to(session, session.mailbox)
    own = await session.server.folders.annotations(session.mailbox, server=True)
    settings = session.server.settings
    said = {"/shared/comment": settings.comment.encode(), "/shared/admin": settings.contact.encode()}
    return {entry: value for entry, value in said.items() if value} | ({} if isinstance(own, Refused) else own)


async def _see_to(session: Session, path: str) -> None:
    """INBOX and Undelivered are always there, other folders when they are."""
    if path == session.mailbox or session.is_shared(path):
        await session.open(path)


def _within(known: Mapping[str, bytes], entry: str, depth: int) -> dict[str, bytes | None]:
    """An entry, and what lies at most `depth` levels below it. One that has no value is told only when it was named
    without DEPTH.
    """
    found: dict[str, bytes | None] = {}
    if entry in known or not depth:
        found[entry] = known.get(entry)
    if depth:
        below = f"{entry}/"
        levels = below.count("/") + depth
        found |= {name: known[name] for name in known if name.startswith(below) and name.count("/") < levels}
    return found


def _any(entries: Iterable[str], beginning: str) -> bool:
    return any(entry.startswith(beginning) for entry in entries)
