"""The maildrop: STAT, LIST, UIDL, RETR, TOP, DELE, RSET, NOOP, and QUIT, at which what was removed goes."""

from collections.abc import Callable
from functools import partial

from emailgency.codec.pop3 import commands, responses
from emailgency.codec.pop3.top import Top
from emailgency.codec.smtp.dot_stuffing import DotStuffer
from emailgency.model.errors import Temporary
from emailgency.servers.message_file import READ, MessageFile, open_message
from emailgency.servers.pop3.maildrop import Maildrop
from emailgency.servers.pop3.session import Answer, Session, State, err, ok
from emailgency.store.mailboxes.folder import UNKNOWN

_MANY = 1000  # lines of a list written at once: 1 ms and 20 kB

_NO_SUCH = err("There is no such message.")


async def stat(session: Session, command: commands.Stat) -> Answer:
    messages, octets = session.view().total()
    return ok(f"{messages} {octets}")


async def scan(session: Session, command: commands.List) -> Answer:
    """LIST."""
    view = session.view()
    messages, octets = view.total()
    return await _tell(
        session, command.message, f"{messages} messages ({octets} octets)", lambda position: str(view.sizes[position])
    )


async def uidl(session: Session, command: commands.Uidl) -> Answer:
    return await _tell(session, command.message, "Unique ids follow.", session.view().identity)


async def _tell(session: Session, message: int | None, words: str, what: Callable[[int], str]) -> Answer:
    """One line for one message, or one for each in a multi-line response."""
    view = session.view()
    if message is not None:
        position = _position(view, message)
        return _NO_SUCH if position == UNKNOWN else ok(f"{message} {what(position)}")
    lines = [responses.ok(words)]
    for position in view.present():
        lines.append(b"%d %b\r\n" % (position + 1, what(position).encode()))
        if len(lines) >= _MANY:
            await session.line.say(b"".join(lines))
            lines.clear()
    return Answer(b"".join(lines) + responses.END)


async def retr(session: Session, command: commands.Retr) -> Answer:
    view = session.view()
    position = _position(view, command.message)
    message = None if position == UNKNOWN else await _file(session, position)
    if message is None:
        return _NO_SUCH if position == UNKNOWN else err("That message has gone: another program has removed it.")
    with message:
        await _send(session, message, responses.ok(f"{message.size} octets"), None)
    view.fetched.add(position)
    return Answer()


async def top(session: Session, command: commands.Top) -> Answer:
    position = _position(session.view(), command.message)
    message = None if position == UNKNOWN else await _file(session, position)
    if message is None:
        return _NO_SUCH if position == UNKNOWN else err("That message has gone: another program has removed it.")
    with message:
        await _send(session, message, responses.ok("Its beginning follows."), Top(command.lines))
    return Answer()


async def dele(session: Session, command: commands.Dele) -> Answer:
    view = session.view()
    position = _position(view, command.message)
    if position == UNKNOWN:
        return _NO_SUCH
    view.removed.add(position)
    return ok("It goes when you say QUIT.")


async def rset(session: Session, command: commands.Rset) -> Answer:
    view = session.view()
    view.removed.clear()
    messages, octets = view.total()
    return ok(f"Nothing is removed: {messages} messages, {octets} octets.")


async def noop(session: Session, command: commands.Noop) -> Answer:
    return ok("Nothing done.")


async def leave(session: Session, command: commands.Quit) -> Answer:
    """QUIT. In the TRANSACTION state it is the only way to the UPDATE state (RFC 1939 section 6)."""
    view = session.maildrop
    session.state = State.GONE
    if view is None:
        return ok("Until next time.")
    if view.removed and view.folder.gone:
        return err("The maildrop was made anew meanwhile, nothing was removed.", "SYS/TEMP")
    try:
        await session.server.folders.expunge(view.folder, [view.uid(position) for position in sorted(view.removed)])
    except Temporary as error:
        session.log.warn("pop3 {number}: not all was removed: {error}", number=session.number, error=str(error))
        return err("Some messages were not removed, try again later.", "SYS/TEMP")
    await _mark_seen(session, view)
    session.log.info(
        "pop3 {number}: {fetched} messages fetched, {removed} removed",
        number=session.number,
        fetched=len(view.fetched),
        removed=len(view.removed),
    )
    return ok("Until next time.")


async def _mark_seen(session: Session, view: Maildrop) -> None:
    """What was fetched and stays counts as read; if that fails, nobody is alarmed."""
    if not session.server.settings.mark_seen:
        return
    uids = [view.uid(position) for position in sorted(view.fetched - view.removed)]
    try:
        await session.server.folders.set_flags(view.folder, uids, _seen)
    except Temporary as error:
        session.log.warn("pop3 {number}: \\Seen not set: {error}", number=session.number, error=str(error))


def _seen(letters: str) -> str:
    return "".join(sorted({*letters, "S"}))


def _position(view: Maildrop, message: int) -> int:
    """UNKNOWN for a number that means nothing, or what the client has removed."""
    position = message - 1
    return position if 0 <= position < view.count and position not in view.removed else UNKNOWN


async def _file(session: Session, position: int) -> MessageFile | None:
    """Its file, opened; None when it has gone."""
    view = session.view()
    return await open_message(session.server.folders, view.folder, partial(view.place, position))


async def _send(session: Session, message: MessageFile, first: bytes, top: Top | None) -> None:
    """The octets as they are stored, dots stuffed, 64 KiB at a time and as fast as the client takes them.

    Bare CR and LF, which only another program can have stored, leave as CRLF: a client that takes them for line ends
    would find the end of the message where we see none.
    """
    stuffer = DotStuffer()
    start, last = 0, False
    while not last:
        octets = message.read(start, min(message.size, start + READ))
        if not octets and start < message.size:
            session.line.cut()  # the client knows by the missing end that this was not all
            raise OSError("a message became shorter while it was read")
        start += len(octets)
        last = start >= message.size
        if top is not None:
            octets = top.take(octets)
            last = last or top.done
        await session.line.say(first + stuffer.encode(octets, last))
        first = b""
