"""SPF records as text (RFC 7208 section 4.6.1): their terms, and one more mechanism put in where it works."""

import re

from msgspec import Struct

LONGEST = 4096  # octets of a record that are looked at
TERMS = 100

_RECORD = re.compile(r"v=spf1(?= |$)", re.IGNORECASE)
_TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(?:([:=/])(.*))?")


class Term(Struct, frozen=True):
    """ "-ip4:192.0.2.0/24" is ("-", "ip4", "192.0.2.0/24"); a modifier ("redirect=…") has the qualifier "="."""

    qualifier: str
    name: str
    value: str = ""


def is_record(text: str) -> bool:
    return _RECORD.match(text) is not None


def terms(record: str) -> list[Term] | None:
    """In their order; None when something in it is no term, which makes receivers ignore the whole record."""
    found = []
    words = record[:LONGEST].split()[1:]
    for word in words[:TERMS]:
        match = _TERM.fullmatch(word)
        if match is None:
            return None
        qualifier, name, sign, value = match.groups(default="")
        if sign == "=":
            qualifier = "="
        elif sign == "/":
            value = f"/{value}"
        found.append(Term(qualifier or "+", name.lower(), value))
    return found


def with_mechanism(record: str, mechanism: str) -> str:
    """`mechanism` before the first term that ends the search: nothing behind `all` or `redirect` is looked at."""
    words = record.split()
    for place, word in enumerate(words):
        if re.fullmatch(r"[+?~-]?all|redirect=.*", word, re.IGNORECASE):
            return " ".join([*words[:place], mechanism, *words[place:]])
    return " ".join([*words, mechanism])
