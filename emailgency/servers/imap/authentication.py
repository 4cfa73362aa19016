"""Who is there: CAPABILITY, ID, STARTTLS, LOGIN, AUTHENTICATE, LOGOUT and what is said in any state."""

from base64 import b64decode
from binascii import Error
from math import inf

from emailgency import __version__
from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.connection import Line as LineEvent
from emailgency.flows.accounts.login import Principal, Source
from emailgency.flows.addresses.new_mailbox import furnish
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.servers.imap import capabilities
from emailgency.servers.imap.capabilities import capability_code, may_log_in
from emailgency.servers.imap.limits import new_folders
from emailgency.servers.imap.session import Completed, Session, State, bad, no
from emailgency.store import layout

_SERVICE = "imap"


async def capability(session: Session, command: commands.Capability) -> Completed:
    session.line.write(responses.capability(capabilities.capabilities(session)))
    return Completed("That is what I can.")


async def noop(session: Session, command: commands.Noop) -> Completed:
    """Also the way to poll: other programs' changes are looked for (RFC 3501 section 6.1.2)."""
    if session.selected is not None:
        try:
            await session.server.folders.look_at(session.selected.folder, session.server.clock())
        except Temporary as error:  # no reason to alarm a client that asked for nothing
            session.log.warn("imap {number}: folder not looked at: {error}", number=session.number, error=str(error))
    return Completed("Nothing done.")


async def identify(session: Session, command: commands.Id) -> Completed:
    """RFC 2971. The version is told to members only."""
    session.log.info("imap {number}: client {client}", number=session.number, client=repr(dict(command.fields)))
    told = {"name": "Emailgency"}
    if session.state is not State.GUEST:
        told["version"] = __version__
    session.line.write(responses.identity(told))
    return Completed("Nice to meet you.")


async def enable(session: Session, command: commands.Enable) -> Completed:
    """RFC 5161; the answer names what is on from now on and was not before."""
    session.line.write(responses.enabled(capabilities.enable(session, command.capabilities)))
    return Completed("Enabled what I have.")


async def logout(session: Session, command: commands.Logout) -> Completed:
    session.leave()
    session.state = State.GONE
    session.line.write(responses.untagged("BYE", "Until next time."))
    return Completed("Done.")


async def starttls(session: Session, command: commands.Starttls) -> Completed:
    """RFC 3501 section 6.2.1. Octets already here came in the clear behind it: somebody put them there."""
    line, tls = session.line, session.server.tls
    if line.secure or tls is None:
        return bad("TLS is on already." if line.secure else "There is no TLS here.")
    if line.connection.unread:
        session.log.warn(
            "imap {number}: octets behind STARTTLS in the clear from {ip}", number=session.number, ip=line.ip
        )
        line.cut()
    return Completed("Begin TLS now.", then=lambda: line.start_tls(tls))


async def compress(session: Session, command: commands.Compress) -> Completed:
    """RFC 4978: the answer is the last thing that goes uncompressed; the client waits for it."""
    line = session.line
    if command.algorithm != "DEFLATE" or line.connection.compressed:
        words = "DEFLATE is on already." if line.connection.compressed else "I know only DEFLATE."
        return Completed(words, b"COMPRESSIONACTIVE" if line.connection.compressed else b"", "BAD")
    if line.connection.unread:
        return bad("Wait for the answer before you go on.")
    return Completed("DEFLATE is on from now.", then=line.compress)


async def login(session: Session, command: commands.Login) -> Completed:
    if not may_log_in(session):
        return no("Passwords only under TLS.", b"PRIVACYREQUIRED")
    return await _log_in(session, command.name, command.password)


async def authenticate(session: Session, command: commands.Authenticate) -> Completed:
    """AUTHENTICATE PLAIN (RFC 4616), with or without an initial response (RFC 4959)."""
    if not may_log_in(session):
        return no("Passwords only under TLS.", b"PRIVACYREQUIRED")
    if command.mechanism != "PLAIN":
        return no("I know only PLAIN.", b"CANNOT")
    octets = command.initial
    if octets is None:
        session.line.write(responses.challenge())
        session.line.connection.expect_line()
        event = await session.line.event()
        if not isinstance(event, LineEvent):
            return bad("That is no answer.")
        if event.octets == b"*":
            return bad("As you wish, no login.")
        try:
            octets = b64decode(event.octets, validate=True)
        except Error:
            return bad("That is not base64.")
    try:
        authorization, name, password = octets.decode("utf-8").split("\0")
    except ValueError:
        return bad("That is not a PLAIN response.")
    if authorization not in ("", name):
        return await _refused(session, name, "nobody acts for somebody else")
    return await _log_in(session, name, password)


async def _log_in(session: Session, name: str, password: str) -> Completed:
    """The one door; takes the same time for unknown names and wrong passwords (flows.accounts.login sees to it)."""
    answer = await session.server.login.authenticate(name, password, Source(_SERVICE, session.line.ip))
    if isinstance(answer, Verdict):
        if answer.temporary:
            return no("We have trouble of our own, try again later.", b"UNAVAILABLE")
        return await _refused(session, name, answer.text)
    return await _welcome(session, answer)


async def _refused(session: Session, name: str, words: str) -> Completed:
    session.failures += 1
    session.log.info(
        "imap {number}: login refused for {name} from {ip}: {words}",
        number=session.number,
        name=repr(name[:200]),
        ip=session.line.ip,
        words=words,
    )
    refusal = no("Wrong name or password.", b"AUTHENTICATIONFAILED")
    if session.failures < session.server.settings.login_attempts:
        return refusal
    return Completed(
        refusal.words, refusal.code, refusal.condition, then=lambda: session.line.close("Too many failed logins.")
    )


async def _welcome(session: Session, principal: Principal) -> Completed:
    server, line = session.server, session.line
    path = layout.mailbox(principal.customer, principal.mailbox)
    if server.logged_in(path) >= server.settings.mailbox_connections:
        return no("Too many connections to this mailbox.", b"LIMIT")
    if path not in server.prepared:
        await furnish(server.folders, path, new_folders(server.settings))
        server.prepared.add(path)
    server.welcomed(session)
    session.principal = principal
    session.mailbox = path
    session.state = State.MEMBER
    line.connection.authenticated = True
    line.login_by = inf
    line.patience = server.settings.idle_seconds
    session.log.info(
        "imap {number}: login of {address} from {ip}",
        number=session.number,
        address=str(principal.address),
        ip=line.ip,
    )
    return Completed("Welcome.", capability_code(session))
