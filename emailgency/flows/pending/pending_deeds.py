"""What an administrator does with pending messages of his customer, each deed written into the change journal (row D1).

Beside `pending_in_hand`, which does it: whose message it is, and who has done what with it when.
"""

from collections.abc import Awaitable, Callable

from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.flows.pending.pending_in_hand import PendingInHand
from emailgency.flows.pending.pending_message import PendingMessages
from emailgency.flows.relaying.transport_check import TransportCheck
from emailgency.model.address import Address
from emailgency.model.bulk import Step
from emailgency.model.words import Words
from emailgency.store.changes import Author
from emailgency.store.directory import Directory

FOR_GOOD = frozenset({"bounce", "drop", "keep"})  # nothing brings back what they do
WORDS = {
    "hold": Words("Messages are held"),
    "release": Words("Messages are released"),
    "retry": Words("Messages are due now"),
    "bounce": Words("Messages are given up"),
    "drop": Words("Messages are dropped"),
    "keep": Words("Messages are kept here"),
    "reroute": Words("Messages are led elsewhere"),
}
_MOST_NAMED = 5  # recipients in a line of the journal


class PendingDeeds:
    """Raises Invalid (also for a message of somebody else, which is as unknown as none) and Temporary."""

    def __init__(
        self, directory: Directory, messages: PendingMessages, hand: PendingInHand, transports: TransportCheck
    ) -> None:
        self._directory = directory
        self._transports = transports
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

    async def reroute(self, author: Author, customer: str, id: str, host: str) -> None:
        """To another server, `host[:port]`, or "" to its own; it goes on under another id."""
        self._messages.owned(customer, id)
        if host:
            await self._transports.check(host)
        after = await self._hand.reroute(id, host, author.who)
        where = host or "its own server"
        await self._directory.change(author, f"pending message {id} led to {where}, as {after}", (), customer)

    def deed(
        self, author: Author, customer: str, chosen: str, mailbox: Address | None, host: str = ""
    ) -> Callable[[str], Awaitable[Step | None]]:
        """One named in WORDS, for one message after the other."""
        plain: dict[str, Callable[[Author, str, str], Awaitable[object]]] = {
            "hold": self.hold,
            "release": self.release,
            "retry": self.retry,
            "bounce": self.bounce,
            "drop": self.drop,
        }

        async def done(id: str) -> None:
            if chosen == "keep":
                await self.keep(author, customer, id, mailbox)
            elif chosen == "reroute":
                await self.reroute(author, customer, id, host)
            else:
                await plain[chosen](author, customer, id)

        return done

    async def _note(self, author: Author, customer: str, id: str, deed: str, recipients: tuple[str, ...]) -> None:
        more = f" + {len(recipients) - _MOST_NAMED}" if len(recipients) > _MOST_NAMED else ""
        whose = f" for {', '.join(recipients[:_MOST_NAMED])}{more}" if recipients else ""
        await self._directory.change(author, f"pending message {id}{whose} {deed}", (), customer)
