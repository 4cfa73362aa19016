"""What goes on from us is sealed, so that the next server can believe what we found out about it (ARC, RFC 8617).

On the way to a customer's own server each message of others gets an ARC set, when the customer has it switched on, and
so does each forward; what our users submit, and what we write, is signed with DKIM instead. The key is the customer's,
or the server's own as long as his is not in the DNS. A seal is made shortly before the message goes, in a thread, and
forgotten when it comes back: a hundred thousand pending messages hold none. Without a key, mail goes unsealed.
"""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from emailgency.codec import arc, authentication_results
from emailgency.codec.canonical import BodyHash
from emailgency.flows.relaying.octets import CHUNK
from emailgency.model.errors import Temporary

if TYPE_CHECKING:
    from emailgency.flows.trust.signing import Signing
    from emailgency.model.directory import Customer
    from emailgency.model.envelope import Envelope
    from emailgency.store.keys.signing_keys import SigningKey

HEADER = 1 << 18  # octets of a header that are sealed; a longer one is nobody's


class Sealing:
    """One for all mail that goes on."""

    _log = Logger()

    def __init__(self, signing: "Signing") -> None:
        self._signing = signing

    def wanted(self, envelope: "Envelope", customer: "Customer | None") -> bool:
        """Whether `fields` may give any on the way to this customer's server. Asked for each message: quickly."""
        return envelope.from_within or (customer is not None and customer.authentication)

    async def fields(self, envelope: "Envelope", path: str, domain: str) -> bytes:
        """What stands before the message on its way: `domain` is the customer's. Never fails."""
        if envelope.from_within:
            return await self._signing.field(envelope.id, path, envelope.return_path)
        return await self.seal(envelope, path, domain)

    async def forwarded(self, envelope: "Envelope", path: str) -> bytes:
        """The same for a forward, by the domain of whoever forwards. Never fails."""
        if envelope.from_within:
            return await self._signing.field(envelope.id, path, envelope.return_path)
        try:
            customer = await self._signing.directory.customer(envelope.customer)
        except (LookupError, Temporary) as error:
            self._log.warn("{id} goes without a seal: {error}", id=envelope.id, error=str(error))
            return b""
        return await self.seal(envelope, path, customer.domain) if customer.authentication else b""

    async def seal(self, envelope: "Envelope", path: str, domain: str) -> bytes:
        """An ARC set by `domain`; b"" when we have not looked at the message, or nothing can seal it."""
        signing = self._signing
        try:
            for sealer in (domain, signing.own_name):
                if key := await signing.key_for(sealer):
                    return await signing.in_thread(self._sealed, path, envelope.return_path, sealer, key)
        except (OSError, ValueError, LookupError, Temporary) as error:
            self._log.warn("{id} goes without a seal: {error}", id=envelope.id, error=str(error))
        return b""

    def _sealed(self, path: str, offset: int, domain: str, key: "SigningKey") -> bytes:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            start = file.read(HEADER)
            end = start.find(b"\r\n\r\n")
            found = authentication_results.results(start[: end + 2], self._signing.own_name) if end >= 0 else None
            if found is None:
                return b""
            body = BodyHash()
            body.feed(start[end + 4 :])
            while chunk := file.read(CHUNK):
                body.feed(chunk)
        return arc.sealed(
            start[: end + 2],
            body.digest(),
            found,
            _verdict(found),
            domain=domain,
            selector=key.selector,
            key=key.key,
            at=self._signing.clock(),
        )


def _verdict(found: str) -> str:
    """cv= of what we found of the chain; what could not be found out cannot be vouched for."""
    result = authentication_results.result(found, "arc")
    return result if result in ("none", "pass") else "fail"
