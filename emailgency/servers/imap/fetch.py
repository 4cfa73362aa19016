"""FETCH: what the snapshot and the summaries know is answered in columns, many messages at once; text is read from
the files, 64 KiB at a time, as fast as the client takes it (RFC 3501 section 6.4.5)."""

from collections.abc import Sequence
from functools import partial

from emailgency.codec.imap import commands
from emailgency.codec.imap.commands import Attribute, Binary, FetchItem, Section
from emailgency.model.errors import Temporary
from emailgency.servers.imap import flags, modseqs
from emailgency.servers.imap.fetch_columns import SUMMARISED, rows
from emailgency.servers.imap.fetch_text import TextTeller, Undecodable
from emailgency.servers.imap.previewing import PREVIEWS, prepare
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Completed, Session, bad, no
from emailgency.servers.imap.summarising import summarise
from emailgency.store.mailboxes.folder import UNKNOWN

_MANY = 1000  # messages answered at once from the snapshot (2 ms, 40 kB), or summarised before they are answered
_SOME = 100  # messages answered at once with summaries: 2 ms and 100 kB

_GONE = no("Some of these messages have been expunged meanwhile.", b"EXPUNGEISSUED")


async def fetch(session: Session, command: commands.Fetch) -> Completed:
    """FETCH and UID FETCH. Messages expunged meanwhile are passed over; by number that is said (RFC 5530)."""
    view = session.view()
    if not command.uid and command.messages.beyond(view.count):
        return bad("There are not that many messages.")
    positions = view.positions(command.messages, command.uid)
    items = command.items
    since = command.modifiers.changed_since
    if since is not None:
        if command.modifiers.vanished and not (command.uid and modseqs.QRESYNC in session.enabled):
            return bad("VANISHED is for UID FETCH, and QRESYNC has to be enabled first.")  # RFC 7162 section 3.2.6
        if command.modifiers.vanished:
            named = command.messages.resolve(view.folder.uidnext - 1)
            await modseqs.tell_vanished(session, view, await modseqs.gone_since(session, view.folder, since), named)
        positions = modseqs.changed_since(view, positions, since)
        items = tuple(dict.fromkeys((*items, Attribute.MODSEQ)))
    if Attribute.MODSEQ in items:
        modseqs.want(session)
    if command.modifiers.partial is not None:
        positions = command.modifiers.partial.cut(positions)
    texts = [item for item in items if isinstance(item, (Section, Binary))]
    seeing = not view.read_only and any(not text.peek for text in texts)
    decoding = any(isinstance(text, Binary) for text in texts)  # then it shows only later which can be read
    if seeing and not decoding:
        await _mark_seen(session, view, positions)
    told = 0
    refusal: Undecodable | None = None
    unread: set[int] = set()
    summarised = any(item in SUMMARISED for item in items)
    step = _SOME if texts or summarised or not PREVIEWS.isdisjoint(items) else _MANY
    for start in range(0, len(positions), step):
        if summarised and start % _MANY == 0:
            await summarise(session, view.folder, view.uids(positions[start : start + _MANY]))
        some = positions[start : start + step]
        try:
            told += await tell(session, view, some, items)
        except Undecodable as error:  # the others are told
            refusal = error
            unread.update(error.positions)
    if seeing and decoding:
        await _mark_seen(session, view, [position for position in positions if position not in unread])
    if refusal is not None:
        raise refusal
    return Completed("That is all.") if told == len(positions) or command.uid else _GONE


async def tell(session: Session, view: Selected, positions: Sequence[int], items: Sequence[FetchItem]) -> int:
    """Answer for these messages; returns for how many."""
    if any(item in SUMMARISED for item in items):
        await summarise(session, view.folder, view.uids(positions))  # others may have pushed them out meanwhile
    if not PREVIEWS.isdisjoint(items):
        await prepare(session, view, view.uids(positions), make=Attribute.PREVIEW in items)
    if any(isinstance(item, (Section, Binary)) for item in items):
        return await TextTeller(session, view, items).tell(positions)
    attributes = [item for item in items if isinstance(item, Attribute)]
    told, left = await _tell_rows(session, view, positions, attributes)
    if left:
        await session.server.folders.refresh(view.folder)  # another program renamed them, or took them away
        told += (await _tell_rows(session, view, left, attributes))[0]
    return told


async def _tell_rows(
    session: Session, view: Selected, positions: Sequence[int], items: Sequence[Attribute]
) -> tuple[int, list[int]]:
    """How many were answered, and positions of messages that should be there but whose files are not."""
    present = view.places(positions)
    lines = rows(view, present, items, session.utf8)
    found = [line for line in lines if line is not None]
    await session.line.say(b"".join(found))
    if len(found) == len(lines):
        return len(found), []
    return len(found), [position for (position, _), line in zip(present, lines, strict=True) if line is None]


async def _mark_seen(session: Session, view: Selected, positions: Sequence[int]) -> None:
    """Reading text sets \\Seen. If that fails, reading still goes on."""
    uids = [
        view.uid(position)
        for position in positions
        if (place := view.place(position)) != UNKNOWN and "S" not in view.folder.letters[place]
    ]
    try:
        await session.server.folders.set_flags(view.folder, uids, partial(flags.added, new="S"))
    except Temporary as error:
        session.log.warn("imap {number}: \\Seen not set: {error}", number=session.number, error=str(error))
