"""Mail of ours straight to a customer's own server, while somebody waits for the result (row B2).

Nothing of it is stored, queued or forwarded: what the server does not take now is told to whoever asked. The next
letter is written when the server is ready for it, so that a thousand of them hold up nobody.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, gatherResults

from emailgency.codec.smtp.client import Mail, Path, Result
from emailgency.flows.relaying.exchanges import Exchanges, Unroutable
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.trust.signing import Signing
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.errors import Invalid
from emailgency.net.client_tls import Opportunistic
from emailgency.net.courier import Courier
from emailgency.net.parcel import Closure, Parcel
from emailgency.rules.health import State
from emailgency.rules.next_hop import Destination

PATIENCE = 60.0  # seconds for all of it: the person who waits has a browser in front of him
_STEP = 15.0  # seconds for each thing the server does
ADDRESSES = 3
AT_ONCE = 4  # calls for one customer: a tarpit of his takes no more of the places everybody shares
LINES = 4  # connections of one call
_A_LINE = 25  # letters that are worth another one: at 50 ms a letter a thousand take 13 s by four
_WORDS = 300  # characters of the server's own words


class Letter(Struct, frozen=True):
    """`recipient` in wire form; `write` gives the message when it is to go, with CRLF, from the alternate domain.

    `sender`: the envelope's, in wire form; `heard` is told what the server says of it, whatever that is.
    """

    recipient: str
    write: Callable[[], bytes]
    sender: str = ""
    heard: Callable[[str], None] | None = None


class HandOver:
    """One for all customers."""

    def __init__(self, exchanges: Exchanges, relay: RelayFlow, means: Means, signing: Signing) -> None:
        self._exchanges = exchanges
        self._signing = signing
        self._relay = relay
        self._means = means
        self._under_way: Counter[str] = Counter()  # by customer

    async def give(self, customer: Customer, letters: Sequence[Letter]) -> list[str]:
        """For each letter "" when the server has taken it, else words why not."""
        if reason := self._closed(customer):
            return [reason] * len(letters)
        try:
            if customer.smtp_transport:
                destinations = await self._exchanges.of_transport(customer.smtp_transport)
            else:
                destinations = await self._exchanges.of_domain(customer.domain)
        except (Unroutable, Invalid) as error:
            return [str(error)] * len(letters)
        if self._under_way[customer.id] >= AT_ONCE or not self._means.places.enter():
            return ["too many connections are open, try again in a moment"] * len(letters)
        self._under_way[customer.id] += 1
        try:
            sign = await self._signing.signer(customer.alternate_domain)
            return await self._visit_one_of(destinations[:ADDRESSES], letters, sign)
        finally:
            self._means.places.leave()
            self._under_way[customer.id] -= 1
            self._under_way += Counter()  # without those at zero

    def _closed(self, customer: Customer) -> str:
        """Why nothing goes there now, as far as we know without asking."""
        if customer.relay is RelayMode.NONE:
            return "there is no server of your own"
        if customer.relay is RelayMode.HOLD:
            return "mail for your server is on hold"
        own = (lane.health for lane in self._relay.lanes(customer.id) if not lane.hop.via)
        down = (health for health in own if health.state is State.DOWN)
        return next((f"your server does not answer: {health.reason}" for health in down), "")

    async def _visit_one_of(
        self, destinations: list[Destination], letters: Sequence[Letter], sign: Callable[[bytes], bytes]
    ) -> list[str]:
        deadline = self._means.reactor.seconds() + PATIENCE
        results = ["no address to try"] * len(letters)
        for destination in destinations:
            if reason := self._means.egress.check(destination.ip, destination.port):
                results = [reason] * len(letters)
                continue
            bag = _Bag(letters, sign)
            tls_failed = await self._visit(destination, bag, deadline, in_clear=False)
            if tls_failed and self._means.courier.tls == "may":
                await self._visit(destination, bag, deadline, in_clear=True)
            results = bag.results()
            if bag.greeted:
                break
        return results

    async def _visit(self, destination: Destination, bag: "_Bag", deadline: float, *, in_clear: bool) -> bool:
        """True: TLS did not come about."""
        lines = min(LINES, 1 + bag.left // _A_LINE)
        visits = [Deferred.fromCoroutine(self._line(destination, bag, deadline, in_clear)) for _ in range(lines)]
        closures = await gatherResults(visits, consumeErrors=True)
        bag.greeted = any(closure.greeted for closure in closures)
        bag.reason = next((closure.reason for closure in closures if not closure.greeted), closures[0].reason)
        return not bag.greeted and any(closure.tls_failed for closure in closures)

    async def _line(self, destination: Destination, bag: "_Bag", deadline: float, in_clear: bool) -> Closure:
        """One connection."""
        means = self._means
        patience = {"connect": _STEP, "greeting": _STEP, "handshake": _STEP, "command": _STEP, "data": _STEP}
        settings = msgspec.structs.replace(means.courier, end=2 * _STEP, idle=0.0, **patience)
        tls = None if in_clear else Opportunistic(destination.host)
        courier = means.couriers(bag, settings, means.reactor, means.name, tls)
        left = max(0.1, deadline - means.reactor.seconds())
        alarm = means.reactor.callLater(left, courier.abort, "it takes too long")
        closure = await courier.visit(destination)
        if alarm.active():
            alarm.cancel()
        bag.lost(closure)
        return closure


class _Bag:
    """The letters of one call, for all its connections (net.courier.Cargo)."""

    def __init__(self, letters: Sequence[Letter], sign: Callable[[bytes], bytes]) -> None:
        self._sign = sign
        self.greeted = False
        self.reason = ""
        self._letters = letters
        self._next = 0
        self._results: dict[int, str] = {}

    @property
    def left(self) -> int:
        """Letters nobody has taken in hand."""
        return len(self._letters) - self._next

    def results(self) -> list[str]:
        """What nobody answered for was not taken, as far as we know."""
        return [self._results.get(index, self.reason) for index in range(len(self._letters))]

    def take(self, courier: Courier) -> Parcel | None:
        if self._next == len(self._letters):
            if courier.idle:
                courier.leave()
            return None
        index, self._next = self._next, self._next + 1
        letter = self._letters[index]
        octets = letter.write()
        octets = self._sign(octets) + octets
        utf8 = not letter.recipient.isascii()
        mail = Mail(
            sender=letter.sender,
            recipients=(Path(letter.recipient),),
            size=len(octets),
            eight_bit=not octets.isascii(),
            smtputf8=utf8,
        )
        # All of it is the prefix of an empty file: what is in it must lie nowhere
        return Parcel(mail, os.devnull, 0, index, octets)

    async def settle(self, courier: Courier, parcel: Parcel, results: tuple[Result, ...]) -> None:
        assert isinstance(parcel.token, int)
        reply = results[0].reply
        words = f"{reply.code} {reply.text}"[:_WORDS]
        if heard := self._letters[parcel.token].heard:
            heard(words)
        self._results[parcel.token] = "" if reply.code < 300 else words

    def lost(self, closure: Closure) -> None:
        """A connection is over; what it had in hand may have arrived, but nobody said so."""
        for one in closure.unsettled:
            assert isinstance(one.parcel.token, int)
            self._results.setdefault(one.parcel.token, closure.reason)

    def recorded(self, seconds: float) -> None:
        """Nobody counts these."""

    def unreadable(self, parcel: Parcel, reason: str) -> None:
        assert isinstance(parcel.token, int)
        self._results[parcel.token] = reason
