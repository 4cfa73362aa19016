"""Telling the sender, or keeping what cannot be told (product row C6, RFC 3461 section 5).

A notification is a message like any other: committed to the spool before the failure is recorded, so that a crash
between the two tells twice and never not at all. Its sender is null, and nothing with a null sender is answered.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from emailgency.codec import dsn, trace
from emailgency.codec.dsn import Action, Report, Status
from emailgency.flows.receiving.resolve import resolve_from_within
from emailgency.flows.relaying import octets
from emailgency.flows.relaying.copying import copied
from emailgency.model.envelope import Client, Envelope, Outbound, Outcome, Recipient, Relay, Target, Undelivered
from emailgency.model.errors import Temporary
from emailgency.model.verdict import Verdict
from emailgency.rules.backscatter import Answer, answer

if TYPE_CHECKING:
    from emailgency.flows.receiving.resolve import Resolver
    from emailgency.store.spool.spool import Live, Spool

HOUR = 3600.0


class BounceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notifications to senders."""

    per_hour: Annotated[
        int, Meta(ge=1, description="Notifications to one sender in an hour; further failures go to Undelivered")
    ] = 60
    whole: Annotated[
        int, Meta(ge=0, description="Octets up to which a failed message is returned whole when RET=FULL asks for it")
    ] = 1 << 20


class Bounces:
    """One for all remote mail."""

    _log = Logger()

    def __init__(
        self,
        spool: "Spool",
        resolver: "Resolver",
        reactor: IReactorTime,
        clock: Callable[[], float],
        host_name: str,
        settings: BounceSettings,
    ) -> None:
        self.spool = spool
        self.resolver = resolver
        self._reactor = reactor
        self._clock = clock
        self._host_name = host_name
        self.settings = settings
        self._hour = 0
        self._told: dict[str, int] = {}  # sender -> notifications in the current hour

    async def failed(self, live: "Live", failures: dict[int, Outcome]) -> None:
        """Targets that failed for good: tell or keep, then record them. Raises Temporary: then nothing is recorded."""
        envelope = live.envelope
        chosen: dict[Answer, list[int]] = {}
        for index in failures:
            chosen.setdefault(self._answer(envelope, index, "FAILURE"), []).append(index)
        if (told := chosen.get(Answer.NOTIFY)) and not self._within_limit(envelope.sender):
            chosen.setdefault(Answer.KEEP, []).extend(told)
            del chosen[Answer.NOTIFY]
        if told := chosen.get(Answer.NOTIFY):
            outcomes = {index: failures[index] for index in told}
            if not await self._notify(envelope, outcomes, Action.FAILED):
                chosen.setdefault(Answer.KEEP, []).extend(told)
        if kept := chosen.get(Answer.KEEP):
            await self._keep(envelope, {index: failures[index] for index in kept})
        for index, outcome in failures.items():
            await self.spool.finished(envelope.id, (index,), outcome)
            self._log.info(
                "{id} {word} for {recipient}: {reason}",
                id=envelope.id,
                word=outcome.word,
                recipient=_address(envelope, index),
                reason=_reason(outcome),
            )

    async def relayed(self, live: "Live", targets: list[int], outcome: Outcome) -> None:
        """The next hop does not do RFC 3461: who asked for a notification of success gets "relayed" (section 5.2.2)."""
        envelope = live.envelope
        asked = [index for index in targets if self._answer(envelope, index, "SUCCESS") is Answer.NOTIFY]
        if asked:
            await self._notify(envelope, dict.fromkeys(asked, outcome), Action.RELAYED)

    async def delayed(self, live: "Live", targets: list[int], outcome: Outcome, until: float) -> None:
        """Still trying, until that time."""
        envelope = live.envelope
        asked = [index for index in targets if self._answer(envelope, index, "DELAY") is Answer.NOTIFY]
        if asked and self._within_limit(envelope.sender):
            await self._notify(envelope, dict.fromkeys(asked, outcome), Action.DELAYED, until)

    def _answer(self, envelope: Envelope, index: int, event: str) -> Answer:
        target = envelope.plan[index]
        assert isinstance(target, Relay | Outbound)
        if isinstance(target, Outbound) and target.origin in ("bounce", "notice", "return"):
            return Answer.SILENCE  # notifications; what became of them is in our log
        return answer(envelope, envelope.recipients[target.recipient], event)

    def _within_limit(self, sender: str) -> bool:
        hour = int(self._clock() // HOUR)
        if hour != self._hour:
            self._hour, self._told = hour, {}
        self._told[sender] = self._told.get(sender, 0) + 1
        return self._told[sender] <= self.settings.per_hour

    # ---- a notification ------------------------------------------------------------------------------------

    async def _notify(
        self, envelope: Envelope, outcomes: dict[int, Outcome], action: Action, until: float | None = None
    ) -> bool:
        """False when there is no way to the sender."""
        to = Recipient(as_given=envelope.sender, notify=("NEVER",))
        plan = await self._way_to(envelope, to)
        if not plan:
            return False
        now = self._clock()
        whole = action is Action.FAILED and envelope.ret == "FULL" and envelope.size <= self.settings.whole
        whole = whole and not envelope.require_tls  # RFC 8689 section 5
        arrival = self.spool.begin(now)
        report = Report(
            reporting=self._host_name,
            to=envelope.sender,
            message_id=f"{arrival.id}@{self._host_name}",
            boundary=secrets.token_hex(16),
            now=now,
            arrived=envelope.received_at,
            statuses=tuple(_status(envelope, index, outcome, action, until) for index, outcome in outcomes.items()),
            envid=envelope.envid,
            whole=whole,
        )
        head, tail = dsn.compose(report)
        return_path = trace.return_path("")
        eight_bit = False
        try:
            arrival.write(return_path + head)
            async for chunk in self._original(envelope, header_only=not whole):
                eight_bit = eight_bit or not chunk.isascii()
                arrival.write(chunk)
            arrival.write(tail)
        except BaseException:
            arrival.abort()
            raise
        await self.spool.commit(
            arrival,
            Envelope(
                id=arrival.id,
                customer=envelope.customer,
                sender="",
                received_at=now,
                size=arrival.size,
                checksum=arrival.checksum,
                return_path=len(return_path),
                recipients=(to,),
                plan=plan,
                client=Client(ip="127.0.0.1"),
                body="8bitmime" if eight_bit else "7bit",
                smtputf8=not envelope.sender.isascii(),
                require_tls=envelope.require_tls,
                subject=dsn.subject(action),
                message_id=report.message_id,
                about=envelope.id,
            ),
        )
        self._log.info(
            "{id} {action} notification for {original} to {sender}",
            id=arrival.id,
            action=action.value,
            original=envelope.id,
            sender=ascii(envelope.sender),
        )
        return True

    async def _way_to(self, envelope: Envelope, to: Recipient) -> tuple[Target, ...]:
        """A sender of ours gets it like any mail; another one at his own MX."""
        route = await resolve_from_within(self.resolver, to, 0)
        if isinstance(route, Verdict):
            if route.temporary:
                raise Temporary(f"no way to the sender for now: {route.text}")
            return (Outbound(customer=envelope.customer, address=envelope.sender, recipient=0, origin="bounce"),)
        return route.targets

    async def _original(self, envelope: Envelope, *, header_only: bool) -> AsyncIterator[bytes]:
        """The message as it came, or its header."""
        path = self.spool.path(envelope.id)
        if header_only:
            yield octets.header(path, envelope.return_path)
            return
        async for chunk in octets.chunks(self._reactor, path, envelope.return_path):
            yield chunk

    # ---- Undelivered ---------------------------------------------------------------------------------------

    async def _keep(self, envelope: Envelope, outcomes: dict[int, Outcome]) -> None:
        """A copy with the reason in its header, in the customer's Undelivered folder (row A7)."""
        plan: list[Target] = []
        reasons = []
        for index, outcome in outcomes.items():
            target = envelope.plan[index]
            assert isinstance(target, Relay | Outbound)
            plan.append(Undelivered(customer=target.customer, recipient=target.recipient))
            reason = f"<{target.address}>: {outcome.word}, {_reason(outcome)}"
            reasons.append(dsn.field("X-Undelivered-Reason", reason) + "\r\n")
        fields = "".join(reasons).encode()
        targets = tuple(dict.fromkeys(plan))
        await copied(self.spool, self._reactor, envelope, self._clock(), lambda id: fields, plan=targets)


def _address(envelope: Envelope, index: int) -> str:
    target = envelope.plan[index]
    assert isinstance(target, Relay | Outbound)
    return target.address


def _reason(outcome: Outcome) -> str:
    code = f"{outcome.code} {outcome.enhanced}".strip() if outcome.code else ""
    said = f"{outcome.remote} said " if outcome.remote else ""
    return f"{said}{code} {outcome.reply}".strip()


def _status(envelope: Envelope, index: int, outcome: Outcome, action: Action, until: float | None) -> Status:
    target = envelope.plan[index]
    assert isinstance(target, Relay | Outbound)
    recipient = envelope.recipients[target.recipient]
    digit = {Action.FAILED: "5", Action.DELAYED: "4", Action.RELAYED: "2"}[action]
    status = outcome.enhanced if outcome.enhanced.startswith(digit) else f"{digit}.0.0"
    if outcome.word == "expired":
        status = "4.4.7"  # RFC 3463: delivery time expired
    said = outcome.code and outcome.remote
    return Status(
        address=target.address if not isinstance(target, Outbound) or target.origin == "submit" else recipient.as_given,
        action=action,
        status=status,
        original=recipient.original,
        diagnostic=f"{outcome.code} {outcome.enhanced} {outcome.reply}" if said else "",
        remote=outcome.remote.partition("[")[0],
        reason="" if said else outcome.reply,
        until=until,
    )
