"""The field Authentication-Results (RFC 8601): written for what we checked, taken off where others forge ours."""

import re
from collections.abc import Iterable

from emailgency.codec import originators
from emailgency.model.authentication import Checked

NAME = "authentication-results"
LONGEST = 768  # octets of ours; one that is put in later is padded to its place
_RESULT = re.compile(r"[a-z]+\Z")
# What a stranger chose is shown without whatever means something here: quotes, comments and semicolons
_NO_VALUE = re.compile(r"[^A-Za-z0-9!#$%&'*+./=^_`{|}~@-]")
_NO_REASON = re.compile(r"[^A-Za-z0-9 .,:_@<>/'-]")
_VALUE = 320  # characters, the longest address
_REASON = 80  # characters


def write(name: str, checked: Iterable[Checked]) -> bytes:
    """The field with CRLF, at most LONGEST octets: reasons go first when there is not room for all, then results."""
    checked = tuple(checked)
    for count in range(len(checked), -1, -1):
        for with_reasons in (True, False):
            field = _written(name, checked[:count], with_reasons)
            if len(field) <= LONGEST:
                return field
    return _written(name, (), with_reasons=False)


def _written(name: str, checked: tuple[Checked, ...], with_reasons: bool) -> bytes:
    results = [_result(one, with_reasons) for one in checked] or ["none"]
    lines = ";\r\n\t".join([name, *results])
    return f"Authentication-Results: {lines}\r\n".encode("ascii")


def _result(one: Checked, with_reasons: bool) -> str:
    words = [f"{one.method}={one.result}"]
    if one.reason and with_reasons:
        words.append(f"({_NO_REASON.sub('?', one.reason[:_REASON])})")
    words += [f"{name}={_NO_VALUE.sub('?', value[:_VALUE])}" for name, value in one.properties if value]
    return " ".join(words)


def results(header: bytes, name: str) -> str | None:
    """What we found out, when our field is the very first of this header: then nobody else has written it."""
    fields = originators.fields(header[: header.find(b"\r\n\r\n") + 2] if b"\r\n\r\n" in header else header)
    if not fields or fields[0][0] != NAME:
        return None
    value = fields[0][1].decode("ascii", "replace").strip()
    return value if value.partition(";")[0].strip() == name else None


def result(results: str, method: str) -> str:
    """One method's word in what `results` gave; "none" when it is not there."""
    for piece in results.split(";")[1:]:
        word, _, rest = piece.strip().partition("=")
        if word == method:
            found = rest.split(" ", 1)[0].strip()
            return found if _RESULT.match(found) else "none"
    return "none"


def forged(header: bytes, name: str) -> bool:
    """Whether a field of a message that comes in says that it is ours (RFC 8601 section 5).

    Quickly: nearly no message has one. The name anywhere in the field is enough, however it is quoted or commented.
    """
    return NAME.encode() in header.lower() and any(_is_ours(value, name) for value in _fields(header))


def without_forged(header: bytes, name: str) -> bytes:
    """The header without those fields."""
    return originators.without_fields(header, lambda field, value: field == NAME and _is_ours(value, name))


def _fields(header: bytes) -> list[bytes]:
    return [value for field, value in originators.fields(header) if field == NAME]


def _is_ours(value: bytes, name: str) -> bool:
    return name.lower().encode() in value.lower().replace(b"\\", b"")
