"""LIST (RFC 9051 section 6.3.9, RFC 5258) and LSUB (RFC 3501 section 6.3.9)."""

from collections.abc import Iterable

from emailgency.codec.imap import commands, responses
from emailgency.codec.imap.patterns import Pattern, canonical
from emailgency.servers.imap import names
from emailgency.servers.imap.names import Name
from emailgency.servers.imap.session import Completed, Session
from emailgency.servers.imap.status import Row, Rows
from emailgency.servers.imap.tree import Tree, parents

_MATCHING = ("SUBSCRIBED", "SPECIAL-USE")  # the selection options that a folder fulfils or not


async def list_folders(session: Session, command: commands.List) -> Completed:
    """Attributes of RFC 3348 and RFC 6154 are told unasked, as those two RFCs allow."""
    separator = session.server.settings.separator
    if command.patterns == ("",) and not command.extended:
        session.line.write(responses.listed(["\\Noselect"], separator, ""))
        return Completed("That is the separator.")
    patterns = [Pattern(canonical(command.reference, text), separator) for text in command.patterns]
    tree = await session.server.trees.of(session.mailbox, session.line.breathe)
    catalogue = Catalogue(session, tree)
    matching = catalogue.selected(command.selection)
    recursive = "RECURSIVEMATCH" in command.selection
    above = parents(matching) if recursive else set()
    criteria = [option for option in _MATCHING if option in command.selection]
    rows = Rows(session, command.status)
    for name in sorted(above | matching.keys()) if recursive else matching:
        await session.line.breathe()
        spelled = names.spell(name, separator)
        if not any(pattern.matches(spelled) for pattern in patterns):
            continue
        attributes = catalogue.attributes(name, command.extended)
        if name in tree.subscribed and ("SUBSCRIBED" in command.selection or "SUBSCRIBED" in command.returns):
            attributes.append("\\Subscribed")
        found_below = criteria if name in above else ()
        listed = responses.listed(attributes, separator, spelled, child_info=found_below, utf8=session.utf8)
        with_status = command.status and name in matching and catalogue.exists(name)  # RFC 5819 section 2
        await rows.hold(Row(listed, spelled, session.place(name) if with_status else ""))
    await rows.let_out()
    return Completed("Those are the folders.")


async def list_subscribed(session: Session, command: commands.Lsub) -> Completed:
    """With `%`, a parent that is not subscribed stands for its subscribed children."""
    separator = session.server.settings.separator
    pattern = Pattern(canonical(command.reference, command.pattern), separator)
    tree = await session.server.trees.of(session.mailbox, session.line.breathe)
    for name in tree.subscribed_and_parents():
        await session.line.breathe()
        spelled = names.spell(name, separator)
        if not pattern.matches(spelled):
            continue
        if name in tree.subscribed:
            await session.line.say(responses.listed([], separator, spelled, b"LSUB", utf8=session.utf8))
        elif "%" in command.pattern:
            await session.line.say(responses.listed(["\\Noselect"], separator, spelled, b"LSUB", utf8=session.utf8))
    return Completed("Those are your subscriptions.")


class Catalogue:
    """The folders as one session sees them: those of its mailbox, and for administrators Undelivered (row A7)."""

    def __init__(self, session: Session, tree: Tree) -> None:
        self._settings = session.server.settings
        self._tree = tree
        self._shared = {names.UNDELIVERED} if session.is_shared(session.place(names.UNDELIVERED)) else set()

    def selected(self, options: Iterable[str]) -> dict[Name, None]:
        """Names that fulfil the selection options, in order. Names without a folder are there if they are subscribed
        or have children.
        """
        tree = self._tree
        if "SUBSCRIBED" in options:
            found: Iterable[Name] = sorted(tree.subscribed)
        else:
            found = sorted(self._shared.union(tree.shown())) if self._shared else tree.shown()
        if "SPECIAL-USE" in options:
            found = [name for name in found if self.uses(name)]
        return dict.fromkeys(found)

    def exists(self, name: Name) -> bool:
        return name in self._shared or self._tree.exists(name)

    def uses(self, name: Name) -> list[str]:
        """Special uses (RFC 6154): as its user has said; else by the names of the settings, unless another folder of
        his is for the same.
        """
        if not self.exists(name) or name in self._shared:
            return []
        given = self._tree.uses.get(name)
        if given is not None:
            return given
        by_name = names.special_use(name, self._settings.folders, self._settings.separator)
        return [use for use in by_name if use.lower() not in self._tree.claimed]

    def attributes(self, name: Name, extended: bool) -> list[str]:
        """RFC 9051 section 7.3.1. A client that used no extended form may not know \\NonExistent."""
        children = "\\HasChildren" if self._tree.has_children(name) else "\\HasNoChildren"
        if not self.exists(name):
            return ["\\NonExistent" if extended else "\\Noselect", children]
        if name in self._shared and not self._tree.has_children(name):
            return [children, "\\Noinferiors"]
        return [children, *self.uses(name)]
