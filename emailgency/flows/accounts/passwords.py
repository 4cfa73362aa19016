"""Setting the password of a mailbox (rows B1, B3)."""

import msgspec

from emailgency.flows.addresses.deciding import entry_edits, mailbox_at
from emailgency.model.address import Address
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid
from emailgency.rules.password_policy import password_fault
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.credentials import Credentials


class Passwords:
    """Raises Invalid (in words for the person) and Temporary."""

    def __init__(self, directory: Directory, credentials: Credentials) -> None:
        self._directory = directory
        self._credentials = credentials

    async def hashed(self, password: str) -> str:
        """The hash of a password that keeps the policy."""
        fault = password_fault(password)
        if fault is not None:
            raise Invalid(fault)
        return await self._credentials.hash(password)

    async def set(self, author: Author, address: Address, password: str) -> Mailbox:
        """Open sessions of the mailbox end at their next look: its generation grows."""
        return await self.put(author, address, await self.hashed(password))

    async def put(self, author: Author, address: Address, encoded: str, generation: int | None = None) -> Mailbox:
        """`encoded` is what `hashed` gave. With `generation`: Invalid when the mailbox has another one by now."""
        async with self._directory.deciding:
            before = await mailbox_at(self._directory, address)
            if generation is not None and before.generation != generation:
                raise Invalid("%(address)s was changed by somebody else meanwhile", address=before.address)
            after = msgspec.structs.replace(before, password=encoded, generation=before.generation + 1)
            what = f"password of {after.address} set"
            await self._directory.change(author, what, entry_edits(before, after), after.customer)
        return after
