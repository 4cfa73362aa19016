"""What somebody does with pending messages, each deed written into the change journal (row D1).

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
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory

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
    """Raises Invalid (also for a message of somebody else, which is as unknown as none) and Temporary.

    `customer` is the administrator's; None: an operator does it, with anybody's mail. Answers as `PendingInHand`.
    """

    def __init__(
        self, directory: Directory, messages: PendingMessages, hand: PendingInHand, transports: TransportCheck
    ) -> None:
        self._directory = directory
        self._transports = transports
        self._messages = messages
        self._hand = hand

    async def hold(self, author: Author, customer: str | None, id: str) -> tuple[str, ...]:
        return await self._done(author, customer, id, "held", self._hand.hold)

    async def release(self, author: Author, customer: str | None, id: str) -> tuple[str, ...]:
        return await self._done(author, customer, id, "released", self._hand.release)

    async def retry(self, author: Author, customer: str | None, id: str) -> str:
        """How the server does that it waits for: "up", "down", "on hold", …"""
        whose = self._whose(customer, id)
        state = self._hand.retry(id, author.who)
        await self._note(author, whose, id, "made due at once", ())
        return state

    async def bounce(self, author: Author, customer: str | None, id: str) -> tuple[str, ...]:
        """Its sender is told, or a copy kept in Undelivered (row C6)."""
        return await self._done(author, customer, id, "given up", self._hand.bounce)

    async def drop(self, author: Author, customer: str | None, id: str) -> tuple[str, ...]:
        """Nobody is told."""
        return await self._done(author, customer, id, "dropped", self._hand.drop)

    async def keep(self, author: Author, customer: str | None, id: str, address: Address | None) -> tuple[str, ...]:
        """Into a mailbox of the customer, or Undelivered, and nowhere else."""
        whose = self._whose(customer, id)
        mailbox = await mailbox_at(self._directory, address) if address else None
        kept = await self._hand.keep(id, mailbox, author.who)
        where = str(mailbox.address) if mailbox else "Undelivered"
        await self._note(author, whose, id, f"kept in {where}", kept)
        return kept

    async def reroute(self, author: Author, customer: str | None, id: str, host: str) -> str:
        """To another server, `host[:port]`, or "" to its own; it goes on under another id, which is answered."""
        whose = self._whose(customer, id)
        if host:
            await self._transports.check(host)
        after = await self._hand.reroute(id, host, author.who)
        where = host or "its own server"
        await self._note(author, whose, id, f"led to {where}, as {after}", ())
        return after

    def deed(
        self, customer: str, chosen: str, mailbox: Address | None, host: str = ""
    ) -> Callable[[Author, str], Awaitable[Step | None]]:
        """One named in WORDS, for one message after the other."""
        plain: dict[str, Callable[[Author, str | None, str], Awaitable[object]]] = {
            "hold": self.hold,
            "release": self.release,
            "retry": self.retry,
            "bounce": self.bounce,
            "drop": self.drop,
        }

        async def done(author: Author, id: str) -> None:
            if chosen == "keep":
                await self.keep(author, customer, id, mailbox)
            elif chosen == "reroute":
                await self.reroute(author, customer, id, host)
            else:
                await plain[chosen](author, customer, id)

        return done

    def _whose(self, customer: str | None, id: str) -> str:
        """In whose journal it is written: what somebody else's user sent him is in hand as his own. Raises Invalid."""
        live = self._messages.owned(customer, id)
        return customer or live.envelope.customer

    async def _done(
        self,
        author: Author,
        customer: str | None,
        id: str,
        words: str,
        deed: Callable[[str, str], Awaitable[tuple[str, ...]]],
    ) -> tuple[str, ...]:
        whose = self._whose(customer, id)
        recipients = await deed(id, author.who)
        await self._note(author, whose, id, words, recipients)
        return recipients

    async def _note(self, author: Author, customer: str, id: str, deed: str, recipients: tuple[str, ...]) -> None:
        more = f" + {len(recipients) - _MOST_NAMED}" if len(recipients) > _MOST_NAMED else ""
        whose = f" for {', '.join(recipients[:_MOST_NAMED])}{more}" if recipients else ""
        await self._directory.change(author, f"pending message {id}{whose} {deed}", (), customer)
