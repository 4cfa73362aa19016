"""Finding the servers of a domain: MX, their addresses, the choice among them (RFC 5321 section 5.1)."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, gatherResults

from emailgency.net.dns import Resolver, Status
from emailgency.net.egress import Egress
from emailgency.rules.next_hop import MX_LIMIT, Choice, Destination, Exchange, choose, parse_transport


class Unroutable(Exception):
    """No address to try. `permanent`: the domain itself says that it takes no mail, or it does not exist."""

    def __init__(self, reason: str, code: str = "4.4.4", permanent: bool = False) -> None:
        super().__init__(reason)
        self.code = code  # RFC 3463
        self.permanent = permanent


class Exchanges:
    """`our_names` says whether a host name is one of ours: we never relay to ourselves, whatever the DNS says."""

    def __init__(self, resolver: Resolver, egress: Egress, our_names: Callable[[str], bool]) -> None:
        self._resolver = resolver
        self._egress = egress
        self._our_names = our_names

    async def of_domain(self, domain: str) -> list[Destination]:
        """Addresses in the order to try. Raises Unroutable."""
        answer = await self._resolver.mx(domain)
        if answer.status is Status.NO_SUCH_NAME:
            raise Unroutable(f"domain {domain} does not exist", "5.1.2", permanent=True)
        if answer.status is Status.FAILURE:
            raise Unroutable(f"MX of {domain} cannot be looked up: {answer.reason}", "4.4.3")
        # Without MX the domain's own address is the one implicit MX
        records = [record.partition(" ") for record in answer.records] or [("0", " ", domain)]
        ranked = sorted((int(preference), host) for preference, _, host in records)[:MX_LIMIT]
        found = [Deferred.fromCoroutine(self._exchange(preference, host)) for preference, host in ranked]
        choice = choose(await gatherResults(found, consumeErrors=True), self._is_ours)
        if not choice.hosts:
            raise _unroutable(choice, implicit=not answer.records)
        return [Destination(exchange.host, ip) for exchange in choice.hosts for ip in exchange.addresses]

    async def of_transport(self, transport: str) -> list[Destination]:
        """`host[:port]` of the customer's settings. Raises Unroutable; Invalid when it is not well-formed."""
        target = parse_transport(transport)
        if target.literal:
            return [Destination(target.host, target.host, target.port)]
        answer = await self._resolver.addresses(target.host)
        if not answer.records:
            raise Unroutable(f"SMTP transport {target.host}: {answer.reason or answer.status.value}")
        return [Destination(target.host, ip, target.port) for ip in answer.records]

    async def _exchange(self, preference: int, host: str) -> Exchange:
        if not host:  # null MX
            return Exchange(preference, host, ())
        return Exchange(preference, host, (await self._resolver.addresses(host)).records)

    def _is_ours(self, exchange: Exchange) -> bool:
        return self._our_names(exchange.host) or any(map(self._egress.is_ours, exchange.addresses))


def _unroutable(choice: Choice, implicit: bool) -> Unroutable:
    if choice.nowhere:
        return Unroutable(choice.reason, "5.1.10", permanent=True)  # RFC 7505 section 4.2
    if implicit and choice.reason == "no MX host has an address":
        return Unroutable("the domain has neither MX nor address", "5.1.2", permanent=True)
    return Unroutable(choice.reason, "4.4.4")
