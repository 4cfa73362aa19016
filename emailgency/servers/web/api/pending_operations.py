"""What waits for the customer's server, and messages of it in hand (rows D1, D2, G8)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from emailgency.flows.addresses.bulk import MOST, Bulk
from emailgency.flows.pending.hold_rules import HoldRules
from emailgency.flows.pending.pending_deeds import WORDS, PendingDeeds
from emailgency.flows.pending.pending_letters import PendingLetters, Search
from emailgency.flows.pending.pending_message import PendingMessages, RecipientLine
from emailgency.flows.pending.pending_view import MessageLine
from emailgency.flows.pending.server_view import Forecast, ServerView
from emailgency.flows.progress import silent
from emailgency.flows.relaying.flush import Flush
from emailgency.model.directory import HoldRule
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict
from emailgency.servers.web.api.candidate_operations import DeedResults, under_way
from emailgency.servers.web.api.operation import Accepted, Call, Caller, Created, Missing, Operation, Who
from emailgency.store.directory.directory import Directory
from emailgency.store.spool.pending import HELD

_MOST_SEARCHED = 10_000


class PendingQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parts of what is searched for, in any case."""

    limit: Annotated[int, Meta(ge=1, le=MOST, description="At most so many.")] = 100
    after: Annotated[str, Meta(max_length=400, description="What the page before gave as `next`.")] = ""
    sender: Annotated[str, Meta(max_length=200, description='"<>" finds those without.')] = ""
    recipient: Annotated[str, Meta(max_length=200)] = ""
    words: Annotated[str, Meta(max_length=200, description="In the header or the text of the oldest 10,000.")] = ""


class PendingShape(Struct, frozen=True, kw_only=True):
    """`due` null: as soon as its server answers, or, when it is held, not before it is released."""

    id: str
    sender: str
    recipients: list[str]
    received_at: float
    size: int
    due: float | None
    held: bool
    rule: str
    last: str
    expires_at: float | None


class PendingPage(Struct, frozen=True, kw_only=True):
    items: list[PendingShape]
    next: str | None


class PendingWhole(Struct, frozen=True, kw_only=True):
    id: str
    sender: str
    received_at: float
    size: int
    expires_at: float | None
    outbound: bool
    recipients: list[RecipientLine]
    header_from: str
    header_to: str
    subject: str
    date: str
    head: str
    text: str
    cut: bool


class PendingDeed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bounce`, `drop` and `keep` are for good. `mailbox`: where it is kept; "": Undelivered. `host`: `host[:port]`
    it is led to; "": its own server."""

    deed: Literal["hold", "release", "retry", "bounce", "drop", "keep", "reroute"]
    ids: Annotated[list[str], Meta(min_length=1, max_length=MOST)]
    mailbox: str = ""
    host: str = ""


class Flushed(Struct, frozen=True, kw_only=True):
    messages: int


class HoldRuleShape(Struct, frozen=True, kw_only=True):
    """With neither sender nor recipient it holds everything."""

    id: str
    sender: str
    recipient: str
    made_at: float
    made_by: str


class HoldRulesShape(Struct, frozen=True, kw_only=True):
    items: list[HoldRuleShape]


class NewHoldRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Patterns: an address or a domain, in which * stands for anything; "<>" is the null sender. Both are given, so
    that nobody holds everything by mistake."""

    sender: str
    recipient: str


class ServerShape(Struct, frozen=True, kw_only=True):
    """`domain` "": the SMTP transport. `wave`: messages that may go before more may; null: all."""

    domain: str
    state: str
    since: float | None
    reason: str
    next_probe: float | None
    wave: int | None
    pending: int


class IncidentShape(Struct, frozen=True, kw_only=True):
    began_at: float
    ended_at: float | None
    reason: str


class Servers(Struct, frozen=True, kw_only=True):
    servers: list[ServerShape]
    incidents: list[IncidentShape]
    forecast: Forecast


class PendingOperations:
    def __init__(
        self,
        directory: Directory,
        servers: ServerView,
        letters: PendingLetters,
        messages: PendingMessages,
        deeds: PendingDeeds,
        rules: HoldRules,
        bulk: Bulk,
        flush: Flush,
    ) -> None:
        self._directory = directory
        self._servers = servers
        self._letters = letters
        self._messages = messages
        self._deeds = deeds
        self._rules = rules
        self._bulk = bulk
        self._flush = flush

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Pending mail"}
        return [
            Operation(
                method="GET",
                path="/pending",
                deed=self.list_pending,
                summary="What waits, the oldest first",
                answer=PendingPage,
                query=PendingQuery,
                **same,
            ),
            Operation(
                method="GET",
                path="/pending/<id>",
                deed=self.show_pending,
                summary="One message: its recipients, header and text",
                answer=PendingWhole,
                **same,
            ),
            Operation(
                method="POST",
                path="/pending/deeds",
                deed=self.do_to_pending,
                summary="Hold, release, try now, give up, drop, or keep here",
                answer=DeedResults,
                body=PendingDeed,
                later=True,
                **same,
            ),
            Operation(
                method="POST",
                path="/pending/flush",
                deed=self.flush,
                summary="Make everything due now",
                answer=Flushed,
                **same,
            ),
            Operation(
                method="GET",
                path="/holds",
                deed=self.list_rules,
                summary="Rules that hold mail",
                answer=HoldRulesShape,
                **same,
            ),
            Operation(
                method="POST",
                path="/holds",
                deed=self.add_rule,
                summary="Hold mail by sender, recipient, or all of it",
                answer=HoldRuleShape,
                body=NewHoldRule,
                makes=True,
                **same,
            ),
            Operation(
                method="DELETE",
                path="/holds/<id>",
                deed=self.remove_rule,
                summary="What a rule held may go",
                **same,
            ),
            Operation(
                method="GET",
                path="/servers",
                deed=self.show_servers,
                summary="How the customer's servers do, incidents, forecast",
                answer=Servers,
                **same,
            ),
        ]

    async def list_pending(self, caller: Caller, call: Call) -> PendingPage:
        asked: PendingQuery = call.query
        search = Search(asked.sender, asked.recipient, asked.words)
        lines = await self._letters.search(caller.customer, search, _MOST_SEARCHED, silent)
        keyed = sorted((f"{line.received_at:017.6f} {line.id} {line.recipients[0]}", line) for line in lines)
        found = [pair for pair in keyed if pair[0] > asked.after]
        page = found[: asked.limit]
        more = page[-1][0] if len(found) > len(page) else None
        return PendingPage(items=[_line(line) for _, line in page], next=more)

    async def show_pending(self, caller: Caller, call: Call) -> PendingWhole:
        found = await self._messages.of(caller.customer, call.path["id"])
        envelope, letter = found.envelope, found.letter
        return PendingWhole(
            id=envelope.id,
            sender=envelope.sender,
            received_at=envelope.received_at,
            size=envelope.size,
            expires_at=found.expires_at,
            outbound=found.outbound,
            recipients=list(found.recipients),
            header_from=letter.sender,
            header_to=letter.to,
            subject=letter.subject,
            date=letter.date,
            head=letter.head,
            text=letter.text,
            cut=letter.cut,
        )

    async def do_to_pending(self, caller: Caller, call: Call) -> DeedResults | Accepted:
        asked: PendingDeed = call.body
        mailbox = caller.own(asked.mailbox) if asked.mailbox else None
        deed = self._deeds.deed(caller.customer, asked.deed, mailbox, asked.host)
        words = WORDS[asked.deed]
        id = await self._bulk.begin(caller.author, caller.customer, asked.ids, deed, words, "/pending")
        return await under_way(self._bulk, caller, id)

    async def flush(self, caller: Caller, call: Call) -> Flushed:
        done = self._flush.flush(caller.customer, caller.author.who)
        if isinstance(done, Verdict):
            raise Invalid(done.text)
        return Flushed(messages=done)

    async def list_rules(self, caller: Caller, call: Call) -> HoldRulesShape:
        customer = await self._directory.customer(caller.customer)
        return HoldRulesShape(items=[_rule(rule) for rule in customer.holds])

    async def add_rule(self, caller: Caller, call: Call) -> Created:
        customer = await self._directory.customer(caller.customer)
        rule = await self._rules.add(caller.author, customer, call.body.sender, call.body.recipient)
        return Created(_rule(rule), f"/holds/{rule.id}")

    async def remove_rule(self, caller: Caller, call: Call) -> None:
        customer = await self._directory.customer(caller.customer)
        if call.path["id"] not in {rule.id for rule in customer.holds}:
            raise Missing
        await self._rules.remove(caller.author, customer, call.path["id"])

    async def show_servers(self, caller: Caller, call: Call) -> Servers:
        servers = [
            ServerShape(
                domain=one.domain,
                state=one.state,
                since=one.since,
                reason=one.reason,
                next_probe=one.next_probe,
                wave=one.wave,
                pending=one.pending,
            )
            for one in self._servers.servers(caller.customer)
        ]
        incidents = [
            IncidentShape(began_at=one.began_at, ended_at=one.ended_at, reason=one.reason)
            for one in self._servers.incidents(caller.customer)
        ]
        return Servers(servers=servers, incidents=incidents, forecast=self._servers.forecast(caller.customer))


def _rule(rule: HoldRule) -> HoldRuleShape:
    return HoldRuleShape(id=rule.id, sender=rule.sender, recipient=rule.recipient, made_at=rule.at, made_by=rule.by)


def _line(line: MessageLine) -> PendingShape:
    return PendingShape(
        id=line.id,
        sender=line.sender,
        recipients=list(line.recipients),
        received_at=line.received_at,
        size=line.size,
        due=None if line.due >= HELD else line.due or None,
        held=line.held,
        rule=line.rule,
        last=line.last,
        expires_at=line.expires_at,
    )
