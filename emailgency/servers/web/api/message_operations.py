"""Where is it? What became of each message, to who may know (row G3)."""

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from emailgency.flows.pending.where import Viewer, Where, Whole, query_of
from emailgency.servers.web.api.operation import Call, Caller, Missing, Operation, Who
from emailgency.store.ledger.search import Query

_MOST = 200


class MessageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times are seconds since the epoch."""

    search: Annotated[
        str, Meta(max_length=200, description="Our id, a Message-ID, an address or a part of one, or of a subject.")
    ] = ""
    since: float | None = None
    until: float | None = None
    limit: Annotated[int, Meta(ge=1, le=_MOST, description="At most so many.")] = 50
    after: Annotated[str, Meta(max_length=64, description="What the page before gave as `next`.")] = ""


class MessagePage(Struct, frozen=True, kw_only=True):
    """The newest first."""

    items: list[Whole]
    next: str | None


class MessageOperations:
    def __init__(self, where: Where) -> None:
        self._where = where

    def operations(self) -> list[Operation]:
        found: list[Operation] = []
        for who, base, search, show in (
            (Who.USER, "", self.search_messages, self.show_message),
            (Who.OPERATOR, "/operator", self.search_all_messages, self.show_any_message),
        ):
            whose = " of all customers" if base else ""
            same: dict[str, Any] = {"who": who, "tag": "Operator" if base else "Messages"}
            found += [
                Operation(
                    method="GET",
                    path=f"{base}/messages",
                    deed=search,
                    summary=f"Messages{whose} and where they are, also those that have long gone",
                    answer=MessagePage,
                    query=MessageQuery,
                    **same,
                ),
                Operation(
                    method="GET",
                    path=f"{base}/messages/<id>",
                    deed=show,
                    summary=f"The story of one message{whose}",
                    answer=Whole,
                    **same,
                ),
            ]
        return found

    async def search_messages(self, caller: Caller, call: Call) -> MessagePage:
        return _page(await self._where.find(_viewer(caller), _query(call.query)), call.query)

    async def show_message(self, caller: Caller, call: Call) -> Whole:
        found = await self._where.one(_viewer(caller), call.path["id"])
        if found is None:
            raise Missing
        return found

    async def search_all_messages(self, caller: Caller, call: Call) -> MessagePage:
        return _page(await self._where.everywhere(_query(call.query)), call.query)

    async def show_any_message(self, caller: Caller, call: Call) -> Whole:
        query = query_of(call.path["id"])
        found = await self._where.everywhere(query) if query.id else []
        whole = await self._where.one(Viewer(found[0].customer), found[0].id) if found else None
        if whole is None:
            raise Missing
        return whole


def _viewer(caller: Caller) -> Viewer:
    return Viewer(caller.customer, None if caller.mailbox.administrator else caller.mailbox)


def _query(asked: MessageQuery) -> Query:
    query = replace(query_of(asked.search), limit=asked.limit, before=asked.after)
    if asked.since is not None:
        query = replace(query, since=asked.since)
    return query if asked.until is None else replace(query, until=asked.until)


def _page(found: list[Whole], asked: MessageQuery) -> MessagePage:
    return MessagePage(items=found, next=found[-1].id if len(found) == asked.limit else None)
