"""`where`: what became of a message, of one customer or of all (row G3)."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.pending.where import Viewer, Where, Whole, query_of
from emailgency.model.errors import Invalid
from emailgency.servers.control.command import Asker, Command, Commands, domain_of
from emailgency.store.directory.directory import Directory
from emailgency.store.ledger.search import Query


class AskWhere(Struct, frozen=True, forbid_unknown_fields=True):
    what: str = ""
    customer: str | None = None
    address: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 20
    whole: bool = False  # not only a list


class WhereCommands:
    def __init__(self, directory: Directory, accounts: CustomerAccounts, where: Where) -> None:
        self._directory = directory
        self._accounts = accounts
        self._where = where

    def table(self) -> Commands:
        return {"where": Command(AskWhere, self.find)}

    async def find(self, asked: AskWhere, asker: Asker) -> object:
        """A list; of one message, its whole story."""
        query = _query(asked)
        if asked.customer:
            customer = (await self._accounts.find(asked.customer)).id
            found = await self._where.find(Viewer(customer), query)
        else:
            found = await self._where.everywhere(query)
        if len(found) == 1:
            found = [await self._where.one(Viewer(found[0].customer), found[0].id) or found[0]]
        if asked.whole:
            return [msgspec.to_builtins(one) for one in found]
        if len(found) == 1:
            return await self._story(found[0])
        return [await self._line(one) for one in found]

    async def _line(self, one: Whole) -> dict[str, Any]:
        to = one.recipients[0] if one.recipients else ""
        more = f" + {len(one.recipients) - 1}" if len(one.recipients) > 1 else ""
        return {
            "id": one.id,
            "received_at": one.received_at,
            "customer": await domain_of(self._directory, one.customer),
            "from": one.sender or "<>",
            "to": to + more,
            "subject": one.subject,
            "state": one.state,
        }

    async def _story(self, one: Whole) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.to_builtins(one)
        return told | {"customer": await domain_of(self._directory, one.customer), "sender": one.sender or "<>"}


def _query(asked: AskWhere) -> Query:
    query = replace(query_of(asked.what), limit=asked.limit)
    changes: dict[str, Any] = {name: value for name in ("address", "subject") if (value := getattr(asked, name))}
    for name in ("since", "until"):
        if text := getattr(asked, name):
            changes[name] = _moment(text)
    return replace(query, **changes)


def _moment(text: str) -> float:
    """In the time zone of this machine, as what is printed is."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Invalid(f"{text!r} is no time: write it as 2026-11-22 or 2026-11-22T14:30") from None
