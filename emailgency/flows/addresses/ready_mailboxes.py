"""At an outage the addresses that the customer's server is known to have become mailboxes here (product row G5).

Each is made once, without a password: its owner is invited, or logs in as he is used to. What his plan has no room
for stays a candidate, the addresses seen last go first.
"""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from emailgency.flows.accounts.customer_accounts import new_id
from emailgency.flows.addresses.deciding import entry_edits
from emailgency.model.address import Address
from emailgency.model.directory import Mailbox
from emailgency.store.directory.changes import Author, Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emailgency.store.directory.directory import Directory

AUTHOR = Author("emailgency", "learned recipients")


class ReadyMailboxes:
    """One for all customers. Raises Temporary."""

    _log = Logger()

    def __init__(self, directory: "Directory") -> None:
        self._directory = directory

    async def make(self, id: str, locals_: "Sequence[str]") -> int:
        """How many there are more. One change, all or nothing."""
        async with self._directory.deciding:
            customer = await self._directory.customer(id)
            entries = await self._directory.entries(id)
            plan = await self._directory.plan(customer.plan)
            taken = {entry.address.local for entry in entries}
            room = plan.mailboxes - sum(isinstance(entry, Mailbox) for entry in entries)
            fresh = [local for local in locals_ if local not in taken]
            edits: list[Edit] = []
            for local in fresh[: max(0, room)]:
                mailbox = Mailbox(id=new_id(), customer=id, address=Address(local, customer.domain))
                edits += entry_edits(None, mailbox)
            if edits:
                made = min(room, len(fresh))
                what = f"{made} mailboxes ready for addresses that the server of {customer.domain} has"
                await self._directory.change(AUTHOR, what, edits, id)
        if len(fresh) > room:
            self._log.warn(
                "the plan of {customer} has no room for mailboxes of {count} known addresses: they are candidates",
                customer=customer.domain,
                count=len(fresh) - max(0, room),
            )
        return min(max(0, room), len(fresh))
