"""One deed on many ticked addresses, with a row of its result for each (row F1)."""

from collections.abc import Awaitable, Callable

from emailgency.codec.address import parse
from emailgency.flows.bulk import Bulk
from emailgency.model.address import Address
from emailgency.model.bulk import Step
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.routes import Asked, Away, Page, Visitor

_SHOWN = 10  # addresses that are told one by one


async def on_ticked(
    visitor: Visitor,
    subjects: list[str],
    bulk: Bulk,
    deed: Callable[[str], Awaitable[Step | None]],
    words: Words,
    panel: str,
) -> Page | Away:
    """Do it to each; the page of the results, which are kept."""
    id, results = await bulk.run(visitor.known.customer, subjects, deed, words, panel)
    return Away(f"/results/{id}") if id else Page("results.html", {"results": results, "id": ""})


def on_own(
    visitor: Visitor, deed: Callable[[Address], Awaitable[Step | None]]
) -> Callable[[str], Awaitable[Step | None]]:
    """For `on_ticked`: each of them must be an address of the visitor's customer."""

    async def done(text: str) -> Step | None:
        return await deed(own(visitor, text))

    return done


def own(visitor: Visitor, text: str) -> Address:
    """An address of the visitor's own customer; the domain may be left out.

    Nobody reaches into another's by naming it (attack row 18).
    """
    text = text.strip()
    address = parse(text if "@" in text else f"{text}@{visitor.address.domain}")
    if address.domain != visitor.address.domain:
        raise Invalid("%(address)s is no address of yours", address=text)
    return address


def ticked(asked: Asked, field: str = "address") -> list[str]:
    """What is ticked, each once; none is a mistake."""
    given = list(dict.fromkeys(asked.many(field)))
    if not given:
        raise Invalid("Nothing is ticked.")
    return given


def named(addresses: list[str]) -> str:
    """The first ones, and how many more."""
    more = f" + {len(addresses) - _SHOWN}" if len(addresses) > _SHOWN else ""
    return ", ".join(addresses[:_SHOWN]) + more
