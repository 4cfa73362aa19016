"""Candidates (rows A4, A6), deeds on many addresses of any kind, and their undoing (row F1)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from emailgency.flows.addresses.address_deeds import AddressDeeds, Choice
from emailgency.flows.addresses.bulk import MOST, Bulk
from emailgency.flows.addresses.candidates import CandidateFlow
from emailgency.model.bulk import Results
from emailgency.servers.web.api.operation import Accepted, Call, Caller, Missing, Operation, Paging, Who, cut
from emailgency.store.mailboxes.catchall import Candidate

_PANELS = {"candidate": "/candidates", "mailbox": "/mailboxes", "alias": "/aliases", "list": "/lists"}


class CandidateShape(Struct, frozen=True, kw_only=True):
    """`sender`: who wrote the newest message."""

    address: str
    messages: int
    size: int
    first_at: float
    last_at: float
    sender: str


class CandidatePage(Struct, frozen=True, kw_only=True):
    items: list[CandidateShape]
    next: str | None


class Tidied(Struct, frozen=True, kw_only=True):
    candidates: int


class LetterShape(Struct, frozen=True, kw_only=True):
    """`head` is the header as it stands; `cut`: there is more text than this. `from` and `to` as it names them."""

    received_at: float
    sender: str
    to: str
    subject: str
    date: str
    head: str
    text: str
    cut: bool


class Letters(Struct, frozen=True, kw_only=True):
    items: list[LetterShape]


class AddressDeed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Candidates: mailbox, alias (of `mailbox`), list (of `members`), banish. Mailboxes: deny, allow, vip, no_vip,
    administrator, no_administrator, remove. Aliases and lists: remove, banish. Banished ones: remove."""

    kind: Literal["candidate", "mailbox", "alias", "list", "banished"]
    deed: str
    addresses: Annotated[list[str], Meta(min_length=1, max_length=MOST)]
    mailbox: str = ""
    members: list[str] = []


class DeedRow(Struct, frozen=True, kw_only=True):
    """`fault` "": done, unless it is `waiting` for the deed or its undo. `undo`: what an undo could not do, or could
    not bring back."""

    subject: str
    waiting: bool
    fault: str
    undone: bool
    undo: str


class DeedResults(Struct, frozen=True, kw_only=True):
    """`id` names them for a day. Not `finished`: it is under way, and so many are `waiting`."""

    id: str
    at: float
    deed: str
    finished: bool
    waiting: int
    can_undo: bool
    items: list[DeedRow]


class CandidateOperations:
    def __init__(self, candidates: CandidateFlow, deeds: AddressDeeds, bulk: Bulk) -> None:
        self._candidates = candidates
        self._deeds = deeds
        self._bulk = bulk

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Candidates"}
        many: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Deeds on many", "answer": DeedResults}
        return [
            Operation(
                method="GET",
                path="/candidates",
                deed=self.list_candidates,
                summary="Unknown addresses that have had mail, as of the last tidying",
                answer=CandidatePage,
                query=Paging,
                **same,
            ),
            Operation(
                method="POST",
                path="/candidates/tidy",
                deed=self.tidy,
                summary="Look for new ones now",
                answer=Tidied,
                **same,
            ),
            Operation(
                method="GET",
                path="/candidates/<address>/messages",
                deed=self.letters,
                summary="The newest messages of an unknown address",
                answer=Letters,
                **same,
            ),
            Operation(
                method="POST",
                path="/deeds",
                deed=self.do_to_addresses,
                summary="Do one thing to many addresses",
                body=AddressDeed,
                later=True,
                **many,
            ),
            Operation(method="GET", path="/deeds/<id>", deed=self.show_results, summary="What became of each", **many),
            Operation(
                method="POST",
                path="/deeds/<id>/undo",
                deed=self.undo,
                summary="Undo what nobody has changed since",
                later=True,
                **many,
            ),
        ]

    async def list_candidates(self, caller: Caller, call: Call) -> CandidatePage:
        found = await self._candidates.of(caller.customer)
        rows, more = cut(found, lambda one: str(one.address), call.query)
        senders = await self._candidates.senders(rows)
        return CandidatePage(
            items=[_candidate(one, sender) for one, sender in zip(rows, senders, strict=True)], next=more
        )

    async def tidy(self, caller: Caller, call: Call) -> Tidied:
        return Tidied(candidates=len(await self._candidates.tidy(caller.customer)))

    async def letters(self, caller: Caller, call: Call) -> Letters:
        found = await self._candidates.letters(caller.customer, caller.own(call.path["address"]))
        return Letters(
            items=[
                LetterShape(
                    received_at=at,
                    sender=one.sender,
                    to=one.to,
                    subject=one.subject,
                    date=one.date,
                    head=one.head,
                    text=one.text,
                    cut=one.cut,
                )
                for at, one in found
            ]
        )

    async def do_to_addresses(self, caller: Caller, call: Call) -> DeedResults | Accepted:
        asked: AddressDeed = call.body
        choice = Choice(asked.kind, asked.deed, asked.mailbox, tuple(asked.members))
        deed = self._deeds.deed(caller.customer, caller.domain, choice)
        panel = _PANELS.get(asked.kind, "/banished")
        id = await self._bulk.begin(caller.author, caller.customer, asked.addresses, deed, choice.words, panel)
        return await under_way(self._bulk, caller, id)

    async def show_results(self, caller: Caller, call: Call) -> DeedResults:
        results = await self._bulk.find(caller.customer, call.path["id"])
        if results is None:
            raise Missing
        return shape(call.path["id"], results)

    async def undo(self, caller: Caller, call: Call) -> DeedResults | Accepted:
        if not await self._bulk.turn_back(caller.author, caller.customer, call.path["id"]):
            raise Missing
        return await under_way(self._bulk, caller, call.path["id"])


async def under_way(bulk: Bulk, caller: Caller, id: str) -> DeedResults | Accepted:
    """What became of each; while it goes on, where that can be asked."""
    results = await bulk.find(caller.customer, id)
    if results is None:
        raise Missing
    return shape(id, results) if results.finished else Accepted(shape(id, results), f"/deeds/{id}")


def shape(id: str, results: Results) -> DeedResults:
    return DeedResults(
        id=id,
        at=results.at,
        deed=str(results.deed),
        finished=results.finished,
        waiting=results.waiting,
        can_undo=results.can_turn_back,
        items=[
            DeedRow(
                subject=row.subject,
                waiting=row.waiting,
                fault=str(row.fault or ""),
                undone=row.turned_back,
                undo=str(row.back or ""),
            )
            for row in results.rows
        ],
    )


def _candidate(one: Candidate, sender: str) -> CandidateShape:
    return CandidateShape(
        address=str(one.address),
        messages=one.messages,
        size=one.size,
        first_at=one.first_at,
        last_at=one.last_at,
        sender=sender,
    )
