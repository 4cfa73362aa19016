"""Commands that change messages of the selected folder: STORE, EXPUNGE, COPY, MOVE.

OK is said after the storer's reply: copies, moves and expunges are on stable storage then, flags within a second.
"""

from collections.abc import Callable
from functools import cache

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.commands import StoreMode
from emailgency.servers.imap import flags, modseqs
from emailgency.servers.imap.quota import room_for
from emailgency.servers.imap.selected import Selected
from emailgency.servers.imap.session import Completed, Session, bad, no
from emailgency.store.mailboxes.folder import UNKNOWN
from emailgency.store.storing.replies import Refused

_READ_ONLY = no("The folder is open for reading only.", b"READ-ONLY")
_GONE = no("Some of these messages have been expunged meanwhile.", b"EXPUNGEISSUED")
_CHANGES: dict[StoreMode, Callable[[str, str], str]] = {
    StoreMode.REPLACE: flags.replaced,
    StoreMode.ADD: flags.added,
    StoreMode.REMOVE: flags.removed,
}


async def store(session: Session, command: commands.Store) -> Completed:
    """STORE (RFC 3501 section 6.4.6). Without .SILENT the new flags of all named messages are told."""
    view = session.view()
    if view.read_only:
        return _READ_ONLY
    if not command.uid and command.messages.beyond(view.count):
        return bad("There are not that many messages.")
    if flags.unknown_system(command.flags):
        return bad("There is no such flag.")
    letters = await letters_of(session, view, command.flags, command.mode)
    if isinstance(letters, Refused):
        return no("The folder has no room for another keyword.", b"LIMIT")
    uids = view.uids(view.positions(command.messages, command.uid))
    change = _CHANGES[command.mode]
    since = command.unchanged_since
    if since is not None:
        modseqs.want(session)
    modified = await session.server.folders.set_flags(
        view.folder, uids, cache(lambda old: change(old, letters)), view if command.silent else None, since
    )
    if not command.silent:
        view.asked.update(set(uids).difference(modified))
    elif modseqs.CONDSTORE in session.enabled:
        view.quiet.update(set(uids).difference(modified))
    if modified:
        return _modified(view, modified, command.uid)
    return _GONE if not command.uid and _any_gone(view, uids) else Completed("The flags are set.")


def _modified(view: Selected, uids: list[int], by_uid: bool) -> Completed:
    """RFC 7162 section 3.1.3: OK, though some had changed; what they are like now is told as well."""
    view.flagged.update(uids)
    numbers = uids if by_uid else [view.position(uid) + 1 for uid in uids]
    return Completed("Some had been changed before.", responses.modified(numbers))


async def letters_of(
    session: Session, view: Selected, wanted: tuple[str, ...], mode: StoreMode = StoreMode.ADD
) -> str | Refused:
    """The letters of flags in the folder; new keywords are made, unless flags are only taken away."""
    keywords = flags.keywords_among(wanted)
    if mode is StoreMode.REMOVE:
        known = {word.lower() for word in view.folder.keywords}
        keywords = [word for word in keywords if word.lower() in known]
    found = await session.server.folders.letters(view.folder, keywords) if keywords else ""
    return found if isinstance(found, Refused) else flags.system_letters(wanted) + found


def _any_gone(view: Selected, uids: list[int]) -> bool:
    return not view.in_step and any(view.folder.index(uid) == UNKNOWN for uid in uids)


async def expunge(session: Session, command: commands.Expunge) -> Completed:
    """EXPUNGE, and UID EXPUNGE of RFC 4315; what went is told like any other news."""
    view = session.view()
    if view.read_only:
        return _READ_ONLY
    uids = [uid for uid, letters in zip(view.folder.uids, view.folder.letters, strict=True) if "T" in letters]
    if command.uids is not None:
        named = set(view.uids(view.positions(command.uids, True)))
        uids = [uid for uid in uids if uid in named]
    await session.server.folders.expunge(view.folder, uids)
    return Completed("They are gone.", modseqs.code_after_expunge(session, view.folder) if uids else b"")


async def copy(session: Session, command: commands.Copy) -> Completed:
    """COPY (RFC 3501 section 6.4.7): all or nothing, with flags and INTERNALDATE."""
    return await _copy(session, command, move=False)


async def move(session: Session, command: commands.Move) -> Completed:
    """MOVE (RFC 6851): one step, never lost and never double."""
    if session.view().read_only:
        return _READ_ONLY
    return await _copy(session, command, move=True)


async def _copy(session: Session, command: commands.Copy | commands.Move, move: bool) -> Completed:
    view, folders = session.view(), session.server.folders
    if not command.uid and command.messages.beyond(view.count):
        return bad("There are not that many messages.")
    destination = await session.destination(command.name)
    if isinstance(destination, Completed):
        return destination
    uids = view.uids(view.positions(command.messages, command.uid))
    if not command.uid and _any_gone(view, uids):
        return _GONE
    if not uids:
        return Completed("There was nothing to do.")
    grows = not move or session.is_shared(view.folder.path)  # what is moved within the mailbox is counted already
    if grows and not await room_for(session, view.folder.octets(uids)):
        return no("The mailbox has no room for that.", b"OVERQUOTA")
    placed = await folders.copy(view.folder, uids, destination, move)
    if isinstance(placed, Refused):
        return _GONE
    if not placed:
        return Completed("There was nothing to do.")
    code = responses.copy_uid(
        destination.uidvalidity, [source for source, _ in placed], [target for _, target in placed]
    )
    if not move:
        return Completed("They are copied.", code)
    session.line.write(responses.untagged("OK", "Moved.", code))  # before the EXPUNGEs: RFC 6851 section 4.3
    return Completed("They are moved.", modseqs.code_after_expunge(session, view.folder))
