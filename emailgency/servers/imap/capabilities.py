"""What works here: the one list of capabilities, and which of them a client switches on by ENABLE (RFC 5161).

A name stands here when its tests pass, and no sooner. Before login only what a guest can use is told.
"""

from collections.abc import Callable

from emailgency.servers.imap import modseqs, notices
from emailgency.servers.imap.session import Session, State
from emailgency.servers.sessions import may_hear_passwords

_ALWAYS = ("SASL-IR", "ID", "ENABLE", "IDLE")
_MEMBERS = (
    "MULTIAPPEND",
    "REPLACE",
    "BINARY",
    "UTF8=ACCEPT",
    "PREVIEW",
    "COMPRESS=DEFLATE",
    "NAMESPACE",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "SPECIAL-USE",
    "ESEARCH",
    "SEARCHRES",
    "WITHIN",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "PARTIAL",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "CREATE-SPECIAL-USE",
    "STATUS=SIZE",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-MAILBOX",
    "METADATA",
    "CONDSTORE",
    "QRESYNC",
    "OBJECTID",
    "SAVEDATE",
    "NOTIFY",
)


def _speak_utf8(session: Session) -> None:
    session.line.connection.utf8 = True


_SPELLED = {"IMAP4REV2": "IMAP4rev2"}

# What ENABLE takes (in capitals) -> what has to be done at once, besides remembering it in `Session.enabled`.
ENABLING: dict[str, Callable[[Session], None]] = {
    modseqs.CONDSTORE: modseqs.want,
    modseqs.QRESYNC: modseqs.want_vanished,
    notices.METADATA: lambda session: None,
    "UTF8=ACCEPT": _speak_utf8,
    "IMAP4REV2": _speak_utf8,  # RFC 9051 section 5.1: names in UTF-8
}


def may_log_in(session: Session) -> bool:
    """Whether a password may be said on this connection."""
    return may_hear_passwords(session.line, clear=session.server.settings.clear_login)


def capabilities(session: Session) -> list[str]:
    """What works in the present state."""
    if session.state is not State.GUEST:
        return [*_always(session), *_MEMBERS, f"APPENDLIMIT={session.server.settings.append_limit}"]
    shown = _always(session)
    if not session.line.secure and session.server.tls is not None:
        shown.append("STARTTLS")
    shown.append("AUTH=PLAIN" if may_log_in(session) else "LOGINDISABLED")
    return shown


def _always(session: Session) -> list[str]:
    """RFC 7888 section 5: never LITERAL+ and LITERAL- both."""
    literals = "LITERAL-" if session.server.settings.large_literals_wait else "LITERAL+"
    return ["IMAP4rev1", "IMAP4rev2", literals, *_ALWAYS]


def capability_code(session: Session) -> bytes:
    """For the greeting and the answer to a login, which saves clients a command."""
    return ("CAPABILITY " + " ".join(capabilities(session))).encode("ascii")


def enable(session: Session, names: tuple[str, ...]) -> list[str]:
    """Switch on what we have of `names`, for the rest of the connection; those that were off before are returned.

    RFC 5161 section 3.1: unknown names are passed over, and so are those that cannot be enabled.
    """
    fresh = [name for name in dict.fromkeys(names) if name in ENABLING and name not in session.enabled]
    for name in fresh:
        ENABLING[name](session)
        session.enabled.add(name)
    return [_SPELLED.get(name, name) for name in fresh]
