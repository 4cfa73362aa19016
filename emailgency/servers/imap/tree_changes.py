"""Commands that change the tree of folders: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE."""

from emailgency.codec.imap import commands, responses
from emailgency.servers.imap import names, special_uses
from emailgency.servers.imap.listing import Catalogue
from emailgency.servers.imap.names import Name
from emailgency.servers.imap.session import Completed, Session, no, no_such_folder
from emailgency.servers.imap.tree import Tree
from emailgency.store import layout
from emailgency.store.storing.replies import Refused

_EXISTS = no("There is such a folder already.", b"ALREADYEXISTS")
_NOT_YOURS = no("Undelivered belongs to all administrators, and stays.", b"NOPERM")
_RESERVED = no("That name is kept for the mail that could not be delivered.", b"CANNOT")


async def create(session: Session, command: commands.Create) -> Completed:
    """Parents are made too (RFC 3501 section 6.3.3). A separator at the end only announces children."""
    asked = command.name.removesuffix(session.server.settings.separator)
    name = session.name(asked)
    if not name:
        return no("INBOX is always there.", b"ALREADYEXISTS")
    if name[:1] == names.UNDELIVERED:
        return _RESERVED
    tree = await _tree(session)
    if tree.exists(name):
        return _EXISTS
    layout.folder(session.mailbox, name)  # raises Invalid before parents are made
    missing = [name[:depth] for depth in range(1, len(name) + 1) if not tree.exists(name[:depth])]
    if tree.count + len(missing) > session.server.settings.folder_limit:
        return no("Too many folders.", b"LIMIT")
    if command.special_use and (refusal := special_uses.refusal(session, tree, name, command.special_use)) is not None:
        return refusal
    await _make(session, missing[:-1])
    path = layout.folder(session.mailbox, name)
    made = await session.server.folders.create(path)
    if isinstance(made, Refused):
        return _EXISTS
    if command.special_use:
        await special_uses.give(session, path, command.special_use)
    if names.spell(name, session.server.settings.separator) != asked:
        await _tell_name(session, asked, name)
    return Completed("The folder is made.", responses.mailbox_id(made.id))


async def delete(session: Session, command: commands.Delete) -> Completed:
    """Folders below it stay; the name does too, as a place for them (RFC 3501 section 6.3.4)."""
    name = session.name(command.name)
    if not name:
        return no("INBOX stays.", b"CANNOT")
    path = session.place(name)
    if session.is_shared(path):
        return _NOT_YOURS
    tree = await _tree(session)
    if not tree.exists(name) and tree.has_children(name):
        return no("It is no folder, only a place for those below it.", b"HASCHILDREN")
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
    if session.is_shared(session.place(old)):
        return _NOT_YOURS
    if new[:1] == names.UNDELIVERED:
        return _RESERVED
    tree = await _tree(session)
    if tree.exists(new) or tree.has_children(new):
        return _EXISTS
    layout.folder(session.mailbox, new)
    above = [new[:depth] for depth in range(1, len(new)) if not tree.exists(new[:depth])]
    if tree.count + len(above) + (not old) > session.server.settings.folder_limit:
        return no("Too many folders.", b"LIMIT")
    if not old:
        return await _rename_inbox(session, new, above)
    if new[: len(old)] == old:
        return no("A folder cannot be inside itself.", b"CANNOT")
    return await _rename(session, tree, old, new, above)


async def _rename(session: Session, tree: Tree, old: Name, new: Name, above: list[Name]) -> Completed:
    below = tree.under(old)
    if not below:
        return no_such_folder()
    moved = {name: new + name[len(old) :] for name in below}
    pairs = [(session.place(name), layout.folder(session.mailbox, there)) for name, there in moved.items()]
    catalogue = Catalogue(session, tree)
    uses = {there: catalogue.uses(name) for name, there in moved.items() if name not in tree.uses}
    await _make(session, above)
    refused = await session.server.folders.rename(pairs)
    if refused is not None:
        return no_such_folder() if refused.reason == "nonexistent" else _EXISTS
    for there, found in uses.items():
        if found:  # it was for something by its old name, and stays so
            await special_uses.give(session, layout.folder(session.mailbox, there), found)
    await _tell_name(session, names.spell(old, session.server.settings.separator), new)
    return Completed("The folder has its new name.")


async def _rename_inbox(session: Session, new: Name, above: list[Name]) -> Completed:
    folders = session.server.folders
    inbox = await session.open(session.mailbox)
    await _make(session, above)
    made = await folders.create(layout.folder(session.mailbox, new))
    if isinstance(inbox, Refused) or isinstance(made, Refused):
        return no("That name is taken.", b"ALREADYEXISTS")
    if isinstance(await folders.copy(inbox, list(inbox.uids), made, move=True), Refused):
        return no("Some messages went away meanwhile, try again.", b"EXPUNGEISSUED")
    return Completed("The messages of INBOX are there now.")


async def _tell_name(session: Session, old: str, new: Name) -> None:
    """RFC 9051 sections 6.3.4 and 6.3.6: a client of IMAP4rev2 hears by what name the folder is known now."""
    if "IMAP4REV2" in session.enabled:
        separator = session.server.settings.separator
        attributes = Catalogue(session, await _tree(session)).attributes(new, extended=True)
        spelled = names.spell(new, separator)
        session.line.write(responses.listed(attributes, separator, spelled, old_name=old, utf8=session.utf8))


async def subscribe(session: Session, command: commands.Subscribe) -> Completed:
    """The folder need not exist (RFC 3501 section 6.3.6)."""
    return await _subscribe(session, names.stored(session.name(command.name)), True)


async def unsubscribe(session: Session, command: commands.Unsubscribe) -> Completed:
    return await _subscribe(session, names.stored(session.name(command.name)), False)


async def _subscribe(session: Session, stored: str, wanted: bool) -> Completed:
    folders = session.server.folders
    async with session.server.trees.subscribing():
        known = set((await folders.listing(session.mailbox)).subscriptions)
        if (stored in known) == wanted:
            return Completed("It is so already.")
        if wanted and len(known) >= session.server.settings.folder_limit:
            return no("Too many subscriptions.", b"LIMIT")
        await folders.subscribe(session.mailbox, known | {stored} if wanted else known - {stored})
    folders.happened(layout.folder(session.mailbox, names.unstored(stored)), "SUBSCRIPTIONCHANGE")
    return Completed("Done.")


async def _tree(session: Session) -> Tree:
    return await session.server.trees.of(session.mailbox, session.line.breathe)


async def _make(session: Session, missing: list[Name]) -> None:
    for name in missing:
        await session.server.folders.create(layout.folder(session.mailbox, name), quiet=True)
