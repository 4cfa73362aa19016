"""The drift guard (product row G7): watches what the DNS says of customers' domains, and tells what has changed.

Each domain is looked at once an `interval`, spread over it, through the resolver's cache: no record is asked for more
often than its TTL allows. What is different from before is looked at again after `confirm` seconds, and no earlier than
all caches have let go of it; it counts when it still is so. A DNS that does not answer is no change. Changes go to the
history, the log and `listeners`.
"""

import random
from collections.abc import Callable
from math import inf

from msgspec import Struct
from twisted.logger import Logger

from emailgency.flows.domains.dns_settings import DriftSettings
from emailgency.flows.domains.domain_look import DomainLook, domains_of, wish_of
from emailgency.model.directory import Customer
from emailgency.model.domain_check import DnsChange, Finding, Standing
from emailgency.model.errors import Temporary
from emailgency.model.words import Words
from emailgency.store.directory.directory import Directory, Gone
from emailgency.store.experience.dns_history import DnsHistory

TURN = 30.0  # seconds between looks for what is due
WATCHED = ("mx", "spf", "mta_sts", "alternate")  # what mail depends on; the rest is shown, and never told
LIST = 300.0  # seconds a list of all customers is good for: ten thousand are some 50 ms of work
AT_ONCE = 50  # domains looked at in one turn, one after the other

_BAD = (Standing.WRONG, Standing.MISSING)


class _Doubt(Struct, frozen=True):
    """Something different was seen, once. `sure_at`: from then on it counts, if it is still so."""

    at: float
    sure_at: float
    finding: Finding


Key = tuple[str, str, str]  # customer, domain, kind


class DriftGuard:
    """One for all customers. `chance`: random numbers in [0, 1)."""

    _log = Logger()

    def __init__(
        self,
        directory: Directory,
        look: DomainLook,
        history: DnsHistory,
        clock: Callable[[], float],
        settings: DriftSettings,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.history = history
        self.settings = settings  # may change
        self.listeners: list[Callable[[DnsChange], None]] = []
        self.stopping: Callable[[], bool] = bool  # whether a turn should end early; bool() is no
        self._directory = directory
        self._look = look
        self._clock = clock
        self._chance = chance
        self._listed = -inf  # when `_due` last got to know all customers
        self._due: dict[tuple[str, str], float] = {}  # by customer and domain
        self._doubts: dict[Key, _Doubt] = {}

    async def turn(self) -> None:
        """Look at what is due; called each TURN."""
        now = self._clock()
        if not self._listed <= now < self._listed + LIST:
            try:
                await self._list(now)
            except Temporary as error:
                self._log.info("domains are not watched now: {error}", error=str(error))
                return
            self._listed = now
        due = sorted((at, key) for key, at in self._due.items() if at <= now)
        for _, (id, domain) in due[:AT_ONCE]:
            if self.stopping():  # with a silent DNS one domain takes half a minute
                return
            self._due[id, domain] = now + self.settings.interval * (0.9 + 0.2 * self._chance())
            try:
                customer = await self._directory.customer(id)
                if domain in _names(customer):
                    await self.check(customer, domain)
            except (Gone, Temporary):
                continue  # the next list does not have him, or the directory is away
            except Exception:  # one domain that is beyond us keeps nobody from the others
                self._log.failure("{domain} is not watched now", domain=ascii(domain))

    async def check(self, customer: Customer, domain: str) -> list[Finding]:
        """Look at one of his names now, and remember what was seen."""
        if domain == customer.alternate_domain:
            look = await self._look.alternate(domain)
        else:
            look = await self._look.records(wish_of(customer, domain))
        for finding in look.findings if look.sure else ():  # a resolver that denies even us tells nothing of others
            if finding.kind in WATCHED and finding.standing is not Standing.UNKNOWN:
                self._seen(customer.id, domain, finding, look.kept)
        return look.findings

    async def check_all(self, customer: Customer) -> dict[str, list[Finding]]:
        """All names of a customer, now."""
        return {domain: await self.check(customer, domain) for domain in _names(customer)}

    async def _list(self, now: float) -> None:
        names = {customer.id: _names(customer) for customer in await self._directory.customers()}
        here = {(id, domain) for id, domains in names.items() for domain in domains}
        for key in self._due.keys() - here:
            del self._due[key]
        self._doubts = {key: doubt for key, doubt in self._doubts.items() if key[:2] in here}
        for id in self.history.customers():
            self.history.forget(id, names.get(id, ()))
        for id, domain in here - self._due.keys():  # after a start not all at once; a new customer need not wait
            known = any(self.history.last(id, domain, kind) for kind in WATCHED)
            self._due[id, domain] = now + self._chance() * self.settings.interval if known else now

    # ---- what was seen -------------------------------------------------------------------------------------

    def _seen(self, customer: str, domain: str, finding: Finding, kept: float) -> None:
        """`kept`: seconds for which a cache may give the same answers again."""
        key, now = (customer, domain, finding.kind), self._clock()
        last = self.history.last(*key)
        if last is None:
            self._doubts.pop(key, None)
            self._note(customer, domain, finding, now, None)
            return
        if _state(last.after, last) == _state(finding.found, finding):
            self._doubts.pop(key, None)
            return
        doubt = self._doubts.get(key)
        if doubt is None or _state(doubt.finding.found, doubt.finding) != _state(finding.found, finding):
            doubt = self._doubts[key] = _Doubt(now, now + max(self.settings.confirm, kept), finding)
            self._due[customer, domain] = min(self._due.get((customer, domain), inf), doubt.sure_at)
        if now >= doubt.sure_at:
            del self._doubts[key]
            self._note(customer, domain, finding, doubt.at, last)

    def _note(self, customer: str, domain: str, finding: Finding, at: float, last: DnsChange | None) -> None:
        good = finding.standing is Standing.GOOD
        was_good = last is not None and last.standing is Standing.GOOD
        change = DnsChange(
            customer=customer,
            domain=domain,
            kind=finding.kind,
            at=at,
            before=last.after if last else None,
            after=finding.found,
            standing=finding.standing,
            words=finding.words,
            worse=last is not None and finding.standing in _BAD and last.standing not in _BAD,
            better=good and last is not None and last.standing in _BAD,
            good=finding.found if good else last.after if last and was_good else last.good if last else (),
            good_at=at if good or was_good else last.good_at if last else None,
        )
        self.history.add(change)
        if last is None:  # nothing has changed: who has just come has not published everything yet
            return
        self._log.warn(
            "{alert}{domain}: {kind} in the DNS is now {after}, before {before}: {words}",
            alert="ALERT " if change.worse else "",
            domain=domain,
            kind=finding.kind,
            after=ascii(list(change.after)),
            before=ascii(list(change.before or ())),
            words=ascii(str(finding.words)),
        )
        for listener in self.listeners:
            try:
                listener(change)
            except Exception:
                self._log.failure("a change in the DNS is not told on")


def _names(customer: Customer) -> tuple[str, ...]:
    return (*domains_of(customer), customer.alternate_domain)


def _state(records: tuple[str, ...], one: Finding | DnsChange) -> tuple[tuple[str, ...], Standing, Words]:
    return records, one.standing, one.words
