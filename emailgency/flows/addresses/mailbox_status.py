"""What is in a mailbox and what leads to it, for whoever looks after it (row B4)."""

from msgspec import Struct

from emailgency.model.directory import Alias, DistributionList, Mailbox
from emailgency.store import layout
from emailgency.store.directory.directory import Directory
from emailgency.store.mailboxes.folder import Folder
from emailgency.store.mailboxes.folders import Folders


class FolderLine(Struct, frozen=True):
    """`size` in octets."""

    folder: str
    messages: int
    unseen: int
    size: int


class MailboxStatus:
    """Reads the directory and the folders; nothing is changed."""

    def __init__(self, directory: Directory, folders: Folders) -> None:
        self._directory = directory
        self._folders = folders

    async def names(self, mailbox: Mailbox) -> tuple[list[str], list[str]]:
        """Its aliases, and the distribution lists it is a member of."""
        entries = await self._directory.entries(mailbox.customer)
        aliases = [str(one.address) for one in entries if isinstance(one, Alias) and one.mailbox == mailbox.id]
        lists = [str(one.address) for one in entries if isinstance(one, DistributionList) and mailbox.id in one.members]
        return aliases, lists

    async def folders(self, mailbox: Mailbox) -> list[FolderLine]:
        """INBOX first; none when neither mail nor its user has ever come."""
        path = layout.mailbox(mailbox.customer, mailbox.id)
        lines = []
        for inner in (await self._folders.listing(path)).folders:
            folder = await self._folders.open(inner)
            if isinstance(folder, Folder):
                name = "/".join(layout.folder_name(path, inner)) or "INBOX"
                lines.append(FolderLine(name, len(folder), folder.unseen(), folder.octets()))
        return lines
