"""SPF (RFC 7208) by pyspf, which asks nobody here: what it lacks is told, and whoever knows the DNS runs it again.

    facts = {}
    while isinstance(result := check(ip, sender, helo, facts), Question):
        facts[result] = ...

A tenth of a millisecond for usual records, some for hostile ones. What a stranger's records may cost is bounded: RFC
7208 section 4.6.4, their length, and the number of questions. Explanations (exp=) are neither asked for nor told.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct

VOID_LOOKUPS = 2  # RFC 7208 section 4.6.4
QUESTIONS = 64  # ten mechanisms of ten hosts each would be 111, but nobody is owed so many
RECORD = 4096  # characters of TXT records that are read: whatever fits into an answer of usual size
ADDRESSES = 50  # of one host


class Question(Struct, frozen=True):
    """`kind` is the name of a type: "TXT", "A", "AAAA", "MX" or "PTR"."""

    name: str
    kind: str


Facts = Mapping[Question, tuple[str, ...] | None]  # records as `net.dns` gives them, () for none; None: no answer


class Spf(Struct, frozen=True):
    """`result` is a word of RFC 7208 section 2.6. `domain`: whose record it was."""

    result: str
    domain: str
    reason: str = ""


def check(ip: str, sender: str, helo: str, facts: Facts) -> Spf | Question:
    """`sender` in wire form; "": the null sender, and the HELO name is looked at (section 2.4)."""
    local, _, domain = sender.rpartition("@") if sender else ("postmaster", "", helo)
    domain = domain.lower().rstrip(".")
    if len(facts) > QUESTIONS:
        return Spf("permerror", domain, "too many questions to the DNS")
    if "." not in domain or domain.startswith("["):
        return Spf("none", domain)
    query_type, missing = _query_type()
    query = query_type(i=ip, s=f"{local or 'postmaster'}@{domain}", h=helo)
    query.l, query.o, query.d = local or "postmaster", domain, domain  # pyspf parts a quoted local part at its first @
    query.facts = facts
    try:
        result, _, reason = query.check()
    except missing as question:
        found: Question = question.args[0]
        return found
    except Exception as error:  # an unforeseen record must not keep mail away; pyspf asserts here and there
        return Spf("permerror", domain, type(error).__name__)
    return Spf(result, domain, reason.rpartition(": ")[2] if result in ("permerror", "temperror") else "")


def is_loaded() -> bool:
    """Else the first check takes an eighth of a second."""
    return bool(_query_type.cache_info().currsize)


@cache
def _query_type() -> tuple[Any, type[Exception]]:
    """Importing pyspf takes an eighth of a second: with the first message that is checked."""
    import spf

    class Missing(Exception):
        """A question nobody has answered yet."""

    class Query(spf.query):  # type: ignore[misc]  # pyspf has no types
        """Takes what it is given; nothing goes to the network, and no explanation is made."""

        facts: Facts

        def get_explanation(self, spec: object) -> None:
            return None

        def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:
            name = str(name).lower().rstrip(".")
            if not name or len(name) > 253 or not all(0 < len(label) < 64 for label in name.split(".")):
                return []
            question = Question(name, qtype)
            if question not in self.facts:
                raise Missing(question)
            records = self.facts[question]
            if records is None:
                raise spf.TempError("the DNS does not answer")
            if qtype == "TXT" and sum(map(len, records)) > RECORD:
                records = tuple(record for record in records if record[:7].lower() == "v=spf1 ")
                if sum(map(len, records)) > RECORD:
                    raise spf.PermError("the record is too long")
            if not records and not ignore_void:
                self.void_lookups += 1
                if self.void_lookups > VOID_LOOKUPS:
                    raise spf.PermError("too many questions without an answer")
            return [_as_pyspf_has_it(record, qtype) for record in records[:ADDRESSES]]

    return Query, Missing


def _as_pyspf_has_it(record: str, kind: str) -> Any:
    if kind == "TXT":
        return (record.encode("latin-1", "replace"),)
    if kind == "MX":
        preference, _, host = record.partition(" ")
        return int(preference), host
    return record.rstrip(".") if kind == "PTR" else record
