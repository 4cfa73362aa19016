"""What waits for the customer's server: each next hop with its health, and the messages in hand (rows D1, G8)."""

from collections.abc import Awaitable, Callable

from emailgency.flows.bulk import Bulk
from emailgency.flows.pending_deeds import FOR_GOOD, PendingDeeds
from emailgency.flows.pending_letters import PendingLetters, Search
from emailgency.flows.pending_message import PendingMessages
from emailgency.flows.progress import silent
from emailgency.flows.server_view import ServerView
from emailgency.model.bulk import Step
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import on_ticked, own, ticked
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who

MOST = 10_000  # messages that can be looked through; who has more pending looks at the first of them
_INCIDENTS = 5
_WORDS = {
    "hold": Words("Messages are held"),
    "release": Words("Messages are released"),
    "retry": Words("Messages are due now"),
    "bounce": Words("Messages are given up"),
    "drop": Words("Messages are dropped"),
    "keep": Words("Messages are kept here"),
}


class PendingPanel:
    def __init__(
        self,
        servers: ServerView,
        letters: PendingLetters,
        messages: PendingMessages,
        deeds: PendingDeeds,
        bulk: Bulk,
    ) -> None:
        self._servers = servers
        self._letters = letters
        self._messages = messages
        self._deeds = deeds
        self._bulk = bulk

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/pending", Who.ADMINISTRATOR, self.show),
            Route("POST", "/pending", Who.ADMINISTRATOR, self.act),
            Route("GET", "/pending/<id>", Who.ADMINISTRATOR, self.look),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        """`words` is looked for in the messages themselves, `q` in their envelopes."""
        customer, words = visitor.known.customer, asked.given("words").strip()[:200]
        lines = await self._letters.search(customer, Search(text=words), MOST, silent)
        listing = listed(
            lines,
            asked,
            lambda line: " ".join((line.sender, *line.recipients, line.id)),
            {
                "received": lambda line: line.received_at,
                "sender": lambda line: line.sender,
                "recipient": lambda line: line.recipients,
                "size": lambda line: line.size,
                "due": lambda line: line.due,
            },
            also={"words": words},
        )
        facts = {
            "listing": listing,
            "words": words,
            "servers": self._servers.servers(customer),
            "incidents": list(reversed(self._servers.incidents(customer)))[:_INCIDENTS],
            "forecast": self._servers.forecast(customer),
        }
        return Page("pending.html", facts)

    async def look(self, visitor: Visitor, asked: Asked) -> Answer:
        message = await self._messages.of(visitor.known.customer, asked.path["id"])
        return Page("pending_message.html", {"message": message})

    async def act(self, visitor: Visitor, asked: Asked) -> Answer:
        """What nothing brings back is asked twice. One message that stays pending leads back to its page."""
        ids, chosen = ticked(asked, "id"), asked.one("deed")
        if chosen not in _WORDS:
            raise Invalid("Choose what to do.")
        if chosen in FOR_GOOD and not asked.one("sure"):
            wanted = set(ids)
            lines = await self._letters.search(visitor.known.customer, Search(), MOST, silent)
            known = {line.id: line for line in lines if line.id in wanted}
            facts: dict[str, object] = {
                "ids": ids,
                "known": known,
                "deed": chosen,
                "mailbox": asked.one("mailbox").strip(),
            }
            return Page("pending_sure.html", facts)
        deed = self._deed(visitor, asked, chosen)
        if len(ids) == 1:
            await deed(ids[0])
            visitor.tell("success", _WORDS[chosen])
            return Away("/pending" if chosen in FOR_GOOD else f"/pending/{ids[0]}")
        return await on_ticked(visitor, ids, self._bulk, deed, _WORDS[chosen], "/pending")

    def _deed(self, visitor: Visitor, asked: Asked, chosen: str) -> Callable[[str], Awaitable[Step | None]]:
        deeds, author, customer = self._deeds, visitor.author, visitor.known.customer
        mailbox = own(visitor, asked.one("mailbox")) if chosen == "keep" and asked.one("mailbox").strip() else None
        plain: dict[str, Callable[..., Awaitable[object]]] = {
            "hold": deeds.hold,
            "release": deeds.release,
            "retry": deeds.retry,
            "bounce": deeds.bounce,
            "drop": deeds.drop,
        }

        async def deed(id: str) -> None:
            if chosen == "keep":
                await deeds.keep(author, customer, id, mailbox)
            else:
                await plain[chosen](author, customer, id)

        return deed
