"""NAMESPACE, and the selected folder as a whole: SELECT, EXAMINE and leaving it."""

from emailgency.codec.imap import commands, responses
from emailgency.servers.imap import flags, modseqs, names
from emailgency.servers.imap.listing import Catalogue
from emailgency.servers.imap.selected import Selected, permanent_flags
from emailgency.servers.imap.session import Completed, Session, State, bad, no_such_folder
from emailgency.servers.imap.status import know_recent
from emailgency.store.storing.replies import Refused


async def namespace(session: Session, command: commands.Namespace) -> Completed:
    session.line.write(responses.namespace("", session.server.settings.separator))
    return Completed("One name space of your own.")


async def select(session: Session, command: commands.Select) -> Completed:
    """SELECT and EXAMINE; the folder selected before is left even if this fails (RFC 3501 section 6.3.1)."""
    if command.resync is not None and modseqs.QRESYNC not in session.enabled:
        return bad("QRESYNC has to be enabled first.")  # RFC 7162 section 3.2.5
    if session.selected is not None:
        session.leave()
        session.line.write(responses.untagged("OK", "The folder before is closed.", b"CLOSED"))
    folder = await session.open(session.path(command.name))
    if isinstance(folder, Refused):
        return no_such_folder()
    listed = await _listed(session, command.name) if "IMAP4REV2" in session.enabled else b""
    await know_recent(session, folder)
    resync = command.resync
    gone = await modseqs.gone_since(session, folder, resync.modseq) if resync is not None else None
    told = folder.recent_from
    view = Selected(folder, command.read_only, recents="IMAP4REV2" not in session.enabled)
    if folder.recent_from != told:
        session.server.summaries.keep_recent(folder)
    session.server.folders.hold(folder, view)
    session.server.search_index.want(folder)
    session.selected = view
    session.state = State.SELECTED
    if command.condstore:
        session.enabled.add(modseqs.CONDSTORE)
    session.line.write(b"".join((*_description(session, view), listed)))
    if resync is not None:
        await modseqs.resynchronise(session, view, resync, gone)
    mode = b"READ-ONLY" if command.read_only else b"READ-WRITE"
    return Completed("The folder is open.", mode)


async def _listed(session: Session, name: str) -> bytes:
    """The LIST response in the answer to SELECT; a name that is spelled otherwise here is told (RFC 9051 6.3.2)."""
    tree = await session.server.trees.of(session.mailbox, session.line.breathe)
    parts, separator = session.name(name), session.server.settings.separator
    attributes = Catalogue(session, tree).attributes(parts, extended=True)
    spelled = names.spell(parts, separator)
    old = None if spelled == name else name
    return responses.listed(attributes, separator, spelled, old_name=old, utf8=session.utf8)


def _description(session: Session, view: Selected) -> list[bytes]:
    folder = view.folder
    told = [
        responses.flags(flags.offered(folder)),
        permanent_flags(view),
        responses.number(view.count, b"EXISTS"),
        responses.untagged("OK", "UIDs are valid.", responses.number_code(b"UIDVALIDITY", folder.uidvalidity)),
        responses.untagged("OK", "The next UID.", responses.number_code(b"UIDNEXT", folder.uidnext)),
    ]
    if "IMAP4REV2" not in session.enabled:  # RFC 9051 appendix E: neither RECENT nor UNSEEN
        told.insert(3, responses.number(view.recents, b"RECENT"))
        unseen = next((at for at, letters in enumerate(folder.letters) if "S" not in letters), None)
        if unseen is not None:
            told.append(responses.untagged("OK", "The first unseen.", responses.number_code(b"UNSEEN", unseen + 1)))
    told.append(modseqs.highest(folder))
    told.append(responses.untagged("OK", "It stays the same folder.", responses.mailbox_id(folder.id)))
    return told


async def check(session: Session, command: commands.Check) -> Completed:
    """RFC 3501 section 6.4.1; what was answered is on the disk already."""
    await session.server.folders.refresh(session.view().folder)
    return Completed("All is well.")


async def close(session: Session, command: commands.Close) -> Completed:
    """Removes what is \\Deleted without saying which, unless opened by EXAMINE (RFC 3501 section 6.4.2)."""
    view, code = session.view(), b""
    if not view.read_only:
        folder = view.folder
        deleted = [uid for uid, letters in zip(folder.uids, folder.letters, strict=True) if "T" in letters]
        await session.server.folders.expunge(folder, deleted)
        code = modseqs.code_after_expunge(session, folder) if deleted else b""
    session.leave()
    return Completed("The folder is closed.", code)


async def unselect(session: Session, command: commands.Unselect) -> Completed:
    """RFC 3691."""
    session.leave()
    return Completed("The folder is closed.")
