"""Where a message goes whose mailbox went away before the message was there (design: "The durability contract").

Asked only for what a crash left undone. A mailbox that its administrator has removed is not made anew for it, where
nobody could read it: the message goes to the customer's Undelivered.
"""

from emailgency.model.envelope import Deliver, Envelope, Target, Undelivered
from emailgency.store.directory.directory import Directory


class Relocation:
    """`relocate` is what the spool asks at a start."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def relocate(self, envelope: Envelope, target: Target) -> Target:
        """The place of this local target now; waits for the directory to wake up. Raises Temporary."""
        if not isinstance(target, Deliver):
            return target
        await self._directory.when_ready()
        mailbox = await self._directory.mailbox(target.mailbox)
        if mailbox is not None and mailbox.customer == target.customer:
            return target
        return Undelivered(customer=target.customer, recipient=target.recipient)
