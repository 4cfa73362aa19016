"""What waits for the customer's server: each next hop with its health, and the messages in hand (rows D1, G8)."""

from emailgency.flows.addresses.bulk import Bulk
from emailgency.flows.pending.hold_rules import HoldRules
from emailgency.flows.pending.pending_deeds import FOR_GOOD, WORDS, PendingDeeds
from emailgency.flows.pending.pending_letters import PendingLetters, Search
from emailgency.flows.pending.pending_message import PendingMessages
from emailgency.flows.pending.server_view import ServerView
from emailgency.flows.progress import silent
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.deeds import on_ticked, own, ticked
from emailgency.servers.web.console.listing import listed
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory

MOST = 10_000  # messages that can be looked through; who has more pending looks at the first of them
_INCIDENTS = 5
_STAY = frozenset({"hold", "release", "retry"})  # the message is there afterwards


class PendingPanel:
    def __init__(
        self,
        directory: Directory,
        servers: ServerView,
        letters: PendingLetters,
        messages: PendingMessages,
        deeds: PendingDeeds,
        rules: HoldRules,
        bulk: Bulk,
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._servers = servers
        self._letters = letters
        self._messages = messages
        self._deeds = deeds
        self._bulk = bulk

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/pending", Who.ADMINISTRATOR, self.show),
            Route("POST", "/pending", Who.ADMINISTRATOR, self.act),
            Route("POST", "/pending/rules", Who.ADMINISTRATOR, self.add_rule),
            Route("POST", "/pending/rules/remove", Who.ADMINISTRATOR, self.remove_rule),
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
        facts: dict[str, object] = {
            "listing": listing,
            "rules": (await self._directory.customer(customer)).holds,
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
        if chosen not in WORDS:
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
        mailbox = own(visitor, asked.one("mailbox")) if chosen == "keep" and asked.one("mailbox").strip() else None
        host = asked.one("host").strip()
        deed = self._deeds.deed(visitor.known.customer, chosen, mailbox, host)
        if len(ids) == 1:
            await deed(visitor.author, ids[0])
            visitor.tell("success", WORDS[chosen])
            return Away(f"/pending/{ids[0]}" if chosen in _STAY else "/pending")
        return await on_ticked(visitor, ids, self._bulk, deed, WORDS[chosen], "/pending")

    async def add_rule(self, visitor: Visitor, asked: Asked) -> Answer:
        """An empty rule holds everything; so it is said, not left out by mistake."""
        sender, recipient = asked.one("sender").strip(), asked.one("recipient").strip()
        if asked.one("all"):
            sender = recipient = ""
        elif not sender and not recipient:
            raise Invalid("Give a sender, a recipient, or both; or say that everything is held.")
        customer = await self._directory.customer(visitor.known.customer)
        await self._rules.add(visitor.author, customer, sender, recipient)
        visitor.tell("success", Words("The rule holds from now on."))
        return Away("/pending")

    async def remove_rule(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._directory.customer(visitor.known.customer)
        await self._rules.remove(visitor.author, customer, asked.one("rule"))
        visitor.tell("success", Words("The rule is gone, and what it held may go."))
        return Away("/pending")
