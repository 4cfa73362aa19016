"""APPEND (RFC 3501 section 6.3.11, RFC 3502) and REPLACE (RFC 8508): messages streamed to the storer.

Size, flags and quota of each message are looked at before any of its octets are sent. What is stored is exactly what
was sent; of several messages all are stored or none.
"""

from msgspec import Struct

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.connection import AppendEnd, BadCommand, Event, Fatal, LiteralChunk, NextMessage
from emailgency.codec.mime.eight_bit import HeaderLook
from emailgency.servers.imap import flags, modseqs
from emailgency.servers.imap.quota import room_for
from emailgency.servers.imap.session import Completed, Session, bad, no, no_such_folder
from emailgency.store.mailboxes.folder import UNKNOWN, Folder
from emailgency.store.spool.arrival import Arrival
from emailgency.store.storing.replies import Refused

_READ_ONLY = no("The folder is open for reading only.", b"READ-ONLY")
_EIGHT_BIT = no("Headers of 8-bit characters are for who has enabled UTF8=ACCEPT.", b"CANNOT")  # RFC 6855 section 4
_GONE = no("That message has been expunged meanwhile.", b"EXPUNGEISSUED")


class Upload(Struct):
    """The messages of one command, for one folder."""

    folder: Folder
    freed: int  # octets of the message they replace
    coming: list[tuple[Arrival, str, float]]


async def append(session: Session, command: commands.Append) -> Completed:
    """OK comes when the messages are on stable storage, with their UIDs (RFC 4315)."""
    upload = await _begin(session, command.name)
    if isinstance(upload, Completed):
        return upload
    refusal = await _receive_all(session, command, upload)
    if refusal is not None:
        return refusal
    uids = await session.server.folders.append_all(upload.folder, upload.coming)
    if isinstance(uids, Refused):
        return no_such_folder(create=True)
    return Completed(
        "The message is stored." if len(uids) == 1 else "The messages are stored.",
        responses.append_uid(upload.folder.uidvalidity, uids),
    )


async def replace(session: Session, command: commands.Replace) -> Completed:
    """The old message goes when the new one is on stable storage; APPENDUID comes before EXPUNGE (section 4.3)."""
    view = session.view()
    position = view.position(command.number) if command.uid and command.number else (command.number or view.count) - 1
    upload: Upload | Completed
    if view.read_only:
        upload = _READ_ONLY
    elif not 0 <= position < view.count:
        upload = no("There is no such message.", b"NONEXISTENT") if command.uid else bad("There is no such message.")
    elif (place := view.place(position)) == UNKNOWN:
        upload = _GONE
    else:
        freed = 0 if session.is_shared(view.folder.path) else view.folder.octets([view.folder.uids[place]])
        upload = await _begin(session, command.message.name, freed)
    if isinstance(upload, Completed):
        return upload
    uid = view.uid(position)
    refusal = await _receive_all(session, command.message, upload)
    if refusal is not None:
        return refusal
    stored = await session.server.folders.replace(upload.folder, upload.coming[0], view.folder, uid)
    if isinstance(stored, Refused):
        return _GONE if stored.reason == "gone" else no_such_folder(create=True)
    code = responses.append_uid(upload.folder.uidvalidity, [stored])
    session.line.write(responses.untagged("OK", "The new message is stored.", code))
    return Completed("The message is replaced.", modseqs.code_after_expunge(session, view.folder))


async def _begin(session: Session, name: str, freed: int = 0) -> Upload | Completed:
    folder = await session.destination(name)
    return folder if isinstance(folder, Completed) else Upload(folder, freed, [])


async def _receive_all(session: Session, first: commands.Append, upload: Upload) -> Completed | None:
    """Take the octets of all messages; what is said instead when one cannot be taken, and then nothing stays."""
    message: commands.Append | None = first
    refusal: Completed | None = None
    try:
        while message is not None and refusal is None:
            letters = await _decide(session, message, upload)
            if isinstance(letters, Completed):
                refusal = letters
                continue
            at = session.server.clock() if message.date is None else float(message.date)
            arrival = session.server.folders.begin_append(session.server.clock())
            upload.coming.append((arrival, letters, at))
            event = await _receive(session, message, arrival)
            message = event.message if isinstance(event, NextMessage) else None
            if isinstance(event, Completed):
                refusal = event
            elif message is not None:
                arrival.send()  # or a thousand messages would wait in memory
    except BaseException:
        _abort(upload)
        raise
    if refusal is not None:
        _abort(upload)
    return refusal


def _abort(upload: Upload) -> None:
    for arrival, _, _ in upload.coming:
        arrival.abort()


async def _decide(session: Session, message: commands.Append, upload: Upload) -> str | Completed:
    """Before its octets are sent: the letters of the message's flags, or why it cannot be taken."""
    settings = session.server.settings
    if message.size > settings.append_limit:
        return no("The message is too large.", b"TOOBIG")
    if not message.size:
        return no("There is no empty message.", b"CANNOT")  # in MULTIAPPEND it means "give it up"
    if len(upload.coming) >= settings.append_messages:
        return no("Too many messages in one command.", b"LIMIT")
    if not await room_for(session, max(0, message.size - upload.freed)):
        return no("The mailbox has no room for that.", b"OVERQUOTA")
    if flags.unknown_system(flag for flag in message.flags if flag != "\\Recent"):
        return bad("There is no such flag.")
    keywords = flags.keywords_among(message.flags)
    letters = await session.server.folders.letters(upload.folder, keywords) if keywords else ""
    if isinstance(letters, Refused):
        return no("The folder has no room for another keyword.", b"LIMIT")
    return "".join(sorted(set(flags.system_letters(message.flags) + letters)))


async def _receive(session: Session, message: commands.Append, arrival: Arrival) -> NextMessage | AppendEnd | Completed:
    """The octets of one message; what comes behind them, or the refusal of the whole command."""
    folders, line = session.server.folders, session.line
    line.connection.accept_literal()
    if message.synchronising:
        line.write(responses.continuation("go on"))
    header = HeaderLook()
    strict = not (session.utf8 or session.server.settings.eight_bit_headers)
    patience, line.patience = line.patience, float(line.stalled)
    try:
        event: Event = await line.event()
        while isinstance(event, LiteralChunk):
            # NUL is kept, although RFC 3501 section 9 wants a literal8 for it: an archive that holds one comes whole
            if strict:
                header.feed(event.octets)
            if not header.found:  # the rest only passes by
                arrival.write(event.octets)
                await folders.writable()
            await line.breathe()
            event = await line.event()
    finally:
        line.patience = patience
    if not isinstance(event, (NextMessage, AppendEnd)):
        return _broken(session, event)
    return _EIGHT_BIT if header.found else event


def _broken(session: Session, event: Event) -> Completed:
    if isinstance(event, BadCommand):
        return Completed(event.words, event.code, event.condition)
    if isinstance(event, Fatal):
        session.line.close(event.words)
    return bad("The message did not come whole.")
