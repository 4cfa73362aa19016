"""Commands that change the tree of folders: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE."""

from emailgency.codec.imap import commands
from emailgency.servers.imap import names
from emailgency.servers.imap.session import Completed, Session, no, no_such_folder
from emailgency.servers.imap.tree import Tree
from emailgency.store import layout
from emailgency.store.storing.messages import Refused


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
