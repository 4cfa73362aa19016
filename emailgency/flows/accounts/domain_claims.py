"""A domain is somebody's when he can publish in its DNS, or when the operator says so (attack row 45).

The record names who claims: it is made of a secret of ours, the claimant and the domain, so that nobody's proof serves
another, and nothing has to be remembered until it is there.
"""

import hmac
from base64 import b32encode
from enum import Enum
from hashlib import sha256

from msgspec import Struct

from emailgency.codec.address import parse_domain
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.model.directory import OPERATOR, Customer
from emailgency.model.errors import Invalid, Temporary
from emailgency.net.dns import Dns, Status
from emailgency.net.reactor import NetReactor
from emailgency.rules.rates import Rates
from emailgency.store.directory.changes import Author

LABEL = "_emailgency"
_PREFIX = "emailgency-domain="
_AT_ONCE = 10  # proofs a customer may have looked up, one more each minute


class Proof(Enum):
    """What the DNS says of a claim."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"  # it does not answer


class Claim(Struct, frozen=True):
    """`name` and `record`: the TXT record that proves it."""

    domain: str
    name: str
    record: str
    proof: Proof = Proof.UNKNOWN


class DomainClaims:
    """`key`: 32 octets that only this installation has. Methods raise Invalid, Temporary."""

    def __init__(self, accounts: CustomerAccounts, dns: Dns, key: bytes, reactor: NetReactor) -> None:
        self._accounts = accounts
        self._dns = dns
        self._key = key
        self._reactor = reactor
        self._rates = Rates(1 / 60, _AT_ONCE)

    def claim(self, owner: str, text: str) -> Claim:
        """What `owner`, a customer or OPERATOR, publishes to prove it; nobody is asked."""
        domain = parse_domain(text.strip())
        if len(domain) > 253 - len(LABEL) - 1:
            raise Invalid("%(domain)s is too long a name to be proven", domain=domain)
        digest = hmac.digest(self._key, f"{owner}\0{domain}".encode(), sha256)
        token = b32encode(digest[:20]).decode("ascii").lower()
        return Claim(domain, f"{LABEL}.{domain}", _PREFIX + token)

    async def look(self, owner: str, text: str) -> Claim:
        """The same, and whether it is there."""
        claim = self.claim(owner, text)
        if owner != OPERATOR and not self._rates.take(owner, self._reactor.seconds()):
            raise Invalid("Too many checks just now. Try again in a minute.")
        answer = await self._dns.txt(claim.name)
        if answer.status is Status.FAILURE:
            return claim
        there = any(hmac.compare_digest(text.strip().encode(), claim.record.encode()) for text in answer.records)
        return Claim(claim.domain, claim.name, claim.record, Proof.THERE if there else Proof.MISSING)

    async def take(self, author: Author, customer: str, text: str) -> Customer:
        """A domain alias from now on, if it is proven. Who proves nothing is not told whether somebody has it."""
        claim = await self.look(customer, text)
        self._require(claim)
        return await self._accounts.add_domain_alias(author, customer, claim.domain, "proven by the DNS")

    async def require(self, text: str) -> None:
        """Of a new customer: whoever is to have the domain has published what the operator gave him."""
        self._require(await self.look(OPERATOR, text))

    async def grant(self, author: Author, customer: str, text: str) -> Customer:
        """On the operator's word."""
        return await self._accounts.add_domain_alias(author, customer, parse_domain(text), "granted by the operator")

    async def give_up(self, author: Author, customer: str, text: str) -> Customer:
        """No domain alias any more."""
        return await self._accounts.remove_domain_alias(author, customer, parse_domain(text))

    def _require(self, claim: Claim) -> None:
        if claim.proof is Proof.UNKNOWN:
            raise Temporary(f"the DNS does not answer for {claim.name}")
        if claim.proof is Proof.MISSING:
            raise Invalid(
                "The DNS does not show the record of %(domain)s yet. It may take some minutes.", domain=claim.domain
            )
