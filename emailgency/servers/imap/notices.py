"""What a session is told unasked about things other than the selected folder: annotations that others have changed.

RFC 5464 section 4.4.2: only to clients that know the response, by ENABLE METADATA or by having used its commands.
"""

from collections.abc import Iterable

from emailgency.codec.imap import annotations, responses
from emailgency.servers.imap.session import Session

METADATA = "METADATA"
_OWED = 500  # entries; a client that has been busy for longer than that learns the rest by asking


def tell_others(session: Session, path: str, name: str, entries: Iterable[str]) -> None:
    """These annotations of the folder `path` (or, without a `name`, of the server) are others now."""
    for other in tuple(session.server.sessions):
        if other is session or METADATA not in other.enabled:
            continue
        if other.mailbox == session.mailbox or (name and other.is_in_view(path)):
            owed = other.owed.setdefault(responses.mailbox(name, other.utf8), {})
            owed.update(dict.fromkeys(entries))
            if len(owed) > _OWED:
                other.owed.clear()
            if other.line.at_rest and not other.line.blocked:
                pay(other)


def pay(session: Session) -> None:
    """Tell what is owed; called when no command writes."""
    for name, entries in session.owed.items():
        session.line.write(annotations.changed(name, entries))
    session.owed.clear()
