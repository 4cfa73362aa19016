"""Who is there: STLS, UTF8, USER and PASS, AUTH."""

from math import inf

from emailgency.codec import sasl
from emailgency.codec.pop3 import commands, responses
from emailgency.codec.pop3.connection import Line as LineEvent
from emailgency.flows.accounts.login import Principal, Source
from emailgency.model.verdict import Verdict
from emailgency.servers.pop3.capabilities import may_log_in
from emailgency.servers.pop3.maildrop import Maildrop
from emailgency.servers.pop3.session import Answer, Session, State, err, ok
from emailgency.store import layout
from emailgency.store.storing.replies import Refused

_SERVICE = "pop3"
_MEASURED = 1000  # messages whose sizes are noted at once: some 2 ms

_IN_CLEAR = err("Passwords only under TLS.")


async def utf8(session: Session, command: commands.Utf8) -> Answer:
    """RFC 6856 section 2.1: the client can read UTF-8 in headers. What we send is the same with and without."""
    session.utf8 = True
    return ok("UTF-8 it is.")


async def stls(session: Session, command: commands.Stls) -> Answer:
    """RFC 2595 section 4. Octets already here came in the clear behind it: somebody put them there."""
    line, tls = session.line, session.server.tls
    if line.secure or tls is None:
        return err("TLS is on already." if line.secure else "There is no TLS here.")
    if session.utf8:
        return err("STLS comes before UTF8.")  # RFC 6856 section 2.1
    if line.connection.unread:
        session.log.warn("pop3 {number}: octets behind STLS in the clear from {ip}", number=session.number, ip=line.ip)
        line.cut()
        return Answer()
    session.name = ""  # nothing said in the clear is believed
    return Answer(responses.ok("Begin TLS now."), lambda: line.start_tls(tls))


async def user(session: Session, command: commands.User) -> Answer:
    """The same answer for every name."""
    if not may_log_in(session):
        return _IN_CLEAR
    session.name = command.name
    return ok("And the password?")


async def password(session: Session, command: commands.Pass) -> Answer:
    name, session.name = session.name, ""
    if not may_log_in(session):
        return _IN_CLEAR
    if not name:
        return err("The name comes first.")
    return await _log_in(session, name, command.password)


async def auth(session: Session, command: commands.Auth) -> Answer:
    """RFC 5034: PLAIN and LOGIN, with or without an initial response; alone, the list of them."""
    if not may_log_in(session):
        return _IN_CLEAR
    if not command.mechanism:
        return Answer(responses.many("Ways to log in.", sasl.MECHANISMS))
    if command.mechanism not in sasl.MECHANISMS:
        return err("I know only PLAIN and LOGIN.")
    dialogue = sasl.Dialogue(command.mechanism)
    response = command.initial
    try:
        while True:
            if response is not None:
                dialogue.feed(response)
            if dialogue.credentials is not None:
                return await _log_in(session, dialogue.credentials.name, dialogue.credentials.password)
            session.line.write(responses.challenge(dialogue.challenge))
            session.line.connection.expect_line()
            event = await session.line.event()
            if not isinstance(event, LineEvent):
                return Answer(b"", lambda: session.line.close("That is no answer."))
            response = event.octets
    except sasl.Cancelled:
        return err("As you wish, no login.")
    except sasl.Malformed as error:
        return err(f"That cannot be: {error}.")


async def _log_in(session: Session, name: str, password: str) -> Answer:
    """The one door; takes the same time for unknown names and wrong passwords (flows.accounts.login sees to it)."""
    answer = await session.server.login.authenticate(name, password, Source(_SERVICE, session.line.ip))
    if isinstance(answer, Verdict):
        if answer.temporary:
            return err("We have trouble of our own, try again later.", "SYS/TEMP")
        return _refused(session, name, answer.text)
    return await _open(session, answer)


def _refused(session: Session, name: str, words: str) -> Answer:
    session.failures += 1
    session.log.info(
        "pop3 {number}: login refused for {name} from {ip}: {words}",
        number=session.number,
        name=repr(name[:200]),
        ip=session.line.ip,
        words=words,
    )
    refusal = responses.err("Wrong name or password.", "AUTH")
    enough = session.failures >= session.server.settings.login_attempts
    return Answer(refusal, session.line.hang_up if enough else None)


async def _open(session: Session, principal: Principal) -> Answer:
    """Lock the maildrop (RFC 1939 section 4) and take the view of it."""
    server, line = session.server, session.line
    path = layout.mailbox(principal.customer, principal.mailbox)
    if server.logged_in(path):
        return err("Somebody else has this maildrop open by POP3.", "IN-USE")
    session.mailbox = path
    try:
        folder = await server.folders.open(path)
        if isinstance(folder, Refused):
            folder = await server.folders.create(path, quiet=True)
        if isinstance(folder, Refused):
            session.mailbox = ""
            return err("We have trouble of our own, try again later.", "SYS/TEMP")
        session.maildrop = view = Maildrop(folder)
        server.folders.hold(folder, view)
        while view.measure(_MEASURED):
            await line.breathe()
    except BaseException:
        session.leave()
        raise
    session.principal = principal
    session.state = State.MEMBER
    server.welcomed(session)
    line.login_by = inf
    line.patience = server.settings.idle_seconds
    session.log.info(
        "pop3 {number}: login of {address} from {ip}",
        number=session.number,
        address=str(principal.address),
        ip=line.ip,
    )
    messages, octets = view.total()
    return ok(f"{messages} messages, {octets} octets.")
