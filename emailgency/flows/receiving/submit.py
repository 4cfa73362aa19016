"""Users send mail (rows B8, B10): what differs from `flows.receiving.receive`.

A user sends under his own addresses only, in the envelope and in the header; rights are looked at again at each MAIL.
Recipients of ours become what their address means, all others Outbound. What a mail program may leave out is added
(RFC 6409 section 8), Bcc is taken off; not another octet is touched.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from emailgency.codec import originators, trace
from emailgency.codec.address import foreign_domain, parse
from emailgency.codec.smtp.command import Mail, Rcpt
from emailgency.flows.receiving.receive import (
    BAD_RECIPIENT,
    ONLY_NOTICES,
    RECIPIENT_OK,
    TOO_BIG,
    Meaning,
    Reception,
    ReceptionLimits,
    Transaction,
    is_return,
    recipient_of,
)
from emailgency.flows.receiving.resolve import resolve_from_within
from emailgency.model.address import Address
from emailgency.model.directory import HARD_MESSAGE_LIMIT, Customer, Mailbox
from emailgency.model.envelope import Client, Outbound, Recipient
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict
from emailgency.rules.rates import Rates
from emailgency.rules.rights import may_submit_as, sending_denied

if TYPE_CHECKING:
    from emailgency.flows.accounts.login import Principal
    from emailgency.flows.receiving.resolve import Resolver
    from emailgency.store.directory.directory import Directory
    from emailgency.store.spool.arrival import Arrival
    from emailgency.store.spool.spool import Spool

DENIED = Verdict(550, "5.7.1", "sending is switched off for this mailbox")
CHANGED = Verdict(421, "4.7.0", "your password or rights have changed, log in again")
NOT_YOURS = Verdict(550, "5.7.1", "this sender address is not yours")
NOT_YOUR_FROM = Verdict(550, "5.7.1", "an address in From or Sender is not yours")
NO_FROM = Verdict(550, "5.6.0", "message needs exactly one From field")
BAD_FROM = Verdict(550, "5.6.0", "From or Sender field cannot be read")
LONG_HEADER = Verdict(550, "5.6.0", "header too long")
ONE_NOTICE = Verdict(452, "4.5.3", "a notice without sender goes to one recipient")
TOO_MUCH = Verdict(450, "4.7.1", "this mailbox has sent to very many recipients, try again later")
_HIDDEN = frozenset({"bcc", "resent-bcc", "return-path"})


class SubmissionLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `smtp.submission` of the settings."""

    recipients_per_hour: Annotated[
        int, Meta(ge=10, description="Recipients one mailbox may send to in an hour, on average.")
    ] = 500
    recipients_at_once: Annotated[
        int, Meta(ge=10, description="Recipients one mailbox may send to at once, after having been quiet.")
    ] = 1000


class Submission(Reception):
    """Takes mail from users who have logged in. One for all connections of ports 587 and 465."""

    def __init__(
        self,
        resolver: "Resolver",
        spool: "Spool",
        clock: Callable[[], float],
        host_name: str,
        limits: ReceptionLimits,
        directory: "Directory",
        own_limits: SubmissionLimits,
        service_domain: str = "",
    ) -> None:
        super().__init__(resolver, spool, clock, host_name, limits, service_domain)
        self.directory = directory
        self.rates = Rates(0.0, 0)
        self.adopt(own_limits)

    def adopt(self, own_limits: SubmissionLimits) -> None:
        """These limits from now on."""
        self.rates.per_second = own_limits.recipients_per_hour / 3600
        self.rates.at_once = own_limits.recipients_at_once

    async def begin(
        self, client: Client, mail: Mail, protocol: str, principal: "Principal | None"
    ) -> "SubmittedTransaction | Verdict":
        assert principal is not None  # or the codec has refused MAIL
        refusal = self.refusal(mail)
        if refusal is not None:
            return refusal
        mailbox = await self.directory.mailbox(principal.mailbox)
        if mailbox is None:
            return CHANGED
        customer = await self.directory.customer(mailbox.customer)
        if sending_denied(mailbox, customer):
            return DENIED
        if not principal.holds(mailbox):
            return CHANGED
        user = User(mailbox, customer, self.directory, principal)
        # RFC 8098 section 3: a mail program sends its notices of reading with the null sender
        if mail.sender and not await user.may_send_as(mail.sender):
            return NOT_YOURS
        plan = await self.directory.plan(customer.plan)
        limit = HARD_MESSAGE_LIMIT if mailbox.vip else plan.message_size
        if mail.size is not None and mail.size > limit:
            return TOO_BIG
        return SubmittedTransaction(self, client, mail, protocol, user, limit)


class User:
    """Who sends, and as whom he may."""

    def __init__(self, mailbox: Mailbox, customer: Customer, directory: "Directory", principal: "Principal") -> None:
        self.mailbox = mailbox
        self.customer = customer
        self._directory = directory
        self._principal = principal

    async def may_still_send(self) -> bool:
        """Not when sending has been denied since he was looked up, or what he logged in with opens nothing any more."""
        mailbox = await self._directory.mailbox(self.mailbox.id)
        if mailbox is None or not self._principal.holds(mailbox):
            return False
        return not sending_denied(mailbox, await self._directory.customer(mailbox.customer))

    async def may_send_as(self, sender: str) -> bool:
        try:
            return await self.may_use(parse(sender))
        except Invalid:
            return False  # nobody's here

    async def may_use(self, sender: Address) -> bool:
        entry = await self._directory.entry(self.customer.id, sender.local)
        return may_submit_as(sender, self.mailbox, self.customer, entry)


class SubmittedTransaction(Transaction):
    """One message of a user. Its recipients may be anybody's: each target knows its own customer."""

    def __init__(
        self, submission: Submission, client: Client, mail: Mail, protocol: str, user: User, limit: int
    ) -> None:
        super().__init__(submission, client, mail, protocol)
        self._submission = submission
        self._user = user
        self._customer = user.customer.id
        self._limit = min(limit, self._limit)

    async def recipient(self, rcpt: Rcpt) -> Verdict:
        if self._recipients and not self._mail.sender:
            return ONE_NOTICE
        meaning = await self._meaning(rcpt, len(self._recipients))
        if isinstance(meaning, Verdict):
            return meaning
        if self._mail.sender and is_return(meaning.targets):
            return ONLY_NOTICES
        if self._mail.size is not None and self._mail.size > meaning.size_limit:
            return TOO_BIG
        refusal = await self._claims.take(meaning.targets, meaning.size_limit)
        if refusal is not None:
            return refusal
        if not self._submission.rates.take(self._user.mailbox.id, self._submission.clock()):
            return TOO_MUCH
        self._limit = min(self._limit, meaning.size_limit)
        self._take(meaning.recipient, meaning.targets)
        return RECIPIENT_OK

    async def _meaning(self, rcpt: Rcpt, index: int) -> Meaning | Verdict:
        try:
            ours = await self._submission.directory.domain(foreign_domain(rcpt.address))
        except Invalid:
            return await self._submission.operators(rcpt, index) or BAD_RECIPIENT
        if ours is not None:
            return await self._meaning_here(recipient_of(rcpt), index)
        outbound = Outbound(customer=self._customer, address=rcpt.address, recipient=index, origin="submit")
        elsewhere = Meaning(recipient_of(rcpt), self._customer, (outbound,), HARD_MESSAGE_LIMIT)
        return await self._submission.operators(rcpt, index) or elsewhere

    async def _meaning_here(self, recipient: Recipient, index: int) -> Meaning | Verdict:
        route = await resolve_from_within(self._submission.resolver, recipient, index)
        if isinstance(route, Verdict):
            return route
        return route.verdict or Meaning(recipient, route.customer.id, route.targets, route.size_limit)

    # ---- the header ---------------------------------------------------------------------------------------

    def _header(self, header: bytes) -> bytes:
        """With what the mail program left out, and without what is nobody's business."""
        assert self._arrival is not None
        present = {name for name, _ in originators.fields(header)}
        added = b""
        if "date" not in present:
            added += f"Date: {trace.date(int(self._submission.clock()))}\r\n".encode()
        if "message-id" not in present:
            added += f"Message-ID: <{self._own_message_id(self._arrival)}>\r\n".encode()
        return added + originators.without(super()._header(header), _HIDDEN)

    def _own_message_id(self, arrival: "Arrival") -> str:
        return f"{arrival.id}@{self._submission.host_name}"

    def _headline(self, arrival: "Arrival") -> tuple[str, str]:
        subject, message_id = super()._headline(arrival)
        return subject, message_id or self._own_message_id(arrival)

    async def _objection(self) -> Verdict | None:
        objection = await super()._objection()
        if objection is not None:
            return objection
        if self._scan.cut:
            return LONG_HEADER
        if self._arrival is not None and self._plan:
            self._heading.close(self._arrival)  # a message that is all header
        if not await self._user.may_still_send():  # row B8: at once, also for what is under way
            return DENIED
        return await self._not_his()

    async def _not_his(self) -> Verdict | None:
        """Row B10: From names the user, and so does Sender when it is there."""
        named = [(name, value) for name, value in originators.fields(self._scan.octets) if name in ("from", "sender")]
        if [name for name, _ in named].count("from") != 1:
            return NO_FROM
        try:
            addresses = [address for _, value in named for address in originators.mailboxes(value)]
        except Invalid:
            return BAD_FROM
        if not addresses:
            return NO_FROM
        for address in dict.fromkeys(addresses):
            if not await self._user.may_use(address):
                return NOT_YOUR_FROM
        return None
