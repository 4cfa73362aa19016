"""One deed on many ticked addresses, with a row of its result for each (row F1)."""

from emailgency.flows.addresses import address_deeds
from emailgency.flows.addresses.address_deeds import Deed
from emailgency.flows.addresses.bulk import Bulk
from emailgency.model.address import Address
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.routes import Asked, Away, Page, Visitor

_SHOWN = 10  # addresses that are told one by one


async def on_ticked(
    visitor: Visitor, subjects: list[str], bulk: Bulk, deed: Deed, words: Words, panel: str
) -> Page | Away:
    """Do it to each; the page of the results, which are kept."""
    id, results = await bulk.run(visitor.known.customer, subjects, deed, words, panel)
    return Away(f"/results/{id}") if id else Page("results.html", {"results": results, "id": ""})


def own(visitor: Visitor, text: str) -> Address:
    """An address of the visitor's own customer; the domain may be left out."""
    return address_deeds.own(visitor.address.domain, text)


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
