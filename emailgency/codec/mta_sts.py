"""MTA-STS as text (RFC 8461): the record that says there is a policy, and the policy itself."""

import re
from enum import Enum

from msgspec import Struct

LONGEST = 65_536  # octets of a policy; RFC 8461 section 3.3 lets us stop there
PATTERNS = 100

_RECORD = re.compile(r"v=STSv1[ \t]*;[ \t]*id=([A-Za-z0-9]{1,32})[ \t]*(?:;.*)?")  # section 3.1


class Mode(Enum):
    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


class Policy(Struct, frozen=True):
    """`mx`: host names in lower case, "*.example.org" for one label more."""

    mode: Mode
    mx: tuple[str, ...]
    max_age: int  # seconds

    def allows(self, host: str) -> bool:
        """Section 4.1: a wildcard stands for exactly one label."""
        name = host.lower().removesuffix(".")
        return any(one in (name, f"*.{name.partition('.')[2]}") for one in self.mx)


def record_id(text: str) -> str | None:
    """The id of the record at _mta-sts.<domain>; None when it is none of these."""
    match = _RECORD.fullmatch(text)
    return match[1] if match else None


def policy(octets: bytes) -> Policy | None:
    """Section 3.2: "key: value" a line; a key given twice counts once, but `mx`. None when it makes no sense."""
    fields: dict[str, str] = {}
    mx: list[str] = []
    for line in octets[:LONGEST].decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "mx" and len(mx) < PATTERNS:
            mx.append(value.lower().removesuffix("."))
        fields.setdefault(key, value)
    age = fields.get("max_age", "")
    if fields.get("version") != "STSv1" or not re.fullmatch(r"[0-9]{1,10}", age):
        return None
    try:
        mode = Mode(fields.get("mode", "").lower())
    except ValueError:
        return None
    if mode is not Mode.NONE and not mx:
        return None
    return Policy(mode, tuple(mx), int(age))
