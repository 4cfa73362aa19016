"""LIST (RFC 9051 section 6.3.9, RFC 5258) and LSUB (RFC 3501 section 6.3.9)."""

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.patterns import Pattern, canonical
from emailgency.servers.imap import names
from emailgency.servers.imap.session import Completed, Session
from emailgency.servers.imap.status import tell_status
from emailgency.servers.imap.tree import Tree
from emailgency.store import layout

_PATTERNS = 64  # of one LIST


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
            await tell_status(session, spelled, layout.folder(session.mailbox, name), command.status)
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
