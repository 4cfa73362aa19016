"""Which mail a rule of its customer holds: by sender, by recipient, or all of it (product row D1).

A pattern is an address, a domain, or either with * for any octets; "<>" is the null sender, "" anybody. Case does not
matter. A rule with both a sender and a recipient holds what fits both.
"""

from collections.abc import Iterable

from emailgency.model.directory import HoldRule
from emailgency.model.errors import Invalid

MOST_RULES = 100  # of one customer
LONGEST = 320  # octets of a pattern: 64, @, 255


def checked(pattern: str) -> str:
    """As it is kept. Raises Invalid."""
    pattern = pattern.strip().casefold()
    if len(pattern) > LONGEST or not pattern.isprintable() or " " in pattern:
        raise Invalid("a pattern is an address or a domain, in which * stands for anything")
    return pattern


def fits(pattern: str, address: str) -> bool:
    """In time linear in both for each *: pieces are found one after the other, and none is looked for again."""
    if not pattern:
        return True
    address, pattern = address.casefold() or "<>", pattern.removeprefix("@")
    if "@" not in pattern and pattern != "<>":
        address = address.rpartition("@")[2]
    first, *middle = pattern.split("*")
    if not middle:
        return address == pattern
    *middle, last = middle
    end = len(address) - len(last)
    if not address.startswith(first) or not address.endswith(last) or end < len(first):
        return False
    place = len(first)
    for piece in middle:
        place = address.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


def holding(rules: Iterable[HoldRule], sender: str, recipient: str) -> HoldRule | None:
    """The first rule that holds mail from him to him."""
    return next((rule for rule in rules if fits(rule.sender, sender) and fits(rule.recipient, recipient)), None)
