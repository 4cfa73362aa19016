"""One connection to a customer's server on which it is asked for addresses (row G5); nothing is sent.

First comes one that nobody can have: a server that takes it takes everybody, and is asked no more. Then postmaster,
which it must have: where that is refused like all the others, the refusals are its own trouble. A 4xx ends the asking.
"""

import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from emailgency.codec.address import wire
from emailgency.codec.smtp.client import Path, Result
from emailgency.flows.relaying.exchanges import Exchanges, Unroutable
from emailgency.flows.relaying.means import Means
from emailgency.model.address import Address
from emailgency.model.directory import Customer
from emailgency.model.errors import Invalid
from emailgency.net.callout import Callout
from emailgency.net.client_tls import Opportunistic
from emailgency.net.parcel import Closure
from emailgency.rules.learning import CONTROL, Answer, Lesson, answer, lesson
from emailgency.rules.next_hop import Destination

ADDRESSES = 2  # of the server, tried for one enquiry
_STEP = 30.0  # seconds for each thing the server does: RFC 5321's 5 minutes are for mail
_PATIENCE = 300.0  # seconds for all of it


class Enquiry:
    """What is asked, and what was answered. `trouble`: why the server should be left alone; "": it should not."""

    def __init__(self, customer: Customer, locals_: Sequence[str]) -> None:
        self.customer = customer
        self.trouble = ""
        self.answers: dict[str, Answer] = {}
        self._nobody = f"x{secrets.token_hex(10)}"  # of an address that nobody can have, and nobody can guess
        self._wanted = tuple(local for local in locals_ if local != CONTROL)
        self._left = [self._nobody, CONTROL, *self._wanted]
        self._asking = ""

    @property
    def lesson(self) -> Lesson:
        nobody = self.answers.get(self._nobody, Answer.NOTHING)
        return lesson(nobody, {local: said for local, said in self.answers.items() if local != self._nobody})

    @property
    def unanswered(self) -> list[str]:
        """Those worth asking for another time."""
        if self.lesson.selective is False:
            return []
        return [local for local in self._wanted if self.answers.get(local, Answer.LATER) is Answer.LATER]

    def next(self, answered: Result | None) -> Path | None:
        """For net.callout."""
        if answered is not None and not self._heard(answered):
            return None
        if not self._left:
            return None
        self._asking = self._left.pop(0)
        return Path(wire(Address(self._asking, self.customer.domain)))

    def _heard(self, answered: Result) -> bool:
        """Whether there is any use in asking on."""
        reply, stage = answered.reply, answered.stage.value
        said = Answer.NOTHING if answered.ours else answer(stage, reply.code, reply.enhanced)
        self.answers[self._asking] = said
        if said is Answer.LATER:
            self.trouble = f"{reply.code} at {stage}"
            return False
        return self._asking != self._nobody or said is Answer.MISSING


class Enquiries:
    """Goes where the customer's mail goes, by the same checks. `ask` never fails: it may have no answers."""

    def __init__(self, exchanges: Exchanges, means: Means) -> None:
        self._exchanges = exchanges
        self._means = means

    async def ask(self, customer: Customer, locals_: Sequence[str]) -> Enquiry:
        enquiry = Enquiry(customer, locals_)
        try:
            if customer.smtp_transport:
                destinations = await self._exchanges.of_transport(customer.smtp_transport)
            else:
                destinations = await self._exchanges.of_domain(customer.domain)
        except (Unroutable, Invalid) as error:
            enquiry.trouble = str(error)
            return enquiry
        if not self._means.places.enter():
            return enquiry
        try:
            await self._visit_one_of(destinations[:ADDRESSES], enquiry)
        finally:
            self._means.places.leave()
        return enquiry

    async def _visit_one_of(self, destinations: list[Destination], enquiry: Enquiry) -> None:
        closure = Closure(reason="no address to try")
        for destination in destinations:
            if forbidden := self._means.egress.check(destination.ip, destination.port):
                closure = Closure(reason=forbidden)
                continue
            closure = await self._visit(destination, enquiry, in_clear=False)
            if closure.tls_failed and self._means.courier.tls == "may":
                closure = await self._visit(destination, enquiry, in_clear=True)
            if closure.greeted:
                break
        if not closure.greeted or closure.reply is not None:
            enquiry.trouble = enquiry.trouble or closure.reason

    async def _visit(self, destination: Destination, enquiry: Enquiry, *, in_clear: bool) -> Closure:
        means = self._means
        patience = {"connect": _STEP, "greeting": _STEP, "handshake": _STEP, "command": _STEP}
        tls = None if in_clear else Opportunistic(destination.host)
        callout = Callout(enquiry.next, replace(means.courier, **patience), means.reactor, means.name, tls)
        alarm = means.reactor.callLater(_PATIENCE, callout.abort, "it takes too long")
        closure = await callout.visit(destination)
        if alarm.active():
            alarm.cancel()
        return closure
