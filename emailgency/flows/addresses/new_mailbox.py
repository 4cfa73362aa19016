"""A mailbox that nobody has opened yet gets its INBOX and the folders every mail program looks for."""

from collections.abc import Sequence

from emailgency.store import layout
from emailgency.store.mailboxes.folders import Folders

INBOX = "INBOX"


async def furnish(folders: Folders, mailbox: str, names: Sequence[tuple[str, ...]]) -> None:
    """Make and subscribe INBOX and `names`, unless the mailbox (a path) has folders or subscriptions of its own.

    Mail may have come before, so an INBOX alone is still a new mailbox; and so are some of `names` without any
    subscription, where we were killed on the way.
    """
    wanted = [layout.folder(mailbox, name) for name in names]
    subscribed = [INBOX, *(layout.folder("", name)[2:] for name in names)]
    await folders.furnish(mailbox, wanted, subscribed)
