"""May we connect to the SMTP transport a customer wants (row D3)? Asked when it is saved, and again at each attempt."""

from emailgency.flows.relaying.exchanges import Exchanges, Unroutable
from emailgency.model.errors import Invalid
from emailgency.net.egress import Egress


class TransportCheck:
    """A no at saving; what is forbidden later keeps the mail pending."""

    def __init__(self, exchanges: Exchanges, egress: Egress) -> None:
        self._exchanges = exchanges
        self._egress = egress

    async def check(self, transport: str) -> None:
        """Raises Invalid. A name that does not resolve now is taken: the DNS may be what is broken."""
        try:
            destinations = await self._exchanges.of_transport(transport)
        except Unroutable:
            return
        for destination in destinations:
            reason = self._egress.check(destination.ip, destination.port)
            if reason:
                raise Invalid(
                    "SMTP transport %(transport)s: %(reason)s; the operator can allow it (settings, egress)",
                    transport=transport,
                    reason=reason,
                )
