"""What works here, told by CAPA (RFC 2449): a name stands here when its tests pass, and no sooner."""

from emailgency.codec import sasl
from emailgency.codec.pop3 import commands, responses
from emailgency.servers.pop3.session import Answer, Session, State
from emailgency.servers.sessions import may_hear_passwords

_ALWAYS = ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER")


def may_log_in(session: Session) -> bool:
    """Whether a password may be said on this connection."""
    return may_hear_passwords(session.line, clear=session.server.settings.clear_login)


def _capabilities(session: Session) -> list[str]:
    """What works in the present state (RFC 2449 section 6). The version is nobody's business."""
    shown = [*_ALWAYS, "IMPLEMENTATION Emailgency"]
    if may_log_in(session):
        shown += ["USER", "SASL " + " ".join(sasl.MECHANISMS)]
    if session.state is State.GUEST and not session.line.secure and session.server.tls is not None:
        shown.append("STLS")
    return shown


async def capa(session: Session, command: commands.Capa) -> Answer:
    return Answer(responses.many("That is what I can.", _capabilities(session)))
