"""As whom a message leaves: what comes back to the reverse-path must reach its sender, and SPF must pass.

A forward of somebody else's mail leaves under an address of the customer's alternate domain (`codec.srs`): that
domain's SPF record is ours, and what comes back to it passes here on its way to the sender.
"""

from typing import TYPE_CHECKING

from emailgency.codec.address import foreign_domain
from emailgency.model.errors import Invalid

if TYPE_CHECKING:
    from emailgency.codec.srs import Srs
    from emailgency.model.envelope import Envelope, Outbound
    from emailgency.store.directory.directory import Directory


class ReversePaths:
    """One for all outbound mail."""

    def __init__(self, directory: "Directory", srs: "Srs") -> None:
        self._directory = directory
        self._srs = srs

    async def of(self, envelope: "Envelope", target: "Outbound") -> str:
        """In wire form, always the same for one message and target. Raises Temporary."""
        sender = envelope.sender
        if target.origin != "forward" or not sender:
            return sender
        try:
            owner = await self._directory.domain(foreign_domain(sender))
            customer = await self._directory.customer(target.customer)
        except (Invalid, LookupError):
            return sender
        if owner is not None and owner.customer == customer.id:
            return sender  # his own SPF record names us already, since his people send through us
        return self._srs.rewritten(sender, customer.alternate_domain, envelope.received_at)
