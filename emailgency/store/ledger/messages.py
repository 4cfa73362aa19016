"""What the server asks of the ledger's process, and its answers: msgpack frames over two pipes."""

from msgspec import Struct

from emailgency.model.story import Facts


class Bounds(Struct, frozen=True, array_like=True):
    """What is kept at most. Octets are of files."""

    days: int
    customer_octets: int
    octets: int


class Begin(Struct, frozen=True, array_like=True, tag="begin"):
    """The first request; no reply."""

    data: str
    bounds: Bounds


class Dropped(Struct, frozen=True, array_like=True, tag="dropped"):
    """Nobody wanted this message, so that it never came into the spool; no reply."""

    customer: str
    facts: Facts


class Touched(Struct, frozen=True, array_like=True, tag="touched"):
    """A reader did something with his copies; no reply. `mailbox` "": Undelivered."""

    customer: str
    mailbox: str
    ids: tuple[str, ...]
    word: str  # "read", "expunged"
    at: float


class CatchUp(Struct, frozen=True, array_like=True, tag="catch up"):
    """Reply: Reached, when all that stands in the spool journal now can be read."""

    number: int


class Forget(Struct, frozen=True, array_like=True, tag="forget"):
    """Nothing of this customer stays, and nothing comes again; no reply."""

    customer: str


class Stop(Struct, frozen=True, array_like=True, tag="stop"):
    """Catch up, make it last, reply Reached and end."""

    number: int


Request = Begin | Dropped | Touched | CatchUp | Forget | Stop


class Reached(Struct, frozen=True, array_like=True, tag="reached"):
    """`number` 0: by itself. Journal segments below `segment` are not needed any more. `trouble`: in our own words."""

    number: int
    segment: int
    trouble: tuple[str, ...] = ()
