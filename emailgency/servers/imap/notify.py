"""NOTIFY (RFC 5465)."""

from emailgency.codec.imap.commands import Notify
from emailgency.codec.imap.notify import EXPUNGE, FLAGS, METADATA, NEW, SERVER_METADATA
from emailgency.servers.imap import names, notices
from emailgency.servers.imap.session import Completed, Session
from emailgency.servers.imap.status import Row, Rows
from emailgency.servers.imap.watch import Watch, Watches


async def notify(session: Session, command: Notify) -> Completed:
    """NONE, and what is not named by SET, leaves what every command tells of the selected folder (RFC 3501)."""
    watches = session.server.watches
    assert isinstance(watches, Watches)
    if not command.groups:
        watches.end(session)
        return Completed("I tell only when you say something.")
    watch = Watch(session, command.groups)
    events = frozenset[str]().union(*(group.events for group in command.groups))
    if events & {METADATA, SERVER_METADATA}:
        session.enabled.add(notices.METADATA)  # RFC 5464 section 4.4.2 tells the rest
    watches.begin(session, watch)
    if command.status:
        await _tell_all(session, watch)
    return Completed("I tell when it happens.")


async def _tell_all(session: Session, watch: Watch) -> None:
    """NOTIFY SET STATUS: how all folders are now, but not the selected one (section 3.1)."""
    selected = session.selected.folder.path if session.selected is not None else ""
    tree = await session.server.trees.of(session.mailbox, session.line.breathe)
    tables: dict[tuple[str, ...], Rows] = {}
    for name in tree.existing():
        path = session.place(name)
        group = await watch.group_of(path, tree)
        if path != selected and group is not None and group.events & {NEW, EXPUNGE, FLAGS}:
            items = watch.items_of(group)
            rows = tables.setdefault(items, Rows(session, items))
            await rows.hold(Row(name=names.spell(name, session.server.settings.separator), path=path))
        await session.line.breathe()
    for rows in tables.values():
        await rows.let_out()
