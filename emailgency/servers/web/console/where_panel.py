"""Where is it? What became of each message: an administrator asks for his customer's, a user for his own (row G3)."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from emailgency.background import in_thread
from emailgency.flows.pending import story_sheet
from emailgency.flows.pending.story_words import EVENTS, KINDS, STATES
from emailgency.flows.pending.where import Viewer, Where, Whole, query_of
from emailgency.model.words import Words
from emailgency.servers.web.console.languages import translations
from emailgency.servers.web.console.routes import Answer, Asked, Away, Octets, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory, Gone
from emailgency.store.ledger.search import Query

_PAGE = 50  # messages
_EXPORTED = 500  # messages of a list, the newest
_DAY = 86_400.0
_WAITING = frozenset({"pending", "deferred", "doubtful", "held"})
_FILE_NAME = re.compile(r"[^0-9a-z]")


class WherePanel:
    """What its visitor may see."""

    base, who = "", Who.USER

    def __init__(self, reactor: Any, directory: Directory, where: Where, clock: Callable[[], float]) -> None:
        self._reactor = reactor
        self._directory = directory
        self._where = where
        self._clock = clock

    def routes(self) -> list[Route]:
        here, who = f"{self.base}/where", self.who
        return [
            Route("GET", here, who, self.search),
            Route("GET", f"{here}.json", who, self.list_as_json),
            Route("GET", f"{here}.pdf", who, self.list_as_pdf),
            Route("GET", f"{here}/<id>", who, self.story),
            Route("GET", f"{here}/<id>/json", who, self.as_json),
            Route("GET", f"{here}/<id>/pdf", who, self.as_pdf),
        ]

    async def search(self, visitor: Visitor, asked: Asked) -> Answer:
        """A list, a page at a time; an id leads to its story at once."""
        query = replace(_query(asked), limit=_PAGE, before=asked.given("before")[:64])
        found = await self._find(visitor, query)
        if query.id and len(found) == 1:
            return Away(f"{self.base}/where/{found[0].id}")
        fields = {name: asked.given(name)[:200] for name in ("q", "since", "until")}
        given = {name: value for name, value in fields.items() if value}
        older = urlencode({**given, "before": found[-1].id}) if len(found) == _PAGE else ""
        facts = {
            "found": found,
            "fields": fields,
            "link": urlencode(given),
            "older": older,
            "newest": not query.before,
            "states": STATES,
            "base": self.base,
            "domains": await self._domains(found),
        }
        return Page("where.html", facts)

    async def story(self, visitor: Visitor, asked: Asked) -> Answer:
        whole = await self._one(visitor, asked)
        if whole is None:
            return Page("missing.html", status=404)
        waits = any(one.state in _WAITING and one.kind in ("server", "forward", "elsewhere") for one in whole.copies)
        facts = {
            "base": self.base,
            "domains": await self._domains([whole]),
            "whole": whole,
            "in_hand": waits and visitor.known.administrator,
            "kinds": KINDS,
            "states": STATES,
            "events": EVENTS,
            "said_by": story_sheet.said,
            "second": story_sheet.second,
        }
        return Page("story.html", facts)

    async def as_json(self, visitor: Visitor, asked: Asked) -> Answer:
        whole = await self._one(visitor, asked)
        return _json(whole, whole.id) if whole else Page("missing.html", status=404)

    async def as_pdf(self, visitor: Visitor, asked: Asked) -> Answer:
        whole = await self._one(visitor, asked)
        if whole is None:
            return Page("missing.html", status=404)
        return await self._on_paper(visitor, story_sheet.story, whole, whole.id)

    async def list_as_json(self, visitor: Visitor, asked: Asked) -> Answer:
        return _json(await self._exported(visitor, asked), "messages")

    async def list_as_pdf(self, visitor: Visitor, asked: Asked) -> Answer:
        return await self._on_paper(visitor, story_sheet.messages, await self._exported(visitor, asked), "messages")

    async def _exported(self, visitor: Visitor, asked: Asked) -> list[Whole]:
        return await self._find(visitor, replace(_query(asked), limit=_EXPORTED))

    async def _find(self, visitor: Visitor, query: Query) -> list[Whole]:
        return await self._where.find(await self._viewer(visitor), query)

    async def _one(self, visitor: Visitor, asked: Asked) -> Whole | None:
        return await self._where.one(await self._viewer(visitor), asked.path["id"])

    async def _domains(self, found: Sequence[Whole]) -> dict[str, str]:
        """Of customers, where there are several."""
        return {}

    async def _viewer(self, visitor: Visitor) -> Viewer:
        session = visitor.known
        if session.administrator:
            return Viewer(session.customer)
        mailbox = await self._directory.mailbox(session.mailbox)
        if mailbox is None:
            raise Gone  # since this request began, or an operator's session, which has none
        return Viewer(session.customer, mailbox)

    async def _on_paper(self, visitor: Visitor, deed: Callable[..., bytes], what: object, name: str) -> Octets:
        translate = translations(visitor.language).gettext

        def say(words: Words) -> str:
            return words.said(translate)

        octets = await in_thread(self._reactor, deed, what, self._clock(), visitor.language, say)
        return Octets("application/pdf", octets, _name(name, "pdf"))


class OperatorWherePanel(WherePanel):
    """All customers' mail."""

    base, who = "/operator", Who.OPERATOR

    async def _find(self, visitor: Visitor, query: Query) -> list[Whole]:
        return await self._where.everywhere(query)

    async def _one(self, visitor: Visitor, asked: Asked) -> Whole | None:
        query = query_of(asked.path["id"])
        found = await self._where.everywhere(query) if query.id else []
        return await self._where.one(Viewer(found[0].customer), found[0].id) if found else None

    async def _domains(self, found: Sequence[Whole]) -> dict[str, str]:
        wanted = {one.customer for one in found}
        known = {one.id: one.domain for one in await self._directory.customers()}
        return {id: known.get(id, id) for id in wanted}


def _query(asked: Asked) -> Query:
    """Days are those of UTC, as all times of the console; the last one is looked through as well."""
    changes: dict[str, float] = {}
    for name, more in (("since", 0.0), ("until", _DAY)):
        try:
            at = datetime.fromisoformat(asked.given(name)).replace(tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            continue
        changes[name] = at + more
    return replace(query_of(asked.given("q")), **changes)


def _json(what: Whole | Sequence[Whole], name: str) -> Octets:
    octets = msgspec.json.format(msgspec.json.encode(what), indent=2)
    return Octets("application/json", octets, _name(name, "json"))


def _name(name: str, ending: str) -> str:
    return f"emailgency-{_FILE_NAME.sub('', name)}.{ending}"
