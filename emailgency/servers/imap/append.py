"""APPEND (RFC 3501 section 6.3.11): a message streamed to the storer, its size checked before any of it is sent."""

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.connection import AppendEnd, BadCommand, Event, Fatal, LiteralChunk
from emailgency.servers.imap import flags
from emailgency.servers.imap.quota import room_for
from emailgency.servers.imap.session import Completed, Session, bad, no, no_such_folder
from emailgency.store.folder import Folder
from emailgency.store.storing.messages import Refused


async def append(session: Session, command: commands.Append) -> Completed:
    """OK comes when the message is on stable storage, with its UID (RFC 4315)."""
    connection = session.line.connection
    try:
        folder = await _destination(session, command)
        letters = "" if isinstance(folder, Completed) else await _letters(session, folder, command.flags)
    except BaseException:
        connection.refuse_literal()
        raise
    for refusal in (folder, letters):
        if isinstance(refusal, Completed):
            connection.refuse_literal()
            return refusal
    assert isinstance(folder, Folder)
    assert isinstance(letters, str)
    connection.accept_literal()
    return await _receive(session, command, folder, letters)


async def _destination(session: Session, command: commands.Append) -> Folder | Completed:
    """The folder, or why the message cannot be taken."""
    if command.size > session.server.settings.append_limit:
        return no("The message is too large.", b"TOOBIG")
    if not command.size:
        return no("There is no empty message.", b"CANNOT")  # in MULTIAPPEND it means "give it up"
    folder = await session.destination(command.name)
    if isinstance(folder, Completed):
        return folder
    if not await room_for(session, command.size):
        return no("The mailbox has no room for that.", b"OVERQUOTA")
    return folder


async def _letters(session: Session, folder: Folder, wanted: tuple[str, ...]) -> str | Completed:
    if flags.unknown_system(flag for flag in wanted if flag != "\\Recent"):
        return bad("There is no such flag.")
    keywords = flags.keywords_among(wanted)
    letters = await session.server.folders.letters(folder, keywords) if keywords else ""
    if isinstance(letters, Refused):
        return no("The folder has no room for another keyword.", b"LIMIT")
    return "".join(sorted(set(flags.system_letters(wanted) + letters)))


async def _receive(session: Session, command: commands.Append, folder: Folder, letters: str) -> Completed:
    server, line = session.server, session.line
    if command.synchronising:
        line.write(responses.continuation("go on"))
    arrival = server.folders.begin_append(server.clock())
    patience, line.patience = line.patience, float(line.stalled)
    try:
        event: Event = await line.event()
        while isinstance(event, LiteralChunk):
            arrival.write(event.octets)
            await server.folders.writable()
            await line.breathe()
            event = await line.event()
        if not isinstance(event, AppendEnd):
            arrival.abort()
            return _broken(session, event)
    except BaseException:
        arrival.abort()
        raise
    finally:
        line.patience = patience
    at = server.clock() if command.date is None else float(command.date)
    uid = await server.folders.append(folder, arrival, letters, at)
    if isinstance(uid, Refused):
        return no_such_folder(create=True)
    return Completed("The message is stored.", responses.append_uid(folder.uidvalidity, [uid]))


def _broken(session: Session, event: Event) -> Completed:
    if isinstance(event, BadCommand):
        return bad(event.words)
    if isinstance(event, Fatal):
        session.line.close(event.words)
    return bad("The message did not come whole.")
