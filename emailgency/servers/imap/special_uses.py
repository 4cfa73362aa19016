"""What folders are for, as their user has said (RFC 6154): kept as their annotation /private/specialuse."""

from collections.abc import Iterable

from emailgency.servers.imap.names import Name
from emailgency.servers.imap.session import Completed, Session, no
from emailgency.servers.imap.tree import Tree
from emailgency.store.storing.annotations import SPECIAL_USE

KNOWN = ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")  # \All and \Flagged would be views, not folders
_SPELLED = {use.lower(): use for use in KNOWN}


def refusal(session: Session, tree: Tree, name: Name, uses: Iterable[str]) -> Completed | None:
    """Why a folder cannot be for these (RFC 6154 section 3), None: it can. A use has one folder."""
    wanted = {use.lower() for use in uses}
    if not wanted <= _SPELLED.keys():
        return no("Folders are not for that here.", b"USEATTR")
    others = {use.lower() for other, given in tree.uses.items() if other != name for use in given}
    if not wanted.isdisjoint(others):
        return no("Another folder is for that.", b"USEATTR")
    if not name:
        return no("INBOX is for what comes in.", b"USEATTR")
    return None


def spelled(uses: Iterable[str]) -> str:
    """As it is kept. Others than those that clients may give come from the operator's settings."""
    return " ".join(dict.fromkeys(_SPELLED.get(use.lower(), use) for use in uses))


async def give(session: Session, path: str, uses: Iterable[str]) -> None:
    settings = session.server.settings
    bounds = settings.annotations, settings.annotation_octets
    await session.server.folders.annotate(path, {SPECIAL_USE: spelled(uses).encode("ascii")}, bounds)
