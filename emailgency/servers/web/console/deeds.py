"""One deed on many ticked addresses, with a result for each (row F1)."""

from collections.abc import Awaitable, Callable

from emailgency.codec.address import parse
from emailgency.model.address import Address
from emailgency.model.errors import Invalid
from emailgency.servers.web.console.routes import Asked, Visitor

MOST = 1000  # addresses in one go
_SHOWN = 10  # results that are told one by one


async def on_ticked(visitor: Visitor, asked: Asked, deed: Callable[[Address], Awaitable[object]]) -> None:
    """Do it to each of `address`; tells what was done and, in the words of each refusal, what was not."""
    given = ticked(asked)
    done: list[str] = []
    refused: list[str] = []
    for text in given:
        try:
            await deed(own(visitor, text))
            done.append(text)
        except Invalid as error:
            refused.append(f"{text}: {error}")
    if done:
        visitor.tell("success", named(done))
    for words in refused[:_SHOWN]:
        visitor.tell("danger", words)
    if len(refused) > _SHOWN:
        visitor.tell("danger", f"+ {len(refused) - _SHOWN}")


def ticked(asked: Asked) -> list[str]:
    """What `address` names, each once."""
    given = list(dict.fromkeys(asked.many("address")))
    if not given:
        raise Invalid("Nothing is ticked.")
    if len(given) > MOST:
        raise Invalid(f"At most {MOST} addresses in one go.")
    return given


def own(visitor: Visitor, text: str) -> Address:
    """An address of the visitor's own customer; the domain may be left out.

    Nobody reaches into another's by naming it (attack row 18).
    """
    text = text.strip()
    address = parse(text if "@" in text else f"{text}@{visitor.address.domain}")
    if address.domain != visitor.address.domain:
        raise Invalid(f"{text} is no address of yours")
    return address


def named(addresses: list[str]) -> str:
    """The first ones, and how many more."""
    more = f" + {len(addresses) - _SHOWN}" if len(addresses) > _SHOWN else ""
    return ", ".join(addresses[:_SHOWN]) + more
