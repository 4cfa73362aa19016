"""A message with work left, and where its local targets lie."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from emailgency.codec.address import reread
from emailgency.model.envelope import Catchall, Deliver, Envelope, Target, Undelivered
from emailgency.store import layout
from emailgency.store.spool import records as spool_records
from emailgency.store.spool.records import Accepted, Acknowledged, Finished, Tried
from emailgency.store.storing.messages import Delivery

LOCAL = (Deliver, Catchall, Undelivered)


class Live(Struct, eq=False):
    """`remaining` are indices in the plan; `tried` is the last attempt of each."""

    envelope: Envelope
    remaining: set[int]
    tried: dict[int, Tried] = {}
    finished: list[Finished] = []
    acknowledged: bool = False  # its sender has spoken again after our 250, or nobody could repeat it
    segment: int = 0  # of the journal, that holds its envelope
    recording: int = 0  # records on their way to the disk

    def finish(self, record: Finished) -> None:
        """Take a record into account; one that says nothing new is passed over."""
        if not self.remaining.isdisjoint(record.targets):
            self.remaining.difference_update(record.targets)
            self.finished.append(record)
            for target in record.targets:
                self.tried.pop(target, None)

    def attempt(self, record: Tried) -> None:
        """Take an attempt into account; the later one counts, in whatever order they are read."""
        for target in self.remaining.intersection(record.targets):
            known = self.tried.get(target)
            if known is None or known.at <= record.at:
                self.tried[target] = record

    def local(self) -> list[int]:
        """Local targets not yet delivered."""
        return [index for index in sorted(self.remaining) if isinstance(self.envelope.plan[index], LOCAL)]

    def retold(self) -> Iterator[bytes]:
        """Records that say all of it anew, for a younger segment of the journal."""
        yield spool_records.encode(Accepted(self.envelope))
        for finished in self.finished:
            yield spool_records.encode(finished)
        for tried in {id(tried): tried for tried in self.tried.values()}.values():
            yield spool_records.encode(tried)
        if self.acknowledged and self.envelope.fingerprint is not None:
            yield spool_records.encode(Acknowledged((self.envelope.id,)))


def deliveries(envelope: Envelope, targets: Iterable[int]) -> tuple[Delivery, ...]:
    """What the storer needs to know of the local ones among these targets."""
    plan = envelope.plan
    return tuple(delivery(envelope, index, plan[index]) for index in targets if isinstance(plan[index], LOCAL))


def delivery(envelope: Envelope, index: int, target: Target) -> Delivery:
    """Where a local target lies. Copies in Undelivered say for whom they came (product row A7)."""
    if isinstance(target, Deliver):
        return Delivery(index, layout.mailbox(target.customer, target.mailbox))
    if isinstance(target, Catchall):
        folder = layout.catchall(target.customer, reread(target.address))
        return Delivery(index, folder, address=target.address)
    as_given = envelope.recipients[target.recipient].as_given
    return Delivery(index, layout.undelivered(target.customer), prefix=f"X-Original-To: {as_given}\r\n".encode())
