"""To one customer's own server (product rows D1, G1, G7): the way there, what is remembered of it, its rules.

For his domains no answer of the DNS is final and no server's whim at banner, EHLO or MAIL: the message stays pending,
the servers that last took mail are tried, the log says so.
"""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.background import background
from emailgency.flows.accounts.customers import Customers
from emailgency.flows.relaying.errand import Records
from emailgency.flows.relaying.exchanges import Exchanges, Unroutable
from emailgency.flows.relaying.impostor import impostor
from emailgency.flows.relaying.incidents import Incidents
from emailgency.flows.relaying.means import Means
from emailgency.model.directory import RelayMode
from emailgency.model.envelope import Outcome, Relay
from emailgency.model.errors import Invalid, Temporary
from emailgency.net.courier import Courier
from emailgency.rules.forecast import expires_at
from emailgency.rules.guard import Identity, stranger
from emailgency.rules.health import Health, State
from emailgency.rules.next_hop import Destination
from emailgency.store.experience.known_recipients import KnownRecipients
from emailgency.store.spool.pending import Hop, Queue, Waiting

if TYPE_CHECKING:
    from emailgency.flows.relaying.bounce import Bounces
    from emailgency.flows.trust.sealing import Sealing
    from emailgency.store.experience.last_good import LastGood

IDENTITIES = 8  # remembered of one next hop: a domain may have several servers
CANDIDATES = 100  # of the oldest messages one is chosen as canary


class Experience(Struct):
    """What is remembered of all customers' servers."""

    last_good: "LastGood"
    known: KnownRecipients
    incidents: Incidents


class CustomerErrand(Records):
    """One a next hop."""

    guarded = True

    def __init__(
        self,
        hop: Hop,
        customers: Customers,
        exchanges: Exchanges,
        bounces: "Bounces",
        experience: Experience,
        limit: Callable[[], int],
        means: Means,
    ) -> None:
        super().__init__(bounces)
        self._hop = hop
        self._customers = customers
        self._exchanges = exchanges
        self._last_good = experience.last_good
        self._known = experience.known
        self._incidents = experience.incidents
        self._limit = limit
        self._means = means
        self._clock = means.clock
        self.sealing: Sealing | None = None  # None: nothing is sealed
        self._state = State.UP
        self._alerted = ""  # the last alert about the way, as long as it holds
        self._offered: list[Destination] = []  # by the DNS; no message was taken there yet
        self._good: list[Destination] = []  # what it had offered when one was, the one that took it first
        self._identities: list[Identity] = []  # of servers that took mail while all was well, the last first
        self._met: Courier | None = None  # whose identity that is

    @property
    def name(self) -> str:
        customer = self._customers.get(self._hop.customer)
        return self._hop.domain or f"SMTP transport of {customer.domain if customer else self._hop.customer}"

    @property
    def limit(self) -> int:
        return self._limit()

    async def destinations(self) -> list[Destination]:
        """The SMTP transport, else the MX; when the DNS has nothing to offer, where it last worked (row D1)."""
        try:
            customer = await self._customers.load(self._hop.customer)
        except LookupError:
            raise Temporary(f"there is no customer {self._hop.customer} any more") from None
        if customer.smtp_transport:
            return await self._exchanges.of_transport(customer.smtp_transport)
        if not self._hop.domain:
            raise Temporary("the SMTP transport was taken away, the mail is led to the MX")
        try:
            found = await self._exchanges.of_domain(self._hop.domain)
        except Unroutable as error:
            if str(error) != self._alerted:  # once, until something else is wrong or a message was taken
                self._alerted = str(error)
                self.alert(str(error))
            self._good = self._good or await self._last_good.recall(self._hop)
            if not self._good:
                raise
            return self._good
        if set(found) != set(self._good):  # else there is nothing new to remember, however many messages go
            self._offered = found
        return found

    def hopeless(self, reason: Unroutable) -> bool:
        return False

    def unsealed(self, waiting: Waiting) -> bool:
        if self.sealing is None or waiting.seal is not None:
            return False
        return self.sealing.wanted(waiting.live.envelope, self._customers.get(self._hop.customer))

    async def seal(self, waiting: Waiting) -> None:
        customer, envelope = self._customers.get(self._hop.customer), waiting.live.envelope
        waiting.seal = b""
        if self.sealing is not None and customer is not None:
            waiting.seal = await self.sealing.fields(envelope, self._spool.path(envelope.id), customer.domain)

    def outlived(self, waiting: Waiting, now: float) -> bool:
        """Time within incidents does not count, and while one is open nothing expires (row G8)."""
        lifetime = self._customers.lifetime(self._hop.customer)
        if now - waiting.term_from <= lifetime:
            return False
        at = self.expires_at(waiting.term_from)
        return at is not None and now > at

    def expires_at(self, term_from: float) -> float | None:
        """None also while the customer's lifetime of mail is unknown, and while his relay is on hold."""
        customer = self._customers.get(self._hop.customer)
        if customer and customer.relay is RelayMode.HOLD:
            return None
        lifetime = self._customers.lifetime(self._hop.customer)
        at = expires_at(term_from, lifetime, self._incidents.spans(self._hop.customer))
        return None if at == inf else at

    async def give_up(self, waiting: Waiting, failures: dict[int, Outcome]) -> None:
        """A customer without a server of his own has the mail in his mailboxes: nothing failed (row D1)."""
        customer = self._customers.get(self._hop.customer)
        if customer and customer.relay is RelayMode.NONE:
            for target, outcome in failures.items():
                await self._spool.finished(waiting.live.envelope.id, (target,), outcome)
            return
        await super().give_up(waiting, failures)

    async def taken(self, waiting: Waiting, targets: list[int], outcome: Outcome, courier: Courier) -> None:
        self._alerted = ""
        if self._state is State.UP:  # what a server on its way back takes may be anybody's
            self._learn(waiting, targets, courier)
        await super().taken(waiting, targets, outcome, courier)

    def _learn(self, waiting: Waiting, targets: list[int], courier: Courier) -> None:
        plan, now = waiting.live.envelope.plan, self._clock()
        for index in targets:
            target = plan[index]
            if isinstance(target, Relay):
                self._known.accepted(self._hop, target.address, now)
        offered, self._offered = self._offered, []
        if offered:
            self._good = sorted(offered, key=lambda one: one != courier.destination)
            background("remembering where mail is taken", self._last_good.remember(self._hop, self._good))
        if courier is not self._met:
            self._met = courier
            if (met := courier.identity) not in self._identities:
                others = [one for one in self._identities if one.name != met.name]
                self._identities = [met, *others[: IDENTITIES - 1]]
                remembering = self._last_good.remember_identities(self._hop, list(self._identities))
                background("remembering who takes mail", remembering)

    # ---- the guard -----------------------------------------------------------------------------------------

    def health(self) -> Health:
        health = self._incidents.health(self._hop)
        self._state = health.state
        return health

    def turned(self, health: Health) -> None:
        self._state = health.state
        self._incidents.turned(self._hop, self.name, health)

    def stopped(self, why: str, most: int) -> None:
        self._incidents.stopped(self._hop, self.name, why, most)

    def alert(self, words: str) -> None:
        self._incidents.alert(self._hop.customer, self.name, words)

    async def canary(self, queue: Queue, now: float) -> Waiting | None:
        """One that was not tried yet goes before one that was put off, and that before one that was refused; among
        these, one for addresses that this server took before.
        """
        self._identities = self._identities or await self._last_good.recall_identities(self._hop)
        candidates = queue.foremost(CANDIDATES, now)
        addresses = [_addresses(one) for one in candidates]
        known = await self._known.among(self._hop, [address for some in addresses for address in some])
        worth = [(_setback(one), not known.issuperset(some)) for one, some in zip(candidates, addresses, strict=True)]
        chosen = candidates[worth.index(min(worth))] if worth else None
        found = queue.remove(lambda one: one is chosen) if chosen else []
        return found[0] if found else None  # it may have gone meanwhile

    async def known(self, addresses: list[str]) -> set[str]:
        return await self._known.among(self._hop, addresses)

    async def unknown(self, addresses: list[str]) -> None:
        await self._known.forget(self._hop, addresses)

    def stranger(self, courier: Courier) -> str:
        strange = [stranger(one, courier.identity) for one in self._identities]
        return strange[0] if all(strange) and strange else ""

    async def impostor(self) -> str:
        self._identities = self._identities or await self._last_good.recall_identities(self._hop)
        if not any(one.certificate for one in self._identities):
            return ""
        try:
            destinations = await self.destinations()
        except (Unroutable, Invalid, Temporary):
            return ""  # whoever carries mail says why
        customer = self._customers.get(self._hop.customer)
        domain = self._hop.domain or (customer.domain if customer else "")
        words = await impostor(self._means, destinations, domain, self._identities)
        if words.startswith("another server") and words != self._alerted:
            self._alerted = words
            self.alert(words)
        return words

    async def accept(self) -> None:
        """Whoever answers now is the customer's server. Raises Temporary."""
        await self._last_good.forget_identities(self._hop)
        self._identities, self._alerted = [], ""


def _setback(waiting: Waiting) -> int:
    """0: it was not tried yet; 1: put off; 2: refused."""
    tried = waiting.live.tried
    codes = [tried[target].outcome.code for target in waiting.targets if target in tried]
    return 0 if not codes else 2 if max(codes) >= 500 else 1


def _addresses(waiting: Waiting) -> list[str]:
    plan = waiting.live.envelope.plan
    return [target.address for index in waiting.targets if isinstance(target := plan[index], Relay)]
