"""Records of the spool journal -> rows for the ledgers of the customers they belong to."""

from collections.abc import Iterable

from msgspec import Struct

from emailgency.model.envelope import Envelope, Outcome
from emailgency.model.story import Facts, Happening
from emailgency.store.ledger import facts
from emailgency.store.spool.records import Accepted, Ended, Finished, Record, Tried, Void


class Rows(Struct):
    """To be written for one customer. `void` never were, though their records stand in the journal."""

    messages: list[Facts] = []
    happenings: list[tuple[str, Happening]] = []
    void: list[str] = []


class Shared(Struct, frozen=True):
    """A message of several customers: whose each target is, and which stand for others in the ledger of its sender."""

    sender: str
    owners: tuple[str, ...]
    foremost: frozenset[int]


class Gathering:
    """Knows whose each live message is; the journal's records do not say it again."""

    def __init__(self) -> None:
        self.rows: dict[str, Rows] = {}  # by customer; whoever writes them takes them out
        self._live: dict[str, str | Shared] = {}

    def take(self, records: Iterable[Record], again: bool) -> None:
        """`again`: their rows are written already."""
        for record in records:
            match record:
                case Accepted(envelope=envelope):
                    self._accepted(envelope, again)
                case Finished(id=id, targets=targets, at=at, outcome=outcome):
                    if not again:
                        self._happened(id, _happening(targets, at, outcome))
                case Tried(id=id, targets=targets, at=at, outcome=outcome, next=due):
                    if not again:
                        self._happened(id, _happening(targets, at, outcome, due))
                case Ended(ids=ids):
                    for id in ids:
                        self._live.pop(id, None)
                case Void(ids=ids):
                    self._void(ids)

    def _accepted(self, envelope: Envelope, again: bool) -> None:
        if envelope.id in self._live:
            return  # told anew for a younger segment
        owners = tuple(target.customer for target in envelope.plan)
        if all(owner == envelope.customer for owner in owners):
            self._live[envelope.id] = envelope.customer
        else:
            self._live[envelope.id] = Shared(envelope.customer, owners, facts.foremost(envelope))
        if not again:
            for customer, share in facts.shares(envelope).items():
                self._of(customer).messages.append(share)

    def _happened(self, id: str, happening: Happening) -> None:
        owner = self._live.get(id)
        if isinstance(owner, str):
            self._of(owner).happenings.append((id, happening))
        elif owner is not None:
            self._happened_to_several(id, owner, happening)

    def _happened_to_several(self, id: str, shared: Shared, happening: Happening) -> None:
        by_owner: dict[str, list[int]] = {}
        for target in happening.targets:
            by_owner.setdefault(shared.owners[target], []).append(target)
        for customer, targets in by_owner.items():
            told = _happening_like(happening, tuple(targets))
            self._of(customer).happenings.append((id, told))
        abroad = tuple(target for target in happening.targets if target in shared.foremost)
        if abroad and not happening.next:
            self._of(shared.sender).happenings.append((id, Happening(happening.at, "delivered", abroad)))

    def _void(self, ids: Iterable[str]) -> None:
        for id in ids:
            owner = self._live.pop(id, None)
            customers = {owner} if isinstance(owner, str) else {owner.sender, *owner.owners} if owner else set()
            for customer in customers:
                self._of(customer).void.append(id)

    def _of(self, customer: str) -> Rows:
        rows = self.rows.get(customer)
        if rows is None:
            rows = self.rows[customer] = Rows()
        return rows


def _happening(targets: tuple[int, ...], at: float, outcome: Outcome, due: float = 0.0) -> Happening:
    return Happening(
        at, outcome.word, targets, outcome.code, outcome.enhanced, outcome.reply, outcome.remote, outcome.by, due
    )


def _happening_like(one: Happening, targets: tuple[int, ...]) -> Happening:
    return Happening(one.at, one.word, targets, one.code, one.enhanced, one.reply, one.remote, one.by, one.next)
