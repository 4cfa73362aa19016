"""DKIM signatures on what our users send and what we write ourselves (product row C8, RFC 6376).

Each customer has keys of his own; a key is used for a domain as soon as the DNS shows its record there, the newest
first, so that a key is changed by making another one, publishing it, and removing the old one a week later. What is
signed is the message as it leaves. A signature is never worth a delay: without a key, or a DNS to ask, mail goes
unsigned.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from msgspec import Meta, Struct
from twisted.logger import Logger

from emailgency.background import in_thread
from emailgency.codec import dkim, originators
from emailgency.codec.canonical import BodyHash
from emailgency.flows.relaying import octets
from emailgency.model.directory import OPERATOR, DomainKind
from emailgency.model.errors import Invalid, Temporary
from emailgency.net.dns import Dns, Status

if TYPE_CHECKING:
    from emailgency.store.directory.directory import Directory
    from emailgency.store.keys.signing_keys import SigningKey, SigningKeys

SIGNED = frozenset({"submit", "bounce", "notice"})  # origins of outbound mail that speaks for us or our users
HOUR = 3600.0
DAY = 86_400.0
R = TypeVar("R")
_KNOWN = 10_000  # domains whose records are remembered


class SigningSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signatures on what users and the server itself write."""

    kept: Annotated[
        float, Meta(ge=7, description="Days an old key is kept after a newer one has begun to sign; its record, too")
    ] = 14.0


class Announced(Struct, frozen=True):
    """One key at one domain: what belongs into the DNS, and whether it is there."""

    selector: str
    name: str  # where the record belongs
    record: str
    status: str  # "found", "missing", "different", "unknown" when the DNS does not answer
    unused_since: float | None = None  # a newer key signs since then; keep this one's record as long as it is shown


class _Choice(Struct, frozen=True):
    """The key for a domain, None for none, until a second of the reactor's clock."""

    key: "SigningKey | None"
    until: float


class _Voucher(Struct, frozen=True):
    """Whose signature, and the key."""

    domain: str
    key: "SigningKey"


class Signing:
    """One for all outbound mail."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        clock: Callable[[], float],
        directory: "Directory",
        keys: "SigningKeys",
        dns: Dns,
        own_name: str,
        settings: SigningSettings,
    ) -> None:
        """`own_name`: the domain in which the server itself writes."""
        self._reactor = reactor
        self.clock = clock
        self.directory = directory
        self._keys = keys
        self._dns = dns
        self.own_name = own_name
        self.settings = settings
        self._chosen: dict[str, _Choice] = {}

    # ---- signing -------------------------------------------------------------------------------------------

    async def field(self, id: str, path: str, offset: int) -> bytes:
        """The field DKIM-Signature for the message in the file `path` from `offset` on; b"" when nothing signs it."""
        try:
            header = octets.header(path, offset)
            author = originators.author_domain(header)
            found = await self._voucher(author) if author else None
            if found is None:
                return b""
            body = BodyHash()
            await self._feed(body, path, offset + len(header) + 2)
            return self._signature(found, header, body)
        except (OSError, ValueError, LookupError, Temporary) as error:
            self._log.warn("{id} goes without a signature: {error}", id=id, error=str(error))
            return b""

    async def _feed(self, body: BodyHash, path: str, offset: int) -> None:
        async for chunk in octets.chunks(self._reactor, path, offset):
            body.feed(chunk)

    async def signer(self, domain: str) -> Callable[[bytes], bytes]:
        """Gives the field DKIM-Signature for whole messages with an author of that domain, b"" without a key."""
        found = None
        try:
            found = await self._voucher(domain)
        except (OSError, ValueError, LookupError, Temporary) as error:
            self._log.warn("mail of {domain} goes without a signature: {error}", domain=domain, error=str(error))

        def field(message: bytes) -> bytes:
            if found is None:
                return b""
            header, _, text = message.partition(b"\r\n\r\n")
            body = BodyHash()
            body.feed(text)
            return self._signature(found, header + b"\r\n", body)

        return field

    def _signature(self, voucher: _Voucher, header: bytes, body: BodyHash) -> bytes:
        key = voucher.key
        return dkim.signature(
            header, body.digest(), domain=voucher.domain, selector=key.selector, key=key.key, at=self.clock()
        )

    async def _voucher(self, author: str) -> _Voucher | None:
        """Who signs for an author. For an alternate domain, which has no key of its own, that is the server: both are
        of one organisation, and so the signature is aligned (RFC 7489 section 3.1.1).
        """
        if key := await self.key_for(author):
            return _Voucher(author, key)
        found = await self.directory.domain(author)
        if found is None or found.kind is not DomainKind.ALTERNATE:
            return None
        key = await self.key_for(self.own_name)
        return _Voucher(self.own_name, key) if key else None

    async def key_for(self, domain: str) -> "SigningKey | None":
        """The newest that the DNS shows at `domain`. Raises OSError, ValueError, LookupError, Temporary."""
        choice = self._chosen.get(domain)
        if choice is None or choice.until <= self._reactor.seconds():
            owner = await self._owner(domain)
            key = None
            keys = await self.in_thread(self._keys.of, owner) if owner else []
            for number, one in enumerate(keys):
                if (await self.announced(one, domain)).status == "found":
                    key = one
                    await self.in_thread(self._keys.used, one, keys[number + 1 :], self.clock())
                    break
            if len(self._chosen) >= _KNOWN:
                self._chosen.clear()
            choice = self._chosen[domain] = _Choice(key, self._reactor.seconds() + HOUR)
        return choice.key

    async def _owner(self, domain: str) -> str | None:
        if domain == self.own_name:
            return OPERATOR
        found = await self.directory.domain(domain)
        return found.customer if found else None

    # ---- keys ----------------------------------------------------------------------------------------------

    async def make(self, owner: str) -> "SigningKey":
        """A new key; it signs nothing before its record is in the DNS. Raises OSError."""
        day = time.strftime("%Y%m%d", time.gmtime(self.clock()))
        return await self.in_thread(self._keys.make, owner, day)

    async def remove(self, owner: str, selector: str) -> None:
        """Sign with it no more. Raises Invalid, OSError."""
        try:
            await self.in_thread(self._keys.remove, owner, selector)
        except FileNotFoundError:
            raise Invalid(f"there is no key {selector}") from None
        self._chosen.clear()

    async def remove_old(self) -> None:
        """Keys that no domain has used for some days go: a newer one is in the DNS. Once a day."""
        for key in await self.in_thread(self._keys.unused_since, self.clock() - self.settings.kept * DAY):
            await self.in_thread(self._keys.remove, *key)
            self._log.info("old key {selector} of {owner} removed", owner=key[0], selector=key[1])
        self._chosen.clear()

    async def show(self, owner: str, domains: Iterable[str]) -> list[Announced]:
        """Every key at every domain, as the DNS is now; what was remembered of it is forgotten."""
        self._chosen.clear()
        keys = await self.in_thread(self._keys.of, owner)
        return [await self.announced(key, domain) for domain in domains for key in keys]

    async def announced(self, key: "SigningKey", domain: str) -> Announced:
        """What the DNS says of a key at a domain."""
        record, name = dkim.record(key.key), f"{key.selector}._domainkey.{domain}"
        answer = await self._dns.txt(name)
        if any(dkim.announces(text, record) for text in answer.records):
            status = "found"
        elif answer.records:
            status = "different"
        else:
            status = "unknown" if answer.status is Status.FAILURE else "missing"
        return Announced(key.selector, name, record, status, key.unused_since)

    async def in_thread(self, work: Callable[..., R], *arguments: object) -> R:
        return await in_thread(self._reactor, work, *arguments)
