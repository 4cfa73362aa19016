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
    """`fault` None: it is done. `step` None: nothing turns it back. `back`: what became of the undo.

    `waiting`: its turn, of the deed or of the undo, has not come or is not over.
    """

    subject: str  # an address, or the id of a pending message
    fault: Words | None = None
    step: Step | None = None
    turned_back: bool = False
    back: Words | None = None
    waiting: bool = False


class Results(Struct, frozen=True, kw_only=True):
    """Of one deed. `finished` False: it is under way, or, while `undoing`, its undo is."""

    customer: str
    deed: Words
    panel: str  # where in the console it began: a path
    at: float  # seconds since the epoch
    rows: tuple[Row, ...]
    finished: bool = True
    undoing: bool = False

    @property
    def can_turn_back(self) -> bool:
        return self.finished and any(row.step is not None and not row.turned_back for row in self.rows)

    @property
    def waiting(self) -> int:
        return sum(row.waiting for row in self.rows)

    @property
    def done(self) -> int:
        return sum(row.fault is None and (self.undoing or not row.waiting) for row in self.rows)

    @property
    def refused(self) -> int:
        return sum(row.fault is not None for row in self.rows)
