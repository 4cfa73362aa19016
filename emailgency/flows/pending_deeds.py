"""What an administrator does with pending messages of his customer, each deed written into the change journal (row D1).

Beside `pending_in_hand`, which does it: whose message it is, and who has done what with it when.
"""

from emailgency.flows.deciding import mailbox_at
from emailgency.flows.pending_in_hand import PendingInHand
from emailgency.flows.pending_message import PendingMessages
from emailgency.model.address import Address
from emailgency.store.changes import Author
from emailgency.store.directory import Directory

FOR_GOOD = frozenset({"bounce", "drop", "keep"})  # nothing brings back what they do
_MOST_NAMED = 5  # recipients in a line of the journal


class PendingDeeds:
    """Raises Invalid (also for a message of somebody else, which is as unknown as none) and Temporary."""

    def __init__(self, directory: Directory, messages: PendingMessages, hand: PendingInHand) -> None:
        self._directory = directory
        self._messages = messages
        self._hand = hand

    async def hold(self, author: Author, customer: str, id: str) -> None:
        self._messages.owned(customer, id)
        await self._note(author, customer, id, "held", await self._hand.hold(id, author.who))

    async def release(self, author: Author, customer: str, id: str) -> None:
        self._messages.owned(customer, id)
        await self._note(author, customer, id, "released", await self._hand.release(id, author.who))

    async def retry(self, author: Author, customer: str, id: str) -> str:
        """How the server does that it waits for: "up", "down", "on hold", …"""
        self._messages.owned(customer, id)
        state = self._hand.retry(id, author.who)
        await self._note(author, customer, id, "made due at once", ())
        return state

    async def bounce(self, author: Author, customer: str, id: str) -> None:
        """Its sender is told, or a copy kept in Undelivered (row C6)."""
        self._messages.owned(customer, id)
        await self._note(author, customer, id, "given up", await self._hand.bounce(id, author.who))

    async def drop(self, author: Author, customer: str, id: str) -> None:
        """Nobody is told."""
        self._messages.owned(customer, id)
        await self._note(author, customer, id, "dropped", await self._hand.drop(id, author.who))

    async def keep(self, author: Author, customer: str, id: str, address: Address | None) -> None:
        """Into a mailbox of the customer, or Undelivered, and nowhere else."""
        self._messages.owned(customer, id)
        mailbox = await mailbox_at(self._directory, address) if address else None
        kept = await self._hand.keep(id, mailbox, author.who)
        where = str(mailbox.address) if mailbox else "Undelivered"
        await self._note(author, customer, id, f"kept in {where}", kept)

    async def _note(self, author: Author, customer: str, id: str, deed: str, recipients: tuple[str, ...]) -> None:
        more = f" + {len(recipients) - _MOST_NAMED}" if len(recipients) > _MOST_NAMED else ""
        whose = f" for {', '.join(recipients[:_MOST_NAMED])}{more}" if recipients else ""
        await self._directory.change(author, f"pending message {id}{whose} {deed}", (), customer)
