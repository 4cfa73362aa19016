"""The panel Domain settings: where mail goes, what is accepted, who may send, flush (rows F2, A8, B8, C7, D1-D3)."""

from emailgency.flows.accounts.domain_settings import DomainSettings
from emailgency.flows.pending.pending_view import PendingView
from emailgency.flows.relaying.flush import Flush
from emailgency.model.directory import RelayMode
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict
from emailgency.model.words import Words
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class DomainPanel:
    def __init__(self, directory: Directory, settings: DomainSettings, flush: Flush, view: PendingView) -> None:
        self._directory = directory
        self._settings = settings
        self._flush = flush
        self._view = view

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/domain", Who.ADMINISTRATOR, self.show),
            Route("POST", "/domain/relay", Who.ADMINISTRATOR, self.set_relay),
            Route("POST", "/domain/door", Who.ADMINISTRATOR, self.set_door),
            Route("POST", "/domain/outage", Who.ADMINISTRATOR, self.set_outage),
            Route("POST", "/domain/security", Who.ADMINISTRATOR, self.set_security),
            Route("POST", "/domain/language", Who.ADMINISTRATOR, self.set_language),
            Route("POST", "/domain/flush", Who.ADMINISTRATOR, self.flush),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._directory.customer(visitor.known.customer)
        plan = await self._directory.plan(customer.plan)
        facts = {"customer": customer, "plan": plan, "pending": self._pending(visitor)}
        return Page("domain.html", facts)

    async def set_relay(self, visitor: Visitor, asked: Asked) -> Answer:
        """An empty lifetime is the plan's, an empty transport the MX."""
        try:
            relay = RelayMode(asked.one("relay"))
        except ValueError:
            raise Invalid("Choose whether mail goes to your server.") from None
        days = asked.one("pending_lifetime").strip()
        if days and not (days.isdecimal() and len(days) < 5):
            raise Invalid("The lifetime of pending mail is a number of days.")
        await self._settings.set(
            visitor.author,
            visitor.known.customer,
            relay=relay,
            smtp_transport=asked.one("smtp_transport").strip() or None,
            pending_lifetime=int(days) if days else None,
        )
        return self._saved(visitor)

    async def set_door(self, visitor: Visitor, asked: Asked) -> Answer:
        await self._settings.set(
            visitor.author,
            visitor.known.customer,
            stealth=asked.one("stealth") == "yes",
            smtp_denied=asked.one("smtp_denied") == "yes",
            banished_refused=asked.one("banished") == "refused",
            authentication=asked.one("authentication") == "yes",
        )
        return self._saved(visitor)

    async def set_outage(self, visitor: Visitor, asked: Asked) -> Answer:
        """Row G5, and what senders hear."""
        await self._settings.set(
            visitor.author,
            visitor.known.customer,
            learn_recipients=asked.one("learn_recipients") == "yes",
            sender_notices=asked.one("sender_notices") == "yes",
        )
        return self._saved(visitor)

    async def set_security(self, visitor: Visitor, asked: Asked) -> Answer:
        """Attack row 39; at once, for all who are logged in as well."""
        required = asked.one("second_factor_required") == "yes"
        await self._settings.set(visitor.author, visitor.known.customer, second_factor_required=required)
        return self._saved(visitor)

    async def set_language(self, visitor: Visitor, asked: Asked) -> Answer:
        await self._settings.set(visitor.author, visitor.known.customer, language=asked.one("language"))
        return self._saved(visitor)

    async def flush(self, visitor: Visitor, asked: Asked) -> Answer:
        """Row D2: with care, so it is asked twice."""
        if not asked.one("sure"):
            return Page("flush.html", {"pending": self._pending(visitor)})
        done = self._flush.flush(visitor.known.customer, str(visitor.address))
        if isinstance(done, Verdict):
            visitor.tell("danger", done.text)
        else:
            visitor.tell("success", Words("%(count)s messages are tried now", {"count": done}))
        return Away("/pending")

    def _pending(self, visitor: Visitor) -> int:
        return sum(hop.pending + hop.carrying for hop in self._view.hops(visitor.known.customer))

    def _saved(self, visitor: Visitor) -> Away:
        visitor.tell("success", visitor.address.domain)
        return Away("/domain")
