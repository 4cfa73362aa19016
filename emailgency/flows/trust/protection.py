"""How a connection to one server of the world must be protected: DANE, else MTA-STS, else as well as it goes.

DANE (RFC 7672) is asked first: where a server has TLSA records in a signed zone they alone decide, and MTA-STS never
overrides them (RFC 8461 section 2). What the DNS says is believed only when a resolver on this machine has validated
it. Whatever a policy asks for and does not get, mail waits: it is tried at the other servers, and again later.
"""

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from OpenSSL.SSL import Connection
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from emailgency.background import in_thread
from emailgency.codec.mta_sts import Mode, Policy
from emailgency.flows.trust.sts import Found, Sts, binding
from emailgency.net.client_tls import Opportunistic, Proving
from emailgency.net.dns import Answer, Dns, Status
from emailgency.net.peer_identity import Fault, Tlsa, by_authorities, by_dane, read_tlsa, system_roots
from emailgency.rules.next_hop import Destination

MOST = 20  # TLSA records of one server that are looked at


class ProtectionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS to servers of the world, as their domains ask for it."""

    mta_sts: Annotated[bool, Meta(description="Honour MTA-STS policies (RFC 8461)")] = True
    dane: Annotated[
        bool,
        Meta(
            description="Honour TLSA records (RFC 7672), when a resolver on this machine says that they are validated"
        ),
    ] = True


class Demand(Struct, frozen=True):
    """`must`: without TLS that proves what it has to nothing goes; `refused`: nothing goes there at all, and why.

    `kind` and `text` are the policy, for reports: "tlsa", "sts" or "no-policy-found" (RFC 8460 section 4.2).
    """

    tls: IOpenSSLClientConnectionCreator
    must: bool = False
    refused: Fault | None = None
    kind: str = "no-policy-found"
    text: bytes = b""
    trouble: Fault | None = None  # with the policy itself

    @property
    def proven(self) -> bool:
        """After the handshake: the server has shown who it is."""
        return isinstance(self.tls, Proving) and self.tls.proven

    @property
    def fault(self) -> Fault | None:
        """After the handshake, or instead of it."""
        return self.refused or (self.tls.fault if isinstance(self.tls, Proving) else None)


def opportunistic(destination: Destination) -> Demand:
    """As well as it goes."""
    return Demand(Opportunistic(destination.host))


Told = Callable[[str, Destination, Demand, Fault | None], None]


class Protection:
    """One for all outbound mail. `roots`: who vouches for certificates, None for whom the system trusts."""

    def __init__(self, dns: Dns, sts: Sts, reactor: Any, settings: ProtectionSettings, roots: Any = None) -> None:
        self.settings = settings
        self._dns = dns
        self._sts = sts
        self._reactor = reactor
        self._roots = roots
        self.told: Told = lambda domain, destination, demand, fault: None  # of each session, and what was wrong

    async def of(self, domain: str, destination: Destination) -> Demand:
        """For mail to `domain` by one of its servers."""
        if domain.startswith("["):
            return opportunistic(destination)
        if self.settings.dane and (demand := await self._by_dane(domain, destination)):
            return demand
        found = await self._sts.of(domain) if self.settings.mta_sts else Found()
        policy = binding(found.policy)
        if policy is None and found.fault:
            trouble = Fault(found.fault, "the MTA-STS policy cannot be had")
            return Demand(Opportunistic(destination.host), kind="sts", trouble=trouble)
        if policy is None:
            return opportunistic(destination)
        return await self._by_sts(policy, found, destination)

    async def required(self, domain: str, destination: Destination) -> Demand:
        """For a message that goes under proven TLS or not at all (RFC 8689 section 4.2.1): by DANE, else by a
        certificate of a name that the DNS, validated, or an MTA-STS policy says is a server of the domain.
        """
        host = destination.host
        if not domain.startswith("["):
            demand = await self._by_dane(domain, destination)
            if demand is not None and (demand.refused or isinstance(demand.tls, Proving)):
                return demand
            found = await self._sts.of(domain)
            policy = binding(found.policy)
            if policy is not None and policy.mode is Mode.ENFORCE:
                return await self._by_sts(policy, found, destination)
            mx = await self._dns.mx(domain)
            if mx.secure and mx.status is not Status.FAILURE:
                roots = await self._trusted()
                return Demand(
                    Proving(host, lambda connection: by_authorities(connection, host, roots), True), must=True
                )
        fault = Fault("validation-failure", f"TLS is required, and nothing proves that {host} is a server of {domain}")
        return Demand(Opportunistic(host), must=True, refused=fault)

    # ---- MTA-STS ---------------------------------------------------------------------------------------------

    async def _by_sts(self, policy: Policy, found: Found, destination: Destination) -> Demand:
        enforce, host = policy.mode is Mode.ENFORCE, destination.host
        if not policy.allows(host):
            fault = Fault("validation-failure", f"the MTA-STS policy does not name {host}")
            if enforce:
                return Demand(Opportunistic(host), must=True, refused=fault, kind="sts", text=found.text)
        roots = await self._trusted()

        def look(connection: Connection) -> Fault | None:
            if not policy.allows(host):
                return fault
            return by_authorities(connection, host, roots)

        return Demand(Proving(host, look, enforce), must=enforce, kind="sts", text=found.text)

    # ---- DANE ------------------------------------------------------------------------------------------------

    async def _by_dane(self, domain: str, destination: Destination) -> Demand | None:
        """None: there is no DANE for this server."""
        host = destination.host
        if not await self._is_secure(domain, host):
            return None
        answer = await self._dns.query(f"_25._tcp.{host}", "TLSA")
        if answer.status is Status.FAILURE:  # section 2.1: an attacker may hide the records, so nothing goes there
            fault = Fault("dnssec-invalid", f"the TLSA records of {host} cannot be looked up: {answer.reason}")
            return Demand(Opportunistic(host), must=True, refused=fault, kind="tlsa")
        if not answer.secure or not answer.records:
            return None
        records = tuple(one for text in answer.records[:MOST] if (one := read_tlsa(text)))
        text = "\n".join(answer.records[:MOST]).encode()
        usable = tuple(one for one in records if one.usable)
        if not usable:  # section 2.2: then TLS, without asking who it is
            return Demand(Opportunistic(host), must=True, kind="tlsa", text=text)
        return Demand(Proving(host, _dane(host, domain, usable), enforce=True), must=True, kind="tlsa", text=text)

    async def _is_secure(self, domain: str, host: str) -> bool:
        """RFC 7672 section 2.2.1: from the domain to the address of the server all is validated."""
        mx = await self._dns.mx(domain)
        if mx.status is Status.FAILURE or not mx.secure:
            return False
        asked = [Deferred.fromCoroutine(self._dns.query(host, kind)) for kind in ("A", "AAAA")]
        answers: list[tuple[bool, Answer]] = await DeferredList(asked, fireOnOneErrback=True, consumeErrors=True)
        found = [answer for _, answer in answers if answer.records]
        return bool(found) and all(answer.secure for answer in found)

    async def _trusted(self) -> Any:
        if self._roots is None:
            self._roots = await in_thread(self._reactor, system_roots)
        return self._roots


def _dane(host: str, domain: str, records: tuple[Tlsa, ...]) -> Callable[[Connection], Fault | None]:
    return lambda connection: by_dane(connection, (host, domain), records)
