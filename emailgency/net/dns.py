"""Questions to the DNS: dnspython's messages over Twisted's sockets.

A stub resolver: it asks one of the configured recursive resolvers over UDP from a fresh port with a random id, takes
only the answer to its own question from the address it asked, goes to TCP when the answer is truncated or somebody
seems to be guessing, and to the next resolver when there is silence. Answers are kept for their TTL in a bounded
cache, and a question already under way is not asked twice.

An answer tells apart what mail must tell apart: records, no such name, no such data, and failure, which says
nothing about the name. Whether the AD bit counts is said in the answer (only from a resolver on loopback).
"""

import secrets
import struct
from collections import OrderedDict
from enum import Enum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.defer import TimeoutError as NoAnswer
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from emailgency.net.reactor import NetReactor

if TYPE_CHECKING:
    from dns.message import Message

PAYLOAD = 1232  # octets; DNS flag day 2020: never fragmented on any usual path
DATAGRAM = 4096  # octets read of one datagram
STRANGE_ANSWERS = 8  # datagrams that are not the answer, before we take the question to TCP
UNDER_WAY = (
    1000  # questions at a time, each a socket for as long as a silent resolver is waited for; the next ones fail
)
NEGATIVE_TTL = 300.0  # at most, RFC 2308 section 5 allows up to 3 h


class Status(Enum):
    """Whether there is an answer, and what is known when there is none."""

    FOUND = "found"
    NO_SUCH_NAME = "no such name"  # NXDOMAIN
    NO_DATA = "no such data"  # the name exists, without this type
    FAILURE = "failure"  # SERVFAIL, REFUSED, silence, nonsense


class Answer(Struct, frozen=True):
    """`records` are texts: "192.0.2.1"; "10 mx.example"; a TXT's strings joined. `until` is on the reactor's clock."""

    status: Status
    records: tuple[str, ...] = ()
    reason: str = ""
    until: float = 0.0
    secure: bool = False  # AD bit from a resolver on loopback


class DnsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How names are resolved."""

    addresses: Annotated[
        tuple[str, ...],
        Meta(description='Recursive resolvers, "ip" or "ip:port" or "[ipv6]:port"; empty: those of /etc/resolv.conf'),
    ] = ()
    timeout: Annotated[float, Meta(gt=0, description="Wait for one answer, seconds")] = 3.0
    attempts: Annotated[int, Meta(ge=1, le=10, description="Questions sent before it counts as failure")] = 3
    cached: Annotated[int, Meta(ge=0, description="Answers kept at most")] = 10_000
    longest_ttl: Annotated[float, Meta(ge=0, description="Seconds an answer is kept at most")] = 3600.0
    ipv6: Annotated[bool, Meta(description="Also look for IPv6 addresses of mail servers")] = True

    def __post_init__(self) -> None:
        for text in self.addresses:
            try:
                _server(text)
            except ValueError as error:
                raise ValueError(f"addresses: {error}") from None


class Dns:
    """`addresses` of the settings are asked in order; a silent one is passed over to the next."""

    _log = Logger()

    def __init__(self, settings: DnsSettings, reactor: NetReactor) -> None:
        self._settings = settings
        self._reactor = reactor
        self._servers = [_server(text) for text in settings.addresses or _system_resolvers()]
        self._cache: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._asking: dict[tuple[str, str], list[Deferred[Answer]]] = {}

    async def mx(self, domain: str) -> Answer:
        """Records are "<preference> <host>", the host in lower case without its final dot ("" for null MX)."""
        return await self.query(domain, "MX")

    async def txt(self, name: str) -> Answer:
        return await self.query(name, "TXT")

    async def addresses(self, host: str) -> Answer:
        """IPv4 first, then IPv6. Failure only when neither could be asked."""
        kinds = ("A", "AAAA") if self._settings.ipv6 else ("A",)
        questions = [Deferred.fromCoroutine(self.query(host, kind)) for kind in kinds]
        answers = [answer for _, answer in await DeferredList(questions, fireOnOneErrback=True, consumeErrors=True)]
        if records := tuple(record for answer in answers for record in answer.records):
            return Answer(Status.FOUND, records, until=min(answer.until for answer in answers))
        return next((answer for answer in answers if answer.status is Status.FAILURE), answers[0])

    async def query(self, name: str, kind: str) -> Answer:
        """`kind` is the name of a type, "A". Never raises; a name that cannot be asked for does not exist."""
        key = (name.lower().removesuffix("."), kind)
        if (known := self._cache.get(key)) and known.until > self._reactor.seconds():
            self._cache.move_to_end(key)
            return known
        if key in self._asking:
            waiting: Deferred[Answer] = Deferred()
            self._asking[key].append(waiting)
            return await waiting
        if len(self._asking) >= UNDER_WAY:
            return Answer(Status.FAILURE, reason="too many questions are under way")
        self._asking[key] = []
        answer = Answer(Status.FAILURE, reason="interrupted")
        try:
            answer = await self._ask(*key)
        finally:
            for waiting in self._asking.pop(key):
                waiting.callback(answer)
        if answer.until > self._reactor.seconds():
            self._cache[key] = answer
            if len(self._cache) > self._settings.cached:
                self._cache.popitem(last=False)
        return answer

    async def _ask(self, name: str, kind: str) -> Answer:
        import dns.exception
        import dns.flags
        import dns.message

        try:
            question = dns.message.make_query(name, kind, payload=PAYLOAD, want_dnssec=False)
        except dns.exception.DNSException:
            return Answer(Status.NO_SUCH_NAME, reason="not a domain name")
        question.flags |= dns.flags.AD  # RFC 6840 section 5.7: tell us whether it validated
        reason = "no resolver"
        for attempt in range(self._settings.attempts if self._servers else 0):
            host, port = self._servers[attempt % len(self._servers)]
            question.id = secrets.randbelow(1 << 16)
            try:
                response = await self._exchange(question, host, port)
            except _Unanswered as error:
                reason = str(error)
                continue
            answer = self._read(response, kind, trusted=ip_address(host).is_loopback)
            if answer.status is not Status.FAILURE:
                return answer
            reason = answer.reason
        self._log.info("resolving {kind} {name} failed: {reason}", kind=kind, name=ascii(name), reason=reason)
        return Answer(Status.FAILURE, reason=reason)

    async def _exchange(self, question: "Message", host: str, port: int) -> "Message":
        datagrams = _Datagrams(question, host, port)
        interface = "::" if ":" in host else ""
        try:
            socket = self._reactor.listenUDP(0, datagrams, interface=interface, maxPacketSize=DATAGRAM)
        except (CannotListenError, OSError) as error:  # no port or no file descriptor is left
            raise _Unanswered(f"no socket: {error}") from None
        try:
            response = await datagrams.answered.addTimeout(self._settings.timeout, self._reactor)
        except NoAnswer:
            raise _Unanswered(f"{host} is silent") from None
        except OSError as error:
            raise _Unanswered(f"{host}: {error.strerror}") from None
        finally:
            socket.stopListening()
        if response is not None:
            return response
        stream = _Stream(question)
        connector = self._reactor.connectTCP(host, port, _Connecting(stream), self._settings.timeout)
        try:
            return await stream.answered.addTimeout(self._settings.timeout, self._reactor)
        except NoAnswer:
            raise _Unanswered(f"{host} is silent over TCP") from None
        finally:
            connector.disconnect()

    def _read(self, response: "Message", kind: str, trusted: bool) -> Answer:
        import dns.exception
        import dns.flags
        import dns.message
        import dns.rcode

        assert isinstance(response, dns.message.QueryMessage)
        code = response.rcode()
        if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return Answer(Status.FAILURE, reason=dns.rcode.to_text(code))
        try:
            chain = response.resolve_chaining()  # follows CNAMEs within the answer, at most 16
        except dns.exception.DNSException as error:
            return Answer(Status.FAILURE, reason=f"answer makes no sense: {type(error).__name__}")
        secure = trusted and bool(response.flags & dns.flags.AD)
        if chain.answer is None:
            # RFC 2308 section 5: without an SOA it is not known how long this holds
            known_for = min(chain.minimum_ttl, NEGATIVE_TTL) if response.authority else 0
            until = self._until(known_for)
            status = Status.NO_SUCH_NAME if code == dns.rcode.NXDOMAIN else Status.NO_DATA
            return Answer(status, until=until, secure=secure)
        records = tuple(_text(record, kind) for record in chain.answer)
        return Answer(Status.FOUND, records, until=self._until(chain.minimum_ttl), secure=secure)

    def _until(self, ttl: float) -> float:
        return self._reactor.seconds() + min(ttl, self._settings.longest_ttl)


class _Unanswered(Exception):
    """This resolver did not answer this time."""


class _Datagrams(DatagramProtocol):
    """One question over UDP. `answered` gives the answer, or None when TCP should be used."""

    noisy = False

    def __init__(self, question: "Message", host: str, port: int) -> None:
        self.answered: Deferred[Message | None] = Deferred()
        self._question = question
        self._address = (host, port)
        self._strange = 0

    def startProtocol(self) -> None:
        assert self.transport is not None
        try:
            self.transport.connect(*self._address)  # the kernel drops what comes from elsewhere
            self.transport.write(self._question.to_wire(), None)
        except OSError as error:  # no route: the network is down
            self.answered.errback(error)

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        import dns.exception
        import dns.flags
        import dns.message

        try:
            response = dns.message.from_wire(datagram, ignore_trailing=True, raise_on_truncation=False)
        except (dns.exception.DNSException, ValueError):
            response = None
        if response is None or not _answers(response, self._question):
            self._strange += 1
            if self._strange >= STRANGE_ANSWERS:
                self._done(None)
        else:
            self._done(None if response.flags & dns.flags.TC else response)

    def stopProtocol(self) -> None:
        """Also what the epoll reactor makes of "port unreachable"."""
        self.connectionRefused()

    def connectionRefused(self) -> None:
        if not self.answered.called:
            self.answered.errback(_Unanswered(f"{self._address[0]} refuses"))

    def _done(self, response: "Message | None") -> None:
        if not self.answered.called:
            self.answered.callback(response)


class _Stream(Protocol):
    """One question over TCP (RFC 7766): two octets of length before each message."""

    def __init__(self, question: "Message") -> None:
        self.answered: Deferred[Message] = Deferred()
        self._question = question
        self._received = b""

    def connectionMade(self) -> None:
        wire = self._question.to_wire()
        assert self.transport is not None
        self.transport.write(struct.pack("!H", len(wire)) + wire)

    def dataReceived(self, data: bytes) -> None:
        import dns.exception
        import dns.message

        self._received += data  # at most 65,537 octets count
        if len(self._received) < 2 or self.answered.called:
            return
        length = struct.unpack_from("!H", self._received)[0]
        if len(self._received) < 2 + length:
            return
        try:
            response = dns.message.from_wire(self._received[2 : 2 + length])
        except (dns.exception.DNSException, ValueError):
            self.answered.errback(_Unanswered("nonsense over TCP"))
            return
        if _answers(response, self._question):
            self.answered.callback(response)
        else:
            self.answered.errback(_Unanswered("the answer is to another question"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answered.called:
            self.answered.errback(_Unanswered("connection closed without an answer"))


class _Connecting(ClientFactory):
    """Makes the one stream; a failed connection is an unanswered question."""

    noisy = False

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def buildProtocol(self, addr: object) -> _Stream:
        return self._stream

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._stream.connectionLost(reason)


def _answers(response: "Message", question: "Message") -> bool:
    """The id, the QR bit, the opcode and the question in full; case of the name does not count."""
    return question.is_response(response) and bool(response.question or response.rcode())


def _text(record: Any, kind: str) -> str:
    if kind == "MX":
        return f"{record.preference} {record.exchange.to_text(omit_final_dot=True).lower()}".replace(" .", " ")
    if kind == "TXT":
        return b"".join(record.strings).decode("latin-1")
    return str(record.to_text())


def _server(text: str) -> tuple[str, int]:
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, port = text.split(":")
    return str(ip_address(host)), int(port)


def _system_resolvers() -> list[str]:
    """The `nameserver` lines of resolv.conf(5); without any, the one on this machine."""
    try:
        with open("/etc/resolv.conf", encoding="latin-1") as file:
            words = [line.split() for line in file]
    except OSError:
        words = []
    found = [word[1].partition("%")[0] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return found or ["127.0.0.1"]
