"""Mail comes in: what each recipient means, the trace fields, and the commit that our 250 stands on (row B10, C7, D1).

One transaction serves one customer. After `finish` has answered 250 the message and its whole plan are on stable
storage; any other answer means that nothing of it is kept. Trouble of our own is never told as 5xx.
"""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from emailgency.codec import authentication_results, trace
from emailgency.codec.address import foreign_domain, parse
from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.codec.trace import HeaderScan, Stamp
from emailgency.flows.receiving.heading import Heading
from emailgency.flows.receiving.unknown_recipients import Claims
from emailgency.model.authentication import Findings
from emailgency.model.directory import HARD_MESSAGE_LIMIT, OPERATOR
from emailgency.model.envelope import (
    Catchall,
    Client,
    Deliver,
    Envelope,
    Outbound,
    Recipient,
    Relay,
    Target,
    Undelivered,
)
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict
from emailgency.rules.networks import network
from emailgency.rules.routing import MISSING, POSTMASTER

if TYPE_CHECKING:
    from emailgency.flows.accounts.login import Principal
    from emailgency.flows.receiving.examination import Examiner
    from emailgency.flows.receiving.resolve import Resolver
    from emailgency.flows.receiving.unknown_recipients import Claimed, UnknownRecipients
    from emailgency.store.spool.arrival import Arrival
    from emailgency.store.spool.spool import Spool

SENDER_OK = Verdict(250, "2.1.0", "sender ok")
RECIPIENT_OK = Verdict(250, "2.1.5", "recipient ok")
BAD_SENDER = Verdict(553, "5.1.7", "bad sender address")
BAD_RECIPIENT = Verdict(553, "5.1.3", "bad recipient address")
OTHER_CUSTOMER = Verdict(452, "4.5.3", "another transaction please, for this recipient")
TOO_BIG = Verdict(552, "5.3.4", "message too big")
ONLY_NOTICES = Verdict(550, "5.7.1", "only a notification comes back to this address")
LOOP = Verdict(554, "5.4.6", "too many Received fields, this is a loop")


class ReceptionLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `smtp.reception` of the settings."""

    message: Annotated[int, Meta(ge=65_536, description="Largest message, as SIZE counts.")] = HARD_MESSAGE_LIMIT
    received_fields: Annotated[
        int, Meta(ge=20, description="Received fields from which a message counts as looping (RFC 5321 section 6.3).")
    ] = 50
    postmaster: Annotated[
        str,
        Meta(
            description="A customer's address that gets mail for <postmaster> without a domain, and for postmaster@ "
            "`host_name` and `service_domain`. Empty: it is kept in the Maildir customers/operator/undelivered."
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.postmaster:
            try:
                parse(self.postmaster)
            except Invalid as error:
                raise ValueError(f"postmaster: {error}") from None


class Reception:
    """Takes mail from other servers. One for all connections of port 25."""

    def __init__(
        self,
        resolver: "Resolver",
        spool: "Spool",
        clock: Callable[[], float],
        host_name: str,
        limits: ReceptionLimits,
        service_domain: str = "",
    ) -> None:
        self.resolver = resolver
        self.spool = spool
        self.clock = clock
        self.host_name = host_name
        self.limits = limits
        self._own_names = frozenset((host_name, service_domain))
        self.examiner: Examiner | None = None  # None: nobody looks at who sent a message
        self.accepted = self.refused = uncounted  # told the customer of each message, and of each recipient refused
        self.rooms: tuple[Claimed, ...] = ()  # who is asked for room at each recipient
        self.guesses: UnknownRecipients | None = None  # who counts addresses that surely are nobody's
        self.dropped: Callable[[Envelope], None] = lambda envelope: None  # told of mail that nobody wants
        self.committing: dict[str, list[Deferred[None]]] = {}  # fingerprint -> repetitions that wait for its end

    async def begin(
        self, client: Client, mail: Mail, protocol: str, principal: "Principal | None"
    ) -> "Transaction | Verdict":
        """MAIL. `protocol` is the word for the Received field, `principal` who has logged in."""
        return self.refusal(mail) or Transaction(self, client, mail, protocol)

    def refusal(self, mail: Mail) -> Verdict | None:
        """What is wrong with this MAIL whoever sends it."""
        if self.spool.accepting is not None:
            return self.spool.accepting
        if mail.size is not None and mail.size > self.limits.message:
            return TOO_BIG
        if mail.sender:
            try:
                foreign_domain(mail.sender)
            except Invalid:
                return BAD_SENDER
        return None

    async def operators(self, rcpt: Rcpt, index: int) -> "Meaning | None":
        """What a recipient means that is whoever runs this server (RFC 5321 section 4.5.1); None: it is not.

        Asked for what is no address of a customer's. Notifications of ours come from such an address.
        """
        local, at, domain = rcpt.address.lower().rpartition("@")
        if (local if at else domain) != POSTMASTER or (at and domain not in self._own_names):
            return None
        if self.limits.postmaster:
            recipient = Recipient(as_given=self.limits.postmaster, notify=rcpt.notify, original=rcpt.original)
            route = await self.resolver.resolve(recipient, index)
            if not isinstance(route, Verdict) and route.verdict is None:
                return Meaning(recipient, route.customer.id, route.targets, route.size_limit)
        kept = Undelivered(customer=OPERATOR, recipient=index)
        return Meaning(recipient_of(rcpt), OPERATOR, (kept,), self.limits.message)


def uncounted(customer: str) -> None:
    """Nobody counts."""


class Meaning(Struct, frozen=True):
    """What becomes of one recipient."""

    recipient: Recipient
    customer: str
    targets: tuple[Target, ...]
    size_limit: int
    examined: bool = False  # the customer wants to know who sent it


class Transaction:
    """One message from MAIL to the answer behind its last octet. Ends with `finish` or `abort`."""

    log = Logger()

    def __init__(self, reception: Reception, client: Client, mail: Mail, protocol: str) -> None:
        self.accepted: str | None = None  # id of the message once its sender may hear 250
        self._reception = reception
        self._client = client
        self._mail = mail
        self._protocol = protocol
        self._customer = ""
        self._limit = reception.limits.message
        self._recipients: list[Recipient] = []
        self._plan: dict[tuple[str, ...], Target] = {}
        self._arrival: Arrival | None = None
        self._return_path = 0
        self._size = 0  # octets of the message as SIZE counts
        self._findings = Findings()
        self._digest = hashlib.sha256()
        self._scan = HeaderScan()
        self._heading = Heading(self._scan, self._header)
        self._claims = Claims(reception.rooms, mail.size)

    async def recipient(self, rcpt: Rcpt) -> Verdict:
        """RCPT. Nothing is changed unless the answer accepts."""
        recipient, index = recipient_of(rcpt), len(self._recipients)
        route = await self._reception.resolver.resolve(recipient, index)
        if isinstance(route, Verdict):
            meaning = await self._reception.operators(rcpt, index)
            if meaning is None:
                return route
        elif route.verdict is not None:
            self._reception.refused(route.customer.id)
            guesses = self._reception.guesses if route.verdict == MISSING and route.entry is None else None
            return (guesses and guesses.guessed(self._client.ip)) or route.verdict
        else:
            customer = route.customer
            meaning = Meaning(recipient, customer.id, route.targets, route.size_limit, customer.authentication)
        refusal = self._unfit(meaning) or await self._claims.take(meaning.targets, meaning.size_limit, self._client.ip)
        if refusal is not None:
            if refusal is not OTHER_CUSTOMER:
                self._reception.refused(meaning.customer)
            return refusal
        self._take(meaning.recipient, meaning.targets)
        if meaning.examined and self._heading.examination is None and (examiner := self._reception.examiner):
            self._heading.examination = examiner.begin(self._client.ip, self._client.helo, self._mail.sender)
        return RECIPIENT_OK

    def _unfit(self, meaning: Meaning) -> Verdict | None:
        """Rows B7 and A9: one transaction has one customer and one size limit."""
        if self._mail.sender and is_return(meaning.targets):
            return ONLY_NOTICES
        limit = min(meaning.size_limit, self._reception.limits.message)
        if self._recipients and meaning.customer != self._customer:
            return OTHER_CUSTOMER
        if self._mail.size is not None and self._mail.size > limit:
            return TOO_BIG
        if self._recipients and limit != self._limit:
            return OTHER_CUSTOMER
        self._customer, self._limit = meaning.customer, limit
        return None

    def _take(self, recipient: Recipient, targets: tuple[Target, ...]) -> None:
        self._recipients.append(recipient)
        for target in targets:
            self._plan.setdefault(_place(target), target)

    def write(self, octets: bytes) -> None:
        """More of the message."""
        self._size += len(octets)
        if self._size > self._limit:
            self.abort()  # let go of what came of it, and keep reading
            return
        self._digest.update(octets)
        self._scan.feed(octets)
        if self._arrival is None:
            self._arrival = self._open()
        if self._plan:
            self._heading.keep(self._arrival, octets)

    def _header(self, header: bytes) -> bytes:
        """As it is stored."""
        name = self._reception.host_name
        forged = authentication_results.forged(header, name)
        return authentication_results.without_forged(header, name) if forged else header

    def _open(self) -> "Arrival":
        """Begin the stored form: Return-Path, then our Received field."""
        reception, now = self._reception, self._reception.clock()
        arrival = reception.spool.begin(now)
        if self._plan:
            return_path = trace.return_path(self._mail.sender)
            self._return_path = len(return_path)
            arrival.write(return_path)
            self._heading.leave_room(arrival)
            arrival.write(trace.received(self._stamp(arrival.id, now)))
        return arrival

    def _stamp(self, id: str, now: float) -> Stamp:
        return Stamp(
            helo=self._client.helo,
            ip=self._client.ip,
            host_name=self._reception.host_name,
            protocol=self._protocol,
            id=id,
            at=now,
            tls=self._client.tls,
            recipient=self._recipients[0].as_given if len(self._recipients) == 1 else None,
        )

    async def finish(self, octets: bytes) -> Verdict:
        """The last octets; answers 250 only when the message is on stable storage, or nobody wants it."""
        try:
            return await self._finish(octets)
        finally:
            self._claims.settle(self.accepted is not None)

    async def _finish(self, octets: bytes) -> Verdict:
        self.write(octets)
        if self._size > self._limit:
            return TOO_BIG
        objection = await self._objection() or await self._claims.whole(self._size)
        arrival, self._arrival = self._arrival, None
        assert arrival is not None
        if objection is not None:
            arrival.abort()
            return objection
        if not self._plan:
            arrival.abort()
            self._reception.dropped(self._envelope(arrival, ""))
            self.log.info("{id} size={size} client={ip} dropped", id=arrival.id, size=self._size, ip=self._client.ip)
            return _queued(arrival.id)
        self._heading.close(arrival)
        self._findings = await self._heading.findings(arrival)
        fingerprint = self._fingerprint()
        while (waiting := self._reception.committing.get(fingerprint)) is not None:
            ended: Deferred[None] = Deferred()  # a slow disk, and a client who has lost patience and comes again
            waiting.append(ended)
            await ended
        original = self._reception.spool.repeated(fingerprint)
        if original is not None:
            arrival.abort()
            self.accepted = original
            self.log.info("{id} client={ip} repeated", id=original, ip=self._client.ip)
            return Verdict(250, "2.0.0", f"already queued as {original}")
        await self._commit(arrival, fingerprint)
        self.accepted, self._claims.stored = arrival.id, arrival.size
        self._reception.accepted(self._customer)
        self.log.info(
            "{id} from={sender} size={size} recipients={recipients} client={ip} helo={helo} received",
            id=arrival.id,
            sender=ascii(self._mail.sender),
            size=self._size,
            recipients=len(self._recipients),
            ip=self._client.ip,
            helo=self._client.helo,
        )
        return _queued(arrival.id)

    async def _commit(self, arrival: "Arrival", fingerprint: str) -> None:
        committing = self._reception.committing
        committing[fingerprint] = []
        try:
            await self._reception.spool.commit(arrival, self._envelope(arrival, fingerprint))
        finally:
            for ended in committing.pop(fingerprint):
                ended.callback(None)

    async def _objection(self) -> Verdict | None:
        """What is wrong with the message now that it is whole."""
        return LOOP if self._scan.received() >= self._reception.limits.received_fields else None

    def abort(self) -> None:
        """Nothing of this message is kept."""
        self._claims.settle(False)
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.abort()

    def _headline(self, arrival: "Arrival") -> tuple[str, str]:
        """Subject and Message-ID of what is stored."""
        return self._scan.headline()

    def _envelope(self, arrival: "Arrival", fingerprint: str) -> Envelope:
        subject, message_id = self._headline(arrival)
        return Envelope(
            id=arrival.id,
            customer=self._customer,
            sender=self._mail.sender,
            received_at=self._reception.clock(),
            size=arrival.size,
            return_path=self._return_path,
            recipients=tuple(self._recipients),
            plan=tuple(self._plan.values()),
            client=self._client,
            body=self._mail.body,
            smtputf8=self._mail.smtputf8,
            ret=self._mail.ret,
            envid=self._mail.envid,
            fingerprint=fingerprint,
            genuine=self._findings.genuine,
            require_tls=self._mail.require_tls,
            checks=tuple(f"{one.method}={one.result}" for one in self._findings.checked),
            subject=subject,
            message_id=message_id,
        )

    def _fingerprint(self) -> str:
        """RFC 1047: what tells a repetition of this transaction from any other message."""
        whole = self._digest
        recipients = sorted({recipient.as_given for recipient in self._recipients})
        for part in (network(self._client.ip), self._client.mailbox or "", self._mail.sender, *recipients):
            whole.update(b"\0" + part.encode())  # no message holds a NUL
        return whole.hexdigest()


def recipient_of(rcpt: Rcpt) -> Recipient:
    return Recipient(as_given=rcpt.address, notify=rcpt.notify, original=rcpt.original)


def is_return(targets: tuple[Target, ...]) -> bool:
    """Whether they lead back to the sender of a forward: no way for letters, or spam would go it."""
    return any(isinstance(target, Outbound) and target.origin == "return" for target in targets)


def _queued(id: str) -> Verdict:
    return Verdict(250, "2.0.0", f"queued as {id}")


def _place(target: Target) -> tuple[str, ...]:
    """Equal for targets that are the same copy: each mailbox gets a message once (attack row 14)."""
    match target:
        case Deliver():
            return ("deliver", target.mailbox)
        case Catchall():
            return ("catchall", target.customer, target.address)
        case Relay() | Outbound():
            return ("remote", target.address)
        case _:
            return ("undelivered", target.customer)
