"""A mailbox that nobody has opened yet gets its INBOX and the folders every mail program looks for."""

from collections.abc import Sequence

from emailgency.store import layout
from emailgency.store.folders import Folders

INBOX = "INBOX"


async def furnish(folders: Folders, mailbox: str, names: Sequence[tuple[str, ...]]) -> None:
    """Make and subscribe INBOX and `names`, unless the mailbox (a path) has folders or subscriptions of its own.

    Mail may have come before, so an INBOX alone is still a new mailbox; and so are some of `names` without any
    subscription, where we were killed on the way.
    """
    listing = await folders.listing(mailbox)
    if mailbox not in listing.folders:  # to list 10,000 messages takes 50 ms: not for nothing
        await folders.create(mailbox, quiet=True)
    wanted = [layout.folder(mailbox, name) for name in names]
    if listing.subscriptions or not set(listing.folders) <= {mailbox, *wanted}:
        return
    for path in wanted:
        await folders.create(path, quiet=True)
    await folders.subscribe(mailbox, [INBOX, *(layout.folder("", name)[2:] for name in names)])
