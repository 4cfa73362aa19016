"""What a test of incoming SMTP needs: a spool in memory, a resolver with a few addresses, a server on loopback."""

from collections.abc import Callable

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.testing import StringTransport

from emailgency.codec.address import parse
from emailgency.flows.receiving.receive import Reception
from emailgency.model.directory import Customer, Domain, DomainKind
from emailgency.model.envelope import Deliver, Envelope, Recipient
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict
from emailgency.servers.smtp import SmtpFactory
from emailgency.servers.smtp_service import SmtpService, SmtpSettings


class MemoryArrival:
    def __init__(self, spool: "MemorySpool", id: str) -> None:
        self.id = id
        self.octets = bytearray()
        self._spool = spool

    @property
    def size(self) -> int:
        return len(self.octets)

    def write(self, chunk: bytes) -> None:
        self.octets += chunk
        self._spool.written += len(chunk)

    def reserve(self, octets: int) -> None:
        self._place = len(self.octets), octets
        self.octets += b" " * octets

    def fill(self, fields: bytes) -> None:
        place, room = self._place
        assert len(fields) <= room
        self.octets[place : place + room] = fields

    def abort(self) -> None:
        self._spool.aborted.append(self.id)


class MemorySpool:
    """As `store.spool.Spool`, without a disk. `hold` and `trouble` steer what commits do."""

    def __init__(self) -> None:
        self.accepting: Verdict | None = None
        self.busy = False
        self.messages: list[tuple[Envelope, bytes]] = []
        self.aborted: list[str] = []
        self.confirmed: list[str] = []
        self.written = 0
        self.hold: Deferred[None] | None = None
        self.trouble: Exception | None = None
        self._fingerprints: dict[str | None, str] = {}
        self._count = 0

    def begin(self, at: float) -> MemoryArrival:
        self._count += 1
        return MemoryArrival(self, f"id{self._count}")

    async def commit(self, arrival: MemoryArrival, envelope: Envelope) -> None:
        if self.hold is not None:
            await self.hold
        if self.trouble is not None:
            raise self.trouble
        self.messages.append((envelope, bytes(arrival.octets)))
        self._fingerprints[envelope.fingerprint] = envelope.id

    def acknowledged(self, id: str) -> None:
        self.confirmed.append(id)
        self._fingerprints = {key: value for key, value in self._fingerprints.items() if value != id}

    def repeated(self, fingerprint: str) -> str | None:
        return self._fingerprints.get(fingerprint)


class Answered:
    """A route as `flows.receiving.resolve` gives one."""

    def __init__(self, customer: Customer, domain: Domain, targets: tuple[object, ...], size_limit: int) -> None:
        self.customer, self.domain, self.targets, self.size_limit = customer, domain, targets, size_limit
        self.entry = None
        self.verdict: Verdict | None = None


class FewAddresses:
    """Every address of `mydomain.zz` and `other.zz` is a mailbox of its own; `gone@` is banished, `vip@` takes more."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.hold: Deferred[None] | None = None

    async def resolve(self, recipient: Recipient, index: int) -> "Answered | Verdict":
        if self.hold is not None:
            await self.hold
        if self.trouble is not None:
            raise self.trouble
        try:
            address = parse(recipient.as_given)
        except Invalid:
            return Verdict(553, "5.1.3", "bad recipient address")
        if address.domain not in ("mydomain.zz", "other.zz"):
            return Verdict(550, "5.7.1", "relaying denied")
        customer = Customer(id=address.domain[:-3], domain=address.domain, alternate_domain="mydomainzz.emailgency.com")
        domain = Domain(address.domain, customer.id, DomainKind.MAIN)
        targets = (Deliver(customer=customer.id, mailbox=address.local, recipient=index),)
        limit = 20 << 20 if address.local.startswith("vip") else 10 << 20
        return Answered(customer, domain, () if address.local == "gone" else targets, limit)


class IdleStorer:
    """A storer that is never behind, unless told."""

    def __init__(self) -> None:
        self.busy = False
        self.on_busy: list[Callable[[bool], None]] = []

    def set_busy(self, busy: bool) -> None:
        self.busy = busy
        for told in self.on_busy:
            told(busy)


def build(
    reactor: IReactorTime,
    spool: MemorySpool,
    resolver: FewAddresses | None = None,
    settings: SmtpSettings | None = None,
    storer: IdleStorer | None = None,
    certificates: IOpenSSLServerConnectionCreator | None = None,
) -> SmtpFactory:
    """Port 25."""
    reception = Reception(
        resolver or FewAddresses(),
        spool,
        lambda: 1_800_000_000.0,
        "mx.emailgency.example",
        (settings or SmtpSettings()).reception,
        "emailgency.example",
    )
    service = SmtpService(reactor, reception, storer or IdleStorer(), settings or SmtpSettings(), certificates)
    return SmtpFactory(service)


class Wire(StringTransport):
    """A TCP connection in memory."""

    def __init__(self, ip: str = "192.0.2.9") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", ip, 4711))
        self.closed = self.half_closed = self.aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def loseConnection(self) -> None:
        self.closed = True

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def abortConnection(self) -> None:
        self.aborted = True

    def lines(self) -> list[str]:
        """The reply lines since the last look; "<closed>" when no more will come."""
        found = self.value().decode("ascii").split("\r\n")
        assert found.pop() == "", "a reply without CRLF"
        self.clear()
        return found + ["<closed>"] * (self.closed or self.half_closed or self.aborted)


class Talk:
    """A client beside a real `SmtpProtocol`, without a socket."""

    def __init__(self, factory: SmtpFactory, ip: str = "192.0.2.9") -> None:
        self.wire = Wire(ip)
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.wire)

    def say(self, octets: bytes, piece: int = 0) -> list[str]:
        """Send `octets`, in pieces if so asked; the replies."""
        for at in range(0, len(octets), piece or len(octets)):
            self.protocol.dataReceived(octets[at : at + (piece or len(octets))])
        return self.wire.lines()

    def codes(self, octets: bytes, piece: int = 0) -> list[int]:
        return [int(line[:3]) for line in self.say(octets, piece) if line[3:4] == " "]

    def hang_up(self) -> None:
        self.protocol.connectionLost()
