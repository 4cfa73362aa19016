"""Commands about folders as a whole: LIST, LSUB, CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, SELECT and leaving it."""

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.patterns import Pattern, canonical
from emailgency.servers.imap import flags, names
from emailgency.servers.imap.selected import Selected, permanent_flags
from emailgency.servers.imap.session import Completed, Session, State, no, no_such_folder
from emailgency.servers.imap.tree import Tree
from emailgency.store import layout
from emailgency.store.folder import Folder
from emailgency.store.storing.messages import Refused

_PATTERNS = 64  # of one LIST


async def namespace(session: Session, command: commands.Namespace) -> Completed:
    session.line.write(responses.namespace("", session.server.settings.separator))
    return Completed("One name space of your own.")


# ---- LIST and LSUB -----------------------------------------------------------------------------------------


async def list_folders(session: Session, command: commands.List) -> Completed:
    """RFC 3501 section 6.3.8, with the attributes of RFC 3348 and RFC 6154 and the options of RFC 5258."""
    separator = session.server.settings.separator
    if command.patterns == ("",):
        session.line.write(responses.listed(["\\Noselect"], separator, ""))
        return Completed("That is the separator.")
    patterns = [Pattern(canonical(command.reference, text), separator) for text in command.patterns[:_PATTERNS]]
    tree = Tree(await session.server.folders.listing(session.mailbox), session.mailbox)
    only_subscribed = "SUBSCRIBED" in command.selection
    show_subscribed = only_subscribed or "SUBSCRIBED" in command.returns
    only_special = "SPECIAL-USE" in command.selection
    for name in tree.subscribed_and_parents() if only_subscribed else tree.shown():
        spelled = names.spell(name, separator)
        if not any(pattern.matches(spelled) for pattern in patterns):
            continue
        uses = names.special_use(name, session.server.settings.folders, separator) if tree.exists(name) else []
        child_subscribed = "RECURSIVEMATCH" in command.selection and tree.has_subscribed_child(name)
        if only_subscribed and name not in tree.subscribed and not child_subscribed:
            continue
        if only_special and not uses:
            continue
        attributes = tree.attributes(name)
        if show_subscribed and name in tree.subscribed:
            attributes.append("\\Subscribed")
        session.line.write(
            responses.listed([*attributes, *uses], separator, spelled, child_subscribed=child_subscribed)
        )
        if command.status and tree.exists(name):
            await _tell_status(session, spelled, layout.folder(session.mailbox, name), command.status)
        await session.line.breathe()
    return Completed("Those are the folders.")


async def list_subscribed(session: Session, command: commands.Lsub) -> Completed:
    """RFC 3501 section 6.3.9: with `%`, a parent that is not subscribed stands for its subscribed children."""
    separator = session.server.settings.separator
    pattern = Pattern(canonical(command.reference, command.pattern), separator)
    tree = Tree(await session.server.folders.listing(session.mailbox), session.mailbox)
    for name in tree.subscribed_and_parents():
        spelled = names.spell(name, separator)
        if not pattern.matches(spelled):
            continue
        if name in tree.subscribed:
            session.line.write(responses.listed([], separator, spelled, b"LSUB"))
        elif "%" in command.pattern:
            session.line.write(responses.listed(["\\Noselect"], separator, spelled, b"LSUB"))
        await session.line.breathe()
    return Completed("Those are your subscriptions.")


# ---- making and removing -----------------------------------------------------------------------------------


async def create(session: Session, command: commands.Create) -> Completed:
    """Parents are made too (RFC 3501 section 6.3.3). A separator at the end only announces children."""
    if command.special_use:
        return no("Special uses go by the names of folders here.", b"USEATTR")
    name = session.name(command.name.removesuffix(session.server.settings.separator))
    if not name:
        return no("INBOX is always there.", b"ALREADYEXISTS")
    tree = Tree(await session.server.folders.listing(session.mailbox), session.mailbox)
    if tree.count >= session.server.settings.folder_limit:
        return no("Too many folders.", b"LIMIT")
    path = layout.folder(session.mailbox, name)  # refuses before parents are made
    for depth in range(1, len(name)):
        if not tree.exists(name[:depth]):
            await session.server.folders.create(layout.folder(session.mailbox, name[:depth]), quiet=True)
    if isinstance(await session.server.folders.create(path), Refused):
        return no("There is such a folder already.", b"ALREADYEXISTS")
    return Completed("The folder is made.")


async def delete(session: Session, command: commands.Delete) -> Completed:
    """Folders below it stay (RFC 3501 section 6.3.4)."""
    name = session.name(command.name)
    if not name:
        return no("INBOX stays.", b"CANNOT")
    path = layout.folder(session.mailbox, name)
    if session.selected is not None and session.selected.folder.path == path:
        session.leave()
    if isinstance(await session.server.folders.delete(path), Refused):
        return no_such_folder()
    return Completed("The folder is gone.")


async def rename(session: Session, command: commands.Rename) -> Completed:
    """With all that lies below it; of INBOX the messages move and INBOX stays (RFC 3501 section 6.3.5)."""
    old, new = session.name(command.name), session.name(command.new_name)
    if not new:
        return no("INBOX is there already.", b"ALREADYEXISTS")
    folders = session.server.folders
    tree = Tree(await folders.listing(session.mailbox), session.mailbox)
    if tree.exists(new) or tree.has_children(new):
        return no("There is such a folder already.", b"ALREADYEXISTS")
    if not old:
        return await _rename_inbox(session, new)
    if new[: len(old)] == old:
        return no("A folder cannot be inside itself.", b"CANNOT")
    below = [name for name in tree.existing() if name[: len(old)] == old]
    if not below:
        return no_such_folder()
    pairs = [
        (layout.folder(session.mailbox, name), layout.folder(session.mailbox, new + name[len(old) :])) for name in below
    ]
    for depth in range(1, len(new)):
        if not tree.exists(new[:depth]):
            await folders.create(layout.folder(session.mailbox, new[:depth]), quiet=True)
    refused = await folders.rename(pairs)
    if refused is not None:
        return no_such_folder() if refused.reason == "nonexistent" else no("That name is taken.", b"ALREADYEXISTS")
    return Completed("The folder has its new name.")


async def _rename_inbox(session: Session, new: names.Name) -> Completed:
    folders = session.server.folders
    inbox = await session.open(session.mailbox)
    made = await folders.create(layout.folder(session.mailbox, new))
    if isinstance(inbox, Refused) or isinstance(made, Refused):
        return no("That name is taken.", b"ALREADYEXISTS")
    if isinstance(await folders.copy(inbox, list(inbox.uids), made, move=True), Refused):
        return no("Some messages went away meanwhile, try again.", b"EXPUNGEISSUED")
    return Completed("The messages of INBOX are there now.")


async def subscribe(session: Session, command: commands.Subscribe) -> Completed:
    """The folder need not exist (RFC 3501 section 6.3.6)."""
    return await _subscribe(session, names.stored(session.name(command.name)), True)


async def unsubscribe(session: Session, command: commands.Unsubscribe) -> Completed:
    return await _subscribe(session, names.stored(session.name(command.name)), False)


async def _subscribe(session: Session, stored: str, wanted: bool) -> Completed:
    folders = session.server.folders
    listing = await folders.listing(session.mailbox)
    known = set(listing.subscriptions)
    if (stored in known) == wanted:
        return Completed("It is so already.")
    if wanted and len(known) >= session.server.settings.folder_limit:
        return no("Too many subscriptions.", b"LIMIT")
    await folders.subscribe(session.mailbox, known | {stored} if wanted else known - {stored})
    return Completed("Done.")


# ---- STATUS ------------------------------------------------------------------------------------------------


async def status(session: Session, command: commands.Status) -> Completed:
    found = await _tell_status(session, command.name, session.path(command.name), command.items)
    return Completed("That is its state.") if found else no_such_folder()


async def _tell_status(session: Session, name: str, path: str, items: tuple[str, ...]) -> bool:
    folder = await session.open(path)
    if isinstance(folder, Refused):
        return False
    values: dict[str, int] = {}
    for item in items:
        match item:
            case "MESSAGES":
                values[item] = len(folder)
            case "UIDNEXT":
                values[item] = folder.uidnext
            case "UIDVALIDITY":
                values[item] = folder.uidvalidity
            case "UNSEEN":
                values[item] = folder.unseen()
            case "RECENT":
                await _know_recent(session, folder)
                values[item] = folder.recent()
    session.line.write(responses.status(name, values))
    return True


# ---- SELECT ------------------------------------------------------------------------------------------------


async def select(session: Session, command: commands.Select) -> Completed:
    """SELECT and EXAMINE; the folder selected before is left even if this fails (RFC 3501 section 6.3.1)."""
    session.leave()
    folder = await session.open(session.path(command.name))
    if isinstance(folder, Refused):
        return no_such_folder()
    await _know_recent(session, folder)
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


async def _know_recent(session: Session, folder: Folder) -> None:
    if folder.recent_from < 0:
        await session.server.summaries.load_recent(folder)


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
