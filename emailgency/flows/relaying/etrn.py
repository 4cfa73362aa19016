"""ETRN (RFC 1985): a customer's server that is back asks for its mail, instead of waiting for our next probe.

It is a flush (row D2), guarded and rate-limited like any other. Whoever logged in may ask for his own customer's
domains; without a login only the customer's server itself may, known by the addresses to which we would relay. To
everybody else all domains look the same. The connection on which ETRN came gets no mail: it goes where it always goes.
"""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from emailgency.codec.address import parse_domain
from emailgency.flows.relaying.exchanges import Exchanges, Unroutable
from emailgency.flows.relaying.flush import Flush
from emailgency.model.directory import Customer, RelayMode
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict

if TYPE_CHECKING:
    from emailgency.flows.accounts.login import Principal
    from emailgency.store.directory.directory import Directory

# RFC 1985 section 5.3
BAD_NODE = Verdict(501, "5.5.4", "ETRN takes one domain")
NOT_ALLOWED = Verdict(459, "4.7.1", "node not allowed: log in, or ask from the server that its mail goes to")
NOTHING = Verdict(251, "2.0.0", "no messages waiting")
HELD = Verdict(458, "4.3.0", "relay is not on for this domain")


class Etrn:
    """One for all ports."""

    _log = Logger()

    def __init__(self, directory: "Directory", exchanges: Exchanges, flush: Flush) -> None:
        self._directory = directory
        self._exchanges = exchanges
        self._flush = flush

    async def turn(self, ip: str, principal: "Principal | None", node: str) -> Verdict:
        """The answer to `ETRN node` from this client. Raises Temporary."""
        try:
            # "@domain" asks for subdomains too (section 5.1): a customer is flushed whole anyway
            name = parse_domain(node.removeprefix("@"))
        except Invalid:
            return BAD_NODE
        domain = await self._directory.domain(name)
        if domain is None:
            return NOT_ALLOWED
        customer = await self._directory.customer(domain.customer)
        if not (principal and principal.customer == customer.id) and ip not in await self._servers(customer, name):
            return NOT_ALLOWED
        if customer.relay is not RelayMode.ON:
            return HELD
        due = self._flush.flush(customer.id, f"ETRN from {ip}")
        if isinstance(due, Verdict):
            return Verdict(458, "4.7.0", due.text)
        return Verdict(253, "2.0.0", f"{due} pending messages started") if due else NOTHING

    async def _servers(self, customer: Customer, name: str) -> set[str]:
        """Addresses of the server that the domain's mail is relayed to."""
        try:
            if customer.smtp_transport:
                found = await self._exchanges.of_transport(customer.smtp_transport)
            else:
                found = await self._exchanges.of_domain(customer.domain if name == customer.alternate_domain else name)
        except (Unroutable, Invalid):
            return set()
        return {destination.ip for destination in found}
