"""How sessions under one domain's policy went in a day, for the report its owner asks for (RFC 8460)."""

from msgspec import Struct, field


class Failed(Struct, frozen=True):
    """`word` of RFC 8460 section 4.3; `host` and `ip` of the server."""

    word: str
    host: str
    ip: str


class Tally(Struct):
    """`kind` of the policy: "tlsa", "sts" or "no-policy-found"; `text`: what it said, line by line."""

    kind: str
    text: str
    successes: int = 0
    failures: dict[Failed, int] = field(default_factory=dict)
