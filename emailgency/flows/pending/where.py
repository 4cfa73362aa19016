"""Where is it? What became of each message, for who may know: product row G3.

An operator sees all, an administrator what is his customer's, a user his own copies and what he has sent.
"""

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from emailgency.model.directory import Alias, Mailbox
from emailgency.model.story import Happening, Kind, Story
from emailgency.rules.story_sight import seen_by
from emailgency.rules.whereabouts import HELD, State, outline, whereabouts
from emailgency.store.directory.directory import Gone
from emailgency.store.ledger.facts import about, into, sent_by
from emailgency.store.ledger.search import Query

if TYPE_CHECKING:
    from emailgency.store.directory.directory import Directory
    from emailgency.store.ledger.search import LedgerSearch

_ID = re.compile(r"[0-9a-f]{8}[0-9a-z]{4,32}")
_PAGES = 10  # pages of a user's search that are looked through for what is his
_LONGEST = 200  # characters of what is looked for


class Viewer(Struct, frozen=True):
    """Who asks. `mailbox` None: the customer's administrator."""

    customer: str
    mailbox: Mailbox | None = None


class CopyLine(Struct, frozen=True):
    """One copy. `place`: the address of its mailbox, or where it goes; "" when the kind says it all."""

    to: str
    kind: str  # of Kind
    place: str
    state: str  # of State
    since_at: float


class Step(Struct, frozen=True):
    """Something that happened to a copy. `next_at`: when the next attempt was due; None: held, or there is none."""

    happened_at: float
    to: str
    kind: str
    word: str
    code: int | None = None
    enhanced: str = ""
    reply: str = ""
    remote: str = ""
    by: str = ""
    next_at: float | None = None


class Whole(Struct, frozen=True, kw_only=True):
    """One message, as far as its viewer may know. `sender` is "" for a notification, times are since the epoch."""

    id: str
    customer: str
    received_at: float
    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    size: int
    state: str  # of State: that of the copy which needs somebody most
    ip: str
    helo: str
    tls: str
    sent_by: str  # address of the user who submitted it
    checks: tuple[str, ...]
    copies: tuple[CopyLine, ...]
    steps: tuple[Step, ...]
    about: str  # id of the message it tells of, or is a copy of
    because: tuple[str, ...] = ()  # ids of what was written because of it; told for one message only


class Where:
    """Raises Temporary when a search takes too long or the directory is away."""

    def __init__(self, directory: "Directory", search: "LedgerSearch") -> None:
        self._directory = directory
        self._search = search

    async def find(self, viewer: Viewer, query: Query) -> list[Whole]:
        """The newest first, at most `query.limit`. What happened a moment ago is there."""
        await self._search.ledger.caught_up()
        return [await self._whole(viewer.customer, one) for one in await self._found(viewer, query)]

    async def everywhere(self, query: Query) -> list[Whole]:
        """Of all customers, for an operator; the newest first."""
        await self._search.ledger.caught_up()
        found: list[tuple[str, Story]] = []
        for customer in await self._search.customers():
            found += [(customer, story) for story in await self._search.find(customer, query)]
            found.sort(key=lambda pair: pair[1].facts.id, reverse=True)
            del found[query.limit :]
        return [await self._whole(customer, story) for customer, story in found]

    async def one(self, viewer: Viewer, id: str) -> Whole | None:
        """None: there is none, or it is none of his business."""
        if not _ID.fullmatch(id):
            return None
        found = await self.find(viewer, Query(id=id, limit=1))
        if not found:
            return None
        because = await self._found(viewer, Query(parties=frozenset({about(id)})))
        return replace(found[0], because=tuple(story.facts.id for story in reversed(because)))

    async def _found(self, viewer: Viewer, query: Query) -> list[Story]:
        mailbox = viewer.mailbox
        if mailbox is None:
            return await self._search.find(viewer.customer, query)
        addresses = await self._addresses(mailbox)
        asked = query
        if not query.parties:  # else they say well enough what it is about
            asked = replace(query, parties=frozenset({into(mailbox.id), sent_by(mailbox.id), *addresses}))
        found: list[Story] = []
        for _ in range(_PAGES):  # a stranger can make many messages bear his address as their sender
            page = await self._search.find(viewer.customer, asked)
            found += [seen for story in page if (seen := seen_by(story, mailbox.id, addresses)) is not None]
            if len(page) < query.limit or len(found) >= query.limit:
                break
            asked = replace(asked, before=page[-1].facts.id)
        return found[: query.limit]

    async def _addresses(self, mailbox: Mailbox) -> frozenset[str]:
        """All that lead to it alone, in every domain of its customer."""
        customer = await self._directory.customer(mailbox.customer)
        entries = await self._directory.entries(mailbox.customer)
        locals = {one.address.local for one in entries if isinstance(one, Alias) and one.mailbox == mailbox.id}
        domains = (customer.domain, customer.alternate_domain, *customer.domain_aliases)
        return frozenset(f"{local}@{domain}" for local in (mailbox.address.local, *locals) for domain in domains)

    async def _whole(self, customer: str, story: Story) -> Whole:
        facts = story.facts
        found = whereabouts(story)
        to = facts.recipients
        copies, steps = [], []
        for one in found:
            copy, kind = one.copy, one.copy.kind
            place = await self._address(copy.place) if kind is Kind.MAILBOX else copy.place
            copies.append(CopyLine(to[copy.recipient], kind.value, place, one.state.value, one.since))
            steps += [_step(to[copy.recipient], kind, happening) for happening in one.happenings]
        state = outline(one.state for one in found if one.copy.kind is not Kind.NOWHERE) or State.DROPPED
        return Whole(
            id=facts.id,
            customer=customer,
            received_at=facts.at,
            sender=facts.sender,
            recipients=to,
            subject=facts.subject,
            message_id=facts.message_id,
            size=facts.size,
            state=state.value,
            ip=facts.ip,
            helo=facts.helo,
            tls=facts.tls,
            sent_by=await self._address(facts.mailbox) if facts.mailbox else "",
            checks=facts.checks,
            copies=tuple(copies),
            steps=tuple(sorted(steps, key=lambda step: step.happened_at)),
            about=facts.about,
        )

    async def _address(self, mailbox: str) -> str:
        """Of a mailbox; its id when it has gone."""
        try:
            found = await self._directory.mailbox(mailbox)
        except Gone:
            found = None
        return str(found.address) if found else mailbox


def _step(to: str, kind: Kind, one: Happening) -> Step:
    due = one.next if 0 < one.next < HELD else None
    return Step(
        one.at, to, kind.value, _word(kind, one), one.code or None, one.enhanced, one.reply, one.remote, one.by, due
    )


def _word(kind: Kind, happening: Happening) -> str:
    """What it is called: somebody's hand on a message that was tried before bears the word of that attempt."""
    if happening.word == "delivered" and kind in (Kind.SERVER, Kind.FORWARD, Kind.ELSEWHERE):
        return "kept"
    if not happening.by or happening.word not in ("deferred", "doubtful", "held", "released"):
        return happening.word
    return "held" if happening.next >= HELD else "released"


def query_of(text: str) -> Query:
    """What a person types into one field: our id, a Message-ID, an address or a part of one, or a part of a subject."""
    text = text.strip()[:_LONGEST]
    if not text:
        return Query()
    if _ID.fullmatch(text):
        return Query(id=text)
    if text.startswith("<") and "@" in text:
        return Query(message_id=text)
    if "@" in text and " " not in text:
        return Query(address=text)
    return Query(subject=text)
