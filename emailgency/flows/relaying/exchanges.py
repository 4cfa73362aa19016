"""Finding the servers of a domain: MX, their addresses, the choice among them (RFC 5321 section 5.1)."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, gatherResults

from emailgency.model.errors import Invalid
from emailgency.net.dns import Answer, Dns, Status
from emailgency.net.egress import Egress
from emailgency.rules.next_hop import MX_LIMIT, Destination, Exchange, Lack, choose, parse_transport


class Unroutable(Exception):
    """No address to try. `permanent`: the domain itself says that it takes no mail, or it does not exist."""

    def __init__(self, reason: str, code: str = "4.4.4", permanent: bool = False) -> None:
        super().__init__(reason)
        self.code = code  # RFC 3463
        self.permanent = permanent


class Exchanges:
    """`our_names` says whether a host name is one of ours: we never relay to ourselves, whatever the DNS says."""

    def __init__(self, dns: Dns, egress: Egress, our_names: Callable[[str], bool]) -> None:
        self._dns = dns
        self._egress = egress
        self._our_names = our_names

    async def of_domain(self, domain: str) -> list[Destination]:
        """Addresses in the order to try. Raises Unroutable."""
        answer = await self._dns.mx(domain)
        if answer.status is Status.NO_SUCH_NAME:
            raise Unroutable(f"domain {domain} does not exist", "5.1.2", permanent=True)
        if answer.status is Status.FAILURE:
            raise Unroutable(f"MX of {domain} cannot be looked up: {answer.reason}", "4.4.3")
        # Without MX the domain's own address is the one implicit MX
        records = [record.partition(" ") for record in answer.records] or [("0", " ", domain)]
        ranked = sorted((int(preference), host) for preference, _, host in records)[:MX_LIMIT]
        looked_up = [Deferred.fromCoroutine(self._addresses(host)) for _, host in ranked]
        found = await gatherResults(looked_up, consumeErrors=True)
        exchanges = [Exchange(*rank, answer.records) for rank, answer in zip(ranked, found, strict=True)]
        choice = choose(exchanges, self._is_ours)
        if choice.lack is Lack.NO_ADDRESS and any(answer.status is Status.FAILURE for answer in found):
            raise Unroutable(f"addresses of the MX hosts of {domain} cannot be looked up", "4.4.3")
        if choice.lack:
            raise _unroutable(choice.lack, implicit=not answer.records)
        return [Destination(exchange.host, ip) for exchange in choice.hosts for ip in exchange.addresses]

    async def of_transport(self, transport: str) -> list[Destination]:
        """`host[:port]` of the customer's settings. Raises Unroutable; Invalid when it is not well-formed, or ours."""
        target = parse_transport(transport)
        if not target.literal and self._our_names(target.host):  # an alternate domain pointed back, say (row G7)
            raise Invalid("SMTP transport %(host)s is a name of ours: mail would come back", host=target.host)
        if target.literal:
            return [Destination(target.host, target.host, target.port)]
        answer = await self._dns.addresses(target.host)
        if not answer.records:
            raise Unroutable(f"SMTP transport {target.host}: {answer.reason or answer.status.value}")
        return [Destination(target.host, ip, target.port) for ip in answer.records]

    async def _addresses(self, host: str) -> Answer:
        return await self._dns.addresses(host) if host else Answer(Status.NO_DATA)  # null MX

    def _is_ours(self, exchange: Exchange) -> bool:
        return self._our_names(exchange.host) or any(map(self._egress.is_ours, exchange.addresses))


def _unroutable(lack: Lack, implicit: bool) -> Unroutable:
    if lack is Lack.NULL_MX:
        return Unroutable(lack.value, "5.1.10", permanent=True)  # RFC 7505 section 4.2
    if lack is Lack.OURS:  # RFC 5321 section 5.1: mail would come back to us
        return Unroutable(lack.value, "5.4.6", permanent=True)
    if implicit:
        return Unroutable("the domain has neither MX nor address", "5.1.2", permanent=True)
    return Unroutable(lack.value, "4.4.4")
