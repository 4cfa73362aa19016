"""NAMESPACE, and the selected folder as a whole: SELECT, EXAMINE and leaving it."""

from emailgency.codec.imap import commands, responses
from emailgency.servers.imap import flags
from emailgency.servers.imap.selected import Selected, permanent_flags
from emailgency.servers.imap.session import Completed, Session, State, no_such_folder
from emailgency.servers.imap.status import know_recent
from emailgency.store.storing.messages import Refused


async def namespace(session: Session, command: commands.Namespace) -> Completed:
    session.line.write(responses.namespace("", session.server.settings.separator))
    return Completed("One name space of your own.")


async def select(session: Session, command: commands.Select) -> Completed:
    """SELECT and EXAMINE; the folder selected before is left even if this fails (RFC 3501 section 6.3.1)."""
    session.leave()
    folder = await session.open(session.path(command.name))
    if isinstance(folder, Refused):
        return no_such_folder()
    await know_recent(session, folder)
    told = folder.recent_from
    view = Selected(folder, command.read_only)
    if folder.recent_from != told:
        session.server.summaries.keep_recent(folder)
    session.server.folders.hold(folder, view)
    session.selected = view
    session.state = State.SELECTED
    session.line.write(b"".join(_description(view)))
    mode = b"READ-ONLY" if command.read_only else b"READ-WRITE"
    return Completed("The folder is open.", mode)


def _description(view: Selected) -> list[bytes]:
    folder = view.folder
    told = [
        responses.flags(flags.offered(folder)),
        permanent_flags(view),
        responses.number(view.count, b"EXISTS"),
        responses.number(view.recents, b"RECENT"),
        responses.untagged("OK", "UIDs are valid.", responses.number_code(b"UIDVALIDITY", folder.uidvalidity)),
        responses.untagged("OK", "The next UID.", responses.number_code(b"UIDNEXT", folder.uidnext)),
    ]
    unseen = next((at for at, letters in enumerate(folder.letters) if "S" not in letters), None)
    if unseen is not None:
        told.append(responses.untagged("OK", "The first unseen.", responses.number_code(b"UNSEEN", unseen + 1)))
    return told


async def check(session: Session, command: commands.Check) -> Completed:
    """RFC 3501 section 6.4.1; what was answered is on the disk already."""
    await session.server.folders.refresh(session.view().folder)
    return Completed("All is well.")


async def close(session: Session, command: commands.Close) -> Completed:
    """Removes what is \\Deleted without saying which, unless opened by EXAMINE (RFC 3501 section 6.4.2)."""
    view = session.view()
    if not view.read_only:
        folder = view.folder
        deleted = [uid for uid, letters in zip(folder.uids, folder.letters, strict=True) if "T" in letters]
        await session.server.folders.expunge(folder, deleted)
    session.leave()
    return Completed("The folder is closed.")


async def unselect(session: Session, command: commands.Unselect) -> Completed:
    """RFC 3691."""
    session.leave()
    return Completed("The folder is closed.")
