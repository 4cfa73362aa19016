"""What the DNS should say, and what it says, of the customer's domains and of any other (rows A8, C8, F4, G7)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from emailgency.flows.accounts.access import MailAccess
from emailgency.flows.accounts.domain_claims import Claim, DomainClaims, Proof
from emailgency.flows.domains.dns_assistant import ROLES, DnsAssistant, TooMany
from emailgency.flows.domains.own_records import OwnRecords
from emailgency.model.access import Access
from emailgency.model.domain_check import DnsChange, Finding
from emailgency.model.errors import Busy
from emailgency.servers.web.api.operation import Call, Caller, Missing, Operation, Who
from emailgency.store.directory.directory import Directory


class Domain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    domain: Annotated[str, Meta(max_length=255, description="Left out: the main one.")] = ""


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    domain: Annotated[str, Meta(max_length=255)]
    role: Annotated[
        Literal["backup", "primary", "none"], Meta(description='What we are for it; "none": it has no other server.')
    ] = "backup"


class RecordShape(Struct, frozen=True, kw_only=True):
    """`found` and `wanted` are records as one types them. `standing`: good, optional, missing, wrong, unknown (the DNS
    does not answer) or doubtful. `since`: it is so; null: nobody has looked before.
    """

    kind: str
    name: str
    type: str
    standing: str
    words: str
    found: list[str]
    wanted: list[str]
    since: float | None


class ChangeShape(Struct, frozen=True, kw_only=True):
    at: float
    domain: str
    kind: str
    before: list[str]
    after: list[str]
    standing: str
    words: str


class DomainRecords(Struct, frozen=True, kw_only=True):
    """`names` are those that may be asked for. `changes`: the newest first."""

    domain: str
    names: list[str]
    records: list[RecordShape]
    signs: bool
    changes: list[ChangeShape]


class Records(Struct, frozen=True, kw_only=True):
    items: list[RecordShape]


class ClaimShape(Struct, frozen=True, kw_only=True):
    """The TXT record `record` at `name` proves the claim. `proof`: there, missing, or unknown (nobody has looked, or
    the DNS does not answer). `yours`: it is a domain of the customer.
    """

    domain: str
    name: str
    record: str
    proof: str
    yours: bool


class DnsOperations:
    def __init__(
        self,
        directory: Directory,
        records: OwnRecords,
        assistant: DnsAssistant,
        claims: DomainClaims,
        access: MailAccess,
    ) -> None:
        self._directory = directory
        self._records = records
        self._assistant = assistant
        self._claims = claims
        self._access = access

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "DNS"}
        user: dict[str, Any] = {"who": Who.USER, "tag": "Assistants", "method": "GET"}
        claim = "/claims/<domain>"
        return [
            Operation(
                method="GET",
                path="/dns",
                deed=self.look_at_dns,
                summary="Each record of one of the domains, live, and how it came to be",
                answer=DomainRecords,
                query=Domain,
                **same,
            ),
            Operation(
                method="POST",
                path="/dns/key",
                deed=self.make_first_key,
                summary="A key for signatures, unless there is one; its record is then to be published",
                **same,
            ),
            Operation(
                method="GET",
                path=claim,
                deed=self.show_claim,
                summary="What proves that a domain is the customer's",
                answer=ClaimShape,
                **same,
            ),
            Operation(
                method="PUT",
                path=claim,
                deed=self.claim_domain,
                summary="The customer's from now on, if the DNS shows the record",
                answer=ClaimShape,
                **same,
            ),
            Operation(
                path="/assistant/records",
                deed=self.check_records,
                summary="What any domain should publish, and what it does",
                answer=Records,
                query=Wanted,
                **user,
            ),
            Operation(
                path="/assistant/access",
                deed=self.show_access,
                summary="What mail programs of this domain are told",
                answer=Access,
                **user,
            ),
        ]

    async def look_at_dns(self, caller: Caller, call: Call) -> DomainRecords:
        customer = await self._directory.customer(caller.customer)
        look = await self._records.look(customer, call.query.domain or customer.domain)
        return DomainRecords(
            domain=look.domain,
            names=list(self._records.names(customer)),
            records=[_record(one, look.since.get(one.kind)) for one in look.findings],
            signs=look.has_key,
            changes=[change(one) for one in look.changes],
        )

    async def make_first_key(self, caller: Caller, call: Call) -> None:
        await self._records.first_key(await self._directory.customer(caller.customer))

    async def show_claim(self, caller: Caller, call: Call) -> ClaimShape:
        return await self._claim(caller, self._claims.claim(caller.customer, call.path["domain"]))

    async def claim_domain(self, caller: Caller, call: Call) -> ClaimShape:
        claim = await self._claims.look(caller.customer, call.path["domain"])
        if claim.proof is Proof.THERE and not (await self._claim(caller, claim)).yours:
            await self._claims.take(caller.author, caller.customer, claim.domain)
        return await self._claim(caller, claim)

    async def _claim(self, caller: Caller, claim: Claim) -> ClaimShape:
        customer = await self._directory.customer(caller.customer)
        yours = claim.domain in self._records.names(customer)
        return ClaimShape(
            domain=claim.domain, name=claim.name, record=claim.record, proof=claim.proof.value, yours=yours
        )

    async def check_records(self, caller: Caller, call: Call) -> Records:
        wish = self._assistant.wish(call.query.domain, *ROLES[call.query.role])
        try:
            return Records(items=[_record(one, None) for one in await self._assistant.check(caller.ip, wish)])
        except TooMany:
            raise Busy("Too many checks just now. Try again in a minute.") from None

    async def show_access(self, caller: Caller, call: Call) -> Access:
        found = await self._access.of_domain(caller.domain)
        if found is None:
            raise Missing
        return found


def _record(one: Finding, since: float | None) -> RecordShape:
    return RecordShape(
        kind=one.kind,
        name=one.name,
        type=one.type,
        standing=one.standing.value,
        words=str(one.words),
        found=list(one.found),
        wanted=list(one.wanted),
        since=since,
    )


def change(one: DnsChange) -> ChangeShape:
    return ChangeShape(
        at=one.at,
        domain=one.domain,
        kind=one.kind,
        before=list(one.before or ()),
        after=list(one.after),
        standing=one.standing.value,
        words=str(one.words),
    )
