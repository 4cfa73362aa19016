"""A long list, a page at a time: searched, sorted and cut by the server, so that ten thousand rows do no harm."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from emailgency.servers.web.console.routes import Asked

PAGE = 100  # rows
T = TypeVar("T")


class Listing(Struct, Generic[T], frozen=True):
    """What a template shows of a list. Pages count from 1."""

    rows: Sequence[T]
    found: int  # rows that match the search
    total: int
    page: int
    pages: int
    search: str
    sort: str  # a column, with "-" in front when it goes down
    also: dict[str, str] = {}  # other fields of the address line that choose rows

    def link(self, *, page: int = 1, sort: str | None = None) -> str:
        """The part of an address behind "?" for another page or order of the same search."""
        fields = {
            "q": self.search,
            "sort": self.sort if sort is None else sort,
            "page": page if page > 1 else "",
            **self.also,
        }
        return urlencode({name: value for name, value in fields.items() if value})

    def turned(self, column: str) -> str:
        """The order that a click on the head of this column asks for."""
        return f"-{column}" if self.sort == column else column


def listed(
    rows: Sequence[T],
    asked: Asked,
    text: Callable[[T], str],
    columns: dict[str, Callable[[T], Any]],
    also: dict[str, str] | None = None,
) -> Listing[T]:
    """`text` is what a search looks at; `columns` gives a sort key each, the first is the order unless asked."""
    search, sort = asked.given("q").strip()[:200], asked.given("sort")
    wanted = search.casefold()
    found = [row for row in rows if wanted in text(row).casefold()] if wanted else list(rows)
    column = sort.removeprefix("-")
    if column not in columns:
        sort = column = next(iter(columns))
    found.sort(key=columns[column], reverse=sort.startswith("-"))
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, int(asked.given("page")) if asked.given("page").isdecimal() else 1), pages)
    return Listing(found[(page - 1) * PAGE : page * PAGE], len(found), len(rows), page, pages, search, sort, also or {})
