"""What the DNS should say of a customer's domain, what it says, and how that changed (product rows F4, G7)."""

from enum import Enum

from msgspec import Struct

from emailgency.model.words import Words


class Standing(Enum):
    """How a record does. UNKNOWN: the DNS does not answer now, which says nothing about the record; DOUBTFUL: a person
    must look.
    """

    GOOD = "good"
    OPTIONAL = "optional"  # not there, and nothing is lost
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    DOUBTFUL = "doubtful"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing looked at. `found` and `wanted` are records as one types them, in order; `wanted` () means as found."""

    kind: str  # "mx", "spf", "mta_sts", "alternate", "dkim", "autoconfig", "autodiscover"
    name: str  # where the record belongs
    type: str  # of the record: "MX", "TXT", …
    standing: Standing
    words: Words
    found: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()

    @property
    def to_add(self) -> tuple[str, ...]:
        return tuple(record for record in self.wanted if record not in self.found)

    @property
    def to_remove(self) -> tuple[str, ...]:
        return tuple(record for record in self.found if self.wanted and record not in self.wanted)


class DnsChange(Struct, frozen=True, kw_only=True):
    """From `at` on the DNS said something else of this. The first sight of a domain is one without `before`.

    `good` is what was last found in order, until `good_at`; None: never.
    """

    customer: str
    domain: str
    kind: str
    at: float  # seconds since the epoch
    after: tuple[str, ...]
    standing: Standing
    words: Words
    before: tuple[str, ...] | None = None
    worse: bool = False  # it was in order before
    better: bool = False  # it is in order again
    good: tuple[str, ...] = ()
    good_at: float | None = None
