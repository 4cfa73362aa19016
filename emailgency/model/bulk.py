"""One deed on many: what became of each, and what would turn it back."""

from msgspec import Struct

from emailgency.model.directory import Entry
from emailgency.model.words import Words


class Step(Struct, frozen=True):
    """What one deed made of one address. None: the directory did not know it then.

    `moved`: UIDs, in the INBOX of the mailbox that `after` is or leads to, of mail that came along from the catchall.
    `validity`: UIDVALIDITY of that INBOX; under another one they are other mail.
    `lost`: mail was destroyed, which does not come back.
    """

    customer: str
    local: str
    before: Entry | None
    after: Entry | None
    moved: tuple[int, ...] = ()
    lost: bool = False
    validity: int = 0


class Row(Struct, frozen=True):
    """`fault` None: it is done. `step` None: nothing turns it back. `back`: what became of the undo."""

    subject: str  # an address, or the id of a pending message
    fault: Words | None = None
    step: Step | None = None
    turned_back: bool = False
    back: Words | None = None


class Results(Struct, frozen=True, kw_only=True):
    """Of one deed."""

    customer: str
    deed: Words
    panel: str  # where in the console it began: a path
    at: float  # seconds since the epoch
    rows: tuple[Row, ...]

    @property
    def can_turn_back(self) -> bool:
        return any(row.step is not None and not row.turned_back for row in self.rows)

    @property
    def done(self) -> int:
        return sum(row.fault is None for row in self.rows)

    @property
    def refused(self) -> int:
        return len(self.rows) - self.done
