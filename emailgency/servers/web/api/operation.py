"""What an operation of the API is. The OpenAPI document and the customer matrix are made from these."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from msgspec import Meta, Struct

from emailgency.flows.accounts.holders import Holder, called
from emailgency.flows.addresses.address_deeds import own
from emailgency.model.address import Address
from emailgency.model.directory import ApiToken, Mailbox
from emailgency.servers.web.console.routes import Who
from emailgency.store.directory.changes import Author

__all__ = ["MOST", "Accepted", "Call", "Caller", "Created", "Missing", "Operation", "Paging", "Who", "cut"]

MOST = 1000  # rows of a page


class Missing(LookupError):
    """What the path names is not there (404)."""


class Caller(Struct, frozen=True):
    """Who asks, by one of his tokens: a mailbox, or, of operations for operators, an operator."""

    holder: Holder
    token: ApiToken
    ip: str

    @property
    def mailbox(self) -> Mailbox:
        """Of operations for users and administrators."""
        assert isinstance(self.holder, Mailbox)
        return self.holder

    @property
    def customer(self) -> str:
        return self.mailbox.customer

    @property
    def domain(self) -> str:
        """The customer's main domain."""
        return self.mailbox.address.domain

    @property
    def author(self) -> Author:
        """How the change journal names him."""
        return Author(called(self.holder), f"API {self.ip}, token {self.token.id}")

    def own(self, text: str) -> Address:
        """An address of the caller's customer; the domain may be left out. Raises Invalid."""
        return own(self.domain, text)


class Call(Struct, frozen=True):
    """What was asked, already of the shapes that the operation names."""

    path: dict[str, str]
    query: Any = None
    body: Any = None


class Created(Struct, frozen=True):
    """Answered with 201. `location`: below the root of the API."""

    body: Struct
    location: str


class Accepted(Struct, frozen=True):
    """Answered with 202: it goes on. `location`: where to ask how far it is, below the root of the API."""

    body: Struct
    location: str


Deed = Callable[[Caller, Call], Awaitable[Struct | Created | Accepted | None]]


class Operation(Struct, frozen=True, kw_only=True):
    """`path` as Klein writes it, below the root of the API. GET changes nothing; PUT and DELETE may be repeated.

    `answer` None: 204, without a body. `makes`: it may answer 201 with `answer`;
    `later`: 202 with it.
    """

    method: str
    path: str
    who: Who
    deed: Deed
    summary: str
    tag: str
    answer: Any = None
    body: Any = None
    query: Any = None
    makes: bool = False
    later: bool = False


class Paging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after` is what the page before gave as `next`."""

    limit: Annotated[int, Meta(ge=1, le=MOST, description="At most so many.")] = 100
    after: Annotated[str, Meta(max_length=400, description="What the page before gave as `next`.")] = ""
    search: Annotated[str, Meta(max_length=200, description="Only those in which this stands, in any case.")] = ""


def cut(rows: list[Any], key: Callable[[Any], str], asked: Paging) -> tuple[list[Any], str | None]:
    """One page of rows in the order of their keys, and where the next begins. Rows that come and go shift none."""
    wanted = asked.search.casefold()
    found = sorted(((key(row), row) for row in rows), key=lambda pair: pair[0])
    found = [pair for pair in found if pair[0] > asked.after and (not wanted or wanted in pair[0].casefold())]
    page = found[: asked.limit]
    return [row for _, row in page], page[-1][0] if len(found) > len(page) else None
