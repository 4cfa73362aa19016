"""Whom a visitor means and may touch; one deed on many ticked ones, with a row of each result (row F1)."""

from emailgency.flows.accounts.holders import Holder, find
from emailgency.flows.addresses import address_deeds
from emailgency.flows.addresses.bulk import Bulk, Deed
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.model.address import Address
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.routes import Asked, Away, Visitor
from emailgency.store.directory.directory import Directory, Gone

FRESH = 900.0  # seconds after a login in which he makes other ways in: an open window is not enough
_SHOWN = 10  # addresses that are told one by one


async def on_ticked(visitor: Visitor, subjects: list[str], bulk: Bulk, deed: Deed, words: Words, panel: str) -> Away:
    """Do it to each; the page of the results, or of how far it is."""
    id = await bulk.begin(visitor.author, visitor.known.customer, subjects, deed, words, panel)
    return Away(f"/results/{id}")


def own(visitor: Visitor, text: str) -> Address:
    """An address of the visitor's own customer; the domain may be left out."""
    return address_deeds.own(visitor.address.domain, text)


async def seen_mailbox(directory: Directory, visitor: Visitor, asked: Asked) -> Mailbox:
    """A user's own, or any of the customer for an administrator. Who may not see one does not learn of it."""
    mailbox = await mailbox_at(directory, own(visitor, asked.path["address"]))
    if not visitor.known.administrator and mailbox.id != visitor.known.mailbox:
        raise Invalid("%(address)s is no mailbox of yours", address=asked.path["address"])
    return mailbox


async def own_holder(directory: Directory, visitor: Visitor) -> Holder:
    """Who has logged in; an operator is himself, whomever he looks after."""
    session = visitor.known
    found = await find(directory, session.operator or session.mailbox, operator=bool(session.operator))
    if found is None:
        raise Gone("account")
    return found


def check_fresh(visitor: Visitor, now: float) -> None:
    """Before he makes what outlives his session (attack row 39)."""
    if now - visitor.known.begun_at > FRESH:
        raise Invalid("For this, log out and in again: your login is more than 15 minutes old.")


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
