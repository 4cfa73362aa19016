"""Does the customer's server trust us? Two letters by the way of all mail that goes home, and its answers (row G7).

One is in our own name. The other is what every message is that we give back: somebody else's, whose domain forbids us
to bring it. That somebody is nobody@example.com: the name belongs to nobody (RFC 2606), it publishes "v=spf1 -all" and
a DMARC policy of reject, and no mail to it goes anywhere (null MX).
"""

import secrets
from collections.abc import Callable
from email.utils import formatdate

from msgspec import Struct

from emailgency.codec import arc
from emailgency.codec.address import parse, wire
from emailgency.codec.canonical import BodyHash
from emailgency.flows.domains.domain_look import DomainLook, domains_of
from emailgency.flows.relaying.hand_over import HandOver, Letter
from emailgency.flows.trust.signing import Signing
from emailgency.model.directory import Customer
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.net.reactor import NetReactor
from emailgency.rules.rates import Rates
from emailgency.rules.trust import Trust, judge

FOREIGN = "nobody@example.com"
_AT_ONCE = 3  # tests of a customer; one more each ten minutes
_AGAIN = 1 / 600


class Sealers(Struct, frozen=True):
    """What a server must know of us. `seal`: d= of our ARC seals, "" while no key is in the DNS; `name`: our
    authserv-id; `switched_on`: whether this customer's mail is sealed."""

    name: str
    addresses: tuple[str, ...]
    seal: str
    switched_on: bool


class Tested(Struct, frozen=True):
    """The server's own words for each letter, and what they mean."""

    own: str
    foreign: str
    trust: Trust
    words: Words


class TrustLetters:
    """One for all customers; only an administrator may ask for it, and only for addresses of his own domains."""

    def __init__(
        self,
        look: DomainLook,
        hand_over: HandOver,
        signing: Signing,
        clock: Callable[[], float],
        reactor: NetReactor,
    ) -> None:
        self._look = look
        self._hand_over = hand_over
        self._signing = signing
        self._clock = clock
        self._reactor = reactor
        self._rates = Rates(_AGAIN, _AT_ONCE)

    async def sealers(self, customer: Customer) -> Sealers:
        """Raises Temporary."""
        addresses = tuple(sorted(await self._look.addresses(), key=lambda one: (":" in one, one)))
        seal = ""
        for domain in (customer.domain, self._signing.own_name):
            if not seal and await self._signing.key_for(domain):
                seal = domain
        return Sealers(self._signing.own_name, addresses, seal, customer.authentication)

    async def test(self, customer: Customer, text: str) -> Tested:
        """Raises Invalid when it is no address of his, or too often; Temporary."""
        address = parse(text.strip())
        if address.domain not in domains_of(customer):
            raise Invalid("%(address)s is no address of your domains", address=str(address))
        if not self._rates.take(customer.id, self._reactor.seconds()):
            raise Invalid("There were several tests just now. The next one is possible in ten minutes.")
        recipient, own = wire(address), f"postmaster@{customer.alternate_domain}"
        mark = secrets.token_hex(4)
        seal = await self._seal(customer)
        heard = ["", ""]
        letters = [
            Letter(recipient, lambda: self._letter(own, recipient, mark, 1), own, lambda words: _hear(heard, 0, words)),
            Letter(
                recipient,
                lambda: seal(self._letter(FOREIGN, recipient, mark, 2)),
                FOREIGN,
                lambda words: _hear(heard, 1, words),
            ),
        ]
        results = await self._hand_over.give(customer, letters)
        first, second = (words or result for words, result in zip(heard, results, strict=True))
        trust, words = judge(first, second)
        return Tested(first, second, trust, words)

    def _letter(self, author: str, recipient: str, mark: str, number: int) -> bytes:
        """Of a test: whoever finds it knows what it is."""
        name = self._signing.own_name
        lines = (
            f"Date: {formatdate(self._clock())}",
            f"From: {author}",
            f"To: {recipient}",
            f"Message-ID: <trust.{mark}.{number}@{name}>",
            f"Subject: Test {number} of 2: does this server trust {name}?",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=us-ascii",
            "",
            "Your administrator asked for this test in the console of Emailgency. It may be deleted.",
            "1 of 2 is in the name of the backup server, 2 of 2 is like the mail of others that it brings.",
            "",
        )
        return "\r\n".join(lines).encode()

    async def _seal(self, customer: Customer) -> Callable[[bytes], bytes]:
        """What puts an ARC set before a message, where mail of this customer gets one."""
        if not customer.authentication:
            return bytes
        for domain in (customer.domain, self._signing.own_name):
            if key := await self._signing.key_for(domain):
                break
        else:
            return bytes

        def sealed(message: bytes) -> bytes:
            header, _, text = message.partition(b"\r\n\r\n")
            body = BodyHash()
            body.feed(text)
            return (
                arc.sealed(
                    header + b"\r\n",
                    body.digest(),
                    f"{self._signing.own_name}; none",  # RFC 8601 section 2.2: nothing was looked at
                    "none",
                    domain=domain,
                    selector=key.selector,
                    key=key.key,
                    at=self._clock(),
                )
                + message
            )

        return sealed


def _hear(heard: list[str], place: int, words: str) -> None:
    heard[place] = words
